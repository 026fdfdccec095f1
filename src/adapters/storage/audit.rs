//! The audit: everything derived again from the journal and compared with what is stored.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::journal::record::{Fact, table_number};
use super::journal::{Entry, FileJournal};
use super::sled::SledState;
use super::{OpenError, Options, open_parts, require_store};
use crate::log::port::{Batch, Committed, Journal as _, JournalError, RowExtension, State as _};
use crate::log::{HeadSigner, LogId, SignedHead, extend};
use crate::protocol::bytes::Sha256;
use crate::protocol::merkle::{Frontier, LeafIndex, leaf_hash};
use crate::services::ledger::Table;

/// So many differences are named; the others are counted.
const NAMED: usize = 100;

/// Something that is not as the journal says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Difference {
    /// The journal itself is damaged; nothing behind the place was looked at
    #[error("{0}")]
    Journal(JournalError),
    /// A batch does not begin where the batch before ended
    #[error("{log}: the batch that ends at size {size} does not follow the one before")]
    Sequence {
        /// Which log.
        log: LogId,
        /// The size the batch leads to.
        size: u64,
    },
    /// The leaves have another root than the head that was signed for them
    #[error("{log}: the leaves do not lead to the root signed for size {size}")]
    Root {
        /// Which log.
        log: LogId,
        /// The size in the head.
        size: u64,
    },
    /// The checkpoint is not one that the log's key signed
    #[error("{log}: the checkpoint of size {size} is not signed by the log's key")]
    Signature {
        /// Which log.
        log: LogId,
        /// The size in the checkpoint.
        size: u64,
    },
    /// The state's head is not the one the journal has for this size
    #[error("{log}: the state has another head of size {size} than the journal")]
    Head {
        /// Which log.
        log: LogId,
        /// The size in the state's head.
        size: u64,
    },
    /// A hash in the state is missing or another one
    #[error("{log}: row {row} of tiles is wrong at hash {index}")]
    Hash {
        /// Which log.
        log: LogId,
        /// The row of tiles.
        row: u8,
        /// The position in the row.
        index: u64,
    },
    /// The state's place of an entry is missing or another one
    #[error("{log}: the place of entry {index} is wrong")]
    Place {
        /// Which log.
        log: LogId,
        /// The entry.
        index: u64,
    },
    /// An entry is not found under its hash
    #[error("{log}: entry {index} is not found by its hash")]
    Index {
        /// Which log.
        log: LogId,
        /// The entry.
        index: u64,
    },
    /// An entry is not found by one of its search keys
    #[error("{log}: entry {index} is not found by its search key {key}")]
    SearchKey {
        /// Which log.
        log: LogId,
        /// The entry.
        index: u64,
        /// The key.
        key: Sha256,
    },
    /// The state has more, or less, than the journal accounts for
    #[error("{log}: the state has {actual} {what} where {expected} are due")]
    Count {
        /// Which log.
        log: LogId,
        /// What was counted.
        what: &'static str,
        /// How many there are.
        actual: usize,
        /// How many there should be.
        expected: u64,
    },
    /// A fact is missing from the state, is another one there, or is there and should not be
    #[error("fact {} of table {table:?} is wrong in the state", hex::encode(.key))]
    Fact {
        /// The family.
        table: Table,
        /// The key.
        key: Vec<u8>,
    },
    /// The state could not be read
    #[error("the state could not be read")]
    State,
}

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Each log with its size and how many of its heads were checked.
    pub logs: Vec<(LogId, u64, u64)>,
    /// How many facts the journal has set or removed.
    pub facts: u64,
    /// Logs whose state has yet to catch up with the journal, and by how many entries: no damage,
    /// the next start does it.
    pub behind: Vec<(LogId, u64)>,
    /// How many entries each log lacks, where the journal is behind what was signed.
    pub missing: Vec<(LogId, u64)>,
    /// The first differences.
    pub differences: Vec<Difference>,
    /// How many more there are.
    pub more: u64,
}

impl Report {
    /// Whether the store is whole.
    pub(crate) fn is_clean(&self) -> bool {
        self.differences.is_empty() && self.missing.is_empty()
    }

