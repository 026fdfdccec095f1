//! The HTTP face: one file for each API. Handlers translate and decide nothing.

pub mod body;
pub mod ct;
pub mod fulcio;
pub mod issuer;
pub mod problem;
pub mod rekor;
pub mod tiles;
pub mod timestamp;
pub mod trust;
pub mod verify;
