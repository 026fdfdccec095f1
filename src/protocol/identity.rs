//! Identities: validated names for certificates to be issued, and the names in existing certificates.
//!
//! rcgen and the log encode names without validation, so this module validates them first: printable ASCII,
//! no spaces, no list separators, bounded length.

use std::fmt;

use serde::Serialize;
use url::Url;

/// Maximum length of a subject or issuer, in bytes.
pub(crate) const MAX_NAME_LENGTH: usize = 2048;

/// Maximum length of an e-mail address, in bytes (RFC 5321 §4.5.3.1.3, less the brackets).
pub(crate) const MAX_EMAIL_LENGTH: usize = 254;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("must have 1 to {0} characters")]
    Length(usize),
    #[error(
        "must be printable ASCII without spaces, quotes, commas, angle brackets or backslashes"
    )]
    Character,
    #[error("is not an e-mail address of the form local@domain")]
    NotAnEmail,
    #[error("is not an absolute URI")]
    NotAUri,
}

/// An OpenID Connect issuer, compared byte for byte (OpenID Connect Core §2, `iss`).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IssuerUrl(String);

impl IssuerUrl {
    /// Accepts an `http` or `https` URI without normalizing it.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        check_characters(&text, MAX_NAME_LENGTH)?;
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        if rest.is_none_or(str::is_empty) {
            return Err(NameError::NotAUri);
        }
        Ok(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// An e-mail address of the form `local@domain`, not normalized.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Accepts an ASCII address without quoting or comments.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        check_characters(&text, MAX_EMAIL_LENGTH)?;
        let (local, domain) = text.split_once('@').ok_or(NameError::NotAnEmail)?;
        let local_ok = !local.is_empty()
            && local.len() <= 64
            && local
                .split('.')
                .all(|atom| !atom.is_empty() && atom.bytes().all(is_atom_character));
        let domain_ok = domain.split('.').all(is_domain_label);
        if !local_ok || !domain_ok {
            return Err(NameError::NotAnEmail);
        }
        Ok(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// The subjectAltName of a signing certificate: Fulcio's profile allows exactly one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SubjectName {
    /// rfc822Name
    Email(EmailAddress),
    /// uniformResourceIdentifier
    Uri(SubjectUri),
}

impl SubjectName {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Email(email) => email.as_str(),
            Self::Uri(uri) => uri.as_str(),
        }
    }
}

impl fmt::Display for SubjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An absolute URI (RFC 3986 §4.3) that names a workload, not normalized.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectUri(String);

impl SubjectUri {
    /// Accepts an absolute URI in printable ASCII.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        check_characters(&text, MAX_NAME_LENGTH)?;
        let (scheme, rest) = text.split_once(':').ok_or(NameError::NotAUri)?;
        let scheme_ok = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        if !scheme_ok || rest.is_empty() {
            return Err(NameError::NotAUri);
        }
        Ok(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SubjectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Kind of issuer, which determines the token claim that becomes the certificate's subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssuerKind {
    /// The `email` claim; `email_verified` must be true
    Email,
    /// The `sub` claim, a URI within the subject domain
    Uri(SubjectDomain),
}

/// Scheme and host that all subjects of a `uri` issuer share, such as `https://ci.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectDomain(String);

/// Error validating a subject domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectDomainError {
    /// The domain has a path, a user name, upper case or no host
    #[error("must be scheme://host in lower case, without a path")]
    Syntax,
    /// The issuer is in a different domain and could name another organisation's subjects
    #[error(
        "must share its last two labels with the issuer's host, \
         as ci.example.com and id.example.com do"
    )]
    ForeignIssuer,
}

impl SubjectDomain {
    /// Accepts `scheme://host` or `scheme://host:port` in canonical form.
    pub(crate) fn new(text: impl Into<String>) -> Result<Self, SubjectDomainError> {
        let text = text.into();
        let url = Url::parse(&text).map_err(|_| SubjectDomainError::Syntax)?;
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or(SubjectDomainError::Syntax)?;
        let port = url
            .port()
            .map_or_else(String::new, |port| format!(":{port}"));
        // The comparison refuses a path, a user name, a query and any non-canonical form.
        if text != format!("{}://{host}{port}", url.scheme()) {
            return Err(SubjectDomainError::Syntax);
        }
        Ok(Self(text))
    }

    /// `scheme://host[:port]`
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a URI has exactly this scheme and host.
    pub(crate) fn contains(&self, uri: &str) -> bool {
        uri.strip_prefix(&self.0)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
    }

    /// Checks that the issuer may name subjects in this domain: the two hosts must be equal or share their
    /// last two labels (Fulcio's rule for `uri` issuers).
    pub(crate) fn check_issuer(&self, issuer: &IssuerUrl) -> Result<(), SubjectDomainError> {
        let (Some(own), Some(issuer)) = (host_of(&self.0), host_of(issuer.as_str())) else {
            return Err(SubjectDomainError::ForeignIssuer);
        };
        let labels = last_two_labels(&own);
        if own == issuer || (labels.is_some() && labels == last_two_labels(&issuer)) {
            Ok(())
        } else {
            Err(SubjectDomainError::ForeignIssuer)
        }
    }
}

/// The identity in a certificate, as text. Its characters are not validated.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct CertificateIdentity {
    /// The OpenID Connect issuer that authenticated the subject.
    pub issuer: String,
    /// The certificate's subject alternative name.
    pub subject: String,
}

