//! Entries of the signature log: from a submission to the canonical bytes that are hashed and
//! served (the Rekor v2 dialect; RFC 8785). Pure: no I/O, no clock.

mod hashedrekord;

pub use hashedrekord::{
    BodyError, EntryError, HashedRekord, MAX_BODY, RawVerifier, UnverifiedHashedRekord,
};
