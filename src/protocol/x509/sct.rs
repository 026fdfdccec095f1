//! Signed certificate timestamps and what a certificate log keeps and signs (RFC 6962 §3).

use der::asn1::OctetStringRef;
use der::{Decode, Encode};

use super::Certificate;
use super::chain::VerifiedPath;
use super::extensions::{POISON, SCT_LIST};
use super::tbs;
use super::tls::{Reader, VectorTooLong, push_vector16, push_vector24};
use crate::protocol::bytes::{HashAlgorithm, Sha256};
use crate::protocol::keys::{
    KeyAlgorithm, PublicKey, SignatureInvalid, SignatureValid, SigningFailed, SigningKey,
};
use crate::protocol::time::{UnixTime, Validity};

/// A certificate-transparency log of a trust root.
#[derive(Clone, Debug)]
pub struct TrustedCtLog {
    /// The log's key; its ID is the key's fingerprint.
    pub key: PublicKey,
    /// When its timestamps are trusted.
    pub validity: Validity,
}

/// Evidence that a trusted log promised to include the certificate.
#[derive(Clone, Debug)]
pub struct VerifiedSct {
    /// The log's ID.
    pub log_id: Sha256,
    /// When the log saw the precertificate.
    pub time: UnixTime,
}

/// Why a certificate's SCTs do not suffice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SctError {
    /// The certificate has no SCT list
    #[error("the certificate carries no signed certificate timestamp")]
    Missing,
    /// The list is not what RFC 6962 §3.3 describes
    #[error("the certificate's list of signed certificate timestamps is malformed")]
    Malformed,
    /// No SCT is by a trusted log
    #[error("no signed certificate timestamp is by a trusted log")]
    NoTrustedLog,
    /// An SCT names a trusted log that did not sign it
    #[error("the signed certificate timestamp by log {0} does not verify")]
    Invalid(Sha256),
    /// An SCT is from outside the time in which its log is trusted
    #[error("the log {log_id} is not trusted at {time}, when it timestamped the certificate")]
    OutsideValidity {
        /// Which log.
        log_id: Sha256,
        /// The SCT's time.
        time: UnixTime,
    },
}

/// A signature with its algorithms named as TLS 1.2 names them (RFC 5246 §4.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigitallySigned {
    hash: u8,
    algorithm: u8,
    signature: Vec<u8>,
}

/// Why a log cannot sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogSigningError {
    /// SPEC RFC 6962 §2.1.4: P-256 or RSA, and SHA-256
    #[error("a certificate log signs with an ECDSA P-256 or RSA key, not with {}", .0.name())]
    Key(KeyAlgorithm),
    /// There was no randomness
    #[error(transparent)]
    Signing(#[from] SigningFailed),
    /// What is signed does not fit the format
    #[error(transparent)]
    TooLong(#[from] VectorTooLong),
}

impl DigitallySigned {
    const SHA256: u8 = 4;
    const RSA: u8 = 1;
    const ECDSA: u8 = 3;

    /// Signs as a certificate log does.
    ///
    /// # Errors
    /// See [`LogSigningError`].
    pub fn sign(key: &SigningKey, message: &[u8]) -> Result<Self, LogSigningError> {
        let kind = key.public_key().algorithm();
        let algorithm = Self::algorithm_of(kind)
            .filter(|_| kind.hash() == HashAlgorithm::Sha256)
            .ok_or(LogSigningError::Key(kind))?;
        Ok(Self {
            hash: Self::SHA256,
            algorithm,
            signature: key.sign(message)?,
        })
    }

    /// Verifies a log's signature: SHA-256 with the algorithm of the key's family.
    ///
    /// # Errors
    /// Other algorithms, or a signature that does not hold.
    pub fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
    ) -> Result<SignatureValid, SignatureInvalid> {
        // SPEC RFC 6962 §2.1.4: SHA-256 and nothing else.
        if self.hash != Self::SHA256 || Self::algorithm_of(key.algorithm()) != Some(self.algorithm)
        {
            return Err(SignatureInvalid);
        }
        key.verify_prehashed(&HashAlgorithm::Sha256.digest(message), &self.signature)
    }

    /// The encoded form: hash, algorithm, and the signature behind its two-byte length.
    ///
    /// # Errors
    /// A signature of more than 65,535 bytes.
    pub fn encode(&self) -> Result<Vec<u8>, VectorTooLong> {
        let mut out = vec![self.hash, self.algorithm];
        push_vector16(&mut out, &self.signature)?;
        Ok(out)
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            hash: reader.byte()?,
            algorithm: reader.byte()?,
            signature: reader.vector16()?.to_vec(),
        })
    }

    const fn algorithm_of(kind: KeyAlgorithm) -> Option<u8> {
        match kind {
            KeyAlgorithm::P256 | KeyAlgorithm::P384 | KeyAlgorithm::P521 => Some(Self::ECDSA),
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
                Some(Self::RSA)
            }
            KeyAlgorithm::Ed25519 => None,
        }
    }
}

