//! Why a store could not be opened.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::log::{LogId, RecoverError};

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file or folder could not be read or written
    #[error("{}: {source}", .path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
    /// Another process has the store open
    #[error("{} is held by another process: is the server running?", .0.display())]
    Locked(PathBuf),
    /// The store was written by a newer release
    #[error("the {what} has version {found}; this release reads up to {supported}")]
    Newer {
        /// `journal` or `state`.
        what: &'static str,
        /// The version in the store.
        found: u32,
        /// The last version that is known here.
        supported: u32,
    },
    /// A record is not what was once acknowledged
    #[error(
        "segment {segment} of the journal is damaged at byte {offset}{entry}: \
         restore it from a backup"
    )]
    Damaged {
        /// The segment's number.
        segment: u32,
        /// Where the damaged or missing record begins.
        offset: u32,
        /// The entry that is in it, if it can be told.
        entry: DamagedEntry,
    },
    /// There is no journal where there must be one
    #[error("{} is missing: restore it from a backup", .0.display())]
    NoJournal(PathBuf),
    /// A segment before the last one is not there
    #[error("segment {0} of the journal is missing: restore it from a backup")]
    MissingSegment(u32),
    /// A segment's length is not the one that the next segment remembers
    #[error("segment {segment} of the journal has {actual} bytes; it was closed with {expected}")]
    SegmentLength {
        /// The segment's number.
        segment: u32,
        /// The length it was closed with.
        expected: u32,
        /// The length it has.
        actual: u64,
    },
    /// A segment or the head file belongs to another journal
    #[error("{} belongs to another journal", .0.display())]
    Foreign(PathBuf),
    /// The head file and the journal name different roots for one size
    #[error(
        "the journal holds another tree of {size} entries of the {log} \
         than the one that was signed last"
    )]
    Forked {
        /// Which log.
        log: LogId,
        /// The size of both trees.
        size: u64,
    },
    /// The state knows of entries that the journal lacks, so it must not be set aside
    #[error(
        "the journal lacks {entries} entries that the state in {} proves were written: restore the \
         right journal",
        .state.display()
    )]
    Behind {
        /// How many.
        entries: u64,
        /// Where the state is.
        state: PathBuf,
    },
    /// No identity could be drawn for a new journal
    #[error("the operating system gave no randomness")]
    NoRandomness,
    /// The state could not be made anew
    #[error("the state could not be made anew: {0}")]
    State(String),
    /// The state could not be brought up to the journal
    #[error(transparent)]
    Recover(#[from] RecoverError),
}

/// The entry in a damaged record, if the record is a leaf's and says so much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DamagedEntry(pub Option<(LogId, u64)>);

impl fmt::Display for DamagedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((log, index)) => write!(f, ", in entry {index} of the {log}"),
            None => Ok(()),
        }
    }
}

impl OpenError {
    /// Whether the store itself is at fault, so that trying again cannot help. A full disk, or
    /// another process that holds the store, pass.
    pub const fn is_damage(&self) -> bool {
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

    /// For `map_err`: an I/O error with the path it is about.
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
    fn what_may_pass_by_itself_is_no_damage() {
        let full = OpenError::io(Path::new("x"))(io::ErrorKind::StorageFull.into());
        let unwritten = OpenError::Recover(RecoverError::State(StateError));
        for passing in [full, unwritten, OpenError::Locked(PathBuf::new())] {
            assert!(!passing.is_damage(), "{passing}");
        }
        let damaged = JournalError::Damaged {
            segment: 1,
            offset: 8,
        };
        let damaged = OpenError::Recover(RecoverError::Journal(damaged));
        for lasting in [damaged, OpenError::MissingSegment(1)] {
            assert!(lasting.is_damage(), "{lasting}");
        }
    }
}
