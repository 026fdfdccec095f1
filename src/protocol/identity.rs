//! Who signs: issuers and subjects as checked names.
//!
//! rcgen and the log write what they are given, so hygiene happens here, before a name reaches
//! either: no control characters, no spaces, no list separators, plain ASCII, bounded length.

use std::fmt;

use url::Url;

/// The longest subject or issuer that is accepted, in bytes.
pub(crate) const MAX_NAME_LENGTH: usize = 2048;

/// The longest e-mail address, in bytes (RFC 5321 §4.5.3.1.3, less the brackets).
pub(crate) const MAX_EMAIL_LENGTH: usize = 254;

/// Why a name was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty, or over its limit
    #[error("must have 1 to {0} characters")]
    Length(usize),
    /// A character that no accepted name has
    #[error(
        "must be printable ASCII without spaces, quotes, commas, angle brackets or backslashes"
    )]
    Character,
    /// Not of the form `local@domain`
    #[error("is not an e-mail address of the form local@domain")]
    NotAnEmail,
    /// Not an absolute URI with a scheme and something after it
    #[error("is not an absolute URI")]
    NotAUri,
}

/// An OpenID Connect issuer, compared byte by byte (OpenID Connect Core §2, `iss`).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IssuerUrl(String);

impl IssuerUrl {
    /// Takes an issuer as it is written; nothing is normalised.
    ///
    /// # Errors
    /// Characters or lengths outside the rules of this module, or no `http` or `https` URI.
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

    /// The issuer as it was written.
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

/// An e-mail address in its plain form, `local@domain`, kept byte for byte as it was given.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Takes an address in ASCII without quoting or comments.
    ///
    /// # Errors
    /// Anything else.
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

    /// The address as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// The one name a certificate carries (contract: exactly one, critical, subjectAltName).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SubjectName {
    /// rfc822Name
    Email(EmailAddress),
    /// uniformResourceIdentifier
    Uri(SubjectUri),
}

impl SubjectName {
    /// The name as it stands in the certificate.
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

/// An absolute URI that names a workload (RFC 3986 §4.3), kept byte for byte as it was given.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectUri(String);

impl SubjectUri {
    /// Takes an absolute URI in printable ASCII.
    ///
    /// # Errors
    /// Anything else.
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

    /// The URI as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SubjectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// The kinds of issuer, by the claim that becomes the subject of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssuerKind {
    /// `email`, which `email_verified` must confirm
    Email,
    /// `sub`, a URI below the subject domain
    Uri(SubjectDomain),
}

/// The scheme and host that every subject of a `uri` issuer has, such as `https://ci.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectDomain(String);

/// Why a subject domain is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectDomainError {
    /// A path, a user name, upper case, or no host
    #[error("must be scheme://host in lower case, without a path")]
    Syntax,
    /// The issuer could name subjects of another organisation
    #[error(
        "must share its last two labels with the issuer's host, \
         as ci.example.com and id.example.com do"
    )]
    ForeignIssuer,
}

impl SubjectDomain {
    /// Accepts `scheme://host` or `scheme://host:port`, in its canonical spelling.
    ///
    /// # Errors
    /// [`SubjectDomainError::Syntax`]
    pub(crate) fn new(text: impl Into<String>) -> Result<Self, SubjectDomainError> {
        let text = text.into();
        let url = Url::parse(&text).map_err(|_| SubjectDomainError::Syntax)?;
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or(SubjectDomainError::Syntax)?;
        let port = url
            .port()
            .map_or_else(String::new, |port| format!(":{port}"));
        // Rebuilding it shows whether the text had a path, a user name, a query or an odd spelling.
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

    /// Checks that an issuer may name subjects in this domain: the two hosts are equal or share their
    /// last two labels (Fulcio's rule for `uri` issuers).
    ///
    /// # Errors
    /// [`SubjectDomainError::ForeignIssuer`]
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

fn host_of(url: &str) -> Option<String> {
    Some(Url::parse(url).ok()?.host_str()?.to_ascii_lowercase())
}

/// None for addresses and for names of one label: they have no domain in common with another name.
fn last_two_labels(host: &str) -> Option<(&str, &str)> {
    if host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok() {
        return None;
    }
    let mut labels = host.rsplit('.');
    let top = labels.next()?;
    let second = labels.next()?;
    Some((second, top))
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

/// `atext` of RFC 5322 §3.2.3, less what [`check_characters`] already refuses.
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
    fn plain_addresses_are_kept_byte_for_byte() {
        for text in [
            "alice@example.com",
            "Build.Bot+ci@localhost",
            "a_b-c/d=e@x.y",
        ] {
            assert_eq!(EmailAddress::new(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn addresses_that_readers_could_understand_differently_are_refused() {
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
    fn an_issuer_is_not_normalised() {
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
    fn a_subject_on_a_host_that_begins_alike_is_outside_the_domain() {
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
}
