//! Who signs: issuers and subjects as checked names.
//!
//! rcgen and the log write what they are given, so hygiene happens here, before a name reaches
//! either: no control characters, no spaces, no list separators, plain ASCII, bounded length.

use std::fmt;

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
}
