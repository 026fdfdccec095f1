//! Issuers' public keys: parses JWK sets, selects the key for a token, and verifies signatures.
//!
//! This is the only file that uses openidconnect; [ADR 10](../../../docs/adr/0010-openidconnect-reads-key-sets.md)
//! explains why. ring verifies the signatures: every certificate request waits for one, and ring's RSA is
//! several times faster than that of openidconnect.

use std::sync::Arc;

use openidconnect::core::{CoreJsonWebKey, CoreJsonWebKeySet};
use openidconnect::{JsonWebKey as _, JsonWebKeyAlgorithm};
use ring::signature::{self as ring_signature, RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::Value;

use super::error::{KeySetError, TokenError};
use crate::protocol::bytes::from_base64url;

/// Maximum number of keys in an issuer's key set.
const MAX_KEYS: usize = 100;

/// The JWS algorithms that tokens may use (RFC 7518 §3.1, RFC 8037 §3.1). `none` and HMAC are missing:
/// neither proves that the issuer signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SigningAlgorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl SigningAlgorithm {
    /// Every algorithm with its name, which is case-sensitive (RFC 7515 §4.1.1).
    const ALL: [(&str, Self); 9] = [
        ("RS256", Self::Rs256),
        ("RS384", Self::Rs384),
        ("RS512", Self::Rs512),
        ("PS256", Self::Ps256),
        ("PS384", Self::Ps384),
        ("PS512", Self::Ps512),
        ("ES256", Self::Es256),
        ("ES384", Self::Es384),
        ("EdDSA", Self::EdDsa),
    ];

    pub(super) fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find_map(|(one, algorithm)| (one == name).then_some(algorithm))
    }
}

/// The keys of one issuer that can verify tokens.
#[derive(Clone, Debug)]
pub struct IssuerKeys(Vec<Arc<IssuerKey>>);

impl IssuerKeys {
    /// Parses a JWK set (RFC 7517 §5). Weak, symmetric, private and unknown keys are ignored.
    ///
    /// # Errors
    /// See [`KeySetError`].
    pub fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        let set: CoreJsonWebKeySet =
            serde_json::from_slice(json).map_err(|_| KeySetError::Malformed)?;
        let keys = set.keys();
        if keys.len() > MAX_KEYS {
            return Err(KeySetError::TooMany(keys.len()));
        }
        let usable = keys.iter().filter_map(IssuerKey::of).map(Arc::new);
        let usable: Vec<_> = usable.collect();
        if usable.is_empty() {
            return Err(KeySetError::NoneUsable);
        }
        Ok(Self(usable))
    }

    /// The key that a token's header selects.
    pub(super) fn pick(
        &self,
        algorithm: SigningAlgorithm,
        key_id: Option<&str>,
    ) -> Result<Arc<IssuerKey>, TokenError> {
        let mut candidates = self.0.iter().filter(|key| {
            let id_matches = key_id.is_none() || key_id == key.id.as_deref();
            id_matches && key.may_verify(algorithm)
        });
        match (candidates.next(), candidates.next()) {
            (None, _) => Err(TokenError::UnknownKey),
            (Some(key), None) => Ok(Arc::clone(key)),
            // OpenID Connect Core §10.1: if there are several keys, the token must have a `kid`.
            (Some(_), Some(_)) => Err(TokenError::AmbiguousKey),
        }
    }
}

/// A public key that is strong enough and intended for signatures.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IssuerKey {
    id: Option<String>,
    /// The key's `alg` (RFC 7517 §4.4), which may be an algorithm that we do not support.
    algorithm: Option<String>,
    material: Material,
}

#[derive(Debug, PartialEq, Eq)]
enum Material {
    /// Big-endian, without leading zeros
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// Uncompressed points (SEC 1 §2.3.3)
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl IssuerKey {
    fn of(key: &CoreJsonWebKey) -> Option<Self> {
        // `alg` names an encryption algorithm, or none that openidconnect knows.
        if let JsonWebKeyAlgorithm::Unsupported = key.signing_alg() {
            return None;
        }
        // openidconnect does not export the key's parameters, so they are read from its JSON form.
        let json = serde_json::to_value(key).ok()?;
        let text = |name| json.get(name).and_then(Value::as_str);
        let is_private = text("d").is_some() || text("k").is_some();
        if is_private || text("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        Some(Self {
            id: key.key_id().map(|id| id.as_str().to_owned()),
            algorithm: text("alg").map(str::to_owned),
            material: Material::of(&json)?,
        })
    }

