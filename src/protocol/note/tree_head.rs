//! Signed tree heads of certificate-transparency logs (RFC 6962 §3.5), alone and in a note
//! (static-ct-api). One signature serves both forms.

use super::{
    Checkpoint, NoteError, NoteKeyId, UnverifiedNote, checkpoint, key::check_name, signed,
};
use crate::protocol::hash::Sha256;
use crate::protocol::keys::{KeyAlgorithm, PublicKey, SigningFailed, SigningKey};
use crate::protocol::merkle::TreeSize;
use crate::protocol::time::UnixTime;

/// `hash = sha256(4), signature = ecdsa(3)` of a DigitallySigned (RFC 5246 §7.4.1.4.1).
const SHA256_ECDSA: [u8; 2] = [4, 3];

/// A certificate log's public key and the origin of its checkpoints.
#[derive(Clone, Debug)]
pub struct TreeHeadKey {
    origin: String,
    log_id: Sha256,
    key: PublicKey,
}

/// A tree head whose signature was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTreeHead {
    /// The log's origin, size and root.
    pub checkpoint: Checkpoint,
    /// When the head was signed.
    pub time: UnixTime,
    /// The signature as `get-sth` returns it, a DigitallySigned structure.
    pub digitally_signed: Vec<u8>,
}

impl TreeHeadKey {
    /// # Errors
    /// An origin that signature lines cannot contain, or a key other than ECDSA P-256.
    pub fn new(origin: &str, key: PublicKey) -> Result<Self, NoteError> {
        check_name(origin)?;
        if key.algorithm() != KeyAlgorithm::P256 {
            return Err(NoteError::Key);
        }
        Ok(Self {
            origin: origin.to_owned(),
            log_id: key.fingerprint(),
            key,
        })
    }

    /// The log's public key.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The first line of the log's checkpoints and the name in its signature lines.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The log's ID: SHA-256 of its SubjectPublicKeyInfo (RFC 6962 §3.2).
    #[cfg(any(test, feature = "testing"))]
    pub const fn log_id(&self) -> &Sha256 {
        &self.log_id
    }

    /// The key ID of its signature lines: signature type 0x05 (C2SP signed-note).
    pub fn id(&self) -> NoteKeyId {
        NoteKeyId::of(&Sha256::of_parts(&[
            self.origin.as_bytes(),
            b"\n\x05",
            self.log_id.as_bytes(),
        ]))
    }

    /// Signs a head and returns the whole note.
    ///
    /// # Errors
    /// The random number generator failed.
    pub fn sign(
        &self,
        key: &SigningKey,
        size: TreeSize,
        root: &Sha256,
        time: UnixTime,
    ) -> Result<String, SigningFailed> {
        let signature = key.sign(&tree_head(size, root, time))?;
        // A P-256 signature in DER has at most 72 bytes.
        let length = u16::try_from(signature.len()).map_err(|_| SigningFailed)?;
        let blob = [
            &time.millis().to_be_bytes()[..],
            &SHA256_ECDSA,
            &length.to_be_bytes(),
            &signature,
        ]
        .concat();
        let text = checkpoint::text(&self.origin, size, root);
        Ok(signed::compose(&text, &self.origin, self.id(), &blob))
    }

    /// Verifies a note that this log signed.
    ///
    /// # Errors
    /// No signature by this key, a wrong one, another origin, or text that is not a checkpoint.
    pub fn open(&self, note: &UnverifiedNote) -> Result<SignedTreeHead, NoteError> {
        let checkpoint = Checkpoint::parse_text(note.unverified_text())?;
        let mut head = None;
        for blob in note.signatures_by(self.id()) {
            head = Some(self.verify_head(&checkpoint, blob)?);
        }
        let (time, digitally_signed) = head.ok_or(NoteError::NotSigned)?;
        if checkpoint.origin != self.origin {
            return Err(NoteError::NotACheckpoint);
        }
        Ok(SignedTreeHead {
            checkpoint,
            time,
            digitally_signed,
        })
    }

