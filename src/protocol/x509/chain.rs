//! Path validation (RFC 5280 §6.1) from a leaf to one given authority.

use const_oid::ObjectIdentifier;

use super::Certificate;
use super::extensions::{CODE_SIGNING, TIME_STAMPING};
use crate::protocol::time::{UnixTime, Validity};

/// A certificate authority of a trust root.
#[derive(Clone, Debug)]
pub struct TrustedAuthority {
    /// The authority's URI in the trust root.
    pub uri: String,
    /// The intermediates from the leaf upwards, and the root last.
    pub chain: Vec<Certificate>,
    /// When the authority is trusted, whatever its certificates say.
    pub validity: Validity,
}

/// When every certificate of a chain is valid; possibly never.
pub(crate) fn common_validity(chain: &[Certificate]) -> Validity {
    let windows = chain.iter().map(Certificate::validity);
    windows.fold(Validity::ALWAYS, Validity::intersection)
}

/// What a leaf's key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// codeSigning is among the leaf's extended key usages
    CodeSigning,
    /// timeStamping is the leaf's only extended key usage, and critical (RFC 3161 §2.3)
    TimeStamping,
}

/// Evidence that a leaf chains to an authority at one moment, for one purpose.
#[derive(Clone, Debug)]
pub struct VerifiedPath {
    issuer: Certificate,
    above: Vec<Certificate>,
}

impl VerifiedPath {
    /// The certificate that issued the leaf.
    pub const fn issuer(&self) -> &Certificate {
        &self.issuer
    }

    /// The trust anchor, at which the path ends.
    pub fn anchor(&self) -> &Certificate {
        self.above.last().unwrap_or(&self.issuer)
    }

    /// The certificates above the leaf's issuer, the trust anchor last.
    #[cfg(any(test, feature = "testing"))]
    pub fn above(&self) -> &[Certificate] {
        &self.above
    }
}

/// Why a leaf does not chain to an authority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("the certificate was not issued by this authority")]
    NotIssued,
    #[error("the authority is not trusted at {0}")]
    AuthorityWindow(UnixTime),
    #[error("certificate {subject} is not valid at {at}")]
    OutsideValidity { subject: PathMember, at: UnixTime },
    #[error("the leaf is a certificate authority's certificate")]
    LeafIsAuthority,
    #[error("the leaf's key usage does not include digitalSignature")]
    KeyUsage,
    #[error("the extended key usage of certificate {0} does not allow this purpose")]
    ExtendedKeyUsage(PathMember),
    /// No CA, or no keyCertSign
    #[error("certificate {0} may not issue certificates")]
    NotAnAuthority(PathMember),
    #[error("certificate {0} allows fewer intermediates below it")]
    PathLength(PathMember),
    #[error("certificate {0} has extension {1}, which is critical and not supported")]
    UnprocessedExtension(PathMember, ObjectIdentifier),
}

/// A position on a path: the leaf is 0, its issuer 1, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathMember(pub usize);

impl std::fmt::Display for PathMember {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of the path", self.0)
    }
}

/// Maximum number of certificates on a path, leaf and anchor included.
const MAX_PATH: usize = 8;

/// Verifies a signing leaf's path to an authority at one moment (RFC 5280 §6.1): signatures, names,
/// the validity of every certificate and of the authority, basic constraints, path length and key
/// usages. Every critical extension must be supported.
///
/// # Errors
/// Why the leaf does not chain to the authority.
pub fn verify_path(
    leaf: &Certificate,
    authority: &TrustedAuthority,
    at: UnixTime,
) -> Result<VerifiedPath, PathError> {
    if !authority.validity.contains(at) {
        return Err(PathError::AuthorityWindow(at));
    }
    verify_chain(leaf, &authority.chain, at, Purpose::CodeSigning)
}

/// Verifies a leaf's path to the last certificate of `authority`, the trust anchor. The others are
/// possible intermediates in any order; the leaf itself may be among them.
///
/// # Errors
/// Why the leaf does not chain to the anchor.
pub(crate) fn verify_chain(
    leaf: &Certificate,
    authority: &[Certificate],
    at: UnixTime,
    purpose: Purpose,
) -> Result<VerifiedPath, PathError> {
    check_leaf(leaf, at, purpose)?;
    let search = Search {
        authority,
        anchor: authority.last().ok_or(PathError::NotIssued)?,
        at,
        purpose,
    };
    let mut path = vec![leaf];
    search.extend(&mut path)?;
    let mut above = path.into_iter().skip(1).cloned();
    let issuer = above.next().ok_or(PathError::NotIssued)?;
    Ok(VerifiedPath {
        issuer,
        above: above.collect(),
    })
}

