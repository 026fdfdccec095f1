//! Signed content: artifacts, identified by their digests, and in-toto statements in DSSE envelopes.

pub(crate) mod artifact;
pub(crate) mod dsse;
pub(crate) mod statement;
