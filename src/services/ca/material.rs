//! The authority's certificates and its issuing key, checked together before anything is issued.

use zeroize::Zeroizing;

use crate::protocol::keys::{KeyAlgorithm, SigningKey, SigningKeyError};
use crate::protocol::time::UnixTime;
use crate::protocol::x509::profile::{
    AuthorityName, AuthorityNameError, AuthorityProfile, Issuer, Lifetime, ProfileError,
    SerialNumber, authority_certificate,
};
use crate::protocol::x509::{Certificate, Purpose, extensions};

/// A certificate authority that may issue: every check of [`CaMaterial::new`] has passed.
#[derive(Debug)]
pub struct CaMaterial {
    /// The issuing certificate first, the root last.
    chain: Vec<Certificate>,
    key: SigningKey,
    issuer: Issuer,
}

/// Why certificates and key do not make an authority.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// There is no certificate at all
    #[error("the authority has no certificate")]
    NoCertificate,
    /// The key belongs to another certificate
    #[error("the authority's key does not belong to its issuing certificate")]
    KeyMismatch,
    /// Clients refuse authorities with such a key
    #[error("the authority's key is an {} key: use ECDSA P-256, P-384 or RSA", .0.name())]
    KeyKind(KeyAlgorithm),
    /// A certificate of the chain is not signed by the one above it, the root by itself
    #[error("certificate {0} of the authority's chain is not issued by the one above it")]
    BrokenChain(usize),
    /// A certificate of the chain may not issue certificates
    #[error("certificate {0} of the authority's chain may not issue certificates: {1}")]
    NotAnAuthority(usize, &'static str),
    /// The validity of the chain ends before it begins
    #[error("the authority's certificates are never valid at the same time")]
    NeverValid,
    /// A generated authority needs names
    #[error(transparent)]
    Name(#[from] AuthorityNameError),
    /// A key could not be made
    #[error(transparent)]
    Key(#[from] SigningKeyError),
    /// A certificate could not be made
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

/// A new authority as it goes to disk.
pub struct GeneratedCa {
    /// The root certificate, P-384.
    pub root: Certificate,
    /// The root's key in PKCS#8. Nothing here needs it again; it may be kept elsewhere.
    pub root_key: Zeroizing<Vec<u8>>,
    /// The issuing certificate, P-256.
    pub intermediate: Certificate,
    /// The issuing key in PKCS#8.
    pub key: Zeroizing<Vec<u8>>,
}

impl CaMaterial {
    /// Takes an authority: `chain` from the issuing certificate to the self-signed root, which may
    /// be the same, and the issuing certificate's key.
    ///
    /// # Errors
    /// See [`MaterialError`].
    pub fn new(chain: Vec<Certificate>, key: SigningKey) -> Result<Self, MaterialError> {
        let issuing = chain.first().ok_or(MaterialError::NoCertificate)?;
        if issuing.public_key() != key.public_key() {
            return Err(MaterialError::KeyMismatch);
        }
        check_chain(&chain)?;
        let issuer = Issuer::of(issuing)?;
        let material = Self { chain, key, issuer };
        let window = material.validity();
        if window.not_after < window.not_before {
            return Err(MaterialError::NeverValid);
        }
        Ok(material)
    }

    /// Makes a new authority: a root, and an intermediate for code signing that ends with it.
    /// The serials must be random.
    ///
    /// # Errors
    /// Names that no authority bears, or no randomness.
    pub fn generate(
        organization: &str,
        common_name: &str,
        now: UnixTime,
        serials: [SerialNumber; 2],
    ) -> Result<GeneratedCa, MaterialError> {
        let lifetime = Lifetime::of_new_authority(now);
        let [root_serial, serial] = serials;
        let (root_key, root_pkcs8) = SigningKey::generate(KeyAlgorithm::P384)?;
        let root = authority_certificate(&AuthorityProfile {
            subject: &AuthorityName::new(organization, common_name)?,
            key: root_key.public_key(),
            issuer: None,
            purpose: None,
            path_length: None,
            serial: root_serial,
            lifetime,
        })?
        .sign_certificate(&root_key)?;
        let (key, pkcs8) = SigningKey::generate(KeyAlgorithm::P256)?;
        let below = format!("{common_name} intermediate");
        let intermediate = authority_certificate(&AuthorityProfile {
            subject: &AuthorityName::new(organization, &below)?,
            key: key.public_key(),
            issuer: Some(&Issuer::of(&root)?),
            purpose: Some(Purpose::CodeSigning),
            path_length: Some(0),
            serial,
            lifetime,
        })?
        .sign_certificate(&root_key)?;
        Ok(GeneratedCa {
            root,
            root_key: root_pkcs8,
            intermediate,
            key: pkcs8,
        })
    }

    /// The issuing certificate first, the root last: what follows a leaf, and what trust roots list.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    pub(super) const fn key(&self) -> &SigningKey {
        &self.key
    }

    pub(super) const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// When every certificate of the chain is valid.
    pub fn validity(&self) -> Lifetime {
        let windows = self.chain.iter().map(Certificate::validity);
        let start = windows.clone().map(|window| window.start).max();
        let end = windows.filter_map(|window| window.end).min();
        Lifetime {
            not_before: start.expect("the constructor refuses an empty chain"),
            not_after: end.expect("every certificate has an end"),
        }
    }
}

impl GeneratedCa {
    /// The certificates in the order that [`CaMaterial::new`] takes.
    pub fn chain(&self) -> Vec<Certificate> {
        vec![self.intermediate.clone(), self.root.clone()]
    }
}

fn check_chain(chain: &[Certificate]) -> Result<(), MaterialError> {
    for (place, certificate) in chain.iter().enumerate() {
        check_authority(place, certificate)?;
        // The root, which is last, stands above itself.
        let above = chain.get(place.saturating_add(1)).unwrap_or(certificate);
        let issued = certificate.issuer_name() == above.subject_name_der()
            && certificate.verify_signed_by(above.public_key()).is_ok();
        if !issued {
            return Err(MaterialError::BrokenChain(place));
        }
    }
    Ok(())
}

/// What clients ask of an authority's certificate (contract §1.5).
fn check_authority(place: usize, certificate: &Certificate) -> Result<(), MaterialError> {
    let refuse = |reason| Err(MaterialError::NotAnAuthority(place, reason));
    let kind = certificate.public_key().algorithm();
    if kind == KeyAlgorithm::Ed25519 {
        return Err(MaterialError::KeyKind(kind));
    }
    let extensions = certificate.extensions();
    if !extensions.is_ca() {
        return refuse("basic constraints do not say CA");
    }
    if extensions
        .path_length()
        .is_some_and(|limit| place > usize::from(limit))
    {
        return refuse("its path length is too short");
    }
    if !extensions
        .key_usage()
        .is_some_and(|usage| usage.key_cert_sign())
    {
        return refuse("key usage lacks keyCertSign");
    }
    let for_signing = extensions
        .extended_key_usage()
        .is_none_or(|usages| usages.purposes.contains(&extensions::CODE_SIGNING));
    if !for_signing {
        return refuse("extended key usage lacks codeSigning");
    }
    if extensions.unprocessed().is_some() {
        return refuse("it has an extension that clients must refuse");
    }
    if certificate.subject_is_empty() {
        return refuse("its subject is empty");
    }
    Ok(())
}