    /// Whether the key is for this algorithm. An RSA key must be used with one padding only (RFC 8017
    /// §6), so a key without `alg` is used for PKCS #1 v1.5, and PSS requires a key with a PSS `alg`.
    fn may_verify(&self, algorithm: SigningAlgorithm) -> bool {
        use SigningAlgorithm::{Ps256, Ps384, Ps512};
        let is_for = match self.algorithm.as_deref() {
            Some(name) => SigningAlgorithm::from_name(name) == Some(algorithm),
            None => !matches!(algorithm, Ps256 | Ps384 | Ps512),
        };
        is_for && self.material.verification(algorithm).is_some()
    }

    /// Verifies a signature in JOSE encoding (RFC 7518 §3).
    pub(super) fn verifies(
        &self,
        algorithm: SigningAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        match (&self.material, self.material.verification(algorithm)) {
            (Material::Rsa { modulus, exponent }, Some(RingAlgorithm::Rsa(parameters))) => {
                let key = RsaPublicKeyComponents {
                    n: modulus,
                    e: exponent,
                };
                key.verify(parameters, message, signature).is_ok()
            }
            (
                Material::P256(key) | Material::P384(key) | Material::Ed25519(key),
                Some(RingAlgorithm::Curve(algorithm)),
            ) => UnparsedPublicKey::new(algorithm, key)
                .verify(message, signature)
                .is_ok(),
            _ => false,
        }
    }
}

/// The verification parameters of ring.
enum RingAlgorithm {
    Rsa(&'static ring_signature::RsaParameters),
    Curve(&'static dyn ring_signature::VerificationAlgorithm),
}

impl Material {
    fn of(jwk: &Value) -> Option<Self> {
        let text = |name| jwk.get(name).and_then(Value::as_str);
        let bytes = |name| text(name).and_then(|text| from_base64url(text).ok());
        let point = |size: usize| {
            let (x, y) = (bytes("x")?, bytes("y")?);
            (x.len() == size && y.len() == size).then(|| [&[4], x.as_slice(), &y].concat())
        };
        match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let modulus = without_leading_zeros(bytes("n")?);
                let exponent = without_leading_zeros(bytes("e")?);
                let is_strong = (2048..=4096).contains(&bit_length(&modulus));
                is_strong.then_some(Self::Rsa { modulus, exponent })
            }
            ("EC", Some("P-256")) => point(32).map(Self::P256),
            ("EC", Some("P-384")) => point(48).map(Self::P384),
            ("OKP", Some("Ed25519")) => bytes("x").filter(|key| key.len() == 32).map(Self::Ed25519),
            _ => None,
        }
    }

    /// None if the algorithm does not match the kind of key.
    fn verification(&self, algorithm: SigningAlgorithm) -> Option<RingAlgorithm> {
        use RingAlgorithm::{Curve, Rsa};
        use SigningAlgorithm as Jws;
        Some(match (self, algorithm) {
            (Self::Rsa { .. }, Jws::Rs256) => Rsa(&ring_signature::RSA_PKCS1_2048_8192_SHA256),
            (Self::Rsa { .. }, Jws::Rs384) => Rsa(&ring_signature::RSA_PKCS1_2048_8192_SHA384),
            (Self::Rsa { .. }, Jws::Rs512) => Rsa(&ring_signature::RSA_PKCS1_2048_8192_SHA512),
            (Self::Rsa { .. }, Jws::Ps256) => Rsa(&ring_signature::RSA_PSS_2048_8192_SHA256),
            (Self::Rsa { .. }, Jws::Ps384) => Rsa(&ring_signature::RSA_PSS_2048_8192_SHA384),
            (Self::Rsa { .. }, Jws::Ps512) => Rsa(&ring_signature::RSA_PSS_2048_8192_SHA512),
            (Self::P256(_), Jws::Es256) => Curve(&ring_signature::ECDSA_P256_SHA256_FIXED),
            (Self::P384(_), Jws::Es384) => Curve(&ring_signature::ECDSA_P384_SHA384_FIXED),
            (Self::Ed25519(_), Jws::EdDsa) => Curve(&ring_signature::ED25519),
            _ => return None,
        })
    }
}

