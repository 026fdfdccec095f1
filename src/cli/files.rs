//! Input files: read whole, hashed as a stream, named next to each other.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::output::progress;
use crate::protocol::bundle::{Artifact, ArtifactHasher};
use crate::protocol::hash::{Digest, HashAlgorithm};

/// How much of an artifact is in memory at a time, in bytes.
const PIECE: usize = 256 * 1024;

/// Reads a file that the user named.
pub(super) fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| unreadable(file))
}

/// Reads a text file that the user named.
pub(super) fn read_text(file: &Path) -> anyhow::Result<String> {
    String::from_utf8(read(file)?).with_context(|| format!("{} is not UTF-8 text", file.display()))
}

fn unreadable(file: &Path) -> String {
    format!("{} cannot be read", file.display())
}

/// Appends an ending to a file name: `release.tar.gz` becomes `release.tar.gz.sigstore.json`.
pub(super) fn append(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The bundle of a file: `FILE.sigstore.json`, where other Sigstore clients look for it too.
pub(super) fn bundle_of(file: &Path) -> PathBuf {
    append(file, ".sigstore.json")
}

/// Hashes a file with each of the algorithms, and shows the progress if the file is large.
pub(super) fn hash_file(file: &Path, algorithms: &[HashAlgorithm]) -> anyhow::Result<Artifact> {
    let mut stream = File::open(file).with_context(|| unreadable(file))?;
    let size = stream.metadata().with_context(|| unreadable(file))?.len();
    let bar = progress(size);
    let mut hasher = ArtifactHasher::new(algorithms.iter().copied());
    let mut piece = vec![0; PIECE];
    loop {
        let length = stream.read(&mut piece).with_context(|| unreadable(file))?;
        let Some(piece) = piece.get(..length).filter(|piece| !piece.is_empty()) else {
            break;
        };
        hasher.update(piece);
        bar.inc(u64::try_from(length).unwrap_or(0));
    }
    bar.finish_and_clear();
    Ok(hasher.finish())
}

/// Parses `sha256:<hex>`, `sha384:<hex>` or `sha512:<hex>`; none if the text has no such prefix and so
/// is a file name.
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
            "{text:?} is not a digest: expected {} hexadecimal digits after the colon",
            algorithm.size() * 2
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_hashed_with_every_algorithm() {
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
    fn a_digest_is_distinguished_from_a_file_name() {
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
