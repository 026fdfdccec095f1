//! hashedrekord 0.0.2: a digest, a signature over it, and the certificate or key that verifies it.

use serde::Deserialize;

use crate::protocol::bytes::{Base64, Digest, HashAlgorithm, WrongDigestLength, to_base64};
use crate::protocol::keys::{
    KeyAlgorithm, KeyDetails, KeyError, PublicKey, SignatureInvalid, SignatureValid,
};
use crate::protocol::x509::{Certificate, CertificateError};

/// The longest body, in bytes: entry bundles carry a 16-bit length (C2SP tlog-tiles).
pub const MAX_BODY: usize = 65_535;

/// What verifies the signature, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawVerifier {
    /// A DER certificate
    Certificate(Vec<u8>),
    /// A DER SubjectPublicKeyInfo
    PublicKey(Vec<u8>),
}

/// The parts of a hashedrekord, whose signature was not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedHashedRekord {
    /// The digest of what was signed; its algorithm follows from the key details.
    pub digest: Digest,
    /// The signature over the digest.
    pub signature: Vec<u8>,
    /// The certificate or key.
    pub verifier: RawVerifier,
    /// The key's kind, hash and padding.
    pub key_details: KeyDetails,
}

/// A hashedrekord whose signature was verified over its digest, in canonical form.
#[derive(Clone, Debug)]
pub struct HashedRekord {
    body: Vec<u8>,
    /// The evidence that let it come into being.
    _signature: SignatureValid,
}

