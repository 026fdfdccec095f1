//! An RSA public key as a JSON web key (RFC 7518 §6.3) with its thumbprint (RFC 7638).

use der::asn1::UintRef;
use der::{Decode, Sequence};
use serde_json::{Value, json};

use crate::protocol::bytes::to_base64url;
use crate::protocol::hash::Sha256;
use crate::protocol::keys::{KeyAlgorithm, PublicKey};

/// Modulus and exponent in base64url, and the key ID, which is the thumbprint.
pub(super) struct RsaJwk {
    modulus: String,
    exponent: String,
    key_id: String,
}

/// RSAPublicKey (RFC 8017 §A.1.1)
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
}

impl RsaJwk {
    /// None for other kinds of key.
    pub(super) fn of(key: &PublicKey) -> Option<Self> {
        match key.algorithm() {
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {}
            _ => return None,
        }
        let numbers = RsaPublicKey::from_der(key.raw()).ok()?;
        let modulus = to_base64url(numbers.modulus.as_bytes());
        let exponent = to_base64url(numbers.public_exponent.as_bytes());
        let key_id = thumbprint(&modulus, &exponent);
        Some(Self {
            modulus,
            exponent,
            key_id,
        })
    }

    pub(super) fn key_id(&self) -> &str {
        &self.key_id
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.key_id,
            "n": self.modulus,
            "e": self.exponent,
        })
    }
}

/// RFC 7638 §3: the required members in lexicographic order, without white space, hashed.
fn thumbprint(modulus: &str, exponent: &str) -> String {
    let members = format!(r#"{{"e":"{exponent}","kty":"RSA","n":"{modulus}"}}"#);
    to_base64url(Sha256::of(members.as_bytes()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_is_that_of_rfc_7638_section_3_1() {
        let modulus = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

        let thumbprint = thumbprint(modulus, "AQAB");

        assert_eq!(thumbprint, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }
}
