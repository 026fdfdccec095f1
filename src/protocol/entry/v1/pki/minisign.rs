//! minisign and signify: Ed25519 keys with a key number, and signatures over the artifact or over its
//! BLAKE2b-512 (<https://jedisct1.github.io/minisign/>).

use blake2::{Blake2b512, Digest as _};

use super::{PkiError, PkiKey, PkiSignature};
use crate::protocol::bytes::{from_base64, to_base64};
use crate::protocol::cursor::Cursor;
use crate::protocol::keys::{KeyError, PublicKey, SignatureInvalid, SignatureValid};

/// Error parsing a minisign key or signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MinisignError {
    #[error("must be a minisign public key: a comment line, followed by base64 of 42 bytes")]
    Key,
    #[error("the minisign key's algorithm is not Ed")]
    KeyAlgorithm,
    #[error(transparent)]
    Weak(#[from] KeyError),
    #[error("must be a minisign signature: a comment line, followed by base64 of 74 bytes")]
    Signature,
    #[error("the minisign signature's algorithm is neither Ed nor ED")]
    SignatureAlgorithm,
    #[error("the minisign signature was made by a key with another number")]
    OtherKey,
}

/// A key and its number, which is repeated in signatures.
#[derive(Clone, Debug)]
pub(super) struct MinisignKey {
    id: [u8; 8],
    key: PublicKey,
}

const PLAIN: [u8; 2] = *b"Ed";
const PREHASHED: [u8; 2] = *b"ED";

impl MinisignKey {
    /// Parses a public key file, or only its base64 line.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, MinisignError> {
        let lines = lines(bytes).ok_or(MinisignError::Key)?;
        let ([line] | [_, line]) = lines.as_slice() else {
            return Err(MinisignError::Key);
        };
        let (algorithm, id, key) = parse_line::<32>(line).ok_or(MinisignError::Key)?;
        if algorithm != PLAIN {
            return Err(MinisignError::KeyAlgorithm);
        }
        Ok(Self {
            id,
            key: PublicKey::from_ed25519(&key)?,
        })
    }
}

impl PkiKey for MinisignKey {
    /// The base64 line.
    fn canonical(&self) -> Vec<u8> {
        to_base64(&[&PLAIN[..], &self.id, self.key.raw()].concat()).into_bytes()
    }

    /// Parses a signature file. A trusted comment and its signature may follow. They are not logged,
    /// because the comment contains nothing about the artifact.
    fn parse_signature<'a>(
        &'a self,
        bytes: &'a [u8],
    ) -> Result<Box<dyn PkiSignature + 'a>, PkiError> {
        let lines = lines(bytes).ok_or(MinisignError::Signature)?;
        let ([_, line] | [_, line, _, _]) = lines.as_slice() else {
            return Err(MinisignError::Signature.into());
        };
        let (algorithm, id, signature) = parse_line(line).ok_or(MinisignError::Signature)?;
        if algorithm != PLAIN && algorithm != PREHASHED {
            return Err(MinisignError::SignatureAlgorithm.into());
        }
        if id != self.id {
            return Err(MinisignError::OtherKey.into());
        }
        Ok(Box::new(MinisignSignature {
            key: self,
            algorithm,
            signature,
        }))
    }
}

struct MinisignSignature<'a> {
    key: &'a MinisignKey,
    algorithm: [u8; 2],
    signature: [u8; 64],
}

impl PkiSignature for MinisignSignature<'_> {
    /// An empty comment and the base64 line, without a trailing newline.
    fn canonical(&self) -> Vec<u8> {
        let line = [&self.algorithm[..], &self.key.id, &self.signature].concat();
        format!("untrusted comment:\n{}", to_base64(&line)).into_bytes()
    }

    fn verify(&self, artifact: &[u8]) -> Result<SignatureValid, SignatureInvalid> {
        let key = &self.key.key;
        if self.algorithm == PREHASHED {
            return key.verify_message(&Blake2b512::digest(artifact), &self.signature);
        }
        key.verify_message(artifact, &self.signature)
    }
}

/// Returns at most five lines, one more than any file has, or `None` if the text is not UTF-8.
fn lines(bytes: &[u8]) -> Option<Vec<&str>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.trim_end_matches(['\r', '\n']);
    Some(text.lines().take(5).collect())
}

/// Parses algorithm, key number, and key or signature.
fn parse_line<const N: usize>(line: &str) -> Option<([u8; 2], [u8; 8], [u8; N])> {
    let bytes = from_base64(line).ok()?;
    let mut fields = Cursor::new(&bytes);
    let line = (fields.array()?, fields.array()?, fields.array()?);
    fields.finish()?;
    Some(line)
}
