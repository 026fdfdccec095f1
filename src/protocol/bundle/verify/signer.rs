//! Steps 4 and 5: at every established moment the certificate is one that a trusted authority
//! vouches for, and it was published.

use super::form::{ClaimedSigner, Form};
use super::time::Times;
use super::trail::{Skip, Trail};
use super::{AuthenticSigner, CertifiedSigner, CheckEvidence, CheckName, Refusal};
use crate::protocol::bundle::TrustedRoot;
use crate::protocol::bytes::Sha256;
use crate::protocol::keys::PublicKey;
use crate::protocol::policy::Identity;
use crate::protocol::time::UnixTime;
use crate::protocol::x509::{
    Certificate, PathError, TrustedAuthority, VerifiedPath, VerifiedSct, verify_path, verify_scts,
};

/// Evidence of who holds the signing key.
pub(super) enum Signer {
    Certified {
        leaf: Certificate,
        authority: String,
        anchor: Sha256,
        scts: Vec<VerifiedSct>,
    },
    Managed {
        key: PublicKey,
    },
}

impl Signer {
    pub(super) fn identify(
        form: &Form<'_>,
        times: &Times,
        trust: &TrustedRoot,
        trail: &mut Trail,
    ) -> Result<Self, Refusal> {
        match form.claimed() {
            ClaimedSigner::Certified { leaf } => {
                let (authority, path) = path_at_every_time(leaf, times, &trust.authorities)?;
                trail_path(leaf, authority, &path, trail);
                let scts = verify_scts(leaf, &path, &trust.ct_logs).map_err(Refusal::Sct)?;
                trail_published(&scts, trail);
                Ok(Self::Certified {
                    leaf: leaf.clone(),
                    authority: authority.uri.clone(),
                    anchor: path.anchor().fingerprint(),
                    scts,
                })
            }
            ClaimedSigner::Managed { key } => {
                let reason = "the caller's own key takes the place of a certificate";
                trail.skipped(CheckName::CertificatePath, Skip::OwnKey, reason);
                trail.skipped(CheckName::CertificateTransparency, Skip::OwnKey, reason);
                Ok(Self::Managed {
                    key: PublicKey::clone(key),
                })
            }
        }
    }

    pub(super) fn key(&self) -> &PublicKey {
        match self {
            Self::Certified { leaf, .. } => leaf.public_key(),
            Self::Managed { key } => key,
        }
    }

    /// Whom the certificate names: a certificate that names nobody has no signer.
    pub(super) fn into_named(self) -> Result<AuthenticSigner, Refusal> {
        match self {
            Self::Certified {
                leaf,
                authority,
                anchor,
                scts,
            } => Ok(AuthenticSigner::Certified(CertifiedSigner {
                identity: identity_of(&leaf)?,
                certificate: leaf,
                authority,
                anchor,
                scts,
            })),
            Self::Managed { key } => Ok(AuthenticSigner::Key(key)),
        }
    }
}

fn trail_path(
    leaf: &Certificate,
    authority: &TrustedAuthority,
    path: &VerifiedPath,
    trail: &mut Trail,
) {
    let evidence = CheckEvidence::Path {
        authority: authority.uri.clone(),
        anchor: path.anchor().fingerprint(),
        certificate: leaf.fingerprint(),
    };
    let detail = format!(
        "chains to a trusted authority, certificate {}",
        leaf.fingerprint()
    );
    trail.passed(CheckName::CertificatePath, evidence, detail);
}

fn trail_published(scts: &[VerifiedSct], trail: &mut Trail) {
    for sct in scts {
        let detail = format!("promised at {} by log {}", sct.time, sct.log_id.to_hex());
        let evidence = CheckEvidence::Published(sct.clone());
        trail.passed(CheckName::CertificateTransparency, evidence, detail);
    }
}

/// One authority must vouch for the leaf at every established moment, not only at one of them.
fn path_at_every_time<'a>(
    leaf: &Certificate,
    times: &Times,
    authorities: &'a [TrustedAuthority],
) -> Result<(&'a TrustedAuthority, VerifiedPath), Refusal> {
    let mut nearest: Option<Refusal> = None;
    for authority in authorities {
        match path_by(leaf, times, authority) {
            Ok(path) => return Ok((authority, path)),
            // An authority that did issue the leaf has the better reason.
            Err((at, reason)) => {
                if nearest.is_none() || reason != PathError::NotIssued {
                    nearest = Some(Refusal::Path { at, reason });
                }
            }
        }
    }
    let at = times.moments().next().unwrap_or(UnixTime::from_millis(0));
    Err(nearest.unwrap_or(Refusal::Path {
        at,
        reason: PathError::NotIssued,
    }))
}

fn path_by(
    leaf: &Certificate,
    times: &Times,
    authority: &TrustedAuthority,
) -> Result<VerifiedPath, (UnixTime, PathError)> {
    let mut path = None;
    for at in times.moments() {
        path = Some(verify_path(leaf, authority, at).map_err(|reason| (at, reason))?);
    }
    Ok(path.expect("times are never empty"))
}

fn identity_of(leaf: &Certificate) -> Result<Identity, Refusal> {
    let subject = leaf.subject_name().ok_or(Refusal::NoIdentity(
        "subject alternative name of a known form",
    ))?;
    let issuer = leaf
        .oidc_issuer()
        .ok_or(Refusal::NoIdentity("OpenID Connect issuer"))?;
    Ok(Identity {
        issuer: issuer.to_owned(),
        subject: subject.to_string(),
    })
}
