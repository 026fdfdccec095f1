//! Bodies of requests and replies in JSON. Server and client share those that both use.

pub(crate) mod fulcio;
pub(crate) mod rekor;
pub(crate) mod rekor_v1;
pub(crate) mod token;
