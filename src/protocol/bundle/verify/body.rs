//! Checks that a log entry's body is for the bundle's signature, key and content. That the body is in the
//! log was proved before; `protocol::entry` reads it and knows what it binds.

use super::Refusal;
use super::content::SignedContent;
use super::well_formed::{ClaimedSigner, WellFormedBundle};
use crate::protocol::bundle::LogEntry;
use crate::protocol::entry::{BindingError, ClaimedContent, EntryClaim, RawVerifier, parse_logged};
use crate::protocol::keys::KeyDetails;

/// Checks that the entry is for what the bundle contains. Returns how the log verified the signature, if
/// its entries state it.
pub(super) fn check(
    entry: &LogEntry,
    form: &WellFormedBundle<'_>,
    content: &SignedContent<'_>,
) -> Result<Option<KeyDetails>, Refusal> {
    let claim = EntryClaim {
        signature: form.signature(),
        verifier: match form.claimed() {
            ClaimedSigner::Certified { leaf } => RawVerifier::Certificate(leaf.der().to_vec()),
            ClaimedSigner::Managed { key } => RawVerifier::PublicKey(key.spki_der().to_vec()),
        },
        key: form.claimed().key(),
        content: match content {
            SignedContent::Message { digest } => ClaimedContent::Artifact(digest),
            SignedContent::Envelope {
                envelope, encoding, ..
            } => ClaimedContent::Envelope { envelope, encoding },
        },
    };
    let index = entry.index;
    let (kind, version) = (entry.kind.clone(), entry.version.clone());
    parse_logged(&kind, &version, &entry.body)
        .and_then(|binding| binding.check(&claim))
        .map_err(|error| match error {
            BindingError::Kind => Refusal::Kind { kind, version },
            BindingError::Malformed => Refusal::Body {
                index,
                kind,
                version,
            },
            BindingError::Mismatch(what) => Refusal::OtherEntry { index, what },
        })
}
