//! The trust documents: what clients must know to sign with this instance and to verify.
//!
//! They are made once from public values and kept as bytes. The verifier of this instance reads
//! the published trust root itself, so that it believes exactly what clients are told.

pub(crate) mod ceremony;
mod published;
pub(crate) mod renewal;
pub(crate) mod repository;
mod signing_config;
pub(crate) mod target;
#[cfg(test)]
pub(crate) mod testing;

use std::sync::Arc;

use crate::protocol::bundle::trusted_root::wire::{
    self, Authority, Bytes, CertificateChain, DistinguishedName, LogId, TransparencyLog, TreeHash,
    ValidFor, X509Certificate,
};
use crate::protocol::bundle::trusted_root::{MEDIA_TYPE, TrustedRoot, TrustedRootError};
use crate::protocol::bytes::Sha256;
use crate::protocol::keys::PublicKey;
use crate::protocol::note::NoteKey;
use crate::protocol::origin::Origin;
use crate::protocol::time::UnixTime;
use crate::protocol::x509::Certificate;
use crate::services::rekor::{Dialect, OpenDialects};
use signing_config::{ClientTrustConfig, SigningConfig};

/// What the documents are made of: public values only.
#[derive(Clone, Debug)]
pub struct Anchors {
    /// Where clients reach this instance.
    pub public_url: Origin,
    /// Who runs it, for people; clients count operators by this name.
    pub operator: String,
    /// The issuers at which people and machines get their tokens, at least one. Clients that must
    /// choose take the first.
    pub issuers: Vec<String>,
    /// The dialects in which signatures are logged; the keys of both logs are published anyway.
    pub dialects: OpenDialects,
    /// The certificate authority, the issuing certificate first, the root last.
    pub ca_chain: Vec<Certificate>,
    /// The key of the log of certificates.
    pub ct_key: PublicKey,
    /// The key of the signature log in the v2 dialect, and its name.
    pub log_key: NoteKey,
    /// The key of the signature log in the v1 dialect, and its name.
    pub log_v1_key: NoteKey,
    /// The timestamp authority, its leaf first, the root last.
    pub tsa_chain: Vec<Certificate>,
    /// From when on all of them are trusted: before the first signature, with a margin.
    pub start: UnixTime,
}

