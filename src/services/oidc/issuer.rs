//! Trusted issuers, as the operator names them.

use std::time::Duration;

use url::Url;

use super::IssuerKeys;
use crate::protocol::identity::IssuerUrl;

/// The longest lifetime, `exp` less `iat`, that a token may have unless the settings say otherwise.
const DEFAULT_MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// An issuer whose tokens are accepted, and how their subjects are named in certificates.
#[derive(Clone, Debug)]
pub struct TrustedIssuer {
    pub(super) url: IssuerUrl,
    pub(super) audience: String,
    pub(super) kind: IssuerKind,
    pub(super) max_lifetime: Duration,
    pub(super) own_keys: Option<IssuerKeys>,
}

/// Which claim becomes the certificate's subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssuerKind {
    /// `email`, which `email_verified` must vouch for
    Email,
    /// `sub`, a URI under the subject domain
    Uri(SubjectDomain),
}

/// Scheme and host that every subject of a `uri` issuer has, as in `https://ci.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectDomain(String);

/// Why the settings of an issuer contradict themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerSettingError {
    /// The audience is empty
    #[error("audience must not be empty")]
    EmptyAudience,
    /// The subject domain is more, or less, than a scheme and a host
    #[error("subject_domain must be scheme://host in lower case, without a path")]
    SubjectDomain,
    /// The issuer could speak for names of someone else
    #[error(
        "subject_domain and the issuer's host must share their last two labels, \
         as id.example.com and ci.example.com do"
    )]
    ForeignSubjectDomain,
}

impl TrustedIssuer {
    /// Trusts an issuer for tokens made for `audience`, conventionally `sigstore`.
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
        let kind = match kind {
            IssuerKind::Uri(domain) => IssuerKind::Uri(domain.of_issuer(&url)?),
            IssuerKind::Email => IssuerKind::Email,
        };
        Ok(Self {
            url,
            audience,
            kind,
            max_lifetime: DEFAULT_MAX_LIFETIME,
            own_keys: None,
        })
    }

    /// Hands the issuer's keys over, so that they are never fetched: the embedded issuer.
    #[must_use]
    pub fn with_keys(mut self, keys: IssuerKeys) -> Self {
        self.own_keys = Some(keys);
        self
    }

    /// The issuer, as `iss` must have it byte by byte.
    pub const fn url(&self) -> &IssuerUrl {
        &self.url
    }

    /// Whom its tokens must be made for.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// How its subjects are named.
    pub const fn kind(&self) -> &IssuerKind {
        &self.kind
    }

    /// The claim that clients are told to sign as their proof of possession.
    pub const fn challenge_claim(&self) -> &'static str {
        match self.kind {
            IssuerKind::Email => "email",
            IssuerKind::Uri(_) => "sub",
        }
    }
}

impl SubjectDomain {
    /// Takes `scheme://host` or `scheme://host:port`.
    ///
    /// # Errors
    /// Anything that names more or less than that, or in another spelling than its plain one.
    pub fn new(text: impl Into<String>) -> Result<Self, IssuerSettingError> {
        let text = text.into();
        let url = Url::parse(&text).map_err(|_| IssuerSettingError::SubjectDomain)?;
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or(IssuerSettingError::SubjectDomain)?;
        let port = url
            .port()
            .map_or_else(String::new, |port| format!(":{port}"));
        // Rebuilding it shows whether the text had a path, a user, a query or an odd spelling.
        if text != format!("{}://{host}{port}", url.scheme()) {
            return Err(IssuerSettingError::SubjectDomain);
        }
        Ok(Self(text))
    }

    /// `scheme://host[:port]`
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a URI lies under this scheme and host, in exactly this spelling.
    pub(super) fn contains(&self, uri: &str) -> bool {
        uri.strip_prefix(&self.0)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
    }

