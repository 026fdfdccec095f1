//! Tokens before they are verified: compact JWS (RFC 7515 §3.1) with its caps, and what its header says.

use std::fmt;

use openidconnect::core::CoreJwsSigningAlgorithm;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::TokenError;
use super::key_set::IssuerKey;
use crate::protocol::bytes::from_base64url;
use crate::protocol::json;

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_LENGTH: usize = 16 * 1024;

/// The longest key id that is looked up, in bytes.
const MAX_KEY_ID_LENGTH: usize = 512;

/// A token as a client sent it: short enough and of the right form, but not verified.
///
/// It is wiped from memory when it goes, and nothing shows it.
pub struct RawToken(Zeroizing<String>);

impl RawToken {
    /// Takes a compact JWS. Counts before it parses, so that dots or length cost nothing.
    ///
    /// # Errors
    /// Too long, or not three non-empty base64url parts.
    pub fn new(text: impl Into<String>) -> Result<Self, TokenError> {
        let text = Zeroizing::new(text.into());
        if text.len() > MAX_TOKEN_LENGTH {
            return Err(TokenError::TooLong);
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let dots = text.bytes().filter(|byte| *byte == b'.').count();
        if dots != 2 || !text.bytes().all(allowed) || text.split('.').any(str::is_empty) {
            return Err(TokenError::NotCompact);
        }
        Ok(Self(text))
    }

    /// The token itself, for the one who must send it on.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RawToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawToken(…)")
    }
}

/// A token taken apart; nothing in it is to be believed before its signature holds.
pub(super) struct UnverifiedToken<'a> {
    pub(super) header: Header,
    payload: Map<String, Value>,
    signed: &'a str,
    signature: Vec<u8>,
}

/// What of the header is used to find a key (RFC 7515 §4.1). The token's own keys and key addresses
/// (`jwk`, `jku`, `x5c`, `x5u`) are never looked at.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) algorithm: CoreJwsSigningAlgorithm,
    pub(super) key_id: Option<String>,
}

impl<'a> UnverifiedToken<'a> {
    /// Decodes the parts; refuses every algorithm that is not a public-key signature we accept.
    pub(super) fn parse(token: &'a RawToken) -> Result<Self, TokenError> {
        let (signed, signature) = token.0.rsplit_once('.').ok_or(TokenError::NotCompact)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::NotCompact)?;
        let object = |part: &str| {
            let bytes = Zeroizing::new(from_base64url(part).ok()?);
            // RFC 8725 §2.4: a claim that is there twice has two readings.
            json::object(&bytes).ok()
        };
        Ok(Self {
            header: Header::parse(&object(header).ok_or(TokenError::BadHeader)?)?,
            payload: object(payload).ok_or(TokenError::BadPayload)?,
            signed,
            signature: from_base64url(signature).map_err(|_| TokenError::NotCompact)?,
        })
    }

    /// The issuer that the token names: good for choosing keys and for nothing else.
    pub(super) fn unverified_issuer(&self) -> Result<&str, TokenError> {
        self.payload
            .get("iss")
            .and_then(Value::as_str)
            .ok_or(TokenError::WrongClaim("iss"))
    }

    /// Verifies the signature, and gives the claims only if it holds.
    pub(super) fn verify_signature(
        self,
        key: &IssuerKey,
    ) -> Result<Map<String, Value>, TokenError> {
        let signed = self.signed.as_bytes();
        if key.verifies(&self.header.algorithm, signed, &self.signature) {
            Ok(self.payload)
        } else {
            Err(TokenError::Signature)
        }
    }
}

impl Header {
    fn parse(members: &Map<String, Value>) -> Result<Self, TokenError> {
        let text = |name| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(TokenError::BadHeader),
        };
        // SPEC RFC 7515 §4.1.11: an extension that must be understood and is not ends it. `b64` and
        // every other one come only with `crit`.
        if members.contains_key("crit") {
            return Err(TokenError::CriticalHeader);
        }
        // SPEC RFC 7519 §5.2: a content type is for tokens inside tokens.
        if members.contains_key("cty") || !is_token_type(text("typ")?) {
            return Err(TokenError::BadHeader);
        }
        let key_id = text("kid")?;
        if key_id.is_some_and(|id| id.len() > MAX_KEY_ID_LENGTH) {
            return Err(TokenError::BadHeader);
        }
        Ok(Self {
            algorithm: text("alg")?
                .and_then(accepted_algorithm)
                .ok_or(TokenError::AlgorithmNotAccepted)?,
            key_id: key_id.map(str::to_owned),
        })
    }
}

