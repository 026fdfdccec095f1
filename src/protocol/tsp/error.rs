use crate::protocol::der::MalformedDer;
use crate::protocol::time::UnixTime;
use crate::protocol::x509::PathError;

/// Maximum size of a response, in bytes. A response with a long chain of RSA certificates has about
/// 8 KiB.
pub(crate) const MAX_RESPONSE: usize = 32 * 1024;

/// Error parsing or verifying a timestamp response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    #[error("the timestamp response has {0} bytes; the limit is {MAX_RESPONSE}")]
    TooLarge(usize),
    #[error("not a valid timestamp response")]
    Malformed,
    #[error("the timestamp authority did not grant a token")]
    NotGranted,
    /// RFC 3161 §2.4.2 allows the authority's signature only
    #[error("the timestamp token has more than one signer")]
    SeveralSigners,
    /// Required for any content type but `id-data` (RFC 5652 §5.3)
    #[error("the timestamp token has no signed attributes")]
    NoSignedAttributes,
    /// Missing, or a different type
    #[error("the timestamp token's signed content type is not TSTInfo")]
    ContentType,
    /// Not accepted, or digest and signature algorithm do not match
    #[error("the timestamp token's digest or signature algorithm is not accepted")]
    Algorithm,
    /// Also a digest of the wrong length
    #[error("the timestamp's message imprint is not a SHA-256, SHA-384 or SHA-512 digest")]
    WeakImprint,
    #[error("the timestamp's message imprint is not the digest of the expected bytes")]
    Imprint,
    #[error("the timestamp's nonce does not match the request's")]
    Nonce,
    #[error("the timestamp has a critical extension that is not supported")]
    CriticalExtension,
    /// RFC 5816 §2.2.1 requires it
    #[error("the timestamp token has no signing-certificate attribute")]
    NoSigningCertificate,
    /// Neither in an authority's chain nor in the token, or the token's identifiers disagree
    #[error("the signer's certificate that the timestamp token identifies was not found")]
    SignerNotFound,
    #[error("the timestamp token's messageDigest attribute is not the digest of its TSTInfo")]
    MessageDigest,
    #[error("the timestamp token's signature is invalid")]
    Signature,
    #[error("the timestamp was not issued by a trusted timestamp authority")]
    UnknownAuthority,
    #[error("the timestamp authority {uri} is not trusted at {time}")]
    OutsideWindow {
        uri: String,
        /// The token's genTime
        time: UnixTime,
    },
    #[error("the timestamp signer's certificate was rejected: {0}")]
    Path(#[from] PathError),
}

impl From<MalformedDer> for TimestampError {
    fn from(_: MalformedDer) -> Self {
        Self::Malformed
    }
}
