//! The certificate authority. It certifies a verified identity and a proven key, and returns no
//! certificate before its precertificate is in the certificate log.

mod possession;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tracing::info;

use crate::classify::{Classify, ErrorClass};
use crate::protocol::time::{Clock, UnixTime, Validity};
use crate::protocol::x509::Certificate;
use crate::protocol::x509::profile::{
    CertificateIssuer, Principal, ProfileError, SerialNumber, TokenSubjectError,
    UnsignedCertificate, signing_certificate,
};
use crate::protocol::x509::request::ProvenKey;
use crate::protocol::x509::sct::PrecertEntry;
use crate::services::authority::Authority;
use crate::services::ctlog::{CtLog, CtSubmitError, Precertificate, Promise};
use crate::services::oidc::VerifiedIdentity;
use crate::services::random::{NoRandomness, Rng};

pub(crate) use possession::{KeyRequest, KeyRequestError};

/// How long before issuance a certificate's validity begins. gitsign accepts a timestamp only if its
/// whole accuracy interval, one second, is within the validity.
const HEAD_START: Duration = Duration::from_secs(2);

/// Issues signing certificates.
pub(crate) struct CertificateAuthority {
    authority: Authority,
    issuer: CertificateIssuer,
    log: Arc<CtLog>,
    clock: Arc<dyn Clock>,
    rng: Rng,
    lifetime: Duration,
    chain_pem: Vec<String>,
    issued: Arc<AtomicU64>,
}

/// An issued certificate, which is in the log.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub certificate: Certificate,
}

/// Error issuing a certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IssueError {
    /// An identity that no certificate can contain
    #[error(transparent)]
    Identity(#[from] TokenSubjectError),
    /// A key that is not accepted, or no proof of possession
    #[error(transparent)]
    Request(#[from] KeyRequestError),
    #[error("the certificate would not be within the authority's validity, {0}")]
    OutsideAuthority(Validity),
    #[error(transparent)]
    Random(#[from] NoRandomness),
    #[error(transparent)]
    Profile(#[from] ProfileError),
    #[error("the precertificate could not be submitted to the certificate log")]
    Log(#[source] CtSubmitError),
}

impl Classify for IssueError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Identity(_) | Self::Request(_) => ErrorClass::Invalid,
            Self::Log(error) => error.class(),
            Self::OutsideAuthority(_) | Self::Random(_) | Self::Profile(_) => ErrorClass::Internal,
        }
    }
}

impl CertificateAuthority {
    /// `lifetime` is the validity of issued certificates.
    ///
    /// # Errors
    /// The issuing certificate lacks a subject key identifier.
    pub(crate) fn new(
        authority: Authority,
        log: Arc<CtLog>,
        clock: Arc<dyn Clock>,
        rng: Rng,
        lifetime: Duration,
    ) -> Result<Self, ProfileError> {
        let issuing = authority.chain().first();
        Ok(Self {
            issuer: CertificateIssuer::of(issuing.expect("an authority has a certificate"))?,
            chain_pem: authority.chain().iter().map(Certificate::to_pem).collect(),
            authority,
            log,
            clock,
            rng,
            lifetime,
            issued: Arc::default(),
        })
    }

    /// Number of certificates issued since the start.
    pub(crate) const fn issued(&self) -> &Arc<AtomicU64> {
        &self.issued
    }

    /// The issuing certificate first, the root last.
    #[cfg(test)]
    pub(crate) fn chain(&self) -> &[Certificate] {
        self.authority.chain()
    }

    /// The chain in PEM, one block each.
    pub(crate) fn chain_pem(&self) -> &[String] {
        &self.chain_pem
    }

    /// Whether the authority's own certificates allow a certificate to be issued now.
    ///
    /// # Errors
    /// [`IssueError::OutsideAuthority`]
    pub(crate) fn check_validity(&self, now: UnixTime) -> Result<(), IssueError> {
        self.leaf_validity(now).map(|_| ())
    }

    /// Issues a certificate for a verified identity and its key.
    ///
    /// # Errors
    /// See [`IssueError`].
    pub(crate) async fn issue(
        &self,
        identity: &VerifiedIdentity,
        request: &KeyRequest,
    ) -> Result<Issued, IssueError> {
        let principal = Principal::new(
            identity.issuer(),
            identity.subject(),
            identity.token_subject(),
        )?;
        let challenges: Vec<&str> = identity.challenges().collect();
        let key = request.verify(&challenges)?;
        self.certify(principal, &key).await
    }

    /// Issues a certificate after the checks of identity and key.
    async fn certify(
        &self,
        principal: Principal<'_>,
        key: &ProvenKey,
    ) -> Result<Issued, IssueError> {
        let validity = self.leaf_validity(self.clock.now())?;
        let unsigned = signing_certificate(
            principal,
            key.public_key(),
            &self.issuer,
            SerialNumber::from_random(self.rng.bytes()?),
            validity,
        )?;
        let promise = self.enter(&unsigned).await?;
        let certificate = unsigned
            .with_scts(std::slice::from_ref(&promise.sct))?
            .sign_certificate(self.authority.key())?;
        self.issued.fetch_add(1, Ordering::Relaxed);
        info!(
            cert.serial = %hex::encode(certificate.serial()),
            leaf.index = promise.leaf_index,
            identity.issuer = %principal.issuer(),
            "certificate.issued"
        );
        Ok(Issued { certificate })
    }

    /// Signs the precertificate and submits it to the log.
    async fn enter(&self, unsigned: &UnsignedCertificate) -> Result<Promise, IssueError> {
        let precertificate = unsigned.with_poison()?.sign(self.authority.key())?;
        let entry = PrecertEntry {
            issuer_key_hash: self.authority.key().public_key().fingerprint(),
            tbs: unsigned.tbs().to_vec(),
        };
        let precertificate = Precertificate {
            der: &precertificate,
            entry: &entry,
            chain: self.authority.chain(),
        };
        self.log.add(precertificate).await.map_err(IssueError::Log)
    }

    fn leaf_validity(&self, now: UnixTime) -> Result<Validity, IssueError> {
        let now = now.floor_to_second();
        let end = now.after(self.lifetime);
        let authority = self.authority.validity();
        if !authority.contains(now) || !authority.contains(end) {
            return Err(IssueError::OutsideAuthority(authority));
        }
        Ok(Validity {
            start: now.before(HEAD_START).max(authority.start),
            end: Some(end),
        })
    }
}

#[cfg(test)]
mod tests;
