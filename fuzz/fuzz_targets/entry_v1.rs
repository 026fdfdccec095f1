//! A proposed entry of Rekor v1 has one canonical body within the limits and is indexed by the
//! signed digest. Only content that the seeds' signers signed is admitted.
#![no_main]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use signet::testing::{AdmittedEntry, MAX_BODY, MAX_TERMS, ProposedEntry, SearchTerm};

const SEEDS: [&[u8]; 9] = [
    include_bytes!("../seeds/entry_v1/hashedrekord-key.json"),
    include_bytes!("../seeds/entry_v1/hashedrekord-certificate.json"),
    include_bytes!("../seeds/entry_v1/dsse.json"),
    include_bytes!("../seeds/entry_v1/intoto-0.0.1.json"),
    include_bytes!("../seeds/entry_v1/intoto-0.0.2.json"),
    include_bytes!("../seeds/entry_v1/rekord-ssh-ed25519.json"),
    include_bytes!("../seeds/entry_v1/rekord-minisign.json"),
    include_bytes!("../seeds/entry_v1/rekord-pgp-p384-subkey.json"),
    include_bytes!("../seeds/entry_v1/rfc3161.json"),
];

/// The digests that the seeds' signers signed.
static SIGNED: LazyLock<BTreeSet<SearchTerm>> = LazyLock::new(|| {
    let entry = |json: &&[u8]| {
        let entry = ProposedEntry::parse(json).expect("the seed is an entry");
        signed(&entry.admit().expect("the seed is admitted"))
    };
    SEEDS.iter().filter_map(entry).collect()
});

fuzz_target!(|data: &[u8]| {
    let Ok(proposed) = ProposedEntry::parse(data) else {
        return;
    };
    let body = proposed.canonical_body();
    if let Ok(body) = &body {
        assert!(body.len() <= MAX_BODY);
        let value: Value = serde_json::from_slice(body).expect("a body is JSON");
        // serde_json sorts members and writes them as RFC 8785 does, except for numbers.
        assert_eq!(serde_json::to_vec(&value).expect("plain JSON"), *body);
    }
    let Ok(entry) = proposed.admit() else {
        return;
    };
    assert_eq!(Ok(entry.body()), body.as_deref());
    let terms = entry.search_terms();
    assert!(!terms.is_empty() && terms.len() <= MAX_TERMS);
    if let Some(digest) = signed(&entry) {
        assert!(SIGNED.contains(&digest), "a signature over something else");
        assert!(terms.contains(&digest));
    }
});

/// The signed digest; `None` for timestamps, which contain it inside their tokens.
fn signed(entry: &AdmittedEntry) -> Option<SearchTerm> {
    let body: Value = serde_json::from_slice(entry.body()).expect("a body is JSON");
    let spec = &body["spec"];
    let hash = ["/data/hash", "/payloadHash", "/content/payloadHash"]
        .iter()
        .find_map(|path| spec.pointer(path))?;
    let member = |name: &str| hash[name].as_str().expect("a digest has both members");
    Some(SearchTerm::named_digest(
        member("algorithm"),
        member("value"),
    ))
}
