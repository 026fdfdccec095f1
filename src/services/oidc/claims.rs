//! The claims of a token whose signature was verified (RFC 7519 §4.1, OpenID Connect Core §2).

use std::time::Duration;

use serde_json::{Map, Value};

use super::error::TokenError;
use super::issuer::TrustedIssuer;
use crate::protocol::identity::{
    EmailAddress, IssuerKind, IssuerUrl, MAX_NAME_LENGTH, SubjectName, SubjectUri,
};
use crate::protocol::time::UnixTime;

/// How far an issuer's clock may be ahead of ours. An expired token gets no such tolerance.
const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// Maximum lifetime of a token, `exp` minus `iat`.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// 9999-12-31T23:59:59Z, the last second that X.509 and RFC 3339 can write.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// The identity that a token proves: its signature, issuer, audience and times were checked.
///
/// Only this module creates one, so a value of this type proves that the checks passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedIdentity {
    issuer: IssuerUrl,
    subject: SubjectName,
    token_subject: String,
    email: Option<EmailAddress>,
    expires: UnixTime,
}

impl VerifiedIdentity {
    /// The token's issuer.
    pub const fn issuer(&self) -> &IssuerUrl {
        &self.issuer
    }

    /// The name that is written into the certificate.
    pub const fn subject(&self) -> &SubjectName {
        &self.subject
    }

    /// The token's `sub`.
    pub fn token_subject(&self) -> &str {
        &self.token_subject
    }

    /// The strings over which a proof of possession is accepted: the e-mail address, if the token has
    /// one, and `sub`. Clients differ in which of the two they sign.
    pub fn challenges(&self) -> impl Iterator<Item = &str> {
        let email = self.email.as_ref().map(EmailAddress::as_str);
        email.into_iter().chain([self.token_subject.as_str()])
    }

    /// The token's `exp`.
    #[cfg(any(test, feature = "testing"))]
    pub const fn expires(&self) -> UnixTime {
        self.expires
    }
}

/// The claims of a token whose signature was verified.
pub(super) struct SignedClaims(Map<String, Value>);

impl SignedClaims {
    pub(super) const fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    /// Checks the claims against the settings of their issuer and the time.
    pub(super) fn verify(
        &self,
        issuer: &TrustedIssuer,
        now: UnixTime,
    ) -> Result<VerifiedIdentity, TokenError> {
        self.check_audience(issuer.audience())?;
        let expires = self.check_times(now)?;
        let token_subject = self.text("sub")?.ok_or(TokenError::MissingClaim("sub"))?;
        let length_ok = (1..=MAX_NAME_LENGTH).contains(&token_subject.len());
        if !length_ok || token_subject.chars().any(char::is_control) {
            return Err(TokenError::WrongClaim("sub"));
        }
        let (subject, email) = match issuer.kind() {
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
                // Here the address is only a challenge, so a malformed one is ignored.
                (SubjectName::Uri(uri), self.email().ok().flatten())
            }
        };
        Ok(VerifiedIdentity {
            issuer: issuer.url().clone(),
            subject,
            token_subject: token_subject.to_owned(),
            email,
            expires,
        })
    }

    /// OpenID Connect Core §3.1.3.7: the audience must contain ours, and no untrusted one.
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

    /// Checks `exp`, `iat` and `nbf`; returns `exp`.
    fn check_times(&self, now: UnixTime) -> Result<UnixTime, TokenError> {
        let expires = self.date("exp")?.ok_or(TokenError::MissingClaim("exp"))?;
        let issued = self.date("iat")?.ok_or(TokenError::MissingClaim("iat"))?;
        // RFC 7519 §4.1.4: a token must not be accepted on or after `exp`.
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
        if expires > issued.after(MAX_LIFETIME) {
            return Err(TokenError::LivesTooLong {
                limit_seconds: MAX_LIFETIME.as_secs(),
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
        let verified = match self.0.get("email_verified") {
            Some(Value::Bool(verified)) => *verified,
            Some(Value::String(text)) => text == "true" || text == "True",
            _ => false,
        };
        verified
            .then_some(email)
            .ok_or(TokenError::EmailNotVerified)
    }

    fn text(&self, name: &'static str) -> Result<Option<&str>, TokenError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(TokenError::WrongClaim(name)),
        }
    }

    /// RFC 7519 §2, NumericDate: a JSON number of seconds, possibly with a fraction. Another type
    /// is an error and not an absent date: `null` would otherwise disable a check.
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
    use crate::protocol::identity::SubjectDomain;
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
    fn the_audience_is_ours_alone() {
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
    fn exp_and_iat_are_required_and_dates_are_numbers() {
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
    fn a_token_is_valid_from_nbf_to_exp_and_for_a_day_at_most() {
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
    fn an_email_address_must_be_verified_by_the_issuer() {
        for verified in [json!(true), json!("true"), json!("True")] {
            assert!(with("email_verified", verified).is_ok());
        }
        for verified in [
            json!(false),
            json!(1),
            json!("TRUE"),
            json!("yes"),
            json!("false"),
            json!(null),
            json!([true]),
        ] {
            assert_eq!(
                with("email_verified", verified).unwrap_err(),
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
    fn a_workload_is_named_by_its_subject_below_the_subject_domain() {
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
