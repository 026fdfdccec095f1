//! Proofs that a requester has a private key: certification requests (PKCS#10, RFC 2986) and signed
//! challenges. Of a certification request only the key and the signature are used.

use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Encode, Sequence};

use super::signature::SignatureAlgorithm;
use crate::protocol::bytes::from_pem;
use crate::protocol::keys::{KeyError, PublicKey};

/// Evidence that the requester has the private half of this key.
#[derive(Clone, Debug)]
pub struct ProvenKey(PublicKey);

impl ProvenKey {
    /// The key.
    pub const fn public_key(&self) -> &PublicKey {
        &self.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PossessionError {
    /// Not one PEM block with one DER CertificationRequest
    #[error("the certificate signing request is malformed")]
    Request,
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the proof of possession does not verify with the public key")]
    Proof,
}

/// CertificationRequest (RFC 2986 §4.2)
#[derive(Sequence)]
struct RawRequest<'a> {
    info: AnyRef<'a>,
    algorithm: AnyRef<'a>,
    signature: BitStringRef<'a>,
}

/// CertificationRequestInfo (RFC 2986 §4.1). Subject and attributes are not read: nothing that a
/// request asks for gets into a certificate.
#[derive(Sequence)]
struct RawRequestInfo<'a> {
    version: u8,
    _subject: AnyRef<'a>,
    public_key: AnyRef<'a>,
    _attributes: Option<AnyRef<'a>>,
}

/// Verifies the self-signature of a PEM certification request and returns its key.
///
/// # Errors
/// See [`PossessionError`].
pub fn verify_request(pem: &str) -> Result<ProvenKey, PossessionError> {
    let labels = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
    let der = from_pem(pem, &labels).ok_or(PossessionError::Request)?;
    let malformed = |_| PossessionError::Request;
    let raw = RawRequest::from_der(&der).map_err(malformed)?;
    let info: RawRequestInfo<'_> = raw.info.decode_as().map_err(malformed)?;
    if info.version != 0 {
        return Err(PossessionError::Request);
    }
    let key = PublicKey::from_spki_der(&info.public_key.to_der().map_err(malformed)?)?;
    let signature = raw.signature.as_bytes().ok_or(PossessionError::Request)?;
    let algorithm = raw.algorithm.to_der().map_err(malformed)?;
    let algorithm = SignatureAlgorithm::from_der(&algorithm).ok_or(PossessionError::Proof)?;
    let signed = raw.info.to_der().map_err(malformed)?;
    let _ = algorithm
        .verify(&key, &signed, signature)
        .map_err(|_| PossessionError::Proof)?;
    Ok(ProvenKey(key))
}

/// Verifies a signature over one of the challenges. Empty challenges are ignored.
///
/// # Errors
/// [`PossessionError::Proof`] if it verifies over none of them.
pub fn verify_challenge(
    key: PublicKey,
    challenges: &[&str],
    signature: &[u8],
) -> Result<ProvenKey, PossessionError> {
    let holds = |challenge: &&str| {
        !challenge.is_empty() && key.verify_message(challenge.as_bytes(), signature).is_ok()
    };
    if challenges.iter().any(holds) {
        Ok(ProvenKey(key))
    } else {
        Err(PossessionError::Proof)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::keys::{KeyAlgorithm, SigningKey};

    const P256: &str = include_str!("../../../tests/vectors/x509/req-p256-sha256.csr");

    #[test]
    fn a_request_under_each_accepted_algorithm_proves_its_key() {
        let samples = [
            (P256, KeyAlgorithm::P256),
            (
                include_str!("../../../tests/vectors/x509/req-p384-sha256.csr"),
                KeyAlgorithm::P384,
            ),
            (
                include_str!("../../../tests/vectors/x509/req-p521-sha512.csr"),
                KeyAlgorithm::P521,
            ),
            (
                include_str!("../../../tests/vectors/x509/req-rsa2048-sha512.csr"),
                KeyAlgorithm::Rsa2048,
            ),
            (
                include_str!("../../../tests/vectors/x509/req-ed25519.csr"),
                KeyAlgorithm::Ed25519,
            ),
        ];
        for (pem, kind) in samples {
            let key = verify_request(pem).unwrap();
            assert_eq!(key.public_key().algorithm(), kind);
        }
    }

    #[test]
    fn a_request_under_an_algorithm_that_is_not_accepted_proves_nothing() {
        let pss = include_str!("../../../tests/vectors/x509/req-pss.csr");
        assert_eq!(verify_request(pss).unwrap_err(), PossessionError::Proof);
    }

    #[test]
    fn a_request_with_any_byte_changed_is_refused() {
        let block = pem::parse(P256).unwrap();
        for place in 0..block.contents().len() {
            let mut changed = block.contents().to_vec();
            changed[place] ^= 1;
            let pem = pem::encode(&pem::Pem::new("CERTIFICATE REQUEST", changed));
            assert!(verify_request(&pem).is_err(), "byte {place}");
        }
    }

    #[test]
    fn text_that_is_not_a_request_is_malformed() {
        let key = include_str!("../../../tests/vectors/x509/p521.pub.pem");
        let empty = pem::encode(&pem::Pem::new("CERTIFICATE REQUEST", Vec::new()));
        for text in ["", "x", key, &empty] {
            let refused = verify_request(text).unwrap_err();
            assert_eq!(refused, PossessionError::Request);
        }
    }

    #[test]
    fn only_a_signature_over_one_of_the_challenges_proves_the_key() {
        for kind in [
            KeyAlgorithm::P256,
            KeyAlgorithm::P384,
            KeyAlgorithm::Ed25519,
        ] {
            let (key, _) = SigningKey::generate(kind).unwrap();
            let challenges = ["alice@example.com", "user-1", ""];
            let prove = |text: &str| {
                let signature = key.sign(text.as_bytes()).unwrap();
                verify_challenge(key.public_key().clone(), &challenges, &signature)
            };

            assert!(prove("alice@example.com").is_ok());
            assert!(prove("user-1").is_ok());
            for text in ["mallory@example.com", ""] {
                assert_eq!(prove(text).unwrap_err(), PossessionError::Proof);
            }
        }
    }
}
