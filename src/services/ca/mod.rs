//! The certificate authority: a verified identity and a proven key become a certificate that the
//! transparency log already holds. Without the log's promise nothing leaves.

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

pub(crate) use possession::{KeyRequest, RequestError};

/// How long before its issuing a certificate begins: more than the accuracy of a timestamp, one
/// second, since gitsign takes a timestamp only if that lies within the certificate's life whole.
const HEAD_START: Duration = Duration::from_secs(2);

/// A port: 20 random bytes for a serial number; none if there is no randomness.
pub(crate) type RandomSerial = fn() -> Option<[u8; 20]>;

/// Issues signing certificates.
pub(crate) struct CertificateAuthority {
    authority: Authority,
    issuer: CertificateIssuer,
    log: Arc<CtLog>,
    clock: Arc<dyn Clock>,
    random_serial: RandomSerial,
    lifetime: Duration,
    chain_pem: Vec<String>,
    issued: Arc<AtomicU64>,
}

/// A certificate that was issued and is in the log.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    /// The certificate.
    pub certificate: Certificate,
}

/// Why no certificate was issued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IssueError {
    /// The identity cannot be written into a certificate
    #[error(transparent)]
    Identity(#[from] TokenSubjectError),
    /// The key was not proven, or is not accepted
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The authority's own certificates do not cover the new certificate's lifetime
    #[error("the authority is valid {0}, which the certificate would exceed")]
    OutsideAuthority(Validity),
    /// The operating system gave no randomness for the serial number
    #[error("there is no randomness for a serial number")]
    NoRandomness,
    /// The certificate could not be made
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The log did not take the precertificate
    #[error("the certificate could not be entered into the transparency log")]
    Log(#[source] CtSubmitError),
}

impl Classify for IssueError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Identity(_) | Self::Request(_) => ErrorClass::Invalid,
            Self::Log(error) => error.class(),
            Self::OutsideAuthority(_) | Self::NoRandomness | Self::Profile(_) => {
                ErrorClass::Internal
            }
        }
    }
}

impl CertificateAuthority {
    /// An authority whose certificates are valid for `lifetime`.
    ///
    /// # Errors
    /// The issuing certificate lacks a subject key identifier.
    pub(crate) fn new(
        authority: Authority,
        log: Arc<CtLog>,
        clock: Arc<dyn Clock>,
        random_serial: RandomSerial,
        lifetime: Duration,
    ) -> Result<Self, ProfileError> {
        let issuing = authority.chain().first();
        Ok(Self {
            issuer: CertificateIssuer::of(issuing.expect("an authority has a certificate"))?,
            chain_pem: authority.chain().iter().map(Certificate::to_pem).collect(),
            authority,
            log,
            clock,
            random_serial,
            lifetime,
            issued: Arc::default(),
        })
    }

    /// How many certificates were issued since the start.
    pub(crate) const fn issued(&self) -> &Arc<AtomicU64> {
        &self.issued
    }

    /// The issuing certificate first, the root last.
    #[cfg(test)]
    pub(crate) fn chain(&self) -> &[Certificate] {
        self.authority.chain()
    }

    /// The same in PEM, one block each.
    pub(crate) fn chain_pem(&self) -> &[String] {
        &self.chain_pem
    }

    /// Whether a certificate could be issued at this moment, as far as the authority's own
    /// certificates are concerned.
    ///
    /// # Errors
    /// [`IssueError::OutsideAuthority`]
    pub(crate) fn check_validity(&self, now: UnixTime) -> Result<(), IssueError> {
        self.leaf_validity(now).map(|_| ())
    }

    /// Issues a certificate for a verified identity and a key it has proven to hold.
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

    /// The part behind the checks of identity and key.
    async fn certify(
        &self,
        principal: Principal<'_>,
        key: &ProvenKey,
    ) -> Result<Issued, IssueError> {
        let validity = self.leaf_validity(self.clock.now())?;
        let serial = (self.random_serial)().ok_or(IssueError::NoRandomness)?;
        let unsigned = signing_certificate(
            principal,
            key.public_key(),
            &self.issuer,
            SerialNumber::from_random(serial),
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

    /// Signs the precertificate and enters it into the log.
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
