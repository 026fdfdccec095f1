//! Who signs: as certificates name them, as policies name them, and as they are counted.

use std::fmt;

use super::EmptyPolicy;
use super::pattern::Pattern;
use crate::protocol::identity::EmailAddress;

/// Who signed, as the certificate says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// The OpenID Connect issuer that vouched for the subject.
    pub issuer: String,
    /// The certificate's subject alternative name.
    pub subject: String,
}

impl Identity {
    /// The form under which identities are counted and denied: two that are equal in it are one.
    ///
    /// The issuer stays as it is (OpenID Connect Core §2). An e-mail address loses the case of all
    /// its letters: RFC 5321 §2.4 lets a host tell `A@x` from `a@x`, but hardly any does, and to
    /// take two for one can only deny. A URI loses that of its scheme and host (RFC 3986 §6.2.2.1).
    ///
    /// Whom a policy *names* is never found by this form, but byte for byte.
    #[must_use]
    pub fn canonical(&self) -> Self {
        Self {
            issuer: self.issuer.clone(),
            subject: canonical_subject(&self.subject),
        }
    }
}

impl fmt::Display for Identity {
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
    // What stands before the host's `@` is a name, and keeps its case.
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (format!("{user}@"), host),
        None => (String::new(), authority),
    };
    let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
    format!("{scheme}://{user}{host}{path}")
}

/// One text that a policy asks for: itself, byte for byte, or any that a pattern matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TextMatcher {
    /// Exactly this text; no character is a pattern
    Exact(String),
    /// Any text that matches as a whole
    Pattern(Pattern),
}

impl TextMatcher {
    /// Whether this is such a text.
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == text,
            Self::Pattern(pattern) => pattern.matches(text),
        }
    }
}

impl fmt::Display for TextMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) => f.write_str(text),
            Self::Pattern(pattern) => write!(f, "/{}/", pattern.as_str()),
        }
    }
}

/// The identities that a policy accepts under one entry: by issuer and by subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityMatcher {
    pub(super) issuer: TextMatcher,
    pub(super) subject: TextMatcher,
}

impl IdentityMatcher {
    /// Accepts exactly this subject from exactly this issuer. No character is a pattern.
    ///
    /// # Errors
    /// An empty issuer or subject, which no certificate has.
    pub fn exact(
        issuer: impl Into<String>,
        subject: impl Into<String>,
    ) -> Result<Self, EmptyPolicy> {
        let (issuer, subject) = (issuer.into(), subject.into());
        if issuer.is_empty() || subject.is_empty() {
            return Err(EmptyPolicy);
        }
        Ok(Self {
            issuer: TextMatcher::Exact(issuer),
            subject: TextMatcher::Exact(subject),
        })
    }

    /// Whether this is such an identity.
    pub fn matches(&self, identity: &Identity) -> bool {
        self.issuer.matches(&identity.issuer) && self.subject.matches(&identity.subject)
    }

    /// The only identity that it accepts; none where it is a pattern.
    pub(super) fn only(&self) -> Option<Identity> {
        match (&self.issuer, &self.subject) {
            (TextMatcher::Exact(issuer), TextMatcher::Exact(subject)) => Some(Identity {
                issuer: issuer.clone(),
                subject: subject.clone(),
            }),
            _ => None,
        }
    }
}

impl fmt::Display for IdentityMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (issuer {})", self.subject, self.issuer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(subject: &str) -> String {
        canonical_subject(subject)
    }

    #[test]
    fn letters_of_either_case_are_one_person_but_names_in_a_path_are_not() {
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
    fn issuers_differ_by_a_slash() {
        let identity = |issuer: &str| Identity {
            issuer: issuer.to_owned(),
            subject: "a@x".to_owned(),
        };

        assert_ne!(
            identity("https://idp.example").canonical(),
            identity("https://idp.example/").canonical()
        );
    }
}
