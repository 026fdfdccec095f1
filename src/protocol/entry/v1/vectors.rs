//! Tests with entries signed by other programs. A Python script computed the expected canonical bodies
//! and search terms (`tests/vectors/entry`).

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::{BindingError, parse_logged};
use super::*;
use crate::protocol::bytes::{Base64, from_base64, to_base64};
use crate::protocol::hash::Sha256;
use crate::protocol::tsp::TimestampError;

#[derive(Deserialize)]
struct Case {
    proposed: Box<RawValue>,
    forged: Box<RawValue>,
    body: String,
    digests: BTreeSet<String>,
    keys: BTreeSet<String>,
    names: BTreeSet<String>,
}

macro_rules! cases {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../../../tests/vectors/entry/", $name, ".json")))),+]
    };
}

const CASES: [(&str, &str); 21] = cases![
    "hashedrekord-key",
    "hashedrekord-rsa-sha512",
    "hashedrekord-p521-sha384",
    "hashedrekord-certificate",
    "hashedrekord-chain",
    "dsse",
    "intoto-0.0.1",
    "intoto-0.0.2",
    "rekord-x509-ed25519",
    "rekord-x509-certificate",
    "rekord-ssh-ed25519",
    "rekord-ssh-rsa",
    "rekord-ssh-ecdsa",
    "rekord-ssh-p521",
    "rekord-minisign",
    "rekord-minisign-plain",
    "rekord-signify",
    "rekord-pgp-ed25519",
    "rekord-pgp-rsa",
    "rekord-pgp-p384-subkey",
    "rfc3161",
];

fn each_case() -> impl Iterator<Item = (&'static str, Case)> {
    CASES
        .into_iter()
        .map(|(name, json)| (name, serde_json::from_str(json).unwrap()))
}

fn parse(json: &RawValue) -> ProposedEntry {
    ProposedEntry::parse(json.get().as_bytes()).unwrap()
}

#[test]
fn the_canonical_body_matches_that_of_an_independent_implementation() {
    for (name, case) in each_case() {
        let proposed = parse(&case.proposed);
        let entry = proposed
            .admit()
            .unwrap_or_else(|error| panic!("{name}: {error}"));

        let body = String::from_utf8(entry.body().to_vec()).unwrap();
        assert_eq!(body, case.body, "{name}");
        assert_eq!(proposed.canonical_body().unwrap(), entry.body(), "{name}");
    }
}

#[test]
fn the_search_terms_match_those_of_an_independent_implementation() {
    for (name, case) in each_case() {
        let digest = |text: &String| {
            let (algorithm, hex) = text.split_once(':').unwrap();
            SearchTerm::named_digest(algorithm, hex)
        };
        let key = |hex: &String| SearchTerm::PublicKey(Sha256::from_hex(hex).unwrap());
        let digests = case.digests.iter().map(digest);
        let keys = case.keys.iter().map(key);
        let names = case.names.iter().map(|text| SearchTerm::name(text));
        let expected: BTreeSet<SearchTerm> = digests.chain(keys).chain(names).collect();

        let (_, terms) = parse(&case.proposed).admit().unwrap().into_parts();
        assert_eq!(terms.len(), expected.len(), "{name}: {terms:?}");
        assert_eq!(BTreeSet::from_iter(terms), expected, "{name}");
    }
}

#[test]
fn the_verifier_reads_what_the_log_writes() {
    for (name, case) in each_case() {
        let body: serde_json::Value = serde_json::from_str(&case.body).unwrap();
        let member = |name: &str| body[name].as_str().unwrap().to_owned();
        let read = parse_logged(&member("kind"), &member("apiVersion"), case.body.as_bytes());

        let expected = match name {
            // A bundle contains only the signer's certificate, not a chain in PEM.
            "hashedrekord-chain" => Some(BindingError::Malformed),
            _ if name.starts_with("rekord") || name == "rfc3161" => Some(BindingError::Kind),
            _ => None,
        };
        assert_eq!(read.err(), expected, "{name}");
        let other = parse_logged("hashedrekord", "0.0.2", case.body.as_bytes());
        assert_eq!(other.err(), Some(BindingError::Malformed), "{name}");
    }
}

