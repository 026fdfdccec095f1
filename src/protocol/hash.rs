//! The hash functions that signatures, log entries and timestamps use, and digests under them.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A SHA-256 digest: 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// The digest of `data`.
    pub fn of(data: &[u8]) -> Self {
        Self::of_parts(&[data])
    }

    /// The digest of the parts' concatenation.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        for part in parts {
            context.update(part);
        }
        let digest = context.finish();
        Self(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    /// Wraps 32 bytes that are already a digest.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Lower-case hexadecimal, 64 characters.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    /// Reads 64 hexadecimal characters of either case.
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
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.to_hex())
    }
}

/// A hash function of the Sigstore registry (`dev.sigstore.common.v1.HashAlgorithm`). In JSON it is
/// its [`registry_name`](Self::registry_name); [`by_name`] writes the short name instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HashAlgorithm {
    /// SHA-256
    Sha256,
    /// SHA-384
    Sha384,
    /// SHA-512
    Sha512,
}

impl HashAlgorithm {
    /// Every supported function, in the order of their lengths.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// The name in in-toto statements, Rekor v1 entries and on the command line: `sha256` and so on.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// The function with this [`name`](Self::name), which is lower-case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// The name in the Sigstore protobuf registry: `SHA2_256` and so on.
    pub const fn registry_name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA2_256",
            Self::Sha384 => "SHA2_384",
            Self::Sha512 => "SHA2_512",
        }
    }

    /// The length of a digest in bytes.
    pub const fn size(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    pub(crate) const fn function(self) -> &'static ring::digest::Algorithm {
        match self {
            Self::Sha256 => &ring::digest::SHA256,
            Self::Sha384 => &ring::digest::SHA384,
            Self::Sha512 => &ring::digest::SHA512,
        }
    }

    /// The digest of `data` under this function.
    pub fn digest(self, data: &[u8]) -> Digest {
        Digest {
            algorithm: self,
            bytes: ring::digest::digest(self.function(), data)
                .as_ref()
                .to_vec(),
        }
    }
}

impl Serialize for HashAlgorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.registry_name())
    }
}

impl<'de> Deserialize<'de> for HashAlgorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(deserializer, Self::registry_name)
    }
}

/// For `#[serde(with = …)]`: a [`HashAlgorithm`] by its short name.
pub(crate) mod by_name {
    use super::{Deserializer, HashAlgorithm, Serializer, parse};

    pub(crate) fn serialize<S: Serializer>(
        algorithm: &HashAlgorithm,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(algorithm.name())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<HashAlgorithm, D::Error> {
        parse(deserializer, HashAlgorithm::name)
    }
}

fn parse<'de, D: Deserializer<'de>>(
    deserializer: D,
    name: fn(HashAlgorithm) -> &'static str,
) -> Result<HashAlgorithm, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    let found = HashAlgorithm::ALL
        .into_iter()
        .find(|one| name(*one) == text);
    found.ok_or_else(|| {
        let known = HashAlgorithm::ALL.map(name).join(", ");
        de::Error::custom(format_args!(
            "unknown hash algorithm {text:?}, expected one of {known}"
        ))
    })
}

/// A digest and its function. The length is always the function's.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Digest {
    algorithm: HashAlgorithm,
    bytes: Vec<u8>,
}

/// The bytes have another length than a digest under this function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {} digest has {} bytes, not {actual}", .algorithm.registry_name(), .algorithm.size())]
pub struct WrongDigestLength {
    /// The function that was named.
    pub algorithm: HashAlgorithm,
    /// The number of bytes.
    pub actual: usize,
}

impl Digest {
    /// Wraps bytes that are already a digest.
    ///
    /// # Errors
    /// The length is not the function's.
    pub fn new(algorithm: HashAlgorithm, bytes: Vec<u8>) -> Result<Self, WrongDigestLength> {
        if bytes.len() != algorithm.size() {
            return Err(WrongDigestLength {
                algorithm,
                actual: bytes.len(),
            });
        }
        Ok(Self { algorithm, bytes })
    }

    /// The function that made the digest.
    pub const fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// The digest's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Lower-case hexadecimal.
    pub(crate) fn to_hex(&self) -> String {
        hex::encode(&self.bytes)
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
        fmt::Display::fmt(self, f)
    }
}

/// `sha256:<hex>`
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.to_hex())
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
    fn every_name_of_a_function_is_its_own() {
        for algorithm in HashAlgorithm::ALL {
            assert_eq!(HashAlgorithm::from_name(algorithm.name()), Some(algorithm));
            assert_eq!(algorithm.size(), algorithm.digest(b"").as_bytes().len());
            let json = format!("{:?}", algorithm.registry_name());
            assert_eq!(serde_json::to_string(&algorithm).unwrap(), json);
            assert_eq!(
                serde_json::from_str::<HashAlgorithm>(&json).unwrap(),
                algorithm
            );
        }
        for name in ["SHA256", "sha1", "SHA2_256", ""] {
            assert_eq!(HashAlgorithm::from_name(name), None);
        }
        let error = serde_json::from_str::<HashAlgorithm>("\"sha256\"").unwrap_err();
        assert!(error.to_string().contains("SHA2_256, SHA2_384, SHA2_512"));
    }

    #[test]
    fn a_digest_of_the_wrong_length_is_refused() {
        let error = Digest::new(HashAlgorithm::Sha384, vec![0; 32]).unwrap_err();

        assert_eq!(error.to_string(), "a SHA2_384 digest has 48 bytes, not 32");
    }
}
