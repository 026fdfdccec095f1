//! The HTTP face: one file for each API. Handlers translate and decide nothing.

pub mod body;
pub mod closed;
pub mod ct;
pub mod ct_tiles;
pub mod discovery;
pub mod fulcio;
pub mod grpc;
pub mod health;
pub mod issuer;
pub mod metrics;
pub mod multipart;
pub mod problem;
pub mod rekor;
pub mod rekor_v1;
pub mod request;
pub mod server;
pub mod tiles;
pub mod timestamp;
pub mod trust;
pub mod tuf;
pub mod verify;
