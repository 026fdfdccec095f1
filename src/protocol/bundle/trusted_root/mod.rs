//! The trusted root (`dev.sigstore.trustroot.v1.TrustedRoot`): the logs and authorities that a verifier
//! trusts, with their validity windows.

pub(crate) mod wire;

use crate::protocol::hash::Sha256;
use crate::protocol::json;
use crate::protocol::keys::{KeyDetails, KeyError, PublicKey};
use crate::protocol::note::NoteKeyId;
use crate::protocol::time::{UnixTime, Validity};
use crate::protocol::tsp::TrustedTsa;
use crate::protocol::x509::{Certificate, TrustedAuthority, TrustedCtLog};

/// Maximum size of a trusted root, in bytes.
pub(crate) const MAX_TRUSTED_ROOT_LENGTH: usize = 4 * 1024 * 1024;

/// The only media type that every Sigstore client accepts.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";

/// The logs and authorities that a verifier trusts.
#[derive(Clone, Debug, Default)]
pub struct TrustedRoot {
    /// Signature logs (Rekor).
    pub logs: Vec<TrustedLog>,
    /// Certificate authorities (Fulcio).
    pub authorities: Vec<TrustedAuthority>,
    /// Certificate-transparency logs.
    pub ct_logs: Vec<TrustedCtLog>,
    /// Timestamp authorities.
    pub timestamp_authorities: Vec<TrustedTsa>,
    /// URLs of the logs that are ignored because the type or size of their key is not supported.
    pub unsupported_logs: Vec<String>,
}

/// A signature log of a trusted root.
#[derive(Clone, Debug)]
pub struct TrustedLog {
    /// URL of the log.
    pub base_url: String,
    /// Key that signs checkpoints and promises.
    pub key: PublicKey,
    /// ID that entries of the log contain.
    pub id: Sha256,
    /// Key ID of the log's signatures on checkpoints; usually the first four bytes of the log's ID.
    pub checkpoint_key: NoteKeyId,
    /// Window in which the log is trusted.
    pub validity: Validity,
}

/// Error parsing a trusted root. The field of most variants is the URL of the log or authority.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant describes it and its fields"
)]
pub enum TrustedRootError {
    #[error("the trusted root has {0} bytes; the limit is {MAX_TRUSTED_ROOT_LENGTH}")]
    TooLarge(usize),
    #[error("this is not a trusted root: {0}")]
    Json(#[source] serde_json::Error),
    #[error("mediaType must be {MEDIA_TYPE}")]
    MediaType,
    #[error("validFor of {0} must have an RFC 3339 start and, optionally, a later end")]
    Validity(String),
    #[error("logId.keyId of {0} must have 32 bytes, and checkpointKeyId at least 4")]
    LogId(String),
    #[error("publicKey of {0} is malformed or not of the type that its keyDetails name")]
    Key(String),
    #[error(
        "certChain of {0} must contain at least one certificate, and all of them must be valid DER"
    )]
    Chain(String),
}

impl TrustedRoot {
    /// Parses a trusted root of version 0.1. Bytes after the document are refused.
    ///
    /// # Errors
    /// Malformed or oversized documents, and documents with unknown or repeated members.
    pub fn from_json(json: &[u8]) -> Result<Self, TrustedRootError> {
        if json.len() > MAX_TRUSTED_ROOT_LENGTH {
            return Err(TrustedRootError::TooLarge(json.len()));
        }
        let document: wire::TrustedRoot = json::from_slice(json).map_err(TrustedRootError::Json)?;
        Self::try_from(document)
    }

    /// Logs with this ID, in the order of the trusted root. A log can be listed several times with different
    /// validity windows.
    pub fn logs_with<'a>(&'a self, id: &'a [u8]) -> impl Iterator<Item = &'a TrustedLog> {
        self.logs.iter().filter(move |log| log.id.as_bytes() == id)
    }
}

impl TryFrom<wire::TrustedRoot> for TrustedRoot {
    type Error = TrustedRootError;