impl CertificateIdentity {
    /// Canonical form for thresholds and deny lists: identities with the same canonical form are one signer.
    ///
    /// The issuer is unchanged (OpenID Connect Core §2). An e-mail address is lowercased: RFC 5321 §2.4
    /// allows a host to distinguish `A@x` from `a@x`, but hardly any does, and treating them as one signer
    /// can only deny. In a URI, scheme and host are lowercased (RFC 3986 §6.2.2.1).
    ///
    /// Policies do not use this form to accept a signer; they compare identities byte for byte.
    #[must_use]
    pub fn canonical(&self) -> Self {
        Self {
            issuer: self.issuer.clone(),
            subject: canonical_subject(&self.subject),
        }
    }
}

fn host_of(url: &str) -> Option<String> {
    Some(Url::parse(url).ok()?.host_str()?.to_ascii_lowercase())
}

/// Returns `None` for IP addresses and single-label names, which share no domain with another host.
fn last_two_labels(host: &str) -> Option<(&str, &str)> {
    if host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok() {
        return None;
    }
    let mut labels = host.rsplit('.');
    let top = labels.next()?;
    let second = labels.next()?;
    Some((second, top))
}

impl fmt::Display for CertificateIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (issuer {})", self.subject, self.issuer)
    }
}

fn canonical_subject(subject: &str) -> String {
    if EmailAddress::new(subject).is_ok() {
        return subject.to_ascii_lowercase();
    }
    let Some((scheme, rest)) = subject.split_once("://") else {
        return subject.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    // The user name before the `@` is case-sensitive.
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (format!("{user}@"), host),
        None => (String::new(), authority),
    };
    let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
    format!("{scheme}://{user}{host}{path}")
}

fn check_characters(text: &str, limit: usize) -> Result<(), NameError> {
    if text.is_empty() || text.len() > limit {
        return Err(NameError::Length(limit));
    }
    let allowed = |byte: u8| byte.is_ascii_graphic() && !b"\"'<>\\`,;(){}|^".contains(&byte);
    if text.bytes().all(allowed) {
        Ok(())
    } else {
        Err(NameError::Character)
    }
}

/// `atext` of RFC 5322 §3.2.3, without the characters that [`check_characters`] refuses.
const fn is_atom_character(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'@' | b'.' | b':' | b'[' | b']')
}

fn is_domain_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_addresses_are_not_changed() {
        for text in [
            "alice@example.com",
            "Build.Bot+ci@localhost",
            "a_b-c/d=e@x.y",
        ] {
            assert_eq!(EmailAddress::new(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn ambiguous_addresses_are_refused() {
        let long = format!("{}@example.com", "a".repeat(300));
        for text in [
            "",
            "a",
            "@x",
            "a@",
            "a@x\0@y",
            "a@x\r\nb",
            " a@x",
            "a@x ",
            "a@x,b@y",
            "\"a b\"@x",
            "<a@x>",
            "a@x@y",
            "a..b@x",
            ".a@x",
            "a@x..y",
            "a@-x",
            "a@[::1]",
            "é@x",
            "a@x;b",
            &long,
        ] {
            assert!(EmailAddress::new(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn an_issuer_is_not_normalized() {
        let slash = IssuerUrl::new("https://idp.example/").unwrap();
        let bare = IssuerUrl::new("https://idp.example").unwrap();

        assert_ne!(slash, bare);
        assert!(IssuerUrl::new("https://").is_err());
        assert!(IssuerUrl::new("ftp://idp.example").is_err());
        assert!(IssuerUrl::new("https://idp.example\n").is_err());
    }

    #[test]
    fn a_subject_uri_is_absolute() {
        assert!(SubjectUri::new("spiffe://example/ns/ci").is_ok());
        assert!(
            SubjectUri::new("https://git.example/org/repo/.gitlab-ci.yml@refs/heads/main").is_ok()
        );
        for text in ["alice", "//x/y", "1x:y", "x:", "https://a b"] {
            assert!(SubjectUri::new(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn a_subject_domain_shares_two_labels_with_its_issuer() {
        let check = |issuer: &str, domain: &str| {
            let issuer = IssuerUrl::new(issuer).unwrap();
            SubjectDomain::new(domain).unwrap().check_issuer(&issuer)
        };
        assert!(check("https://id.example.com/realm", "https://ci.example.com").is_ok());
        assert!(check("https://id.example.com", "spiffe://id.example.com").is_ok());
        assert!(check("http://localhost:8080", "https://localhost").is_ok());
        for (issuer, domain) in [
            ("https://id.example.com", "https://example.org"),
            ("https://id.example.com", "https://com"),
            ("https://localhost", "https://ci.localhost"),
            ("https://10.0.3.4", "https://10.1.3.4"),
        ] {
            assert_eq!(
                check(issuer, domain),
                Err(SubjectDomainError::ForeignIssuer)
            );
        }
    }

    #[test]
    fn a_subject_domain_has_only_scheme_and_host() {
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
    fn a_host_with_the_domain_as_prefix_is_outside_the_domain() {
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
    fn the_canonical_form_lowercases_addresses_and_hosts_but_not_paths_and_users() {
        let canonical = canonical_subject;

        assert_eq!(canonical("Ada@Example.COM"), "ada@example.com");
        assert_eq!(
            canonical("HTTPS://Git.Example/Org/Repo@refs/tags/V1"),
            "https://git.example/Org/Repo@refs/tags/V1"
        );
        assert_eq!(canonical("spiffe://Corp/ns/CI"), "spiffe://corp/ns/CI");
        assert_eq!(canonical("ssh://Git@Host?Q=A"), "ssh://Git@host?Q=A");
        assert_eq!(canonical("urn:Team:A"), "urn:Team:A");
    }

    #[test]
    fn issuers_that_differ_by_a_trailing_slash_are_different() {
        let identity = |issuer: &str| CertificateIdentity {
            issuer: issuer.to_owned(),
            subject: "a@x".to_owned(),
        };

        assert_ne!(
            identity("https://idp.example").canonical(),
            identity("https://idp.example/").canonical()
        );
    }
}
