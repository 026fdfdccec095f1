//! The entry kinds of Rekor v1: what a client proposes, the check of every signature in it, and the
//! canonical body that is logged. Pure: no I/O, no clock.
//!
//! A kind is a file. It reads its `spec` strictly, verifies, and writes what stays of it; members
//! that a client sends and the log does not keep, such as a payload, end there.

mod body;
mod dsse;
mod envelope;
mod error;
mod hash;
mod hashedrekord;
mod intoto_v001;
mod intoto_v002;
mod minisign;
mod names;
mod pgp;
mod pki;
mod proposal;
mod rekord;
mod rfc3161;
mod ssh;
mod statement;
mod verifier;

pub(crate) use error::{EntryError, ProposalError};
pub(crate) use pki::{PkiError, PkiFormat};

use super::search::{SearchTerm, SearchTerms, TooManyTerms};
use dsse::Dsse;
use hashedrekord::HashedRekord;
use intoto_v001::IntotoV001;
use intoto_v002::IntotoV002;
use rekord::Rekord;
use rfc3161::Rfc3161;

/// What a client proposes; nothing of it was verified.
#[derive(Clone, Debug)]
pub struct ProposedEntry(Proposal);

/// The kinds that are offered, each with its version.
#[derive(Clone, Debug)]
enum Proposal {
    HashedRekord(HashedRekord),
    Dsse(Dsse),
    IntotoV001(IntotoV001),
    IntotoV002(IntotoV002),
    Rekord(Rekord),
    Rfc3161(Rfc3161),
}

/// An entry whose signatures were verified, in canonical form.
#[derive(Clone, Debug)]
pub struct AdmittedEntry {
    body: Vec<u8>,
    search_terms: Vec<SearchTerm>,
}

impl ProposedEntry {
    /// Reads the JSON of one proposed entry: `apiVersion`, `kind` and the kind's own `spec`.
    ///
    /// # Errors
    /// A kind or version that is not offered, or a spec of another form than its kind's.
    pub fn parse(json: &[u8]) -> Result<Self, ProposalError> {
        let head = proposal::Head::read(json)?;
        Ok(Self(
            match (head.kind.as_str(), head.api_version.as_str()) {
                ("hashedrekord", "0.0.1") => Proposal::HashedRekord(proposal::read_spec(json)?),
                ("dsse", "0.0.1") => Proposal::Dsse(proposal::read_spec(json)?),
                ("intoto", "0.0.1") => Proposal::IntotoV001(proposal::read_spec(json)?),
                ("intoto", "0.0.2") => Proposal::IntotoV002(proposal::read_spec(json)?),
                ("rekord", "0.0.1") => Proposal::Rekord(proposal::read_spec(json)?),
                ("rfc3161", "0.0.1") => Proposal::Rfc3161(proposal::read_spec(json)?),
                _ => return Err(head.refusal()),
            },
        ))
    }

    /// Verifies every signature and writes the canonical body. Costs as many signature checks as
    /// there are pairs of a signature and a key that could have made it.
    ///
    /// # Errors
    /// See [`EntryError`].
    pub fn admit(&self) -> Result<AdmittedEntry, EntryError> {
        let mut terms = SearchTerms::default();
        let body = match &self.0 {
            Proposal::HashedRekord(entry) => entry.admit(&mut terms)?,
            Proposal::Dsse(entry) => entry.admit(&mut terms)?,
            Proposal::IntotoV001(entry) => entry.admit(&mut terms)?,
            Proposal::IntotoV002(entry) => entry.admit(&mut terms)?,
            Proposal::Rekord(entry) => entry.admit(&mut terms)?,
            Proposal::Rfc3161(entry) => entry.admit(&mut terms)?,
        };
        Ok(AdmittedEntry {
            body,
            search_terms: terms.into_vec(),
        })
    }

    /// The canonical body, whether or not its signatures hold: by it, an entry that is in the log is
    /// found again.
    ///
    /// # Errors
    /// As [`Self::admit`], signatures aside.
    pub fn canonical_body(&self) -> Result<Vec<u8>, EntryError> {
        match &self.0 {
            Proposal::HashedRekord(entry) => entry.canonical_body(),
            Proposal::Dsse(entry) => entry.canonical_body(),
            Proposal::IntotoV001(entry) => entry.canonical_body(),
            Proposal::IntotoV002(entry) => entry.canonical_body(),
            Proposal::Rekord(entry) => entry.canonical_body(),
            Proposal::Rfc3161(entry) => entry.canonical_body(),
        }
    }
}

impl AdmittedEntry {
    /// The canonical body: what is hashed, kept and served.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// What the entry can be found by, each once.
    pub fn search_terms(&self) -> &[SearchTerm] {
        &self.search_terms
    }

    /// Body and search terms, given away.
    pub fn into_parts(self) -> (Vec<u8>, Vec<SearchTerm>) {
        (self.body, self.search_terms)
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
