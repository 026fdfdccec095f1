//! The format of notes: text, a blank line, signature lines (C2SP signed-note).

use super::key::check_name;
use super::{NoteError, NoteKeyId};
use crate::protocol::bytes::{from_base64, to_base64};
use crate::protocol::keys::PublicKey;

/// Maximum length of a note, in bytes.
pub const MAX_NOTE_BYTES: usize = 64 << 10;

/// Maximum number of signature lines.
pub const MAX_SIGNATURES: usize = 16;

/// A note that was parsed. Its signatures were not verified.
#[derive(Clone, Debug)]
pub struct UnverifiedNote {
    text: String,
    signatures: Vec<SignatureLine>,
}

#[derive(Clone, Debug)]
struct SignatureLine {
    id: NoteKeyId,
    signature: Vec<u8>,
}

impl UnverifiedNote {
    /// Parses a note: text, a blank line, one or more signature lines.
    ///
    /// # Errors
    /// [`NoteError::Malformed`]
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE_BYTES || note.contains(|c: char| c.is_control() && c != '\n') {
            return Err(NoteError::Malformed);
        }
        let (text, lines) = note.split_once("\n\n").ok_or(NoteError::Malformed)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed)?;
        let lines: Vec<_> = lines.split('\n').take(MAX_SIGNATURES + 1).collect();
        if text.is_empty() || text.starts_with('\n') || lines.len() > MAX_SIGNATURES {
            return Err(NoteError::Malformed);
        }
        Ok(Self {
            text: format!("{text}\n"),
            signatures: lines
                .into_iter()
                .map(SignatureLine::parse)
                .collect::<Result<_, _>>()?,
        })
    }

    /// The text that is signed, with its last newline. No signature over it was verified.
    pub fn unverified_text(&self) -> &str {
        &self.text
    }

    /// The text, if a signature by this key verifies. Lines with other key IDs are ignored.
    ///
    /// # Errors
    /// No line has the key's ID, or the signature of one that has does not verify: the format requires
    /// that a bad signature by a known key makes the whole note invalid.
    pub(super) fn verified_text(&self, id: NoteKeyId, key: &PublicKey) -> Result<&str, NoteError> {
        let mut signatures = self.signatures_by(id).peekable();
        if signatures.peek().is_none() {
            return Err(NoteError::NotSigned);
        }
        for signature in signatures {
            let _evidence = key
                .verify_message(self.text.as_bytes(), signature)
                .map_err(|_| NoteError::Signature)?;
        }
        Ok(&self.text)
    }

    pub(super) fn signatures_by(&self, id: NoteKeyId) -> impl Iterator<Item = &[u8]> {
        self.signatures
            .iter()
            .filter(move |line| line.id == id)
            .map(|line| line.signature.as_slice())
    }
}

impl SignatureLine {
    /// `— <name> <base64 of key ID and signature>`
    fn parse(line: &str) -> Result<Self, NoteError> {
        let rest = line.strip_prefix("\u{2014} ").ok_or(NoteError::Malformed)?;
        let (name, blob) = rest.split_once(' ').ok_or(NoteError::Malformed)?;
        check_name(name).map_err(|_| NoteError::Malformed)?;
        let blob = from_base64(blob).map_err(|_| NoteError::Malformed)?;
        let (id, signature) = blob.split_first_chunk().ok_or(NoteError::Malformed)?;
        if signature.is_empty() {
            return Err(NoteError::Malformed);
        }
        Ok(Self {
            id: NoteKeyId(*id),
            signature: signature.to_vec(),
        })
    }
}

/// Formats a note with one signature.
pub(super) fn compose(text: &str, name: &str, id: NoteKeyId, signature: &[u8]) -> String {
    let blob = to_base64(&[&id.0, signature].concat());
    format!("{text}\n\u{2014} {name} {blob}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: &str = "text\n\n\u{2014} name AAAAAAA=\n";

    #[test]
    fn text_and_signature_lines_are_parsed() {
        let note = UnverifiedNote::parse(NOTE).unwrap();

        assert_eq!(note.unverified_text(), "text\n");
        assert_eq!(note.signatures.len(), 1);
        assert_eq!(note.signatures[0].id, NoteKeyId([0; 4]));
    }

    #[test]
    fn malformed_notes_are_refused() {
        for note in [
            "",
            "\n\n",
            "text\n",
            "text\n\n",
            "text\n\n\n",
            "\n\n\u{2014} name AAAAAAA=\n",
            "text\n\n\u{2014} name AAAAAAA=",
            "text\n\n- name AAAAAAA=\n",
            "text\n\n\u{2014}name AAAAAAA=\n",
            "text\n\n\u{2014} name  AAAAAAA=\n",
            "text\n\n\u{2014} na+me AAAAAAA=\n",
            "text\n\n\u{2014} AAAAAAA=\n",
            "text\n\n\u{2014} name AAAAAA==\n",
            "text\n\n\u{2014} name AAAAAAA\n",
            "text\n\n\u{2014} name AAAAAAA=\n\n",
            "text\n\nmore\n\n\u{2014} name AAAAAAA=\n",
            "text\r\n\n\u{2014} name AAAAAAA=\n",
            "te\0xt\n\n\u{2014} name AAAAAAA=\n",
        ] {
            assert_eq!(
                UnverifiedNote::parse(note).unwrap_err(),
                NoteError::Malformed,
                "{note:?}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_parsed_or_refused_without_panic(
            text in "[a-z\n]{0,9}", lines in "(\u{2014} ?[a+]{0,2} [A-Z=]{0,9}\n?){0,3}",
        ) {
            let note = format!("{text}\n{lines}");
            if let Ok(read) = UnverifiedNote::parse(&note) {
                proptest::prop_assert!(note.starts_with(read.unverified_text()));
            }
        }
    }

    #[test]
    fn size_and_number_of_signatures_are_limited() {
        let line = "\u{2014} name AAAAAAA=\n";
        let full = format!("text\n\n{}", line.repeat(MAX_SIGNATURES));
        UnverifiedNote::parse(&full).unwrap();

        UnverifiedNote::parse(&format!("{full}{line}")).unwrap_err();
        let long = format!("{}\n\n{line}", "x".repeat(MAX_NOTE_BYTES));
        UnverifiedNote::parse(&long).unwrap_err();
    }
}
