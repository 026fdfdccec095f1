//! Version 4 signature packets (RFC 9580 §5.2.3).

use super::PgpError;
use super::packet::{number, subpacket};
use crate::protocol::cursor::Cursor;
use crate::protocol::hash::HashAlgorithm;
use crate::protocol::keys::{
    KeyAlgorithm, PublicKey, SignatureInvalid, SignatureValid, ecdsa_signature,
};

// Signature types (RFC 9580 §5.2.1); 0x10 to 0x13 certify user IDs.
pub(super) const BINARY: u8 = 0x00;
pub(super) const SUBKEY_BINDING: u8 = 0x18;
/// Back signature of a subkey over the primary key.
pub(super) const PRIMARY_BINDING: u8 = 0x19;
pub(super) const DIRECT_KEY: u8 = 0x1f;
pub(super) const KEY_REVOCATION: u8 = 0x20;
pub(super) const SUBKEY_REVOCATION: u8 = 0x28;
pub(super) const CERTIFICATION_REVOCATION: u8 = 0x30;

/// An unverified signature.
#[derive(Clone, Debug)]
pub(super) struct SignaturePacket {
    pub(super) kind: u8,
    /// Seconds since 1970.
    pub(super) created: u32,
    subpackets: Subpackets,
    hash: HashAlgorithm,
    material: Material,
    /// The signed part of the packet.
    hashed: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Material {
    Rsa(Vec<u8>),
    /// DER of ECDSA-Sig-Value.
    Ecdsa(Vec<u8>),
    Ed25519([u8; 64]),
}

impl SignaturePacket {
    pub(super) fn parse(body: &[u8]) -> Result<Self, PgpError> {
        let malformed = PgpError::Signature;
        let mut fields = Cursor::new(body);
        if fields.u8().ok_or(malformed)? != 4 {
            return Err(PgpError::SignatureVersion);
        }
        let [kind, algorithm, hash] = fields.array().ok_or(malformed)?;
        let hash = match hash {
            8 => HashAlgorithm::Sha256,
            9 => HashAlgorithm::Sha384,
            10 => HashAlgorithm::Sha512,
            _ => return Err(PgpError::Hash),
        };
        let signed_area = fields.field::<2>().ok_or(malformed)?;
        let hashed = body.strip_suffix(fields.rest()).ok_or(malformed)?.to_vec();
        let unsigned_area = fields.field::<2>().ok_or(malformed)?;
        fields.take(2).ok_or(malformed)?;
        let material = Material::parse(algorithm, fields)?;
        let mut subpackets = Subpackets::default();
        subpackets.read(signed_area, true).ok_or(malformed)?;
        subpackets.read(unsigned_area, false).ok_or(malformed)?;
        if subpackets.has_unknown_critical {
            return Err(PgpError::Critical);
        }
        Ok(Self {
            kind,
            created: subpackets.created.ok_or(malformed)?,
            subpackets,
            hash,
            material,
            hashed,
        })
    }

    /// Whether the issuer is the key with this fingerprint. A key ID is the end of a fingerprint (RFC 9580
    /// §5.5.4.2).
    pub(super) fn is_issued_by(&self, fingerprint: &[u8; 20]) -> bool {
        let issuer = self.subpackets.issuer.as_deref();
        issuer.is_some_and(|issuer| fingerprint.ends_with(issuer))
    }

    /// Whether the certified key may sign data (RFC 9580 §5.2.3.29).
    pub(super) fn allows_signing(&self, default: bool) -> bool {
        let flags = self.subpackets.key_flags;
        flags.map_or(default, |flags| flags & 0x02 != 0)
    }

    /// Seconds from the key's creation to its expiry; `None` if the key does not expire.
    pub(super) const fn key_lifetime(&self) -> Option<u32> {
        self.subpackets.key_lifetime
    }

    /// The embedded back signature of a subkey.
    pub(super) fn embedded(&self) -> Option<Self> {
        Self::parse(self.subpackets.embedded.as_deref()?).ok()
    }

    pub(super) const fn is_certification(&self) -> bool {
        matches!(self.kind, 0x10..=0x13)
    }

    /// Verifies the signature over `content` followed by the signed part of the packet (RFC 9580 §5.2.4).
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
            (Material::Rsa(number), KeyAlgorithm::Rsa2048) => {
                key.verify_prehashed(&digest, &padded(number, 256))
            }
            (Material::Rsa(number), KeyAlgorithm::Rsa3072) => {
                key.verify_prehashed(&digest, &padded(number, 384))
            }
            (Material::Rsa(number), KeyAlgorithm::Rsa4096) => {
                key.verify_prehashed(&digest, &padded(number, 512))
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

/// Left-pads a number with zeros. A longer number is returned unchanged; it fails verification.
fn padded(number: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length.saturating_sub(number.len())];
    bytes.extend(number);
    bytes
}

impl Material {
    fn parse(algorithm: u8, mut fields: Cursor<'_>) -> Result<Self, PgpError> {
        let malformed = PgpError::Signature;
        let mut number = || number(&mut fields).ok_or(malformed);
        let material = match algorithm {
            1 | 3 => Self::Rsa(number()?.to_vec()),
            19 => Self::Ecdsa(ecdsa_signature(number()?, number()?).ok_or(malformed)?),
            22 => {
                let both = [padded(number()?, 32), padded(number()?, 32)].concat();
                Self::Ed25519(both.try_into().map_err(|_| malformed)?)
            }
            27 => Self::Ed25519(fields.array().ok_or(malformed)?),
            _ => return Err(PgpError::SignatureAlgorithm),
        };
        fields.finish().ok_or(malformed)?;
        Ok(material)
    }
}

#[derive(Clone, Debug, Default)]
struct Subpackets {
    created: Option<u32>,
    /// Fingerprint or key ID.
    issuer: Option<Vec<u8>>,
    key_lifetime: Option<u32>,
    key_flags: Option<u8>,
    embedded: Option<Vec<u8>>,
    has_unknown_critical: bool,
}

impl Subpackets {
    /// Parses a subpacket area. From the unsigned area, only the issuer and the embedded signature are
    /// used: both are verified by other means.
    fn read(&mut self, area: &[u8], is_signed: bool) -> Option<()> {
        let mut area = Cursor::new(area);
        while !area.is_empty() {
            let mut value = Cursor::new(subpacket(&mut area)?);
            let kind = value.u8()?;
            match (kind & 0x7f, is_signed) {
                (2, true) => self.created = Some(value.u32()?),
                (9, true) => self.key_lifetime = Some(value.u32()?).filter(|time| *time != 0),
                (27, true) => self.key_flags = Some(value.u8().unwrap_or(0)),
                (16, _) if self.issuer.is_none() => {
                    self.issuer = Some(value.array::<8>()?.to_vec());
                }
                (33, _) if value.u8()? == 4 => self.issuer = Some(value.array::<20>()?.to_vec()),
                (32, _) => self.embedded = Some(value.rest().to_vec()),
                // Preferences, policies and keyservers do not affect whether a signature is valid.
                (3 | 4 | 7 | 11 | 12 | 16 | 21..=26 | 28..=31 | 33..=35 | 39, _) => {}
                _ => self.has_unknown_critical |= is_signed && kind & 0x80 != 0,
            }
        }
        Some(())
    }
}
