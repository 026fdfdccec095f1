//! Signet is a self-hosted code-signing service in one process, with Sigstore's protocols.
//!
//! The [`verify`] module verifies Sigstore bundles offline and is the public API of this crate. The rest
//! implements the `signet` program; `ARCHITECTURE.md` describes its layers.

// The `testing` feature re-exports every `pub` item, so that with it the compiler reports items that are
// `pub` without need. Only items that `verify` exports require documentation.
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
