//! Signet: a code-signing service for one organisation, in one process.
//!
//! [`verify`] is the verifier as a library, for programs that link this crate. All else belongs to the
//! program `signet`; `ARCHITECTURE.md` describes its layers.

// `testing` exports everything that is `pub`, so the compiler finds what need not be. Documentation is
// required of `verify` alone.
#![cfg_attr(feature = "testing", warn(unreachable_pub), allow(missing_docs))]

mod adapters;
mod app;
mod classify;
mod cli;
mod config;
#[cfg(test)]
mod doubles;
mod log;
mod protocol;
mod services;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod testing;
pub mod verify;

#[doc(hidden)]
pub use cli::main;
