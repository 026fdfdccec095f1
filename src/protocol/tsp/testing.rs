//! Timestamp authorities for tests: a root and a leaf, created with rcgen.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SignatureAlgorithm,
};

use super::{TokenSigner, TrustedTsa};
use crate::protocol::keys::SigningKey;
use crate::protocol::time::{UnixTime, Validity};
use crate::protocol::x509::Certificate;

/// 2026-01-31T09:30:00Z, within the validity of the test certificates.
pub(crate) const NOON: UnixTime = UnixTime::from_seconds(1_769_851_800);

/// EKU timeStamping (RFC 5280 §4.2.1.12)
const TIME_STAMPING: [u8; 12] = [
    0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08,
];

pub(crate) struct TestTsa {
    root_params: CertificateParams,
    root_key: KeyPair,
    leaf_key: KeyPair,
    pub(crate) root: Certificate,
    pub(crate) leaf: Certificate,
}

impl TestTsa {
    /// An authority with a valid P-256 leaf.
    pub(crate) fn new() -> Self {
        Self::with(&rcgen::PKCS_ECDSA_P256_SHA256, |_| {})
    }

    /// An authority whose leaf has another key or other parameters.
    pub(crate) fn with(
        algorithm: &'static SignatureAlgorithm,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Self {
        let root_key = KeyPair::generate().unwrap();
        let root_params = authority_params("test root");
        let root = certificate(&root_params.self_signed(&root_key).unwrap());
        let leaf_key = KeyPair::generate_for(algorithm).unwrap();
        let mut leaf_params = leaf_params("test tsa");
        change(&mut leaf_params);
        let issuer = Issuer::from_params(&root_params, &root_key);
        let leaf = certificate(&leaf_params.signed_by(&leaf_key, &issuer).unwrap());
        Self {
            root_params,
            root_key,
            leaf_key,
            root,
            leaf,
        }
    }

    /// Another leaf under the same root.
    pub(crate) fn sibling(&self) -> Self {
        let root_key = KeyPair::try_from(self.root_key.serialize_der()).unwrap();
        let leaf_key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&self.root_params, &root_key);
        let leaf = leaf_params("test tsa")
            .signed_by(&leaf_key, &issuer)
            .unwrap();
        Self {
            leaf: certificate(&leaf),
            root_params: self.root_params.clone(),
            root: self.root.clone(),
            root_key,
            leaf_key,
        }
    }

    /// The leaf's key.
    pub(crate) fn key(&self) -> SigningKey {
        SigningKey::from_pkcs8(&self.leaf_key.serialize_der()).unwrap()
    }

    /// The leaf first, the root last.
    pub(crate) fn chain(&self) -> Vec<Certificate> {
        vec![self.leaf.clone(), self.root.clone()]
    }

    pub(crate) fn signer(&self) -> TokenSigner {
        TokenSigner::new(self.key(), &self.leaf).unwrap()
    }

    /// The authority as a trust root lists it, with an open validity.
    pub(crate) fn trusted(&self) -> TrustedTsa {
        TrustedTsa {
            uri: "https://tsa.example/api/v1/timestamp".to_owned(),
            chain: self.chain(),
            validity: Validity {
                start: UnixTime::from_seconds(0),
                end: None,
            },
        }
    }
}

fn certificate(certificate: &rcgen::Certificate) -> Certificate {
    Certificate::from_der(certificate.der()).unwrap()
}

fn named_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = UnixTime::from_rfc3339("2026-01-01T00:00:00Z")
        .unwrap()
        .to_offset_date_time();
    params.not_after = UnixTime::from_rfc3339("2026-12-31T23:59:59Z")
        .unwrap()
        .to_offset_date_time();
    params
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = named_params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf_params(name: &str) -> CertificateParams {
    let mut params = named_params(name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let mut purposes = CustomExtension::from_oid_content(&[2, 5, 29, 37], TIME_STAMPING.to_vec());
    purposes.set_criticality(true);
    params.custom_extensions = vec![purposes];
    params
}
