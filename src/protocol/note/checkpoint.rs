//! Checkpoints: notes whose text is a log's origin, size and root (C2SP tlog-checkpoint).

use super::{NoteError, NoteKey, NoteKeyId, UnverifiedNote, signed};
use crate::protocol::bytes::{from_base64, to_base64};
use crate::protocol::hash::Sha256;
use crate::protocol::keys::{PublicKey, SigningFailed, SigningKey};
use crate::protocol::merkle::TreeSize;

/// A log's statement of its size and root, whose signature was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The first line: the log's name.
    pub origin: String,
    /// The number of leaves.
    pub size: TreeSize,
    /// The tree's root hash.
    pub root: Sha256,
}

impl Checkpoint {
    /// Verifies a note with the log's key. The signature is found by the key ID alone: the origin and
    /// the name in the signature line may be any, and the signature need not be the first.
    ///
    /// # Errors
    /// No signature by this key, a wrong one, or text that is not a checkpoint.
    pub fn open(
        note: &UnverifiedNote,
        key_id: NoteKeyId,
        key: &PublicKey,
    ) -> Result<Self, NoteError> {
        Self::parse_text(note.verified_text(key_id, key)?)
    }

    /// Parses origin, size and root. Further lines are extensions and are ignored.
    pub(super) fn parse_text(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.split('\n');
        let mut line = || lines.next().ok_or(NoteError::NotACheckpoint);
        let (origin, size, root) = (line()?, line()?, line()?);
        if origin.is_empty() {
            return Err(NoteError::NotACheckpoint);
        }
        let root = from_base64(root).map_err(|_| NoteError::NotACheckpoint)?;
        Ok(Self {
            origin: origin.to_owned(),
            size: parse_size(size)?,
            root: root
                .as_slice()
                .try_into()
                .map_err(|_| NoteError::NotACheckpoint)?,
        })
    }
}

/// Decimal without sign or leading zero.
fn parse_size(text: &str) -> Result<TreeSize, NoteError> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || (text.len() > 1 && text.starts_with('0')) {
        return Err(NoteError::NotACheckpoint);
    }
    text.parse()
        .map(TreeSize::new)
        .map_err(|_| NoteError::NotACheckpoint)
}

/// A checkpoint's text, with its last newline.
pub(super) fn text(origin: &str, size: TreeSize, root: &Sha256) -> String {
    format!("{origin}\n{}\n{}\n", size.get(), to_base64(root.as_bytes()))
}

#[cfg(test)]
pub(crate) fn sign_checkpoint(
    key: &SigningKey,
    note_key: &NoteKey,
    size: TreeSize,
    root: &Sha256,
) -> Result<String, SigningFailed> {
    sign_checkpoint_of(note_key.name(), key, note_key, size, root)
}

