//! The JSON form of a trusted root is stable, its limits hold, and it verifies the seed only if it lists the
//! parties that signed it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signet::testing::{Certificate, TrustedRoot, WireTrustedRoot};
use signet::verify::verify;
use signet_fuzz::{SIGNED, WORLD};

fuzz_target!(|data: &[u8]| {
    let Ok(root) = TrustedRoot::from_json(data) else {
        return;
    };
    let read: WireTrustedRoot = serde_json::from_slice(data).expect("it parsed before");
    let written = serde_json::to_vec(&read).expect("its keys are strings");
    let again = TrustedRoot::from_json(&written).expect("a serialized trusted root parses");
    assert_eq!(format!("{again:?}"), format!("{root:?}"));
    check_limits(&root);
    check_verdict(&root);
});

fn check_limits(root: &TrustedRoot) {
    let lists = [root.logs.len(), root.authorities.len(), root.ct_logs.len()];
    assert!(
        lists
            .into_iter()
            .chain([root.timestamp_authorities.len()])
            .all(|n| n <= 256)
    );
    let chains = root.authorities.iter().map(|one| &one.chain);
    for chain in chains.chain(root.timestamp_authorities.iter().map(|one| &one.chain)) {
        assert!((1..=10).contains(&chain.len()));
    }
    for log in &root.logs {
        assert!(
            root.logs_with(log.id.as_bytes())
                .any(|found| found.key == log.key)
        );
        assert!(
            root.logs_with(log.id.as_bytes())
                .all(|found| found.id == log.id)
        );
    }
}

/// The seed verifies only if the root lists the log, authorities and certificate log that signed it.
fn check_verdict(root: &TrustedRoot) {
    let world = &*WORLD;
    if verify(&world.bundle, &SIGNED, &world.expectation, root, world.now).is_err() {
        return;
    }
    let known = &world.trust;
    let has = |chain: &[Certificate], of: &[Certificate]| {
        let anchor = of.last().expect("chains are not empty");
        chain
            .iter()
            .any(|one| one.public_key() == anchor.public_key() || of.contains(one))
    };
    assert!(root.logs.iter().any(|log| log.key == known.logs[0].key));
    assert!(
        root.ct_logs
            .iter()
            .any(|log| log.key == known.ct_logs[0].key)
    );
    assert!(
        root.authorities
            .iter()
            .any(|one| has(&one.chain, &known.authorities[0].chain))
    );
    let stamps = &known.timestamp_authorities[0].chain;
    assert!(
        root.timestamp_authorities
            .iter()
            .any(|one| has(&one.chain, stamps))
    );
}
