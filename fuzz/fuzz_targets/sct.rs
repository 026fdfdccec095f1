//! Encoding a parsed SCT list restores it, and only the log's own SCT verifies.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use signet::testing::{PrecertEntry, SignedCertificateTimestamp, encode_sct_list, parse_sct_list};
use signet_fuzz::WORLD;

const LIST: &[u8] = include_bytes!("../seeds/sct/list");

static PROMISED: LazyLock<(PrecertEntry, SignedCertificateTimestamp)> = LazyLock::new(|| {
    let issuer = &WORLD.trust.authorities[0].chain[0];
    let entry = PrecertEntry::rebuilt_from(&WORLD.leaf, issuer).expect("the leaf has a list");
    let mut list = parse_sct_list(LIST).expect("the seed is a list");
    (entry, list.remove(0))
});

fuzz_target!(|data: &[u8]| {
    let Ok(scts) = parse_sct_list(data) else {
        return;
    };
    if !scts.is_empty() {
        let written = encode_sct_list(&scts).expect("a parsed list fits");
        assert_eq!(parse_sct_list(&written).as_ref(), Ok(&scts));
        // SCTs of other versions are dropped, which makes the list shorter.
        assert!(written == data || written.len() < data.len());
    }
    let (entry, promised) = &*PROMISED;
    let key = &WORLD.trust.ct_logs[0].key;
    for sct in &scts {
        if sct.verify(key, entry).is_ok() {
            // The signature does not cover the log's ID.
            assert_eq!(
                (sct.time, &sct.extensions),
                (promised.time, &promised.extensions)
            );
        }
    }
});
