//! Step 6: a trusted signature log contains this signature, this key and this artifact.

use super::content::SignedContent;
use super::form::Form;
use super::time::Times;
use super::trail::{Skip, Trail};
use super::{CheckEvidence, CheckName, Refusal, body};
use crate::protocol::bundle::{InclusionProof, LogEntry, TrustedLog, TrustedRoot};
use crate::protocol::bytes::Sha256;
use crate::protocol::entry::EntryKind;
use crate::protocol::keys::KeyDetails;
use crate::protocol::merkle::{LeafIndex, ProofError, TreeSize, leaf_hash, root_from_inclusion};
use crate::protocol::note::{Checkpoint, NoteError, UnverifiedNote};

/// Evidence that a trusted log contains the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedEntry {
    /// Where the log is, as the trust root says.
    pub log: String,
    /// The log's ID.
    pub log_id: Sha256,
    /// The entry's position.
    pub index: u64,
    /// The tree that was proved to contain it; none where only a promise was verified.
    pub tree_size: Option<u64>,
    /// The kind of entry.
    pub kind: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the SubjectPublicKeyInfo of the log's key.
    pub key: Sha256,
    /// How the log says that it verified the signature, where its entries say that.
    pub key_details: Option<KeyDetails>,
}

/// Verifies every entry of a known log; entries of unknown logs are passed over.
pub(super) fn verify_entries(
    form: &Form<'_>,
    content: &SignedContent<'_>,
    times: &Times,
    trust: &TrustedRoot,
    trail: &mut Trail,
) -> Result<Vec<LoggedEntry>, Refusal> {
    let mut logged = Vec::new();
    for entry in &form.bundle().entries {
        if trust.logs_with(&entry.log_id).next().is_none() {
            let detail = format!("entry {} is of a log that is not trusted here", entry.index);
            trail.skipped(CheckName::LogEntry, Skip::Unknown, detail);
            continue;
        }
        let (log, tree_size) = containing_log(entry, times, trust)?;
        if tree_size.is_none() && entry.promise.is_none() {
            continue;
        }
        let key_details = body::check(entry, form, content)?;
        let verified = LoggedEntry {
            log: log.base_url.clone(),
            log_id: log.id,
            index: proved_index(entry),
            tree_size,
            kind: entry.kind.clone(),
            version: entry.version.clone(),
            key: log.key.fingerprint(),
            key_details,
        };
        let evidence = CheckEvidence::Entry(verified.clone());
        trail.passed(CheckName::LogEntry, evidence, verified.describe());
        logged.push(verified);
    }
    if logged.is_empty() {
        return Err(Refusal::NoEntry);
    }
    Ok(logged)
}

/// The log of the entry's ID that was trusted when the signature was made and whose key signed the
/// tree with the entry, and that tree's size.
fn containing_log<'a>(
    entry: &'a LogEntry,
    times: &Times,
    trust: &'a TrustedRoot,
) -> Result<(&'a TrustedLog, Option<u64>), Refusal> {
    let mut refusal = None;
    for log in trust.logs_with(&entry.log_id) {
        match contained_in(log, entry, times) {
            Ok(tree_size) => return Ok((log, tree_size)),
            // A log that was trusted then has the better reason.
            Err(Refusal::LogWindow { .. }) if refusal.is_some() => {}
            Err(reason) => refusal = Some(reason),
        }
    }
    Err(refusal.unwrap_or(Refusal::NoEntry))
}

fn contained_in(log: &TrustedLog, entry: &LogEntry, times: &Times) -> Result<Option<u64>, Refusal> {
    check_log_window(log, entry, times)?;
    match &entry.proof {
        Some(proof) => verify_inclusion(entry, proof, log),
        None => Ok(None),
    }
}

impl LoggedEntry {
    fn describe(&self) -> String {
        let Self {
            log,
            index,
            kind,
            version,
            ..
        } = self;
        match self.tree_size {
            Some(size) => format!(
                "{kind} {version} entry {index} of {log}, proved in a tree of {size} entries"
            ),
            None => format!("{kind} {version} entry {index} of {log}, promised by the log"),
        }
    }
}

/// A log that was retired before the signature was made cannot vouch for it. A promise is held
/// against the window at its own time already; a log without promises has the other times.
fn check_log_window(log: &TrustedLog, entry: &LogEntry, times: &Times) -> Result<(), Refusal> {
    let trusted_then = times.moments().any(|at| log.validity.contains(at));
    match times.moments().next() {
        Some(at) if !trusted_then => Err(Refusal::LogWindow {
            index: entry.index,
            log: log.base_url.clone(),
            at,
        }),
        _ => Ok(()),
    }
}

/// Verifies leaf → root → checkpoint → log key (RFC 9162 §2.1.3.2, C2SP tlog-checkpoint).
/// Returns the size of the tree that the log signed; none where a v0.1 bundle has no checkpoint.
fn verify_inclusion(
    entry: &LogEntry,
    proof: &InclusionProof,
    log: &TrustedLog,
) -> Result<Option<u64>, Refusal> {
    let index = entry.index;
    if !counts_over_shards(entry) && proof.index != index {
        return Err(Refusal::IndexMismatch {
            index,
            proved: proof.index,
        });
    }
    let leaf = TreeSize::new(proof.tree_size)
        .locate(LeafIndex::new(proof.index))
        .map_err(|reason| Refusal::Position { index, reason })?;
    let root = root_from_inclusion(leaf, &leaf_hash(&entry.body), &proof.hashes)
        .map_err(|reason| Refusal::Inclusion { index, reason })?;
    if root != proof.root {
        let reason = ProofError::Root;
        return Err(Refusal::Inclusion { index, reason });
    }
    let Some(note) = &proof.checkpoint else {
        return Ok(None);
    };
    let checkpoint =
        open_checkpoint(note, log).map_err(|reason| Refusal::Checkpoint { index, reason })?;
    if checkpoint.size.get() != proof.tree_size || checkpoint.root != root {
        return Err(Refusal::OtherTree { index });
    }
    Ok(Some(proof.tree_size))
}

/// Without a promise only the index in the proof is anybody's word.
fn proved_index(entry: &LogEntry) -> u64 {
    match (&entry.promise, &entry.proof) {
        (None, Some(proof)) => proof.index,
        _ => entry.index,
    }
}

/// A Rekor v1 log's index counts over all shards, its proof within one; a v2 log has no shards.
fn counts_over_shards(entry: &LogEntry) -> bool {
    let kind = EntryKind::find(&entry.kind, &entry.version);
    !kind.is_some_and(EntryKind::is_v2)
}

fn open_checkpoint(note: &str, log: &TrustedLog) -> Result<Checkpoint, NoteError> {
    Checkpoint::open(&UnverifiedNote::parse(note)?, log.checkpoint_key, &log.key)
}
