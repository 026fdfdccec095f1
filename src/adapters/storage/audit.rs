//! The audit: derives everything from the journal again and compares it with what is stored.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::journal::record::Fact;
use super::journal::{Entry, FileJournal};
use super::sled::SledState;
use super::sled::key::CHUNK;
use super::{OpenError, Options, all_logs, open_journal_and_state, require_store};
use crate::log::port::{
    Batch, Committed, Journal as _, JournalError, RowExtension, SearchIndex as _, State as _,
};
use crate::log::{HeadSigner, LogId, SearchKeys, SignedHead, distinct_keys, extend};
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::{Frontier, LeafIndex, TILE_HEIGHT, TreeSize, leaf_hash};
use crate::services::ledger::Table;

/// Number of differences that a report lists; it gives the number of the others.
const LISTED: usize = 100;

/// A deviation from what the journal implies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Difference {
    /// The journal itself is damaged, and nothing after the place was checked.
    #[error("{0}")]
    Journal(JournalError),
    #[error("{log}: the batch that ends at size {size} does not follow the previous batch")]
    Sequence { log: LogId, size: u64 },
    #[error("{log}: the leaves do not lead to the root signed for size {size}")]
    Root { log: LogId, size: u64 },
    #[error("{log}: the checkpoint of size {size} is not signed by the log's key")]
    Signature { log: LogId, size: u64 },
    #[error("{log}: the state's head of size {size} is not the journal's")]
    Head { log: LogId, size: u64 },
    /// A hash in the state is missing or wrong.
    #[error("{log}: row {row} of tiles is wrong at hash {index}")]
    Hash { log: LogId, row: u8, index: u64 },
    /// The position of an entry is missing from the state or wrong there.
    #[error("{log}: the position of entry {index} is wrong")]
    Position { log: LogId, index: u64 },
    #[error("{log}: entry {index} is not found by its hash")]
    LeafHash { log: LogId, index: u64 },
    #[error("{log}: entry {index} is not found by its search key {key}")]
    SearchKey { log: LogId, index: u64, key: Sha256 },
    /// The index has more entries than the state, which it follows.
    #[error("{log}: the search index has {indexed} entries; the state has {size}")]
    IndexAhead { log: LogId, indexed: u64, size: u64 },
    #[error("{log}: the state has {actual} {what} where {expected} are due")]
    Count {
        log: LogId,
        what: &'static str,
        actual: usize,
        expected: u64,
    },
    /// A fact is missing from the state, has another value there, or must not be there.
    #[error("fact {} of table {table:?} is wrong in the state", hex::encode(.key))]
    Fact { table: Table, key: Vec<u8> },
    #[error("the state could not be read")]
    State,
}

/// Result of an audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Each log with its size and the number of heads that were checked.
    pub logs: Vec<(LogId, u64, u64)>,
    /// Number of facts that were ever set or removed.
    pub facts: u64,
    /// Logs whose state lags behind the journal, and by how many entries. The next start repairs that.
    pub behind: Vec<(LogId, u64)>,
    /// Logs whose search index lags behind the state, and by how many entries. The index catches up
    /// while the log runs.
    pub index_behind: Vec<(LogId, u64)>,
    /// Number of entries that each log lacks, if the journal lacks what was signed.
    pub missing: Vec<(LogId, u64)>,
    /// The first differences.
    pub differences: Vec<Difference>,
    /// Number of further differences.
    pub more: u64,
}

impl Report {
    pub(crate) fn is_clean(&self) -> bool {
        self.differences.is_empty() && self.missing.is_empty()
    }

    fn add(&mut self, difference: Difference) {
        if self.differences.len() < LISTED {
            self.differences.push(difference);
        } else {
            self.more += 1;
        }
    }

