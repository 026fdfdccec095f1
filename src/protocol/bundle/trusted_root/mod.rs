//! The trust root (`dev.sigstore.trustroot.v1.TrustedRoot`): whom a verifier believes, and when.

mod name;
pub(crate) mod wire;

use der::Encode;
use der::asn1::{BitStringRef, Null};
use spki::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use crate::protocol::bytes::Sha256;
use crate::protocol::json;
use crate::protocol::keys::{KeyDetails, KeyError, PublicKey};
use crate::protocol::note::KeyId;
use crate::protocol::time::{UnixTime, Validity};
use crate::protocol::tsp::TrustedTsa;
use crate::protocol::x509::{Certificate, TrustedAuthority, TrustedCtLog};

/// The largest trust root that is read, in bytes.
pub(crate) const MAX_TRUSTED_ROOT_LENGTH: usize = 4 * 1024 * 1024;

/// The only media type that the field's clients agree on.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";

/// Whom a verifier believes.
#[derive(Clone, Debug, Default)]
pub struct TrustedRoot {
    /// The signature logs.
    pub logs: Vec<TrustedLog>,
    /// The authorities that certify signers.
    pub authorities: Vec<TrustedAuthority>,
    /// The logs of certificates.
    pub ct_logs: Vec<TrustedCtLog>,
    /// The timestamp authorities.
    pub timestamp_authorities: Vec<TrustedTsa>,
    /// The logs left out because their key is of a kind that is not accepted here.
    pub left_out: Vec<String>,
}

/// A signature log of a trust root.
#[derive(Clone, Debug)]
pub struct TrustedLog {
    /// Where the log is, for messages.
    pub base_url: String,
    /// The log's key.
    pub key: PublicKey,
    /// The log's ID, by which entries name it.
    pub id: Sha256,
    /// What marks the log's signatures on checkpoints; most often the ID's first four bytes.
    pub checkpoint_key: KeyId,
    /// When the log is trusted.
    pub validity: Validity,
}

/// Why a document is no trust root.
#[derive(Debug, thiserror::Error)]
pub enum TrustedRootError {
    /// Over [`MAX_TRUSTED_ROOT_LENGTH`]
    #[error("the trusted root has {0} bytes; the limit is {MAX_TRUSTED_ROOT_LENGTH}")]
    TooLarge(usize),
    /// Not JSON of the form
    #[error("this is not a trusted root: {0}")]
    Json(#[source] serde_json::Error),
    /// A media type other than [`MEDIA_TYPE`]
    #[error("mediaType must be {MEDIA_TYPE}")]
    MediaType,
    /// A time that is not RFC 3339, or a window that ends before it starts
    #[error("validFor of {0} is not a window of two RFC 3339 times")]
    Validity(String),
    /// A log ID of another length
    #[error("logId.keyId of {0} must have 32 bytes, and checkpointKeyId at least 4")]
    LogId(String),
    /// A key that cannot be read, or is not what keyDetails says
    #[error("publicKey of {0} is not the key that keyDetails names")]
    Key(String),
    /// An authority without a certificate, or with one that cannot be read
    #[error("certChain of {0} must have one valid DER certificate or more")]
    Chain(String),
}

impl TrustedRoot {
    /// Reads a trust root, consuming every byte.
    ///
    /// # Errors
    /// See [`TrustedRootError`].
    pub fn from_json(json: &[u8]) -> Result<Self, TrustedRootError> {
        if json.len() > MAX_TRUSTED_ROOT_LENGTH {
            return Err(TrustedRootError::TooLarge(json.len()));
        }
        let document: wire::TrustedRoot = json::from_slice(json).map_err(TrustedRootError::Json)?;
        Self::try_from(document)
    }

    /// The logs with this ID, in the order of the trust root: one log may be listed several times,
    /// retired and current, with a window each.
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
                None => root.left_out.push(log.base_url),
            }
        }
        for log in document.ctlogs {
            match log_key(&log)? {
                Some(key) => root.ct_logs.push(TrustedCtLog {
                    validity: validity(&log.base_url, &log.public_key.valid_for)?,
                    key,
                    base_url: log.base_url,
                }),
                None => root.left_out.push(log.base_url),
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
    let wrong = || TrustedRootError::LogId(log.base_url.clone());
    let id = Sha256::try_from(log.log_id.key_id.0.as_slice()).map_err(|_| wrong())?;
    // SPEC trustroot.v1: without a checkpointKeyId, the log's ID stands for it.
    let checkpoint_key = match &log.checkpoint_key_id {
        Some(own) => own.key_id.0.as_slice(),
        None => id.as_bytes(),
    };
    let [a, b, c, d, ..] = *checkpoint_key else {
        return Err(wrong());
    };
    Ok(TrustedLog {
        validity: validity(&log.base_url, &log.public_key.valid_for)?,
        id,
        checkpoint_key: KeyId([a, b, c, d]),
        key,
        base_url: log.base_url,
    })
}

/// The log's key; none where it is of a kind that is not accepted, so that one retired log with
/// an old key does not make the whole trust root unusable. Its entries then count as unknown.
fn log_key(log: &wire::TransparencyLog) -> Result<Option<PublicKey>, TrustedRootError> {
    let wrong = || TrustedRootError::Key(log.base_url.clone());
    let details = &log.public_key.key_details;
    let bytes = &log.public_key.raw_bytes.0;
    let parsed = if details.starts_with("PKCS1_RSA_") {
        PublicKey::from_spki_der(&spki_from_pkcs1(bytes).ok_or_else(wrong)?)
    } else {
        PublicKey::from_spki_der(bytes)
    };
    let key = match parsed {
        Ok(key) => key,
        Err(KeyError::Unsupported | KeyError::Weak) => return Ok(None),
        Err(KeyError::Malformed) => return Err(wrong()),
    };
    let known = serde_json::from_value::<KeyDetails>(details.as_str().into());
    if known.is_ok_and(|details| details.algorithm() != key.algorithm()) {
        return Err(wrong());
    }
    Ok(Some(key))
}

/// `PKCS1_RSA_PKCS1V5` keys are a bare RSAPublicKey (RFC 8017 §A.1.1).
fn spki_from_pkcs1(bytes: &[u8]) -> Option<Vec<u8>> {
    let spki = SubjectPublicKeyInfo {
        algorithm: AlgorithmIdentifier {
            oid: const_oid::db::rfc5912::RSA_ENCRYPTION,
            parameters: Some(Null),
        },
        subject_public_key: BitStringRef::from_bytes(bytes).ok()?,
    };
    spki.to_der().ok()
}

fn chain(authority: &wire::Authority) -> Result<Vec<Certificate>, TrustedRootError> {
    let wrong = || TrustedRootError::Chain(authority.uri.clone());
    let certificates = &authority.cert_chain.certificates;
    if certificates.is_empty() {
        return Err(wrong());
    }
    certificates
        .iter()
        .map(|one| Certificate::from_der(&one.raw_bytes.0).map_err(|_| wrong()))
        .collect()
}

fn validity(of: &str, window: &wire::ValidFor) -> Result<Validity, TrustedRootError> {
    let wrong = || TrustedRootError::Validity(of.to_owned());
    let start = UnixTime::from_rfc3339(&window.start).ok_or_else(wrong)?;
    let end = match &window.end {
        Some(end) => Some(UnixTime::from_rfc3339(end).ok_or_else(wrong)?),
        None => None,
    };
    if end.is_some_and(|end| end < start) {
        return Err(wrong());
    }
    Ok(Validity { start, end })
}

#[cfg(test)]
mod tests;
