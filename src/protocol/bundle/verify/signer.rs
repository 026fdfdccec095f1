//! Steps 4 and 5: the certificate chains to a trusted authority at every signing time, and a trusted log
//! promised to publish it.

use super::recorder::CheckRecorder;
use super::time::EstablishedTimes;
use super::well_formed::{ClaimedSigner, WellFormedBundle};
use super::{CheckEvidence, CheckName, Refusal};
use crate::protocol::bundle::TrustedRoot;
use crate::protocol::evidence::{CertificateEvidence, PathEvidence};
use crate::protocol::identity::CertificateIdentity;
use crate::protocol::keys::PublicKey;
use crate::protocol::time::UnixTime;
use crate::protocol::x509::{
    Certificate, PathError, TrustedAuthority, VerifiedPath, VerifiedSct, integer_magnitude,
    verify_path, verify_scts,
};

/// The verified owner of the signing key: certified by a trusted authority, or supplied by the caller.
pub(super) enum ProvenSigner<'a> {
    Certified {
        leaf: &'a Certificate,
        path: PathEvidence,
        scts: Vec<VerifiedSct>,
    },
    Managed {
        key: &'a PublicKey,
    },
}

impl<'a> ProvenSigner<'a> {
    pub(super) fn identify(
        bundle: &'a WellFormedBundle<'_>,
        times: &EstablishedTimes,
        trust: &TrustedRoot,
        recorder: &mut CheckRecorder,
    ) -> Result<Self, Refusal> {
        let leaf = match bundle.claimed() {
            ClaimedSigner::Certified { leaf } => leaf,
            ClaimedSigner::Managed { key } => {
                let detail = "not needed: the caller supplied the signer's key";
                for name in [
                    CheckName::CertificatePath,
                    CheckName::CertificateTransparency,
                ] {
                    recorder.skipped(name, "own-key", detail);
                }
                return Ok(Self::Managed { key });
            }
        };
        let (authority, verified_path) = path_at_every_time(leaf, times, &trust.authorities)?;
        let path = PathEvidence {
            authority: authority.uri.clone(),
            anchor: verified_path.anchor().fingerprint(),
            certificate: leaf.fingerprint(),
        };
        let detail = format!(
            "chains to a trusted authority, certificate {}",
            path.certificate
        );
        recorder.passed(
            CheckName::CertificatePath,
            CheckEvidence::Path(path.clone()),
            detail,
        );
        let scts = verify_scts(leaf, &verified_path, &trust.ct_logs).map_err(Refusal::Sct)?;
        for sct in &scts {
            let detail = format!("promised at {} by log {}", sct.time, sct.log_id.to_hex());
            let evidence = CheckEvidence::Sct(sct.clone());
            recorder.passed(CheckName::CertificateTransparency, evidence, detail);
        }
        Ok(Self::Certified { leaf, path, scts })
    }

    pub(super) fn key(&self) -> &PublicKey {
        match self {
            Self::Certified { leaf, .. } => leaf.public_key(),
            Self::Managed { key } => key,
        }
    }

    /// Returns `None` if the caller supplied the key.
    pub(super) fn into_certificate(self) -> Result<Option<CertificateEvidence>, Refusal> {
        let Self::Certified { leaf, path, scts } = self else {
            return Ok(None);
        };
        let subject = leaf.subject_name().ok_or(Refusal::NoIdentity(
            "subject alternative name of a known form",
        ))?;
        let issuer = leaf
            .oidc_issuer()
            .ok_or(Refusal::NoIdentity("OpenID Connect issuer"))?;
        let claims = leaf.extensions().claims();
        Ok(Some(CertificateEvidence {
            identity: CertificateIdentity {
                issuer: issuer.to_owned(),
                subject: subject.to_string(),
            },
            serial: integer_magnitude(leaf.serial()).to_vec(),
            path,
            claims: claims.map(|(name, text)| (name, text.to_owned())).collect(),
            scts,
        }))
    }
}

/// Finds an authority to which the leaf chains at every signing time, not only at one of them.
fn path_at_every_time<'a>(
    leaf: &Certificate,
    times: &EstablishedTimes,
    authorities: &'a [TrustedAuthority],
) -> Result<(&'a TrustedAuthority, VerifiedPath), Refusal> {
    let mut refusal: Option<Refusal> = None;
    for authority in authorities {
        match path_by(leaf, times, authority) {
            Ok(path) => return Ok((authority, path)),
            // Prefer the error of an authority that did issue the leaf.
            Err((at, reason)) => {
                if refusal.is_none() || reason != PathError::NotIssued {
                    refusal = Some(Refusal::Path { at, reason });
                }
            }
        }
    }
    let at = times.iter().next().expect("times are never empty");
    Err(refusal.unwrap_or(Refusal::Path {
        at,
        reason: PathError::NotIssued,
    }))
}

fn path_by(
    leaf: &Certificate,
    times: &EstablishedTimes,
    authority: &TrustedAuthority,
) -> Result<VerifiedPath, (UnixTime, PathError)> {
    let mut path = None;
    for at in times.iter() {
        path = Some(verify_path(leaf, authority, at).map_err(|reason| (at, reason))?);
    }
    Ok(path.expect("times are never empty"))
}