    /// The domain, if this issuer may speak for it: their hosts are the same or share their last two
    /// labels (Fulcio's rule for `uri` issuers).
    ///
    /// # Errors
    /// [`IssuerSettingError::ForeignSubjectDomain`]
    pub fn of_issuer(self, issuer: &IssuerUrl) -> Result<Self, IssuerSettingError> {
        let (Some(own), Some(issuer)) = (host_of(&self.0), host_of(issuer.as_str())) else {
            return Err(IssuerSettingError::ForeignSubjectDomain);
        };
        let shared = last_two_labels(&own)
            .is_some_and(|labels| last_two_labels(&issuer).is_some_and(|others| others == labels));
        if own == issuer || shared {
            Ok(self)
        } else {
            Err(IssuerSettingError::ForeignSubjectDomain)
        }
    }
}

fn host_of(url: &str) -> Option<String> {
    let host = Url::parse(url).ok()?.host_str()?.to_ascii_lowercase();
    Some(host)
}

/// None for addresses and for names of one label: they share nothing with any other name.
fn last_two_labels(host: &str) -> Option<(&str, &str)> {
    if host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok() {
        return None;
    }
    let mut labels = host.rsplit('.');
    let top = labels.next()?;
    let second = labels.next()?;
    Some((second, top))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri_issuer(issuer: &str, domain: &str) -> Result<TrustedIssuer, IssuerSettingError> {
        let kind = IssuerKind::Uri(SubjectDomain::new(domain)?);
        TrustedIssuer::new(IssuerUrl::new(issuer).unwrap(), "sigstore", kind)
    }

    #[test]
    fn a_subject_domain_shares_two_labels_with_its_issuer() {
        assert!(uri_issuer("https://id.example.com/realm", "https://ci.example.com").is_ok());
        assert!(uri_issuer("https://id.example.com", "spiffe://id.example.com").is_ok());
        assert!(uri_issuer("http://localhost:8080", "https://localhost").is_ok());
        for (issuer, domain) in [
            ("https://id.example.com", "https://example.org"),
            ("https://id.example.com", "https://com"),
            ("https://localhost", "https://ci.localhost"),
            ("https://10.0.3.4", "https://10.1.3.4"),
        ] {
            assert_eq!(
                uri_issuer(issuer, domain).unwrap_err(),
                IssuerSettingError::ForeignSubjectDomain
            );
        }
    }

    #[test]
    fn a_subject_domain_is_scheme_and_host_alone() {
        for text in [
            "example.com",
            "https://example.com/",
            "https://example.com/x",
            "https://user@example.com",
            "https://EXAMPLE.com",
            "https://example.com?",
            "https://",
            "mailto:a@example.com",
        ] {
            assert!(SubjectDomain::new(text).is_err(), "{text} was accepted");
        }
        assert!(SubjectDomain::new("https://example.com:8443").is_ok());
    }

    #[test]
    fn a_subject_of_another_host_that_begins_alike_is_outside() {
        let domain = SubjectDomain::new("https://example.com").unwrap();

        assert!(domain.contains("https://example.com"));
        assert!(domain.contains("https://example.com/team/job"));
        for uri in [
            "https://example.com.evil/x",
            "https://example.com@evil/x",
            "https://example.com:444/x",
            "http://example.com/x",
            "https://EXAMPLE.com/x",
        ] {
            assert!(!domain.contains(uri), "{uri} was accepted");
        }
    }

    #[test]
    fn an_issuer_names_the_claim_that_its_kind_is_known_by() {
        let url = IssuerUrl::new("https://id.example.com").unwrap();
        let people = TrustedIssuer::new(url, "sigstore", IssuerKind::Email).unwrap();
        let jobs = uri_issuer("https://id.example.com", "https://ci.example.com").unwrap();

        assert_eq!(people.challenge_claim(), "email");
        assert_eq!(jobs.challenge_claim(), "sub");
        assert_eq!(jobs.audience(), "sigstore");
    }

    #[test]
    fn an_empty_audience_is_refused() {
        let url = IssuerUrl::new("https://id.example.com").unwrap();

        let refused = TrustedIssuer::new(url, "", IssuerKind::Email);

        assert_eq!(refused.unwrap_err(), IssuerSettingError::EmptyAudience);
    }
}
