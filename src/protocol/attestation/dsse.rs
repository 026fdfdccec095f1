//! DSSE envelopes (<https://github.com/secure-systems-lab/dsse>, protocol v1).

use crate::protocol::bytes::to_base64;

/// An envelope, unverified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The signed payload.
    pub payload: Vec<u8>,
    /// Media type of the payload. The signatures cover it too.
    pub payload_type: String,
    /// The signatures. The verifier requires exactly one.
    pub signatures: Vec<EnvelopeSignature>,
}

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeSignature {
    pub signature: Vec<u8>,
    /// Hint for finding the key; not authenticated.
    pub key_id: Option<String>,
}

impl Envelope {
    /// The bytes that are signed: `DSSEv1 SP len(type) SP type SP len(payload) SP payload`.
    pub fn pre_authentication_encoding(&self) -> Vec<u8> {
        pre_authentication_encoding(&self.payload_type, &self.payload)
    }

    /// The JSON encodings that known clients upload for this envelope; empty unless it has exactly one
    /// signature. All are compact. They differ in the order of members (Go or JavaScript) and in the key ID,
    /// which is unchanged, empty or omitted.
    pub(crate) fn uploaded_forms(&self) -> Vec<String> {
        let [signature] = self.signatures.as_slice() else {
            return Vec::new();
        };
        let text = |value: &str| serde_json::Value::from(value).to_string();
        let sig = format!(r#""sig":"{}""#, to_base64(&signature.signature));
        let mut signatures = vec![sig.clone()];
        for key_id in ["", signature.key_id.as_deref().unwrap_or_default()] {
            let key_id = format!(r#""keyid":{}"#, text(key_id));
            signatures.extend([format!("{key_id},{sig}"), format!("{sig},{key_id}")]);
        }
        let payload = format!(r#""payload":"{}""#, to_base64(&self.payload));
        let payload_type = format!(r#""payloadType":{}"#, text(&self.payload_type));
        let heads = [
            format!("{payload_type},{payload}"),
            format!("{payload},{payload_type}"),
        ];
        let forms = heads.iter().flat_map(|head| {
            let form = move |signature| format!(r#"{{{head},"signatures":[{{{signature}}}]}}"#);
            signatures.iter().map(form)
        });
        forms.collect()
    }
}

/// DSSE's pre-authentication encoding (PAE) of a payload and its type.
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    );
    [head.as_bytes(), payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_the_protocols_example() {
        // DSSE protocol.md: payload type "http://example.com/HelloWorld", payload "hello world".
        let encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");

        assert_eq!(
            encoded,
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn lengths_are_counted_in_bytes() {
        assert_eq!(
            pre_authentication_encoding("é", "ü".as_bytes()),
            "DSSEv1 2 é 2 ü".as_bytes()
        );
    }
}
