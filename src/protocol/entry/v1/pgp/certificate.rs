//! Transferable public keys (RFC 9580 §10.1): which of their keys may sign, and whose they are.
//!
//! Nothing of a key is believed that its primary key did not sign, and no subkey signs that did not
//! sign back.

use super::PgpError;
use super::packet::{self, Packet, Reader};
use super::signature::{
    DIRECT_KEY, KEY_REVOCATION, NAME_REVOCATION, PRIMARY_BINDING, PgpSignaturePacket,
    SUBKEY_BINDING, SUBKEY_REVOCATION,
};
use crate::protocol::identity::EmailAddress;
use crate::protocol::keys::{KeyAlgorithm, KeyError, PublicKey};

/// A key of version 4.
#[derive(Clone, Debug)]
struct KeyPacket<'a> {
    body: &'a [u8],
    created: u32,
    fingerprint: [u8; 20],
    key: Result<PublicKey, KeyError>,
}

/// A key that may sign, and from when to when.
#[derive(Clone, Debug)]
pub(super) struct SigningKey {
    pub(super) fingerprint: [u8; 20],
    pub(super) key: PublicKey,
    created: u32,
    /// The first second in which it is no longer valid; none if it has no end.
    ends: Option<u64>,
}

impl SigningKey {
    /// Whether the key was valid at a moment, in seconds since 1970.
    pub(super) fn is_valid_at(&self, moment: u32) -> bool {
        self.created <= moment && self.ends.is_none_or(|end| u64::from(moment) < end)
    }
}

/// What a transferable public key proved about itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Certificate {
    pub(super) signing_keys: Vec<SigningKey>,
    pub(super) emails: Vec<EmailAddress>,
}

impl Certificate {
    /// Reads the packets of one key, the primary key first.
    pub(super) fn read(packets: &[Packet<'_>]) -> Result<Self, PgpError> {
        let (first, rest) = packets.split_first().ok_or(PgpError::Key)?;
        let primary = KeyPacket::read(first.body)?;
        let key = primary.key.clone()?;
        let mut reading = Reading {
            primary,
            key,
            certificate: Self::default(),
            self_signature: None,
        };
        let is_subject = |packet: &Packet<'_>| packet.tag != packet::SIGNATURE;
        let own = rest.iter().position(is_subject).unwrap_or(rest.len());
        let (own, mut rest) = rest.split_at_checked(own).unwrap_or_default();
        reading.primary_key(&signatures(own))?;
        while let Some((subject, behind)) = rest.split_first() {
            let end = behind.iter().position(is_subject).unwrap_or(behind.len());
            let (own, behind) = behind.split_at_checked(end).unwrap_or_default();
            match subject.tag {
                packet::USER_ID => reading.user_id(subject.body, &signatures(own)),
                packet::PUBLIC_SUBKEY => reading.subkey(subject.body, &signatures(own)),
                _ => {}
            }
            rest = behind;
        }
        Ok(reading.finish())
    }
}

/// The signatures that can be read; others say nothing here.
fn signatures(packets: &[Packet<'_>]) -> Vec<PgpSignaturePacket> {
    packets
        .iter()
        .filter_map(|packet| PgpSignaturePacket::read(packet.body).ok())
        .collect()
}

struct Reading<'a> {
    primary: KeyPacket<'a>,
    key: PublicKey,
    certificate: Certificate,
    /// The newest signature in which the primary key speaks of itself.
    self_signature: Option<PgpSignaturePacket>,
}

impl Reading<'_> {
    fn primary_key(&mut self, signatures: &[PgpSignaturePacket]) -> Result<(), PgpError> {
        // Whoever sends a revoked key could as well leave the revocation out: it need not hold.
        if signatures.iter().any(|one| one.kind == KEY_REVOCATION) {
            return Err(PgpError::Revoked);
        }
        let framed = self.primary.framed();
        for one in signatures.iter().filter(|one| one.kind == DIRECT_KEY) {
            if one.verify(&self.key, &[&framed]).is_ok() {
                self.keep(one);
            }
        }
        Ok(())
    }

    fn user_id(&mut self, user_id: &[u8], signatures: &[PgpSignaturePacket]) {
        let framed = self.primary.framed();
        let length = u32::try_from(user_id.len()).unwrap_or(u32::MAX);
        let name = [&[0xb4][..], &length.to_be_bytes(), user_id].concat();
        let by_itself = |one: &&PgpSignaturePacket| {
            one.issuer
                .is_some_and(|issuer| issuer.is(&self.primary.fingerprint))
                && one.verify(&self.key, &[&framed, &name]).is_ok()
        };
        let valid: Vec<_> = signatures.iter().filter(by_itself).collect();
        if valid.iter().any(|one| one.kind == NAME_REVOCATION) {
            return;
        }
        let mut is_certified = false;
        for one in valid.into_iter().filter(|one| one.is_certification()) {
            is_certified = true;
            self.keep(one);
        }
        if is_certified {
            self.certificate.emails.extend(email(user_id));
        }
    }

    fn keep(&mut self, signature: &PgpSignaturePacket) {
        let newest = self.self_signature.as_ref().map(|one| one.created);
        if newest.is_none_or(|newest| newest <= signature.created) {
            self.self_signature = Some(signature.clone());
        }
    }