    fn add(&mut self, difference: Difference) {
        if self.differences.len() < NAMED {
            self.differences.push(difference);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (log, size, heads) in &self.logs {
            writeln!(f, "{log}: {size} entries, {heads} checkpoints")?;
        }
        writeln!(f, "ledger: {} changes", self.facts)?;
        for (log, entries) in &self.behind {
            writeln!(
                f,
                "{log}: the state lacks the last {entries} entries, which the next start adds"
            )?;
        }
        for (log, entries) in &self.missing {
            writeln!(
                f,
                "{log}: {entries} entries that were once signed are missing"
            )?;
        }
        for difference in &self.differences {
            writeln!(f, "{difference}")?;
        }
        if self.more > 0 {
            writeln!(f, "and {} more", self.more)?;
        }
        write!(
            f,
            "{}",
            if self.is_clean() {
                "clean"
            } else {
                "not clean"
            }
        )
    }
}

/// Derives every leaf hash, tile, root, index record and fact again from the journal and compares
/// them with the state; verifies the checkpoints whose origin is one of the signers'. The store
/// must not be in use. Opening it does what every start does first: a torn tail is cut, a missing
/// one mended.
///
/// # Errors
/// The store does not open.
pub(crate) fn fsck(dir: &Path, signers: &[Arc<dyn HeadSigner>]) -> Result<Report, OpenError> {
    require_store(dir)?;
    let (journal, state) = open_parts(dir, Options::default())?;
    let mut audit = Audit {
        signers,
        state: &state,
        report: Report::default(),
        logs: BTreeMap::new(),
        facts: BTreeMap::new(),
    };
    audit.begin(&journal);
    let walked = journal.walk(None, &mut |entry| {
        match entry {
            Entry::Batch(log, batch, committed) => audit.batch(log, &batch, &committed),
            Entry::Fact(fact, _) => audit.fact(fact),
        }
        ControlFlow::Continue(())
    });
    match walked {
        Ok(()) => audit.end(&journal),
        Err(error) => audit.report.add(Difference::Journal(error)),
    }
    audit.report.logs = audit
        .logs
        .iter()
        .map(|(log, seen)| (*log, seen.frontier.size().get(), seen.heads))
        .collect();
    Ok(audit.report)
}

struct Audit<'a> {
    signers: &'a [Arc<dyn HeadSigner>],
    state: &'a SledState,
    report: Report,
    logs: BTreeMap<LogId, Seen>,
    facts: BTreeMap<(u8, Vec<u8>), (Table, Vec<u8>)>,
}

/// What was seen of a log so far.
struct Seen {
    frontier: Frontier,
    heads: u64,
    /// How many search keys the leaves that the state has reached have together.
    keys: u64,
    /// The state's head; entries beyond it are not expected there.
    state: Option<SignedHead>,
}

