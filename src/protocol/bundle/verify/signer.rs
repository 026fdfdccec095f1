//! Steps 4 to 6: at every established moment the certificate is one that a trusted authority
//! vouches for, it was published, and it names whom the policy accepts.

use super::form::{ClaimedSigner, Form};
use super::time::Times;
use super::trail::Trail;
use super::{CheckName, Refusal, VerifiedSigner};
use crate::protocol::bundle::TrustedRoot;
use crate::protocol::keys::PublicKey;
use crate::protocol::policy::{Identity, Permit, Policy};
use crate::protocol::time::UnixTime;
use crate::protocol::x509::{
    Certificate, PathError, TrustedAuthority, VerifiedPath, verify_path, verify_scts,
};

/// Evidence of who holds the signing key.
pub(super) enum Signer {
    Certified { leaf: Certificate, permit: Permit },
    Managed { key: PublicKey },
}

impl Signer {
    pub(super) fn identify(
        form: &Form<'_>,
        times: &Times,
        trust: &TrustedRoot,
        trail: &mut Trail,
    ) -> Result<Self, Refusal> {
        match form.claimed() {
            ClaimedSigner::Certified { leaf, policy } => {
                let path = path_at_every_time(leaf, times, &trust.authorities)?;
                trail.passed(
                    CheckName::CertificatePath,
                    format!(
                        "chains to a trusted authority, certificate {}",
                        leaf.fingerprint()
                    ),
                );
                check_published(leaf, &path, trust, trail)?;
                let permit = permit(leaf, policy)?;
                trail.passed(CheckName::Identity, permit.identity().to_string());
                Ok(Self::Certified {
                    leaf: leaf.clone(),
                    permit,
                })
            }
            ClaimedSigner::Managed { key } => {
                let reason = "the caller's own key takes the place of a certificate";
                trail.skipped(CheckName::CertificatePath, reason);
                trail.skipped(CheckName::CertificateTransparency, reason);
                trail.passed(
                    CheckName::Identity,
                    format!("the caller's key {}", key.fingerprint()),
                );
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

    pub(super) fn into_verified(self) -> VerifiedSigner {
        match self {
            Self::Certified { permit, .. } => VerifiedSigner::Identity(permit.identity().clone()),
            Self::Managed { key } => VerifiedSigner::Key(key),
        }
    }
}

/// One authority must vouch for the leaf at every established moment, not only at one of them.
fn path_at_every_time(
    leaf: &Certificate,
    times: &Times,
    authorities: &[TrustedAuthority],
) -> Result<VerifiedPath, Refusal> {
    let mut nearest: Option<Refusal> = None;
    for authority in authorities {
        match path_by(leaf, times, authority) {
            Ok(path) => return Ok(path),
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

fn check_published(
    leaf: &Certificate,
    path: &VerifiedPath,
    trust: &TrustedRoot,
    trail: &mut Trail,
) -> Result<(), Refusal> {
    let scts = verify_scts(leaf, path, &trust.ct_logs).map_err(Refusal::Sct)?;
    for sct in scts {
        trail.passed(
            CheckName::CertificateTransparency,
            format!("promised at {} by log {}", sct.time, sct.log_id.to_hex()),
        );
    }
    Ok(())
}

fn permit(leaf: &Certificate, policy: &Policy) -> Result<Permit, Refusal> {
    let subject = leaf.subject_name().ok_or(Refusal::NoIdentity(
        "subject alternative name of a known form",
    ))?;
    let issuer = leaf
        .oidc_issuer()
        .ok_or(Refusal::NoIdentity("OpenID Connect issuer"))?;
    let identity = Identity {
        issuer: issuer.to_owned(),
        subject: subject.to_string(),
    };
    policy.permit(identity).map_err(Refusal::Denied)
}
