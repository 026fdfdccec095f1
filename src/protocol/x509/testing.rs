//! Certificates for tests, issued by the profiles.

use std::sync::LazyLock;
use std::time::Duration;

use super::Certificate;
use super::chain::{Purpose, TrustedAuthority};
use super::profile::{
    AuthorityName, AuthorityProfile, CertificateIssuer, Principal, SerialNumber,
    UnsignedCertificate, authority_certificate, signing_certificate,
};
use crate::protocol::identity::{EmailAddress, IssuerUrl, SubjectName};
use crate::protocol::keys::{KeyAlgorithm, PublicKey, SigningKey};
use crate::protocol::time::{UnixTime, Validity};

/// 2026-01-01T00:00:00Z
pub(crate) const NOW: UnixTime = UnixTime::from_seconds(1_767_225_600);

/// From [`NOW`] on.
pub(crate) fn valid_for(seconds: u64) -> Validity {
    Validity {
        start: NOW,
        end: Some(NOW.after(Duration::from_secs(seconds))),
    }
}

pub(crate) fn serial(byte: u8) -> SerialNumber {
    SerialNumber::from_random([byte; 20])
}

/// A root, an intermediate, and their keys.
pub(crate) struct TestAuthority {
    pub(crate) root: Certificate,
    pub(crate) root_key: SigningKey,
    pub(crate) intermediate: Certificate,
    pub(crate) key: SigningKey,
}

impl TestAuthority {
    pub(crate) fn new(common_name: &str) -> Self {
        Self::with(common_name, KeyAlgorithm::P384, KeyAlgorithm::P256)
    }

    pub(crate) fn with(common_name: &str, above: KeyAlgorithm, below: KeyAlgorithm) -> Self {
        let (root_key, _) = SigningKey::generate(above).unwrap();
        let root_name = AuthorityName::new("Test", "Root").unwrap();
        let root = authority(&root_name, root_key.public_key(), None, None, 1)
            .sign_certificate(&root_key)
            .unwrap();
        let (key, intermediate) = intermediate(&root, &root_key, common_name, below);
        Self {
            root,
            root_key,
            intermediate,
            key,
        }
    }

    pub(crate) fn trusted(&self) -> TrustedAuthority {
        TrustedAuthority {
            uri: "https://ca.example".to_owned(),
            chain: vec![self.intermediate.clone(), self.root.clone()],
            validity: Validity {
                start: NOW,
                end: None,
            },
        }
    }

    pub(crate) fn leaf(&self, key: &PublicKey) -> UnsignedCertificate {
        let issuer = CertificateIssuer::of(&self.intermediate).unwrap();
        signing_certificate(alice(), key, &issuer, serial(9), valid_for(600)).unwrap()
    }

    pub(crate) fn signed_leaf(&self) -> Certificate {
        let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        self.leaf(key.public_key())
            .sign_certificate(&self.key)
            .unwrap()
    }
}

pub(crate) fn intermediate(
    root: &Certificate,
    root_key: &SigningKey,
    common_name: &str,
    kind: KeyAlgorithm,
) -> (SigningKey, Certificate) {
    let (key, _) = SigningKey::generate(kind).unwrap();
    let name = AuthorityName::new("Test", common_name).unwrap();
    let issuer = CertificateIssuer::of(root).unwrap();
    let purpose = Some(Purpose::CodeSigning);
    let certificate = authority(&name, key.public_key(), Some(&issuer), purpose, 2)
        .sign_certificate(root_key)
        .unwrap();
    (key, certificate)
}

pub(crate) fn authority(
    subject: &AuthorityName,
    key: &PublicKey,
    issuer: Option<&CertificateIssuer>,
    purpose: Option<Purpose>,
    number: u8,
) -> UnsignedCertificate {
    authority_certificate(&AuthorityProfile {
        subject,
        key,
        issuer,
        purpose,
        path_length: issuer.map(|_| 0),
        serial: serial(number),
        validity: valid_for(3600),
    })
    .unwrap()
}

pub(crate) fn alice() -> Principal<'static> {
    static ALICE: LazyLock<(IssuerUrl, SubjectName)> = LazyLock::new(|| {
        let email = EmailAddress::new("alice@example.com").unwrap();
        let issuer = IssuerUrl::new("https://idp.example").unwrap();
        (issuer, SubjectName::Email(email))
    });
    let (issuer, subject) = &*ALICE;
    Principal::new(issuer, subject, "user-1").unwrap()
}

/// The public keys that cannot be generated here, from OpenSSL.
pub(crate) fn sample_keys() -> Vec<PublicKey> {
    [
        include_str!("../../../tests/vectors/x509/p521.pub.pem"),
        include_str!("../../../tests/vectors/x509/rsa2048.pub.pem"),
        include_str!("../../../tests/vectors/x509/rsa3072.pub.pem"),
        include_str!("../../../tests/vectors/x509/rsa4096.pub.pem"),
    ]
    .map(|pem| PublicKey::from_pem(pem).unwrap())
    .to_vec()
}

/// The template with a change that the profiles would never make, signed by `key`.
pub(crate) fn forged(
    template: &Certificate,
    key: &SigningKey,
    change: impl FnOnce(&mut x509_cert::TbsCertificate),
) -> Vec<u8> {
    use der::{Decode, Encode};
    let mut certificate = x509_cert::Certificate::from_der(template.der()).unwrap();
    change(&mut certificate.tbs_certificate);
    let tbs = certificate.tbs_certificate.to_der().unwrap();
    let signature = key.sign(&tbs).unwrap();
    certificate.signature = der::asn1::BitString::from_bytes(&signature).unwrap();
    certificate.to_der().unwrap()
}

/// The extension of this kind.
pub(crate) fn extension(
    tbs: &mut x509_cert::TbsCertificate,
    id: const_oid::ObjectIdentifier,
) -> &mut x509_cert::ext::Extension {
    tbs.extensions
        .as_mut()
        .unwrap()
        .iter_mut()
        .find(|extension| extension.extn_id == id)
        .unwrap()
}