fn check_leaf(leaf: &Certificate, at: UnixTime, purpose: Purpose) -> Result<(), PathError> {
    let place = PathMember(0);
    check_always(leaf, place, at)?;
    let extensions = leaf.extensions();
    if extensions.is_ca() {
        return Err(PathError::LeafIsAuthority);
    }
    if !extensions
        .key_usage()
        .is_some_and(|usage| usage.digital_signature())
    {
        return Err(PathError::KeyUsage);
    }
    let usages = extensions
        .extended_key_usage()
        .ok_or(PathError::ExtendedKeyUsage(place))?;
    let allowed = match purpose {
        Purpose::CodeSigning => usages.purposes.contains(&CODE_SIGNING),
        // RFC 3161 §2.3: exactly this one, and critical.
        Purpose::TimeStamping => usages.critical && usages.purposes == [TIME_STAMPING],
    };
    if allowed {
        Ok(())
    } else {
        Err(PathError::ExtendedKeyUsage(place))
    }
}

/// The checks of every certificate on a path.
fn check_always(
    certificate: &Certificate,
    place: PathMember,
    at: UnixTime,
) -> Result<(), PathError> {
    if !certificate.validity().contains(at) {
        return Err(PathError::OutsideValidity { subject: place, at });
    }
    match certificate.extensions().unprocessed() {
        Some(id) => Err(PathError::UnprocessedExtension(place, id)),
        None => Ok(()),
    }
}

struct Search<'a> {
    authority: &'a [Certificate],
    anchor: &'a Certificate,
    at: UnixTime,
    purpose: Purpose,
}

impl<'a> Search<'a> {
    /// Extends the path until it ends at the anchor. Two authorities may have the same name, so every
    /// certificate that fits is tried; the last error that says more than `NotIssued` is returned.
    fn extend(&self, path: &mut Vec<&'a Certificate>) -> Result<(), PathError> {
        let mut refusal = PathError::NotIssued;
        let Some(last) = path.last().copied() else {
            return Err(refusal);
        };
        if path.len() >= MAX_PATH {
            return Err(refusal);
        }
        for candidate in self.authority {
            let fits = candidate.subject_name_der() == last.issuer_name()
                && !candidate.subject_is_empty()
                && !path.contains(&candidate)
                && last.verify_signed_by(candidate.public_key()).is_ok();
            if !fits {
                continue;
            }
            match self.step(candidate, path) {
                Ok(()) => return Ok(()),
                Err(PathError::NotIssued) => {}
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    fn step(
        &self,
        issuer: &'a Certificate,
        path: &mut Vec<&'a Certificate>,
    ) -> Result<(), PathError> {
        self.check_issuer(issuer, path)?;
        path.push(issuer);
        if issuer == self.anchor {
            return Ok(());
        }
        let result = self.extend(path);
        if result.is_err() {
            path.pop();
        }
        result
    }

    /// Whether this certificate may issue the last one on the path (RFC 5280 §6.1.4).
    fn check_issuer(&self, issuer: &Certificate, path: &[&Certificate]) -> Result<(), PathError> {
        let place = PathMember(path.len());
        check_always(issuer, place, self.at)?;
        let extensions = issuer.extensions();
        let may_sign = extensions
            .key_usage()
            .is_none_or(|usage| usage.key_cert_sign());
        if !extensions.is_ca() || !may_sign {
            return Err(PathError::NotAnAuthority(place));
        }
        // RFC 5280 §4.2.1.9: self-issued certificates and the leaf do not count.
        let below = path
            .iter()
            .skip(1)
            .filter(|certificate| !certificate.is_self_issued())
            .count();
        if extensions
            .path_length()
            .is_some_and(|limit| below > usize::from(limit))
        {
            return Err(PathError::PathLength(place));
        }
        let wanted = match self.purpose {
            Purpose::CodeSigning => CODE_SIGNING,
            Purpose::TimeStamping => TIME_STAMPING,
        };
        let purpose_allowed = extensions.extended_key_usage().is_none_or(|usages| {
            usages.purposes.contains(&wanted) || usages.purposes.contains(&ANY_PURPOSE)
        });
        if purpose_allowed {
            Ok(())
        } else {
            Err(PathError::ExtendedKeyUsage(place))
        }
    }
}

const ANY_PURPOSE: ObjectIdentifier = const_oid::db::rfc5280::ANY_EXTENDED_KEY_USAGE;

#[cfg(test)]
mod tests;
