//! Files to be signed or verified: read as a stream, whatever their size.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::output::progress;
use crate::protocol::bundle::{Artifact, ArtifactHasher};
use crate::protocol::bytes::{Digest, HashAlgorithm};

/// How much of a file is in memory at a time.
const PIECE: usize = 256 * 1024;

/// Hashes a file under each of the functions and shows how far it got if it is a large one.
///
/// # Errors
/// The file cannot be read.
pub(super) fn hash_file(path: &Path, algorithms: &[HashAlgorithm]) -> anyhow::Result<Artifact> {
    let unreadable = || format!("{} cannot be read", path.display());
    let mut file = File::open(path).with_context(unreadable)?;
    let bar = progress(file.metadata().with_context(unreadable)?.len());
    let mut hasher = ArtifactHasher::new(algorithms.iter().copied());
    let mut piece = vec![0; PIECE];
    loop {
        let read = file.read(&mut piece).with_context(unreadable)?;
        let Some(piece) = piece.get(..read).filter(|piece| !piece.is_empty()) else {
            break;
        };
        hasher.update(piece);
        bar.inc(u64::try_from(read).unwrap_or(0));
    }
    bar.finish_and_clear();
    Ok(hasher.finish())
}

/// Reads `sha256:<hex>`, `sha384:<hex>` or `sha512:<hex>`; none where the text has no such prefix,
/// and so is the name of a file.
///
/// # Errors
/// The prefix is there and what follows is no such digest.
pub(super) fn parse_digest(text: &str) -> anyhow::Result<Option<Artifact>> {
    let Some((name, digits)) = text.split_once(':') else {
        return Ok(None);
    };
    let Some(algorithm) = HashAlgorithm::from_name(name) else {
        return Ok(None);
    };
    let digest = hex::decode(digits)
        .ok()
        .and_then(|bytes| Digest::new(algorithm, bytes).ok());
    match digest {
        Some(digest) => Ok(Some(Artifact::from(digest))),
        None => bail!(
            "{text:?} is no digest: {} hexadecimal digits must follow the colon",
            algorithm.size() * 2
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_hashed_under_every_function_asked_for() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let content = vec![7; PIECE + 1];
        std::fs::write(file.path(), &content).unwrap();

        let artifact =
            hash_file(file.path(), &[HashAlgorithm::Sha256, HashAlgorithm::Sha512]).unwrap();

        for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Sha512] {
            assert_eq!(
                artifact.digest(algorithm),
                Some(&algorithm.digest(&content))
            );
        }
        assert_eq!(artifact.digest(HashAlgorithm::Sha384), None);
    }

    #[test]
    fn a_digest_is_told_from_the_name_of_a_file() {
        assert!(parse_digest("release.tar.gz").unwrap().is_none());
        assert!(parse_digest("c:release").unwrap().is_none());
        assert!(
            parse_digest(&format!("sha256:{}", "0a".repeat(32)))
                .unwrap()
                .is_some()
        );
        for text in ["sha256:", "sha256:00", "sha512:zz", "sha384:é"] {
            assert!(parse_digest(text).is_err(), "{text:?} was accepted");
        }
    }
}