    fn try_from(document: wire::TrustedRoot) -> Result<Self, TrustedRootError> {
        if document.media_type != MEDIA_TYPE {
            return Err(TrustedRootError::MediaType);
        }
        let mut root = Self::default();
        for log in document.tlogs {
            match log_key(&log)? {
                Some(key) => root.logs.push(trusted_log(log, key)?),
                None => root.unsupported_logs.push(log.base_url),
            }
        }
        for log in document.ctlogs {
            match log_key(&log)? {
                Some(key) => root.ct_logs.push(TrustedCtLog {
                    validity: validity(&log.base_url, &log.public_key.valid_for)?,
                    key,
                    base_url: log.base_url,
                }),
                None => root.unsupported_logs.push(log.base_url),
            }
        }
        for authority in document.certificate_authorities {
            root.authorities.push(TrustedAuthority {
                chain: chain(&authority)?,
                validity: validity(&authority.uri, &authority.valid_for)?,
                uri: authority.uri,
            });
        }
        for authority in document.timestamp_authorities {
            root.timestamp_authorities.push(TrustedTsa {
                chain: chain(&authority)?,
                validity: validity(&authority.uri, &authority.valid_for)?,
                uri: authority.uri,
            });
        }
        Ok(root)
    }
}

fn trusted_log(log: wire::TransparencyLog, key: PublicKey) -> Result<TrustedLog, TrustedRootError> {
    let error = || TrustedRootError::LogId(log.base_url.clone());
    let id = Sha256::try_from(log.log_id.key_id.0.as_slice()).map_err(|_| error())?;
    // protobuf-specs, sigstore_trustroot.proto: checkpointKeyId defaults to the log's ID.
    let checkpoint_key = match &log.checkpoint_key_id {
        Some(own) => own.key_id.0.as_slice(),
        None => id.as_bytes(),
    };
    let [a, b, c, d, ..] = *checkpoint_key else {
        return Err(error());
    };
    Ok(TrustedLog {
        validity: validity(&log.base_url, &log.public_key.valid_for)?,
        id,
        checkpoint_key: NoteKeyId([a, b, c, d]),
        key,
        base_url: log.base_url,
    })
}

/// Parses the log's key. Returns `None` if its type or size is not supported: one retired log with an old
/// key must not make the whole trusted root unusable, so its entries are treated as those of an unknown log.
fn log_key(log: &wire::TransparencyLog) -> Result<Option<PublicKey>, TrustedRootError> {
    let error = || TrustedRootError::Key(log.base_url.clone());
    let details = &log.public_key.key_details;
    let bytes = &log.public_key.raw_bytes.0;
    // `PKCS1_RSA_PKCS1V5` keys are a bare RSAPublicKey.
    let parsed = if details.starts_with("PKCS1_RSA_") {
        PublicKey::from_pkcs1(bytes)
    } else {
        PublicKey::from_spki_der(bytes)
    };
    let key = match parsed {
        Ok(key) => key,
        Err(KeyError::Unsupported | KeyError::Weak) => return Ok(None),
        Err(KeyError::Malformed) => return Err(error()),
    };
    let stated = KeyDetails::from_registry_name(details);
    if stated.is_ok_and(|details| details.algorithm() != key.algorithm()) {
        return Err(error());
    }
    Ok(Some(key))
}

fn chain(authority: &wire::Authority) -> Result<Vec<Certificate>, TrustedRootError> {
    let error = || TrustedRootError::Chain(authority.uri.clone());
    let certificates = &authority.cert_chain.certificates;
    if certificates.is_empty() {
        return Err(error());
    }
    certificates
        .iter()
        .map(|one| Certificate::from_der(&one.raw_bytes.0).map_err(|_| error()))
        .collect()
}

fn validity(of: &str, window: &wire::ValidFor) -> Result<Validity, TrustedRootError> {
    let error = || TrustedRootError::Validity(of.to_owned());
    let time = |text: &String| UnixTime::from_rfc3339(text).ok_or_else(error);
    let validity = Validity {
        start: time(&window.start)?,
        end: window.end.as_ref().map(time).transpose()?,
    };
    if validity.is_empty() {
        return Err(error());
    }
    Ok(validity)
}

#[cfg(test)]
mod tests;
