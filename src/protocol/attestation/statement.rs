//! In-toto statements (in-toto attestation framework v1).
//!
//! The predicate may be any JSON without repeated members: with repeated members, two parsers could see
//! different statements in the same signed bytes.

use std::fmt;

use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::protocol::hash::{Digest, HashAlgorithm};
use crate::protocol::json;
use crate::protocol::proto_json::at_most;

/// The payload type of statements in DSSE envelopes.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// Maximum number of subjects of a statement.
pub const MAX_SUBJECTS: usize = 1024;
/// Maximum number of digests of a subject.
pub(crate) const MAX_DIGESTS: usize = 32;

const STATEMENT_V1: &str = "https://in-toto.io/Statement/v1";
const STATEMENT_V0_1: &str = "https://in-toto.io/Statement/v0.1";

/// A parsed in-toto statement. Parsing proves nothing about its signature.
#[derive(Clone, Debug)]
pub struct Statement {
    predicate_type: String,
    predicate: Option<Box<RawValue>>,
    subjects: Vec<Subject>,
}

#[derive(Clone, Debug)]
struct Subject {
    digests: Vec<Digest>,
}

/// Error reading a statement.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// The payload is not JSON, repeats a member, or lacks a member of a statement
    #[error("the payload is not an in-toto statement: {0}")]
    Json(#[source] serde_json::Error),
    /// `_type` is not a supported version
    #[error("the statement's _type is neither Statement/v1 nor Statement/v0.1")]
    Type,
    /// There is no subject
    #[error("the statement has no subject")]
    NoSubject,
    /// The length of a digest does not match its hash function
    #[error("a subject's {} digest is not {} bytes in hexadecimal", .0.name(), .0.size())]
    Digest(HashAlgorithm),
}

#[derive(Deserialize)]
struct WireStatement {
    #[serde(rename = "_type")]
    kind: String,
    #[serde(deserialize_with = "at_most::<_, _, MAX_SUBJECTS>")]
    subject: Vec<WireSubject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct WireSubject {
    #[serde(default)]
    digest: DigestSet,
}

impl Statement {
    /// Parses a statement. Subject digests with unsupported hash functions are ignored.
    ///
    /// # Errors
    /// The payload is malformed, of an unsupported version, without subjects, or over the limits.
    pub fn parse(payload: &[u8]) -> Result<Self, StatementError> {
        // The second pass keeps the predicate as raw JSON and does not check it for repeated members.
        json::from_slice::<IgnoredAny>(payload).map_err(StatementError::Json)?;
        let wire: WireStatement = json::from_slice(payload).map_err(StatementError::Json)?;
        if wire.kind != STATEMENT_V1 && wire.kind != STATEMENT_V0_1 {
            return Err(StatementError::Type);
        }
        let subjects = wire
            .subject
            .into_iter()
            .map(Subject::try_from)
            .collect::<Result<Vec<_>, _>>()?;
        if subjects.is_empty() {
            return Err(StatementError::NoSubject);
        }
        Ok(Self {
            predicate_type: wire.predicate_type,
            predicate: wire.predicate,
            subjects,
        })
    }

    /// URI of the predicate's type.
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// The predicate's JSON text, unchanged.
    pub fn predicate(&self) -> Option<&str> {
        self.predicate.as_deref().map(RawValue::get)
    }

    /// Hash functions of the subjects' digests; they may repeat.
    pub fn hash_algorithms(&self) -> impl Iterator<Item = HashAlgorithm> + '_ {
        self.subjects
            .iter()
            .flat_map(|subject| subject.digests.iter().map(Digest::algorithm))
    }

    /// Returns the digest by which a subject names the artifact. At least one of the subject's digests must
    /// match the artifact, and none with a known hash function may differ.
    pub fn names(&self, artifact: &super::artifact::Artifact) -> Option<&Digest> {
        self.subjects.iter().find_map(|subject| {
            let mut comparable = subject
                .digests
                .iter()
                .filter_map(|digest| Some((digest, artifact.digest(digest.algorithm())?)))
                .peekable();
            let (first, _) = *comparable.peek()?;
            comparable
                .all(|(stated, actual)| stated == actual)
                .then_some(first)
        })
    }
}

impl TryFrom<WireSubject> for Subject {
    type Error = StatementError;

    fn try_from(wire: WireSubject) -> Result<Self, StatementError> {
        let mut digests = Vec::new();
        for (name, value) in wire.digest.0 {
            let Some(algorithm) = HashAlgorithm::from_name(&name) else {
                continue;
            };
            let digest = hex::decode(&value)
                .ok()
                .and_then(|bytes| Digest::new(algorithm, bytes).ok())
                .ok_or(StatementError::Digest(algorithm))?;
            digests.push(digest);
        }
        Ok(Self { digests })
    }
}

