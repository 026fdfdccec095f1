//! The pure layer: bytes in, values out. No I/O, no clock, no async, no framework.
//!
//! Parsers consume every byte they are given and never panic; the same input always has the same
//! output. A checked value has a type of its own, so that holding it is the proof of the check.

pub(crate) mod attestation;
pub(crate) mod bundle;
pub(crate) mod bytes;
pub(crate) mod cursor;
pub(crate) mod der;
pub(crate) mod entry;
pub(crate) mod evidence;
pub(crate) mod hash;
pub(crate) mod identity;
pub(crate) mod json;
pub(crate) mod keys;
pub(crate) mod merkle;
pub(crate) mod note;
mod oid;
pub(crate) mod origin;
pub(crate) mod policy;
pub(crate) mod proto_json;
pub(crate) mod time;
pub(crate) mod tsp;
pub(crate) mod tuf;
pub(crate) mod x509;
