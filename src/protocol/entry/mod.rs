//! Entries of the signature log: from a submission to the canonical bytes that are hashed and
//! served (RFC 8785), in the dialects of Rekor v2 and, under [`v1`], of Rekor v1. Pure: no I/O, no
//! clock.

mod hashedrekord;
mod search;
pub mod v1;

pub use hashedrekord::{
    BodyError, EntryError, HashedRekord, MAX_BODY, RawVerifier, UnverifiedHashedRekord,
};
pub use search::{MAX_TERMS, NoHash, SearchTerm, TooManyTerms};
