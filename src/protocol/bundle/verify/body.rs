//! A log entry's body is for this signature, this key and this content.
//!
//! The body's bytes were proved to be in the log; here they are read strictly and held against
//! the bundle, member by member. Each kind says which members bind it.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Refusal;
use super::content::SignedContent;
use super::form::{ClaimedSigner, Form};
use crate::protocol::bundle::LogEntry;
use crate::protocol::bundle::dsse::Envelope;
use crate::protocol::bytes::{Base64, Digest, HashAlgorithm, Sha256, from_base64};
use crate::protocol::entry::{RawVerifier, UnverifiedHashedRekord};
use crate::protocol::json;
use crate::protocol::keys::KeyDetails;

/// Checks that the entry is for what the bundle holds.
pub(super) fn check(
    entry: &LogEntry,
    form: &Form<'_>,
    content: &SignedContent<'_>,
) -> Result<(), Refusal> {
    let entry = Entry { entry, form };
    let kind = entry.entry.kind.as_str();
    let version = entry.entry.version.as_str();
    match (kind, version, content) {
        ("hashedrekord", "0.0.1", SignedContent::Message { digest }) => {
            entry.check_hashedrekord_v1(digest)
        }
        ("hashedrekord", "0.0.2", _) => {
            entry.check_hashedrekord_v2(&content.logged_digest(form.claimed().key()))
        }
        ("dsse", "0.0.1", SignedContent::Envelope { envelope, .. }) => {
            entry.check_dsse_v1(envelope)
        }
        ("dsse", "0.0.2", SignedContent::Envelope { envelope, .. }) => {
            entry.check_dsse_v2(envelope)
        }
        ("intoto", "0.0.2", SignedContent::Envelope { envelope, .. }) => {
            entry.check_intoto_v2(envelope)
        }
        _ => Err(Refusal::Kind {
            kind: kind.to_owned(),
            version: version.to_owned(),
        }),
    }
}

struct Entry<'a> {
    entry: &'a LogEntry,
    form: &'a Form<'a>,
}

