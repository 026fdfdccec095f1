//! A minimal Sigstore instance for tests: a certificate authority, logs, a timestamp authority and a signer.

use std::time::Duration;

use super::*;
use crate::protocol::attestation::dsse::{Envelope, EnvelopeSignature};
use crate::protocol::bundle::{
    BundleVersion, Content, InclusionProof, LogEntry, SigningMaterial, TrustedLog,
};
use crate::protocol::bytes::to_base64;
use crate::protocol::hash::{HashAlgorithm, Sha256};
use crate::protocol::keys::{KeyAlgorithm, SigningKey};
use crate::protocol::merkle::{TreeSize, leaf_hash, node_hash};
use crate::protocol::note::NoteKey;
use crate::protocol::note::checkpoint::sign_checkpoint;
use crate::protocol::policy::IdentityMatcher;
use crate::protocol::time::Validity;
use crate::protocol::tsp::testing::TestTsa;
use crate::protocol::tsp::{Serial, TimestampRequest};
use crate::protocol::x509::sct::{PrecertEntry, SignedCertificateTimestamp};
use crate::protocol::x509::testing::{NOW, TestAuthority};
use crate::protocol::x509::{Certificate, TrustedCtLog};

pub(crate) const ARTIFACT: &[u8] = b"artifact";
pub(crate) const ISSUER: &str = "https://idp.example";
pub(crate) const SUBJECT: &str = "alice@example.com";
pub(crate) const FIRST_INDEX: u64 = 1000;

pub(crate) struct World {
    pub(crate) authority: TestAuthority,
    pub(crate) ct_log: SigningKey,
    pub(crate) log: SigningKey,
    pub(crate) tiles_log: SigningKey,
    pub(crate) tsa: TestTsa,
    pub(crate) signer: SigningKey,
    pub(crate) trust: TrustedRoot,
}

/// Time at which the log accepted the entry.
pub(crate) fn entry_time() -> UnixTime {
    NOW.after(Duration::from_secs(60))
}

pub(crate) fn always() -> Validity {
    Validity {
        start: UnixTime::from_millis(0),
        end: None,
    }
}

pub(crate) fn generate(algorithm: KeyAlgorithm) -> SigningKey {
    SigningKey::generate(algorithm).unwrap().0
}

pub(crate) fn note_key(name: &str, key: &SigningKey) -> NoteKey {
    NoteKey::new(name, key.public_key().clone()).unwrap()
}

