//! The claims of a token whose signature holds (RFC 7519 §4.1, OpenID Connect Core §2).

use std::time::Duration;

use serde_json::{Map, Value};

use super::issuer::{IssuerKind, TrustedIssuer};
use super::verify::{TokenError, VerifiedIdentity};
use crate::protocol::identity::{EmailAddress, MAX_NAME_LENGTH, SubjectName, SubjectUri};
use crate::protocol::time::UnixTime;

/// How far an issuer's clock may run ahead of ours. An expired token gets no such grace.
const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// 9999-12-31T23:59:59Z: a later date is not a date.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// Claims of a verified signature.
pub(super) struct SignedClaims(Map<String, Value>);

impl SignedClaims {
    pub(super) const fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    /// Checks every claim against what the issuer may say, now.
    pub(super) fn verify(
        &self,
        issuer: &TrustedIssuer,
        now: UnixTime,
    ) -> Result<VerifiedIdentity, TokenError> {
        self.check_audience(&issuer.audience)?;
        let expires = self.check_times(issuer.max_lifetime, now)?;
        let token_subject = self.text("sub")?.ok_or(TokenError::MissingClaim("sub"))?;
        let length_ok = (1..=MAX_NAME_LENGTH).contains(&token_subject.len());
        if !length_ok || token_subject.chars().any(char::is_control) {
            return Err(TokenError::WrongClaim("sub"));
        }
        let (subject, email) = match &issuer.kind {
            IssuerKind::Email => {
                let email = self.verified_email()?;
                (SubjectName::Email(email.clone()), Some(email))
            }
            IssuerKind::Uri(domain) => {
                let uri = SubjectUri::new(token_subject).map_err(|source| TokenError::Name {
                    claim: "sub",
                    source,
                })?;
                if !domain.contains(uri.as_str()) {
                    return Err(TokenError::OutsideSubjectDomain);
                }
                // Here the address is a mere challenge, so a token may do with a bad one.
                (SubjectName::Uri(uri), self.email().ok().flatten())
            }
        };
        Ok(VerifiedIdentity::new(
            issuer.url.clone(),
            subject,
            token_subject.to_owned(),
            email,
            expires,
        ))
    }

    /// SPEC OpenID Connect Core §3.1.3.7: ours must be among the audiences, and no stranger may be.
    fn check_audience(&self, ours: &str) -> Result<(), TokenError> {
        let matches = match self.0.get("aud") {
            None => return Err(TokenError::MissingClaim("aud")),
            Some(Value::String(audience)) => audience == ours,
            Some(Value::Array(audiences)) => {
                !audiences.is_empty() && audiences.iter().all(|one| one.as_str() == Some(ours))
            }
            Some(_) => return Err(TokenError::WrongClaim("aud")),
        };
        matches.then_some(()).ok_or(TokenError::Audience)
    }

    fn check_times(&self, max_lifetime: Duration, now: UnixTime) -> Result<UnixTime, TokenError> {
        let expires = self.date("exp")?.ok_or(TokenError::MissingClaim("exp"))?;
        let issued = self.date("iat")?.ok_or(TokenError::MissingClaim("iat"))?;
        // SPEC RFC 7519 §4.1.4: on or after `exp` it is too late.
        if now >= expires {
            return Err(TokenError::Expired);
        }
        let latest = now.after(CLOCK_SKEW);
        if self.date("nbf")?.is_some_and(|from| from > latest) {
            return Err(TokenError::NotYetValid);
        }
        if issued > latest {
            return Err(TokenError::IssuedInTheFuture);
        }
        if expires > issued.after(max_lifetime) {
            return Err(TokenError::LivesTooLong {
                limit_seconds: max_lifetime.as_secs(),
            });
        }
        Ok(expires)
    }

    fn email(&self) -> Result<Option<EmailAddress>, TokenError> {
        let Some(text) = self.text("email")?.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        EmailAddress::new(text)
            .map(Some)
            .map_err(|source| TokenError::Name {
                claim: "email",
                source,
            })
    }

    fn verified_email(&self) -> Result<EmailAddress, TokenError> {
        let email = self.email()?.ok_or(TokenError::MissingClaim("email"))?;
        // Some issuers write the boolean as text, one of them with a capital letter.
        let vouched = match self.0.get("email_verified") {
            Some(Value::Bool(vouched)) => *vouched,
            Some(Value::String(text)) => text == "true" || text == "True",
            _ => false,
        };
        vouched.then_some(email).ok_or(TokenError::EmailNotVerified)
    }

