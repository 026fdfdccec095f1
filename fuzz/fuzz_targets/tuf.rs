//! A serialized root keeps its signed payload, its thresholds are satisfiable, and only the owner of the
//! seed's key can sign a successor of the seed's root. The same holds within signing requests.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signet::testing::{Metadata, Role, Root, RootSigningRequest, Signed};

const KNOWN: &[u8] = include_bytes!("../seeds/tuf/root.json");

fuzz_target!(|data: &[u8]| {
    check_root(data);
    check_request(data);
});

fn check_root(data: &[u8]) {
    let Ok(root) = Signed::<Root>::parse_root(data) else {
        return;
    };
    assert!(data.len() <= Root::MAX_BYTES);
    for role in Role::ALL {
        let keys = root.body().role(role);
        let most = u32::try_from(keys.keyids.len()).expect("a document is short");
        assert!((1..=most).contains(&keys.threshold));
    }
    let mut copy = root.clone();
    assert!(copy.merge(&root));
    let again = Signed::<Root>::parse_root(copy.bytes()).expect("a serialized root parses");
    assert_eq!(again.payload(), root.payload());
    let known = Signed::<Root>::parse_root(KNOWN).expect("the seed is a root");
    assert!(known.check_successor(&root).is_err());
    if known.body().verify(&root).is_ok() {
        assert_eq!(root.payload(), known.payload());
    }
}

fn check_request(data: &[u8]) {
    let Ok(request) = RootSigningRequest::parse(data) else {
        return;
    };
    let text = request.to_json().expect("both roots are JSON");
    let again = RootSigningRequest::parse(text.as_bytes()).expect("a serialized request parses");
    assert_eq!(again.next().payload(), request.next().payload());
    assert_eq!(again.changes(), request.changes());
    assert!(request.check_complete().is_err(), "there are no signatures");
}
