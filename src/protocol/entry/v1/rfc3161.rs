//! rfc3161 0.0.1: a timestamp response, logged as it is.

use serde::{Deserialize, Serialize};

use super::super::search::{SearchTerm, SearchTerms};
use super::{EntryError, body};
use crate::protocol::bytes::{Base64, Sha256};
use crate::protocol::tsp::verify_carried;

/// The longest response that is logged, in bytes.
pub(super) const MAX_TIMESTAMP: usize = 10 * 1024;

/// The spec as it is proposed, and as it is logged.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rfc3161 {
    tsr: Response,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Response {
    content: Base64,
}

impl Rfc3161 {
    pub(super) fn admit(&self, terms: &mut SearchTerms) -> Result<Vec<u8>, EntryError> {
        let body = self.canonical_body()?;
        let _valid = verify_carried(&self.tsr.content.0)?;
        terms.add(SearchTerm::sha256(&Sha256::of(&self.tsr.content.0)))?;
        Ok(body)
    }

    pub(super) fn canonical_body(&self) -> Result<Vec<u8>, EntryError> {
        let length = self.tsr.content.0.len();
        if length > MAX_TIMESTAMP {
            return Err(EntryError::TimestampLength(length));
        }
        body::write("rfc3161", "0.0.1", self)
    }
}