/// Why no documents can be made.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Clients refuse a configuration without an issuer
    #[error("at least one OpenID Connect issuer is needed")]
    NoIssuer,
    /// A chain that clients cannot use
    #[error("the {0} certificate chain needs at least {1} certificates")]
    ShortChain(&'static str, usize),
    /// The document that was made does not read back
    #[error("the trust root that was made is not one: {0}")]
    Unreadable(#[source] TrustedRootError),
}

/// A published document and the tag of its content.
#[derive(Clone, Debug)]
pub struct Document {
    /// The document's bytes.
    pub bytes: Arc<[u8]>,
    /// A strong entity tag without its quotes (RFC 9110 §8.8.3).
    pub tag: String,
}

/// What tells clients to write in one dialect, whichever they would choose.
#[derive(Clone, Debug)]
pub struct DialectDocuments {
    /// The dialect
    pub dialect: Dialect,
    /// A signing configuration that names no other log
    pub signing_config: Document,
    /// The same with the trust root, which names both
    pub client_trust_config: Document,
}

/// All published documents.
#[derive(Clone, Debug)]
pub struct TrustDocuments {
    /// `trusted_root.json`
    pub trusted_root: Document,
    /// `signing_config.v0.2.json`
    pub signing_config: Document,
    /// `client_trust_config.json`: the two in one
    pub client_trust_config: Document,
    /// For clients that are to write in one dialect and no other: one for each that is open
    pub one_dialect: Vec<DialectDocuments>,
    /// The certificate authority's chain, PEM
    pub ca_chain: Document,
    /// The certificate log's key, PEM
    pub ct_key: Document,
    /// The key of the signature log in the v2 dialect, PEM
    pub log_key: Document,
    /// The key of the signature log in the v1 dialect, PEM
    pub log_v1_key: Document,
    /// The timestamp authority's chain, PEM
    pub tsa_chain: Document,
    root: Arc<TrustedRoot>,
}

impl TrustDocuments {
    /// Makes the documents.
    ///
    /// # Errors
    /// See [`TrustError`].
    pub fn new(anchors: &Anchors) -> Result<Self, TrustError> {
        check_chains(anchors)?;
        if anchors.issuers.is_empty() {
            return Err(TrustError::NoIssuer);
        }
        let trusted_root = trusted_root(anchors);
        let document = Document::json(&trusted_root);
        let root = TrustedRoot::from_json(&document.bytes).map_err(TrustError::Unreadable)?;
        let signing = |dialects| {
            let signing_config = SigningConfig::new(anchors, dialects);
            let whole = ClientTrustConfig::new(&trusted_root, &signing_config);
            (Document::json(&signing_config), Document::json(&whole))
        };
        let (signing_config, client_trust_config) = signing(anchors.dialects);
        let one_dialect = anchors.dialects.iter().map(|dialect| {
            let (signing_config, client_trust_config) = signing(dialect.into());
            DialectDocuments {
                dialect,
                signing_config,
                client_trust_config,
            }
        });
        Ok(Self {
            one_dialect: one_dialect.collect(),
            trusted_root: document,
            signing_config,
            client_trust_config,
            ca_chain: Document::pem_chain(&anchors.ca_chain),
            ct_key: Document::new(anchors.ct_key.to_pem()),
            log_key: Document::new(anchors.log_key.key().to_pem()),
            log_v1_key: Document::new(anchors.log_v1_key.key().to_pem()),
            tsa_chain: Document::pem_chain(&anchors.tsa_chain),
            root: Arc::new(root),
        })
    }

    /// What makes clients write in one dialect; none where it is not open.
    pub fn of_dialect(&self, dialect: Dialect) -> Option<&DialectDocuments> {
        self.one_dialect.iter().find(|one| one.dialect == dialect)
    }

    /// The trust root as a verifier reads it.
    pub const fn root(&self) -> &Arc<TrustedRoot> {
        &self.root
    }
}

impl Document {
    fn new(text: String) -> Self {
        Self {
            tag: Sha256::of(text.as_bytes()).to_hex(),
            bytes: text.into_bytes().into(),
        }
    }

    fn json(value: &impl serde::Serialize) -> Self {
        let text = serde_json::to_string_pretty(value);
        Self::new(text.expect("the documents have text keys and no floats"))
    }

    fn pem_chain(chain: &[Certificate]) -> Self {
        Self::new(chain.iter().map(Certificate::to_pem).collect())
    }
}

fn check_chains(anchors: &Anchors) -> Result<(), TrustError> {
    if anchors.ca_chain.is_empty() {
        return Err(TrustError::ShortChain("certificate authority's", 1));
    }
    if anchors.tsa_chain.len() < 2 {
        return Err(TrustError::ShortChain("timestamp authority's", 2));
    }
    Ok(())
}

fn trusted_root(anchors: &Anchors) -> wire::TrustedRoot {
    let origin = &anchors.public_url;
    let valid_for = ValidFor {
        start: anchors.start.to_rfc3339(),
        end: None,
    };
    let log = |base_url: String, key: &PublicKey, id: &Sha256| TransparencyLog {
        base_url,
        hash_algorithm: TreeHash::Sha256,
        public_key: wire::PublicKey {
            raw_bytes: Bytes(key.spki_der().to_vec()),
            key_details: key.details().registry_name().to_owned(),
            valid_for: valid_for.clone(),
        },
        log_id: LogId {
            key_id: Bytes(id.as_bytes().to_vec()),
        },
        checkpoint_key_id: None,
        operator: None,
    };
    let authority = |uri: String, chain: &[Certificate]| Authority {
        subject: chain
            .first()
            .map(DistinguishedName::of_subject)
            .unwrap_or_default(),
        uri,
        cert_chain: CertificateChain {
            certificates: chain
                .iter()
                .map(|certificate| X509Certificate {
                    raw_bytes: Bytes(certificate.der().to_vec()),
                })
                .collect(),
        },
        valid_for: valid_for.clone(),
        operator: None,
    };
    let ct_key = &anchors.ct_key;
    let signature_log = |key: &NoteKey| log(origin.to_string(), key.key(), key.hash());
    wire::TrustedRoot {
        media_type: MEDIA_TYPE.to_owned(),
        tlogs: [&anchors.log_v1_key, &anchors.log_key]
            .map(signature_log)
            .into(),
        certificate_authorities: vec![authority(origin.to_string(), &anchors.ca_chain)],
        ctlogs: vec![log(origin.join("/ct"), ct_key, &ct_key.fingerprint())],
        timestamp_authorities: vec![authority(timestamp_url(origin), &anchors.tsa_chain)],
    }
}

/// Clients take the complete URL of the timestamp authority.
fn timestamp_url(origin: &Origin) -> String {
    origin.join("/api/v1/timestamp")
}

#[cfg(test)]
pub(crate) mod tests;
