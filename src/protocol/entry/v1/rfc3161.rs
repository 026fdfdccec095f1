//! rfc3161 0.0.1: a timestamp response, logged unchanged.

use serde::{Deserialize, Serialize};

use super::super::EntryKind;
use super::super::search::{SearchTerm, SearchTerms};
use super::spec::write_body;
use super::{Proposal, V1EntryError, parse_spec};
use crate::protocol::bytes::Base64;
use crate::protocol::hash::Sha256;
use crate::protocol::tsp::verify_with_embedded_certificate;

pub(in super::super) const KIND: EntryKind = EntryKind {
    name: "rfc3161",
    version: "0.0.1",
    parse_proposal: Some(parse_spec::<Rfc3161V001>),
    parse_logged: None,
};

/// Maximum size of a timestamp response, in bytes.
pub(super) const MAX_TIMESTAMP: usize = 10 * 1024;

/// The spec, which is the same in proposed and logged entries.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rfc3161V001 {
    tsr: Response,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Response {
    content: Base64,
}

impl Proposal for Rfc3161V001 {
    fn admit(&self, terms: &mut SearchTerms) -> Result<Vec<u8>, V1EntryError> {
        let body = self.canonical_body()?;
        let _valid = verify_with_embedded_certificate(&self.tsr.content.0)?;
        terms.add(SearchTerm::sha256(&Sha256::of(&self.tsr.content.0)))?;
        Ok(body)
    }

    fn canonical_body(&self) -> Result<Vec<u8>, V1EntryError> {
        let length = self.tsr.content.0.len();
        if length > MAX_TIMESTAMP {
            return Err(V1EntryError::TimestampLength(length));
        }
        write_body(&KIND, self)
    }
}