/// What a certificate log records of a precertificate (RFC 6962 §3.2, `PreCert`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrecertEntry {
    /// SHA-256 of the issuer's SubjectPublicKeyInfo.
    pub issuer_key_hash: Sha256,
    /// The certificate's TBS without poison and without SCT list.
    pub tbs: Vec<u8>,
}

impl PrecertEntry {
    /// The entry that a certificate with embedded SCTs was logged as; none if it has no SCT list.
    pub fn rebuilt_from(certificate: &Certificate, issuer: &Certificate) -> Option<Self> {
        Some(Self {
            issuer_key_hash: issuer.public_key().fingerprint(),
            tbs: tbs::without_extension(certificate.tbs(), SCT_LIST)?,
        })
    }

    /// The entry for a precertificate; none if it has no poison.
    pub fn of_precertificate(precertificate: &Certificate, issuer: &Certificate) -> Option<Self> {
        Some(Self {
            issuer_key_hash: issuer.public_key().fingerprint(),
            tbs: tbs::without_extension(precertificate.tbs(), POISON)?,
        })
    }

    /// The entry with its time and extensions: these bytes are the log's MerkleTreeLeaf
    /// (RFC 6962 §3.4), and the same bytes are what an SCT signs (§3.2), because both begin with
    /// two zeros: version 1, and "timestamped entry" or "certificate timestamp".
    ///
    /// # Errors
    /// More bytes than the format's length fields can say.
    pub fn leaf(&self, time: UnixTime, extensions: &[u8]) -> Result<Vec<u8>, VectorTooLong> {
        const PRECERT_ENTRY: [u8; 2] = [0, 1];
        let mut out = Vec::with_capacity(self.tbs.len().saturating_add(64));
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&time.millis().to_be_bytes());
        out.extend_from_slice(&PRECERT_ENTRY);
        out.extend_from_slice(self.issuer_key_hash.as_bytes());
        push_vector24(&mut out, &self.tbs)?;
        push_vector16(&mut out, extensions)?;
        Ok(out)
    }
}

/// A `PrecertChainEntry` (RFC 6962 §4.6): the precertificate and the chain above it.
///
/// # Errors
/// More bytes than the format's length fields can say.
pub fn precert_chain_entry<'a>(
    precertificate: &[u8],
    chain: impl IntoIterator<Item = &'a Certificate>,
) -> Result<Vec<u8>, VectorTooLong> {
    let mut certificates = Vec::new();
    for certificate in chain {
        push_vector24(&mut certificates, certificate.der())?;
    }
    let mut out = Vec::new();
    push_vector24(&mut out, precertificate)?;
    push_vector24(&mut out, &certificates)?;
    Ok(out)
}

/// A signed certificate timestamp of version 1 (RFC 6962 §3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCertificateTimestamp {
    /// SHA-256 of the log's SubjectPublicKeyInfo.
    pub log_id: Sha256,
    /// When the log saw the entry.
    pub time: UnixTime,
    /// CtExtensions, most often empty.
    pub extensions: Vec<u8>,
    /// The log's signature over the entry.
    pub signature: DigitallySigned,
}

impl SignedCertificateTimestamp {
    /// Signs the promise for an entry, without extensions.
    ///
    /// # Errors
    /// See [`LogSigningError`].
    pub fn sign(
        key: &SigningKey,
        entry: &PrecertEntry,
        time: UnixTime,
    ) -> Result<Self, LogSigningError> {
        let signature = DigitallySigned::sign(key, &entry.leaf(time, &[])?)?;
        Ok(Self {
            log_id: key.public_key().fingerprint(),
            time,
            extensions: Vec::new(),
            signature,
        })
    }

