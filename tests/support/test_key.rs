//! Keys that sign tokens, valid and forged.

use std::sync::OnceLock;

use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512,
    RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use serde_json::{Value, json};
use signet::testing::to_base64url;

/// A private key, its ID, and the public key as a JWK.
pub struct TestKey {
    pub kid: String,
    pub jwk: Value,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl TestKey {
    /// RSA of 2048 bits. All of these are the same key under different IDs, because generating one is slow.
    pub fn rsa(kid: &str) -> Self {
        static PKCS8: OnceLock<Vec<u8>> = OnceLock::new();
        let pkcs8 = PKCS8.get_or_init(|| signet::testing::generate_key().unwrap().to_vec());
        Self::rsa_from(kid, pkcs8)
    }

    /// RSA of 2048 bits, another key than that of [`Self::rsa`].
    pub fn other_rsa(kid: &str) -> Self {
        Self::rsa_from(kid, &signet::testing::generate_key().unwrap())
    }

    fn rsa_from(kid: &str, pkcs8: &[u8]) -> Self {
        let pair = RsaKeyPair::from_pkcs8(pkcs8).unwrap();
        let numbers: PublicKeyComponents<Vec<u8>> = pair.public().into();
        let jwk = json!({
            "kty": "RSA", "kid": kid, "n": to_base64url(&numbers.n), "e": to_base64url(&numbers.e),
        });
        Self::new(kid, jwk, Pair::Rsa(pair))
    }

    /// ECDSA P-256, for ES256.
    pub fn p256(kid: &str) -> Self {
        Self::ecdsa(kid, "P-256", &ECDSA_P256_SHA256_FIXED_SIGNING)
    }

    /// ECDSA P-384, for ES384.
    pub fn p384(kid: &str) -> Self {
        Self::ecdsa(kid, "P-384", &ECDSA_P384_SHA384_FIXED_SIGNING)
    }

    fn ecdsa(kid: &str, curve: &str, algorithm: &'static EcdsaSigningAlgorithm) -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
        let point = &pair.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let jwk = json!({
            "kty": "EC", "crv": curve, "kid": kid, "x": to_base64url(x), "y": to_base64url(y),
        });
        Self::new(kid, jwk, Pair::Ecdsa(pair))
    }

    /// Ed25519, for EdDSA.
    pub fn ed25519(kid: &str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        let x = to_base64url(pair.public_key().as_ref());
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x });
        Self::new(kid, jwk, Pair::Ed25519(pair))
    }

    fn new(kid: &str, jwk: Value, pair: Pair) -> Self {
        Self {
            kid: kid.to_owned(),
            jwk,
            pair,
        }
    }

    /// The value of `alg` for this key.
    pub fn algorithm(&self) -> &'static str {
        match (&self.pair, self.jwk["crv"].as_str()) {
            (Pair::Rsa(_), _) => "RS256",
            (Pair::Ecdsa(_), Some("P-384")) => "ES384",
            (Pair::Ecdsa(_), _) => "ES256",
            (Pair::Ed25519(_), _) => "EdDSA",
        }
    }

    /// A token with the correct header.
    pub fn token(&self, claims: &Value) -> String {
        self.token_with_header(
            &json!({ "alg": self.algorithm(), "kid": self.kid, "typ": "JWT" }),
            claims,
        )
    }

    /// A token with any header. The signature is made with this key, and for RSA with the padding that
    /// `alg` names.
    pub fn token_with_header(&self, header: &Value, claims: &Value) -> String {
        let signed = signing_input(header, claims);
        let signature = self.sign(header["alg"].as_str().unwrap_or(""), signed.as_bytes());
        format!("{signed}.{}", to_base64url(&signature))
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let padding: &dyn RsaEncoding = match algorithm {
                    "PS256" => &RSA_PSS_SHA256,
                    "RS512" => &RSA_PKCS1_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, message, &mut signature)
                    .unwrap();
                signature
            }
            Pair::Ecdsa(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

/// The part of a token that is signed (RFC 7515 §5.1).
pub fn signing_input(header: &Value, claims: &Value) -> String {
    let header = to_base64url(header.to_string().as_bytes());
    let claims = to_base64url(claims.to_string().as_bytes());
    format!("{header}.{claims}")
}
