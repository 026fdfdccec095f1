//! An authority's key and certificate chain, checked together before anything is signed.

use zeroize::Zeroizing;

use super::roster::AuthorityRole;
use crate::protocol::keys::{KeyAlgorithm, SigningKey, SigningKeyError};
use crate::protocol::time::{UnixTime, Validity};
use crate::protocol::x509::profile::{
    AuthorityName, AuthorityNameError, AuthorityProfile, CertificateIssuer, ProfileError,
    SerialNumber, authority_certificate, authority_validity, timestamping_certificate,
};
use crate::protocol::x509::{
    Certificate, PathError, Purpose, common_validity, extensions, verify_chain,
};

/// A key with the chain of its certificate: every check of [`Authority::new`] has passed.
#[derive(Debug)]
pub struct Authority {
    /// The signing certificate first, the root last
    chain: Vec<Certificate>,
    key: SigningKey,
    /// When every certificate of the chain is valid
    validity: Validity,
}

/// Error in an authority's certificates or key.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Timestamp clients need the timestamping certificate and its root
    #[error("the chain has {actual} certificates; it needs at least {least}")]
    ChainTooShort { actual: usize, least: usize },
    #[error("the key does not belong to the first certificate of the chain")]
    KeyMismatch,
    /// Clients reject authorities with such a key
    #[error("the key is an {} key: use ECDSA P-256, P-384 or RSA", .0.name())]
    KeyKind(KeyAlgorithm),
    #[error("certificate {0} of the chain is not issued by the one above it")]
    BrokenChain(usize),
    #[error("certificate {0} of the chain may not issue certificates: {1}")]
    NotAnAuthority(usize, &'static str),
    #[error("the certificates of the chain are never valid at the same time")]
    NeverValid,
    /// The leaf does not chain to the root, or has other purposes than timestamps
    #[error("the chain is not valid for timestamps: {0}")]
    Timestamping(#[from] PathError),
    /// A generated authority needs names
    #[error(transparent)]
    Name(#[from] AuthorityNameError),
    #[error(transparent)]
    NewKey(#[from] SigningKeyError),
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

/// A new authority, to be stored.
pub struct NewAuthority {
    /// The root's key in PKCS#8, P-384. The server does not need it
    pub root_key: Zeroizing<Vec<u8>>,
    /// The signing key in PKCS#8, P-256
    pub key: Zeroizing<Vec<u8>>,
    /// The signing certificate, then the root
    pub chain: Vec<Certificate>,
}

impl Authority {
    /// Checks a chain, the signing certificate first and the root last, and the first certificate's
    /// key. An authority for certificates may be its own root; one for timestamps is a leaf with
    /// critical timeStamping as its only purpose (RFC 3161 §2.3).
    ///
    /// # Errors
    /// See [`AuthorityError`].
    pub fn new(
        role: AuthorityRole,
        chain: Vec<Certificate>,
        key: SigningKey,
    ) -> Result<Self, AuthorityError> {
        let least = match role {
            AuthorityRole::Certificates => 1,
            AuthorityRole::Timestamps => 2,
        };
        let (Some(first), true) = (chain.first(), chain.len() >= least) else {
            let actual = chain.len();
            return Err(AuthorityError::ChainTooShort { actual, least });
        };
        if first.public_key() != key.public_key() {
            return Err(AuthorityError::KeyMismatch);
        }
        let validity = common_validity(&chain);
        if validity.is_empty() {
            return Err(AuthorityError::NeverValid);
        }
        match role {
            AuthorityRole::Certificates => check_issuers(&chain)?,
            AuthorityRole::Timestamps => {
                verify_chain(first, &chain, validity.start, Purpose::TimeStamping)?;
            }
        }
        Ok(Self {
            chain,
            key,
            validity,
        })
    }

    /// Generates a root and a certificate for the role that expires with it. `common_name` is
    /// the root's; the serials must be random.
    ///
    /// # Errors
    /// A name cannot be encoded, or the operating system supplied no randomness.
    pub fn generate(
        role: AuthorityRole,
        organisation: &str,
        common_name: &str,
        now: UnixTime,
        [root_serial, serial]: [SerialNumber; 2],
    ) -> Result<NewAuthority, AuthorityError> {
        let validity = authority_validity(now);
        let (root_key, root_pkcs8) = SigningKey::generate(KeyAlgorithm::P384)?;
        let root = authority_certificate(&AuthorityProfile {
            subject: &AuthorityName::new(organisation, common_name)?,
            key: root_key.public_key(),
            issuer: None,
            purpose: None,
            // The timestamp root certifies no authorities.
            path_length: match role {
                AuthorityRole::Certificates => None,
                AuthorityRole::Timestamps => Some(0),
            },
            serial: root_serial,
            validity,
        })?
        .sign_certificate(&root_key)?;
        let (key, pkcs8) = SigningKey::generate(KeyAlgorithm::P256)?;
        let issuer = CertificateIssuer::of(&root)?;
        let unsigned = match role {
            AuthorityRole::Certificates => {
                let name = format!("{common_name} intermediate");
                authority_certificate(&AuthorityProfile {
                    subject: &AuthorityName::new(organisation, &name)?,
                    key: key.public_key(),
                    issuer: Some(&issuer),
                    purpose: Some(Purpose::CodeSigning),
                    path_length: Some(0),
                    serial,
                    validity,
                })?
            }
            AuthorityRole::Timestamps => {
                let name = AuthorityName::new(organisation, "timestamp authority")?;
                timestamping_certificate(&name, key.public_key(), &issuer, serial, validity)?
            }
        };
        Ok(NewAuthority {
            chain: vec![unsigned.sign_certificate(&root_key)?, root],
            root_key: root_pkcs8,
            key: pkcs8,
        })
    }

    /// The signing certificate first, the root last.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    pub(crate) const fn key(&self) -> &SigningKey {
        &self.key
    }

    /// When every certificate of the chain is valid.
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// The chain and the key.
    pub(crate) fn into_parts(self) -> (Vec<Certificate>, SigningKey) {
        (self.chain, self.key)
    }
}

/// Checks that each certificate is issued by the next, the root by itself, and that clients accept
/// every one as an issuer.
fn check_issuers(chain: &[Certificate]) -> Result<(), AuthorityError> {
    for (depth, certificate) in chain.iter().enumerate() {
        check_issuer(depth, certificate)?;
        let above = chain.get(depth + 1).unwrap_or(certificate);
        let is_issued = certificate.issuer_name() == above.subject_name_der()
            && certificate.verify_signed_by(above.public_key()).is_ok();
        if !is_issued {
            return Err(AuthorityError::BrokenChain(depth));
        }
    }
    Ok(())
}

/// What clients demand of an issuer's certificate (RFC 5280 §6.1.4; sigstore-go and Fulcio also reject
/// Ed25519 and other purposes than code signing).
fn check_issuer(depth: usize, certificate: &Certificate) -> Result<(), AuthorityError> {
    let refuse = |reason| Err(AuthorityError::NotAnAuthority(depth, reason));
    let kind = certificate.public_key().algorithm();
    if kind == KeyAlgorithm::Ed25519 {
        return Err(AuthorityError::KeyKind(kind));
    }
    let extensions = certificate.extensions();
    if !extensions.is_ca() {
        return refuse("its basic constraints do not say CA");
    }
    if extensions
        .path_length()
        .is_some_and(|limit| depth > usize::from(limit))
    {
        return refuse("its path length is too short");
    }
    if !extensions
        .key_usage()
        .is_some_and(|usage| usage.key_cert_sign())
    {
        return refuse("its key usage lacks keyCertSign");
    }
    let may_sign_code = extensions
        .extended_key_usage()
        .is_none_or(|usages| usages.purposes.contains(&extensions::CODE_SIGNING));
    if !may_sign_code {
        return refuse("its extended key usage lacks codeSigning");
    }
    if extensions.unprocessed().is_some() {
        return refuse("it has a critical extension that clients must reject");
    }
    if certificate.subject_is_empty() {
        return refuse("its subject is empty");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
