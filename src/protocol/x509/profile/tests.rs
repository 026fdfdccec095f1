use super::super::extensions::{CODE_SIGNING, FULCIO, fulcio_id};
use super::super::testing::{TestAuthority, alice, sample_keys, serial, valid_for};
use super::*;
use crate::protocol::identity::{IssuerUrl, MAX_NAME_LENGTH, SubjectUri};
use crate::protocol::keys::SigningKey;

fn all_kinds_of_key() -> Vec<PublicKey> {
    let generated = [
        KeyAlgorithm::P256,
        KeyAlgorithm::P384,
        KeyAlgorithm::Ed25519,
    ]
    .map(|kind| SigningKey::generate(kind).unwrap().0.public_key().clone());
    generated.into_iter().chain(sample_keys()).collect()
}

#[test]
fn a_leaf_has_the_fields_of_the_profile_and_no_others() {
    let ca = TestAuthority::new("Intermediate");
    let leaf = ca.signed_leaf();
    let extensions = leaf.extensions();

    assert!(leaf.subject_is_empty());
    assert_eq!(leaf.issuer_name(), ca.intermediate.subject_name_der());
    assert_eq!(leaf.serial().len(), 20);
    assert!(!extensions.is_ca());
    assert_eq!(leaf.subject_name(), Some(alice().subject()));
    assert_eq!(leaf.oidc_issuer(), Some("https://idp.example"));
    assert_eq!(extensions.fulcio(1), Some("https://idp.example"));
    assert_eq!(extensions.fulcio(24), Some("user-1"));
    assert_eq!(
        extensions.extended_key_usage().unwrap().purposes,
        [CODE_SIGNING]
    );
    assert_eq!(
        extensions.authority_key_id(),
        ca.intermediate.extensions().subject_key_id()
    );
    let listed: Vec<_> = extensions
        .all()
        .iter()
        .map(|extension| (extension.id, extension.critical))
        .collect();
    let fulcio = |number: u32| FULCIO.push_arc(number).unwrap();
    assert_eq!(
        listed,
        [
            (rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER, false),
            (rfc5280::ID_CE_SUBJECT_ALT_NAME, true),
            (rfc5280::ID_CE_KEY_USAGE, true),
            (rfc5280::ID_CE_EXT_KEY_USAGE, false),
            (rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER, false),
            (fulcio(1), false),
            (fulcio(8), false),
            (fulcio(24), false),
        ]
    );
}

#[test]
fn the_issuer_extension_is_a_utf8_string_and_its_predecessor_is_bare() {
    let leaf = TestAuthority::new("Intermediate").signed_leaf();
    let value = |number| {
        let id = fulcio_id(number).unwrap();
        leaf.extensions().find(id).unwrap().value.clone()
    };

    // Fulcio docs/oid-info.md.
    assert_eq!(
        value(8),
        [b"\x0c\x13".as_slice(), b"https://idp.example"].concat()
    );
    assert_eq!(value(1), b"https://idp.example");
}

#[test]
fn every_accepted_kind_of_key_is_certified_unchanged() {
    let ca = TestAuthority::new("Intermediate");
    for key in all_kinds_of_key() {
        let leaf = ca.leaf(&key).sign_certificate(&ca.key).unwrap();

        assert_eq!(leaf.public_key(), &key);
        let _ = leaf.verify_signed_by(ca.key.public_key()).unwrap();
    }
}

#[test]
fn a_uri_subject_is_written_unchanged() {
    let ca = TestAuthority::new("Intermediate");
    let uri = SubjectName::Uri(SubjectUri::new("spiffe://example/ns/ci").unwrap());
    let issuer = IssuerUrl::new("https://idp.example").unwrap();
    let principal = Principal::new(&issuer, &uri, "ci").unwrap();

    let leaf = signing_certificate(
        principal,
        ca.root.public_key(),
        &CertificateIssuer::of(&ca.intermediate).unwrap(),
        serial(3),
        valid_for(60),
    )
    .unwrap()
    .sign_certificate(&ca.key)
    .unwrap();

    assert_eq!(leaf.subject_name(), Some(&uri));
    assert_eq!(leaf.validity().end, valid_for(60).end);
}

#[test]
fn an_ambiguous_token_subject_is_refused() {
    let long = "x".repeat(MAX_NAME_LENGTH + 1);
    for text in ["", "a\0b", "a\nb", "\u{202e}a", "é", &long] {
        let refused = Principal::new(alice().issuer(), alice().subject(), text);
        assert_eq!(refused, Err(TokenSubjectError), "{text:?}");
    }
}

#[test]
fn a_name_with_repeated_attributes_is_copied_byte_for_byte() {
    // O=Test, OU=a, OU=b: a name that rcgen cannot represent.
    let ou = |letter: u8| [0x31, 0x0a, 0x30, 0x08, 6, 3, 0x55, 4, 11, 0x0c, 1, letter];
    let name = [&[0x30, 24][..], &ou(b'a'), &ou(b'b')].concat();
    let ca = TestAuthority::new("Intermediate");
    let mut issuer = CertificateIssuer::of(&ca.intermediate).unwrap();
    issuer.name.clone_from(&name);

    let leaf = signing_certificate(
        alice(),
        ca.root.public_key(),
        &issuer,
        serial(3),
        valid_for(60),
    )
    .unwrap()
    .sign_certificate(&ca.key)
    .unwrap();

    assert_eq!(leaf.issuer_name(), name);
}

#[test]
fn a_serial_is_positive_and_always_20_bytes_long() {
    for byte in [0, 0x7f, 0x80, 0xff] {
        let SerialNumber(bytes) = SerialNumber::from_random([byte; 20]);
        assert_eq!(bytes[0] & 0xc0, 0x40);
        assert_eq!(bytes[1..], [byte; 19]);
    }
}

#[test]
fn an_authority_needs_a_name_and_a_matching_key() {
    for (organization, common_name) in [("", "x"), ("x", " "), ("a\nb", "x")] {
        assert!(AuthorityName::new(organization, common_name).is_err());
    }
    let ca = TestAuthority::new("Intermediate");
    let leaf = ca.leaf(ca.root.public_key());
    assert_eq!(leaf.sign(&ca.root_key), Err(ProfileError::OtherKey));
}

#[test]
fn a_timestamping_leaf_has_one_critical_purpose() {
    let ca = TestAuthority::new("Intermediate");
    let leaf = timestamping_certificate(
        &AuthorityName::new("Test", "TSA").unwrap(),
        ca.root.public_key(),
        &CertificateIssuer::of(&ca.intermediate).unwrap(),
        serial(4),
        valid_for(60),
    )
    .unwrap()
    .sign_certificate(&ca.key)
    .unwrap();

    let usage = leaf.extensions().extended_key_usage().unwrap();
    assert!(usage.critical);
    assert_eq!(usage.purposes, [TIME_STAMPING]);
}