impl Entry<'_> {
    fn check_hashedrekord_v1(&self, digest: &Digest) -> Result<(), Refusal> {
        let spec: v1::HashedRekord = self.spec()?;
        self.check_signature(&spec.signature.content.0)?;
        self.check_pem(&spec.signature.public_key.content.0)?;
        self.same(spec.data.hash.is(digest), "artifact")
    }

    fn check_dsse_v1(&self, envelope: &Envelope) -> Result<(), Refusal> {
        let spec: v1::Dsse = self.spec()?;
        let [signature] = spec.signatures.as_slice() else {
            return Err(self.other("signature"));
        };
        self.check_signature(&signature.signature.0)?;
        self.check_pem(&signature.verifier.0)?;
        let payload = Sha256::of(&envelope.payload).into();
        self.same(spec.payload_hash.is(&payload), "payload")
    }

    fn check_intoto_v2(&self, envelope: &Envelope) -> Result<(), Refusal> {
        let spec: v1::Intoto = self.spec()?;
        let logged = &spec.content.envelope;
        let [signature] = logged.signatures.as_slice() else {
            return Err(self.other("signature"));
        };
        // SPEC rekor intoto 0.0.2: signature and payload are base64 of base64.
        let decoded = |twice: &Base64| {
            std::str::from_utf8(&twice.0)
                .ok()
                .and_then(|text| from_base64(text).ok())
                .ok_or_else(|| self.malformed())
        };
        self.check_signature(&decoded(&signature.sig)?)?;
        self.check_pem(&signature.public_key.0)?;
        self.same(logged.payload_type == envelope.payload_type, "payload type")?;
        if let Some(payload) = &logged.payload {
            self.same(decoded(payload)? == envelope.payload, "payload")?;
        }
        let payload = Sha256::of(&envelope.payload).into();
        self.same(spec.content.payload_hash.is(&payload), "payload")
    }

    fn check_hashedrekord_v2(&self, digest: &Digest) -> Result<(), Refusal> {
        let record =
            UnverifiedHashedRekord::parse_body(&self.entry.body).map_err(|_| self.malformed())?;
        self.check_signature(&record.signature)?;
        self.check_verifier(&record.verifier, record.key_details)?;
        self.same(record.digest == *digest, "artifact")
    }

    fn check_dsse_v2(&self, envelope: &Envelope) -> Result<(), Refusal> {
        let spec: v2::DsseSpec = self.spec()?;
        let spec = spec.dsse_v002;
        let [signature] = spec.signatures.as_slice() else {
            return Err(self.other("signature"));
        };
        self.check_signature(&signature.content.0)?;
        let verifier = signature.verifier.raw().ok_or_else(|| self.malformed())?;
        self.check_verifier(&verifier, signature.verifier.key_details)?;
        let payload = Sha256::of(&envelope.payload).into();
        self.same(spec.payload_hash.is(&payload), "payload")
    }

    /// Reads the body; its own kind and version must be those that the bundle names.
    fn spec<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let body: Body<T> = json::from_slice(&self.entry.body).map_err(|_| self.malformed())?;
        if body.kind != self.entry.kind || body.api_version != self.entry.version {
            return Err(self.malformed());
        }
        Ok(body.spec)
    }

    /// Byte for byte: another signature by the same key over the same content is another entry.
    fn check_signature(&self, logged: &[u8]) -> Result<(), Refusal> {
        self.same(logged == self.form.signature(), "signature")
    }

    /// A certificate must be the bundle's own, not only one with the same key.
    fn check_pem(&self, text: &[u8]) -> Result<(), Refusal> {
        let blocks = pem::parse_many(text).map_err(|_| self.malformed())?;
        let [block] = blocks.as_slice() else {
            return Err(self.malformed());
        };
        let same = match self.form.claimed() {
            ClaimedSigner::Certified { leaf, .. } => {
                block.tag() == "CERTIFICATE" && block.contents() == leaf.der()
            }
            ClaimedSigner::Managed { key } => {
                block.tag() == "PUBLIC KEY" && block.contents() == key.spki_der()
            }
        };
        self.same(same, "key")
    }

    fn check_verifier(&self, logged: &RawVerifier, details: KeyDetails) -> Result<(), Refusal> {
        let same = match (self.form.claimed(), logged) {
            (ClaimedSigner::Certified { leaf, .. }, RawVerifier::Certificate(der)) => {
                der == leaf.der()
            }
            (ClaimedSigner::Managed { key }, RawVerifier::PublicKey(spki)) => {
                spki == key.spki_der()
            }
            _ => false,
        };
        let algorithm = self.form.claimed().key().algorithm();
        self.same(same && details.algorithm() == algorithm, "key")
    }

    fn same(&self, same: bool, what: &'static str) -> Result<(), Refusal> {
        if same { Ok(()) } else { Err(self.other(what)) }
    }

    const fn other(&self, what: &'static str) -> Refusal {
        Refusal::OtherEntry {
            index: self.entry.index,
            what,
        }
    }

    fn malformed(&self) -> Refusal {
        Refusal::Body {
            index: self.entry.index,
            kind: self.entry.kind.clone(),
            version: self.entry.version.clone(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body<T> {
    api_version: String,
    kind: String,
    spec: T,
}

/// The bodies of a Rekor v1 log (contract §3.3).
mod v1 {
    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct HashedRekord {
        pub data: Data,
        pub signature: Signature,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Data {
        pub hash: Hash,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    pub(super) struct Signature {
        pub content: Base64,
        pub public_key: PublicKey,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct PublicKey {
        pub content: Base64,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Hash {
        algorithm: HashName,
        value: String,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum HashName {
        Sha256,
        Sha384,
        Sha512,
    }

    impl Hash {
        pub(super) fn is(&self, digest: &Digest) -> bool {
            let algorithm = match self.algorithm {
                HashName::Sha256 => HashAlgorithm::Sha256,
                HashName::Sha384 => HashAlgorithm::Sha384,
                HashName::Sha512 => HashAlgorithm::Sha512,
            };
            algorithm == digest.algorithm() && self.value == hex::encode(digest.as_bytes())
        }
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    pub(super) struct Dsse {
        /// Over the envelope's JSON as it was uploaded, which a bundle does not keep.
        #[serde(rename = "envelopeHash")]
        _envelope_hash: Hash,
        pub payload_hash: Hash,
        pub signatures: Vec<DsseSignature>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct DsseSignature {
        pub signature: Base64,
        pub verifier: Base64,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Intoto {
        pub content: IntotoContent,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    pub(super) struct IntotoContent {
        pub envelope: IntotoEnvelope,
        /// As the client supplied it; it proves nothing.
        #[serde(rename = "hash")]
        _hash: Option<Hash>,
        pub payload_hash: Hash,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    pub(super) struct IntotoEnvelope {
        pub payload: Option<Base64>,
        pub payload_type: String,
        pub signatures: Vec<IntotoSignature>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    pub(super) struct IntotoSignature {
        #[serde(rename = "keyid")]
        _key_id: Option<String>,
        pub public_key: Base64,
        pub sig: Base64,
    }
}

/// The body of a Rekor v2 log's dsse entry (contract §4.2); hashedrekord is `protocol::entry`'s.
mod v2 {
    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct DsseSpec {
        #[serde(rename = "dsseV002")]
        pub dsse_v002: Dsse,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    pub(super) struct Dsse {
        pub payload_hash: Hash,
        pub signatures: Vec<Signature>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Hash {
        algorithm: HashAlgorithm,
        digest: Base64,
    }

    impl Hash {
        pub(super) fn is(&self, digest: &Digest) -> bool {
            self.algorithm == digest.algorithm() && self.digest.0 == digest.as_bytes()
        }
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Signature {
        pub content: Base64,
        pub verifier: Verifier,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    pub(super) struct Verifier {
        pub key_details: KeyDetails,
        x509_certificate: Option<RawBytes>,
        public_key: Option<RawBytes>,
    }

    impl Verifier {
        /// Exactly one of the two.
        pub(super) fn raw(&self) -> Option<RawVerifier> {
            match (&self.x509_certificate, &self.public_key) {
                (Some(one), None) => Some(RawVerifier::Certificate(one.raw_bytes.0.clone())),
                (None, Some(one)) => Some(RawVerifier::PublicKey(one.raw_bytes.0.clone())),
                _ => None,
            }
        }
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct RawBytes {
        raw_bytes: Base64,
    }
}