/// Why an entry is not admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Pure Ed25519 needs the whole message, and the log has a digest
    #[error(
        "keyDetails PKIX_ED25519 is not accepted: the log checks signatures over a digest; \
         use PKIX_ED25519_PH"
    )]
    PureEd25519,
    /// The digest is not one of the hash that goes with the key
    #[error("digest does not fit keyDetails: {0}")]
    Digest(#[from] WrongDigestLength),
    /// There is no signature
    #[error("signature.content is empty")]
    NoSignature,
    /// Not a certificate that can be read
    #[error("signature.verifier.x509Certificate.rawBytes: {0}")]
    Certificate(#[from] CertificateError),
    /// An authority's certificate signs certificates, not artifacts
    #[error("signature.verifier.x509Certificate.rawBytes: a certificate authority's certificate")]
    NotALeaf,
    /// Not a key that is accepted
    #[error("signature.verifier.publicKey.rawBytes: {0}")]
    Key(#[from] KeyError),
    /// Details of another key than the one that was sent
    #[error("keyDetails is {declared}, and the key is {}; use {expected}", .key.name())]
    KeyDetails {
        /// What was sent.
        declared: KeyDetails,
        /// What kind of key there is.
        key: KeyAlgorithm,
        /// What goes with it.
        expected: KeyDetails,
    },
    /// The signature is not one over this digest with this key
    #[error("signature.content: {0}")]
    Signature(#[from] SignatureInvalid),
    /// More bytes than an entry can have
    #[error("the canonical entry has {0} bytes; the limit is {MAX_BODY}")]
    TooLarge(usize),
}

/// Why bytes are not the canonical body of a hashedrekord 0.0.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More bytes than an entry can have
    #[error("the entry has {0} bytes; the limit is {MAX_BODY}")]
    TooLarge(usize),
    /// Not a hashedrekord 0.0.2, or with other members than it has
    #[error("the entry is not a hashedrekord 0.0.2")]
    Malformed,
    /// The hash that it names is not the one of its key details
    #[error("the entry names a hash that is not its key's")]
    Algorithm,
    /// Its digest does not fit its hash
    #[error("the entry's digest: {0}")]
    Digest(#[from] WrongDigestLength),
    /// The same content has another canonical form (RFC 8785)
    #[error("the entry is not in canonical form")]
    NotCanonical,
}

impl UnverifiedHashedRekord {
    /// Puts together what a client submits.
    ///
    /// # Errors
    /// Details that name no digest, or a digest of another length than theirs.
    pub fn new(
        digest: Vec<u8>,
        signature: Vec<u8>,
        verifier: RawVerifier,
        key_details: KeyDetails,
    ) -> Result<Self, EntryError> {
        let hash = key_details.hash().ok_or(EntryError::PureEd25519)?;
        Ok(Self {
            digest: Digest::new(hash, digest)?,
            signature,
            verifier,
            key_details,
        })
    }

    /// Reads a canonical body, refusing every other way to write it.
    ///
    /// # Errors
    /// See [`BodyError`].
    pub fn parse_body(body: &[u8]) -> Result<Self, BodyError> {
        if body.len() > MAX_BODY {
            return Err(BodyError::TooLarge(body.len()));
        }
        let parsed: Body = serde_json::from_slice(body).map_err(|_| BodyError::Malformed)?;
        let entry = Self::try_from(parsed)?;
        if entry.canonical_body() != body {
            return Err(BodyError::NotCanonical);
        }
        Ok(entry)
    }

    /// The canonical body (RFC 8785): its members are fixed and every value is base64 or a name of
    /// the registry, so that it is written straight out, in order and without an escape.
    pub fn canonical_body(&self) -> Vec<u8> {
        let (kind, raw) = match &self.verifier {
            RawVerifier::Certificate(der) => ("x509Certificate", der),
            RawVerifier::PublicKey(spki) => ("publicKey", spki),
        };
        let algorithm = self.digest.algorithm().registry_name();
        let digest = to_base64(self.digest.as_bytes());
        let signature = to_base64(&self.signature);
        let details = self.key_details.registry_name();
        let raw = to_base64(raw);
        // Keys in ascending order: keyDetails, publicKey, x509Certificate.
        [
            r#"{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"#,
            r#""algorithm":""#,
            algorithm,
            r#"","digest":""#,
            &digest,
            r#""},"signature":{"content":""#,
            &signature,
            r#"","verifier":{"keyDetails":""#,
            details,
            r#"",""#,
            kind,
            r#"":{"rawBytes":""#,
            &raw,
            r#""}}}}}}"#,
        ]
        .concat()
        .into_bytes()
    }

    /// Verifies the signature over the digest with the key that came along, which must be what the
    /// details say and nothing else.
    ///
    /// # Errors
    /// See [`EntryError`].
    pub fn verify(&self) -> Result<HashedRekord, EntryError> {
        if self.signature.is_empty() {
            return Err(EntryError::NoSignature);
        }
        let body = self.canonical_body();
        if body.len() > MAX_BODY {
            return Err(EntryError::TooLarge(body.len()));
        }
        let signature = match &self.verifier {
            RawVerifier::Certificate(der) => {
                let certificate = Certificate::from_der(der)?;
                if certificate.extensions().is_ca() {
                    return Err(EntryError::NotALeaf);
                }
                self.verify_with(certificate.public_key())?
            }
            RawVerifier::PublicKey(spki) => self.verify_with(&PublicKey::from_spki_der(spki)?)?,
        };
        Ok(HashedRekord {
            body,
            _signature: signature,
        })
    }

    fn verify_with(&self, key: &PublicKey) -> Result<SignatureValid, EntryError> {
        let expected = loggable_details(key.algorithm());
        if self.key_details != expected {
            return Err(EntryError::KeyDetails {
                declared: self.key_details,
                key: key.algorithm(),
                expected,
            });
        }
        Ok(key.verify_digest(&self.digest, &self.signature)?)
    }
}

impl HashedRekord {
    /// The canonical body: what is hashed, kept and served.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The canonical body, given away.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}

/// The one form of details under which a key of this kind is logged. Clients rebuild the body from
/// the key alone, so there can be only one.
const fn loggable_details(key: KeyAlgorithm) -> KeyDetails {
    match key {
        KeyAlgorithm::Ed25519 => KeyDetails::Ed25519Ph,
        other => other.default_details(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    api_version: ApiVersion,
    kind: Kind,
    spec: Spec,
}

#[derive(Deserialize)]
enum ApiVersion {
    #[serde(rename = "0.0.2")]
    V002,
}

#[derive(Deserialize)]
enum Kind {
    #[serde(rename = "hashedrekord")]
    HashedRekord,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    #[serde(rename = "hashedRekordV002")]
    entry: EntryBody,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryBody {
    data: DataBody,
    signature: SignatureBody,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DataBody {
    algorithm: HashAlgorithm,
    digest: Base64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureBody {
    content: Base64,
    verifier: VerifierBody,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VerifierBody {
    key_details: KeyDetails,
    public_key: Option<RawBytes>,
    x509_certificate: Option<RawBytes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawBytes {
    raw_bytes: Base64,
}

impl TryFrom<Body> for UnverifiedHashedRekord {
    type Error = BodyError;

    fn try_from(body: Body) -> Result<Self, BodyError> {
        let Body {
            api_version: ApiVersion::V002,
            kind: Kind::HashedRekord,
            spec: Spec { entry },
        } = body;
        let verifier = entry.signature.verifier;
        if verifier.key_details.hash() != Some(entry.data.algorithm) {
            return Err(BodyError::Algorithm);
        }
        let key_details = verifier.key_details;
        let verifier = match (verifier.public_key, verifier.x509_certificate) {
            (None, Some(certificate)) => RawVerifier::Certificate(certificate.raw_bytes.0),
            (Some(key), None) => RawVerifier::PublicKey(key.raw_bytes.0),
            (None, None) | (Some(_), Some(_)) => return Err(BodyError::Malformed),
        };
        Ok(Self {
            digest: Digest::new(entry.data.algorithm, entry.data.digest.0)?,
            signature: entry.signature.content.0,
            verifier,
            key_details,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::bytes::Sha256;
    use crate::protocol::keys::SigningKey;

    fn signed(algorithm: KeyAlgorithm) -> UnverifiedHashedRekord {
        let (key, _) = SigningKey::generate(algorithm).unwrap();
        UnverifiedHashedRekord::new(
            algorithm.hash().digest(b"artifact").as_bytes().to_vec(),
            key.sign(b"artifact").unwrap(),
            RawVerifier::PublicKey(key.public_key().spki_der().to_vec()),
            loggable_details(algorithm),
        )
        .unwrap()
    }

    #[test]
    fn the_body_is_the_one_of_the_contract() {
        let entry = UnverifiedHashedRekord::new(
            vec![0xff; 32],
            vec![0xfb, 0xef],
            RawVerifier::Certificate(vec![1, 2, 3]),
            KeyDetails::EcdsaP256Sha256,
        )
        .unwrap();

        assert_eq!(
            String::from_utf8(entry.canonical_body()).unwrap(),
            concat!(
                r#"{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":"#,
                r#"{"data":{"algorithm":"SHA2_256","#,
                r#""digest":"//////////////////////////////////////////8="},"#,
                r#""signature":{"content":"++8=","verifier":"#,
                r#"{"keyDetails":"PKIX_ECDSA_P256_SHA_256","#,
                r#""x509Certificate":{"rawBytes":"AQID"}}}}}}"#,
            )
        );
    }

    #[test]
    fn the_body_is_what_a_canonicaliser_of_rfc_8785_writes() {
        for verifier in [RawVerifier::Certificate, RawVerifier::PublicKey] {
            for size in [1, 2, 3, 700] {
                let entry = UnverifiedHashedRekord::new(
                    HashAlgorithm::Sha512.digest(&[7]).as_bytes().to_vec(),
                    (0..size).map(|n: usize| n.to_le_bytes()[0]).collect(),
                    verifier(vec![0xfe; size]),
                    KeyDetails::Ed25519Ph,
                )
                .unwrap();
                let body = entry.canonical_body();

                let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap(), body);
                assert_eq!(UnverifiedHashedRekord::parse_body(&body).unwrap(), entry);
            }
        }
    }

    #[test]
    fn a_signature_that_holds_is_admitted_and_any_other_is_not() {
        for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::P384] {
            let entry = signed(algorithm);
            assert_eq!(entry.verify().unwrap().into_body(), entry.canonical_body());

            let mut other = entry.clone();
            other.digest = algorithm.hash().digest(b"another artifact");
            assert_eq!(
                other.verify().unwrap_err(),
                EntryError::Signature(SignatureInvalid)
            );
            let mut other = entry;
            other.signature.clear();
            assert_eq!(other.verify().unwrap_err(), EntryError::NoSignature);
        }
    }

    #[test]
    fn pure_ed25519_is_refused_and_its_signatures_are_not_taken_for_prehashed_ones() {
        let entry = signed(KeyAlgorithm::Ed25519);
        let error = UnverifiedHashedRekord::new(
            vec![0; 64],
            vec![0; 64],
            entry.verifier.clone(),
            KeyDetails::Ed25519,
        );

        assert_eq!(error, Err(EntryError::PureEd25519));
        assert_eq!(
            entry.verify().unwrap_err(),
            EntryError::Signature(SignatureInvalid)
        );
    }

    #[test]
    fn an_ed25519ph_signature_of_rfc_8032_is_admitted() {
        // RFC 8032 §7.3, "abc".
        let key = hex::decode(concat!(
            "302a300506032b6570032100",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf"
        ))
        .unwrap();
        let signature = hex::decode(concat!(
            "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41",
            "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
        ))
        .unwrap();
        let entry = UnverifiedHashedRekord::new(
            HashAlgorithm::Sha512.digest(b"abc").as_bytes().to_vec(),
            signature,
            RawVerifier::PublicKey(key),
            KeyDetails::Ed25519Ph,
        )
        .unwrap();

        entry.verify().unwrap();
    }

    #[test]
    fn details_must_be_those_of_the_key() {
        let mut entry = signed(KeyAlgorithm::P256);
        entry.key_details = KeyDetails::RsaPkcs1v15_2048Sha256;

        assert_eq!(
            entry.verify().unwrap_err(),
            EntryError::KeyDetails {
                declared: KeyDetails::RsaPkcs1v15_2048Sha256,
                key: KeyAlgorithm::P256,
                expected: KeyDetails::EcdsaP256Sha256,
            }
        );
    }

    #[test]
    fn digests_of_another_length_and_oversized_entries_are_refused() {
        let entry = signed(KeyAlgorithm::P384);
        let short = UnverifiedHashedRekord::new(
            Sha256::of(b"artifact").as_bytes().to_vec(),
            entry.signature.clone(),
            entry.verifier.clone(),
            entry.key_details,
        );
        assert!(matches!(short, Err(EntryError::Digest(_))));

        let mut large = entry;
        large.signature = vec![0; 60_000];
        assert!(matches!(
            large.verify().unwrap_err(),
            EntryError::TooLarge(size) if size > MAX_BODY
        ));
    }

    #[test]
    fn a_key_in_the_certificates_place_is_refused() {
        let mut entry = signed(KeyAlgorithm::P256);
        let RawVerifier::PublicKey(spki) = entry.verifier else {
            panic!("signed() gives a key");
        };
        entry.verifier = RawVerifier::Certificate(spki);

        assert!(matches!(
            entry.verify().unwrap_err(),
            EntryError::Certificate(_)
        ));
    }

    #[test]
    fn the_certificate_of_an_authority_is_refused_and_a_leafs_is_admitted() {
        let key = rcgen::KeyPair::generate().unwrap();
        let signing = SigningKey::from_pkcs8(&key.serialize_der()).unwrap();
        let verdict = |is_ca| {
            let mut params = rcgen::CertificateParams::new(vec!["name".to_owned()]).unwrap();
            params.is_ca = is_ca;
            let certificate = params.self_signed(&key).unwrap();
            UnverifiedHashedRekord::new(
                Sha256::of(b"artifact").as_bytes().to_vec(),
                signing.sign(b"artifact").unwrap(),
                RawVerifier::Certificate(certificate.der().to_vec()),
                KeyDetails::EcdsaP256Sha256,
            )
            .unwrap()
            .verify()
        };

        verdict(rcgen::IsCa::NoCa).unwrap();
        let authority = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        assert_eq!(verdict(authority).unwrap_err(), EntryError::NotALeaf);
    }

    #[test]
    fn every_other_way_to_write_a_body_is_refused() {
        let body = String::from_utf8(signed(KeyAlgorithm::P256).canonical_body()).unwrap();
        let refusal = |text: String| UnverifiedHashedRekord::parse_body(text.as_bytes());

        for (from, to, error) in [
            (
                "{\"apiVersion\"",
                "{ \"apiVersion\"",
                BodyError::NotCanonical,
            ),
            ("\"kind\"", "\"k\\u0069nd\"", BodyError::NotCanonical),
            ("0.0.2", "0.0.1", BodyError::Malformed),
            ("\"hashedrekord\"", "\"dsse\"", BodyError::Malformed),
            ("SHA2_256", "SHA2_384", BodyError::Algorithm),
            ("{\"data\"", "{\"url\":\"x\",\"data\"", BodyError::Malformed),
            ("publicKey", "x509Certificate2", BodyError::Malformed),
            ("\"digest\":\"", "\"digest\":\" ", BodyError::Malformed),
        ] {
            assert!(body.contains(from));
            assert_eq!(refusal(body.replacen(from, to, 1)), Err(error), "{to}");
        }
        assert_eq!(refusal(format!("{body}\n")), Err(BodyError::NotCanonical));
        assert_eq!(refusal(format!("{body}x")), Err(BodyError::Malformed));
        assert_eq!(
            refusal(" ".repeat(MAX_BODY + 1)),
            Err(BodyError::TooLarge(MAX_BODY + 1))
        );
    }
}
