//! The HTTP face: one file for each API. Handlers translate and decide nothing.

pub mod body;
pub mod health;
pub mod metrics;
pub mod problem;
pub mod request;
pub mod server;
