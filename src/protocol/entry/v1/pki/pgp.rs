//! OpenPGP: transferable public keys, and detached signatures over a file's bytes (RFC 9580), armored or
//! binary. Only version 4, and only the algorithms that keys have elsewhere in Signet.
//!
//! ADR 9 says why this is not a crate.

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
    /// Not the packets of a public key
    #[error("must be an OpenPGP public key, armored or binary")]
    Key,
    /// A secret key, which its owner must not publish
    #[error("holds an OpenPGP secret key; send the public key")]
    SecretKey,
    /// The key is of another version
    #[error("the OpenPGP key must be of version 4")]
    KeyVersion,
    /// The primary key is weak or of an unsupported algorithm
    #[error(transparent)]
    Weak(#[from] KeyError),
    /// The key's owner revoked it
    #[error("the OpenPGP key was revoked")]
    Revoked,
    /// No key has a valid self-signature and may sign
    #[error(
        "the OpenPGP key has no valid key that may sign: it needs a self-signature, with SHA-256, \
         -384 or -512"
    )]
    NoSigningKey,
    /// Not the packets of detached signatures
    #[error("must be a detached OpenPGP signature, armored or binary")]
    Signature,
    /// The signature is of another version
    #[error("the OpenPGP signature must be of version 4")]
    SignatureVersion,
    /// The signature is not over a file's bytes
    #[error("the OpenPGP signature must be over a file's bytes (type 0x00)")]
    SignatureType,
    /// The hash is not accepted
    #[error("the OpenPGP signature's hash must be SHA-256, SHA-384 or SHA-512")]
    Hash,
    /// The algorithm is not accepted
    #[error("the OpenPGP signature must be RSA, ECDSA or Ed25519")]
    SignatureAlgorithm,
    /// A critical subpacket is unknown
    #[error("the OpenPGP signature has a critical subpacket that is not known here")]
    Critical,
    /// The signature names none of the keys
    #[error("the OpenPGP signature was made by none of the keys, or names none")]
    OtherKey,
    /// The signature's time is before the key's creation or after its end
    #[error("the OpenPGP key was not valid when the signature was made")]
    Expired,
}

/// At least one transferable public key that may sign.
#[derive(Clone, Debug)]
pub(super) struct PgpKey {
    /// Binary.
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
        // Trust packets, markers and user attributes are neither verified nor logged.
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

    /// Parses a signature packet and finds the key that allegedly made it.
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
            .find(|key| packet.names(&key.fingerprint))
            .ok_or(PgpError::OtherKey)?;
        if !key.is_valid_at(packet.created) {
            return Err(PgpError::Expired);
        }
        Ok((packet, key))
    }
}

impl PkiKey for PgpKey {
    /// The same packets, with headers in the current format, in an armor without headers.
    fn canonical(&self) -> Vec<u8> {
        armor(&self.canonical, packet::PUBLIC_KEY_LABEL)
    }

    /// Takes the first signature that one of the keys may have made.
    fn parse_signature<'a>(
        &'a self,
        bytes: &'a [u8],
    ) -> Result<Box<dyn PkiSignature + 'a>, PkiError> {
        // SPEC rekor pkg/pki/pgp: an armored signature is logged as it is.
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
