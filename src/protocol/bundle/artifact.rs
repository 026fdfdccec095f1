//! What was signed, known by its digests.

use crate::protocol::bytes::{Digest, HashAlgorithm};

const ALL: [HashAlgorithm; 3] = [
    HashAlgorithm::Sha256,
    HashAlgorithm::Sha384,
    HashAlgorithm::Sha512,
];

/// An artifact, known by one digest or more; at most one of each function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    digests: Vec<Digest>,
}

impl Artifact {
    /// The artifact with this content, under every function.
    pub fn from_bytes(content: &[u8]) -> Self {
        Self {
            digests: ALL.map(|algorithm| algorithm.digest(content)).to_vec(),
        }
    }

    /// Its digest under a function, where it is known.
    pub fn digest(&self, algorithm: HashAlgorithm) -> Option<&Digest> {
        self.digests
            .iter()
            .find(|digest| digest.algorithm() == algorithm)
    }
}

impl From<Digest> for Artifact {
    fn from(digest: Digest) -> Self {
        Self {
            digests: vec![digest],
        }
    }
}

/// Hashes an artifact as a stream, under the functions that its bundle calls for.
pub struct ArtifactHasher {
    contexts: Vec<(HashAlgorithm, ring::digest::Context)>,
}

impl ArtifactHasher {
    /// An empty stream, hashed under each of the functions once.
    pub fn new(algorithms: impl IntoIterator<Item = HashAlgorithm>) -> Self {
        let mut contexts: Vec<(HashAlgorithm, ring::digest::Context)> = Vec::new();
        for algorithm in algorithms {
            if contexts.iter().all(|(present, _)| *present != algorithm) {
                contexts.push((algorithm, ring::digest::Context::new(function(algorithm))));
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

    /// The artifact that was streamed.
    pub fn finish(self) -> Artifact {
        let digests = self.contexts.into_iter().map(|(algorithm, context)| {
            Digest::new(algorithm, context.finish().as_ref().to_vec())
                .expect("a hash function yields digests of its own length")
        });
        Artifact {
            digests: digests.collect(),
        }
    }
}

const fn function(algorithm: HashAlgorithm) -> &'static ring::digest::Algorithm {
    match algorithm {
        HashAlgorithm::Sha256 => &ring::digest::SHA256,
        HashAlgorithm::Sha384 => &ring::digest::SHA384,
        HashAlgorithm::Sha512 => &ring::digest::SHA512,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streaming_gives_the_same_artifact_as_hashing_at_once() {
        let mut hasher = ArtifactHasher::new(ALL.into_iter().chain([HashAlgorithm::Sha256]));
        hasher.update(b"art");
        hasher.update(b"ifact");

        assert_eq!(hasher.finish(), Artifact::from_bytes(b"artifact"));
    }
}
