//! OpenPGP (RFC 9580): transferable public keys, and detached signatures over binary documents, armored
//! or binary. Supports version 4 only, with the key algorithms of `protocol::keys`.
//!
//! ADR 9 explains why this is not a crate.

mod certificate;
mod packet;
mod signature;

use certificate::{PgpCertificate, PgpSigningKey};
use packet::{Packet, armor, dearmor, is_armored};
use signature::{BINARY, SignaturePacket};

use super::super::super::search::{SearchTerm, SearchTerms, TooManyTerms};
use super::{PkiError, PkiKey, PkiSignature};
use crate::protocol::keys::{KeyError, SignatureInvalid, SignatureValid};

/// Error parsing an OpenPGP key or signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PgpError {
    #[error("must be an OpenPGP public key, armored or binary")]
    Key,
    #[error("contains an OpenPGP secret key; send the public key instead")]
    SecretKey,
    #[error("the OpenPGP key must have version 4")]
    KeyVersion,
    /// The primary key is weak or its algorithm is not supported.
    #[error(transparent)]
    Weak(#[from] KeyError),
    #[error("the OpenPGP key was revoked")]
    Revoked,
    #[error(
        "the OpenPGP key has no key that may sign: a self-signature with SHA-256, SHA-384 or SHA-512 \
         is required"
    )]
    NoSigningKey,
    #[error("must be a detached OpenPGP signature, armored or binary")]
    Signature,
    #[error("the OpenPGP signature must have version 4")]
    SignatureVersion,
    #[error("the OpenPGP signature must be over a binary document (type 0x00)")]
    SignatureType,
    #[error("the OpenPGP signature's hash must be SHA-256, SHA-384 or SHA-512")]
    Hash,
    #[error("the OpenPGP signature must be RSA, ECDSA or Ed25519")]
    SignatureAlgorithm,
    #[error("the OpenPGP signature has an unknown critical subpacket")]
    Critical,
    #[error("the OpenPGP signature has no issuer, or was made by none of the keys")]
    OtherKey,
    /// The signature was created before the key was created or after it expired.
    #[error("the OpenPGP key was not valid when the signature was made")]
    Expired,
}

/// One or more transferable public keys, with at least one key that may sign.
#[derive(Clone, Debug)]
pub(super) struct PgpKey {
    /// Canonical form, not armored.
    canonical: Vec<u8>,
    certificates: Vec<PgpCertificate>,
}

impl PgpKey {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, PgpError> {
        let binary = if is_armored(bytes) {
            dearmor(bytes, packet::PUBLIC_KEY_LABEL).ok_or(PgpError::Key)?
        } else {
            bytes.to_vec()
        };
        let mut packets = packet::split(&binary).ok_or(PgpError::Key)?;
        let is_secret = |tag| matches!(tag, packet::SECRET_KEY | packet::SECRET_SUBKEY);
        if packets.iter().any(|packet| is_secret(packet.tag)) {
            return Err(PgpError::SecretKey);
        }
        // Trust packets, markers and user attributes are ignored and not logged.
        packets.retain(|packet| {
            matches!(
                packet.tag,
                packet::PUBLIC_KEY | packet::PUBLIC_SUBKEY | packet::USER_ID | packet::SIGNATURE
            )
        });
        if packets.first().map(|packet| packet.tag) != Some(packet::PUBLIC_KEY) {
            return Err(PgpError::Key);
        }
        let mut canonical = Vec::new();
        for packet in &packets {
            packet.write(&mut canonical);
        }
        let certificates = packets
            .chunk_by(|_, next| next.tag != packet::PUBLIC_KEY)
            .map(PgpCertificate::parse)
            .collect::<Result<Vec<_>, _>>()?;
        let key = Self {
            canonical,
            certificates,
        };
        if key.signing_keys().next().is_none() {
            return Err(PgpError::NoSigningKey);
        }
        Ok(key)
    }

    fn signing_keys(&self) -> impl Iterator<Item = &PgpSigningKey> {
        let certificates = self.certificates.iter();
        certificates.flat_map(|certificate| &certificate.signing_keys)
    }

    /// Parses a signature packet and finds its issuer.
    fn parse_packet(
        &self,
        packet: &Packet<'_>,
    ) -> Result<(SignaturePacket, &PgpSigningKey), PgpError> {
        let packet = SignaturePacket::parse(packet.body)?;
        if packet.kind != BINARY {
            return Err(PgpError::SignatureType);
        }
        let key = self
            .signing_keys()
            .find(|key| packet.is_issued_by(&key.fingerprint))
            .ok_or(PgpError::OtherKey)?;
        if !key.is_valid_at(packet.created) {
            return Err(PgpError::Expired);
        }
        Ok((packet, key))
    }
}

impl PkiKey for PgpKey {
    /// The same packets with headers in the current format, in an armor without armor headers.
    fn canonical(&self) -> Vec<u8> {
        armor(&self.canonical, packet::PUBLIC_KEY_LABEL)
    }

    /// Uses the first signature that was issued by one of the keys.
    fn parse_signature<'a>(
        &'a self,
        bytes: &'a [u8],
    ) -> Result<Box<dyn PkiSignature + 'a>, PkiError> {
        // Rekor pkg/pki/pgp: an armored signature is logged unchanged.
        let (binary, canonical) = if is_armored(bytes) {
            let binary = dearmor(bytes, packet::SIGNATURE_LABEL).ok_or(PgpError::Signature)?;
            (binary, bytes.to_vec())
        } else {
            (bytes.to_vec(), armor(bytes, packet::SIGNATURE_LABEL))
        };
        let mut packets = packet::split(&binary).ok_or(PgpError::Signature)?;
        packets.retain(|packet| packet.tag != packet::MARKER);
        if packets.iter().any(|packet| packet.tag != packet::SIGNATURE) {
            return Err(PgpError::Signature.into());
        }
        let mut signatures = packets.iter().map(|packet| self.parse_packet(packet));
        let first = signatures.next().ok_or(PgpError::Signature)?;
        let (packet, key) = signatures.fold(first, Result::or)?;
        Ok(Box::new(PgpSignature {
            canonical,
            packet,
            key,
        }))
    }

    fn add_names(&self, terms: &mut SearchTerms) -> Result<(), TooManyTerms> {
        let emails = self.certificates.iter().flat_map(|one| &one.emails);
        terms.extend(emails.map(|email| SearchTerm::name(email.as_str())))
    }
}

struct PgpSignature<'a> {
    canonical: Vec<u8>,
    packet: SignaturePacket,
    key: &'a PgpSigningKey,
}

impl PkiSignature for PgpSignature<'_> {
    fn canonical(&self) -> Vec<u8> {
        self.canonical.clone()
    }

    fn verify(&self, artifact: &[u8]) -> Result<SignatureValid, SignatureInvalid> {
        self.packet.verify(&self.key.key, &[artifact])
    }
}
