//! OpenSSH keys as lines of `authorized_keys`, and SSHSIG signatures over files (OpenSSH
//! `PROTOCOL.sshsig`). The `ssh-key` crate decodes; `protocol::keys` verifies.

use ssh_encoding::{Decode, Encode};
use ssh_key::public::{EcdsaPublicKey, KeyData};
use ssh_key::{Algorithm, HashAlg, Mpint, Signature, SshSig};

use super::{PkiError, PkiKey, PkiSignature};
use crate::protocol::bytes::{from_base64, to_base64};
use crate::protocol::hash::HashAlgorithm;
use crate::protocol::keys::{
    KeyAlgorithm, KeyError, PublicKey, SignatureInvalid, SignatureValid, ecdsa_signature,
};

/// Error parsing an OpenSSH key or signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SshError {
    #[error("must be one OpenSSH public key: type, base64 and an optional comment")]
    Key,
    #[error("the OpenSSH key must be ssh-ed25519, ecdsa-sha2-nistp256, -384 or -521, or ssh-rsa")]
    KeyType,
    #[error(transparent)]
    Weak(#[from] KeyError),
    #[error("must be an armored SSH SIGNATURE, version 1, with sha512 or sha256")]
    Signature,
    #[error("the SSH signature's namespace must be \"file\" (ssh-keygen -Y sign -n file)")]
    Namespace,
    #[error("the SSH signature's algorithm does not match the key, or uses SHA-1")]
    Algorithm,
    #[error("the SSH signature was made by another key")]
    OtherKey,
}

#[derive(Clone, Debug)]
pub(super) struct SshKey {
    data: KeyData,
    /// The encoding of `data`.
    blob: Vec<u8>,
    key: PublicKey,
}

impl SshKey {
    /// Parses a text with exactly one key line. Empty lines and comments are skipped.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, SshError> {
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
        let data: KeyData = decode(&blob).ok_or(SshError::Key)?;
        if data.algorithm().as_str() != kind {
            return Err(SshError::Key);
        }
        let key = match &data {
            KeyData::Ed25519(key) => PublicKey::from_ed25519(&key.0)?,
            KeyData::Rsa(key) => {
                let number = |number: &'_ Mpint| number.as_positive_bytes().map(<[u8]>::to_vec);
                let (modulus, exponent) =
                    number(&key.n).zip(number(&key.e)).ok_or(SshError::Key)?;
                PublicKey::from_rsa(&modulus, &exponent)?
            }
            KeyData::Ecdsa(key) => {
                let curve = match key {
                    EcdsaPublicKey::NistP256(_) => KeyAlgorithm::P256,
                    EcdsaPublicKey::NistP384(_) => KeyAlgorithm::P384,
                    EcdsaPublicKey::NistP521(_) => KeyAlgorithm::P521,
                };
                PublicKey::from_point(curve, key.as_sec1_bytes())?
            }
            _ => return Err(SshError::KeyType),
        };
        Ok(Self { data, blob, key })
    }
}

/// Decodes a value and checks that it encodes to the same bytes. The crate does not check that a field's
/// content ends where its length says, so it accepts bytes that other parsers read differently.
fn decode<T: Decode + Encode>(bytes: &[u8]) -> Option<T> {
    let value = T::decode(&mut &*bytes).ok()?;
    let mut encoded = Vec::with_capacity(bytes.len());
    value.encode(&mut encoded).ok()?;
    (encoded == bytes).then_some(value)
}

impl PkiKey for SshKey {
    /// The line without its comment, followed by a newline.
    fn canonical(&self) -> Vec<u8> {
        let kind = self.data.algorithm();
        format!("{} {}\n", kind.as_str(), to_base64(&self.blob)).into_bytes()
    }

    fn parse_signature<'a>(
        &'a self,
        bytes: &'a [u8],
    ) -> Result<Box<dyn PkiSignature + 'a>, PkiError> {
        Ok(Box::new(SshSignature::parse(self, bytes)?))
    }
}

struct SshSignature<'a> {
    key: &'a PublicKey,
    /// The content of the armor.
    blob: Vec<u8>,
    /// Hash function of the artifact.
    hash: HashAlg,
    /// Hash function of an RSA signature. Other algorithms have a fixed one.
    rsa_hash: Option<HashAlgorithm>,
    /// In X.509's encoding.
    signature: Vec<u8>,
}

const NAMESPACE: &str = "file";
const PEM_LABEL: &str = "SSH SIGNATURE";

