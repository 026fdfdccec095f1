//! What the authority signs with: a key and its certificates, checked together.

use crate::protocol::keys::SigningKey;
use crate::protocol::time::Validity;
use crate::protocol::tsp::{TokenSigner, TokenSignerError};
use crate::protocol::x509::{Certificate, PathError, Purpose, verify_chain};

/// A key and the chain of its certificate, which fit each other and the purpose.
#[derive(Debug)]
pub struct TsaMaterial {
    pub(super) signer: TokenSigner,
    /// The signing leaf first, the root last.
    pub(super) chain: Vec<Certificate>,
}

/// Why a key and its certificates cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
        start: crate::protocol::time::UnixTime::from_millis(0),
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
