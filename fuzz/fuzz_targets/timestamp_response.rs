//! Only the authority's tokens verify, with the time and over the bytes that they contain.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use signet::testing::{TimestampRequest, UnixTime, verify_reply, verify_response};
use signet_fuzz::WORLD;

const GRANTED: &[u8] = include_bytes!("../seeds/timestamp_response/granted");
const REQUESTS: [(&[u8], &[u8]); 2] = [
    (
        include_bytes!("../seeds/timestamp_request/full.der"),
        include_bytes!("../seeds/timestamp_response/full.der"),
    ),
    (
        include_bytes!("../seeds/timestamp_request/plain.der"),
        include_bytes!("../seeds/timestamp_response/plain.der"),
    ),
];

static TIME: LazyLock<UnixTime> = LazyLock::new(|| {
    let authorities = &WORLD.trust.timestamp_authorities;
    let verified = verify_response(GRANTED, &WORLD.signature, authorities);
    verified.expect("the seed verifies").time
});

static ASKED: LazyLock<Vec<(TimestampRequest, UnixTime)>> = LazyLock::new(|| {
    let asked = |(request, response): (&[u8], &[u8])| {
        let request = TimestampRequest::from_der(request).expect("the seed is a request");
        let authorities = &WORLD.trust.timestamp_authorities;
        let verified = verify_reply(response, &request, authorities).expect("the seed verifies");
        (request, verified.time)
    };
    REQUESTS.map(asked).into()
});

fuzz_target!(|data: &[u8]| {
    let authorities = &WORLD.trust.timestamp_authorities;
    if let Ok(verified) = verify_response(data, &WORLD.signature, authorities) {
        assert_eq!((verified.time, verified.authority), (*TIME, 0));
    }
    assert!(verify_response(data, b"other bytes", authorities).is_err());
    assert!(verify_response(data, &WORLD.signature, &[]).is_err());
    let mut answered = 0;
    for (request, time) in &*ASKED {
        if let Ok(verified) = verify_reply(data, request, authorities) {
            assert_eq!((verified.time, verified.authority), (*time, 0));
            answered += 1;
        }
    }
    assert!(answered <= 1, "one reply answers two requests");
});
