//! The key, certificate or chain in PEM by which an x509 signature is verified, and its one
//! canonical form.

use std::cell::OnceCell;

use super::super::search::{SearchTerm, SearchTerms, TooManyTerms};
use super::names;
use crate::protocol::bytes::{Digest, HashAlgorithm, MAX_PEM_LENGTH};
use crate::protocol::keys::{KeyAlgorithm, KeyError, PublicKey, SignatureInvalid, SignatureValid};
use crate::protocol::x509::{Certificate, CertificateError};

/// The longest chain that is read, leaf and root included.
pub(super) const MAX_CHAIN: usize = 10;

/// Why a text holds no verifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifierError {
    /// More text than a chain needs
    #[error("the PEM text has {0} bytes; the limit is {MAX_PEM_LENGTH}")]
    TooLong(usize),
    /// Not PEM, or blocks of other kinds
    #[error("must be PEM: one block labelled PUBLIC KEY, or certificates, the signer's own first")]
    Pem,
    /// A chain that is too long
    #[error("the chain has {0} certificates; the limit is {MAX_CHAIN}")]
    ChainLength(usize),
    /// Not a key that is accepted
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Not a certificate that can be read
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// An authority's certificate signs certificates, not artifacts
    #[error("a certificate authority's certificate cannot verify an artifact's signature")]
    NotALeaf,
    /// A certificate that the next one did not issue, or not at that time
    #[error("certificate {0} of the chain was not issued by the one after it")]
    Chain(usize),
}

/// A key with the certificates that it came in, if any; the first is the key's own.
#[derive(Clone, Debug)]
pub(super) struct Verifier {
    key: PublicKey,
    certificates: Vec<Certificate>,
    canonical_pem: String,
}

/// A message that several keys may have signed, hashed once for each hash.
pub(super) struct Message<'a> {
    bytes: &'a [u8],
    digests: [OnceCell<Digest>; 3],
}

impl<'a> Message<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            digests: Default::default(),
        }
    }

    fn digest(&self, hash: HashAlgorithm) -> &Digest {
        let [sha256, sha384, sha512] = &self.digests;
        let kept = match hash {
            HashAlgorithm::Sha256 => sha256,
            HashAlgorithm::Sha384 => sha384,
            HashAlgorithm::Sha512 => sha512,
        };
        kept.get_or_init(|| hash.digest(self.bytes))
    }
}

impl Verifier {
    /// Reads PEM, however it is wrapped. The links of a chain are verified, each at the moment at
    /// which the leaf begins to be valid, for entries are made long after certificates end.
    pub(super) fn from_pem(text: &[u8]) -> Result<Self, VerifierError> {
        if text.len() > MAX_PEM_LENGTH {
            return Err(VerifierError::TooLong(text.len()));
        }
        let blocks = pem::parse_many(text).map_err(|_| VerifierError::Pem)?;
        if blocks.len() > MAX_CHAIN {
            return Err(VerifierError::ChainLength(blocks.len()));
        }
        if let [block] = blocks.as_slice()
            && block.tag() == "PUBLIC KEY"
        {
            let key = PublicKey::from_spki_der(block.contents())?;
            return Ok(Self {
                canonical_pem: key.to_pem(),
                key,
                certificates: Vec::new(),
            });
        }
        if blocks.iter().any(|block| block.tag() != "CERTIFICATE") {
            return Err(VerifierError::Pem);
        }
        let certificates = blocks
            .iter()
            .map(|block| Certificate::from_der(block.contents()))
            .collect::<Result<Vec<_>, _>>()?;
        Self::certified(certificates)
    }

    fn certified(certificates: Vec<Certificate>) -> Result<Self, VerifierError> {
        let leaf = certificates.first().ok_or(VerifierError::Pem)?;
        if leaf.extensions().is_ca() {
            return Err(VerifierError::NotALeaf);
        }
        let start = leaf.validity().start;
        for (place, (subject, issuer)) in certificates
            .iter()
            .zip(certificates.iter().skip(1))
            .enumerate()
        {
            let issued = issuer.extensions().is_ca()
                && issuer.subject_name_der() == subject.issuer_name()
                && issuer.validity().contains(start)
                && subject.verify_signed_by(issuer.public_key()).is_ok();
            if !issued {
                return Err(VerifierError::Chain(place.saturating_add(1)));
            }
        }
        Ok(Self {
            key: leaf.public_key().clone(),
            canonical_pem: certificates.iter().map(Certificate::to_pem).collect(),
            certificates,
        })
    }

    /// 64 columns, a newline behind every line, nothing between the blocks: PEM that already is of
    /// this form comes back byte for byte.
    pub(super) fn canonical_pem(&self) -> &str {
        &self.canonical_pem
    }

    /// Which kind of key it is.
    pub(super) const fn algorithm(&self) -> KeyAlgorithm {
        self.key.algorithm()
    }

    /// Verifies over a digest: any of the three hashes with ECDSA and RSA PKCS#1 v1.5, for clients
    /// take SHA-256 whatever the curve; Ed25519ph with SHA-512.
    pub(super) fn verify_digest(
        &self,
        digest: &Digest,
        signature: &[u8],
    ) -> Result<SignatureValid, SignatureInvalid> {
        if self.algorithm() == KeyAlgorithm::Ed25519 {
            return self.key.verify_digest(digest, signature);
        }
        self.key.verify_prehashed(digest, signature)
    }

    /// Verifies over a message, with the hash of the key's kind, or else with SHA-256.
    pub(super) fn verify_message(
        &self,
        message: &Message<'_>,
        signature: &[u8],
    ) -> Result<SignatureValid, SignatureInvalid> {
        if self.algorithm() == KeyAlgorithm::Ed25519 {
            return self.key.verify_message(message.bytes, signature);
        }
        let holds = |hash| self.key.verify_prehashed(message.digest(hash), signature);
        holds(self.algorithm().hash()).or_else(|_| holds(HashAlgorithm::Sha256))
    }

    /// Adds what the verifier can be found by: its canonical form and every name of the leaf.
    pub(super) fn add_terms(&self, terms: &mut SearchTerms) -> Result<(), TooManyTerms> {
        terms.add(SearchTerm::public_key(self.canonical_pem.as_bytes()))?;
        match self.certificates.first() {
            Some(leaf) => terms.extend(
                names::subject_names(leaf)
                    .iter()
                    .map(|name| SearchTerm::name(name)),
            ),
            None => Ok(()),
        }
    }
}
