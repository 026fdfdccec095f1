use std::time::Duration;

use const_oid::db::rfc5280;
use der::Encode;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages};

use super::super::profile::{AuthorityName, CertificateIssuer, timestamping_certificate};
use super::super::testing::{
    NOW, TestAuthority, authority, extension, forged, intermediate, serial, valid_for,
};
use super::*;
use crate::protocol::keys::KeyAlgorithm;

fn value(bytes: Vec<u8>) -> der::asn1::OctetString {
    der::asn1::OctetString::new(bytes).unwrap()
}

fn refusal(leaf: Vec<u8>, ca: &TestAuthority) -> PathError {
    let leaf = Certificate::from_der(&leaf).unwrap();
    verify_path(&leaf, &ca.trusted(), NOW).unwrap_err()
}

#[test]
fn a_leaf_chains_to_its_authority_with_any_kinds_of_key() {
    let kinds = [
        KeyAlgorithm::P256,
        KeyAlgorithm::P384,
        KeyAlgorithm::Ed25519,
    ];
    for above in kinds {
        for below in kinds {
            let ca = TestAuthority::with("Intermediate", above, below);

            let path = verify_path(&ca.signed_leaf(), &ca.trusted(), NOW).unwrap();

            assert_eq!(path.issuer(), &ca.intermediate);
            assert_eq!(path.above(), [ca.root]);
        }
    }
}

#[test]
fn of_two_intermediates_with_one_name_the_issuing_one_is_found() {
    let ca = TestAuthority::new("Intermediate");
    let (_, twin) = intermediate(&ca.root, &ca.root_key, "Intermediate", KeyAlgorithm::P256);
    let mut trusted = ca.trusted();
    trusted.chain.insert(0, twin.clone());

    let path = verify_path(&ca.signed_leaf(), &trusted, NOW).unwrap();
    assert_eq!(path.issuer(), &ca.intermediate);

    trusted.chain = vec![twin, ca.root.clone()];
    let refused = verify_path(&ca.signed_leaf(), &trusted, NOW);
    assert_eq!(refused.unwrap_err(), PathError::NotIssued);
}

#[test]
fn a_root_alone_may_issue_and_an_empty_authority_may_not() {
    let ca = TestAuthority::new("Intermediate");
    let leaf = ca.signed_leaf();

    let anchored = verify_chain(
        &leaf,
        std::slice::from_ref(&ca.intermediate),
        NOW,
        Purpose::CodeSigning,
    );
    assert_eq!(anchored.unwrap().issuer(), &ca.intermediate);

    for authority in [&[][..], std::slice::from_ref(&leaf), &[ca.root]] {
        let refused = verify_chain(&leaf, authority, NOW, Purpose::CodeSigning);
        assert_eq!(refused.unwrap_err(), PathError::NotIssued);
    }
}

#[test]
fn every_certificate_must_be_valid_at_the_moment_and_so_must_the_authority() {
    let ca = TestAuthority::new("Intermediate");
    let leaf = ca.signed_leaf();
    let at = |seconds| NOW.after(Duration::from_secs(seconds));
    let mut trusted = ca.trusted();

    assert!(verify_path(&leaf, &trusted, at(600)).is_ok());
    let error = |subject, at| PathError::OutsideValidity {
        subject: PathMember(subject),
        at,
    };
    let late = verify_path(&leaf, &trusted, at(601)).unwrap_err();
    assert_eq!(late, error(0, at(601)));

    // The leaf outlives its issuer (CVE-2026-24122).
    let issuer = CertificateIssuer::of(&ca.intermediate).unwrap();
    let long = super::super::profile::signing_certificate(
        super::super::testing::alice(),
        ca.root.public_key(),
        &issuer,
        serial(1),
        valid_for(10_000),
    )
    .unwrap()
    .sign_certificate(&ca.key)
    .unwrap();
    let between = verify_path(&long, &trusted, at(3601)).unwrap_err();
    assert_eq!(between, error(1, at(3601)));

    trusted.validity.start = at(1);
    let early = verify_path(&leaf, &trusted, NOW).unwrap_err();
    assert_eq!(early, PathError::AuthorityWindow(NOW));
}

