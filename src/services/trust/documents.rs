//! The trust documents: everything that clients need to sign with this instance and to verify.
//!
//! They are generated once from the roster and cached as bytes. This instance's own verifier reads the
//! published trust root, so it trusts exactly what its clients trust.

use std::sync::Arc;

use super::signing_config::{ClientTrustConfig, SigningConfig};
use crate::protocol::bundle::trusted_root::wire::{
    self, Authority, Bytes, CertificateChain, DistinguishedName, LogId, TransparencyLog, TreeHash,
    ValidFor, X509Certificate,
};
use crate::protocol::bundle::trusted_root::{MEDIA_TYPE, TrustedRoot, TrustedRootError};
use crate::protocol::hash::Sha256;
use crate::protocol::time::Validity;
use crate::protocol::x509::Certificate;
use crate::services::roster::{
    AuthorityDescription, AuthorityRole, LogDescription, LogRole, LogState, Roster,
};

/// File names of the documents that every instance has.
pub(crate) const TRUSTED_ROOT: &str = "trusted_root.json";
pub(crate) const SIGNING_CONFIG: &str = "signing_config.v0.2.json";
pub(crate) const CLIENT_TRUST_CONFIG: &str = "client_trust_config.json";

const JSON: &str = "application/json";
const PEM_KEY: &str = "application/x-pem-file";
const PEM_CHAIN: &str = "application/pem-certificate-chain";

/// Error generating the documents.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Clients reject a configuration without an issuer
    #[error("at least one OpenID Connect issuer is needed")]
    NoIssuer,
    /// A chain that clients cannot use
    #[error("the certificate chain of the {0} needs at least {1} certificates")]
    ShortChain(&'static str, usize),
    /// The document does not read back
    #[error("the generated trust root is not valid: {0}")]
    Unreadable(#[source] TrustedRootError),
}

/// A document's content and its entity tag.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub bytes: Arc<[u8]>,
    /// A strong entity tag without its quotes (RFC 9110 §8.8.3): SHA-256 in hexadecimal
    pub tag: String,
}

/// A document that may be fetched below `/trust`.
#[derive(Clone, Debug)]
pub(crate) struct PublishedDocument {
    /// Description for people
    pub title: String,
    pub file: String,
    pub content_type: &'static str,
    /// None if it would configure clients to write to a frozen log
    pub content: Option<Document>,
}

/// Every document of an instance.
#[derive(Clone, Debug)]
pub(crate) struct TrustDocuments {
    published: Vec<PublishedDocument>,
    root: Arc<TrustedRoot>,
}

impl TrustDocuments {
    /// # Errors
    /// See [`TrustError`].
    pub(crate) fn new(roster: &Roster) -> Result<Self, TrustError> {
        for authority in &roster.authorities {
            let least = match authority.role {
                AuthorityRole::Certificates => 1,
                AuthorityRole::Timestamps => 2,
            };
            if authority.chain.len() < least {
                return Err(TrustError::ShortChain(authority.name, least));
            }
        }
        if roster.issuers.is_empty() {
            return Err(TrustError::NoIssuer);
        }
        let trusted_root = trusted_root(roster);
        let document = Document::json(&trusted_root);
        let root = TrustedRoot::from_json(&document.bytes).map_err(TrustError::Unreadable)?;
        // What configures clients to write to the logs of one role, or of any.
        let configure = |role: Option<LogRole>| {
            let logs = roster.signature_logs().filter(|log| {
                log.state == LogState::Active && role.is_none_or(|role| log.role == role)
            });
            let signing = SigningConfig::new(roster, logs);
            let client = ClientTrustConfig::new(&trusted_root, &signing);
            (Document::json(&client), Document::json(&signing))
        };
        let (client, signing) = configure(None);
        let mut published = vec![
            PublishedDocument::json(
                "Client trust configuration",
                CLIENT_TRUST_CONFIG,
                Some(client),
            ),
            PublishedDocument::json("Trusted root", TRUSTED_ROOT, Some(document)),
            PublishedDocument::json("Signing configuration", SIGNING_CONFIG, Some(signing)),
        ];
        let (mut clients, mut signings) = (Vec::new(), Vec::new());
        for role in LogRole::ALL {
            let Some(version) = role.rekor_version() else {
                continue;
            };
            let configured = roster.accepts(role).then(|| configure(Some(role)));
            let (client, signing) = configured.unzip();
            clients.push(PublishedDocument::json(
                format!("Client trust configuration, Rekor v{version} only"),
                format!("client_trust_config_rekor_v{version}.json"),
                client,
            ));
            signings.push(PublishedDocument::json(
                format!("Signing configuration, Rekor v{version} only"),
                format!("signing_config_rekor_v{version}.v0.2.json"),
                signing,
            ));
        }
        published.extend(clients);
        published.extend(signings);
        let authorities = |role| roster.authorities_of(role).map(PublishedDocument::chain);
        published.extend(authorities(AuthorityRole::Certificates));
        published.extend(roster.logs.iter().map(PublishedDocument::key));
        published.extend(authorities(AuthorityRole::Timestamps));
        Ok(Self {
            published,
            root: Arc::new(root),
        })
    }

