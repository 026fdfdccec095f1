use rcgen::{BasicConstraints, CustomExtension, IsCa, KeyUsagePurpose};

use super::super::testing::{NOON, TestTsa};
use super::super::{Serial, oid};
use super::*;
use crate::protocol::der::{self, DerReader, element};
use crate::protocol::hash::{HashAlgorithm, Sha256};
use crate::protocol::keys::SigningKey;
use crate::protocol::x509::chain::PathMember;

const SIGNED: &[u8] = b"the timestamped signature";

fn request(wants_certificate: bool) -> TimestampRequest {
    TimestampRequest::new(Sha256::of(SIGNED).into(), Some(7), wants_certificate)
}

fn response(tsa: &TestTsa, time: UnixTime, wants_certificate: bool) -> Vec<u8> {
    tsa.signer()
        .grant(
            &request(wants_certificate),
            Serial::from_random([0xff; 20]),
            time,
        )
        .unwrap()
}

fn verify(tsa: &TestTsa, response: &[u8]) -> Result<VerifiedTimestamp, TimestampError> {
    verify_response(response, SIGNED, &[tsa.trusted()])
}

/// A token encoded independently of `token.rs`, so that a test can change each part.
struct ForgedToken {
    tst_info: Vec<u8>,
    attributes: Vec<Vec<u8>>,
    certificates: Vec<Vec<u8>>,
    signer_id: Vec<u8>,
    digest: const_oid::ObjectIdentifier,
    algorithm: Vec<u8>,
    signers: usize,
    status: u8,
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(der::SEQUENCE, parts)
}

fn attribute(id: const_oid::ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    sequence(&[&der::oid(id), &element(der::SET, &[value])])
}

fn octets(bytes: &[u8]) -> Vec<u8> {
    element(der::OCTET_STRING, &[bytes])
}

/// The DER TSTInfo inside a response.
fn tst_info_of(response: &[u8]) -> Vec<u8> {
    UnverifiedToken::parse_response(response)
        .unwrap()
        .tst_info
        .to_vec()
}

impl ForgedToken {
    fn new(tsa: &TestTsa, hash: HashAlgorithm, algorithm: &str) -> Self {
        let honest = response(&TestTsa::new(), NOON, false);
        let tst_info = tst_info_of(&honest);
        let digest = hash.digest(&tst_info);
        let certificate_hash = octets(Sha256::of(tsa.leaf.der()).as_bytes());
        let serial = element(der::INTEGER, &[tsa.leaf.serial()]);
        let id = sequence(&[&sequence(&[&sequence(&[&certificate_hash])])]);
        Self {
            attributes: vec![
                attribute(oid::CONTENT_TYPE, &der::oid(oid::TST_INFO)),
                attribute(oid::MESSAGE_DIGEST, &octets(digest.as_bytes())),
                attribute(oid::SIGNING_CERTIFICATE_V2, &id),
            ],
            tst_info,
            certificates: Vec::new(),
            signer_id: [
                &[2, 1, 1][..],
                &sequence(&[tsa.leaf.issuer_name(), &serial]),
            ]
            .concat(),
            digest: super::super::hash_oid(hash),
            algorithm: hex::decode(algorithm).unwrap(),
            signers: 1,
            status: 0,
        }
    }

    fn p256(tsa: &TestTsa) -> Self {
        // ecdsa-with-SHA256
        Self::new(tsa, HashAlgorithm::Sha256, "300a06082a8648ce3d040302")
    }

    fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let attributes = || self.attributes.iter().map(Vec::as_slice).collect();
        let signature = key.sign(&der::set_of(der::SET, attributes())).unwrap();
        let signer = sequence(&[
            &self.signer_id,
            &sequence(&[&der::oid(self.digest)]),
            &if self.attributes.is_empty() {
                Vec::new()
            } else {
                element(der::CONTEXT_0, &attributes())
            },
            &self.algorithm,
            &octets(&signature),
        ]);
        let signers = vec![signer.as_slice(); self.signers];
        let certificates: Vec<_> = self.certificates.iter().map(Vec::as_slice).collect();
        let signed_data = sequence(&[
            &[2, 1, 3],
            &element(der::SET, &[]),
            &sequence(&[
                &der::oid(oid::TST_INFO),
                &element(der::CONTEXT_0, &[&octets(&self.tst_info)]),
            ]),
            &element(der::CONTEXT_0, &certificates),
            &element(der::SET, &signers),
        ]);
        let token = sequence(&[
            &der::oid(oid::SIGNED_DATA),
            &element(der::CONTEXT_0, &[&signed_data]),
        ]);
        sequence(&[&sequence(&[&[2, 1, self.status]]), &token])
    }
}

