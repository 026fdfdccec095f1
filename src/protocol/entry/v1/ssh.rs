//! OpenSSH keys as authorized_keys lines, and SSHSIG signatures over files (OpenSSH
//! `PROTOCOL.sshsig`; RFC 4253 §6.6, RFC 5656 §3.1, RFC 8332 §3, RFC 8709 §4, §6).

use super::pki::{Key, PkiError, Signature};
use crate::protocol::bytes::{HashAlgorithm, from_base64, to_base64};
use crate::protocol::keys::{
    KeyAlgorithm, KeyError, PublicKey, SignatureInvalid, SignatureValid, ecdsa_signature,
};

/// Why bytes are no key or signature of OpenSSH.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SshError {
    /// Not one line of type and base64
    #[error("must be one OpenSSH public key: its type, its base64, and perhaps a comment")]
    Key,
    /// A type of key that is not accepted
    #[error("the OpenSSH key must be ssh-ed25519, ecdsa-sha2-nistp256, -384 or -521, or ssh-rsa")]
    KeyType,
    /// The key itself is no good one
    #[error(transparent)]
    Weak(#[from] KeyError),
    /// Not an armored SSHSIG of version 1
    #[error("must be an armored SSH SIGNATURE of version 1")]
    Signature,
    /// Made for another purpose than files
    #[error("the SSH signature's namespace must be \"file\" (ssh-keygen -Y sign -n file)")]
    Namespace,
    /// A hash of the artifact that is not accepted
    #[error("the SSH signature's hash algorithm must be sha512 or sha256")]
    Hash,
    /// A signature of another algorithm than the key's
    #[error("the SSH signature's algorithm does not fit the key, or is SHA-1's")]
    Algorithm,
    /// The signature carries another key
    #[error("the SSH signature was made by another key")]
    OtherKey,
}

/// A key with its own encoding.
#[derive(Clone, Debug)]
pub(super) struct SshKey {
    kind: String,
    blob: Vec<u8>,
    key: PublicKey,
}

impl SshKey {
    /// Reads the one key line of a text; empty lines and comments around it are passed over.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, SshError> {
        let text = std::str::from_utf8(bytes).map_err(|_| SshError::Key)?;
        let mut lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return Err(SshError::Key);
        };
        let mut words = line.split_ascii_whitespace();
        let (Some(kind), Some(base64)) = (words.next(), words.next()) else {
            return Err(SshError::Key);
        };
        let blob = from_base64(base64).map_err(|_| SshError::Key)?;
        Ok(Self {
            key: read_blob(kind, &blob)?,
            kind: kind.to_owned(),
            blob,
        })
    }
}

fn read_blob(kind: &str, blob: &[u8]) -> Result<PublicKey, SshError> {
    let mut fields = Fields(blob);
    if fields.string().ok_or(SshError::Key)? != kind.as_bytes() {
        return Err(SshError::Key);
    }
    let curve = match kind {
        "ssh-ed25519" => {
            let key = fields.string().ok_or(SshError::Key)?;
            fields.finish().ok_or(SshError::Key)?;
            return Ok(PublicKey::from_ed25519(key)?);
        }
        "ssh-rsa" => {
            let exponent = fields.number().ok_or(SshError::Key)?;
            let modulus = fields.number().ok_or(SshError::Key)?;
            fields.finish().ok_or(SshError::Key)?;
            return Ok(PublicKey::from_rsa(modulus, exponent)?);
        }
        "ecdsa-sha2-nistp256" => KeyAlgorithm::P256,
        "ecdsa-sha2-nistp384" => KeyAlgorithm::P384,
        "ecdsa-sha2-nistp521" => KeyAlgorithm::P521,
        _ => return Err(SshError::KeyType),
    };
    let name = fields.string().ok_or(SshError::Key)?;
    let point = fields.string().ok_or(SshError::Key)?;
    fields.finish().ok_or(SshError::Key)?;
    if kind.as_bytes().strip_prefix(b"ecdsa-sha2-") != Some(name) {
        return Err(SshError::Key);
    }
    Ok(PublicKey::from_point(curve, point)?)
}

impl Key for SshKey {
    /// The line without a comment, and a newline.
    fn canonical(&self) -> Vec<u8> {
        format!("{} {}\n", self.kind, to_base64(&self.blob)).into_bytes()
    }

    fn signature<'a>(&'a self, bytes: &'a [u8]) -> Result<Box<dyn Signature + 'a>, PkiError> {
        Ok(Box::new(SshSignature::read(self, bytes)?))
    }
}

struct SshSignature<'a> {
    key: &'a PublicKey,
    /// What the armor holds.
    blob: Vec<u8>,
    /// The hash of the artifact.
    hash: HashAlgorithm,
    /// The hash inside an RSA signature; the other kinds of key have theirs.
    rsa_hash: Option<HashAlgorithm>,
    signature: Vec<u8>,
}

const MAGIC: &[u8] = b"SSHSIG";
const NAMESPACE: &[u8] = b"file";
const PEM_LABEL: &str = "SSH SIGNATURE";