    fn subkey(&mut self, body: &[u8], signatures: &[PgpSignaturePacket]) {
        let Ok(subkey) = KeyPacket::read(body) else {
            return;
        };
        let Ok(key) = &subkey.key else {
            return;
        };
        if signatures.iter().any(|one| one.kind == SUBKEY_REVOCATION) {
            return;
        }
        let framed = [self.primary.framed(), subkey.framed()].concat();
        let signs_back = |one: &PgpSignaturePacket| {
            let back = one.embedded.as_deref().map(PgpSignaturePacket::read);
            matches!(back, Some(Ok(back))
                if back.kind == PRIMARY_BINDING && back.verify(key, &[&framed]).is_ok())
        };
        let newest = signatures
            .iter()
            .filter(|one| one.kind == SUBKEY_BINDING)
            .filter(|one| one.verify(&self.key, &[&framed]).is_ok())
            .max_by_key(|one| one.created);
        if let Some(binding) = newest
            && binding.allows_signing(false)
            && signs_back(binding)
        {
            let signing = subkey.signing(key.clone(), binding);
            self.certificate.signing_keys.push(signing);
        }
    }

    /// The primary key signs if the newest of its own signatures does not forbid it; without one it
    /// is nobody's key, and its subkeys are not either.
    fn finish(self) -> Certificate {
        let mut certificate = self.certificate;
        let Some(own) = &self.self_signature else {
            return Certificate::default();
        };
        let primary = self.primary.signing(self.key, own);
        // A subkey does not outlive its primary key.
        for subkey in &mut certificate.signing_keys {
            subkey.ends = [subkey.ends, primary.ends].into_iter().flatten().min();
        }
        if own.allows_signing(true) {
            certificate.signing_keys.insert(0, primary);
        }
        certificate
    }
}

impl<'a> KeyPacket<'a> {
    fn read(body: &'a [u8]) -> Result<Self, PgpError> {
        let mut reader = Reader(body);
        if reader.byte().ok_or(PgpError::Key)? != 4 || u16::try_from(body.len()).is_err() {
            return Err(PgpError::KeyVersion);
        }
        let created = reader.u32().ok_or(PgpError::Key)?;
        let algorithm = reader.byte().ok_or(PgpError::Key)?;
        let mut packet = Self {
            body,
            created,
            fingerprint: [0; 20],
            key: read_key(algorithm, reader),
        };
        let hash = &ring::digest::SHA1_FOR_LEGACY_USE_ONLY;
        let fingerprint = ring::digest::digest(hash, &packet.framed());
        packet.fingerprint = fingerprint.as_ref().try_into().map_err(|_| PgpError::Key)?;
        Ok(packet)
    }

    /// The form in which keys are hashed (RFC 9580 §5.2.4).
    fn framed(&self) -> Vec<u8> {
        let length = u16::try_from(self.body.len()).unwrap_or(u16::MAX);
        [&[0x99][..], &length.to_be_bytes(), self.body].concat()
    }

    fn signing(&self, key: PublicKey, by: &PgpSignaturePacket) -> SigningKey {
        let end = |lifetime: u32| u64::from(self.created).saturating_add(u64::from(lifetime));
        SigningKey {
            fingerprint: self.fingerprint,
            key,
            created: self.created,
            ends: by.key_lifetime.map(end),
        }
    }
}

fn read_key(algorithm: u8, mut reader: Reader<'_>) -> Result<PublicKey, KeyError> {
    let malformed = KeyError::Malformed;
    let key = match algorithm {
        1 | 3 => {
            let modulus = reader.number().ok_or(malformed)?;
            let exponent = reader.number().ok_or(malformed)?;
            PublicKey::from_rsa(modulus, exponent)?
        }
        19 | 22 => {
            let length = reader.byte().ok_or(malformed)?;
            let curve = reader.take(usize::from(length)).ok_or(malformed)?;
            let point = reader.number().ok_or(malformed)?;
            on_curve(algorithm, curve, point)?
        }
        27 => PublicKey::from_ed25519(&reader.array::<32>().ok_or(malformed)?)?,
        _ => return Err(KeyError::Unsupported),
    };
    reader.finish().ok_or(malformed)?;
    Ok(key)
}

/// The key on the curve with this object identifier (RFC 9580 §9.2).
fn on_curve(algorithm: u8, curve: &[u8], point: &[u8]) -> Result<PublicKey, KeyError> {
    const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
    const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
    const ED25519: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];
    match (algorithm, curve, point) {
        (19, P256, point) => PublicKey::from_point(KeyAlgorithm::P256, point),
        (19, P384, point) => PublicKey::from_point(KeyAlgorithm::P384, point),
        (19, P521, point) => PublicKey::from_point(KeyAlgorithm::P521, point),
        (22, ED25519, [0x40, point @ ..]) => PublicKey::from_ed25519(point),
        _ => Err(KeyError::Unsupported),
    }
}

/// The address of `Name (comment) <address>`, or of a user ID that is nothing but one.
fn email(user_id: &[u8]) -> Option<EmailAddress> {
    let text = std::str::from_utf8(user_id).ok()?.trim();
    let address = match text.rsplit_once('<') {
        Some((_, rest)) => rest.strip_suffix('>')?,
        None => text,
    };
    EmailAddress::new(address).ok()
}
