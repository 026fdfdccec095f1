//! The time-stamp protocol (RFC 3161, RFC 5816). Pure: no I/O, no clock.

use crate::protocol::time::{UnixTime, Validity};
use crate::protocol::x509::Certificate;

/// A timestamp authority of a trust root.
#[derive(Clone, Debug)]
pub struct TrustedTsa {
    /// The authority's name in the trust root, for messages.
    pub uri: String,
    /// The signing leaf if it is listed, intermediates upwards, then the root, which is last.
    pub chain: Vec<Certificate>,
    /// When the authority is trusted.
    pub validity: Validity,
}

/// Evidence that a trusted authority saw the bytes at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedTimestamp {
    /// genTime
    pub time: UnixTime,
    /// Which authority of those given, by its place.
    pub authority: usize,
}

/// Why a timestamp response was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// Not one DER TimeStampResp with a token
    #[error("not a valid timestamp response")]
    Malformed,
}

/// Verifies a DER TimeStampResp over `signed` (the bytes whose hash it must carry) against the
/// authorities: status granted, imprint, CMS signature and its signed attributes, ESSCertIDv2,
/// path to an authority, critical timeStamping as the only extended key usage, and genTime within
/// the authority's window and the certificates' validity.
///
/// # Errors
/// See [`TimestampError`].
pub fn verify_response(
    _response: &[u8],
    _signed: &[u8],
    _authorities: &[TrustedTsa],
) -> Result<VerifiedTimestamp, TimestampError> {
    todo!("tsp")
}
