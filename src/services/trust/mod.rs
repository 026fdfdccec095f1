//! The trust documents: what clients must know to sign with this instance and to verify.
//!
//! They are made once from public values and kept as bytes. The verifier of this instance reads
//! the published trust root itself, so that it believes exactly what clients are told.

mod signing_config;

use std::sync::Arc;

use url::Url;

use crate::protocol::bundle::trusted_root::wire::{
    self, Authority, Bytes, CertificateChain, DistinguishedName, LogId, TransparencyLog, TreeHash,
    ValidFor, X509Certificate,
};
use crate::protocol::bundle::trusted_root::{MEDIA_TYPE, TrustedRoot, TrustedRootError};
use crate::protocol::bytes::Sha256;
use crate::protocol::keys::PublicKey;
use crate::protocol::note::NoteKey;
use crate::protocol::time::UnixTime;
use crate::protocol::x509::Certificate;
use signing_config::{ClientTrustConfig, SigningConfig};

/// What the documents are made of: public values only.
#[derive(Clone, Debug)]
pub struct Anchors {
    /// Where clients reach this instance: scheme, host and port, nothing more.
    pub public_url: String,
    /// Who runs it, for people; clients count operators by this name.
    pub operator: String,
    /// The issuers at which people and machines get their tokens, at least one.
    pub issuers: Vec<String>,
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
    /// Clients build on a bare origin
    #[error("the public URL {0:?} must be http or https with host and port and nothing else")]
    PublicUrl(String),
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

/// All published documents.
#[derive(Clone, Debug)]
pub struct TrustDocuments {
    /// `trusted_root.json`
    pub trusted_root: Document,
    /// `signing_config.v0.2.json`
    pub signing_config: Document,
    /// `client_trust_config.json`: the two in one
    pub client_trust_config: Document,
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
        let origin = origin(&anchors.public_url)?;
        check_chains(anchors)?;
        let trusted_root = trusted_root(anchors, &origin);
        let signing_config = SigningConfig::new(anchors, &origin).ok_or(TrustError::NoIssuer)?;
        let document = Document::json(&trusted_root);
        let root = TrustedRoot::from_json(&document.bytes).map_err(TrustError::Unreadable)?;
        Ok(Self {
            trusted_root: document,
            signing_config: Document::json(&signing_config),
            client_trust_config: Document::json(&ClientTrustConfig::new(
                &trusted_root,
                &signing_config,
            )),
            ca_chain: Document::pem_chain(&anchors.ca_chain),
            ct_key: Document::new(anchors.ct_key.to_pem()),
            log_key: Document::new(anchors.log_key.key().to_pem()),
            log_v1_key: Document::new(anchors.log_v1_key.key().to_pem()),
            tsa_chain: Document::pem_chain(&anchors.tsa_chain),
            root: Arc::new(root),
        })
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

/// Clients append paths of their own, and compare hosts: an origin without a slash, no path.
fn origin(public_url: &str) -> Result<String, TrustError> {
    let wrong = || TrustError::PublicUrl(public_url.to_owned());
    let url = Url::parse(public_url).map_err(|_| wrong())?;
    let bare = matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if bare {
        Ok(url.origin().ascii_serialization())
    } else {
        Err(wrong())
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

fn trusted_root(anchors: &Anchors, origin: &str) -> wire::TrustedRoot {
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
    let signature_log = |key: &NoteKey| log(origin.to_owned(), key.key(), key.hash());
    wire::TrustedRoot {
        media_type: MEDIA_TYPE.to_owned(),
        tlogs: [&anchors.log_v1_key, &anchors.log_key]
            .map(signature_log)
            .into(),
        certificate_authorities: vec![authority(origin.to_owned(), &anchors.ca_chain)],
        ctlogs: vec![log(format!("{origin}/ct"), ct_key, &ct_key.fingerprint())],
        timestamp_authorities: vec![authority(timestamp_url(origin), &anchors.tsa_chain)],
    }
}

/// Clients take the complete URL of the timestamp authority.
fn timestamp_url(origin: &str) -> String {
    format!("{origin}/api/v1/timestamp")
}

#[cfg(test)]
mod tests;
