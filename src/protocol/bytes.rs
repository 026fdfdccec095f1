//! Byte strings with a meaning: digests, and the base64 and hex forms in which they travel.

use std::fmt;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::{alphabet, engine::general_purpose};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A SHA-256 digest: 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// The digest of `data`.
    pub fn of(data: &[u8]) -> Self {
        Self::of_parts(&[data])
    }

    /// The digest of the parts as if they were one string.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256Hasher::new();
        for part in parts {
            hasher.update(part);
        }
        hasher.finish()
    }

    /// Takes 32 bytes that already are a digest.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest as bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Lower-case hexadecimal, 64 characters.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    /// Reads 64 hexadecimal characters.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl TryFrom<&[u8]> for Sha256 {
    type Error = std::array::TryFromSliceError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        Ok(Self(bytes.try_into()?))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.to_hex())
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.to_hex())
    }
}

/// SHA-256 over a stream.
#[derive(Clone)]
pub(crate) struct Sha256Hasher(ring::digest::Context);

impl Sha256Hasher {
    /// An empty stream.
    pub(crate) fn new() -> Self {
        Self(ring::digest::Context::new(&ring::digest::SHA256))
    }

    /// Adds the next piece of the stream.
    pub(crate) fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The digest of all that was added.
    pub(crate) fn finish(self) -> Sha256 {
        let digest = self.0.finish();
        Sha256(
            digest
                .as_ref()
                .try_into()
                .expect("SHA-256 is 32 bytes long"),
        )
    }
}

impl Default for Sha256Hasher {
    fn default() -> Self {
        Self::new()
    }
}

/// The hash functions of the Sigstore registry (`dev.sigstore.common.v1.HashAlgorithm`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HashAlgorithm {
    /// SHA-256
    #[serde(rename = "SHA2_256")]
    Sha256,
    /// SHA-384
    #[serde(rename = "SHA2_384")]
    Sha384,
    /// SHA-512
    #[serde(rename = "SHA2_512")]
    Sha512,
}

impl HashAlgorithm {
    /// How many bytes a digest has.
    pub const fn size(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The name in the Sigstore protobuf registry, `SHA2_256` and so on.
    pub const fn registry_name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA2_256",
            Self::Sha384 => "SHA2_384",
            Self::Sha512 => "SHA2_512",
        }
    }

    /// The digest of `data` under this function.
    pub fn digest(self, data: &[u8]) -> Digest {
        let function = match self {
            Self::Sha256 => &ring::digest::SHA256,
            Self::Sha384 => &ring::digest::SHA384,
            Self::Sha512 => &ring::digest::SHA512,
        };
        Digest {
            algorithm: self,
            bytes: ring::digest::digest(function, data).as_ref().to_vec(),
        }
    }
}

/// A digest and the function that made it; always of that function's length.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Digest {
    algorithm: HashAlgorithm,
    bytes: Vec<u8>,
}

/// A digest has as many bytes as its function yields, and this one had another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {} digest has {} bytes, not {actual}", .algorithm.registry_name(), .algorithm.size())]
pub struct WrongDigestLength {
    /// The function that was named.
    pub algorithm: HashAlgorithm,
    /// How many bytes there were.
    pub actual: usize,
}

impl Digest {
    /// Takes bytes that already are a digest.
    ///
    /// # Errors
    /// The length must be the function's.
    pub fn new(algorithm: HashAlgorithm, bytes: Vec<u8>) -> Result<Self, WrongDigestLength> {
        if bytes.len() != algorithm.size() {
            return Err(WrongDigestLength {
                algorithm,
                actual: bytes.len(),
            });
        }
        Ok(Self { algorithm, bytes })
    }

    /// The function that made it.
    pub const fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// The digest as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<Sha256> for Digest {
    fn from(digest: Sha256) -> Self {
        Self {
            algorithm: HashAlgorithm::Sha256,
            bytes: digest.0.to_vec(),
        }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}",
            self.algorithm.registry_name(),
            hex::encode(&self.bytes)
        )
    }
}

/// Encodes as standard base64 with padding.
pub fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes standard base64; padding must be present and canonical.
///
/// # Errors
/// Any character, length or trailing bit that the canonical encoding would not have.
pub fn from_base64(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    STANDARD.decode(text)
}

/// Decodes base64 as proto3 JSON readers must: either alphabet, padded or not.
///
/// # Errors
/// Text that is base64 under neither alphabet.
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
/// Anything that is not the canonical form.
pub fn from_base64url(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    general_purpose::URL_SAFE_NO_PAD.decode(text)
}

/// The longest text in which one PEM block is looked for, in bytes.
pub(crate) const MAX_PEM_LENGTH: usize = 64 * 1024;

/// Reads the one PEM block of a text (RFC 7468 §2), if it has one of these labels. Text around the
/// block is passed over; a second block is not.
pub(crate) fn from_pem(text: &str, labels: &[&str]) -> Option<Vec<u8>> {
    if text.len() > MAX_PEM_LENGTH {
        return None;
    }
    let [block] = <[pem::Pem; 1]>::try_from(pem::parse_many(text).ok()?).ok()?;
    labels.contains(&block.tag()).then(|| block.into_contents())
}

/// Bytes that are base64 text in JSON: written with padding, read strictly.
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
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        from_base64(&text).map(Self).map_err(de::Error::custom)
    }
}

/// Bytes that are base64 text in a proto3 JSON request: read in either alphabet, padded or not.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct ProtoBytes(pub Vec<u8>);

impl<'de> Deserialize<'de> for ProtoBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        from_base64_lenient(&text)
            .map(Self)
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_of_abc_is_the_published_vector() {
        // FIPS 180-4, example "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

        assert_eq!(Sha256::of(b"abc").to_hex(), expected);
        assert_eq!(Sha256::of_parts(&[b"a", b"bc"]).to_hex(), expected);
        assert_eq!(
            HashAlgorithm::Sha256.digest(b"abc"),
            Sha256::of(b"abc").into()
        );
    }

    #[test]
    fn strict_base64_refuses_what_the_encoder_would_not_write() {
        assert_eq!(from_base64("YQ==").unwrap(), b"a");
        for text in ["YQ", "YR==", "YQ==\n", "Y-==", " YQ=="] {
            from_base64(text).unwrap_err();
        }
    }

    #[test]
    fn proto_json_base64_takes_either_alphabet_and_any_padding() {
        for text in ["-_8=", "+/8=", "-_8", "+/8"] {
            assert_eq!(from_base64_lenient(text).unwrap(), [0xfb, 0xff]);
        }
        from_base64_lenient("-/8=").unwrap_err();
    }

    #[test]
    fn a_text_with_two_pem_blocks_means_neither() {
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

    #[test]
    fn a_digest_of_the_wrong_length_is_refused() {
        let error = Digest::new(HashAlgorithm::Sha384, vec![0; 32]).unwrap_err();

        assert_eq!(error.to_string(), "a SHA2_384 digest has 48 bytes, not 32");
    }
}
