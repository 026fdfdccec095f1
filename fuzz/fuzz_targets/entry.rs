//! An entry has one canonical body, a serialized request parses to the same entry, and only the seed's
//! signature verifies.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use signet::testing::{CreateEntryRequest, MAX_BODY, UnverifiedEntry, UnverifiedHashedRekord};
use signet_fuzz::WORLD;

static KNOWN: LazyLock<UnverifiedHashedRekord> = LazyLock::new(|| {
    let body = &WORLD.bundle.entries()[0].body;
    UnverifiedHashedRekord::parse_body(body).expect("the seed is an entry")
});

fuzz_target!(|data: &[u8]| {
    if let Ok(entry) = UnverifiedHashedRekord::parse_body(data) {
        assert!(data.len() <= MAX_BODY);
        assert_eq!(entry.canonical_body(), data);
        check(&entry);
    }
    let Ok(request) = serde_json::from_slice::<CreateEntryRequest>(data) else {
        return;
    };
    match UnverifiedEntry::try_from(request) {
        Ok(UnverifiedEntry::HashedRekord(entry)) => check_request(&entry),
        Ok(UnverifiedEntry::Dsse(entry)) => {
            assert!(
                entry.verify().is_err(),
                "the seeds contain no signed envelope"
            );
        }
        Err(_) => {}
    }
});

fn check_request(entry: &UnverifiedHashedRekord) {
    let body = entry.canonical_body();
    if body.len() <= MAX_BODY {
        assert_eq!(
            UnverifiedHashedRekord::parse_body(&body).as_ref(),
            Ok(entry)
        );
    }
    let written = serde_json::to_vec(&CreateEntryRequest::from(entry)).expect("plain JSON");
    let again: CreateEntryRequest = serde_json::from_slice(&written).expect("our own JSON");
    assert_eq!(
        UnverifiedEntry::try_from(again),
        Ok(UnverifiedEntry::HashedRekord(entry.clone()))
    );
    check(entry);
}

fn check(entry: &UnverifiedHashedRekord) {
    if let Ok(admitted) = entry.verify() {
        assert_eq!(admitted.into_body(), entry.canonical_body());
        assert_eq!(
            entry.digest, KNOWN.digest,
            "a signature over another digest"
        );
        assert_eq!(entry.key_details, KNOWN.key_details);
    }
}
