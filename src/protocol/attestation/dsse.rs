//! DSSE envelopes (<https://github.com/secure-systems-lab/dsse>, protocol v1).

/// An envelope. Nothing in it was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The signed bytes, without their type.
    pub payload: Vec<u8>,
    /// The payload's type, which is also signed.
    pub payload_type: String,
    /// Any number of signatures; the verifier demands one.
    pub signatures: Vec<EnvelopeSignature>,
}

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeSignature {
    /// The signature's bytes.
    pub signature: Vec<u8>,
    /// A hint, which is not authenticated.
    pub key_id: Option<String>,
}

impl Envelope {
    /// The bytes that are signed: `DSSEv1 SP len(type) SP type SP len(payload) SP payload`.
    pub fn pre_authentication_encoding(&self) -> Vec<u8> {
        pre_authentication_encoding(&self.payload_type, &self.payload)
    }
}

/// The pre-authentication encoding of a payload under a type (DSSE protocol, PAE).
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
