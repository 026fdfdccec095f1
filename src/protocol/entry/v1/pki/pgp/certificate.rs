//! Transferable public keys (RFC 9580 §10.1): their signing keys and the owner's e-mail addresses.
//!
//! Only data signed by the primary key is used. A subkey may sign only if it signed the primary key in
//! return.

use super::PgpError;
use super::packet::{self, Packet, number};
use super::signature::{
    CERTIFICATION_REVOCATION, DIRECT_KEY, KEY_REVOCATION, PRIMARY_BINDING, SUBKEY_BINDING,
    SUBKEY_REVOCATION, SignaturePacket,
};
use crate::protocol::cursor::Cursor;
use crate::protocol::identity::EmailAddress;
use crate::protocol::keys::{KeyAlgorithm, KeyError, PublicKey};

#[derive(Clone, Debug, Default)]
pub(super) struct PgpCertificate {
    pub(super) signing_keys: Vec<PgpSigningKey>,
    pub(super) emails: Vec<EmailAddress>,
}

/// A key that may sign. Times are in seconds since 1970.
#[derive(Clone, Debug)]
pub(super) struct PgpSigningKey {
    pub(super) fingerprint: [u8; 20],
    pub(super) key: PublicKey,
    created: u32,
    /// The first second in which the key is not valid; `None` if it does not expire.
    expires: Option<u64>,
}

impl PgpSigningKey {
    pub(super) fn is_valid_at(&self, second: u32) -> bool {
        self.created <= second
            && self
                .expires
                .is_none_or(|expires| u64::from(second) < expires)
    }
}

impl PgpCertificate {
    /// Parses the packets of one certificate. The first packet is the primary key.
    pub(super) fn parse(packets: &[Packet<'_>]) -> Result<Self, PgpError> {
        // Each of the other packets is followed by the signatures over it.
        let mut groups = packets
            .chunk_by(|_, next| next.tag == packet::SIGNATURE)
            .filter_map(<[_]>::split_first)
            .map(|(subject, signatures)| (subject, parse_signatures(signatures)));
        let (primary, signatures) = groups.next().ok_or(PgpError::Key)?;
        let primary = KeyPacket::parse(primary.body)?;
        let key = primary.key.clone()?;
        // The revocation is not verified. A false one affects only the client that sent it, and a client
        // that wants to hide a revocation can omit it.
        if signatures.iter().any(|one| one.kind == KEY_REVOCATION) {
            return Err(PgpError::Revoked);
        }
        let framed = primary.framed();
        let is_direct =
            |one: &SignaturePacket| one.kind == DIRECT_KEY && one.verify(&key, &[&framed]).is_ok();
        let mut self_signatures: Vec<_> = signatures.into_iter().filter(is_direct).collect();
        let mut certificate = Self::default();
        for (subject, mut signatures) in groups {
            match subject.tag {
                packet::USER_ID => {
                    let name = frame_user_id(subject.body);
                    signatures.retain(|one| {
                        one.is_issued_by(&primary.fingerprint)
                            && one.verify(&key, &[&framed, &name]).is_ok()
                    });
                    if signatures
                        .iter()
                        .any(|one| one.kind == CERTIFICATION_REVOCATION)
                    {
                        continue;
                    }
                    signatures.retain(SignaturePacket::is_certification);
                    if !signatures.is_empty() {
                        certificate.emails.extend(email(subject.body));
                    }
                    self_signatures.extend(signatures);
                }
                packet::PUBLIC_SUBKEY => {
                    let subkey = signing_subkey(&framed, &key, subject.body, &signatures);
                    certificate.signing_keys.extend(subkey);
                }
                _ => {}
            }
        }
        // Without a self-signature, neither the user IDs nor the subkeys are bound to the primary key.
        let Some(newest) = self_signatures.iter().max_by_key(|one| one.created) else {
            return Ok(Self::default());
        };
        let primary = primary.signing(key, newest);
        // A subkey does not outlive its primary key.
        for subkey in &mut certificate.signing_keys {
            subkey.expires = [subkey.expires, primary.expires]
                .into_iter()
                .flatten()
                .min();
        }
        if newest.allows_signing(true) {
            certificate.signing_keys.insert(0, primary);
        }
        Ok(certificate)
    }
}

/// Parses signatures, and skips those that are malformed or not supported.
fn parse_signatures(packets: &[Packet<'_>]) -> Vec<SignaturePacket> {
    let bodies = packets.iter().map(|packet| packet.body);
    bodies
        .filter_map(|body| SignaturePacket::parse(body).ok())
        .collect()
}

/// Returns the subkey if its newest valid binding allows signing and contains a valid back signature.
fn signing_subkey(
    primary: &[u8],
    primary_key: &PublicKey,
    body: &[u8],
    signatures: &[SignaturePacket],
) -> Option<PgpSigningKey> {
    let subkey = KeyPacket::parse(body).ok()?;
    let key = subkey.key.clone().ok()?;
    if signatures.iter().any(|one| one.kind == SUBKEY_REVOCATION) {
        return None;
    }
    let framed = [primary, &subkey.framed()].concat();
    let binding = signatures
        .iter()
        .filter(|one| one.kind == SUBKEY_BINDING)
        .filter(|one| one.verify(primary_key, &[&framed]).is_ok())
        .max_by_key(|one| one.created)?;
    let back = binding.embedded()?;
    let signs_back = back.kind == PRIMARY_BINDING && back.verify(&key, &[&framed]).is_ok();
    (binding.allows_signing(false) && signs_back).then(|| subkey.signing(key, binding))
}

/// A key packet of version 4.
#[derive(Clone, Debug)]
struct KeyPacket<'a> {
    body: &'a [u8],
    created: u32,
    fingerprint: [u8; 20],
    key: Result<PublicKey, KeyError>,
}

impl<'a> KeyPacket<'a> {
    fn parse(body: &'a [u8]) -> Result<Self, PgpError> {
        let mut fields = Cursor::new(body);
        if fields.u8().ok_or(PgpError::Key)? != 4 || u16::try_from(body.len()).is_err() {
            return Err(PgpError::KeyVersion);
        }
        let created = fields.u32().ok_or(PgpError::Key)?;
        let algorithm = fields.u8().ok_or(PgpError::Key)?;
        let mut packet = Self {
            body,
            created,
            fingerprint: [0; 20],
            key: parse_key(algorithm, fields),
        };
        let hash = &ring::digest::SHA1_FOR_LEGACY_USE_ONLY;
        let fingerprint = ring::digest::digest(hash, &packet.framed());
        packet.fingerprint = fingerprint.as_ref().try_into().map_err(|_| PgpError::Key)?;
        Ok(packet)
    }