impl<'a> SshSignature<'a> {
    fn parse(key: &'a SshKey, bytes: &[u8]) -> Result<Self, SshError> {
        // ssh-key's PEM parser rejects the 64 columns in which Rekor logs signatures.
        let blocks = pem::parse_many(bytes).map_err(|_| SshError::Signature)?;
        let [block] = <[pem::Pem; 1]>::try_from(blocks).map_err(|_| SshError::Signature)?;
        if block.tag() != PEM_LABEL {
            return Err(SshError::Signature);
        }
        let blob = block.into_contents();
        let parsed: SshSig = decode(&blob).ok_or(SshError::Signature)?;
        if parsed.version() != SshSig::VERSION || !parsed.reserved().is_empty() {
            return Err(SshError::Signature);
        }
        if parsed.namespace() != NAMESPACE {
            return Err(SshError::Namespace);
        }
        if *parsed.public_key() != key.data {
            return Err(SshError::OtherKey);
        }
        let (rsa_hash, signature) = x509_signature(&key.data, parsed.signature())?;
        Ok(Self {
            key: &key.key,
            hash: parsed.hash_alg(),
            rsa_hash,
            signature,
            blob,
        })
    }
}

/// Converts a signature to X.509's encoding. Also returns the hash function of an RSA signature.
fn x509_signature(
    key: &KeyData,
    signature: &Signature,
) -> Result<(Option<HashAlgorithm>, Vec<u8>), SshError> {
    let bytes = signature.as_bytes();
    match (key, signature.algorithm()) {
        (KeyData::Rsa(_), Algorithm::Rsa { hash: Some(hash) }) => {
            let hash = match hash {
                HashAlg::Sha256 => HashAlgorithm::Sha256,
                HashAlg::Sha512 => HashAlgorithm::Sha512,
                _ => return Err(SshError::Algorithm),
            };
            Ok((Some(hash), bytes.to_vec()))
        }
        (KeyData::Ed25519(_), Algorithm::Ed25519) => Ok((None, bytes.to_vec())),
        (KeyData::Ecdsa(_), algorithm) if algorithm == key.algorithm() => {
            let mut numbers = bytes;
            let mut number = || Mpint::decode(&mut numbers).ok();
            let (r, s) = number().zip(number()).ok_or(SshError::Signature)?;
            let (r, s) = (r.as_positive_bytes(), s.as_positive_bytes());
            let (r, s) = r.zip(s).ok_or(SshError::Signature)?;
            let signature = ecdsa_signature(r, s).ok_or(SshError::Signature)?;
            Ok((None, signature))
        }
        _ => Err(SshError::Algorithm),
    }
}

impl PkiSignature for SshSignature<'_> {
    /// The same bytes in an armor with 64 columns.
    fn canonical(&self) -> Vec<u8> {
        let block = pem::Pem::new(PEM_LABEL, self.blob.clone());
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        pem::encode_config(&block, config).into_bytes()
    }

    fn verify(&self, artifact: &[u8]) -> Result<SignatureValid, SignatureInvalid> {
        let message = SshSig::signed_data(NAMESPACE, self.hash, artifact);
        let message = message.map_err(|_| SignatureInvalid)?;
        match self.rsa_hash {
            Some(hash) => {
                let digest = hash.digest(&message);
                self.key.verify_prehashed(&digest, &self.signature)
            }
            None => self.key.verify_message(&message, &self.signature),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_non_canonical_encoding_of_a_signature_is_rejected() {
        let case = include_str!("../../../../../tests/vectors/entry/rekord-ssh-ed25519.json");
        let case: serde_json::Value = serde_json::from_str(case).unwrap();
        let signature = &case["proposed"]["spec"]["signature"];
        let content = |value: &serde_json::Value| from_base64(value["content"].as_str().unwrap());
        let key = SshKey::parse(&content(&signature["publicKey"]).unwrap()).unwrap();
        let armored = content(signature).unwrap();
        let blob = pem::parse(armored).unwrap().into_contents();
        let parse = |blob: &[u8]| {
            let block = pem::Pem::new(PEM_LABEL, blob);
            SshSignature::parse(&key, pem::encode(&block).as_bytes()).map(|_| ())
        };
        assert_eq!(parse(&blob), Ok(()));

        // Change the length of the key, after the preamble and the version. ssh-key 0.6.7 ignores it and
        // reads as many bytes as the key needs.
        let mut longer = blob.clone();
        longer[13] += 1;
        assert!(SshSig::decode(&mut longer.as_slice()).is_ok());
        assert_eq!(parse(&longer), Err(SshError::Signature));
        assert_eq!(parse(&[&blob[..], &[0]].concat()), Err(SshError::Signature));
    }
}
