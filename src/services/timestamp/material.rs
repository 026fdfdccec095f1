//! What the authority signs with: a key and its certificates, checked together.

use zeroize::Zeroizing;

use crate::protocol::keys::{KeyAlgorithm, SigningKey, SigningKeyError};
use crate::protocol::time::{UnixTime, Validity};
use crate::protocol::tsp::{TokenSigner, TokenSignerError};
use crate::protocol::x509::profile::{
    AuthorityName, AuthorityNameError, AuthorityProfile, Issuer, Lifetime, ProfileError,
    SerialNumber, authority_certificate, timestamping_certificate,
};
use crate::protocol::x509::{Certificate, PathError, Purpose, verify_chain};

/// A key and the chain of its certificate, which fit each other and the purpose.
#[derive(Debug)]
pub struct TsaMaterial {
    pub(super) signer: TokenSigner,
    /// The signing leaf first, the root last.
    pub(super) chain: Vec<Certificate>,
}

/// Why a key and its certificates cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MaterialError {
    /// Clients want a leaf and a root at least
    #[error("the timestamp authority's chain has {0} certificates; it needs 2 at least")]
    ChainTooShort(usize),
    /// The key is of another kind, or not the leaf's
    #[error(transparent)]
    Key(#[from] TokenSignerError),
    /// The leaf does not chain to the root, or is not for timestamps alone
    #[error("the timestamp authority's chain is refused: {0}")]
    Chain(#[from] PathError),
    /// There is no moment at which all certificates are valid
    #[error("the timestamp authority's certificates are never all valid at once")]
    NeverValid,
    /// A generated authority needs names
    #[error(transparent)]
    Name(#[from] AuthorityNameError),
    /// A key could not be made
    #[error(transparent)]
    NewKey(#[from] SigningKeyError),
    /// A certificate could not be made
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

/// A new authority as it goes to disk.
pub struct GeneratedTsa {
    /// The root's key in PKCS#8. Nothing here needs it again; it may be kept elsewhere.
    pub root_key: Zeroizing<Vec<u8>>,
    /// The signing key in PKCS#8, P-256.
    pub key: Zeroizing<Vec<u8>>,
    /// The signing leaf, then the root.
    pub chain: Vec<Certificate>,
}

impl TsaMaterial {
    /// Takes a P-256 key and its chain, the signing leaf first and the root last. The leaf must be
    /// no authority itself, with digitalSignature, and critical timeStamping as its only purpose
    /// (RFC 3161 §2.3). Whether the certificates are valid now is asked for each token.
    ///
    /// # Errors
    /// See [`MaterialError`].
    pub fn new(key: SigningKey, chain: Vec<Certificate>) -> Result<Self, MaterialError> {
        let [leaf, _, ..] = chain.as_slice() else {
            return Err(MaterialError::ChainTooShort(chain.len()));
        };
        let validity = common_validity(&chain);
        if validity.end.is_some_and(|end| end < validity.start) {
            return Err(MaterialError::NeverValid);
        }
        verify_chain(leaf, &chain, validity.start, Purpose::TimeStamping)?;
        let signer = TokenSigner::new(key, leaf)?;
        Ok(Self { signer, chain })
    }

    /// Makes a new authority: a root, and a leaf that ends with it. The serials must be random.
    ///
    /// # Errors
    /// An organisation that no certificate can name, or no randomness.
    pub fn generate(
        organization: &str,
        now: UnixTime,
        serials: [SerialNumber; 2],
    ) -> Result<GeneratedTsa, MaterialError> {
        let lifetime = Lifetime::of_new_authority(now);
        let [root_serial, serial] = serials;
        let (root_key, root_pkcs8) = SigningKey::generate(KeyAlgorithm::P384)?;
        let root = authority_certificate(&AuthorityProfile {
            subject: &AuthorityName::new(organization, "timestamp root")?,
            key: root_key.public_key(),
            issuer: None,
            purpose: None,
            path_length: Some(0),
            serial: root_serial,
            lifetime,
        })?
        .sign_certificate(&root_key)?;
        let (key, pkcs8) = SigningKey::generate(KeyAlgorithm::P256)?;
        let subject = AuthorityName::new(organization, "timestamp authority")?;
        let issuer = Issuer::of(&root)?;
        let leaf = timestamping_certificate(&subject, key.public_key(), &issuer, serial, lifetime)?
            .sign_certificate(&root_key)?;
        Ok(GeneratedTsa {
            root_key: root_pkcs8,
            key: pkcs8,
            chain: vec![leaf, root],
        })
    }

    /// The signing leaf first, the root last.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// When every certificate of the chain is valid.
    pub fn validity(&self) -> Validity {
        common_validity(&self.chain)
    }
}

fn common_validity(chain: &[Certificate]) -> Validity {
    let mut common = Validity {
        start: UnixTime::from_millis(0),
        end: None,
    };
    for certificate in chain {
        let validity = certificate.validity();
        common.start = common.start.max(validity.start);
        common.end = match (common.end, validity.end) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    common
}
