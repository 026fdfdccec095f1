//! The issuers whose tokens are accepted.

use super::jwks::IssuerKeys;
use crate::protocol::identity::{IssuerKind, IssuerUrl, SubjectDomainError};

/// An issuer whose tokens are accepted, and how its subjects are named in certificates.
#[derive(Clone, Debug)]
pub struct TrustedIssuer {
    url: IssuerUrl,
    audience: String,
    kind: IssuerKind,
    own_keys: Option<IssuerKeys>,
}

/// Error in the settings of a trusted issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerSettingError {
    /// Tokens for any audience would be accepted
    #[error("audience must not be empty")]
    EmptyAudience,
    /// The issuer may not name these subjects
    #[error("subject_domain {0}")]
    SubjectDomain(#[from] SubjectDomainError),
}

impl TrustedIssuer {
    /// Trusts an issuer for tokens with this audience, by convention `sigstore`.
    ///
    /// # Errors
    /// See [`IssuerSettingError`].
    pub fn new(
        url: IssuerUrl,
        audience: impl Into<String>,
        kind: IssuerKind,
    ) -> Result<Self, IssuerSettingError> {
        let audience = audience.into();
        if audience.is_empty() {
            return Err(IssuerSettingError::EmptyAudience);
        }
        if let IssuerKind::Uri(domain) = &kind {
            domain.check_issuer(&url)?;
        }
        Ok(Self {
            url,
            audience,
            kind,
            own_keys: None,
        })
    }

    /// Supplies the issuer's keys, so that they are never fetched: the embedded issuer's.
    #[must_use]
    pub fn with_keys(mut self, keys: IssuerKeys) -> Self {
        self.own_keys = Some(keys);
        self
    }

    /// The value of `iss`, byte for byte.
    pub const fn url(&self) -> &IssuerUrl {
        &self.url
    }

    /// The value of `aud`.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// Which claim names the subject.
    pub const fn kind(&self) -> &IssuerKind {
        &self.kind
    }

    pub(super) const fn own_keys(&self) -> Option<&IssuerKeys> {
        self.own_keys.as_ref()
    }

    /// The claim over which clients should sign their proof of possession.
    pub const fn challenge_claim(&self) -> &'static str {
        match self.kind {
            IssuerKind::Email => "email",
            IssuerKind::Uri(_) => "sub",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::identity::SubjectDomain;

    fn url() -> IssuerUrl {
        IssuerUrl::new("https://id.example.com").unwrap()
    }

    #[test]
    fn the_challenge_claim_follows_from_the_kind_of_issuer() {
        let domain = SubjectDomain::new("https://ci.example.com").unwrap();
        let people = TrustedIssuer::new(url(), "sigstore", IssuerKind::Email).unwrap();
        let jobs = TrustedIssuer::new(url(), "sigstore", IssuerKind::Uri(domain)).unwrap();

        assert_eq!(people.challenge_claim(), "email");
        assert_eq!(jobs.challenge_claim(), "sub");
        assert_eq!(jobs.audience(), "sigstore");
    }

    #[test]
    fn an_empty_audience_and_a_foreign_subject_domain_are_refused() {
        let refused = TrustedIssuer::new(url(), "", IssuerKind::Email);
        assert_eq!(refused.unwrap_err(), IssuerSettingError::EmptyAudience);

        let domain = SubjectDomain::new("https://ci.example.org").unwrap();
        let refused = TrustedIssuer::new(url(), "sigstore", IssuerKind::Uri(domain));
        assert_eq!(
            refused.unwrap_err(),
            IssuerSettingError::SubjectDomain(SubjectDomainError::ForeignIssuer)
        );
    }
}