#[test]
fn a_token_verifies_with_and_without_an_embedded_certificate() {
    let tsa = TestTsa::new();
    for wants_certificate in [true, false] {
        let response = response(&tsa, NOON, wants_certificate);

        let verified = verify(&tsa, &response).unwrap();

        assert_eq!(verified.time, NOON);
        assert_eq!(verified.authority, 0);
        let has_certificate = response
            .windows(tsa.leaf.der().len())
            .any(|part| part == tsa.leaf.der());
        assert_eq!(has_certificate, wants_certificate);
    }
}

#[test]
fn an_authority_that_lists_only_its_root_needs_the_certificate_in_the_token() {
    let tsa = TestTsa::new();
    let mut trusted = tsa.trusted();
    trusted.chain.remove(0);
    let trusted = [trusted];

    verify_response(&response(&tsa, NOON, true), SIGNED, &trusted).unwrap();
    assert_eq!(
        verify_response(&response(&tsa, NOON, false), SIGNED, &trusted),
        Err(TimestampError::SignerNotFound)
    );
}

#[test]
fn a_token_over_other_bytes_is_rejected() {
    let tsa = TestTsa::new();
    let response = response(&tsa, NOON, true);

    assert_eq!(
        verify_response(&response, b"other bytes", &[tsa.trusted()]),
        Err(TimestampError::Imprint)
    );
}

#[test]
fn a_reply_must_have_the_nonce_of_its_request_or_none() {
    let tsa = TestTsa::new();
    let signer = tsa.signer();
    let ask = |nonce| TimestampRequest::new(Sha256::of(SIGNED).into(), nonce, false);
    let grant = |request: &TimestampRequest| {
        let serial = Serial::from_random([1; 20]);
        signer.grant(request, serial, NOON).unwrap()
    };
    let authorities = [tsa.trusted()];

    for (asked, answered) in [
        (Some(1), Some(1)),
        (Some(u64::MAX), Some(u64::MAX)),
        (None, None),
    ] {
        verify_reply(&grant(&ask(answered)), &ask(asked), &authorities).unwrap();
    }
    for (asked, answered) in [(Some(1), Some(2)), (Some(1), None), (None, Some(1))] {
        assert_eq!(
            verify_reply(&grant(&ask(answered)), &ask(asked), &authorities),
            Err(TimestampError::Nonce)
        );
    }
}