/// Signs a checkpoint and returns the whole note. The origin may differ from the key's name: Rekor v1
/// appends a tree ID to it.
///
/// # Errors
/// The random number generator failed.
pub(crate) fn sign_checkpoint_of(
    origin: &str,
    key: &SigningKey,
    note_key: &NoteKey,
    size: TreeSize,
    root: &Sha256,
) -> Result<String, SigningFailed> {
    let text = text(origin, size, root);
    let signature = key.sign(text.as_bytes())?;
    Ok(signed::compose(
        &text,
        note_key.name(),
        note_key.id(),
        &signature,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::keys::KeyAlgorithm;
    use crate::protocol::merkle::leaf_hash;
    use crate::protocol::note::key::tests::sample_key;

    fn root() -> Sha256 {
        leaf_hash(br#"{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{}}"#)
    }

    fn open(note: &str, key: &NoteKey) -> Result<Checkpoint, NoteError> {
        Checkpoint::open(&UnverifiedNote::parse(note)?, key.id(), key.key())
    }

    fn sample_note_key() -> NoteKey {
        NoteKey::new("rekor.example", sample_key().public_key().clone()).unwrap()
    }

    #[test]
    fn a_checkpoint_is_signed_and_opened_byte_for_byte() {
        let key = sample_note_key();

        let note = sign_checkpoint(&sample_key(), &key, TreeSize::new(1), &root()).unwrap();

        assert_eq!(
            note,
            "rekor.example\n1\n8CkxPRG3KTgAko41Z7xEZA1+ydOeVJaiY6n2g1sAsAg=\n\n\
             \u{2014} rekor.example vm9/YHgYAnWhhJ60vjRUoFZ8hbqklVG9NHOH06GqF/xGEgFd/5w5GWx4o0pxQyeg\
             T7O5ZuFHWokRsWhZoJdGqf60WAU=\n"
        );
        let opened = open(&note, &key).unwrap();
        assert_eq!(opened.origin, "rekor.example");
        assert_eq!(opened.size, TreeSize::new(1));
        assert_eq!(opened.root, root());
    }

    #[test]
    fn a_changed_text_or_signature_is_refused() {
        let key = sample_note_key();
        let note = sign_checkpoint(&sample_key(), &key, TreeSize::new(1), &root()).unwrap();

        let other_size = note.replacen("\n1\n", "\n2\n", 1);
        let other_signature = note.replace("WAU=", "WAQ=");

        assert_eq!(open(&other_size, &key), Err(NoteError::Signature));
        assert_eq!(open(&other_signature, &key), Err(NoteError::Signature));
    }

    #[test]
    fn signatures_by_unknown_keys_are_ignored_in_any_position() {
        let key = sample_note_key();
        let note = sign_checkpoint(&sample_key(), &key, TreeSize::new(1), &root()).unwrap();
        let (text, line) = note.split_once("\n\n").unwrap();
        let unknown = "\u{2014} rekor.example AQIDBAU=\n";

        for lines in [format!("{unknown}{line}"), format!("{line}{unknown}")] {
            open(&format!("{text}\n\n{lines}"), &key).unwrap();
        }
        assert_eq!(
            open(&format!("{text}\n\n{unknown}"), &key),
            Err(NoteError::NotSigned)
        );
    }

    #[test]
    fn one_bad_signature_under_a_known_key_id_makes_the_note_invalid() {
        let key = sample_note_key();
        let note = sign_checkpoint(&sample_key(), &key, TreeSize::new(1), &root()).unwrap();

        let invalid = format!("{note}\u{2014} rekor.example vm9/YAAA\n");

        assert_eq!(open(&invalid, &key), Err(NoteError::Signature));
    }

    #[test]
    fn only_the_canonical_form_of_a_checkpoint_is_parsed() {
        let root = to_base64(root().as_bytes());
        for (text, good) in [
            (format!("origin\n0\n{root}\n"), true),
            (
                format!("origin - 7\n18446744073709551615\n{root}\nmore\n"),
                true,
            ),
            (format!("origin\n18446744073709551616\n{root}\n"), false),
            (format!("origin\n01\n{root}\n"), false),
            (format!("origin\n+1\n{root}\n"), false),
            (format!("origin\n-1\n{root}\n"), false),
            (format!("origin\n\n{root}\n"), false),
            (format!("\n1\n{root}\n"), false),
            (format!("1\n{root}\n"), false),
            ("origin\n1\n".to_owned(), false),
            ("origin\n1\nAAAA\n".to_owned(), false),
        ] {
            assert_eq!(Checkpoint::parse_text(&text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn an_ecdsa_key_signs_checkpoints_too() {
        let (signer, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        let key = NoteKey::new("log.example", signer.public_key().clone()).unwrap();

        let note = sign_checkpoint(&signer, &key, TreeSize::new(9), &root()).unwrap();

        assert_eq!(open(&note, &key).unwrap().size, TreeSize::new(9));
    }

    /// The text, witness line, log's line and second line of its name in the bundles
    /// `rekor2-checkpoint-*` of sigstore-conformance.
    const PUBLIC: [&str; 4] = [
        "log2025-alpha1.rekor.sigstage.dev\n736\nrs1YPY0ydAV0lxgfrq5pE4oRpUJwo3syeps5+eGUTDI=\n\n",
        "\u{2014} witness.example O8PH5AAAAABopO8+4O9uzScQrNEnGdKLYXSPoUjH1Se4n92W+wT/j5Kel/4J2XWE4bE\
         e9bpIVUD6EGOeUDFkSWz/rbDhvVcJ/2OrDw==\n",
        "\u{2014} log2025-alpha1.rekor.sigstage.dev 8w1amdbj1mjNN674dHAkD92+QZoEgBC7o0mXYSTRluDjQrOPjr\
         ps3zQB9ut+ShLepyZPsWBDi5IB3yXyjgjQT6OG9A8=\n",
        "\u{2014} log2025-alpha1.rekor.sigstage.dev mixjVTBEAiAv6tS03L1YvDipqsZBkJ/aL62be4XzHfDEHYXqNz\
         a0cAIgT2PcBzKxE4kHLlw2U1QtO4/YXfPdy5QtFpDw1lWkIXs=\n",
    ];

    #[test]
    fn checkpoints_of_a_public_log_open_whatever_other_signatures_they_have() {
        let spki = "MCowBQYDK2VwAyEAPn+AREHoBaZ7wgS1zBqpxmLSGnyhxXj4lFxSdWVB8o8=";
        let key = PublicKey::from_spki_der(&from_base64(spki).unwrap()).unwrap();
        let key = NoteKey::new("log2025-alpha1.rekor.sigstage.dev", key).unwrap();
        assert_eq!(key.id(), NoteKeyId([0xf3, 0x0d, 0x5a, 0x99]));
        let [text, witness, log, second] = PUBLIC;

        let alone = open(&format!("{text}{log}"), &key).unwrap();
        let origin_not_first = open(&format!("{text}{witness}{log}"), &key).unwrap();
        let two_from_origin = open(&format!("{text}{log}{second}"), &key).unwrap();

        assert_eq!(alone.size, TreeSize::new(736));
        assert_eq!(alone, origin_not_first);
        assert_eq!(alone, two_from_origin);
        assert_eq!(
            open(&format!("{text}{witness}{second}"), &key),
            Err(NoteError::NotSigned)
        );
    }
}