    /// Verifies the promise for an entry.
    ///
    /// # Errors
    /// The signature does not hold.
    pub fn verify(
        &self,
        key: &PublicKey,
        entry: &PrecertEntry,
    ) -> Result<SignatureValid, SignatureInvalid> {
        let signed = entry
            .leaf(self.time, &self.extensions)
            .map_err(|_| SignatureInvalid)?;
        self.signature.verify(key, &signed)
    }

    fn encode(&self) -> Result<Vec<u8>, VectorTooLong> {
        let mut out = vec![V1];
        out.extend_from_slice(self.log_id.as_bytes());
        out.extend_from_slice(&self.time.millis().to_be_bytes());
        push_vector16(&mut out, &self.extensions)?;
        out.extend_from_slice(&self.signature.encode()?);
        Ok(out)
    }

    /// Reads one, behind its version byte.
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let sct = Self {
            log_id: Sha256::from_bytes(reader.array()?),
            time: UnixTime::from_millis(reader.u64()?),
            extensions: reader.vector16()?.to_vec(),
            signature: DigitallySigned::read(reader)?,
        };
        reader.is_empty().then_some(sct)
    }
}

const V1: u8 = 0;

/// The value of the SCT list extension (RFC 6962 §3.3): a DER octet string with the TLS list.
///
/// # Errors
/// More bytes than the format's length fields can say.
pub fn encode_sct_list(scts: &[SignedCertificateTimestamp]) -> Result<Vec<u8>, VectorTooLong> {
    let mut items = Vec::new();
    for sct in scts {
        push_vector16(&mut items, &sct.encode()?)?;
    }
    let mut list = Vec::new();
    push_vector16(&mut list, &items)?;
    let too_long = |_| VectorTooLong(list.len());
    OctetStringRef::new(&list)
        .and_then(|list| list.to_der())
        .map_err(too_long)
}

/// Reads the value of the SCT list extension. SCTs of versions other than 1 are left out.
///
/// # Errors
/// [`SctError::Malformed`], also for an empty list.
pub fn parse_sct_list(value: &[u8]) -> Result<Vec<SignedCertificateTimestamp>, SctError> {
    read_sct_list(value).ok_or(SctError::Malformed)
}

fn read_sct_list(value: &[u8]) -> Option<Vec<SignedCertificateTimestamp>> {
    let list = OctetStringRef::from_der(value).ok()?;
    let mut outer = Reader::new(list.as_bytes());
    let mut items = Reader::new(outer.vector16()?);
    if !outer.is_empty() || items.is_empty() {
        return None;
    }
    let mut scts = Vec::new();
    while !items.is_empty() {
        let mut item = Reader::new(items.vector16()?);
        if item.byte()? == V1 {
            scts.push(SignedCertificateTimestamp::read(&mut item)?);
        }
    }
    Some(scts)
}

/// Verifies the embedded SCTs (RFC 6962 §3.2): returns one for each distinct trusted log whose
/// SCT holds over the precertificate rebuilt from `leaf`, at least one. An SCT of an unknown log
/// is skipped; one of a known log that does not verify is an error.
///
/// # Errors
/// See [`SctError`].
pub fn verify_scts(
    leaf: &Certificate,
    path: &VerifiedPath,
    logs: &[TrustedCtLog],
) -> Result<Vec<VerifiedSct>, SctError> {
    let list = leaf.extensions().find(SCT_LIST).ok_or(SctError::Missing)?;
    let scts = parse_sct_list(&list.value)?;
    let entry = PrecertEntry::rebuilt_from(leaf, path.issuer()).ok_or(SctError::Malformed)?;
    let mut verified: Vec<VerifiedSct> = Vec::new();
    for sct in scts {
        if let Some(evidence) = verify_sct(&sct, &entry, logs)?
            && !verified.iter().any(|seen| seen.log_id == evidence.log_id)
        {
            verified.push(evidence);
        }
    }
    if verified.is_empty() {
        return Err(SctError::NoTrustedLog);
    }
    Ok(verified)
}

