//! A parsed note keeps its text, has a bounded number of signatures, and opens only if the log signed it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signet::testing::{Checkpoint, MAX_NOTE_BYTES, MAX_SIGNATURES, TreeHeadKey, UnverifiedNote};
use signet_fuzz::WORLD;

const LOG: &str = include_str!("../seeds/checkpoint/log");
const CERTIFICATES: &str = include_str!("../seeds/checkpoint/certificates");

fuzz_target!(|note: &str| {
    let Ok(read) = UnverifiedNote::parse(note) else {
        return;
    };
    assert!(note.len() <= MAX_NOTE_BYTES);
    let lines = note
        .strip_prefix(read.unverified_text())
        .expect("the text comes first");
    // A blank line, then one line for each signature and nothing else.
    let signatures = lines.matches("\n\u{2014} ").count();
    assert!((1..=MAX_SIGNATURES).contains(&signatures));
    assert_eq!(lines.matches('\n').count(), signatures + 1);
    check_log(&read);
    check_certificate_log(&read);
});

fn check_log(note: &UnverifiedNote) {
    let log = &WORLD.trust.logs[0];
    if let Ok(opened) = Checkpoint::open(note, log.checkpoint_key, &log.key) {
        assert!(LOG.starts_with(note.unverified_text()));
        assert_eq!(opened.size.get(), 1);
    }
    let other = &WORLD.trust.ct_logs[0].key;
    assert!(Checkpoint::open(note, log.checkpoint_key, other).is_err());
}

fn check_certificate_log(note: &UnverifiedNote) {
    let key = WORLD.trust.ct_logs[0].key.clone();
    let key = TreeHeadKey::new("ct.example", key).expect("a P-256 key under a plain name");
    if let Ok(opened) = key.open(note) {
        // The signature covers size, root and time, but not the lines after them.
        let known = CERTIFICATES.split('\n').take(3);
        assert!(note.unverified_text().split('\n').take(3).eq(known));
        assert_eq!(opened.checkpoint.size.get(), 1);
    }
}
