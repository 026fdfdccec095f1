//! A parsed certificate is unchanged and has each extension once; only the seed's leaf has a path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signet::testing::{
    Certificate, KeyAlgorithm, PrecertEntry, PublicKey, verify_path, verify_scts,
};
use signet_fuzz::WORLD;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(key) = PublicKey::from_pem(text) {
            assert_eq!(PublicKey::from_pem(&key.to_pem()), Ok(key));
        }
        if let Ok(chain) = Certificate::chain_from_pem(text) {
            chain.iter().for_each(check);
        }
    }
    if let Ok(key) = PublicKey::from_spki_der(data) {
        assert_eq!(key.spki_der(), data);
        assert!(data.ends_with(key.raw()));
        let size = match key.algorithm() {
            KeyAlgorithm::Ed25519 => 32,
            KeyAlgorithm::P256 => 65,
            KeyAlgorithm::P384 => 97,
            KeyAlgorithm::P521 => 133,
            // Modulus and exponent with their headers.
            KeyAlgorithm::Rsa2048 => 270,
            KeyAlgorithm::Rsa3072 => 398,
            KeyAlgorithm::Rsa4096 => 526,
        };
        assert_eq!(key.raw().len(), size, "a key has one form");
        assert_eq!(PublicKey::from_pem(&key.to_pem()), Ok(key));
    }
    if let Ok(certificate) = Certificate::from_der(data) {
        assert_eq!(certificate.der(), data);
        check(&certificate);
    }
});

fn check(certificate: &Certificate) {
    assert_eq!(
        Certificate::from_pem(&certificate.to_pem()).as_ref(),
        Ok(certificate)
    );
    // The header of a SEQUENCE of at most 65,535 bytes has two to four bytes.
    let at_start = |header| {
        certificate
            .der()
            .get(header..)
            .is_some_and(|der: &[u8]| der.starts_with(certificate.tbs()))
    };
    assert!((2..=4).any(at_start));
    check_extensions(certificate);
    check_path(certificate);
}

fn check_extensions(certificate: &Certificate) {
    let extensions = certificate.extensions();
    assert!(extensions.all().len() <= 128);
    for (place, extension) in extensions.all().iter().enumerate() {
        assert_eq!(extensions.find(extension.id), Some(extension));
        assert!(
            extensions.all()[..place]
                .iter()
                .all(|other| other.id != extension.id)
        );
        assert!(extension.id.arcs().count() >= 2);
        // X.690 §8.19.2: no subidentifier has a leading 0x80 byte.
        let mut numbers = extension.id.as_bytes().split_inclusive(|byte| *byte < 0x80);
        assert!(numbers.all(|number| number[0] != 0x80 && number.len() <= 5));
    }
    let texts = (0..=u8::MAX)
        .filter(|number| extensions.fulcio(*number).is_some())
        .count();
    assert!(texts <= extensions.all().len());
    let _ = (
        certificate.oidc_issuer(),
        extensions.unprocessed(),
        extensions.path_length(),
    );
    for entry in [
        PrecertEntry::rebuilt_from(certificate, certificate),
        PrecertEntry::of_precertificate(certificate, certificate),
    ] {
        assert!(entry.is_none_or(|entry| entry.tbs.len() < certificate.tbs().len()));
    }
}

fn check_path(certificate: &Certificate) {
    let world = &*WORLD;
    let authority = &world.trust.authorities[0];
    if let Ok(path) = verify_path(certificate, authority, world.now) {
        assert_eq!(certificate.tbs(), world.leaf.tbs());
        verify_scts(certificate, &path, &world.trust.ct_logs).expect("the leaf has its SCT");
    }
}
