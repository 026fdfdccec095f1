//! The HTTP face: one file for each API. Handlers translate and decide nothing.

pub(crate) mod body;
pub(crate) mod closed;
pub(crate) mod ct;
pub(crate) mod ct_tiles;
pub(crate) mod discovery;
pub(crate) mod fulcio;
pub(crate) mod grpc;
pub(crate) mod health;
pub(crate) mod issuer;
pub(crate) mod metrics;
pub(crate) mod multipart;
pub(crate) mod problem;
pub(crate) mod rekor;
pub(crate) mod rekor_v1;
pub(crate) mod request;
pub(crate) mod server;
pub(crate) mod tiles;
pub(crate) mod timestamp;
pub(crate) mod trust;
pub(crate) mod tuf;
pub(crate) mod verify;
