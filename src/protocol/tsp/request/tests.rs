use super::*;
use crate::protocol::hash::Sha256;

// `openssl ts -query` over "abc", from the tests of the x509-tsp crate.
const OPENSSL_REQUEST: &str = "30400201013031300D060960864801650304020105000420BA7816BF8F01CFEA\
    414140DE5DAE2223B00361A396177A9CB410FF61F20015AD0208314CFCE4E0651827";

fn der() -> Vec<u8> {
    hex::decode(OPENSSL_REQUEST).unwrap()
}

fn request_der(tail: &[u8]) -> Vec<u8> {
    let digest = Digest::from(Sha256::of(b"abc"));
    der::element(der::SEQUENCE, &[&[2, 1, 1], &encode_imprint(&digest), tail])
}

#[test]
fn an_openssl_request_is_parsed() {
    let request = TimestampRequest::from_der(&der()).unwrap();

    assert_eq!(request.digest(), &Digest::from(Sha256::of(b"abc")));
    assert_eq!(hex::encode(request.nonce().unwrap()), "314cfce4e0651827");
    assert_eq!(request.policy(), None);
    assert!(!request.wants_certificate());
    assert_eq!(request.to_der(), der());
}

#[test]
fn an_encoded_request_parses_to_the_same_request() {
    let digest = HashAlgorithm::Sha512.digest(b"abc");
    let request = TimestampRequest::new(digest, Some(u64::MAX), true);

    assert_eq!(
        TimestampRequest::from_der(&request.to_der()).unwrap(),
        request
    );
}

#[test]
fn a_truncated_or_extended_request_is_rejected() {
    let der = der();
    for end in 0..der.len() {
        TimestampRequest::from_der(&der[..end]).unwrap_err();
    }
    let longer = [&der[..], &[0]].concat();
    assert_eq!(
        TimestampRequest::from_der(&longer),
        Err(RequestError::Malformed)
    );
}

#[test]
fn no_changed_byte_makes_the_parser_panic() {
    let der = der();
    for place in 0..der.len() {
        for value in 0..=u8::MAX {
            let mut changed = der.clone();
            changed[place] = value;
            let _ = TimestampRequest::from_der(&changed);
        }
    }
}

#[test]
fn weak_hashes_versions_and_extensions_are_rejected_with_distinct_errors() {
    let sha1 = "302302010130 1f300706052b0e03021a0414 \
                a9993e364706816aba3e25717850c26c9cd0d89d"
        .replace(' ', "");
    let mut sha1 = hex::decode(sha1).unwrap();
    sha1[1] = u8::try_from(sha1.len() - 2).unwrap();
    assert_eq!(TimestampRequest::from_der(&sha1), Err(RequestError::Hash));

    let mut version = der();
    version[4] = 2;
    assert_eq!(
        TimestampRequest::from_der(&version),
        Err(RequestError::Version)
    );

    let extended = request_der(&[0xa0, 0]);
    let error = TimestampRequest::from_der(&extended).unwrap_err();
    assert_eq!(error, RequestError::Extensions);
    assert_eq!(error.failure(), PkiFailure::UnacceptedExtension);

    let mut short = der();
    short[19] = 2; // SHA-384 with a digest of 32 bytes
    assert!(matches!(
        TimestampRequest::from_der(&short),
        Err(RequestError::DigestLength(_))
    ));
}

#[test]
fn long_nonces_policies_and_requests_are_rejected() {
    let nonce = der::element(der::INTEGER, &[&[1; 65]]);
    assert_eq!(
        TimestampRequest::from_der(&request_der(&nonce)),
        Err(RequestError::Nonce)
    );

    let policy = der::element(der::OBJECT_IDENTIFIER, &[&[1; 900]]);
    assert_eq!(
        TimestampRequest::from_der(&request_der(&policy)),
        Err(RequestError::Policy)
    );

    let arcs = vec![1u8; 1_000_000];
    assert!(matches!(
        TimestampRequest::from_der(&arcs),
        Err(RequestError::TooLarge { .. })
    ));
    let digits = format!("{{\"nonce\":{}}}", "9".repeat(900_000));
    assert!(matches!(
        TimestampRequest::from_json(digits.as_bytes()),
        Err(RequestError::TooLarge { .. })
    ));
}

fn json(members: &str) -> Result<TimestampRequest, RequestError> {
    let hash = crate::protocol::bytes::to_base64(Sha256::of(b"abc").as_bytes());
    let text = format!("{{\"artifactHash\":\"{hash}\"{members}}}");
    TimestampRequest::from_json(text.as_bytes())
}

#[test]
fn json_and_der_parse_to_the_same_request() {
    let request =
        json(",\"hashAlgorithm\":\"sha256\",\"nonce\":3552492266035943463,\"certificates\":false")
            .unwrap();

    assert_eq!(request, TimestampRequest::from_der(&der()).unwrap());
}

#[test]
fn json_nonces_longer_than_64_bits_are_preserved() {
    let request =
        json(",\"hashAlgorithm\":\"sha256\",\"nonce\":340282366920938463463374607431768211455")
            .unwrap();

    assert_eq!(request.nonce().unwrap(), [&[0][..], &[0xff; 16]].concat());
    let zero = json(",\"hashAlgorithm\":\"sha256\",\"nonce\":0").unwrap();
    assert_eq!(zero.nonce().unwrap(), [0]);
    for nonce in ["-1", "1.5", "1e3", "\"1\"", "{}", &"9".repeat(65)] {
        let members = format!(",\"hashAlgorithm\":\"sha256\",\"nonce\":{nonce}");
        assert_eq!(json(&members), Err(RequestError::Nonce), "{nonce}");
    }
}

#[test]
fn json_with_weak_missing_or_unknown_members_is_rejected() {
    assert_eq!(json(",\"hashAlgorithm\":\"sha1\""), Err(RequestError::Hash));
    assert!(matches!(json(""), Err(RequestError::Json(_))));
    for members in [
        ",\"hashAlgorithm\":null",
        ",\"hashAlgorithm\":[]",
        ",\"hashAlgorithm\":\"sha256\",\"url\":\"http://canary\"",
        ",\"hashAlgorithm\":\"sha256\",\"certificates\":1",
        ",\"hashAlgorithm\":\"sha256\",\"hash\\u0041lgorithm\":\"sha256\"",
    ] {
        assert!(matches!(json(members), Err(RequestError::Json(_))));
    }
    assert!(matches!(
        json(",\"hashAlgorithm\":\"sha512\""),
        Err(RequestError::DigestLength(_))
    ));
    // const-oid's parser overflows on the second, and parses the third as 1.0.2.
    for policy in ["one.two", "1.3.99999999999", "1..2"] {
        let members = format!(",\"hashAlgorithm\":\"sha256\",\"tsaPolicyOID\":\"{policy}\"");
        assert_eq!(json(&members), Err(RequestError::Policy), "{policy}");
    }
}