fn without_leading_zeros(number: Vec<u8>) -> Vec<u8> {
    number.into_iter().skip_while(|byte| *byte == 0).collect()
}

/// The length of a big-endian number without leading zeros.
fn bit_length(number: &[u8]) -> usize {
    number.first().map_or(0, |first| {
        let unused = first.leading_zeros() as usize;
        number.len() * 8 - unused
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rsa(bits: usize, kid: &str) -> serde_json::Value {
        let mut modulus = vec![0xff; bits / 8];
        modulus[0] = 0x80;
        let n = crate::protocol::bytes::to_base64url(&modulus);
        json!({"kty":"RSA","kid":kid,"n":n,"e":"AQAB"})
    }

    fn parse(keys: &serde_json::Value) -> Result<IssuerKeys, KeySetError> {
        IssuerKeys::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    #[test]
    fn weak_symmetric_private_and_unknown_keys_are_ignored() {
        for key in [
            rsa(512, "a"),
            rsa(1024, "a"),
            rsa(8192, "a"),
            json!({"kty":"oct","k":"AAAA","kid":"a"}),
            json!({"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}),
            json!({"kty":"OKP","crv":"X25519","x":"AA"}),
            json!({"kty":"EC","crv":"P-256","x":"AA","y":"AA","use":"enc"}),
            json!({"kty":"OKP","crv":"Ed25519","x":"AA","d":"AA"}),
            json!({"kty":"unknown"}),
            json!(7),
        ] {
            assert_eq!(parse(&json!([key])).unwrap_err(), KeySetError::NoneUsable);
        }
        let mixed = json!([rsa(512, "a"), rsa(2048, "b"), {"kty":"oct","k":"AAAA"}]);
        assert_eq!(parse(&mixed).unwrap().0.len(), 1);
    }

    #[test]
    fn empty_and_oversized_key_sets_are_refused() {
        let many: Vec<_> = (0..101).map(|n| rsa(2048, &n.to_string())).collect();

        assert_eq!(parse(&json!(many)).unwrap_err(), KeySetError::TooMany(101));
        assert_eq!(
            IssuerKeys::parse(b"<html>").unwrap_err(),
            KeySetError::Malformed
        );
    }

    #[test]
    fn modulus_length_ignores_leading_zeros() {
        let bits = |number: &[u8]| bit_length(&without_leading_zeros(number.to_vec()));

        assert_eq!(bits(&[]), 0);
        assert_eq!(bits(&[0, 0]), 0);
        assert_eq!(bits(&[0, 1, 0]), 9);
        assert_eq!(bits(&[0x80, 0]), 16);
    }

    /// The payload of RFC 7515 §A.2 and §A.3
    const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

    #[test]
    fn the_signatures_of_rfc_7515_and_rfc_8037_verify() {
        use SigningAlgorithm as Jws;
        let rsa = json!({"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"});
        let ec = json!({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"});
        let ed =
            json!({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        for (jwk, algorithm, message, signature) in [
            (
                rsa,
                Jws::Rs256,
                format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}"),
                "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
            ),
            (
                ec,
                Jws::Es256,
                format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}"),
                "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            ),
            // RFC 8037 §A.4
            (
                ed,
                Jws::EdDsa,
                "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".to_owned(),
                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            ),
        ] {
            let keys = parse(&json!([jwk])).unwrap();
            let key = &keys.0[0];
            let signature = from_base64url(signature).unwrap();

            assert!(key.verifies(algorithm, message.as_bytes(), &signature));
            assert!(!key.verifies(algorithm, b"another message", &signature));
            assert!(!key.verifies(Jws::Ps256, message.as_bytes(), &signature));
            assert!(!key.verifies(Jws::Es384, message.as_bytes(), &signature));
        }
    }
}
