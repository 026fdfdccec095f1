//! Where the two verifiers differ, each with the reason for which this one is right.

use crate::support::mutate::Mutation;

/// A kind of change on which the verifiers disagree. Each must be met by some change, so that one that
/// the other verifier has since learnt is taken off the list.
pub struct Difference {
    pub name: &'static str,
    verdict: Verdict,
    /// Whether the change is of this kind.
    of_kind: fn(&Mutation) -> bool,
}

/// What the verifiers said.
enum Verdict {
    /// This one refused with words like these, the other one accepted
    RefusedHere(&'static [&'static str]),
    /// This one accepted, the other one refused with words like these
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
        let said = match (&self.verdict, ours, theirs) {
            (Verdict::RefusedHere(words), Err(error), Ok(()))
            | (Verdict::RefusedThere(words), Ok(()), Err(error)) => has(error, words),
            _ => false,
        };
        said && (self.of_kind)(change)
    }
}

use Verdict::{RefusedHere, RefusedThere};

fn is_in_token(change: &Mutation) -> bool {
    change.place.contains("/signedTimestamp!")
}

pub const DIFFERENCES: &[Difference] = &[
    // The issue that this verifier is built for: duplicate keys are refused. Two readers may see two
    // bundles where one member is there twice.
    Difference {
        name: "a member is there twice",
        verdict: RefusedHere(&["duplicate field"]),
        of_kind: |change| change.what.starts_with("twice"),
    },
    // Proto3 JSON has readers refuse unknown members unless they are told otherwise.
    Difference {
        name: "a member is unknown",
        verdict: RefusedHere(&["unknown field"]),
        of_kind: |change| change.what.contains("unknown member") || change.what.contains("renamed"),
    },
    // Proto3 JSON writes a message as an object; a list is the form of repeated fields alone.
    Difference {
        name: "a list stands for a message",
        verdict: RefusedHere(&["invalid type: sequence"]),
        of_kind: |change| change.what == "an empty list",
    },
    // bundle.proto: media_type is how a reader knows the rules; there is no default.
    Difference {
        name: "the media type is missing",
        verdict: RefusedHere(&["missing field `mediaType`"]),
        of_kind: |change| change.place == "/mediaType",
    },
    // bundle.proto: a certificate chain belongs to 0.1 and 0.2, one certificate to 0.3.
    Difference {
        name: "the material is another version's",
        verdict: RefusedHere(&["material-for-version"]),
        of_kind: |change| change.place == "/mediaType",
    },
    // CVE-2024-45395 and its like: lists have limits that are kept before work is done.
    Difference {
        name: "a list is over its limit",
        verdict: RefusedHere(&["a list has more than"]),
        of_kind: |change| change.what == "33 times in the list",
    },
    // What counts towards a threshold must not be there twice (CVE-2026-49834).
    Difference {
        name: "evidence is there twice",
        verdict: RefusedHere(&["repeated-evidence"]),
        of_kind: |change| change.what == "twice in the list",
    },
    // Proto3 JSON integers are decimal: no sign, no leading zero, no other form.
    Difference {
        name: "an integer is written in another form",
        verdict: RefusedHere(&["expected an integer"]),
        of_kind: |change| change.what.starts_with("the text"),
    },
    // rekor.proto: log_id names the log whose key signs; the client looks up that log and no other.
    Difference {
        name: "the entry names another log",
        verdict: RefusedHere(&["no-log-entry"]),
        of_kind: |change| change.place.contains("/logId"),
    },
    Difference {
        name: "the entry names a log that was not trusted then",
        verdict: RefusedHere(&["log-not-trusted-then"]),
        of_kind: |change| change.place.contains("/logId"),
    },
    // rekor.proto InclusionProof: root_hash and tree_size are those at which the proof was made. A
    // proof that contradicts itself is none, even where its checkpoint would do alone.
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
    // A Rekor v2 log has one index for an entry.
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
    // RFC 5652 §10.1.1 and X.690: an AlgorithmIdentifier is an OID and at most one parameter.
    Difference {
        name: "a token's algorithm has a form that it must not have",
        verdict: RefusedHere(&["timestamp-invalid", "algorithms that are not accepted"]),
        of_kind: is_in_token,
    },
    // X.690: bytes that no field of the structure takes.
    Difference {
        name: "a token has elements that it must not have",
        verdict: RefusedHere(&["timestamp-invalid", "not a valid timestamp response"]),
        of_kind: is_in_token,
    },
    // RFC 3161 §2.4.2: no signature but the authority's.
    Difference {
        name: "a token has two signers",
        verdict: RefusedHere(&["timestamp-invalid", "more than one signer"]),
        of_kind: is_in_token,
    },
    // Proto3 JSON: readers accept the names of the .proto file besides those in camelCase.
    Difference {
        name: "a member has its name of the .proto file",
        verdict: RefusedThere(&[]),
        of_kind: |change| {
            let name = change.what.strip_prefix("renamed to ").unwrap_or_default();
            name.contains('_') && !name.contains(char::is_uppercase)
        },
    },
    // Proto3 JSON: null is the same as a member that is absent, and means the default.
    Difference {
        name: "null stands for what is absent",
        verdict: RefusedThere(&["invalid type: null"]),
        of_kind: |change| change.what == "null",
    },
    // The field's other clients accept the new spelling for the older versions too.
    Difference {
        name: "an older version is spelled in the new way",
        verdict: RefusedThere(&["Invalid media type"]),
        of_kind: |change| change.place == "/mediaType",
    },
    // bundle.proto: 0.1 relies on the promise; a proof without checkpoint proves nothing and is not
    // counted as a proof.
    Difference {
        name: "a proof of version 0.1 has no checkpoint",
        verdict: RefusedThere(&["no checkpoint"]),
        of_kind: |change| change.place.ends_with("/checkpoint"),
    },
    // RFC 5652 §5.1: the bag of certificates is not signed, and nobody looks inside one that is not
    // needed. It must be well-formed and no more.
    Difference {
        name: "a certificate in a token's bag is damaged and not needed",
        verdict: RefusedThere(&["failed to decode SignedData"]),
        of_kind: is_in_token,
    },
];
