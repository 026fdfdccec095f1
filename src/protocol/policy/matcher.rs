//! What policies compare texts with: exact texts, and regular expressions that must match the whole
//! of a text, in linear time.

use std::fmt;

use regex::{Regex, RegexBuilder};

use super::EmptyPolicy;
use crate::protocol::identity::CertificateIdentity;

/// Maximum length of a pattern, in bytes.
pub(super) const MAX_PATTERN_LENGTH: usize = 1024;

/// Maximum size of a compiled pattern and of its cache while matching, in bytes.
const MAX_COMPILED_SIZE: usize = 128 << 10;

/// A regular expression that matches a text as a whole or not at all.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    source: String,
    regex: Regex,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatternError {
    #[error("a pattern must have 1 to {MAX_PATTERN_LENGTH} bytes")]
    Length,
    #[error("not a usable regular expression: {0}")]
    Syntax(String),
}

impl Pattern {
    /// Compiles a regular expression in the syntax of the `regex` crate. It need not be anchored.
    ///
    /// # Errors
    /// It is malformed, or too large as text or when compiled.
    pub(crate) fn new(source: impl Into<String>) -> Result<Self, PatternError> {
        let source = source.into();
        if source.is_empty() || source.len() > MAX_PATTERN_LENGTH {
            return Err(PatternError::Length);
        }
        // Without the anchors first: `a)|(b` is malformed, though it would compile between them.
        compile(&source)?;
        let regex = compile(&format!("^(?:{source})$"))?;
        Ok(Self { source, regex })
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

/// Compiles a regular expression within the limits, as it is, without anchors.
pub(super) fn compile(source: &str) -> Result<Regex, PatternError> {
    RegexBuilder::new(source)
        .size_limit(MAX_COMPILED_SIZE)
        .dfa_size_limit(MAX_COMPILED_SIZE)
        .nest_limit(32)
        .build()
        .map_err(|error| {
            // The parser's message is a drawing of several lines; the last one is the reason.
            let message = error.to_string();
            let reason = message.lines().last().unwrap_or_default();
            PatternError::Syntax(reason.trim_start_matches("error: ").to_owned())
        })
}

/// A text that a policy asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TextMatcher {
    /// This text, byte for byte; no character has a special meaning
    Exact(String),
    /// Any text that matches as a whole
    Pattern(Pattern),
}

impl TextMatcher {
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
            Self::Pattern(pattern) => write!(f, "/{}/", pattern.source),
        }
    }
}

/// Identities that a policy accepts, by issuer and subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityMatcher {
    pub(super) issuer: TextMatcher,
    pub(super) subject: TextMatcher,
}

impl IdentityMatcher {
    /// Accepts this subject from this issuer. No character is a pattern.
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

    /// Whether it accepts this identity.
    pub fn matches(&self, identity: &CertificateIdentity) -> bool {
        self.issuer.matches(&identity.issuer) && self.subject.matches(&identity.subject)
    }

    /// The only identity that it accepts; none if it has a pattern.
    pub(super) fn only(&self) -> Option<CertificateIdentity> {
        match (&self.issuer, &self.subject) {
            (TextMatcher::Exact(issuer), TextMatcher::Exact(subject)) => {
                Some(CertificateIdentity {
                    issuer: issuer.clone(),
                    subject: subject.clone(),
                })
            }
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

    #[test]
    fn a_pattern_matches_the_whole_text_or_nothing() {
        // sigstore-js a031055b, CVE-2024-54140's neighbours: an unanchored pattern accepts too much.
        let pattern = Pattern::new("a|bc").unwrap();

        assert!(pattern.matches("a") && pattern.matches("bc"));
        for text in ["ab", "abc", "bcd", "xa", "a\n", "\na", ""] {
            assert!(!pattern.matches(text), "{text:?}");
        }
    }

    #[test]
    fn a_pattern_cannot_escape_its_anchors() {
        for source in [
            "a)|(b", "a)|(?:b", "(", "[", "(?x)a #", "*", "(?P<x>a", "\\",
        ] {
            let outcome = Pattern::new(source);
            let escaped =
                outcome.is_ok_and(|pattern| pattern.matches("xxbxx") || pattern.matches("axx"));
            assert!(!escaped, "{source}");
        }
        assert!(!Pattern::new("(?m)^b$").unwrap().matches("a\nb"));
    }

    #[test]
    fn the_size_of_a_pattern_is_limited() {
        assert_eq!(Pattern::new(""), Err(PatternError::Length));
        assert_eq!(Pattern::new("a".repeat(1025)), Err(PatternError::Length));
        for source in ["((a{99}){99}){99}", "\\pL{1000}{100}"] {
            assert!(
                matches!(Pattern::new(source), Err(PatternError::Syntax(_))),
                "{source}"
            );
        }
    }

    #[test]
    fn the_reason_for_a_malformed_pattern_is_one_line() {
        let error = Pattern::new("a(b").unwrap_err().to_string();

        assert_eq!(error, "not a usable regular expression: unclosed group");
    }
}