#[test]
fn an_entry_with_a_signature_over_other_content_is_rejected() {
    for (name, case) in each_case() {
        let error = parse(&case.forged).admit().unwrap_err();
        assert!(
            matches!(
                error,
                V1EntryError::Signature { .. }
                    | V1EntryError::UnverifiedSignature
                    | V1EntryError::Timestamp(TimestampError::Signature)
            ),
            "{name}: {error}"
        );
    }
}

#[test]
fn a_query_for_the_key_finds_the_entry() {
    #[derive(Deserialize)]
    struct Proposed {
        spec: Spec,
    }
    #[derive(Deserialize)]
    struct Spec {
        signature: SignatureOf,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct SignatureOf {
        format: Option<PkiFormat>,
        public_key: KeyOf,
    }
    #[derive(Deserialize)]
    struct KeyOf {
        content: Base64,
    }

    let mut count = 0;
    for (name, case) in each_case() {
        let Ok(proposed) = serde_json::from_str::<Proposed>(case.proposed.get()) else {
            continue;
        };
        let signature = proposed.spec.signature;
        let format = signature.format.unwrap_or(PkiFormat::X509);
        let query = SearchTerm::from_key_query(format, &signature.public_key.content.0).unwrap();

        let entry = parse(&case.proposed).admit().unwrap();
        assert!(entry.search_terms().contains(&query), "{name}");
        count += 1;
    }
    assert_eq!(count, 17);
}

#[test]
fn each_invalid_entry_is_rejected_with_the_expected_error() {
    #[derive(Deserialize)]
    struct Refused {
        name: String,
        says: String,
        proposed: Box<RawValue>,
    }

    let json = include_str!("../../../../tests/vectors/entry/refused.json");
    for case in serde_json::from_str::<Vec<Refused>>(json).unwrap() {
        let error = parse(&case.proposed).admit().unwrap_err().to_string();
        assert!(error.contains(&case.says), "{}: {error}", case.name);
        assert!(
            error.starts_with("spec.signature."),
            "{}: {error}",
            case.name
        );
    }
}

/// Changes bytes in every base64 value of the entry, such as its key and signature.
fn damaged(entry: &RawValue, edits: &[(usize, u8)]) -> String {
    fn damage(value: &mut serde_json::Value, edits: &[(usize, u8)]) {
        match value {
            serde_json::Value::Object(members) => {
                members
                    .values_mut()
                    .for_each(|member| damage(member, edits));
            }
            serde_json::Value::Array(elements) => {
                elements
                    .iter_mut()
                    .for_each(|element| damage(element, edits));
            }
            serde_json::Value::String(text) => {
                let Ok(mut bytes) = from_base64(text) else {
                    return;
                };
                for (position, byte) in edits {
                    let length = bytes.len().max(1);
                    if let Some(old) = bytes.get_mut(position.rem_euclid(length)) {
                        *old = *byte;
                    }
                }
                *text = to_base64(&bytes);
            }
            _ => {}
        }
    }

    let mut value: serde_json::Value = serde_json::from_str(entry.get()).unwrap();
    damage(&mut value["spec"], edits);
    value.to_string()
}

/// The digest of the signed content, if the body contains it.
fn signed(body: &[u8]) -> Option<serde_json::Value> {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap();
    let pointers = ["/data/hash", "/payloadHash", "/content/payloadHash"];
    pointers
        .iter()
        .find_map(|path| body["spec"].pointer(path).cloned())
}

proptest! {
    #[test]
    fn a_damaged_entry_is_rejected_or_still_contains_the_signed_digest(
        position in 0..CASES.len(),
        edits in proptest::collection::vec((0..2000_usize, any::<u8>()), 1..4),
    ) {
        let (name, case) = each_case().nth(position).unwrap();
        let json = damaged(&case.proposed, &edits);
        if let Ok(proposed) = ProposedEntry::parse(json.as_bytes()) {
            let body = proposed.canonical_body();
            if let Ok(entry) = proposed.admit() {
                prop_assert_eq!(signed(entry.body()), signed(case.body.as_bytes()), "{}", name);
                prop_assert_eq!(body.unwrap(), entry.body());
            }
        }
    }
}
