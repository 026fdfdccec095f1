//! Why a store could not be opened.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::log::{LogId, RecoverError};

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is locked by another process: is the server running?", .0.display())]
    Locked(PathBuf),
    /// A newer release wrote the store.
    #[error("the {what} has version {found}; this release reads up to {supported}")]
    Newer {
        /// `journal` or `state`.
        what: &'static str,
        found: u32,
        /// The last version that this release knows.
        supported: u32,
    },
    /// A record is not what was once acknowledged.
    #[error(
        "segment {segment} of the journal is damaged at byte {offset}{entry}: \
         restore it from a backup"
    )]
    Damaged {
        segment: u32,
        /// Where the damaged or missing record begins.
        offset: u32,
        entry: DamagedEntry,
    },
    /// There is no journal in a directory that must have one.
    #[error("{} is missing: restore it from a backup", .0.display())]
    NoJournal(PathBuf),
    /// A segment before the last one is missing.
    #[error("segment {0} of the journal is missing: restore it from a backup")]
    MissingSegment(u32),
    /// A segment does not have the length that the next segment's header names.
    #[error("segment {segment} of the journal has {actual} bytes; it was closed with {expected}")]
    SegmentLength {
        segment: u32,
        expected: u32,
        actual: u64,
    },
    /// A segment or the head file belongs to another journal.
    #[error("{} belongs to another journal", .0.display())]
    Foreign(PathBuf),
    /// Head file and journal have different roots for one size.
    #[error(
        "the journal's tree of {size} entries of log {log} is not the one that was signed last: \
         restore the right journal"
    )]
    Forked { log: LogId, size: u64 },
    /// The state has entries that the journal lacks. It proves that, so it must not be set aside.
    #[error(
        "the journal lacks {entries} entries that the state in {} proves were written: restore the \
         right journal",
        .state.display()
    )]
    Behind { entries: u64, state: PathBuf },
    /// A new journal needs a random identity.
    #[error("the operating system has no randomness")]
    NoRandomness,
    #[error("the state could not be rebuilt: {0}")]
    State(String),
    #[error(transparent)]
    Recover(#[from] RecoverError),
}

/// The entry in a damaged record, if the record is a leaf's and its index can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DamagedEntry(pub Option<(LogId, u64)>);

impl fmt::Display for DamagedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((log, index)) => write!(f, ", in entry {index} of log {log}"),
            None => Ok(()),
        }
    }
}

impl OpenError {
    /// Whether the store itself is at fault, so that another attempt cannot help. A full disk, or
    /// another process that has the store open, is not.
    pub(crate) const fn is_damage(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Locked(_) | Self::NoRandomness | Self::State(_) => false,
            Self::Recover(error) => error.is_damage(),
            Self::Newer { .. }
            | Self::Damaged { .. }
            | Self::NoJournal(_)
            | Self::MissingSegment(_)
            | Self::SegmentLength { .. }
            | Self::Foreign(_)
            | Self::Forked { .. }
            | Self::Behind { .. } => true,
        }
    }

    /// For `map_err`: an I/O error with the path that it is about.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::port::{JournalError, StateError};

    #[test]
    fn only_errors_of_the_store_itself_are_damage() {
        let full = OpenError::io(Path::new("x"))(io::ErrorKind::StorageFull.into());
        let unwritten = OpenError::Recover(RecoverError::State(StateError));
        for passing in [full, unwritten, OpenError::Locked(PathBuf::new())] {
            assert!(!passing.is_damage(), "{passing}");
        }
        let damaged = JournalError::Damaged {
            place: "segment 1, byte 8".to_owned(),
        };
        let damaged = OpenError::Recover(RecoverError::Journal(damaged));
        for lasting in [damaged, OpenError::MissingSegment(1)] {
            assert!(lasting.is_damage(), "{lasting}");
        }
    }
}
