//! Verifies timestamp responses against trusted authorities.

use super::signed_data::UnverifiedToken;
use super::tst_info::TstInfo;
use super::{MAX_RESPONSE, TimestampError, TimestampRequest};
use crate::protocol::hash::{Digest, Sha256};
use crate::protocol::keys::SignatureValid;
use crate::protocol::time::{UnixTime, Validity};
use crate::protocol::x509::{Certificate, PathError, Purpose, verify_chain};

/// A timestamp authority of a trust root.
#[derive(Clone, Debug)]
pub struct TrustedTsa {
    /// The authority's URI in the trust root, for error messages.
    pub uri: String,
    /// The signing leaf if the trust root lists it, then intermediates, the root last.
    pub chain: Vec<Certificate>,
    /// When the authority is trusted.
    pub validity: Validity,
}

/// Evidence that a trusted authority issued a timestamp over the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedTimestamp {
    /// The token's genTime.
    pub time: UnixTime,
    /// Index into the authorities that were passed.
    pub authority: usize,
    /// Fingerprint of the signing key.
    pub key: Sha256,
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

/// Verifies the response to `request`: as [`verify_response`], and the digest and the nonce, or its
/// absence, match the request.
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
    let tst_info = TstInfo::parse(token.tst_info)?;
    let digest = tst_info
        .digest
        .as_ref()
        .ok_or(TimestampError::WeakImprint)?;
    if !covers(digest) {
        return Err(TimestampError::Imprint);
    }
    if tst_info.has_critical_extension {
        return Err(TimestampError::CriticalExtension);
    }
    let signer = find_signer_certificate(&token, authorities)?;
    let _ = token.signer.verify(signer.public_key(), token.tst_info)?;
    let authority = find_authority(&signer, authorities, tst_info.time)?;
    let verified = VerifiedTimestamp {
        time: tst_info.time,
        authority,
        key: signer.public_key().fingerprint(),
    };
    Ok((verified, tst_info.nonce))
}

/// Verifies a DER TimeStampResp with the certificate that the token embeds and identifies: status granted,
/// a well-formed TSTInfo, and the CMS signature. Does not check who issued the certificate or whether it
/// may sign timestamps.
///
/// # Errors
/// See [`TimestampError`]. A token without its signer's certificate is an error.
pub(crate) fn verify_with_embedded_certificate(
    response: &[u8],
) -> Result<SignatureValid, TimestampError> {
    if response.len() > MAX_RESPONSE {
        return Err(TimestampError::TooLarge(response.len()));
    }
    let token = UnverifiedToken::parse_response(response)?;
    TstInfo::parse(token.tst_info)?;
    let signer = find_signer_certificate(&token, &[])?;
    token.signer.verify(signer.public_key(), token.tst_info)
}

/// Finds the certificate whose hash the signature covers, in an authority's chain or in the token. A
/// certificate from the token is untrusted: the caller must verify its path to an authority.
fn find_signer_certificate(
    token: &UnverifiedToken<'_>,
    authorities: &[TrustedTsa],
) -> Result<Certificate, TimestampError> {
    let identifiers = &token.signer.attributes.signing_certificates;
    if identifiers.is_empty() {
        return Err(TimestampError::NoSigningCertificate);
    }
    let listed = authorities
        .iter()
        .flat_map(|authority| &authority.chain)
        .find(|certificate| identifiers.hashes_match(certificate.der()));
    let signer = match listed {
        Some(certificate) => certificate.clone(),
        None => token
            .certificates
            .iter()
            .find(|der| identifiers.hashes_match(der))
            .and_then(|der| Certificate::from_der(der).ok())
            .ok_or(TimestampError::SignerNotFound)?,
    };
    if !identifiers.match_certificate(&signer) || !token.signer.id.matches(&signer) {
        return Err(TimestampError::SignerNotFound);
    }
    Ok(signer)
}

/// Returns the index of the first authority that is trusted for the signer at `time`; otherwise the last
/// error that is more specific than `UnknownAuthority`.
fn find_authority(
    signer: &Certificate,
    authorities: &[TrustedTsa],
    time: UnixTime,
) -> Result<usize, TimestampError> {
    let mut failure = TimestampError::UnknownAuthority;
    for (index, authority) in authorities.iter().enumerate() {
        match check_authority(authority, signer, time) {
            Ok(()) => return Ok(index),
            Err(TimestampError::UnknownAuthority) => {}
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn check_authority(
    authority: &TrustedTsa,
    signer: &Certificate,
    time: UnixTime,
) -> Result<(), TimestampError> {
    // An authority that lists its leaf is trusted for this leaf only: its root may have issued others.
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
