//! The error of reading or verifying a timestamp response.

use crate::protocol::der::MalformedDer;
use crate::protocol::time::UnixTime;
use crate::protocol::x509::PathError;

/// The longest response that is read, in bytes. One with a long chain of RSA certificates has
/// about 8 KiB.
pub(crate) const MAX_RESPONSE: usize = 32 * 1024;

/// Why a timestamp response was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// More bytes than any response has
    #[error("the timestamp response has {0} bytes; the limit is {MAX_RESPONSE}")]
    TooLarge(usize),
    /// Not one DER TimeStampResp with a token
    #[error("not a valid timestamp response")]
    Malformed,
    /// A status other than granted
    #[error("the timestamp authority did not grant a token")]
    NotGranted,
    /// More signers than the authority
    #[error("the timestamp token has more than one signer")]
    SeveralSigners,
    /// The signature is not over attributes (RFC 5652 §11 requires them for this content)
    #[error("the timestamp token has no signed attributes")]
    NoSignedAttributes,
    /// The signed content type is missing or another
    #[error("the timestamp token's signed content type is not TSTInfo")]
    ContentType,
    /// A hash or signature algorithm that is not accepted, or two that disagree
    #[error("the timestamp token uses algorithms that are not accepted")]
    Algorithm,
    /// The imprint's hash is unknown or too weak, or the digest has the wrong length
    #[error("the timestamp's imprint is not made with SHA-256, SHA-384 or SHA-512")]
    WeakImprint,
    /// The token is over other bytes
    #[error("the timestamp is over other bytes than these")]
    Imprint,
    /// The nonce is not the one that was sent
    #[error("the timestamp does not repeat the nonce of the request")]
    Nonce,
    /// An extension of the statement that must be understood
    #[error("the timestamp has a critical extension that is not known here")]
    CriticalExtension,
    /// No signed attribute names the signer's certificate (RFC 5816 §2.2.1)
    #[error("the timestamp token does not name its signer's certificate")]
    NoSigningCertificate,
    /// The certificate named is neither listed by an authority nor in the token, or it is named
    /// in two ways that disagree
    #[error("the certificate that the timestamp token names as its signer's was not found")]
    SignerNotFound,
    /// The signed digest is not the statement's
    #[error("the timestamp token's signed digest is not that of its content")]
    MessageDigest,
    /// The signature does not hold
    #[error("the timestamp token's signature does not hold")]
    Signature,
    /// The signer is not one of the authorities'
    #[error("no trusted timestamp authority made this timestamp")]
    UnknownAuthority,
    /// Its authority is not trusted at that moment
    #[error("the timestamp authority {uri} is not trusted at {time}")]
    OutsideWindow {
        /// Which authority.
        uri: String,
        /// genTime
        time: UnixTime,
    },
    /// The signer's certificate does not lead to the authority
    #[error("the timestamp signer's certificate is refused: {0}")]
    Path(#[from] PathError),
}

impl From<MalformedDer> for TimestampError {
    fn from(_: MalformedDer) -> Self {
        Self::Malformed
    }
}