    /// The bytes that are hashed for a key (RFC 9580 §5.2.4).
    fn framed(&self) -> Vec<u8> {
        let length = u16::try_from(self.body.len()).expect("parse() checks the length");
        [&[0x99][..], &length.to_be_bytes(), self.body].concat()
    }

    fn signing(&self, key: PublicKey, by: &SignaturePacket) -> PgpSigningKey {
        let expires = |lifetime: u32| u64::from(self.created) + u64::from(lifetime);
        PgpSigningKey {
            fingerprint: self.fingerprint,
            key,
            created: self.created,
            expires: by.key_lifetime().map(expires),
        }
    }
}

/// The bytes that are hashed for a user ID (RFC 9580 §5.2.4).
fn frame_user_id(user_id: &[u8]) -> Vec<u8> {
    let length = u32::try_from(user_id.len()).expect("a key has at most 64 KiB");
    [&[0xb4][..], &length.to_be_bytes(), user_id].concat()
}

fn parse_key(algorithm: u8, mut fields: Cursor<'_>) -> Result<PublicKey, KeyError> {
    const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
    const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
    const ED25519: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];
    let malformed = KeyError::Malformed;
    let key = match algorithm {
        1 | 3 => {
            let modulus = number(&mut fields).ok_or(malformed)?;
            let exponent = number(&mut fields).ok_or(malformed)?;
            PublicKey::from_rsa(modulus, exponent)?
        }
        19 | 22 => {
            // The curve's object identifier (RFC 9580 §9.2).
            let curve = fields.field::<1>().ok_or(malformed)?;
            let point = number(&mut fields).ok_or(malformed)?;
            match (algorithm, curve, point) {
                (19, P256, point) => PublicKey::from_point(KeyAlgorithm::P256, point)?,
                (19, P384, point) => PublicKey::from_point(KeyAlgorithm::P384, point)?,
                (19, P521, point) => PublicKey::from_point(KeyAlgorithm::P521, point)?,
                (22, ED25519, [0x40, point @ ..]) => PublicKey::from_ed25519(point)?,
                _ => return Err(KeyError::Unsupported),
            }
        }
        27 => PublicKey::from_ed25519(&fields.array::<32>().ok_or(malformed)?)?,
        _ => return Err(KeyError::Unsupported),
    };
    fields.finish().ok_or(malformed)?;
    Ok(key)
}

/// Extracts the address from `Name (comment) <address>` or from a user ID that is only an address.
fn email(user_id: &[u8]) -> Option<EmailAddress> {
    let text = std::str::from_utf8(user_id).ok()?.trim();
    let address = match text.rsplit_once('<') {
        Some((_, rest)) => rest.strip_suffix('>')?,
        None => text,
    };
    EmailAddress::new(address).ok()
}