/// One SCT; none if it is of an unknown log.
fn verify_sct(
    sct: &SignedCertificateTimestamp,
    entry: &PrecertEntry,
    logs: &[TrustedCtLog],
) -> Result<Option<VerifiedSct>, SctError> {
    let SignedCertificateTimestamp { log_id, time, .. } = *sct;
    let mut of_this_id = logs
        .iter()
        .filter(|log| log.key.fingerprint() == log_id)
        .peekable();
    let Some(first) = of_this_id.peek() else {
        return Ok(None);
    };
    let _ = sct
        .verify(&first.key, entry)
        .map_err(|_| SctError::Invalid(log_id))?;
    // A trust root may list one log several times, with a window each.
    if of_this_id.any(|log| log.validity.contains(time)) {
        Ok(Some(VerifiedSct { log_id, time }))
    } else {
        Err(SctError::OutsideValidity { log_id, time })
    }
}

#[cfg(test)]
mod tests {
    use super::super::chain::{TrustedAuthority, verify_path};
    use super::super::testing::{NOW, TestAuthority};
    use super::*;
    use der::asn1::ObjectIdentifier;

    struct Logged {
        leaf: Certificate,
        precertificate: Certificate,
        path: VerifiedPath,
        log: TrustedCtLog,
    }

    fn logged(ca: &TestAuthority, scts: usize) -> Logged {
        let (log_key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        let unsigned = ca.leaf(key.public_key());
        let precertificate = unsigned
            .with_poison()
            .unwrap()
            .sign_certificate(&ca.key)
            .unwrap();
        let entry = PrecertEntry::of_precertificate(&precertificate, &ca.intermediate).unwrap();
        let sct = SignedCertificateTimestamp::sign(&log_key, &entry, NOW).unwrap();
        let leaf = unsigned
            .with_scts(&vec![sct; scts])
            .unwrap()
            .sign_certificate(&ca.key)
            .unwrap();
        let path = verify_path(&leaf, &ca.trusted(), NOW).unwrap();
        let log = TrustedCtLog {
            key: log_key.public_key().clone(),
            validity: Validity {
                start: NOW,
                end: Some(NOW),
            },
        };
        Logged {
            leaf,
            precertificate,
            path,
            log,
        }
    }

    #[test]
    fn a_certificate_of_the_public_instance_verifies() {
        let leaf = include_str!("../../../tests/vectors/x509/public-good-leaf.pem");
        let chain = include_str!("../../../tests/vectors/x509/public-good-chain.pem");
        let key = include_str!("../../../tests/vectors/x509/public-good-ctlog.pub.pem");
        let leaf = Certificate::from_pem(leaf).unwrap();
        let always = Validity {
            start: UnixTime::from_seconds(0),
            end: None,
        };
        let authority = TrustedAuthority {
            chain: Certificate::chain_from_pem(chain).unwrap(),
            validity: always,
        };
        let log = TrustedCtLog {
            key: PublicKey::from_pem(key).unwrap(),
            validity: always,
        };
        let signed_at = UnixTime::from_rfc3339("2024-03-19T17:26:26Z").unwrap();

        let path = verify_path(&leaf, &authority, signed_at).unwrap();
        let scts = verify_scts(&leaf, &path, &[log]).unwrap();

        assert_eq!(scts[0].time.seconds(), signed_at.seconds());
        let issuer = "https://token.actions.githubusercontent.com";
        assert_eq!(leaf.oidc_issuer(), Some(issuer));
        assert_eq!(leaf.extensions().fulcio(2), Some("workflow_dispatch"));
        assert_eq!(leaf.extensions().fulcio(20), Some("workflow_dispatch"));
    }

    #[test]
    fn precertificate_and_certificate_differ_in_their_last_extension_only() {
        let case = logged(&TestAuthority::new("Intermediate"), 1);

        // Rebuilt by x509-cert's reader and writer, which share no code with ours.
        let rebuilt = |certificate: &Certificate, id: &str| {
            let mut tbs = x509_cert::Certificate::from_der(certificate.der())
                .unwrap()
                .tbs_certificate;
            let last = tbs.extensions.as_mut().unwrap().pop().unwrap();
            assert_eq!(last.extn_id, ObjectIdentifier::new_unwrap(id));
            tbs.to_der().unwrap()
        };
        let from_precertificate = rebuilt(&case.precertificate, "1.3.6.1.4.1.11129.2.4.3");
        let from_certificate = rebuilt(&case.leaf, "1.3.6.1.4.1.11129.2.4.2");

        assert_eq!(from_precertificate, from_certificate);
        let entry = PrecertEntry::rebuilt_from(&case.leaf, case.path.issuer()).unwrap();
        assert_eq!(entry.tbs, from_certificate);
    }

    #[test]
    fn an_embedded_sct_verifies_and_counts_once_for_each_log() {
        for copies in [1, 2] {
            let case = logged(&TestAuthority::new("Intermediate"), copies);

            let verified =
                verify_scts(&case.leaf, &case.path, std::slice::from_ref(&case.log)).unwrap();

            assert_eq!(verified.len(), 1);
            assert_eq!(verified[0].log_id, case.log.key.fingerprint());
            assert_eq!(verified[0].time, NOW);
        }
    }

    #[test]
    fn an_sct_of_an_unknown_log_or_from_outside_its_window_is_no_evidence() {
        let ca = TestAuthority::new("Intermediate");
        let mut case = logged(&ca, 1);
        let other = logged(&ca, 1);

        let unknown = verify_scts(&case.leaf, &case.path, &[other.log]);
        assert_eq!(unknown.unwrap_err(), SctError::NoTrustedLog);

        let log_id = case.log.key.fingerprint();
        case.log.validity.start = UnixTime::from_millis(NOW.millis() + 1);
        case.log.validity.end = None;
        let late = verify_scts(&case.leaf, &case.path, std::slice::from_ref(&case.log));
        let expected = SctError::OutsideValidity { log_id, time: NOW };
        assert_eq!(late.unwrap_err(), expected);
    }

    #[test]
    fn an_sct_given_for_another_certificate_or_issuer_is_refused() {
        let ca = TestAuthority::new("Intermediate");
        let twin = TestAuthority::new("Intermediate");
        let case = logged(&ca, 1);
        let foreign_path = logged(&twin, 1).path;

        // The twin has the same name and another key: the issuer's key is what the SCT covers.
        let swapped = verify_scts(&case.leaf, &foreign_path, std::slice::from_ref(&case.log));
        assert_eq!(
            swapped.unwrap_err(),
            SctError::Invalid(case.log.key.fingerprint())
        );

        let stolen = case.leaf.extensions().find(SCT_LIST).unwrap().value.clone();
        let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        let leaf = ca
            .leaf(key.public_key())
            .with_scts(&parse_sct_list(&stolen).unwrap())
            .unwrap()
            .sign_certificate(&ca.key)
            .unwrap();
        assert!(verify_scts(&leaf, &case.path, &[case.log]).is_err());
    }

    #[test]
    fn a_certificate_without_scts_is_refused() {
        let ca = TestAuthority::new("Intermediate");
        let case = logged(&ca, 1);

        let refused = verify_scts(&ca.signed_leaf(), &case.path, &[case.log]);

        assert_eq!(refused.unwrap_err(), SctError::Missing);
    }

    #[test]
    fn a_list_survives_being_written_and_read_and_no_cut_of_it_does() {
        let case = logged(&TestAuthority::new("Intermediate"), 2);
        let value = &case.leaf.extensions().find(SCT_LIST).unwrap().value;

        let scts = parse_sct_list(value).unwrap();

        assert_eq!(&encode_sct_list(&scts).unwrap(), value);
        for length in 0..value.len() {
            assert!(parse_sct_list(&value[..length]).is_err());
        }
        assert!(parse_sct_list(&[4, 2, 0, 0]).is_err());
    }

    #[test]
    fn only_keys_of_rfc_6962_sign_for_a_log() {
        for kind in [KeyAlgorithm::Ed25519, KeyAlgorithm::P384] {
            let (key, _) = SigningKey::generate(kind).unwrap();
            let refused = DigitallySigned::sign(&key, b"x");
            assert_eq!(refused, Err(LogSigningError::Key(kind)));
        }
    }

    #[test]
    fn a_leaf_and_its_extra_data_have_the_layout_of_the_contract() {
        let entry = PrecertEntry {
            issuer_key_hash: Sha256::from_bytes([7; 32]),
            tbs: vec![1, 2, 3],
        };
        let leaf = entry.leaf(UnixTime::from_millis(0x0102), &[]).unwrap();

        let head = [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 1];
        let tail = [0, 0, 3, 1, 2, 3, 0, 0];
        assert_eq!(leaf, [&head[..], &[7; 32], &tail].concat());

        let extra = precert_chain_entry(&[9], []).unwrap();
        assert_eq!(extra, [0, 0, 1, 9, 0, 0, 0]);
    }
}
