//! Signet: a code-signing service for one organisation, in one process.
//!
//! The crate is three layers, each a folder, each looking only downwards:
//!
//! - [`protocol`] is pure: bytes in, values out. No I/O, no clock, no framework.
//! - [`services`] are the use cases. Each owns its errors and declares the ports it needs.
//! - [`adapters`] translate: HTTP, the command line, storage, keys on disk, the system clock.
//!
//! [`verify`] is the verifier as a library, for programs that link this crate.
//!
//! `app` alone knows all of them and wires one into the other.
//! `ARCHITECTURE.md` tells the life of a signature through these rooms.

pub mod adapters;
pub mod app;
pub mod config;
pub mod protocol;
pub mod services;
pub mod verify;
