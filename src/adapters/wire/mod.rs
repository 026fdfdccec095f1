//! Requests and replies as they travel, shared by the HTTP handlers and the clients of others.

pub mod rekor;
pub mod rekor_v1;
