//! Is this a token by an authority that is trusted, over these bytes, for that moment?

use super::signed_data::UnverifiedToken;
use super::tst_info::TstInfo;
use super::{MAX_RESPONSE, TimestampError, TimestampRequest};
use crate::protocol::hash::{Digest, Sha256};
use crate::protocol::time::{UnixTime, Validity};
use crate::protocol::x509::{Certificate, PathError, Purpose, verify_chain};

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
