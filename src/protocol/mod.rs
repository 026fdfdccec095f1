//! The pure layer: bytes in, values out. No I/O, no clock, no async, no framework.
//!
//! Parsers consume every byte they are given and never panic; the same input always has the same
//! output. A checked value has a type of its own, so that holding it is the proof of the check.
#![deny(clippy::arithmetic_side_effects)]

pub mod bundle;
pub mod bytes;
pub mod entry;
pub mod identity;
pub mod json;
pub mod keys;
pub mod merkle;
pub mod note;
mod oid;
pub mod origin;
pub mod policy;
pub mod time;
pub mod tsp;
pub mod tuf;
pub mod x509;