    /// Every document, those without content included.
    pub(crate) fn published(&self) -> &[PublishedDocument] {
        &self.published
    }

    /// The document with this file name, if there can be one.
    pub(crate) fn find(&self, file: &str) -> Option<&PublishedDocument> {
        self.published.iter().find(|document| document.file == file)
    }

    /// `trusted_root.json`
    pub(crate) fn trusted_root(&self) -> &Document {
        let published = self.find(TRUSTED_ROOT);
        published
            .and_then(|published| published.content.as_ref())
            .expect("every instance publishes its trust root")
    }

    /// The trust root as a verifier reads it.
    pub(crate) const fn root(&self) -> &Arc<TrustedRoot> {
        &self.root
    }
}

impl PublishedDocument {
    fn json(title: impl Into<String>, file: impl Into<String>, content: Option<Document>) -> Self {
        Self {
            title: title.into(),
            file: file.into(),
            content_type: JSON,
            content,
        }
    }

    fn key(log: &LogDescription) -> Self {
        Self {
            title: format!("Key of log {} (PEM)", log.id),
            file: log.document.to_owned(),
            content_type: PEM_KEY,
            content: Some(Document::new(log.key.to_pem())),
        }
    }

    fn chain(authority: &AuthorityDescription) -> Self {
        Self {
            title: format!("Certificates of the {} (PEM)", authority.name),
            file: authority.document.to_owned(),
            content_type: PEM_CHAIN,
            content: Some(Document::pem_chain(&authority.chain)),
        }
    }
}

impl Document {
    pub(super) fn new(text: String) -> Self {
        Self {
            tag: Sha256::of(text.as_bytes()).to_hex(),
            bytes: text.into_bytes().into(),
        }
    }

    fn json(value: &impl serde::Serialize) -> Self {
        let text = serde_json::to_string_pretty(value);
        Self::new(text.expect("the documents have text keys and no floats"))
    }

    pub(super) fn pem_chain(chain: &[Certificate]) -> Self {
        Self::new(chain.iter().map(Certificate::to_pem).collect())
    }
}

fn trusted_root(roster: &Roster) -> wire::TrustedRoot {
    let valid_for = |validity: &Validity| ValidFor {
        start: validity.start.to_rfc3339(),
        end: validity.end.map(|end| end.to_rfc3339()),
    };
    let log = |log: &LogDescription| TransparencyLog {
        base_url: log.url.clone(),
        hash_algorithm: TreeHash::Sha256,
        public_key: wire::PublicKey {
            raw_bytes: Bytes(log.key.spki_der().to_vec()),
            key_details: log.key.details().registry_name().to_owned(),
            valid_for: valid_for(&log.validity),
        },
        log_id: LogId {
            key_id: Bytes(log.log_id.as_bytes().to_vec()),
        },
        checkpoint_key_id: None,
        operator: None,
    };
    let authority = |authority: &AuthorityDescription| Authority {
        subject: authority
            .chain
            .first()
            .map(DistinguishedName::of_subject)
            .unwrap_or_default(),
        uri: authority.url.clone(),
        cert_chain: CertificateChain {
            certificates: authority
                .chain
                .iter()
                .map(|certificate| X509Certificate {
                    raw_bytes: Bytes(certificate.der().to_vec()),
                })
                .collect(),
        },
        valid_for: valid_for(&authority.validity),
        operator: None,
    };
    let authorities = |role| roster.authorities_of(role).map(authority).collect();
    wire::TrustedRoot {
        media_type: MEDIA_TYPE.to_owned(),
        tlogs: roster.signature_logs().map(log).collect(),
        certificate_authorities: authorities(AuthorityRole::Certificates),
        ctlogs: roster.logs_of(LogRole::Ct).map(log).collect(),
        timestamp_authorities: authorities(AuthorityRole::Timestamps),
    }
}

#[cfg(test)]
pub(crate) mod tests;