    /// Parses `u64 timestamp || DigitallySigned` and verifies it.
    fn verify_head(
        &self,
        checkpoint: &Checkpoint,
        blob: &[u8],
    ) -> Result<(UnixTime, Vec<u8>), NoteError> {
        let (time, digitally_signed) = blob.split_first_chunk().ok_or(NoteError::Malformed)?;
        let time = UnixTime::from_millis(u64::from_be_bytes(*time));
        let signature = digitally_signed
            .strip_prefix(&SHA256_ECDSA)
            .and_then(|rest| rest.split_first_chunk())
            .filter(|(length, rest)| usize::from(u16::from_be_bytes(**length)) == rest.len())
            .map(|(_, signature)| signature)
            .ok_or(NoteError::Malformed)?;
        let signed = tree_head(checkpoint.size, &checkpoint.root, time);
        let _evidence = self
            .key
            .verify_message(&signed, signature)
            .map_err(|_| NoteError::Signature)?;
        Ok((time, digitally_signed.to_vec()))
    }
}

/// TreeHeadSignature: version v1(0), type tree_hash(1), timestamp, size, root (RFC 6962 §3.5).
fn tree_head(size: TreeSize, root: &Sha256, time: UnixTime) -> Vec<u8> {
    [
        &[0, 1][..],
        &time.millis().to_be_bytes(),
        &size.get().to_be_bytes(),
        root.as_bytes(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::merkle::leaf_hash;

    fn log() -> (SigningKey, TreeHeadKey) {
        let (signer, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        let key = TreeHeadKey::new("log.example/ct", signer.public_key().clone()).unwrap();
        (signer, key)
    }

    #[test]
    fn one_signature_serves_the_note_and_get_sth() {
        let (signer, key) = log();
        let (size, root) = (TreeSize::new(7), leaf_hash(b"root"));
        let time = UnixTime::from_millis(1_700_000_000_123);

        let note = key.sign(&signer, size, &root, time).unwrap();
        let head = key.open(&UnverifiedNote::parse(&note).unwrap()).unwrap();

        assert_eq!(head.time, time);
        assert_eq!(head.checkpoint.size, size);
        assert_eq!(head.checkpoint.root, root);
        let signature = &head.digitally_signed[4..];
        let _ = signer
            .public_key()
            .verify_message(&tree_head(size, &root, time), signature)
            .unwrap();
    }

    #[test]
    fn the_key_id_covers_origin_type_and_log_id() {
        let (_, key) = log();
        let expected =
            Sha256::of(&[b"log.example/ct\n\x05", &key.log_id().as_bytes()[..]].concat());

        assert_eq!(key.id().0[..], expected.as_bytes()[..4]);
    }

    #[test]
    fn a_head_with_anything_changed_is_refused() {
        let (signer, key) = log();
        let time = UnixTime::from_millis(5);
        let note = key
            .sign(&signer, TreeSize::new(7), &leaf_hash(b"root"), time)
            .unwrap();
        let (_, other) = log();

        let resized = note.replacen("\n7\n", "\n8\n", 1);
        let renamed = note.replacen("log.example/ct\n", "log.example/cu\n", 1);

        let open = |key: &TreeHeadKey, note: &str| key.open(&UnverifiedNote::parse(note).unwrap());
        assert_eq!(open(&key, &resized), Err(NoteError::Signature));
        assert_eq!(open(&key, &renamed), Err(NoteError::NotACheckpoint));
        assert_eq!(open(&other, &note), Err(NoteError::NotSigned));
    }

    #[test]
    fn only_p256_keys_sign_tree_heads() {
        let (signer, _) = SigningKey::generate(KeyAlgorithm::Ed25519).unwrap();

        assert_eq!(
            TreeHeadKey::new("log.example", signer.public_key().clone()).unwrap_err(),
            NoteError::Key
        );
    }
}