#[test]
fn a_changed_byte_never_changes_the_time_or_panics() {
    let tsa = TestTsa::new();
    let honest = response(&tsa, NOON, true);
    let verified = verify(&tsa, &honest).unwrap();
    let authorities = [tsa.trusted()];
    let mut refused = 0;
    for place in 0..honest.len() {
        for flip in [0x01, 0x80] {
            let mut changed = honest.clone();
            changed[place] ^= flip;
            // Unsigned parts, such as digestAlgorithms, may change without an error.
            match verify_response(&changed, SIGNED, &authorities) {
                Ok(still) => assert_eq!(still, verified),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > honest.len());
    for end in 0..honest.len() {
        assert!(verify(&tsa, &honest[..end]).is_err());
    }
    let longer = [&honest[..], &[0]].concat();
    assert_eq!(verify(&tsa, &longer), Err(TimestampError::Malformed));
}

#[test]
fn the_signer_is_the_identified_certificate_and_not_the_first_embedded_one() {
    let tsa = TestTsa::new();
    let forger = TestTsa::new();
    let mut token = ForgedToken::p256(&tsa);
    token.certificates = vec![forger.leaf.der().to_vec(), tsa.leaf.der().to_vec()];
    verify(&tsa, &token.sign(&tsa.key())).unwrap();

    // Signed with the forger's key: identified as the authority, then as the forger.
    assert_eq!(
        verify(&tsa, &token.sign(&forger.key())),
        Err(TimestampError::Signature)
    );
    let mut token = ForgedToken::p256(&forger);
    token.certificates = vec![forger.leaf.der().to_vec(), tsa.leaf.der().to_vec()];
    assert_eq!(
        verify(&tsa, &token.sign(&forger.key())),
        Err(TimestampError::UnknownAuthority)
    );
    // One identifier is the authority's, the other one the forger's.
    token.signer_id = ForgedToken::p256(&tsa).signer_id;
    assert_eq!(
        verify(&tsa, &token.sign(&forger.key())),
        Err(TimestampError::SignerNotFound)
    );
}

#[test]
fn the_declared_algorithm_must_match_the_digest_and_the_key() {
    // RFC 5758 §3.2 and RFC 8410 §3
    for (algorithm, hash, declared) in [
        (
            &rcgen::PKCS_ECDSA_P256_SHA256,
            HashAlgorithm::Sha256,
            "300a06082a8648ce3d040302",
        ),
        (
            &rcgen::PKCS_ECDSA_P384_SHA384,
            HashAlgorithm::Sha384,
            "300a06082a8648ce3d040303",
        ),
        (
            &rcgen::PKCS_ED25519,
            HashAlgorithm::Sha512,
            "300506032b6570",
        ),
    ] {
        let tsa = TestTsa::with(algorithm, |_| {});
        let token = ForgedToken::new(&tsa, hash, declared);
        verify(&tsa, &token.sign(&tsa.key())).unwrap();

        // ecdsa-with-SHA512 with digest SHA-256, then sha256WithRSAEncryption.
        let other = ForgedToken::new(&tsa, HashAlgorithm::Sha256, "300a06082a8648ce3d040304");
        assert_eq!(
            verify(&tsa, &other.sign(&tsa.key())),
            Err(TimestampError::Algorithm)
        );
        let rsa = "300d06092a864886f70d01010b0500";
        let other = ForgedToken::new(&tsa, HashAlgorithm::Sha256, rsa);
        assert_eq!(
            verify(&tsa, &other.sign(&tsa.key())),
            Err(TimestampError::Signature)
        );
    }
}

#[test]
fn required_attributes_must_be_present_once() {
    let tsa = TestTsa::new();
    let error_after = |change: &dyn Fn(&mut ForgedToken)| {
        let mut token = ForgedToken::p256(&tsa);
        change(&mut token);
        verify(&tsa, &token.sign(&tsa.key())).unwrap_err()
    };

    assert_eq!(
        error_after(&|token| token.attributes.clear()),
        TimestampError::NoSignedAttributes
    );
    for (index, error) in [
        (0, TimestampError::ContentType),
        (1, TimestampError::MessageDigest),
        (2, TimestampError::NoSigningCertificate),
    ] {
        let without = error_after(&|token| {
            token.attributes.remove(index);
        });
        assert_eq!(without, error);
        let twice = error_after(&|token| token.attributes.push(token.attributes[index].clone()));
        assert_eq!(twice, TimestampError::Malformed);
    }
    assert_eq!(
        error_after(&|token| token.signers = 2),
        TimestampError::SeveralSigners
    );
    assert_eq!(
        error_after(&|token| token.signers = 0),
        TimestampError::Malformed
    );
    for status in [1, 2, 3] {
        assert_eq!(
            error_after(&|token| token.status = status),
            TimestampError::NotGranted
        );
    }
    assert_eq!(
        error_after(&|token| token.tst_info = tst_info_of(&response(
            &tsa,
            UnixTime::from_seconds(NOON.seconds() + 1),
            false
        ))),
        TimestampError::MessageDigest
    );
}

#[test]
fn an_issuer_and_serial_in_ess_cert_id_must_match_the_certificate() {
    let tsa = TestTsa::new();
    let hash = octets(Sha256::of(tsa.leaf.der()).as_bytes());
    let with_serial = |serial: &[u8]| {
        let name = element(der::CONTEXT_4, &[tsa.leaf.issuer_name()]);
        let serial = element(der::INTEGER, &[serial]);
        let issuer_serial = sequence(&[&sequence(&[&name]), &serial]);
        let id = sequence(&[&hash, &issuer_serial]);
        let value = sequence(&[&sequence(&[&id])]);
        let mut token = ForgedToken::p256(&tsa);
        token.attributes[2] = attribute(oid::SIGNING_CERTIFICATE_V2, &value);
        verify(&tsa, &token.sign(&tsa.key()))
    };

    with_serial(tsa.leaf.serial()).unwrap();
    assert_eq!(with_serial(&[1]), Err(TimestampError::SignerNotFound));
}

#[test]
fn a_certificate_with_another_purpose_than_timestamping_is_rejected() {
    // EKU: timeStamping not critical; then timeStamping and codeSigning, critical.
    let purposes = |der: &str, critical| {
        let mut extension =
            CustomExtension::from_oid_content(&[2, 5, 29, 37], hex::decode(der).unwrap());
        extension.set_criticality(critical);
        extension
    };
    let only = "300a06082b06010505070308";
    let both = "301406082b0601050507030806082b06010505070303";
    for extensions in [
        vec![purposes(only, false)],
        vec![purposes(both, true)],
        Vec::new(),
    ] {
        let tsa = TestTsa::with(&rcgen::PKCS_ECDSA_P256_SHA256, |params| {
            params.custom_extensions = extensions;
        });

        assert_eq!(
            verify(&tsa, &response(&tsa, NOON, true)),
            Err(PathError::ExtendedKeyUsage(PathMember(0)).into())
        );
    }

    let tsa = TestTsa::with(&rcgen::PKCS_ECDSA_P256_SHA256, |params| {
        params.key_usages = vec![KeyUsagePurpose::KeyAgreement];
    });
    assert_eq!(
        verify(&tsa, &response(&tsa, NOON, true)),
        Err(PathError::KeyUsage.into())
    );
    let tsa = TestTsa::with(&rcgen::PKCS_ECDSA_P256_SHA256, |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    assert_eq!(
        verify(&tsa, &response(&tsa, NOON, true)),
        Err(PathError::LeafIsAuthority.into())
    );
}

#[test]
fn certificates_must_be_valid_at_the_tokens_time_bounds_included() {
    let tsa = TestTsa::new();
    let at = |text: &str| {
        let time = UnixTime::from_rfc3339(text).unwrap();
        verify(&tsa, &response(&tsa, time, true)).map(|verified| verified.time)
    };

    for time in ["2026-01-01T00:00:00Z", "2026-12-31T23:59:59Z"] {
        assert_eq!(at(time).unwrap().to_rfc3339(), time);
    }
    for time in ["2025-12-31T23:59:59Z", "2027-01-01T00:00:00Z"] {
        assert!(matches!(
            at(time),
            Err(TimestampError::Path(PathError::OutsideValidity { .. }))
        ));
    }
}

#[test]
fn an_authority_is_trusted_only_within_its_own_validity() {
    let retired = TestTsa::new();
    let current = retired.sibling();
    let mut old = retired.trusted();
    old.validity.end = Some(UnixTime::from_seconds(NOON.seconds() - 1));
    let authorities = [old.clone(), current.trusted()];

    // The current authority is valid and has the same root, but did not sign.
    assert!(matches!(
        verify_response(&response(&retired, NOON, true), SIGNED, &authorities),
        Err(TimestampError::OutsideWindow { .. })
    ));
    let verified = verify_response(&response(&current, NOON, true), SIGNED, &authorities).unwrap();
    assert_eq!(verified.authority, 1);

    old.validity.end = Some(NOON);
    verify_response(&response(&retired, NOON, true), SIGNED, &[old]).unwrap();
}

#[test]
fn without_a_matching_authority_no_token_is_trusted() {
    let tsa = TestTsa::new();
    let response = response(&tsa, NOON, true);
    let mut empty = tsa.trusted();
    empty.chain.clear();

    for authorities in [vec![], vec![empty], vec![TestTsa::new().trusted()]] {
        assert_eq!(
            verify_response(&response, SIGNED, &authorities),
            Err(TimestampError::UnknownAuthority)
        );
    }
}

#[test]
fn weak_imprints_and_critical_extensions_are_rejected() {
    let tsa = TestTsa::new();
    let forge = |tst_info: Vec<u8>| {
        let mut token = ForgedToken::p256(&tsa);
        let digest = octets(Sha256::of(&tst_info).as_bytes());
        token.attributes[1] = attribute(oid::MESSAGE_DIGEST, &digest);
        token.tst_info = tst_info;
        verify(&tsa, &token.sign(&tsa.key()))
    };
    let parts = |imprint: &[u8], tail: &[u8]| {
        let time = element(der::GENERALIZED_TIME, &[b"20260131093000Z"]);
        let policy = der::oid(super::super::POLICY);
        sequence(&[&[2, 1, 1], &policy, imprint, &[2, 1, 5], &time, tail])
    };
    let good = request(false).imprint().to_vec();
    // SHA-1 of the empty string.
    let sha1 = hex::decode("301f300706052b0e03021a0414da39a3ee5e6b4b0d3255bfef95601890afd80709");
    let extension = |critical: &[u8]| {
        let one = sequence(&[&der::oid(oid::CONTENT_TYPE), critical, &octets(&[])]);
        element(der::CONTEXT_1, &[&one])
    };

    forge(parts(&good, &[])).unwrap();
    forge(parts(&good, &extension(&[]))).unwrap();
    assert_eq!(
        forge(parts(&good, &extension(&[1, 1, 0xff]))),
        Err(TimestampError::CriticalExtension)
    );
    assert_eq!(
        forge(parts(&sha1.unwrap(), &[])),
        Err(TimestampError::WeakImprint)
    );
}

#[test]
fn an_oversized_response_is_rejected() {
    assert_eq!(
        verify_response(&[0x30; MAX_RESPONSE + 1], SIGNED, &[]),
        Err(TimestampError::TooLarge(MAX_RESPONSE + 1))
    );
}

#[test]
fn an_issued_tst_info_has_the_expected_fields() {
    let tsa = TestTsa::new();
    let tst_info = tst_info_of(&response(
        &tsa,
        UnixTime::from_millis(NOON.millis() + 999),
        true,
    ));

    let mut fields = DerReader::inside(&tst_info, der::SEQUENCE).unwrap();
    assert_eq!(fields.integer().unwrap(), [1]);
    assert_eq!(fields.oid().unwrap().to_string(), "1.3.6.1.4.1.57264.2");
    assert_eq!(fields.next().unwrap().whole, request(true).imprint());
    let serial = fields.integer().unwrap();
    assert_eq!((serial.len(), serial[0]), (20, 0x7f));
    assert_eq!(
        fields.take(der::GENERALIZED_TIME).unwrap(),
        b"20260131093000Z"
    );
    assert_eq!(fields.take(der::SEQUENCE).unwrap(), [2, 1, 1]);
    assert_eq!(fields.integer().unwrap(), [7]);
    let mut tsa_name = DerReader::of(fields.take(der::CONTEXT_0).unwrap());
    assert_eq!(
        tsa_name.take(der::CONTEXT_4).unwrap(),
        tsa.leaf.subject_name_der()
    );
    fields.finish().unwrap();
}

#[test]
fn openssl_tokens_verify_with_either_ess_cert_id() {
    let root = Certificate::from_pem(include_str!("../vectors/openssl-root.pem")).unwrap();
    let authorities = [TrustedTsa {
        uri: "openssl".to_owned(),
        chain: vec![root],
        validity: Validity {
            start: UnixTime::from_seconds(0),
            end: None,
        },
    }];
    let rsa = include_bytes!("../vectors/openssl-rsa-sha512.tsr");
    let ecdsa = include_bytes!("../vectors/openssl-p256-sha256.tsr");

    let verified = verify_response(rsa, b"imprint", &authorities).unwrap();
    assert_eq!(verified.time.to_rfc3339(), "2026-11-20T09:24:36Z");
    assert_eq!(verified.time.millis() % 1000, 890);
    verify_response(ecdsa, b"imprint", &authorities).unwrap();

    for response in [&rsa[..], ecdsa] {
        for (signed, authorities, error) in [
            (&b"imprinT"[..], &authorities[..], TimestampError::Imprint),
            (b"imprint", &[], TimestampError::UnknownAuthority),
        ] {
            assert_eq!(verify_response(response, signed, authorities), Err(error));
        }
    }
}