pub(crate) fn trusted_log(key: &SigningKey, base_url: &str) -> TrustedLog {
    TrustedLog {
        base_url: base_url.to_owned(),
        key: key.public_key().clone(),
        id: key.public_key().fingerprint(),
        checkpoint_key: note_key("log.example", key).id(),
        validity: always(),
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_signer(KeyAlgorithm::P256)
    }

    pub(crate) fn with_signer(algorithm: KeyAlgorithm) -> Self {
        let authority = TestAuthority::new("CA");
        let (ct_log, log) = (generate(KeyAlgorithm::P256), generate(KeyAlgorithm::P256));
        let tiles_log = generate(KeyAlgorithm::Ed25519);
        let tsa = TestTsa::new();
        let mut tiles = trusted_log(&tiles_log, "https://tiles.example");
        let tiles_key = note_key("tiles.example", &tiles_log);
        tiles.id = *tiles_key.hash();
        tiles.checkpoint_key = tiles_key.id();
        let trust = TrustedRoot {
            logs: vec![trusted_log(&log, "https://log.example"), tiles],
            authorities: vec![authority.trusted()],
            ct_logs: vec![TrustedCtLog {
                base_url: "https://ct.example".to_owned(),
                key: ct_log.public_key().clone(),
                validity: always(),
            }],
            timestamp_authorities: vec![tsa.trusted()],
            unsupported_logs: Vec::new(),
        };
        Self {
            authority,
            ct_log,
            log,
            tiles_log,
            tsa,
            signer: generate(algorithm),
            trust,
        }
    }

    pub(crate) fn leaf(&self) -> Certificate {
        let unsigned = self.authority.leaf(self.signer.public_key());
        let precertificate = unsigned
            .with_poison()
            .unwrap()
            .sign_certificate(&self.authority.key)
            .unwrap();
        let issuer = &self.authority.intermediate;
        let entry = PrecertEntry::of_precertificate(&precertificate, issuer).unwrap();
        let sct = SignedCertificateTimestamp::sign(&self.ct_log, &entry, NOW).unwrap();
        unsigned
            .with_scts(&[sct])
            .unwrap()
            .sign_certificate(&self.authority.key)
            .unwrap()
    }

    /// A valid v0.3 bundle over the artifact with a hashedrekord 0.0.1 entry.
    pub(crate) fn message(&self) -> Bundle {
        let leaf = self.leaf();
        let digest = self.hash().digest(ARTIFACT);
        let signature = self.signer.sign(ARTIFACT).unwrap();
        let body = hashedrekord_v1(&digest, &signature, &leaf.to_pem());
        Bundle {
            version: BundleVersion::V0_3,
            material: SigningMaterial::Certificate(leaf.der().to_vec()),
            entries: vec![self.entry(("hashedrekord", "0.0.1"), body, FIRST_INDEX)],
            timestamps: Vec::new(),
            content: Content::Message {
                digest: Some(digest),
                signature,
            },
        }
    }

    /// A bundle like those of `signet sign`: v0.3 with a Rekor v2 entry and a timestamp.
    pub(crate) fn native(&self) -> Bundle {
        let mut bundle = self.message();
        let digest = Sha256::of(ARTIFACT);
        let body = hashedrekord_v2(&bundle, digest.as_bytes(), "PKIX_ECDSA_P256_SHA_256");
        bundle.entries = vec![self.tiles_entry(body)];
        bundle.timestamps = vec![self.timestamp(signature(&bundle), entry_time())];
        bundle
    }

    /// A Rekor v2 entry in a tree of two leaves, without promise or integrated time.
    pub(crate) fn tiles_entry(&self, body: String) -> LogEntry {
        let log = &self.tiles_log;
        let mut entry = entry_of(
            log,
            ("hashedrekord", "0.0.2"),
            body.into_bytes(),
            1,
            entry_time(),
        );
        let key = note_key("tiles.example", log);
        entry.log_id = key.hash().as_bytes().to_vec();
        entry.promise = None;
        entry.integrated_time = 0;
        let proof = entry.proof.as_mut().unwrap();
        let size = TreeSize::new(proof.tree_size);
        proof.checkpoint = Some(sign_checkpoint(log, &key, size, &proof.root).unwrap());
        entry
    }

    /// A timestamp response over a signature.
    pub(crate) fn timestamp(&self, signature: &[u8], at: UnixTime) -> Vec<u8> {
        let imprint = Sha256::of(signature).into();
        let request = TimestampRequest::new(imprint, None, false);
        let serial = Serial::from_random([7; 20]);
        self.tsa.signer().grant(&request, serial, at).unwrap()
    }

    /// A valid v0.3 bundle with a statement about the artifact and a dsse 0.0.1 entry.
    pub(crate) fn attestation(&self) -> Bundle {
        self.attestation_of(&statement_about(ARTIFACT))
    }

    pub(crate) fn attestation_of(&self, payload: &str) -> Bundle {
        let leaf = self.leaf();
        let mut envelope = Envelope {
            payload: payload.as_bytes().to_vec(),
            payload_type: "application/vnd.in-toto+json".to_owned(),
            signatures: Vec::new(),
        };
        let signature = self
            .signer
            .sign(&envelope.pre_authentication_encoding())
            .unwrap();
        let body = dsse_v1(payload.as_bytes(), &signature, &leaf.to_pem());
        envelope.signatures.push(EnvelopeSignature {
            signature,
            key_id: None,
        });
        Bundle {
            version: BundleVersion::V0_3,
            material: SigningMaterial::Certificate(leaf.der().to_vec()),
            entries: vec![self.entry(("dsse", "0.0.1"), body, FIRST_INDEX)],
            timestamps: Vec::new(),
            content: Content::Envelope(envelope),
        }
    }

    /// A bundle without a certificate.
    pub(crate) fn managed(&self) -> Bundle {
        let mut bundle = self.message();
        let digest = self.hash().digest(ARTIFACT);
        let body = hashedrekord_v1(
            &digest,
            signature(&bundle),
            &self.signer.public_key().to_pem(),
        );
        bundle.entries = vec![self.entry(("hashedrekord", "0.0.1"), body, FIRST_INDEX)];
        bundle.material = SigningMaterial::PublicKey {
            hint: String::new(),
        };
        bundle
    }

    pub(crate) fn hash(&self) -> HashAlgorithm {
        self.signer.public_key().algorithm().hash()
    }

    /// A Rekor v1 entry in a tree of two leaves, with promise, inclusion proof and checkpoint.
    pub(crate) fn entry(&self, kind: (&str, &str), body: String, index: u64) -> LogEntry {
        entry_of(&self.log, kind, body.into_bytes(), index, entry_time())
    }

    pub(crate) fn verdict_at(&self, bundle: &Bundle, now: UnixTime) -> Result<Verified, Refusal> {
        let matcher = IdentityMatcher::exact(ISSUER, SUBJECT).unwrap();
        let expectation = Expectation::Identity(Policy::any_of([matcher]).unwrap());
        let artifact = Artifact::from_bytes(ARTIFACT);
        verify(bundle, &artifact, &expectation, &self.trust, now).map_err(|refused| refused.reason)
    }

    pub(crate) fn authentic(&self, bundle: &Bundle) -> Authentic {
        let artifact = Artifact::from_bytes(ARTIFACT);
        authenticate(bundle, &artifact, None, &self.trust, entry_time()).unwrap()
    }

    pub(crate) fn verdict(&self, bundle: &Bundle) -> Result<Verified, Refusal> {
        self.verdict_at(bundle, entry_time())
    }

    pub(crate) fn code(&self, bundle: &Bundle) -> &'static str {
        match self.verdict(bundle) {
            Ok(_) => "verified",
            Err(reason) => reason.code(),
        }
    }
}