#[test]
fn a_leaf_that_deviates_from_the_profile_is_refused() {
    let ca = TestAuthority::new("Intermediate");
    let leaf = ca.signed_leaf();

    let no_signing = forged(&leaf, &ca.key, |tbs| {
        let usage = KeyUsage(KeyUsages::KeyAgreement.into()).to_der().unwrap();
        extension(tbs, rfc5280::ID_CE_KEY_USAGE).extn_value = value(usage);
    });
    assert_eq!(refusal(no_signing, &ca), PathError::KeyUsage);

    let other_purpose = forged(&leaf, &ca.key, |tbs| {
        let usage = vec![ANY_PURPOSE].to_der().unwrap();
        extension(tbs, rfc5280::ID_CE_EXT_KEY_USAGE).extn_value = value(usage);
    });
    let expected = PathError::ExtendedKeyUsage(PathMember(0));
    assert_eq!(refusal(other_purpose, &ca), expected);

    let poisoned = forged(&leaf, &ca.key, |tbs| {
        extension(tbs, rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER).extn_id =
            super::super::extensions::POISON;
        extension(tbs, super::super::extensions::POISON).critical = true;
    });
    assert!(matches!(
        refusal(poisoned, &ca),
        PathError::UnprocessedExtension(PathMember(0), _)
    ));

    let authority = forged(&leaf, &ca.key, |tbs| {
        let constraints = BasicConstraints {
            ca: true,
            path_len_constraint: None,
        };
        let changed = extension(tbs, rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER);
        changed.extn_id = rfc5280::ID_CE_BASIC_CONSTRAINTS;
        changed.extn_value = value(constraints.to_der().unwrap());
    });
    assert_eq!(refusal(authority, &ca), PathError::LeafIsAuthority);
}

#[test]
fn a_changed_byte_anywhere_breaks_the_path() {
    let ca = TestAuthority::new("Intermediate");
    let leaf = ca.signed_leaf();
    for place in 0..leaf.der().len() {
        let mut changed = leaf.der().to_vec();
        changed[place] ^= 1;
        let accepted = Certificate::from_der(&changed)
            .is_ok_and(|changed| verify_path(&changed, &ca.trusted(), NOW).is_ok());
        assert!(!accepted, "byte {place}");
    }
}

#[test]
fn a_leaf_issues_nothing_and_an_intermediate_no_further_intermediate() {
    let ca = TestAuthority::new("Intermediate");
    let name = AuthorityName::new("Test", "Below").unwrap();
    let issuer = CertificateIssuer::of(&ca.intermediate).unwrap();
    let purpose = Some(Purpose::CodeSigning);
    let (key, _) = crate::protocol::keys::SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let below = authority(&name, key.public_key(), Some(&issuer), purpose, 5)
        .sign_certificate(&ca.key)
        .unwrap();
    let issue_below = |issuing: &Certificate| {
        super::super::profile::signing_certificate(
            super::super::testing::alice(),
            ca.root.public_key(),
            &CertificateIssuer::of(issuing).unwrap(),
            serial(1),
            valid_for(60),
        )
        .unwrap()
        .sign_certificate(&key)
        .unwrap()
    };
    let mut trusted = ca.trusted();
    trusted.chain.insert(0, below.clone());

    let too_deep = verify_path(&issue_below(&below), &trusted, NOW).unwrap_err();
    assert_eq!(too_deep, PathError::PathLength(PathMember(2)));

    let no_authority = forged(&below, &ca.key, |tbs| {
        let constraints = BasicConstraints {
            ca: false,
            path_len_constraint: None,
        };
        extension(tbs, rfc5280::ID_CE_BASIC_CONSTRAINTS).extn_value =
            value(constraints.to_der().unwrap());
    });
    trusted.chain[0] = Certificate::from_der(&no_authority).unwrap();
    let refused = verify_path(&issue_below(&below), &trusted, NOW).unwrap_err();
    assert_eq!(refused, PathError::NotAnAuthority(PathMember(1)));
}

#[test]
fn a_timestamping_leaf_does_not_sign_code_nor_the_reverse() {
    let ca = TestAuthority::new("Intermediate");
    let (key, _) = crate::protocol::keys::SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let name = AuthorityName::new("Test", "Below").unwrap();
    let root = CertificateIssuer::of(&ca.root).unwrap();
    let tsa = timestamping_certificate(&name, key.public_key(), &root, serial(1), valid_for(60))
        .unwrap()
        .sign_certificate(&ca.root_key)
        .unwrap();
    let chain = [tsa.clone(), ca.root.clone()];

    assert!(verify_chain(&tsa, &chain, NOW, Purpose::TimeStamping).is_ok());
    for (leaf, purpose) in [
        (&tsa, Purpose::CodeSigning),
        (&ca.signed_leaf(), Purpose::TimeStamping),
    ] {
        let refused = verify_chain(leaf, &chain, NOW, purpose).unwrap_err();
        assert_eq!(refused, PathError::ExtendedKeyUsage(PathMember(0)));
    }
    // An intermediate for code signing must not issue a timestamping leaf.
    let issuer = CertificateIssuer::of(&ca.intermediate).unwrap();
    let below =
        timestamping_certificate(&name, key.public_key(), &issuer, serial(1), valid_for(60))
            .unwrap()
            .sign_certificate(&ca.key)
            .unwrap();
    let refused = verify_chain(&below, &ca.trusted().chain, NOW, Purpose::TimeStamping);
    let expected = PathError::ExtendedKeyUsage(PathMember(1));
    assert_eq!(refused.unwrap_err(), expected);
}
