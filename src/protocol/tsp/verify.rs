//! Is this a token by an authority that is trusted, over these bytes, for that moment?

use super::TimestampRequest;
use super::signed_data::UnverifiedToken;
use super::tst_info::TstInfo;
use crate::protocol::bytes::{Digest, Sha256};
use crate::protocol::der::MalformedDer as Malformed;
use crate::protocol::time::{UnixTime, Validity};
use crate::protocol::x509::{Certificate, PathError, Purpose, verify_chain};

/// The longest response that is read, in bytes. One with a long chain of RSA certificates has
/// about 8 KiB.
pub(crate) const MAX_RESPONSE: usize = 32 * 1024;

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
    /// The fingerprint of the key that signed.
    pub key: Sha256,
}

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

impl From<Malformed> for TimestampError {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

/// Verifies a DER TimeStampResp over `signed` (the bytes whose hash it must carry) against the
/// authorities: status granted, imprint, CMS signature and its signed attributes, ESSCertIDv2,
/// path to an authority, critical timeStamping as the only extended key usage, and genTime within
/// the authority's window and the certificates' validity.
///
/// # Errors
/// See [`TimestampError`].
pub fn verify_response(
    response: &[u8],
    signed: &[u8],
    authorities: &[TrustedTsa],
) -> Result<VerifiedTimestamp, TimestampError> {
    let covers = |digest: &Digest| digest.algorithm().digest(signed) == *digest;
    let (verified, _) = verify_token(response, covers, authorities)?;
    Ok(verified)
}

/// Verifies the answer to a request of one's own: as [`verify_response`], and the digest and the
/// nonce, or its absence, are the request's.
///
/// # Errors
/// See [`TimestampError`].
pub fn verify_reply(
    response: &[u8],
    request: &TimestampRequest,
    authorities: &[TrustedTsa],
) -> Result<VerifiedTimestamp, TimestampError> {
    let covers = |digest: &Digest| digest == request.digest();
    let (verified, nonce) = verify_token(response, covers, authorities)?;
    if nonce != request.nonce() {
        return Err(TimestampError::Nonce);
    }
    Ok(verified)
}

fn verify_token<'a>(
    response: &'a [u8],
    covers: impl Fn(&Digest) -> bool,
    authorities: &[TrustedTsa],
) -> Result<(VerifiedTimestamp, Option<&'a [u8]>), TimestampError> {
    if response.len() > MAX_RESPONSE {
        return Err(TimestampError::TooLarge(response.len()));
    }
    let token = UnverifiedToken::parse_response(response)?;
    let statement = TstInfo::parse(token.statement)?;
    let digest = statement
        .digest
        .as_ref()
        .ok_or(TimestampError::WeakImprint)?;
    if !covers(digest) {
        return Err(TimestampError::Imprint);
    }
    if statement.has_critical_extension {
        return Err(TimestampError::CriticalExtension);
    }
    let signer = find_signer(&token, authorities)?;
    let _ = token.signer.verify(signer.public_key(), token.statement)?;
    let authority = find_authority(&signer, authorities, statement.time)?;
    let verified = VerifiedTimestamp {
        time: statement.time,
        authority,
        key: signer.public_key().fingerprint(),
    };
    Ok((verified, statement.nonce))
}

/// The certificate whose hash the signature covers. It may come from a stranger's bag: that it is
/// the one named, and that it leads to an authority, is what makes it the signer's.
pub(super) fn find_signer(
    token: &UnverifiedToken<'_>,
    authorities: &[TrustedTsa],
) -> Result<Certificate, TimestampError> {
    let named = &token.signer.attributes.certificates;
    if named.is_empty() {
        return Err(TimestampError::NoSigningCertificate);
    }
    let listed = authorities
        .iter()
        .flat_map(|authority| &authority.chain)
        .find(|certificate| named.fit_bytes(certificate.der()));
    let signer = match listed {
        Some(certificate) => certificate.clone(),
        None => token
            .certificates
            .iter()
            .find(|der| named.fit_bytes(der))
            .and_then(|der| Certificate::from_der(der).ok())
            .ok_or(TimestampError::SignerNotFound)?,
    };
    if !named.name(&signer) || !token.signer.id.names(&signer) {
        return Err(TimestampError::SignerNotFound);
    }
    Ok(signer)
}

/// The first authority that vouches for the signer at that moment; else the most telling refusal.
fn find_authority(
    signer: &Certificate,
    authorities: &[TrustedTsa],
    time: UnixTime,
) -> Result<usize, TimestampError> {
    let mut refusal = TimestampError::UnknownAuthority;
    for (place, authority) in authorities.iter().enumerate() {
        match vouches(authority, signer, time) {
            Ok(()) => return Ok(place),
            Err(TimestampError::UnknownAuthority) => {}
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

fn vouches(
    authority: &TrustedTsa,
    signer: &Certificate,
    time: UnixTime,
) -> Result<(), TimestampError> {
    // An authority that lists its leaf vouches for this one only: its root may have others.
    let listed_leaf = authority
        .chain
        .first()
        .filter(|first| !first.extensions().is_ca());
    if listed_leaf.is_some_and(|leaf| leaf.der() != signer.der()) {
        return Err(TimestampError::UnknownAuthority);
    }
    match verify_chain(signer, &authority.chain, time, Purpose::TimeStamping) {
        Ok(_) if authority.validity.contains(time) => Ok(()),
        Ok(_) => Err(TimestampError::OutsideWindow {
            uri: authority.uri.clone(),
            time,
        }),
        Err(PathError::NotIssued) => Err(TimestampError::UnknownAuthority),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