pub(crate) fn signature(bundle: &Bundle) -> &[u8] {
    match &bundle.content {
        Content::Message { signature, .. } => signature,
        Content::Envelope(envelope) => &envelope.signatures[0].signature,
    }
}

pub(crate) fn entry_of(
    log: &SigningKey,
    (kind, version): (&str, &str),
    body: Vec<u8>,
    index: u64,
    at: UnixTime,
) -> LogEntry {
    let first = leaf_hash(b"an earlier entry");
    let root = node_hash(&first, &leaf_hash(&body));
    let log_id = log.public_key().fingerprint();
    let promised = format!(
        r#"{{"body":"{}","integratedTime":{},"logID":"{}","logIndex":{index}}}"#,
        to_base64(&body),
        at.seconds(),
        log_id.to_hex(),
    );
    let note_key = note_key("log.example", log);
    LogEntry {
        index,
        log_id: log_id.as_bytes().to_vec(),
        kind: kind.to_owned(),
        version: version.to_owned(),
        integrated_time: at.seconds(),
        promise: Some(log.sign(promised.as_bytes()).unwrap()),
        proof: Some(InclusionProof {
            index: 1,
            tree_size: 2,
            root,
            hashes: vec![first],
            checkpoint: Some(sign_checkpoint(log, &note_key, TreeSize::new(2), &root).unwrap()),
        }),
        body,
    }
}

pub(crate) fn hashedrekord_v1(
    digest: &crate::protocol::hash::Digest,
    signature: &[u8],
    pem: &str,
) -> String {
    let algorithm = digest.algorithm().name();
    format!(
        r#"{{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{{"data":{{"hash":{{"algorithm":"{algorithm}","value":"{}"}}}},"signature":{{"content":"{}","publicKey":{{"content":"{}"}}}}}}}}"#,
        hex::encode(digest.as_bytes()),
        to_base64(signature),
        to_base64(pem.as_bytes()),
    )
}

pub(crate) fn dsse_v1(payload: &[u8], signature: &[u8], pem: &str) -> String {
    format!(
        r#"{{"apiVersion":"0.0.1","kind":"dsse","spec":{{"envelopeHash":{{"algorithm":"sha256","value":"00"}},"payloadHash":{{"algorithm":"sha256","value":"{}"}},"signatures":[{{"signature":"{}","verifier":"{}"}}]}}}}"#,
        Sha256::of(payload).to_hex(),
        to_base64(signature),
        to_base64(pem.as_bytes()),
    )
}

pub(crate) fn hashedrekord_v2(bundle: &Bundle, digest: &[u8], details: &str) -> String {
    format!(
        r#"{{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{{"hashedRekordV002":{{"data":{{"algorithm":"SHA2_256","digest":"{}"}},"signature":{{"content":"{}","verifier":{{"keyDetails":"{details}","x509Certificate":{{"rawBytes":"{}"}}}}}}}}}}}}"#,
        to_base64(digest),
        to_base64(signature(bundle)),
        to_base64(bundle.material.certificate().unwrap()),
    )
}

pub(crate) fn dsse_v2(bundle: &Bundle, payload_hash: &[u8]) -> String {
    format!(
        r#"{{"apiVersion":"0.0.2","kind":"dsse","spec":{{"dsseV002":{{"payloadHash":{{"algorithm":"SHA2_256","digest":"{}"}},"signatures":[{{"content":"{}","verifier":{{"keyDetails":"PKIX_ECDSA_P256_SHA_256","x509Certificate":{{"rawBytes":"{}"}}}}}}]}}}}}}"#,
        to_base64(payload_hash),
        to_base64(signature(bundle)),
        to_base64(bundle.material.certificate().unwrap()),
    )
}

pub(crate) fn statement_about(artifact: &[u8]) -> String {
    format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"a","digest":{{"sha256":"{}"}}}}],"predicateType":"p","predicate":{{}}}}"#,
        Sha256::of(artifact).to_hex()
    )
}
