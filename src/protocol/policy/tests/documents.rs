//! Checks docs/policies.md and docs/policy.schema.json against the code.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::protocol::policy::document::{
    AlternativeTable, DenyTable, IdentityTable, PatternTable, PolicyDocument, RequireTable,
    ThresholdTable, WithinTable,
};

const GUIDE: &str = include_str!("../../../../docs/policies.md");
const SCHEMA: &str = include_str!("../../../../docs/policy.schema.json");

/// The TOML blocks of the guide.
fn examples() -> Vec<&'static str> {
    GUIDE
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

/// The keys of a table, extracted from the error about an unknown key.
fn keys_of<T: DeserializeOwned>() -> BTreeSet<String> {
    let error = serde_json::from_value::<T>(json!({ "": 0 }))
        .err()
        .unwrap()
        .to_string();
    quoted(error.split_once("expected").unwrap().1)
}

fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn properties(schema: &Value) -> BTreeSet<String> {
    assert_eq!(schema["additionalProperties"], json!(false));
    schema["properties"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

#[test]
fn every_example_of_the_guide_is_a_valid_policy() {
    assert!(examples().len() >= 9);
    for example in examples() {
        // The last example extends the policy of twelve signers.
        let text = if example.contains("[[identities]]") {
            example.to_owned()
        } else {
            format!(
                "{}\n{example}",
                include_str!("../../../../docs/policies/seven-of-twelve.toml")
            )
        };
        let policy = Policy::parse(&text).unwrap_or_else(|error| panic!("{error}\n{example}"));
        assert!(!policy.to_string().is_empty());
    }
}

#[test]
fn the_schema_has_exactly_the_keys_of_the_tables() {
    let schema = schema();
    let of = |name: &str| properties(&schema["$defs"][name]);

    assert_eq!(properties(&schema), keys_of::<PolicyDocument>());
    assert_eq!(of("identity"), keys_of::<IdentityTable>());
    assert_eq!(of("pattern"), keys_of::<PatternTable>());
    assert_eq!(of("threshold"), keys_of::<ThresholdTable>());
    assert_eq!(of("alternative"), keys_of::<AlternativeTable>());
    assert_eq!(of("require"), keys_of::<RequireTable>());
    assert_eq!(of("within"), keys_of::<WithinTable>());
    assert_eq!(of("deny"), keys_of::<DenyTable>());
}

#[test]
fn the_schema_has_exactly_the_known_claims_and_algorithms() {
    let schema = schema();
    let identity = &schema["$defs"]["identity"]["properties"];
    let claims: BTreeSet<_> = FULCIO_CLAIMS
        .iter()
        .map(|(_, name)| (*name).to_owned())
        .collect();
    assert_eq!(properties(&identity["claims"]), claims);

    let details = &schema["$defs"]["require"]["properties"]["key_algorithms"]["items"]["enum"];
    let named: BTreeSet<_> = details
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_str().unwrap().to_owned())
        .collect();
    let error = serde_json::from_value::<crate::protocol::keys::KeyDetails>(json!(""));
    let known = error.unwrap_err().to_string();
    assert_eq!(named, quoted(known.split_once("expected").unwrap().1));
}

#[test]
fn the_guide_documents_every_key_claim_and_variable() {
    let schema = schema();
    let defs = schema["$defs"].as_object().unwrap();
    let keys = defs
        .values()
        .filter_map(|one| one["properties"].as_object());
    let keys = keys.flat_map(|properties| properties.keys().map(String::as_str));
    let claims = FULCIO_CLAIMS.iter().map(|(_, name)| *name);
    for name in keys.chain(claims).chain(condition::VARIABLES) {
        assert!(GUIDE.contains(name), "{name}");
    }
    for (number, name) in FULCIO_CLAIMS {
        assert!(
            GUIDE.contains(&format!(".{number} | `{name}`")),
            "{number} {name}"
        );
    }
}

#[test]
fn the_guide_quotes_the_denial_verbatim() {
    let quoted = "6 of 7 required signers of maintainers; missing: grace, hugo, ida, john, karen, linus [threshold-not-met]";

    assert!(GUIDE.contains(quoted));
}

#[test]
fn the_text_of_a_policy_includes_every_rule() {
    let policy = policy(
        "description = 'Releases'\n\
         thresholds = [{ count = 2, of = 'security' }, { count = 1, of = 'release' }]\n\
         [groups]\nsecurity = ['a', 'b']\nrelease = ['c']\n\
         [require]\nscts = 1\nlogs = ['https://log.example']\nsigned_after = 2026-01-01T00:00:00Z\n\
         condition = 'size(times) > 0'\n\
         [[deny]]\nsubject = 'z@x'\nuntil = 2026-02-01T00:00:00Z\nreason = 'gone'",
    );

    assert_eq!(
        policy.to_string(),
        "Releases\n\n\
         Signers:\n\
         \x20 - a: a@x (issuer https://idp.example)\n\
         \x20 - b: b@x (issuer https://idp.example)\n\
         \x20 - c: c@x (issuer https://idp.example)\n\
         \x20 - d: d@x (issuer https://idp.example)\n\
         \x20 - e: e@x (issuer https://idp.example)\n\
         An artifact is accepted if it is signed\n\
         \x20 by 2 of the 2 in security and 1 of the 1 in release\n\
         \x20 and each signer counts for one of these only\n\
         Every signature must\n\
         \x20 - be in at least 1 distinct signature logs among https://log.example\n\
         \x20 - have a certificate with an SCT from at least 1 distinct certificate logs\n\
         \x20 - have no established time earlier than 2026-01-01T00:00:00Z\n\
         \x20 - satisfy the condition size(times) > 0\n\
         Always denied:\n\
         \x20 - z@x, until 2026-02-01T00:00:00Z: gone\n\
         Everything else is denied.\n"
    );
}
