//! The JSON of requests and replies.

pub(crate) mod rekor;
pub(crate) mod rekor_v1;
