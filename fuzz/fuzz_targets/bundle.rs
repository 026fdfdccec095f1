//! The JSON form of a bundle is stable, and only the seed's signature verifies.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signet::testing::{Artifact, Bundle, Certificate, Content, Expectation};
use signet::verify::verify;
use signet_fuzz::{SIGNED, WORLD};

fuzz_target!(|data: &[u8]| {
    let Ok(bundle) = Bundle::from_json(data) else {
        return;
    };
    assert!(bundle.entries().len() <= 32 && bundle.timestamps().len() <= 32);
    let written = bundle.to_json();
    let again = Bundle::from_json(written.as_bytes()).expect("a serialized bundle parses");
    assert_eq!(again.to_json(), written);
    assert_eq!(format!("{again:?}"), format!("{bundle:?}"));
    let _ = bundle.hash_algorithms(None);
    check_verdict(&bundle);
});

fn check_verdict(bundle: &Bundle) {
    let world = &*WORLD;
    let other = Artifact::from_bytes(b"another file");
    let key = Expectation::Key(world.leaf.public_key().clone());
    for (artifact, expectation) in [(&other, &world.expectation), (&SIGNED, &key)] {
        assert!(verify(bundle, artifact, expectation, &world.trust, world.now).is_err());
    }
    if verify(bundle, &SIGNED, &world.expectation, &world.trust, world.now).is_err() {
        return;
    }
    let Content::Message { signature, .. } = bundle.content() else {
        panic!("an envelope was accepted, and none was signed");
    };
    assert_eq!(*signature, world.signature);
    let der = bundle
        .material()
        .certificate()
        .expect("a certificate verified");
    let leaf = Certificate::from_der(der).expect("it parsed before");
    assert_eq!(leaf.tbs(), world.leaf.tbs());
    let known = &world.bundle.entries()[0];
    let entry = bundle
        .entries()
        .iter()
        .find(|entry| entry.log_id == known.log_id);
    assert_eq!(entry.expect("an entry verified").body, known.body);
}
