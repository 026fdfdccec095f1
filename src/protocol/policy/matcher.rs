//! Text matchers: exact text, and regular expressions that must match the whole text. Matching takes
//! linear time.

use std::fmt;

use regex::{Regex, RegexBuilder};

use super::EmptyPolicy;
use crate::protocol::identity::CertificateIdentity;

/// Maximum length of a pattern, in bytes.
pub(super) const MAX_PATTERN_LENGTH: usize = 1024;

/// Maximum size of a compiled pattern, and of its cache during matching, in bytes.
const MAX_COMPILED_SIZE: usize = 128 << 10;

/// A regular expression that must match the whole text.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    source: String,
    regex: Regex,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatternError {
    #[error("a pattern must have 1 to {MAX_PATTERN_LENGTH} bytes")]
    Length,
    #[error("invalid regular expression: {0}")]
    Syntax(String),
}

impl Pattern {
    /// Compiles a regular expression in the syntax of the `regex` crate. Anchors are implied.
    pub(crate) fn new(source: impl Into<String>) -> Result<Self, PatternError> {
        let source = source.into();
        if source.is_empty() || source.len() > MAX_PATTERN_LENGTH {
            return Err(PatternError::Length);
        }
        // Compile without anchors first: `a)|(b` is malformed, but would compile inside `^(?:…)$`.
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

/// Compiles a regular expression within the size limits, without adding anchors.
pub(super) fn compile(source: &str) -> Result<Regex, PatternError> {
    RegexBuilder::new(source)
        .size_limit(MAX_COMPILED_SIZE)
        .dfa_size_limit(MAX_COMPILED_SIZE)
        .nest_limit(32)
        .build()
        .map_err(|error| {
            // The message spans several lines and points at the error; the last line is the reason.
            let message = error.to_string();
            let reason = message.lines().last().unwrap_or_default();
            PatternError::Syntax(reason.trim_start_matches("error: ").to_owned())
        })
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TextMatcher {
    /// Compared byte by byte; no character is special.
    Exact(String),
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

/// Matches certificate identities by issuer and subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityMatcher {
    pub(super) issuer: TextMatcher,
    pub(super) subject: TextMatcher,
}

impl IdentityMatcher {
    /// Matches exactly this subject of this issuer. No character is special.
    ///
    /// # Errors
    /// The issuer or the subject is empty.
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

    /// Whether this identity matches.
    pub fn matches(&self, identity: &CertificateIdentity) -> bool {
        self.issuer.matches(&identity.issuer) && self.subject.matches(&identity.subject)
    }

    /// The only identity that matches; `None` if the issuer or the subject is a pattern.
    pub(super) fn exact_identity(&self) -> Option<CertificateIdentity> {
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
    fn a_pattern_must_match_the_whole_text() {
        // sigstore-js a031055b: an unanchored pattern accepted too much.
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
            let pattern = Pattern::new(source);
            let escaped =
                pattern.is_ok_and(|pattern| pattern.matches("xxbxx") || pattern.matches("axx"));
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
    fn the_error_of_a_malformed_pattern_is_one_line() {
        let error = Pattern::new("a(b").unwrap_err().to_string();

        assert_eq!(error, "invalid regular expression: unclosed group");
    }
}
