//! Entries of the signature log: from a submission to the canonical bytes that are hashed and
//! served (RFC 8785), in the dialects of Rekor v2 and, under [`v1`], of Rekor v1. Pure: no I/O, no
//! clock.

mod dsse;
pub(crate) mod hashedrekord;
pub(crate) mod search;
pub(crate) mod v1;
mod verifier;

pub(crate) use dsse::Dsse;
pub(crate) use dsse::DsseError;
pub(crate) use dsse::DsseVerifier;
pub(crate) use dsse::UnverifiedDsse;
pub(crate) use hashedrekord::EntryError;
pub(crate) use hashedrekord::HashedRekord;
pub use hashedrekord::UnverifiedHashedRekord;
pub(crate) use search::NoHash;
pub use search::SearchTerm;
pub use verifier::RawVerifier;

/// An entry in the v2 dialect, whose signatures were not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnverifiedEntry {
    /// hashedrekord 0.0.2
    HashedRekord(UnverifiedHashedRekord),
    /// dsse 0.0.2
    Dsse(UnverifiedDsse),
}

/// An entry in the v2 dialect, whose every signature was verified.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// hashedrekord 0.0.2
    HashedRekord(HashedRekord),
    /// dsse 0.0.2
    Dsse(Dsse),
}

impl Entry {
    /// The kind as the log names it; its version is always 0.0.2.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::HashedRekord(_) => "hashedrekord",
            Self::Dsse(_) => "dsse",
        }
    }

    /// The canonical body: what is hashed, kept and served.
    pub(crate) fn into_body(self) -> Vec<u8> {
        match self {
            Self::HashedRekord(entry) => entry.into_body(),
            Self::Dsse(entry) => entry.into_body(),
        }
    }
}

impl From<HashedRekord> for Entry {
    fn from(entry: HashedRekord) -> Self {
        Self::HashedRekord(entry)
    }
}

impl From<Dsse> for Entry {
    fn from(entry: Dsse) -> Self {
        Self::Dsse(entry)
    }
}
