//! A log entry's body is for this signature, this key and this content.
//!
//! The body's bytes were proved to be in the log; here they are read strictly and held against
//! the bundle, member by member. Each kind says which members bind it.

mod v1;
mod v2;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Refusal;
use super::content::SignedContent;
use super::well_formed::{ClaimedSigner, WellFormedBundle};
use crate::protocol::attestation::dsse::Envelope;
use crate::protocol::bundle::LogEntry;
use crate::protocol::bytes::{Base64, Digest, Sha256, from_base64, to_base64};
use crate::protocol::entry::{RawVerifier, UnverifiedHashedRekord};
use crate::protocol::json;
use crate::protocol::keys::KeyDetails;

/// Checks that the entry is for what the bundle holds. Returns how the log says that it verified
/// the signature, where its entries say that.
pub(super) fn check(
    entry: &LogEntry,
    form: &WellFormedBundle<'_>,
    content: &SignedContent<'_>,
) -> Result<Option<KeyDetails>, Refusal> {
    let entry = Entry { entry, form };
    let kind = entry.entry.kind.as_str();
    let version = entry.entry.version.as_str();
    match (kind, version, content) {
        ("hashedrekord", "0.0.1", SignedContent::Message { digest }) => {
            entry.check_hashedrekord_v1(digest)?;
            Ok(None)
        }
        ("hashedrekord", "0.0.2", _) => {
            let digest = content.logged_digest(form.claimed().key());
            entry.check_hashedrekord_v2(&digest).map(Some)
        }
        ("dsse", "0.0.1", SignedContent::Envelope { envelope, .. }) => {
            entry.check_dsse_v1(envelope)?;
            Ok(None)
        }
        ("dsse", "0.0.2", SignedContent::Envelope { envelope, .. }) => {
            entry.check_dsse_v2(envelope).map(Some)
        }
        ("intoto", "0.0.1", SignedContent::Envelope { envelope, .. }) => {
            entry.check_intoto_v1(envelope)?;
            Ok(None)
        }
        ("intoto", "0.0.2", SignedContent::Envelope { envelope, .. }) => {
            entry.check_intoto_v2(envelope)?;
            Ok(None)
        }
        _ => Err(Refusal::Kind {
            kind: kind.to_owned(),
            version: version.to_owned(),
        }),
    }
}

struct Entry<'a> {
    entry: &'a LogEntry,
    form: &'a WellFormedBundle<'a>,
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

    /// SPEC rekor intoto 0.0.1: the body has no signature, only the hash of the envelope's JSON as
    /// it was uploaded. A form of this bundle's envelope that has that hash is what was uploaded,
    /// and so the log did see this signature; where no form has it, nothing ties the two.
    fn check_intoto_v1(&self, envelope: &Envelope) -> Result<(), Refusal> {
        let spec: v1::IntotoV1 = self.spec()?;
        self.check_pem(&spec.public_key.0)?;
        let payload = Sha256::of(&envelope.payload).into();
        self.same(spec.content.payload_hash.is(&payload), "payload")?;
        let logged = |form: &String| spec.content.hash.is(&Sha256::of(form.as_bytes()).into());
        self.same(uploaded_forms(envelope).iter().any(logged), "signature")
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

    fn check_hashedrekord_v2(&self, digest: &Digest) -> Result<KeyDetails, Refusal> {
        let record =
            UnverifiedHashedRekord::parse_body(&self.entry.body).map_err(|_| self.malformed())?;
        self.check_signature(&record.signature)?;
        self.check_verifier(&record.verifier, record.key_details)?;
        self.same(record.digest == *digest, "artifact")?;
        Ok(record.key_details)
    }

    fn check_dsse_v2(&self, envelope: &Envelope) -> Result<KeyDetails, Refusal> {
        let spec: v2::DsseSpec = self.spec()?;
        let spec = spec.dsse_v002;
        let [signature] = spec.signatures.as_slice() else {
            return Err(self.other("signature"));
        };
        self.check_signature(&signature.content.0)?;
        let verifier = signature.verifier.raw().ok_or_else(|| self.malformed())?;
        self.check_verifier(&verifier, signature.verifier.key_details)?;
        let payload = Sha256::of(&envelope.payload).into();
        self.same(spec.payload_hash.is(&payload), "payload")?;
        Ok(signature.verifier.key_details)
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
            ClaimedSigner::Certified { leaf } => {
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
            (ClaimedSigner::Certified { leaf }, RawVerifier::Certificate(der)) => der == leaf.der(),
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

/// The JSON of an envelope with one signature as the field's clients upload it: compact, with the
/// members in Go's or in JavaScript's order, and the key ID as it is, empty, or left out.
fn uploaded_forms(envelope: &Envelope) -> Vec<String> {
    let [signature] = envelope.signatures.as_slice() else {
        return Vec::new();
    };
    let text = |value: &str| serde_json::Value::from(value).to_string();
    let sig = format!(r#""sig":"{}""#, to_base64(&signature.signature));
    let mut signatures = vec![sig.clone()];
    for key_id in ["", signature.key_id.as_deref().unwrap_or_default()] {
        let key_id = format!(r#""keyid":{}"#, text(key_id));
        signatures.extend([format!("{key_id},{sig}"), format!("{sig},{key_id}")]);
    }
    let payload = format!(r#""payload":"{}""#, to_base64(&envelope.payload));
    let kind = format!(r#""payloadType":{}"#, text(&envelope.payload_type));
    let form = |head: String| {
        let signed = move |signature| format!(r#"{{{head},"signatures":[{{{signature}}}]}}"#);
        signatures.iter().map(signed).collect::<Vec<_>>()
    };
    let go = form(format!("{kind},{payload}"));
    let javascript = form(format!("{payload},{kind}"));
    [go, javascript].concat()
}
