//! The differences between the two verifiers, each with the reason why this one is right.

use crate::support::mutate::Mutation;

/// A kind of change on which the verifiers disagree. Each must occur, so that a difference that no longer
/// exists is removed from the list.
pub struct Difference {
    pub name: &'static str,
    verdict: Verdict,
    /// Whether the change is of this kind.
    of_kind: fn(&Mutation) -> bool,
}

/// The two verdicts.
enum Verdict {
    /// This one refused with an error that contains these texts; the other one accepted
    RefusedHere(&'static [&'static str]),
    /// This one accepted; the other one refused with an error that contains these texts
    RefusedThere(&'static [&'static str]),
}

impl Difference {
    pub fn explains(
        &self,
        change: &Mutation,
        ours: &Result<(), String>,
        theirs: &Result<(), String>,
    ) -> bool {
        let has = |error: &str, words: &[&str]| words.iter().all(|word| error.contains(word));
        let matches = match (&self.verdict, ours, theirs) {
            (Verdict::RefusedHere(words), Err(error), Ok(()))
            | (Verdict::RefusedThere(words), Ok(()), Err(error)) => has(error, words),
            _ => false,
        };
        matches && (self.of_kind)(change)
    }
}

use Verdict::{RefusedHere, RefusedThere};

fn is_in_token(change: &Mutation) -> bool {
    change.place.contains("/signedTimestamp!")
}

pub const DIFFERENCES: &[Difference] = &[
    // Two readers may read two different bundles if a member occurs twice.
    Difference {
        name: "a member occurs twice",
        verdict: RefusedHere(&["duplicate field"]),
        of_kind: |change| change.what.starts_with("twice"),
    },
    // Proto3 JSON: readers refuse unknown members by default.
    Difference {
        name: "a member is unknown",
        verdict: RefusedHere(&["unknown field"]),
        of_kind: |change| change.what.contains("unknown member") || change.what.contains("renamed"),
    },
    // Proto3 JSON: a message is an object; only a repeated field is a list.
    Difference {
        name: "a list instead of a message",
        verdict: RefusedHere(&["invalid type: sequence"]),
        of_kind: |change| change.what == "an empty list",
    },
    // bundle.proto: media_type selects the rules and has no default.
    Difference {
        name: "the media type is missing",
        verdict: RefusedHere(&["missing field `mediaType`"]),
        of_kind: |change| change.place == "/mediaType",
    },
    // bundle.proto: a certificate chain belongs to 0.1 and 0.2, one certificate to 0.3.
    Difference {
        name: "the material belongs to another version",
        verdict: RefusedHere(&["material-for-version"]),
        of_kind: |change| change.place == "/mediaType",
    },
    // CVE-2024-45395: the length of a list is limited before its elements are processed.
    Difference {
        name: "a list is over its limit",
        verdict: RefusedHere(&["a list has more than"]),
        of_kind: |change| change.what == "33 times in the list",
    },
    // Evidence that counts towards a threshold must not be repeated (CVE-2026-49834).
    Difference {
        name: "evidence occurs twice",
        verdict: RefusedHere(&["repeated-evidence"]),
        of_kind: |change| change.what == "twice in the list",
    },
    // Proto3 JSON: integers are decimal, without a plus sign, leading zeros or other forms.
    Difference {
        name: "an integer is written in another form",
        verdict: RefusedHere(&["expected an integer"]),
        of_kind: |change| change.what.starts_with("the text"),
    },
    // rekor.proto: log_id names the log whose key verifies the entry.
    Difference {
        name: "the entry names another log",
        verdict: RefusedHere(&["no-log-entry"]),
        of_kind: |change| change.place.contains("/logId"),
    },
    Difference {
        name: "the entry names a log that was not trusted at the time",
        verdict: RefusedHere(&["log-not-trusted-then"]),
        of_kind: |change| change.place.contains("/logId"),
    },
    // rekor.proto InclusionProof: root_hash and tree_size belong to the proof. A proof that contradicts
    // itself is invalid, even if its checkpoint would suffice.
    Difference {
        name: "the proof's own root hash is wrong",
        verdict: RefusedHere(&["inclusion-proof-invalid", "another root"]),
        of_kind: |change| change.place.contains("/rootHash"),
    },
    Difference {
        name: "a hash has another length",
        verdict: RefusedHere(&["must have 32 bytes"]),
        of_kind: |change| change.place.contains("/rootHash") || change.place.contains("/hashes"),
    },
    Difference {
        name: "the proof's own tree size is wrong",
        verdict: RefusedHere(&["inclusion-proof-invalid"]),
        of_kind: |change| change.place.ends_with("/treeSize"),
    },
    // An entry of a Rekor v2 log has one index.
    Difference {
        name: "the entry's two indices differ",
        verdict: RefusedHere(&["index-mismatch"]),
        of_kind: |change| change.place.ends_with("/logIndex"),
    },
    // C2SP signed-note: text, a blank line, signature lines, each ending in a newline.
    Difference {
        name: "the note is not in the format",
        verdict: RefusedHere(&["checkpoint-invalid", "malformed"]),
        of_kind: |change| change.place.ends_with("/envelope"),
    },
    // RFC 5652 §10.1.1 and X.690: an AlgorithmIdentifier is an OID and at most one parameter field.
    Difference {
        name: "an algorithm in a token is malformed",
        verdict: RefusedHere(&["timestamp-invalid", "algorithm is not accepted"]),
        of_kind: is_in_token,
    },
    // X.690: bytes that belong to no field of the structure.
    Difference {
        name: "a token has extra elements",
        verdict: RefusedHere(&["timestamp-invalid", "not a valid timestamp response"]),
        of_kind: is_in_token,
    },
    // RFC 3161 §2.4.2: the authority's signature is the only one.
    Difference {
        name: "a token has two signers",
        verdict: RefusedHere(&["timestamp-invalid", "more than one signer"]),
        of_kind: is_in_token,
    },
    // Proto3 JSON: readers accept the names of the .proto file and their lowerCamelCase forms.
    Difference {
        name: "a member has its name from the .proto file",
        verdict: RefusedThere(&[]),
        of_kind: |change| {
            let name = change.what.strip_prefix("renamed to ").unwrap_or_default();
            name.contains('_') && !name.contains(char::is_uppercase)
        },
    },
    // Proto3 JSON: null means the default, like an absent member.
    Difference {
        name: "null instead of an absent member",
        verdict: RefusedThere(&["invalid type: null"]),
        of_kind: |change| change.what == "null",
    },
    // Other clients accept the new spelling for the older versions too.
    Difference {
        name: "an older version has the new spelling",
        verdict: RefusedThere(&["Invalid media type"]),
        of_kind: |change| change.place == "/mediaType",
    },
    // bundle.proto: 0.1 relies on the promise; a proof without a checkpoint does not count as a proof.
    Difference {
        name: "a proof of version 0.1 has no checkpoint",
        verdict: RefusedThere(&["no checkpoint"]),
        of_kind: |change| change.place.ends_with("/checkpoint"),
    },
    // RFC 5652 §5.1: the set of certificates is not signed, and a certificate that is not needed only has to
    // be well-formed.
    Difference {
        name: "an unneeded certificate in a token is damaged",
        verdict: RefusedThere(&["failed to decode SignedData"]),
        of_kind: is_in_token,
    },
];
