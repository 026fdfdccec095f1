//! A PEM key, certificate or chain that verifies a signature: parsing, canonical form and search terms.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::cell::OnceCell;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::ID_CE_SUBJECT_ALT_NAME;

use super::super::search::{SearchTerm, SearchTerms, TooManyTerms};
use crate::protocol::bytes::MAX_PEM_LENGTH;
use crate::protocol::der::{self, DerElement, DerReader};
use crate::protocol::hash::{Digest, HashAlgorithm};
use crate::protocol::keys::{KeyAlgorithm, KeyError, PublicKey, SignatureInvalid, SignatureValid};
use crate::protocol::x509::{Certificate, CertificateError};

/// Maximum number of certificates in a chain, including leaf and root.
const MAX_CHAIN: usize = 10;

/// Error parsing a key, certificate or chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemVerifierError {
    #[error("the PEM text has {0} bytes; the limit is {MAX_PEM_LENGTH}")]
    TooLong(usize),
    /// Not PEM, or blocks of another type.
    #[error("must be PEM: one PUBLIC KEY block, or CERTIFICATE blocks that start with the leaf")]
    Pem,
    #[error("the chain has {0} certificates; the limit is {MAX_CHAIN}")]
    ChainLength(usize),
    /// The key is malformed or too weak.
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// CA certificates must not verify artifacts.
    #[error("a certificate authority's certificate cannot verify an artifact's signature")]
    NotALeaf,
    /// The next certificate is not a valid issuer of this one.
    #[error("certificate {0} of the chain was not issued by the next one")]
    Chain(usize),
}

/// A key and its certificate chain, if any. The first certificate is the leaf.
#[derive(Clone, Debug)]
pub(super) struct PemVerifier {
    key: PublicKey,
    certificates: Vec<Certificate>,
    canonical_pem: String,
}

/// A message that several keys may have signed. Computes each digest at most once.
pub(super) struct HashedMessage<'a> {
    bytes: &'a [u8],
    digests: [(HashAlgorithm, OnceCell<Digest>); HashAlgorithm::ALL.len()],
}

impl<'a> HashedMessage<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            digests: HashAlgorithm::ALL.map(|algorithm| (algorithm, OnceCell::new())),
        }
    }

    fn digest(&self, algorithm: HashAlgorithm) -> &Digest {
        let cached = self.digests.iter().find(|(one, _)| *one == algorithm);
        let (_, digest) = cached.expect("ALL contains every algorithm");
        digest.get_or_init(|| algorithm.digest(self.bytes))
    }
}

impl PemVerifier {
    /// Parses PEM with any line breaks. A chain is verified at the `notBefore` of the leaf, because
    /// entries may be submitted long after the certificates expired.
    pub(super) fn parse(text: &[u8]) -> Result<Self, PemVerifierError> {
        if text.len() > MAX_PEM_LENGTH {
            return Err(PemVerifierError::TooLong(text.len()));
        }
        let blocks = pem::parse_many(text).map_err(|_| PemVerifierError::Pem)?;
        if blocks.len() > MAX_CHAIN {
            return Err(PemVerifierError::ChainLength(blocks.len()));
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
            return Err(PemVerifierError::Pem);
        }
        let certificates = blocks
            .iter()
            .map(|block| Certificate::from_der(block.contents()))
            .collect::<Result<Vec<_>, _>>()?;
        let leaf = certificates.first().ok_or(PemVerifierError::Pem)?;
        if leaf.extensions().is_ca() {
            return Err(PemVerifierError::NotALeaf);
        }
        let start = leaf.validity().start;
        let links = certificates.iter().zip(certificates.iter().skip(1));
        for (number, (subject, issuer)) in (1..).zip(links) {
            let is_issued = issuer.extensions().is_ca()
                && issuer.subject_name_der() == subject.issuer_name()
                && issuer.validity().contains(start)
                && subject.verify_signed_by(issuer.public_key()).is_ok();
            if !is_issued {
                return Err(PemVerifierError::Chain(number));
            }
        }
        Ok(Self {
            key: leaf.public_key().clone(),
            canonical_pem: certificates.iter().map(Certificate::to_pem).collect(),
            certificates,
        })
    }

    /// PEM with 64 columns, a newline after every line, and nothing between the blocks.
    pub(super) fn canonical_pem(&self) -> &str {
        &self.canonical_pem
    }

    pub(super) const fn algorithm(&self) -> KeyAlgorithm {
        self.key.algorithm()
    }

    /// Verifies a signature over a digest. ECDSA and RSA PKCS#1 v1.5 accept every hash function, because
    /// clients use SHA-256 with all curves. Ed25519ph requires SHA-512.
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

    /// Verifies a signature over a message, with the key's default hash function or with SHA-256.
    pub(super) fn verify_message(
        &self,
        message: &HashedMessage<'_>,
        signature: &[u8],
    ) -> Result<SignatureValid, SignatureInvalid> {
        if self.algorithm() == KeyAlgorithm::Ed25519 {
            return self.key.verify_message(message.bytes, signature);
        }
        let verify = |hash| self.key.verify_prehashed(message.digest(hash), signature);
        verify(self.algorithm().hash()).or_else(|_| verify(HashAlgorithm::Sha256))
    }

    /// Adds the canonical form and the names of the leaf.
    pub(super) fn add_terms(&self, terms: &mut SearchTerms) -> Result<(), TooManyTerms> {
        terms.add(SearchTerm::public_key(self.canonical_pem.as_bytes()))?;
        let names = self.certificates.first().and_then(subject_names);
        let names = names.unwrap_or_default();
        terms.extend(names.iter().map(|name| SearchTerm::name(name)))
    }
}

/// Searchable subjectAltNames (RFC 5280 §4.2.1.6): hosts, e-mail addresses, URIs, IP addresses and
/// Fulcio's user names. `None` if the extension is absent or malformed.
fn subject_names(certificate: &Certificate) -> Option<Vec<String>> {
    let extension = certificate.extensions().find(ID_CE_SUBJECT_ALT_NAME)?;
    let mut names = DerReader::inside(&extension.value, der::SEQUENCE).ok()?;
    let mut found = Vec::new();
    while !names.is_finished() {
        found.extend(parse_name(names.next().ok()?));
    }
    Some(found)
}

fn parse_name(name: DerElement<'_>) -> Option<String> {
    match name.tag {
        // rfc822Name [1], dNSName [2], uniformResourceIdentifier [6]
        0x81 | 0x82 | 0x86 => std::str::from_utf8(name.content).ok().map(str::to_owned),
        // iPAddress [7]
        0x87 => {
            let v4 = <[u8; 4]>::try_from(name.content).map(|bytes| Ipv4Addr::from(bytes).into());
            let v6 = <[u8; 16]>::try_from(name.content).map(|bytes| Ipv6Addr::from(bytes).into());
            let address: IpAddr = v4.or(v6).ok()?;
            Some(address.to_canonical().to_string())
        }
        der::CONTEXT_0 => parse_username(name.content),
        _ => None,
    }
}

/// Parses Fulcio's otherName for user names: an object identifier, then the value in `[0]`.
fn parse_username(other_name: &[u8]) -> Option<String> {
    const USERNAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.7");
    let mut fields = DerReader::of(other_name);
    let id = fields.oid().ok()?;
    let mut value = DerReader::of(fields.take(der::CONTEXT_0).ok()?);
    fields.finish().ok()?;
    let text = value.take(der::UTF8_STRING).ok()?;
    value.finish().ok()?;
    let text = std::str::from_utf8(text).ok()?;
    (id == USERNAME).then(|| text.to_owned())
}