/// The digests of a subject. The limit is enforced while parsing.
#[derive(Default)]
struct DigestSet(Vec<(String, String)>);

impl<'de> Deserialize<'de> for DigestSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SetVisitor;
        impl<'de> Visitor<'de> for SetVisitor {
            type Value = DigestSet;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a set of at most {MAX_DIGESTS} digests")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DigestSet, A::Error> {
                let mut digests = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    if digests.len() == MAX_DIGESTS {
                        return Err(de::Error::custom(format_args!(
                            "a subject has more than {MAX_DIGESTS} digests"
                        )));
                    }
                    digests.push(entry);
                }
                Ok(DigestSet(digests))
            }
        }
        deserializer.deserialize_map(SetVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::super::artifact::Artifact;
    use super::*;

    const ARTIFACT: &[u8] = b"artifact";

    fn statement(subjects: &str) -> String {
        format!(
            r#"{{"_type":"{STATEMENT_V1}","subject":[{subjects}],"predicateType":"p","predicate":{{}}}}"#
        )
    }

    fn subject(algorithm: HashAlgorithm, name: &str, data: &[u8]) -> String {
        let digest = hex::encode(algorithm.digest(data).as_bytes());
        format!(r#"{{"name":"x","digest":{{"{name}":"{digest}"}}}}"#)
    }

    fn names_artifact(subjects: &str) -> bool {
        Statement::parse(statement(subjects).as_bytes())
            .unwrap()
            .names(&Artifact::from_bytes(ARTIFACT))
            .is_some()
    }

    #[test]
    fn a_statement_names_the_artifact_among_its_subjects() {
        let other = subject(HashAlgorithm::Sha256, "sha256", b"other");
        let right = subject(HashAlgorithm::Sha512, "sha512", ARTIFACT);

        assert!(names_artifact(&format!("{other},{right}")));
        assert!(!names_artifact(&other));
    }

    #[test]
    fn a_subject_without_a_comparable_digest_names_no_artifact() {
        assert!(!names_artifact(r#"{"name":"x","digest":{}}"#));
        assert!(!names_artifact(
            r#"{"name":"x","digest":{"sha1":"00","gitCommit":"00"}}"#
        ));
    }

    #[test]
    fn a_subject_whose_digests_contradict_each_other_does_not_match() {
        let right = hex::encode(HashAlgorithm::Sha256.digest(ARTIFACT).as_bytes());
        let wrong = hex::encode(HashAlgorithm::Sha512.digest(b"other").as_bytes());

        assert!(!names_artifact(&format!(
            r#"{{"digest":{{"sha256":"{right}","sha512":"{wrong}"}}}}"#
        )));
    }

    #[test]
    fn repeated_members_are_refused_at_every_depth_and_in_every_spelling() {
        let subject = subject(HashAlgorithm::Sha256, "sha256", ARTIFACT);
        for text in [
            statement(&subject)
                .replace(r#""predicate":{}"#, r#""predicate":{"a":[{"b":1,"b":2}]}"#),
            statement(&subject).replace("{}", r#"{"a":1,"\u0061":2}"#),
            statement(&subject).replace(
                r#""predicateType":"p""#,
                r#""predicateType":"p","predicateType":"q""#,
            ),
        ] {
            assert!(
                matches!(
                    Statement::parse(text.as_bytes()),
                    Err(StatementError::Json(_))
                ),
                "{text}"
            );
        }
    }

    #[test]
    fn the_numbers_of_subjects_and_digests_are_limited() {
        let one = r#"{"digest":{}}"#;
        let many = vec![one; MAX_SUBJECTS + 1].join(",");
        let digests: Vec<String> = (0..=MAX_DIGESTS)
            .map(|n| format!(r#""a{n}":"00""#))
            .collect();

        assert!(Statement::parse(statement(&vec![one; MAX_SUBJECTS].join(",")).as_bytes()).is_ok());
        assert!(Statement::parse(statement(&many).as_bytes()).is_err());
        assert!(
            Statement::parse(
                statement(&format!(r#"{{"digest":{{{}}}}}"#, digests.join(","))).as_bytes()
            )
            .is_err()
        );
    }

    #[test]
    fn a_statement_without_subjects_or_of_another_type_is_refused() {
        assert!(matches!(
            Statement::parse(statement("").as_bytes()),
            Err(StatementError::NoSubject)
        ));
        assert!(matches!(
            Statement::parse(
                statement("{}")
                    .replace("Statement/v1", "Statement/v2")
                    .as_bytes()
            ),
            Err(StatementError::Type)
        ));
        assert!(Statement::parse(b"not json").is_err());
        assert!(Statement::parse(&[statement("{}").as_bytes(), b"x"].concat()).is_err());
    }
}
