//! Signatures of version 4 (RFC 9580 §5.2.3) by the algorithms that are accepted.

use super::PgpError;
use super::packet::Reader;
use crate::protocol::bytes::HashAlgorithm;
use crate::protocol::keys::{
    KeyAlgorithm, PublicKey, SignatureInvalid, SignatureValid, ecdsa_signature,
};

/// A signature over a file's bytes.
pub(super) const BINARY: u8 = 0x00;
/// A subkey is the primary key's.
pub(super) const SUBKEY_BINDING: u8 = 0x18;
/// A primary key is the subkey's, which is how the subkey shows that it is there.
pub(super) const PRIMARY_BINDING: u8 = 0x19;
/// What holds for a key whatever its names.
pub(super) const DIRECT_KEY: u8 = 0x1f;
/// The key is no longer to be used.
pub(super) const KEY_REVOCATION: u8 = 0x20;
/// The user ID is no longer the owner's.
pub(super) const NAME_REVOCATION: u8 = 0x30;
/// The subkey is no longer to be used.
pub(super) const SUBKEY_REVOCATION: u8 = 0x28;

/// A signature that was read and not verified.
#[derive(Clone, Debug)]
pub(super) struct PgpSignaturePacket {
    pub(super) kind: u8,
    /// When it was made, in seconds since 1970.
    pub(super) created: u32,
    pub(super) issuer: Option<Issuer>,
    /// Seconds from the key's creation to its end; none if it has no end.
    pub(super) key_lifetime: Option<u32>,
    /// What the key may do; none if that is not limited.
    key_flags: Option<u8>,
    /// A signature inside, by the subkey.
    pub(super) embedded: Option<Vec<u8>>,
    hash: HashAlgorithm,
    material: Material,
    /// The part of the packet that is itself signed.
    hashed: Vec<u8>,
}

/// By which key a signature says that it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Issuer {
    Fingerprint([u8; 20]),
    KeyId([u8; 8]),
}

impl Issuer {
    /// Whether this is the key with that fingerprint; a key ID is its end (RFC 9580 §5.5.4.2).
    pub(super) fn is(&self, fingerprint: &[u8; 20]) -> bool {
        match self {
            Self::Fingerprint(own) => own == fingerprint,
            Self::KeyId(id) => fingerprint.ends_with(id),
        }
    }
}

#[derive(Clone, Debug)]
enum Material {
    Rsa(Vec<u8>),
    /// ECDSA-Sig-Value
    Ecdsa(Vec<u8>),
    Ed25519([u8; 64]),
}

impl PgpSignaturePacket {
    /// Reads a packet's body.
    pub(super) fn read(body: &[u8]) -> Result<Self, PgpError> {
        let mut reader = Reader(body);
        let malformed = PgpError::Signature;
        if reader.byte().ok_or(malformed)? != 4 {
            return Err(PgpError::SignatureVersion);
        }
        let [kind, algorithm, hash] = reader.array().ok_or(malformed)?;
        let hash = match hash {
            8 => HashAlgorithm::Sha256,
            9 => HashAlgorithm::Sha384,
            10 => HashAlgorithm::Sha512,
            _ => return Err(PgpError::Hash),
        };
        let length = reader.u16().ok_or(malformed)?;
        let area = reader.take(length).ok_or(malformed)?;
        let signed = body.len().saturating_sub(reader.0.len());
        let unhashed = reader.u16().ok_or(malformed)?;
        let unhashed = reader.take(unhashed).ok_or(malformed)?;
        reader.take(2).ok_or(malformed)?;
        let material = Material::read(algorithm, reader)?;
        let mut facts = Facts::default();
        facts.read(area, true).ok_or(malformed)?;
        facts.read(unhashed, false).ok_or(malformed)?;
        if facts.has_unknown_critical {
            return Err(PgpError::Critical);
        }
        Ok(Self {
            kind,
            created: facts.created.ok_or(malformed)?,
            issuer: facts.issuer,
            key_lifetime: facts.key_lifetime,
            key_flags: facts.key_flags,
            embedded: facts.embedded,
            hash,
            material,
            hashed: body.get(..signed).ok_or(malformed)?.to_vec(),
        })
    }

    /// Whether the key that this certifies may sign data (RFC 9580 §5.2.3.29).
    pub(super) fn allows_signing(&self, if_unsaid: bool) -> bool {
        self.key_flags.map_or(if_unsaid, |flags| flags & 0x02 != 0)
    }

