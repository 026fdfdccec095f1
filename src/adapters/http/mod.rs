//! The HTTP server: one file for each API, with its routes. Handlers translate and decide nothing.

pub(crate) mod blocking;
pub(crate) mod body;
pub(crate) mod ct;
pub(crate) mod discovery;
pub(crate) mod fulcio;
pub(crate) mod grpc;
pub(crate) mod health;
pub(crate) mod issuer;
pub(crate) mod metrics;
pub(crate) mod middleware;
pub(crate) mod refusal;
pub(crate) mod rekor_v1;
pub(crate) mod rekor_v2;
pub(crate) mod route;
pub(crate) mod server;
mod tiles;
mod timed_body;
pub(crate) mod timestamp;
pub(crate) mod trust;
pub(crate) mod tuf;
pub(crate) mod verify;
