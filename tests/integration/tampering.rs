//! Valid public bundles, changed in one place at a time or spliced together: every change of what was
//! signed, logged, certified or timestamped must be refused.

use serde_json::Value;

use crate::conformance::{Case, cases};
use signet::testing::{Artifact, Bundle, Verified, from_base64, to_base64};

/// A changed document, and a description of the change.
struct Change {
    pointer: String,
    what: String,
    document: Value,
}

/// The places in a JSON document, as pointers.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                pointers(member, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(elements) => {
            for (number, element) in elements.iter().enumerate() {
                pointers(element, &format!("{at}/{number}"), found);
            }
        }
        _ => {}
    }
    found.push(at.to_owned());
}

fn all_pointers(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    pointers(document, "", &mut found);
    found.retain(|pointer| !pointer.is_empty());
    found
}

/// Bytes to flip: all of a short string, a spread of a long one.
fn positions(length: usize) -> impl Iterator<Item = usize> {
    (0..length).step_by((length / 24).max(1))
}

/// The text with one change, in every way that suits its kind.
fn changed_texts(text: &str) -> Vec<String> {
    if let Ok(number) = text.parse::<u64>() {
        return vec![
            (number + 1).to_string(),
            number.saturating_sub(1).to_string(),
        ];
    }
    if let Ok(bytes) = from_base64(text)
        && bytes.len() > 8
    {
        let flip = |position: usize| {
            let mut flipped = bytes.clone();
            flipped[position] ^= 1 << (position % 8);
            to_base64(&flipped)
        };
        let longer = to_base64(&[bytes.as_slice(), &[0]].concat());
        let shorter = to_base64(&bytes[..bytes.len() - 1]);
        return positions(bytes.len())
            .map(flip)
            .chain([longer, shorter])
            .collect();
    }
    let letter = |position: usize| {
        let mut letters: Vec<char> = text.chars().collect();
        letters[position] = if letters[position] == 'x' { 'y' } else { 'x' };
        letters.into_iter().collect()
    };
    positions(text.chars().count()).map(letter).collect()
}

fn changes(document: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    for pointer in all_pointers(document) {
        if let Some(text) = document.pointer(&pointer).and_then(Value::as_str) {
            for changed in changed_texts(text) {
                let mut document = document.clone();
                *document.pointer_mut(&pointer).unwrap() = changed.clone().into();
                changes.push(Change {
                    pointer: pointer.clone(),
                    what: format!("is {changed:.60}"),
                    document,
                });
            }
        }
        let mut document = document.clone();
        *document.pointer_mut(&pointer).unwrap() = Value::Null;
        let what = "is null".to_owned();
        changes.push(Change {
            pointer,
            what,
            document,
        });
    }
    changes
}

/// What the verifier established.
fn meaning(verified: &Verified) -> String {
    format!(
        "{:?} {:?} {:?}",
        verified.signer(),
        verified.times(),
        verified.entries()
    )
}

/// Members that are not signed and decide nothing: a hint, a key ID, the unsigned part of a timestamp
/// token, the signatures of unknown witnesses of a checkpoint.
fn is_without_meaning(pointer: &str) -> bool {
    [
        "/keyid",
        "/hint",
        "/signedTimestamp",
        "/checkpoint/envelope",
    ]
    .iter()
    .any(|end| pointer.ends_with(end))
}

/// Evidence that may be missing if the rest suffices.
fn is_optional(pointer: &str) -> bool {
    [
        "/keyid",
        "/hint",
        "/messageDigest",
        "/inclusionPromise",
        "/timestampVerificationData",
        "/rfc3161Timestamps",
        "/integratedTime",
        "/logIndex",
        "/inclusionProof",
        "/checkpoint",
    ]
    .iter()
    .any(|end| pointer.ends_with(end))
}

/// Whether two documents are the same bundle: proto3 JSON has several spellings for one value.
fn reads_the_same(one: &Value, other: &Value) -> bool {
    let read = |value: &Value| {
        Bundle::from_json(value.to_string().as_bytes()).map(|bundle| bundle.to_json())
    };
    matches!((read(one), read(other)), (Ok(one), Ok(other)) if one == other)
}

fn verdict(case: &Case, document: &Value) -> Result<Verified, String> {
    let artifact = Artifact::from_bytes(&case.artifact());
    case.verdict(document.to_string().as_bytes(), &artifact)
}

fn good_cases() -> Vec<(Case, Value)> {
    cases()
        .into_iter()
        .filter(Case::must_pass)
        .map(|case| {
            let document = serde_json::from_slice(&case.bundle()).unwrap();
            (case, document)
        })
        .collect()
}

#[test]
fn no_change_of_a_valid_bundle_changes_the_result() {
    let mut tried = 0;
    let mut wrong = Vec::new();
    for (case, document) in good_cases() {
        let good = meaning(&verdict(&case, &document).unwrap());
        for change in changes(&document) {
            tried += 1;
            let Ok(verified) = verdict(&case, &change.document) else {
                continue;
            };
            let harmless = is_without_meaning(&change.pointer) && meaning(&verified) == good;
            let same = reads_the_same(&document, &change.document);
            let less = change.what == "is null" && is_optional(&change.pointer);
            if !harmless && !less && !same {
                wrong.push(format!("{}: {} {}", case.name, change.pointer, change.what));
            }
        }
    }
    println!("{tried} changes");
    assert!(wrong.is_empty(), "accepted:\n{}", wrong.join("\n"));
}

#[test]
fn parts_of_one_valid_bundle_are_refused_in_another() {
    let cases = good_cases();
    let mut tried = 0;
    let mut wrong = Vec::new();
    for (case, document) in &cases {
        for (other_case, other) in &cases {
            if signature(document) == signature(other) {
                continue;
            }
            for pointer in all_pointers(document) {
                let (ours, theirs) = (document.pointer(&pointer), other.pointer(&pointer));
                let Some(theirs) = theirs.filter(|_| ours != theirs) else {
                    continue;
                };
                let mut spliced = document.clone();
                *spliced.pointer_mut(&pointer).unwrap() = theirs.clone();
                tried += 1;
                let is_form = ["/keyid", "/hint", "/mediaType"]
                    .iter()
                    .any(|end| pointer.ends_with(end));
                if verdict(case, &spliced).is_ok() && !is_form {
                    wrong.push(format!(
                        "{} with {pointer} of {}",
                        case.name, other_case.name
                    ));
                }
            }
        }
    }
    println!("{tried} splices");
    assert!(wrong.is_empty(), "accepted:\n{}", wrong.join("\n"));
}

fn signature(document: &Value) -> &Value {
    document
        .pointer("/messageSignature/signature")
        .or_else(|| document.pointer("/dsseEnvelope/signatures/0/sig"))
        .unwrap()
}