/// `JWT`, or the media types that common issuers write; access tokens by RFC 9068 are for APIs.
fn is_token_type(text: Option<&str>) -> bool {
    text.is_none_or(|text| {
        let short = match text.get(..12) {
            Some(prefix) if prefix.eq_ignore_ascii_case("application/") => {
                text.get(12..).unwrap_or_default()
            }
            _ => text,
        };
        short.eq_ignore_ascii_case("JWT") || short.eq_ignore_ascii_case("JOSE")
    })
}

/// Names are case-sensitive (RFC 7515 §4.1.1). No `none`, no HMAC: those prove nothing here.
fn accepted_algorithm(name: &str) -> Option<CoreJwsSigningAlgorithm> {
    Some(match name {
        "RS256" => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        "RS384" => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
        "RS512" => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
        "PS256" => CoreJwsSigningAlgorithm::RsaSsaPssSha256,
        "PS384" => CoreJwsSigningAlgorithm::RsaSsaPssSha384,
        "PS512" => CoreJwsSigningAlgorithm::RsaSsaPssSha512,
        "ES256" => CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        "ES384" => CoreJwsSigningAlgorithm::EcdsaP384Sha384,
        "EdDSA" => CoreJwsSigningAlgorithm::EdDsa,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::bytes::to_base64url;

    fn header_error(header: &str) -> Option<TokenError> {
        let token = format!("{}.{}.AAAA", to_base64url(header.as_bytes()), "e30");
        let token = RawToken::new(token).unwrap();
        UnverifiedToken::parse(&token).err()
    }

    #[test]
    fn size_and_form_are_checked_before_anything_is_decoded() {
        let dots = ".".repeat(4_000_000);
        let many = format!("a.b.{}", ".".repeat(10_000));
        let long = format!("a.b.{}", "c".repeat(MAX_TOKEN_LENGTH));
        for text in [&dots, &long] {
            assert_eq!(RawToken::new(text).unwrap_err(), TokenError::TooLong);
        }
        for text in [
            "",
            "a.b",
            "a.b.c.d",
            "a.b.c.d.e",
            "a..c",
            ".b.c",
            "a.b.",
            "a.b.c=",
            "a.b.c d",
            "a.b.+/",
            "a.b.é",
            &many,
        ] {
            assert_eq!(
                RawToken::new(text).unwrap_err(),
                TokenError::NotCompact,
                "{text}"
            );
        }
    }

    #[test]
    fn a_token_is_never_shown() {
        let token = RawToken::new("aaa.bbb.ccc").unwrap();

        assert_eq!(format!("{token:?}"), "RawToken(…)");
    }

    #[test]
    fn only_public_key_signatures_are_accepted() {
        for name in [
            "none",
            "None",
            "nOnE",
            "",
            "HS256",
            "HS384",
            "HS512",
            "rs256",
            "ES512",
            "RSA-OAEP",
            "dir",
            "PBES2-HS256+A128KW",
        ] {
            assert_eq!(
                header_error(&format!(r#"{{"alg":"{name}"}}"#)),
                Some(TokenError::AlgorithmNotAccepted)
            );
        }
        assert_eq!(header_error(r#"{"alg":"RS256"}"#), None);
        assert_eq!(header_error(r#"{"alg":"ES256","typ":"jwt"}"#), None);
        assert_eq!(
            header_error(r#"{"alg":"EdDSA","typ":"application/JWT"}"#),
            None
        );
    }

    #[test]
    fn headers_that_ask_for_more_are_refused() {
        let long = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(10_000));
        for header in [
            r#"{"alg":"RS256","typ":"at+jwt"}"#,
            r#"{"alg":"RS256","typ":"JWE"}"#,
            r#"{"alg":"RS256","cty":"JWT"}"#,
            r#"{"alg":"RS256","kid":7}"#,
            r#"{"alg":"RS256","alg":"ES256"}"#,
            r#"["RS256"]"#,
            "x",
            &long,
        ] {
            assert_eq!(
                header_error(header),
                Some(TokenError::BadHeader),
                "{header}"
            );
        }
        for header in [
            r#"{"alg":"RS256","crit":["b64"],"b64":false}"#,
            r#"{"alg":"RS256","crit":[]}"#,
        ] {
            assert_eq!(header_error(header), Some(TokenError::CriticalHeader));
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_sent_is_answered(header in ".{0,200}", payload in ".{0,200}", tail in "[A-Za-z0-9_.-]{0,40}") {
            let (header, payload) = (to_base64url(header.as_bytes()), to_base64url(payload.as_bytes()));
            if let Ok(token) = RawToken::new(format!("{header}.{payload}.{tail}")) {
                proptest::prop_assert!(UnverifiedToken::parse(&token).is_err());
            }
        }
    }
}