impl Audit<'_> {
    fn begin(&mut self, journal: &FileJournal) {
        for log in LogId::ALL {
            let tail = journal.tail(log);
            if let Some(missing) = tail.read_only.filter(|missing| *missing > 0) {
                self.report.missing.push((log, missing));
            }
            let state = match self.state.head(log) {
                Ok(head) => head.map(|(head, _)| head),
                Err(_) => {
                    self.report.add(Difference::State);
                    None
                }
            };
            if tail.last.is_some() || state.is_some() {
                let seen = Seen {
                    frontier: Frontier::empty(),
                    heads: 0,
                    keys: 0,
                    state,
                };
                self.logs.insert(log, seen);
            }
        }
    }

    fn batch(&mut self, log: LogId, batch: &Batch, committed: &Committed) {
        let Some(seen) = self.logs.get_mut(&log) else {
            return self.report.add(Difference::State);
        };
        let (size, start) = (batch.head.size.get(), seen.frontier.size().get());
        let mut rows = Vec::new();
        let hashes = batch.leaves.iter().map(|leaf| leaf_hash(&leaf.data));
        extend(&mut seen.frontier, &mut rows, hashes, |_, _| ());
        seen.heads = seen.heads.saturating_add(1);
        let (reached, root) = (seen.frontier.size().get(), seen.frontier.root());
        let state = seen.state.clone();
        if reached != size {
            self.report.add(Difference::Sequence { log, size });
        } else if root != batch.head.root {
            self.report.add(Difference::Root { log, size });
        }
        self.signature(log, &batch.head);
        let Some(state) = state.filter(|state| state.size >= batch.head.size) else {
            return;
        };
        if state.size == batch.head.size && state.root != batch.head.root {
            self.report.add(Difference::Head { log, size });
        }
        for extension in &rows {
            self.row(log, extension);
        }
        for (index, place) in (start..).zip(&committed.places) {
            let stored = self.state.places(log, index..index.saturating_add(1));
            if stored.ok().as_deref() != Some(&[*place]) {
                self.report.add(Difference::Place { log, index });
            }
        }
        for (index, leaf) in (start..).zip(&batch.leaves) {
            self.keys(log, index, &leaf.keys);
        }
    }

    fn keys(&mut self, log: LogId, index: u64, keys: &[Sha256]) {
        for key in keys {
            let found = self.state.has_key(log, key, LeafIndex::new(index));
            if found != Ok(true) {
                let key = *key;
                self.report.add(Difference::SearchKey { log, index, key });
            }
        }
        if let Some(seen) = self.logs.get_mut(&log) {
            let count = u64::try_from(keys.len()).unwrap_or(u64::MAX);
            seen.keys = seen.keys.saturating_add(count);
        }
    }

    fn row(&mut self, log: LogId, extension: &RowExtension) {
        for (index, hash) in (extension.start..).zip(&extension.hashes) {
            let row = extension.row;
            let stored = self.state.hashes(log, row, index..index.saturating_add(1));
            if stored.ok().as_deref() != Some(&[*hash]) {
                self.report.add(Difference::Hash { log, row, index });
            }
            if row == 0 {
                let found = self.state.index_of(log, hash).ok().flatten();
                if found.is_none_or(|found| found.get() != index) {
                    self.report.add(Difference::Index { log, index });
                }
            }
        }
    }

    /// A log is known by the origin in the first line of its notes.
    fn signature(&mut self, log: LogId, head: &SignedHead) {
        let origin = head.note.lines().next().unwrap_or_default();
        let mut ours = self
            .signers
            .iter()
            .filter(|signer| signer.origin() == origin)
            .peekable();
        let known = ours.peek().is_some();
        let signed = ours.any(|signer| signer.recognises(&head.note, head.size, &head.root));
        // With keys at hand, a note of an unknown origin is not a note of this store.
        if !signed && (known || !self.signers.is_empty()) {
            self.report.add(Difference::Signature {
                log,
                size: head.size.get(),
            });
        }
    }

    fn fact(&mut self, fact: Fact) {
        self.report.facts = self.report.facts.saturating_add(1);
        let key = (table_number(fact.table), fact.key);
        match fact.value {
            Some(value) => drop(self.facts.insert(key, (fact.table, value))),
            None => drop(self.facts.remove(&key)),
        }
    }

    /// What can only be said once the whole journal was seen.
    fn end(&mut self, journal: &FileJournal) {
        let sizes: Vec<_> = self
            .logs
            .iter()
            .map(|(log, seen)| {
                let state = seen.state.as_ref().map_or(0, |head| head.size.get());
                (*log, seen.frontier.size().get(), state, seen.keys)
            })
            .collect();
        for (log, size, state, keys) in sizes {
            if state > size {
                self.report.add(Difference::Head { log, size: state });
            } else {
                if state < size {
                    self.report.behind.push((log, size.saturating_sub(state)));
                }
                self.counts(log, state, keys);
            }
        }
        let (wanted, _) = journal.facts();
        match self.state.facts() {
            // Facts that were not applied yet cannot be compared; the next start applies them.
            Ok((number, _)) if number < wanted => (),
            Ok(_) => self.compare_facts(),
            Err(_) => self.report.add(Difference::State),
        }
    }

    fn counts(&mut self, log: LogId, size: u64, keys: u64) {
        for row in 0..8_u8 {
            let hashes = size.checked_shr(u32::from(row) * 8).unwrap_or(0);
            let chunks = self.state.count_row(log, row);
            self.count(log, "chunks of hashes", chunks, hashes.div_ceil(64));
        }
        let [places, indices, found] = self.state.count(log);
        self.count(log, "chunks of places", places, size.div_ceil(64));
        self.count(log, "index records", indices, size);
        self.count(log, "search records", found, keys);
    }

    fn count(&mut self, log: LogId, what: &'static str, actual: usize, expected: u64) {
        if u64::try_from(actual) != Ok(expected) {
            self.report.add(Difference::Count {
                log,
                what,
                actual,
                expected,
            });
        }
    }

    fn compare_facts(&mut self) {
        for table in [
            Table::Account,
            Table::TimestampFloor,
            Table::TrustRepository,
        ] {
            let Ok(stored) = self.state.scan(table) else {
                return self.report.add(Difference::State);
            };
            let mut stored: BTreeMap<_, _> = stored.into_iter().collect();
            for ((_, key), (_, value)) in self.facts.iter().filter(|(_, (of, _))| *of == table) {
                if stored.remove(key).as_ref() != Some(value) {
                    let key = key.clone();
                    self.report.add(Difference::Fact { table, key });
                }
            }
            for key in stored.into_keys() {
                self.report.add(Difference::Fact { table, key });
            }
        }
    }
}