    fn text(&self, name: &'static str) -> Result<Option<&str>, TokenError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(TokenError::WrongClaim(name)),
        }
    }

    /// SPEC RFC 7519 §2, NumericDate: a JSON number of seconds, perhaps with a fraction. Text, null
    /// and the like are not taken for an absent date.
    fn date(&self, name: &'static str) -> Result<Option<UnixTime>, TokenError> {
        let Some(value) = self.0.get(name) else {
            return Ok(None);
        };
        let seconds = value
            .as_f64()
            .filter(|seconds| (0.0..=LAST_SECOND).contains(seconds))
            .ok_or(TokenError::WrongClaim(name))?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range is checked above, and the fraction is meant to go"
        )]
        let whole = seconds as u64;
        Ok(Some(UnixTime::from_seconds(whole)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::identity::IssuerUrl;
    use crate::services::oidc::SubjectDomain;
    use serde_json::json;

    const NOW: u64 = 1_800_000_000;

    fn issuer(kind: IssuerKind) -> TrustedIssuer {
        let url = IssuerUrl::new("https://id.example.com").unwrap();
        TrustedIssuer::new(url, "sigstore", kind).unwrap()
    }

    fn claims() -> Value {
        json!({
            "iss": "https://id.example.com", "aud": "sigstore", "sub": "https://ci.example.com/a",
            "email": "a@example.com", "email_verified": true, "iat": NOW - 5, "exp": NOW + 60,
        })
    }

    fn verify(kind: IssuerKind, claims: Value) -> Result<VerifiedIdentity, TokenError> {
        let Value::Object(members) = claims else {
            panic!("claims are an object");
        };
        SignedClaims::new(members).verify(&issuer(kind), UnixTime::from_seconds(NOW))
    }

    fn with(name: &str, value: Value) -> Result<VerifiedIdentity, TokenError> {
        let mut claims = claims();
        claims[name] = value;
        verify(IssuerKind::Email, claims)
    }

    fn without(name: &str) -> TokenError {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        verify(IssuerKind::Email, claims).unwrap_err()
    }

    #[test]
    fn good_claims_become_an_identity_with_both_challenges() {
        let identity = verify(IssuerKind::Email, claims()).unwrap();

        assert_eq!(identity.subject().as_str(), "a@example.com");
        assert_eq!(identity.token_subject(), "https://ci.example.com/a");
        assert_eq!(identity.expires(), UnixTime::from_seconds(NOW + 60));
        assert_eq!(
            identity.challenges().collect::<Vec<_>>(),
            ["a@example.com", "https://ci.example.com/a"]
        );
    }

    #[test]
    fn the_audience_is_ours_and_nobody_elses() {
        assert!(with("aud", json!(["sigstore"])).is_ok());
        for aud in [
            json!("other"),
            json!("Sigstore"),
            json!("sigstore "),
            json!(""),
            json!([]),
            json!(["sigstore", "other"]),
            json!(["other"]),
            json!([1]),
        ] {
            assert_eq!(with("aud", aud).unwrap_err(), TokenError::Audience);
        }
        assert_eq!(
            with("aud", json!(1)).unwrap_err(),
            TokenError::WrongClaim("aud")
        );
        assert_eq!(without("aud"), TokenError::MissingClaim("aud"));
    }

    #[test]
    fn times_are_numbers_and_present() {
        for name in ["exp", "iat", "nbf"] {
            for value in [
                json!("9999999999"),
                json!(null),
                json!(1e300),
                json!(-1),
                json!([]),
                json!(true),
            ] {
                assert_eq!(with(name, value).unwrap_err(), TokenError::WrongClaim(name));
            }
        }
        assert_eq!(without("exp"), TokenError::MissingClaim("exp"));
        assert_eq!(without("iat"), TokenError::MissingClaim("iat"));
        assert!(with("iat", json!(1_799_999_999.5)).is_ok());
    }

    #[test]
    fn a_token_is_valid_now_and_not_for_long() {
        assert_eq!(with("exp", json!(NOW)).unwrap_err(), TokenError::Expired);
        assert_eq!(
            with("exp", json!(NOW - 1)).unwrap_err(),
            TokenError::Expired
        );
        assert!(with("exp", json!(NOW + 1)).is_ok());
        assert!(with("nbf", json!(NOW + 30)).is_ok());
        assert_eq!(
            with("nbf", json!(NOW + 120)).unwrap_err(),
            TokenError::NotYetValid
        );
        assert_eq!(
            with("iat", json!(NOW + 31)).unwrap_err(),
            TokenError::IssuedInTheFuture
        );
        let day = 24 * 60 * 60;
        assert!(with("exp", json!(NOW - 5 + day)).is_ok());
        assert_eq!(
            with("exp", json!(NOW - 4 + day)).unwrap_err(),
            TokenError::LivesTooLong { limit_seconds: day }
        );
    }

    #[test]
    fn an_email_needs_the_issuers_word_for_it() {
        for word in [json!(true), json!("true"), json!("True")] {
            assert!(with("email_verified", word).is_ok());
        }
        for word in [
            json!(false),
            json!(1),
            json!("TRUE"),
            json!("yes"),
            json!("false"),
            json!(null),
            json!([true]),
        ] {
            assert_eq!(
                with("email_verified", word).unwrap_err(),
                TokenError::EmailNotVerified
            );
        }
        assert_eq!(without("email_verified"), TokenError::EmailNotVerified);
        assert_eq!(without("email"), TokenError::MissingClaim("email"));
        assert_eq!(
            with("email", json!(["a@example.com"])).unwrap_err(),
            TokenError::WrongClaim("email")
        );
        for email in ["a@example.com\n", "a@x,b@y", "a", "a@x\u{0}"] {
            assert!(matches!(
                with("email", json!(email)).unwrap_err(),
                TokenError::Name { claim: "email", .. }
            ));
        }
    }

    #[test]
    fn a_workload_is_named_by_its_subject_within_its_domain() {
        let kind = || IssuerKind::Uri(SubjectDomain::new("https://ci.example.com").unwrap());
        let subject = |sub: &str| {
            let mut claims = claims();
            claims["sub"] = json!(sub);
            claims.as_object_mut().unwrap().remove("email_verified");
            verify(kind(), claims)
        };

        let identity = subject("https://ci.example.com/team/job").unwrap();
        assert_eq!(
            identity.subject().as_str(),
            "https://ci.example.com/team/job"
        );
        assert_eq!(identity.challenges().count(), 2);
        assert_eq!(
            subject("https://ci.example.com.evil/x").unwrap_err(),
            TokenError::OutsideSubjectDomain
        );
        assert!(subject("a@ci.example.com").is_err());
        assert!(subject("https://ci.example.com/a b").is_err());
        assert!(subject("").is_err());
    }
}
