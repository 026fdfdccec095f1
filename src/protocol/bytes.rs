//! The text forms of bytes: base64 and PEM.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::{alphabet, engine::general_purpose};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Encodes as standard base64 with padding.
pub fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes standard base64; padding must be present and canonical.
///
/// # Errors
/// The text is not the canonical encoding.
pub fn from_base64(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    STANDARD.decode(text)
}

/// Decodes base64 as proto3 JSON readers must: in either alphabet, padded or not.
pub(crate) fn from_base64_lenient(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) {
        alphabet::URL_SAFE
    } else {
        alphabet::STANDARD
    };
    GeneralPurpose::new(&alphabet, config).decode(text)
}

/// Encodes as URL-safe base64 without padding, as JOSE does (RFC 7515 §2).
pub fn to_base64url(bytes: &[u8]) -> String {
    general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes URL-safe base64 without padding (RFC 7515 §2).
///
/// # Errors
/// The text is not the canonical encoding.
pub fn from_base64url(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    general_purpose::URL_SAFE_NO_PAD.decode(text)
}

/// Maximum size of a text with a PEM block, in bytes.
pub(crate) const MAX_PEM_LENGTH: usize = 64 * 1024;

/// Reads the one PEM block of a text (RFC 7468 §2), if it has one of these labels. Text around the block is
/// ignored; a second block is refused.
pub(crate) fn from_pem(text: &str, labels: &[&str]) -> Option<Vec<u8>> {
    if text.len() > MAX_PEM_LENGTH {
        return None;
    }
    let [block] = <[pem::Pem; 1]>::try_from(pem::parse_many(text).ok()?).ok()?;
    labels.contains(&block.tag()).then(|| block.into_contents())
}

/// Bytes that are base64 in JSON: written with padding, read strictly.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Base64(pub Vec<u8>);

impl fmt::Debug for Base64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", to_base64(&self.0))
    }
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_base64(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        from_base64(&text).map(Self).map_err(de::Error::custom)
    }
}

/// Bytes that are base64 in proto3 JSON: written with padding, read in either alphabet, padded or not.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct ProtoBytes(pub Vec<u8>);

impl Serialize for ProtoBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_base64(&self.0))
    }
}

impl<'de> Deserialize<'de> for ProtoBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        from_base64_lenient(&text)
            .map(Self)
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_base64_refuses_what_the_encoder_would_not_write() {
        assert_eq!(from_base64("YQ==").unwrap(), b"a");
        for text in ["YQ", "YR==", "YQ==\n", "Y-==", " YQ=="] {
            from_base64(text).unwrap_err();
        }
    }

    #[test]
    fn proto_json_base64_may_be_in_either_alphabet_with_any_padding() {
        for text in ["-_8=", "+/8=", "-_8", "+/8"] {
            assert_eq!(from_base64_lenient(text).unwrap(), [0xfb, 0xff]);
        }
        from_base64_lenient("-/8=").unwrap_err();
    }

    #[test]
    fn a_text_with_two_pem_blocks_is_refused() {
        let block = |label: &str| format!("-----BEGIN {label}-----\nYQ==\n-----END {label}-----\n");
        let (one, other) = (block("ONE"), block("OTHER"));
        let read = |text: &str| from_pem(text, &["ONE", "NEW ONE"]);

        assert_eq!(read(&one).unwrap(), b"a");
        assert_eq!(read(&format!("Subject: x\n{one}\n")).unwrap(), b"a");
        let padded = " ".repeat(MAX_PEM_LENGTH);
        for text in [
            String::new(),
            other.clone(),
            format!("{one}{one}"),
            format!("{one}{other}"),
            format!("{one}{padded}"),
            one.replace("END ONE", "END OTHER"),
        ] {
            assert_eq!(read(&text), None, "{text}");
        }
    }
}
