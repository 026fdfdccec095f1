//! The HTTP face: one file for each API. Handlers translate and decide nothing.

pub mod body;
pub mod ct;
pub mod fulcio;
pub mod issuer;
pub mod problem;
