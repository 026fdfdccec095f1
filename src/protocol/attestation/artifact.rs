//! The signed artifact, known by its digests.

use std::str::FromStr;

use crate::protocol::hash::{Digest, HashAlgorithm};

/// An artifact, known by at least one digest and at most one under each function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    digests: Vec<Digest>,
}

impl Artifact {
    /// Hashes the content under every function.
    pub fn from_bytes(content: &[u8]) -> Self {
        Self {
            digests: HashAlgorithm::ALL
                .map(|algorithm| algorithm.digest(content))
                .to_vec(),
        }
    }

    /// The digests, each under another function.
    pub fn digests(&self) -> &[Digest] {
        &self.digests
    }

    /// The digest under a function, if it is known.
    pub fn digest(&self, algorithm: HashAlgorithm) -> Option<&Digest> {
        self.digests
            .iter()
            .find(|digest| digest.algorithm() == algorithm)
    }
}

/// The text is not a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest is written sha256:, sha384: or sha512: and its bytes in hexadecimal")]
pub struct InvalidDigest;

impl FromStr for Artifact {
    type Err = InvalidDigest;

    /// Reads `sha256:<hex>`.
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

/// Hashes an artifact as a stream, under the functions that its bundle needs.
pub struct ArtifactHasher {
    contexts: Vec<(HashAlgorithm, ring::digest::Context)>,
}

impl ArtifactHasher {
    /// Starts a stream; repeated functions are hashed once.
    pub fn new(algorithms: impl IntoIterator<Item = HashAlgorithm>) -> Self {
        let mut contexts: Vec<(HashAlgorithm, ring::digest::Context)> = Vec::new();
        for algorithm in algorithms {
            if contexts.iter().all(|(present, _)| *present != algorithm) {
                contexts.push((algorithm, ring::digest::Context::new(algorithm.function())));
            }
        }
        Self { contexts }
    }

    /// Adds the next piece of the stream.
    pub fn update(&mut self, piece: &[u8]) {
        for (_, context) in &mut self.contexts {
            context.update(piece);
        }
    }

    /// Ends the stream.
    pub fn finish(self) -> Artifact {
        let digests = self.contexts.into_iter().map(|(algorithm, context)| {
            Digest::new(algorithm, context.finish().as_ref().to_vec())
                .expect("the digest is of this function")
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
    fn a_digest_in_text_is_read_as_an_artifact() {
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
    fn a_streamed_artifact_equals_one_that_is_hashed_at_once() {
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
