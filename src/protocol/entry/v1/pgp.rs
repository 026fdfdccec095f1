//! OpenPGP: transferable public keys, and detached signatures over a file's bytes (RFC 9580),
//! armored or not. Version 4 alone, and the algorithms that keys have elsewhere here.

mod armor;
mod certificate;
mod packet;
mod signature;

use certificate::{Certificate, SigningKey};
use packet::Packet;
use signature::{BINARY, PgpSignaturePacket};

use super::super::search::{SearchTerm, SearchTerms, TooManyTerms};
use super::pki::{Key, PkiError, Signature};
use crate::protocol::keys::{KeyError, SignatureInvalid, SignatureValid};

/// Why bytes are no key or signature of OpenPGP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PgpError {
    /// Not packets of a public key
    #[error("must be an OpenPGP public key, armored or binary")]
    Key,
    /// A key that must stay with its owner
    #[error("holds an OpenPGP secret key; send the public key")]
    SecretKey,
    /// A key of another version
    #[error("the OpenPGP key must be of version 4")]
    KeyVersion,
    /// The primary key is no good one
    #[error(transparent)]
    Weak(#[from] KeyError),
    /// The key's owner withdrew it
    #[error("the OpenPGP key was revoked")]
    Revoked,
    /// No key that signed a name or binding of its own, and may sign files
    #[error(
        "the OpenPGP key has no valid key that may sign: it needs a self-signature, with SHA-256, \
         -384 or -512"
    )]
    NoSigningKey,
    /// Not packets of signatures
    #[error("must be a detached OpenPGP signature, armored or binary")]
    Signature,
    /// A signature of another version
    #[error("the OpenPGP signature must be of version 4")]
    SignatureVersion,
    /// A signature over something else than a file's bytes
    #[error("the OpenPGP signature must be over a file's bytes (type 0x00)")]
    SignatureType,
    /// A hash that is not accepted
    #[error("the OpenPGP signature's hash must be SHA-256, SHA-384 or SHA-512")]
    Hash,
    /// An algorithm that is not accepted
    #[error("the OpenPGP signature must be RSA, ECDSA or Ed25519")]
    SignatureAlgorithm,
    /// Something that must be understood
    #[error("the OpenPGP signature has a critical subpacket that is not known here")]
    Critical,
    /// No key here made it
    #[error("the OpenPGP signature was made by none of the keys, or names none")]
    OtherKey,
    /// Made before the key was, or after its end
    #[error("the OpenPGP key was not valid when the signature was made")]
    Expired,
}

/// One or more transferable public keys.
#[derive(Clone, Debug)]
pub(super) struct PgpKey {
    canonical: Vec<u8>,
    certificates: Vec<Certificate>,
}

impl PgpKey {
    /// Reads armored or binary keys.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, PgpError> {
        let binary = if armor::is_armored(bytes) {
            armor::decode(bytes, armor::PUBLIC_KEY).ok_or(PgpError::Key)?
        } else {
            bytes.to_vec()
        };
        let packets = packet::split(&binary).ok_or(PgpError::Key)?;
        if packets.iter().any(|packet| is_secret(packet.tag)) {
            return Err(PgpError::SecretKey);
        }
        let kept: Vec<_> = packets
            .into_iter()
            .filter(|packet| is_kept(packet.tag))
            .collect();
        if kept
            .first()
            .is_none_or(|packet| packet.tag != packet::PUBLIC_KEY)
        {
            return Err(PgpError::Key);
        }
        let mut canonical = Vec::new();
        for packet in &kept {
            packet.write(&mut canonical);
        }
        let certificates = kept
            .chunk_by(|_, next| next.tag != packet::PUBLIC_KEY)
            .map(Certificate::read)
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

    fn signing_keys(&self) -> impl Iterator<Item = &SigningKey> {
        self.certificates
            .iter()
            .flat_map(|certificate| &certificate.signing_keys)
    }
}

const fn is_secret(tag: u8) -> bool {
    matches!(tag, packet::SECRET_KEY | packet::SECRET_SUBKEY)
}

/// Trust, markers and pictures are nobody's business here.
const fn is_kept(tag: u8) -> bool {
    matches!(
        tag,
        packet::PUBLIC_KEY | packet::PUBLIC_SUBKEY | packet::USER_ID | packet::SIGNATURE
    )
}

impl Key for PgpKey {
    /// The same packets, with headers of the current format, in an armor without headers.
    fn canonical(&self) -> Vec<u8> {
        armor::encode(&self.canonical, armor::PUBLIC_KEY)
    }

    fn signature<'a>(&'a self, bytes: &'a [u8]) -> Result<Box<dyn Signature + 'a>, PkiError> {
        Ok(Box::new(PgpSignature::read(self, bytes)?))
    }

    fn add_names(&self, terms: &mut SearchTerms) -> Result<(), TooManyTerms> {
        let emails = self.certificates.iter().flat_map(|one| &one.emails);
        terms.extend(emails.map(|email| SearchTerm::name(email.as_str())))
    }
}

struct PgpSignature<'a> {
    canonical: Vec<u8>,
    packet: PgpSignaturePacket,
    key: &'a SigningKey,
}

impl<'a> PgpSignature<'a> {
    /// Reads the signatures of a file, and takes the first that one of the keys says it made.
    fn read(key: &'a PgpKey, bytes: &[u8]) -> Result<Self, PgpError> {
        // SPEC rekor pkg/pki/pgp: an armored signature is logged as it is.
        let (binary, canonical) = if armor::is_armored(bytes) {
            let binary = armor::decode(bytes, armor::SIGNATURE).ok_or(PgpError::Signature)?;
            (binary, bytes.to_vec())
        } else {
            (bytes.to_vec(), armor::encode(bytes, armor::SIGNATURE))
        };
        let packets = packet::split(&binary).ok_or(PgpError::Signature)?;
        let is_known = |tag| matches!(tag, packet::SIGNATURE | packet::MARKER);
        if !packets.iter().all(|packet| is_known(packet.tag)) {
            return Err(PgpError::Signature);
        }
        let mut signatures = packets
            .iter()
            .filter(|packet| packet.tag == packet::SIGNATURE)
            .map(|packet| Self::of_packet(key, packet));
        let first = signatures.next().ok_or(PgpError::Signature)?;
        let (packet, key) = signatures.fold(first, Result::or)?;
        Ok(Self {
            canonical,
            packet,
            key,
        })
    }

    fn of_packet(
        key: &'a PgpKey,
        packet: &Packet<'_>,
    ) -> Result<(PgpSignaturePacket, &'a SigningKey), PgpError> {
        let packet = PgpSignaturePacket::read(packet.body)?;
        if packet.kind != BINARY {
            return Err(PgpError::SignatureType);
        }
        let issuer = packet.issuer.ok_or(PgpError::OtherKey)?;
        let key = key
            .signing_keys()
            .find(|key| issuer.is(&key.fingerprint))
            .ok_or(PgpError::OtherKey)?;
        if !key.is_valid_at(packet.created) {
            return Err(PgpError::Expired);
        }
        Ok((packet, key))
    }
}

impl Signature for PgpSignature<'_> {
    fn canonical(&self) -> Vec<u8> {
        self.canonical.clone()
    }

    fn verify(&self, artifact: &[u8]) -> Result<SignatureValid, SignatureInvalid> {
        self.packet.verify(&self.key.key, &[artifact])
    }
}