    /// Whether this is a certification of a user ID.
    pub(super) const fn is_certification(&self) -> bool {
        matches!(self.kind, 0x10..=0x13)
    }

    /// Verifies it over content, behind which its own signed part stands (RFC 9580 §5.2.4).
    pub(super) fn verify(
        &self,
        key: &PublicKey,
        content: &[&[u8]],
    ) -> Result<SignatureValid, SignatureInvalid> {
        let length = u32::try_from(self.hashed.len()).map_err(|_| SignatureInvalid)?;
        let mut message = content.concat();
        message.extend(&self.hashed);
        message.extend([4, 0xff]);
        message.extend(length.to_be_bytes());
        let digest = self.hash.digest(&message);
        match (&self.material, key.algorithm()) {
            (
                Material::Rsa(number),
                KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096,
            ) => {
                let signature = padded(number, rsa_length(key.algorithm()));
                key.verify_prehashed(&digest, &signature)
            }
            (
                Material::Ecdsa(signature),
                KeyAlgorithm::P256 | KeyAlgorithm::P384 | KeyAlgorithm::P521,
            ) => key.verify_prehashed(&digest, signature),
            (Material::Ed25519(signature), KeyAlgorithm::Ed25519) => {
                key.verify_message(digest.as_bytes(), signature)
            }
            _ => Err(SignatureInvalid),
        }
    }
}

const fn rsa_length(key: KeyAlgorithm) -> usize {
    match key {
        KeyAlgorithm::Rsa4096 => 512,
        KeyAlgorithm::Rsa3072 => 384,
        _ => 256,
    }
}

/// Zeros before a number, up to a length.
fn padded(number: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length.saturating_sub(number.len())];
    bytes.extend(number);
    bytes
}

impl Material {
    fn read(algorithm: u8, mut reader: Reader<'_>) -> Result<Self, PgpError> {
        let malformed = PgpError::Signature;
        let material = match algorithm {
            1 | 3 => Self::Rsa(reader.number().ok_or(malformed)?.to_vec()),
            19 => {
                let r = reader.number().ok_or(malformed)?;
                let s = reader.number().ok_or(malformed)?;
                Self::Ecdsa(ecdsa_signature(r, s).ok_or(malformed)?)
            }
            22 => {
                let r = reader.number().ok_or(malformed)?;
                let s = reader.number().ok_or(malformed)?;
                let both = [padded(r, 32), padded(s, 32)].concat();
                Self::Ed25519(both.try_into().map_err(|_| malformed)?)
            }
            27 => Self::Ed25519(reader.array().ok_or(malformed)?),
            _ => return Err(PgpError::SignatureAlgorithm),
        };
        reader.finish().ok_or(malformed)?;
        Ok(material)
    }
}

/// What the subpackets say.
#[derive(Default)]
struct Facts {
    created: Option<u32>,
    issuer: Option<Issuer>,
    key_lifetime: Option<u32>,
    key_flags: Option<u8>,
    embedded: Option<Vec<u8>>,
    has_unknown_critical: bool,
}

impl Facts {
    /// Reads an area. Of what nobody signed, only what is checked otherwise counts: which key to
    /// try, and a signature of its own.
    fn read(&mut self, area: &[u8], is_signed: bool) -> Option<()> {
        let mut area = Reader(area);
        while !area.0.is_empty() {
            let length = area.subpacket_length()?;
            let mut value = Reader(area.take(length)?);
            let kind = value.byte()?;
            match (kind & 0x7f, is_signed) {
                (2, true) => self.created = Some(value.u32()?),
                (9, true) => self.key_lifetime = Some(value.u32()?).filter(|time| *time != 0),
                (27, true) => self.key_flags = Some(value.byte().unwrap_or(0)),
                (16, _) if self.issuer.is_none() => {
                    self.issuer = Some(Issuer::KeyId(value.array()?));
                }
                (33, _) if value.byte()? == 4 => {
                    self.issuer = Some(Issuer::Fingerprint(value.array()?));
                }
                (32, _) => self.embedded = Some(value.0.to_vec()),
                // Preferences, policies, names of servers: they change nothing about a signature.
                (3 | 4 | 7 | 11 | 12 | 16 | 21..=26 | 28..=31 | 33..=35 | 39, _) => {}
                (_, is_signed) => self.has_unknown_critical |= is_signed && kind & 0x80 != 0,
            }
        }
        Some(())
    }
}
