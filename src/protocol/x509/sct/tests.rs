use super::super::chain::{TrustedAuthority, verify_path};
use super::super::testing::{NOW, TestAuthority};
use super::*;
use crate::protocol::keys::KeyAlgorithm;
use der::asn1::ObjectIdentifier;

struct Logged {
    leaf: Certificate,
    precertificate: Certificate,
    path: VerifiedPath,
    log: TrustedCtLog,
}

fn logged(ca: &TestAuthority, scts: usize) -> Logged {
    let (log_key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let unsigned = ca.leaf(key.public_key());
    let precertificate = unsigned
        .with_poison()
        .unwrap()
        .sign_certificate(&ca.key)
        .unwrap();
    let entry = PrecertEntry::of_precertificate(&precertificate, &ca.intermediate).unwrap();
    let sct = SignedCertificateTimestamp::sign(&log_key, &entry, NOW).unwrap();
    let leaf = unsigned
        .with_scts(&vec![sct; scts])
        .unwrap()
        .sign_certificate(&ca.key)
        .unwrap();
    let path = verify_path(&leaf, &ca.trusted(), NOW).unwrap();
    let log = TrustedCtLog {
        base_url: "https://ct.example".to_owned(),
        key: log_key.public_key().clone(),
        validity: Validity {
            start: NOW,
            end: Some(NOW),
        },
    };
    Logged {
        leaf,
        precertificate,
        path,
        log,
    }
}

#[test]
fn a_certificate_of_the_public_instance_verifies() {
    let leaf = include_str!("../../../../tests/vectors/x509/public-good-leaf.pem");
    let chain = include_str!("../../../../tests/vectors/x509/public-good-chain.pem");
    let key = include_str!("../../../../tests/vectors/x509/public-good-ctlog.pub.pem");
    let leaf = Certificate::from_pem(leaf).unwrap();
    let always = Validity {
        start: UnixTime::from_seconds(0),
        end: None,
    };
    let authority = TrustedAuthority {
        uri: "https://ca.example".to_owned(),
        chain: Certificate::chain_from_pem(chain).unwrap(),
        validity: always,
    };
    let log = TrustedCtLog {
        base_url: "https://ct.example".to_owned(),
        key: PublicKey::from_pem(key).unwrap(),
        validity: always,
    };
    let signed_at = UnixTime::from_rfc3339("2024-03-19T17:26:26Z").unwrap();

    let path = verify_path(&leaf, &authority, signed_at).unwrap();
    let scts = verify_scts(&leaf, &path, &[log]).unwrap();

    assert_eq!(scts[0].time.seconds(), signed_at.seconds());
    let issuer = "https://token.actions.githubusercontent.com";
    assert_eq!(leaf.oidc_issuer(), Some(issuer));
    assert_eq!(leaf.extensions().fulcio(2), Some("workflow_dispatch"));
    assert_eq!(leaf.extensions().fulcio(20), Some("workflow_dispatch"));
}

#[test]
fn precertificate_and_certificate_differ_in_their_last_extension_only() {
    let case = logged(&TestAuthority::new("Intermediate"), 1);

    // Rebuilt by x509-cert's reader and writer, which share no code with ours.
    let rebuilt = |certificate: &Certificate, id: &str| {
        let mut tbs = x509_cert::Certificate::from_der(certificate.der())
            .unwrap()
            .tbs_certificate;
        let last = tbs.extensions.as_mut().unwrap().pop().unwrap();
        assert_eq!(last.extn_id, ObjectIdentifier::new_unwrap(id));
        tbs.to_der().unwrap()
    };
    let from_precertificate = rebuilt(&case.precertificate, "1.3.6.1.4.1.11129.2.4.3");
    let from_certificate = rebuilt(&case.leaf, "1.3.6.1.4.1.11129.2.4.2");

    assert_eq!(from_precertificate, from_certificate);
    let entry = PrecertEntry::rebuilt_from(&case.leaf, case.path.issuer()).unwrap();
    assert_eq!(entry.tbs, from_certificate);
}

#[test]
fn embedded_scts_verify_once_for_each_log() {
    for copies in [1, 2] {
        let case = logged(&TestAuthority::new("Intermediate"), copies);

        let verified =
            verify_scts(&case.leaf, &case.path, std::slice::from_ref(&case.log)).unwrap();

        assert_eq!(verified.len(), 1);
        assert_eq!(verified[0].log_id, case.log.key.fingerprint());
        assert_eq!(verified[0].time, NOW);
    }
}

#[test]
fn an_sct_of_an_unknown_log_or_outside_its_validity_is_rejected() {
    let ca = TestAuthority::new("Intermediate");
    let mut case = logged(&ca, 1);
    let other = logged(&ca, 1);

    let unknown = verify_scts(&case.leaf, &case.path, &[other.log]);
    assert_eq!(unknown.unwrap_err(), SctError::NoTrustedLog);

    let log_id = case.log.key.fingerprint();
    case.log.validity.start = UnixTime::from_millis(NOW.millis() + 1);
    case.log.validity.end = None;
    let late = verify_scts(&case.leaf, &case.path, std::slice::from_ref(&case.log));
    let expected = SctError::OutsideValidity { log_id, time: NOW };
    assert_eq!(late.unwrap_err(), expected);
}

#[test]
fn an_sct_for_another_certificate_or_issuer_is_rejected() {
    let ca = TestAuthority::new("Intermediate");
    let twin = TestAuthority::new("Intermediate");
    let case = logged(&ca, 1);
    let foreign_path = logged(&twin, 1).path;

    // The twin has the same name and another key. The SCT covers the issuer's key.
    let swapped = verify_scts(&case.leaf, &foreign_path, std::slice::from_ref(&case.log));
    assert_eq!(
        swapped.unwrap_err(),
        SctError::Invalid(case.log.key.fingerprint())
    );

    let stolen = case.leaf.extensions().find(SCT_LIST).unwrap().value.clone();
    let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let leaf = ca
        .leaf(key.public_key())
        .with_scts(&parse_sct_list(&stolen).unwrap())
        .unwrap()
        .sign_certificate(&ca.key)
        .unwrap();
    assert!(verify_scts(&leaf, &case.path, &[case.log]).is_err());
}

#[test]
fn a_certificate_without_scts_is_rejected() {
    let ca = TestAuthority::new("Intermediate");
    let case = logged(&ca, 1);

    let refused = verify_scts(&ca.signed_leaf(), &case.path, &[case.log]);

    assert_eq!(refused.unwrap_err(), SctError::Missing);
}

#[test]
fn an_sct_list_round_trips_and_a_truncated_one_is_rejected() {
    let case = logged(&TestAuthority::new("Intermediate"), 2);
    let value = &case.leaf.extensions().find(SCT_LIST).unwrap().value;

    let scts = parse_sct_list(value).unwrap();

    assert_eq!(&encode_sct_list(&scts).unwrap(), value);
    for length in 0..value.len() {
        assert!(parse_sct_list(&value[..length]).is_err());
    }
    assert!(parse_sct_list(&[4, 2, 0, 0]).is_err());
}

/// The examples of static-ct-api: eight bytes, the index in 40 bits.
#[test]
fn a_leaf_template_becomes_the_leaf_with_that_time_and_index() {
    let entry = PrecertEntry {
        issuer_key_hash: Sha256::from_bytes([7; 32]),
        tbs: vec![1, 2, 3],
    };
    for index in [0, 1, 0x01_0203_0405, (1 << 40) - 1] {
        let index = LeafIndex::new(index);
        let extension = leaf_index_extension(index).unwrap();
        let mut leaf = entry.leaf_template().unwrap();

        set_leaf_time_and_index(&mut leaf, NOW, index).unwrap();

        assert_eq!(leaf, entry.leaf(NOW, &extension).unwrap());
        assert_eq!(extension[..3], [0, 0, 5]);
        assert_eq!(extension[3..], index.get().to_be_bytes()[3..]);
    }
    let mut leaf = entry.leaf_template().unwrap();
    let beyond = LeafIndex::new(1 << 40);
    assert_eq!(
        set_leaf_time_and_index(&mut leaf, NOW, beyond),
        Err(LeafIndexError)
    );
    assert_eq!(
        set_leaf_time_and_index(&mut [0; 17], NOW, LeafIndex::new(0)),
        Err(LeafIndexError)
    );
}

#[test]
fn the_extensions_of_an_sct_are_signed() {
    let ca = TestAuthority::new("Intermediate");
    let case = logged(&ca, 1);
    let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let entry = PrecertEntry::rebuilt_from(&case.leaf, case.path.issuer()).unwrap();

    let mut sct =
        SignedCertificateTimestamp::sign_at(&key, &entry, NOW, LeafIndex::new(7)).unwrap();

    let _evidence = sct.verify(key.public_key(), &entry).unwrap();
    sct.extensions[7] ^= 1;
    assert!(sct.verify(key.public_key(), &entry).is_err());
    sct.extensions.clear();
    assert!(sct.verify(key.public_key(), &entry).is_err());
}

#[test]
fn an_entry_that_is_not_a_precertificates_has_no_tile_leaf() {
    let entry = PrecertEntry {
        issuer_key_hash: Sha256::from_bytes([7; 32]),
        tbs: vec![1, 2, 3],
    };
    let leaf = entry.leaf(NOW, &[0, 0, 0]).unwrap();
    let extra = [0, 0, 1, 9, 0, 0, 5, 0, 0, 2, 8, 8];

    let whole = tile_leaf(&leaf, &extra).unwrap();

    let fingerprint = Sha256::of(&[8, 8]);
    let tail = [&[0, 0, 1, 9, 0, 32], &fingerprint.as_bytes()[..]].concat();
    assert_eq!(whole, [&leaf[2..], &tail].concat());
    for length in 0..leaf.len() {
        assert_eq!(tile_leaf(&leaf[..length], &extra), None);
    }
    for length in 0..extra.len() {
        assert_eq!(tile_leaf(&leaf, &extra[..length]), None);
    }
    let mut certificate = leaf.clone();
    certificate[11] = 0;
    assert_eq!(tile_leaf(&certificate, &extra), None);
    assert_eq!(tile_leaf(&leaf, &[&extra[..], &[0]].concat()), None);
}

#[test]
fn only_key_types_of_rfc_6962_sign_scts() {
    for kind in [KeyAlgorithm::Ed25519, KeyAlgorithm::P384] {
        let (key, _) = SigningKey::generate(kind).unwrap();
        let refused = DigitallySigned::sign(&key, b"x");
        assert_eq!(refused, Err(LogSigningError::Key(kind)));
    }
}

#[test]
fn leaf_and_extra_data_have_the_layout_of_rfc_6962() {
    let entry = PrecertEntry {
        issuer_key_hash: Sha256::from_bytes([7; 32]),
        tbs: vec![1, 2, 3],
    };
    let leaf = entry.leaf(UnixTime::from_millis(0x0102), &[]).unwrap();

    let head = [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 1];
    let tail = [0, 0, 3, 1, 2, 3, 0, 0];
    assert_eq!(leaf, [&head[..], &[7; 32], &tail].concat());

    let extra = precert_chain_entry(&[9], []).unwrap();
    assert_eq!(extra, [0, 0, 1, 9, 0, 0, 0]);
}