    fn count(&mut self, log: LogId, what: &'static str, actual: usize, expected: u64) {
        if u64::try_from(actual) != Ok(expected) {
            self.add(Difference::Count {
                log,
                what,
                actual,
                expected,
            });
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
        for (log, entries) in &self.index_behind {
            writeln!(
                f,
                "{log}: the search index lacks the last {entries} entries, which the server adds \
                 after its next start"
            )?;
        }
        for (log, entries) in &self.missing {
            writeln!(f, "{log}: {entries} signed entries are missing")?;
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

/// Derives every leaf hash, tile, root, search record and fact from the journal again and compares them
/// with the state; verifies the checkpoints. `search_keys` gives the keys by which a log's leaves are
/// found. The store must not be in use. Opening it does what every start does first: a torn end is cut
/// off, a missing one restored.
///
/// # Errors
/// The store does not open.
pub(crate) fn fsck(
    dir: &Path,
    signers: &[Arc<dyn HeadSigner>],
    search_keys: impl Fn(LogId) -> SearchKeys,
) -> Result<Report, OpenError> {
    require_store(dir)?;
    let (journal, state) = open_journal_and_state(dir, Options::default())?;
    let mut audit = Audit {
        signers,
        state: &state,
        report: Report::default(),
        logs: BTreeMap::new(),
        facts: BTreeMap::new(),
    };
    audit.begin(&journal, search_keys);
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
        .map(|(log, audited)| (*log, audited.frontier.size().get(), audited.heads))
        .collect();
    Ok(audit.report)
}

struct Audit<'a> {
    signers: &'a [Arc<dyn HeadSigner>],
    state: &'a SledState,
    report: Report,
    logs: BTreeMap<LogId, AuditedLog>,
    facts: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
}

/// What the journal implies for a log, up to where it was read.
struct AuditedLog {
    frontier: Frontier,
    heads: u64,
    /// The state's head. The state need not have entries after it.
    state: Option<SignedHead>,
    /// Size up to which leaves must be in the search index.
    indexed: TreeSize,
    search_keys: SearchKeys,
    /// Number of search records that the index must have.
    search_records: u64,
}

impl Audit<'_> {
    fn begin(&mut self, journal: &FileJournal, search_keys: impl Fn(LogId) -> SearchKeys) {
        for log in all_logs(journal, self.state) {
            let tail = journal.tail(log);
            if let Some(missing) = tail.read_only.filter(|missing| *missing > 0) {
                self.report.missing.push((log, missing));
            }
            let (Ok(state), Ok(indexed)) = (self.state.head(log), self.state.indexed(log)) else {
                self.report.add(Difference::State);
                continue;
            };
            let audited = AuditedLog {
                frontier: Frontier::empty(),
                heads: 0,
                state: state.map(|(head, _)| head),
                indexed,
                search_keys: search_keys(log),
                search_records: 0,
            };
            self.logs.insert(log, audited);
        }
    }

    fn batch(&mut self, log: LogId, batch: &Batch, committed: &Committed) {
        let Some(audited) = self.logs.get_mut(&log) else {
            return;
        };
        let (size, start) = (batch.head.size.get(), audited.frontier.size().get());
        let mut rows = Vec::new();
        let hashes = batch.leaves.iter().map(|leaf| leaf_hash(&leaf.data));
        extend(&mut audited.frontier, &mut rows, hashes, |_, _| ());
        audited.heads += 1;
        if audited.frontier.size().get() != size {
            self.report.add(Difference::Sequence { log, size });
        } else if audited.frontier.root() != batch.head.root {
            self.report.add(Difference::Root { log, size });
        }
        for (index, leaf) in (start..audited.indexed.get()).zip(&batch.leaves) {
            for key in distinct_keys(audited.search_keys, leaf) {
                audited.search_records += 1;
                let leaf = LeafIndex::new(index);
                if self.state.has_search_record(log, &key, leaf) != Ok(true) {
                    self.report.add(Difference::SearchKey { log, index, key });
                }
            }
        }
        let state = audited.state.clone();
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
        for (index, position) in (start..).zip(&committed.positions) {
            let stored = self.state.positions(log, index..index + 1);
            if stored.ok().as_deref() != Some(&[*position]) {
                self.report.add(Difference::Position { log, index });
            }
        }
    }

    fn row(&mut self, log: LogId, extension: &RowExtension) {
        for (index, hash) in (extension.start..).zip(&extension.hashes) {
            let row = extension.row;
            let stored = self.state.hashes(log, row, index..index + 1);
            if stored.ok().as_deref() != Some(&[*hash]) {
                self.report.add(Difference::Hash { log, row, index });
            }
            if row == 0 {
                let found = self.state.index_of(log, hash).ok().flatten();
                if found.is_none_or(|found| found.get() != index) {
                    self.report.add(Difference::LeafHash { log, index });
                }
            }
        }
    }

    /// Verifies a checkpoint. The first line of a note names the log that signed it.
    fn signature(&mut self, log: LogId, head: &SignedHead) {
        let origin = head.note.lines().next().unwrap_or_default();
        let mut signers = self.signers.iter();
        let is_signed = signers.any(|signer| {
            signer.origin() == origin && signer.recognises(&head.note, head.size, &head.root)
        });
        // Without any key there is nothing to verify with.
        if !is_signed && !self.signers.is_empty() {
            self.report.add(Difference::Signature {
                log,
                size: head.size.get(),
            });
        }
    }

    fn fact(&mut self, fact: Fact) {
        self.report.facts += 1;
        let key = (fact.table, fact.key);
        match fact.value {
            Some(value) => drop(self.facts.insert(key, value)),
            None => drop(self.facts.remove(&key)),
        }
    }

    /// Compares what is known only after the whole journal was read.
    fn end(&mut self, journal: &FileJournal) {
        for (log, audited) in &self.logs {
            let log = *log;
            let size = audited.frontier.size().get();
            let state = audited.state.as_ref().map_or(0, |head| head.size.get());
            let indexed = audited.indexed.get();
            if state > size {
                self.report.add(Difference::Head { log, size: state });
                continue;
            }
            if state < size {
                self.report.behind.push((log, size - state));
            }
            for row in 0..TILE_HEIGHT {
                let hashes = state >> (row * TILE_HEIGHT);
                let actual = self.state.count_row(log, row);
                let expected = hashes.div_ceil(CHUNK);
                self.report.count(log, "chunks of hashes", actual, expected);
            }
            let positions = self.state.count_positions(log);
            let expected = state.div_ceil(CHUNK);
            self.report
                .count(log, "chunks of positions", positions, expected);
            let hashes = self.state.count_leaf_hashes(log);
            self.report.count(log, "index records", hashes, state);
            if indexed > state {
                let size = state;
                self.report
                    .add(Difference::IndexAhead { log, indexed, size });
                continue;
            }
            if indexed < state {
                self.report.index_behind.push((log, state - indexed));
            }
            match self.state.count_search_records(log, audited.indexed) {
                Ok(actual) => {
                    let expected = audited.search_records;
                    self.report.count(log, "search records", actual, expected);
                }
                Err(_) => self.report.add(Difference::State),
            }
        }
        match self.state.facts() {
            // Facts that were not applied yet cannot be compared; the next start applies them.
            Ok((number, _)) if number < journal.facts() => (),
            Ok(_) => self.compare_facts(),
            Err(_) => self.report.add(Difference::State),
        }
    }

    fn compare_facts(&mut self) {
        for table in Table::ALL.iter().copied() {
            let Ok(stored) = self.state.scan(table) else {
                return self.report.add(Difference::State);
            };
            let mut stored: BTreeMap<_, _> = stored.into_iter().collect();
            for ((_, key), value) in self.facts.iter().filter(|((of, _), _)| *of == table) {
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
