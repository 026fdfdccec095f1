//! Entry kinds of Rekor v1 and v2.
//!
//! Each version of a kind is one file. It defines the request format, the signature verification, the
//! canonical body that is logged (RFC 8785), and what a logged body binds when a bundle is verified.
//! [`KINDS`] is the only list of kinds.

mod binding;
mod search;
pub(crate) mod v1;
pub(crate) mod v2;
mod verifier;

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::json::{self, LocatedError};

pub(crate) use binding::{BindingError, ClaimedContent, EntryBinding, EntryClaim};
#[cfg(feature = "testing")]
pub use search::MAX_TERMS;
pub(crate) use search::NotADigestQuery;
pub use search::SearchTerm;
pub use v2::{UnverifiedEntry, UnverifiedHashedRekord};
pub use verifier::RawVerifier;

/// Maximum size of a canonical body, in bytes: entry bundles have 16-bit lengths (C2SP tlog-tiles).
pub const MAX_BODY: usize = 65_535;

/// One version of an entry kind.
pub(crate) struct EntryKind {
    /// `kind` of the body.
    pub(crate) name: &'static str,
    /// `apiVersion` of the body.
    pub(crate) version: &'static str,
    /// Parses the `spec` of a proposed entry. `None` for the kinds of Rekor v2, whose requests are
    /// members of [`v2::CreateEntryRequest`].
    parse_proposal: Option<ParseProposal>,
    /// Parses a logged body. `None` for kinds that bundles cannot contain.
    parse_logged: Option<ParseLogged>,
}

type ParseProposal = fn(&[u8]) -> Result<Arc<dyn v1::Proposal>, LocatedError>;
type ParseLogged = fn(&[u8]) -> Option<EntryBinding>;

pub(crate) static KINDS: [EntryKind; 8] = [
    v1::hashedrekord::KIND,
    v1::dsse::KIND,
    v1::intoto_v001::KIND,
    v1::intoto_v002::KIND,
    v1::rekord::KIND,
    v1::rfc3161::KIND,
    v2::hashedrekord::KIND,
    v2::dsse::KIND,
];

impl EntryKind {
    pub(crate) fn find(name: &str, version: &str) -> Option<&'static Self> {
        KINDS
            .iter()
            .find(|kind| kind.name == name && kind.version == version)
    }

    /// Kinds that a Rekor v1 log accepts.
    fn accepted_by_v1() -> impl Iterator<Item = &'static Self> {
        KINDS.iter().filter(|kind| kind.parse_proposal.is_some())
    }

    /// Whether the kind belongs to Rekor v2, whose logs have no shards.
    pub(crate) const fn is_v2(&self) -> bool {
        self.parse_proposal.is_none()
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// Parses a logged body of the given kind and version.
///
/// # Errors
/// [`BindingError::Kind`] or [`BindingError::Malformed`]
pub(crate) fn parse_logged(
    name: &str,
    version: &str,
    body: &[u8],
) -> Result<EntryBinding, BindingError> {
    let kind = EntryKind::find(name, version).ok_or(BindingError::Kind)?;
    let parse = kind.parse_logged.ok_or(BindingError::Kind)?;
    parse(body).ok_or(BindingError::Malformed)
}

/// Parses the `spec` of a logged body, whose `kind` and `apiVersion` must match `kind`.
fn logged_spec<T: DeserializeOwned>(kind: &EntryKind, body: &[u8]) -> Option<T> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Body<T> {
        api_version: String,
        kind: String,
        spec: T,
    }
    let body: Body<T> = json::from_slice(body).ok()?;
    (body.kind == kind.name && body.api_version == kind.version).then_some(body.spec)
}
