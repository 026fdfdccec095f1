//! minisign and signify: an Ed25519 key with a number, and signatures over the artifact or, in the
//! newer form, over its BLAKE2b-512 (<https://jedisct1.github.io/minisign/>).

use blake2::{Blake2b512, Digest as _};

use super::pki::{Key, PkiError, Signature};
use crate::protocol::bytes::{from_base64, to_base64};
use crate::protocol::keys::{KeyError, PublicKey, SignatureInvalid, SignatureValid};

/// Why bytes are no key or signature of minisign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MinisignError {
    /// Not base64 of 42 bytes, alone or below a comment
    #[error("must be a minisign public key: a comment line, and base64 of 42 bytes")]
    Key,
    /// Another algorithm than the one there is
    #[error("the minisign key's algorithm is not Ed")]
    KeyAlgorithm,
    /// The key itself is no good one
    #[error(transparent)]
    Weak(#[from] KeyError),
    /// Not base64 of 74 bytes below a comment
    #[error("must be a minisign signature: a comment line, and base64 of 74 bytes")]
    Signature,
    /// Neither form of signature
    #[error("the minisign signature's algorithm is neither Ed nor ED")]
    SignatureAlgorithm,
    /// The signature names another key
    #[error("the minisign signature was made by a key with another number")]
    OtherKey,
}

/// A key and its number, which signatures name.
#[derive(Clone, Debug)]
pub(super) struct MinisignKey {
    id: [u8; 8],
    key: PublicKey,
}

const PLAIN: [u8; 2] = *b"Ed";
const PREHASHED: [u8; 2] = *b"ED";

impl MinisignKey {
    /// Reads a public key file, or its one line of base64.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, MinisignError> {
        let lines = lines(bytes).ok_or(MinisignError::Key)?;
        let ([line] | [_, line]) = lines.as_slice() else {
            return Err(MinisignError::Key);
        };
        let (algorithm, id, key) = parts::<32>(line).ok_or(MinisignError::Key)?;
        if algorithm != PLAIN {
            return Err(MinisignError::KeyAlgorithm);
        }
        Ok(Self {
            id,
            key: PublicKey::from_ed25519(&key)?,
        })
    }
}

impl Key for MinisignKey {
    /// The base64 line alone.
    fn canonical(&self) -> Vec<u8> {
        to_base64(&[&PLAIN[..], &self.id, self.key.raw()].concat()).into_bytes()
    }

    fn signature<'a>(&'a self, bytes: &'a [u8]) -> Result<Box<dyn Signature + 'a>, PkiError> {
        Ok(Box::new(MinisignSignature::read(self, bytes)?))
    }
}

struct MinisignSignature<'a> {
    key: &'a MinisignKey,
    is_prehashed: bool,
    signature: [u8; 64],
}

impl<'a> MinisignSignature<'a> {
    /// Reads a signature file. The trusted comment and its signature may follow; the log keeps
    /// neither, as the comment says nothing about the artifact.
    fn read(key: &'a MinisignKey, bytes: &[u8]) -> Result<Self, MinisignError> {
        let lines = lines(bytes).ok_or(MinisignError::Signature)?;
        let ([_, line] | [_, line, _, _]) = lines.as_slice() else {
            return Err(MinisignError::Signature);
        };
        let (algorithm, id, signature) = parts::<64>(line).ok_or(MinisignError::Signature)?;
        let is_prehashed = match algorithm {
            PLAIN => false,
            PREHASHED => true,
            _ => return Err(MinisignError::SignatureAlgorithm),
        };
        if id != key.id {
            return Err(MinisignError::OtherKey);
        }
        Ok(Self {
            key,
            is_prehashed,
            signature,
        })
    }
}

impl Signature for MinisignSignature<'_> {
    /// An empty comment and the base64 line, without a newline behind it.
    fn canonical(&self) -> Vec<u8> {
        let algorithm = if self.is_prehashed { PREHASHED } else { PLAIN };
        let line = [&algorithm[..], &self.key.id, &self.signature].concat();
        format!("untrusted comment:\n{}", to_base64(&line)).into_bytes()
    }

    fn verify(&self, artifact: &[u8]) -> Result<SignatureValid, SignatureInvalid> {
        let key = &self.key.key;
        if self.is_prehashed {
            return key.verify_message(&Blake2b512::digest(artifact), &self.signature);
        }
        key.verify_message(artifact, &self.signature)
    }
}

/// The lines of a text; none if it is no text.
fn lines(bytes: &[u8]) -> Option<Vec<&str>> {
    let text = std::str::from_utf8(bytes).ok()?;
    Some(
        text.trim_end_matches(['\r', '\n'])
            .lines()
            .take(5)
            .collect(),
    )
}

/// Algorithm, number and the rest of a base64 line.
fn parts<const N: usize>(line: &str) -> Option<([u8; 2], [u8; 8], [u8; N])> {
    let bytes = from_base64(line).ok()?;
    let (algorithm, rest) = bytes.split_first_chunk()?;
    let (id, rest) = rest.split_first_chunk()?;
    Some((*algorithm, *id, rest.try_into().ok()?))
}
