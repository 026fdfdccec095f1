//! Tokens before their signature is verified: the compact JWS (RFC 7515 §3.1) and its header.

use std::fmt;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::error::TokenError;
use super::jwks::{IssuerKey, SigningAlgorithm};
use crate::protocol::bytes::from_base64url;
use crate::protocol::json;

/// Maximum length of a token, in bytes.
pub const MAX_TOKEN_LENGTH: usize = 16 * 1024;

/// Maximum length of a key ID, in bytes.
const MAX_KEY_ID_LENGTH: usize = 512;

/// A token from a client. Its length and form are checked, its signature is not verified.
///
/// Wiped from memory on drop and redacted by `Debug`.
pub struct RawToken(Zeroizing<String>);

impl RawToken {
    /// Accepts a compact JWS. Length and dots are counted before anything is decoded, so that a token
    /// of millions of dots costs nothing (CVE-2025-66506).
    ///
    /// # Errors
    /// The token is too long or not three non-empty base64url parts.
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

    /// The token itself, for a client that sends it to a server.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RawToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawToken(…)")
    }
}

/// A decoded token, whose content must not be trusted before its signature is verified.
pub(super) struct UnverifiedToken<'a> {
    pub(super) header: Header,
    payload: Map<String, Value>,
    signed: &'a str,
    signature: Vec<u8>,
}

/// The header parameters that choose the key (RFC 7515 §4.1). Keys and key addresses in the token
/// (`jwk`, `jku`, `x5c`, `x5u`) are ignored: a forger would choose them.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) algorithm: SigningAlgorithm,
    pub(super) key_id: Option<String>,
}

impl<'a> UnverifiedToken<'a> {
    /// Decodes the parts and checks the header.
    pub(super) fn parse(token: &'a RawToken) -> Result<Self, TokenError> {
        let (signed, signature) = token.0.rsplit_once('.').ok_or(TokenError::NotCompact)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::NotCompact)?;
        let object = |part: &str| {
            let bytes = Zeroizing::new(from_base64url(part).ok()?);
            // RFC 8725 §2.4: a repeated claim is ambiguous.
            json::object(&bytes).ok()
        };
        Ok(Self {
            header: Header::parse(&object(header).ok_or(TokenError::BadHeader)?)?,
            payload: object(payload).ok_or(TokenError::BadPayload)?,
            signed,
            signature: from_base64url(signature).map_err(|_| TokenError::NotCompact)?,
        })
    }

    /// `iss`, which may be used only to choose the keys that the token is verified with.
    pub(super) fn unverified_issuer(&self) -> Result<&str, TokenError> {
        self.payload
            .get("iss")
            .and_then(Value::as_str)
            .ok_or(TokenError::WrongClaim("iss"))
    }

    /// Verifies the signature and returns the claims.
    pub(super) fn verify_signature(
        self,
        key: &IssuerKey,
    ) -> Result<Map<String, Value>, TokenError> {
        let signed = self.signed.as_bytes();
        if key.verifies(self.header.algorithm, signed, &self.signature) {
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
        // RFC 7515 §4.1.11: a JWS with a critical extension that is not understood is invalid.
        // `b64` (RFC 7797) and every other extension require `crit`.
        if members.contains_key("crit") {
            return Err(TokenError::CriticalHeader);
        }
        // RFC 7519 §5.2: `cty` marks a nested JWT.
        if members.contains_key("cty") || !is_token_type(text("typ")?) {
            return Err(TokenError::BadHeader);
        }
        let key_id = text("kid")?;
        if key_id.is_some_and(|id| id.len() > MAX_KEY_ID_LENGTH) {
            return Err(TokenError::BadHeader);
        }
        Ok(Self {
            algorithm: text("alg")?
                .and_then(SigningAlgorithm::from_name)
                .ok_or(TokenError::AlgorithmNotAccepted)?,
            key_id: key_id.map(str::to_owned),
        })
    }
}

/// Whether `typ` is absent or one that issuers of identity tokens write. Access tokens (`at+jwt`,
/// RFC 9068) are not accepted.
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
    fn debug_output_does_not_contain_the_token() {
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
    fn headers_with_unsupported_parameters_are_refused() {
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
        fn no_input_makes_the_parser_panic(header in ".{0,200}", payload in ".{0,200}", tail in "[A-Za-z0-9_.-]{0,40}") {
            let (header, payload) = (to_base64url(header.as_bytes()), to_base64url(payload.as_bytes()));
            if let Ok(token) = RawToken::new(format!("{header}.{payload}.{tail}")) {
                proptest::prop_assert!(UnverifiedToken::parse(&token).is_err());
            }
        }
    }
}
