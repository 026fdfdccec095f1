//! Regular expressions that must match the whole of a text, in linear time.

use regex::{Regex, RegexBuilder};

/// The longest pattern, in bytes.
pub(super) const MAX_PATTERN_LENGTH: usize = 1024;

/// The most memory that a compiled pattern, and its cache while matching, may take, in bytes.
const MAX_COMPILED_SIZE: usize = 128 << 10;

/// A regular expression that matches a text as a whole or not at all.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    source: String,
    regex: Regex,
}

/// Why a pattern is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Empty, or over its limit
    #[error("a pattern must have 1 to {MAX_PATTERN_LENGTH} bytes")]
    Length,
    /// No regular expression, or one that is too large when compiled
    #[error("no usable regular expression: {0}")]
    Syntax(String),
}

impl Pattern {
    /// Reads a regular expression in the syntax of the `regex` crate. It need not be anchored: it
    /// always matches from the first character to the last.
    ///
    /// # Errors
    /// Anything else, and one whose compiled form is over its limit.
    pub(crate) fn new(source: impl Into<String>) -> Result<Self, PatternError> {
        let source = source.into();
        if source.is_empty() || source.len() > MAX_PATTERN_LENGTH {
            return Err(PatternError::Length);
        }
        // By itself first: `a)|(b` is none, though it would be one within the anchors.
        compile(&source)?;
        let regex = compile(&format!("^(?:{source})$"))?;
        Ok(Self { source, regex })
    }

    /// The expression as it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether the whole text matches.
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
        .map_err(|error| PatternError::Syntax(last_line(&error.to_string())))
}

/// The parser draws a picture of several lines; its last one is the reason.
fn last_line(message: &str) -> String {
    let line = message.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
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
    fn a_pattern_cannot_leave_its_anchors() {
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
    fn a_pattern_has_bounds() {
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
    fn the_reason_is_one_line() {
        let error = Pattern::new("a(b").unwrap_err().to_string();

        assert_eq!(error, "no usable regular expression: unclosed group");
    }
}
