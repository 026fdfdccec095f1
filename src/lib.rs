//! Signet: a code-signing service for one organisation, in one process.
//!
//! [`verify`] is the verifier as a library, for programs that link this crate. All else belongs to the
//! program `signet`; `ARCHITECTURE.md` describes its layers.

// Only with `testing` is everything exported that the integration tests name.
#![cfg_attr(feature = "testing", warn(unreachable_pub))]

mod adapters;
mod app;
mod classify;
mod cli;
mod config;
mod log;
mod protocol;
mod services;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod testing;
pub mod verify;

#[doc(hidden)]
pub use cli::main;