impl<'a> SshSignature<'a> {
    fn read(key: &'a SshKey, bytes: &[u8]) -> Result<Self, SshError> {
        let blocks = pem::parse_many(bytes).map_err(|_| SshError::Signature)?;
        let [block] = <[pem::Pem; 1]>::try_from(blocks).map_err(|_| SshError::Signature)?;
        if block.tag() != PEM_LABEL {
            return Err(SshError::Signature);
        }
        let blob = block.into_contents();
        let parts = Parts::read(&blob).ok_or(SshError::Signature)?;
        if parts.namespace != NAMESPACE {
            return Err(SshError::Namespace);
        }
        if parts.key != key.blob {
            return Err(SshError::OtherKey);
        }
        let hash = match parts.hash {
            b"sha256" => HashAlgorithm::Sha256,
            b"sha512" => HashAlgorithm::Sha512,
            _ => return Err(SshError::Hash),
        };
        let (rsa_hash, signature) = read_signature(key, parts.signature)?;
        Ok(Self {
            key: &key.key,
            hash,
            rsa_hash,
            signature,
            blob,
        })
    }

    /// What is signed: the preamble, the namespace, and the artifact's hash.
    fn message(&self, artifact: &[u8]) -> Vec<u8> {
        let name: &[u8] = match self.hash {
            HashAlgorithm::Sha256 => b"sha256",
            HashAlgorithm::Sha384 | HashAlgorithm::Sha512 => b"sha512",
        };
        let digest = self.hash.digest(artifact);
        let mut message = MAGIC.to_vec();
        for field in [NAMESPACE, b"", name, digest.as_bytes()] {
            let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
            message.extend(length.to_be_bytes());
            message.extend(field);
        }
        message
    }
}

/// The fields of an SSHSIG whose version and reserved field are as they must be.
struct Parts<'a> {
    key: &'a [u8],
    namespace: &'a [u8],
    hash: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(blob: &'a [u8]) -> Option<Self> {
        let rest = blob.strip_prefix(MAGIC)?.strip_prefix(&[0, 0, 0, 1])?;
        let mut fields = Fields(rest);
        let (key, namespace, reserved) = (fields.string()?, fields.string()?, fields.string()?);
        let parts = Self {
            key,
            namespace,
            hash: fields.string()?,
            signature: fields.string()?,
        };
        fields.finish()?;
        reserved.is_empty().then_some(parts)
    }
}

/// The signature in the form that X.509 has it in, and for RSA its hash.
fn read_signature(key: &SshKey, blob: &[u8]) -> Result<(Option<HashAlgorithm>, Vec<u8>), SshError> {
    let mut fields = Fields(blob);
    let kind = fields.string().ok_or(SshError::Signature)?;
    let content = fields.string().ok_or(SshError::Signature)?;
    fields.finish().ok_or(SshError::Signature)?;
    match (key.kind.as_str(), kind) {
        ("ssh-rsa", b"rsa-sha2-256") => Ok((Some(HashAlgorithm::Sha256), content.to_vec())),
        ("ssh-rsa", b"rsa-sha2-512") => Ok((Some(HashAlgorithm::Sha512), content.to_vec())),
        ("ssh-ed25519", b"ssh-ed25519") => Ok((None, content.to_vec())),
        (curve, kind) if curve.starts_with("ecdsa-") && kind == curve.as_bytes() => {
            let mut numbers = Fields(content);
            let (r, s) = numbers
                .number()
                .zip(numbers.number())
                .ok_or(SshError::Signature)?;
            numbers.finish().ok_or(SshError::Signature)?;
            let signature = ecdsa_signature(r, s).ok_or(SshError::Signature)?;
            Ok((None, signature))
        }
        _ => Err(SshError::Algorithm),
    }
}

impl Signature for SshSignature<'_> {
    /// The same bytes in an armor of 64 columns.
    fn canonical(&self) -> Vec<u8> {
        let block = pem::Pem::new(PEM_LABEL, self.blob.clone());
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        pem::encode_config(&block, config).into_bytes()
    }

    fn verify(&self, artifact: &[u8]) -> Result<SignatureValid, SignatureInvalid> {
        let message = self.message(artifact);
        match self.rsa_hash {
            Some(hash) => {
                let digest = hash.digest(&message);
                self.key.verify_prehashed(&digest, &self.signature)
            }
            None => self.key.verify_message(&message, &self.signature),
        }
    }
}

/// Fields with a length of 32 bits before each (RFC 4251 §5).
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn string(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (field, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(field)
    }

    /// A positive mpint, in its shortest form.
    fn number(&mut self) -> Option<&'a [u8]> {
        match self.string()? {
            [0, number @ ..] if number.first().is_some_and(|byte| *byte >= 0x80) => Some(number),
            number if number.first().is_some_and(|byte| (1..0x80).contains(byte)) => Some(number),
            _ => None,
        }
    }

    fn finish(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}
