use super::*;
use crate::protocol::tsp::testing::TestTsa;
use crate::protocol::x509::profile::signing_certificate;
use crate::protocol::x509::testing::{NOW, alice, valid_for};

fn generated_ca() -> NewAuthority {
    let serials = [1, 2].map(|byte| SerialNumber::from_random([byte; 20]));
    let role = AuthorityRole::Certificates;
    Authority::generate(role, "Example", "Example root", NOW, serials).unwrap()
}

fn ca(chain: Vec<Certificate>, pkcs8: &[u8]) -> Result<Authority, AuthorityError> {
    let key = SigningKey::from_pkcs8(pkcs8).unwrap();
    Authority::new(AuthorityRole::Certificates, chain, key)
}

#[test]
fn a_generated_authority_has_the_certificates_that_clients_accept() {
    let generated = generated_ca();
    let [intermediate, root] = generated.chain.as_slice() else {
        panic!("not two certificates");
    };
    let authority = ca(generated.chain.clone(), &generated.key).unwrap();

    assert_eq!(root.public_key().algorithm(), KeyAlgorithm::P384);
    assert_eq!(intermediate.public_key().algorithm(), KeyAlgorithm::P256);
    assert!(root.is_self_issued());
    assert_eq!(root.extensions().extended_key_usage(), None);
    assert_eq!(intermediate.extensions().path_length(), Some(0));
    assert_eq!(root.validity(), intermediate.validity());
    assert_eq!(authority.chain(), [intermediate.clone(), root.clone()]);
    for certificate in authority.chain() {
        let usage = certificate.extensions().key_usage().unwrap();
        assert!(usage.key_cert_sign() && usage.crl_sign());
    }
}

#[test]
fn certificates_and_keys_that_do_not_belong_together_are_refused() {
    let one = generated_ca();
    let other = generated_ca();
    let refusal = |chain: &[&Certificate]| {
        let chain = chain.iter().copied().cloned().collect();
        ca(chain, &one.key).unwrap_err()
    };
    let [intermediate, root] = [&one.chain[0], &one.chain[1]];

    assert!(matches!(
        refusal(&[]),
        AuthorityError::ChainTooShort {
            actual: 0,
            least: 1
        }
    ));
    assert!(matches!(
        refusal(&[&other.chain[0], &other.chain[1]]),
        AuthorityError::KeyMismatch
    ));
    for broken in [&[intermediate, &other.chain[1]][..], &[intermediate]] {
        assert!(matches!(refusal(broken), AuthorityError::BrokenChain(0)));
    }
    refusal(&[intermediate, intermediate]);
    assert!(ca(vec![root.clone()], &one.root_key).is_ok());
}

#[test]
fn an_authority_with_an_ed25519_key_is_refused() {
    let (key, _) = SigningKey::generate(KeyAlgorithm::Ed25519).unwrap();
    let root = authority_certificate(&AuthorityProfile {
        subject: &AuthorityName::new("Example", "Root").unwrap(),
        key: key.public_key(),
        issuer: None,
        purpose: None,
        path_length: None,
        serial: SerialNumber::from_random([1; 20]),
        validity: valid_for(600),
    })
    .unwrap()
    .sign_certificate(&key)
    .unwrap();

    let refused = Authority::new(AuthorityRole::Certificates, vec![root], key).unwrap_err();

    assert!(matches!(
        refused,
        AuthorityError::KeyKind(KeyAlgorithm::Ed25519)
    ));
}

#[test]
fn a_leaf_cannot_be_an_issuing_certificate() {
    let generated = generated_ca();
    let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let leaf = signing_certificate(
        alice(),
        key.public_key(),
        &CertificateIssuer::of(&generated.chain[0]).unwrap(),
        SerialNumber::from_random([1; 20]),
        valid_for(600),
    )
    .unwrap()
    .sign_certificate(&SigningKey::from_pkcs8(&generated.key).unwrap())
    .unwrap();
    let mut chain = generated.chain;
    chain.insert(0, leaf);

    let refused = Authority::new(AuthorityRole::Certificates, chain, key).unwrap_err();

    assert!(matches!(refused, AuthorityError::NotAnAuthority(0, _)));
}

#[test]
fn a_timestamp_authority_needs_a_leaf_for_timestamps_alone_and_its_root() {
    let tsa = TestTsa::new();
    let (other, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let refusal = |key, chain| Authority::new(AuthorityRole::Timestamps, chain, key).unwrap_err();

    assert!(matches!(
        refusal(other, tsa.chain()),
        AuthorityError::KeyMismatch
    ));
    assert!(matches!(
        refusal(tsa.key(), vec![tsa.leaf.clone()]),
        AuthorityError::ChainTooShort {
            actual: 1,
            least: 2
        }
    ));
    let unrelated = TestTsa::new();
    assert!(matches!(
        refusal(tsa.key(), vec![tsa.leaf.clone(), unrelated.root.clone()]),
        AuthorityError::Timestamping(PathError::NotIssued)
    ));
    refusal(tsa.key(), vec![tsa.root.clone(), tsa.leaf.clone()]);
    let other_purpose = TestTsa::with(&rcgen::PKCS_ECDSA_P256_SHA256, |params| {
        params.custom_extensions.clear();
    });
    assert!(matches!(
        refusal(other_purpose.key(), other_purpose.chain()),
        AuthorityError::Timestamping(PathError::ExtendedKeyUsage(_))
    ));
}
