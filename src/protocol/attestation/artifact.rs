//! Artifacts, identified by their digests.

use std::str::FromStr;

use crate::protocol::hash::{Digest, HashAlgorithm};

/// An artifact, identified by digests with different hash functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    digests: Vec<Digest>,
}

impl Artifact {
    /// Hashes the content with every supported hash function.
    pub fn from_bytes(content: &[u8]) -> Self {
        Self {
            digests: HashAlgorithm::ALL
                .map(|algorithm| algorithm.digest(content))
                .to_vec(),
        }
    }

    /// The digests; at most one for each hash function.
    pub fn digests(&self) -> &[Digest] {
        &self.digests
    }

    /// The digest with the given hash function, if the artifact has one.
    pub fn digest(&self, algorithm: HashAlgorithm) -> Option<&Digest> {
        self.digests
            .iter()
            .find(|digest| digest.algorithm() == algorithm)
    }
}

/// Error parsing a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest must have the form sha256:HEX, sha384:HEX or sha512:HEX")]
pub struct InvalidDigest;

impl FromStr for Artifact {
    type Err = InvalidDigest;

    /// Parses a digest such as `sha256:<hex>`.
    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let (name, value) = text.split_once(':').ok_or(InvalidDigest)?;
        let algorithm = HashAlgorithm::from_name(name).ok_or(InvalidDigest)?;
        let bytes = hex::decode(value).map_err(|_| InvalidDigest)?;
        Digest::new(algorithm, bytes)
            .map(Self::from)
            .map_err(|_| InvalidDigest)
    }
}

impl From<Digest> for Artifact {
    fn from(digest: Digest) -> Self {
        Self {
            digests: vec![digest],
        }
    }
}

/// Hashes an artifact incrementally, with the functions of [`Bundle::hash_algorithms`].
///
/// [`Bundle::hash_algorithms`]: crate::protocol::bundle::Bundle::hash_algorithms
pub struct ArtifactHasher {
    contexts: Vec<(HashAlgorithm, ring::digest::Context)>,
}

impl ArtifactHasher {
    /// Creates a hasher for the given functions. Repeated functions are ignored.
    pub fn new(algorithms: impl IntoIterator<Item = HashAlgorithm>) -> Self {
        let mut contexts: Vec<(HashAlgorithm, ring::digest::Context)> = Vec::new();
        for algorithm in algorithms {
            if contexts.iter().all(|(present, _)| *present != algorithm) {
                contexts.push((algorithm, ring::digest::Context::new(algorithm.function())));
            }
        }
        Self { contexts }
    }

    /// Hashes the next chunk of the artifact.
    pub fn update(&mut self, chunk: &[u8]) {
        for (_, context) in &mut self.contexts {
            context.update(chunk);
        }
    }

    /// Returns the artifact with the computed digests.
    pub fn finish(self) -> Artifact {
        let digests = self.contexts.into_iter().map(|(algorithm, context)| {
            Digest::new(algorithm, context.finish().as_ref().to_vec())
                .expect("the digest has this function's length")
        });
        Artifact {
            digests: digests.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_is_parsed_from_a_digest() {
        let digest = HashAlgorithm::Sha384.digest(b"artifact");

        let artifact: Artifact = digest.to_string().parse().unwrap();

        assert_eq!(artifact, Artifact::from(digest));
        for text in [
            "",
            "sha256",
            "sha256:",
            "sha256:00",
            "md5:00",
            "SHA2_256:00",
        ] {
            assert_eq!(text.parse::<Artifact>(), Err(InvalidDigest));
        }
    }

    #[test]
    fn an_incrementally_hashed_artifact_equals_one_hashed_at_once() {
        let mut hasher = ArtifactHasher::new(
            HashAlgorithm::ALL
                .into_iter()
                .chain([HashAlgorithm::Sha256]),
        );
        hasher.update(b"art");
        hasher.update(b"ifact");

        assert_eq!(hasher.finish(), Artifact::from_bytes(b"artifact"));
    }
}
