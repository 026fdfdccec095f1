//! Requests and replies as they travel, shared by the HTTP handlers and the clients of others.

pub(crate) mod rekor;
pub(crate) mod rekor_v1;
