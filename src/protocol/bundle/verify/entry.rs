//! Step 6: a trusted signature log contains the signature, the key and the artifact's digest.

use super::content::SignedContent;
use super::recorder::CheckRecorder;
use super::time::EstablishedTimes;
use super::well_formed::{ClaimedSigner, WellFormedBundle};
use super::{CheckEvidence, CheckName, EntryEvidence, Refusal};
use crate::protocol::bundle::{InclusionProof, LogEntry, TrustedLog, TrustedRoot};
use crate::protocol::entry::{
    BindingError, ClaimedContent, EntryClaim, EntryKind, RawVerifier, parse_logged,
};
use crate::protocol::keys::KeyDetails;
use crate::protocol::merkle::{LeafIndex, ProofError, TreeSize, leaf_hash, root_from_inclusion};
use crate::protocol::note::{Checkpoint, UnverifiedNote};

/// Verifies every entry of a trusted log and skips the entries of unknown logs.
pub(super) fn verify_entries(
    bundle: &WellFormedBundle<'_>,
    content: &SignedContent<'_>,
    times: &EstablishedTimes,
    trust: &TrustedRoot,
    recorder: &mut CheckRecorder,
) -> Result<Vec<EntryEvidence>, Refusal> {
    let mut verified = Vec::new();
    for entry in &bundle.bundle().entries {
        if trust.logs_with(&entry.log_id).next().is_none() {
            let detail = format!(
                "entry {} is from a log that is not in the trusted root",
                entry.index
            );
            recorder.skipped(CheckName::LogEntry, "unknown-log", detail);
            continue;
        }
        let (log, tree_size) = containing_log(entry, times, trust)?;
        if tree_size.is_none() && entry.promise.is_none() {
            continue;
        }
        let key_details = check_body(entry, bundle, content)?;
        let evidence = EntryEvidence {
            log: log.base_url.clone(),
            log_id: log.id,
            key: log.key.fingerprint(),
            index: signed_index(entry),
            tree_size,
            kind: entry.kind.clone(),
            version: entry.version.clone(),
            key_details,
        };
        let detail = match tree_size {
            Some(size) => format!("{evidence}, included in a tree of {size} entries"),
            None => format!("{evidence}, promised by the log"),
        };
        let check_evidence = CheckEvidence::Entry(evidence.clone());
        recorder.passed(CheckName::LogEntry, check_evidence, detail);
        verified.push(evidence);
    }
    if verified.is_empty() {
        return Err(Refusal::NoEntry);
    }
    Ok(verified)
}

/// Returns the log that contains the entry and was trusted at a signing time, and the size of the tree that
/// the inclusion proof proves. The trusted root can list a log ID several times, with different windows.
fn containing_log<'a>(
    entry: &'a LogEntry,
    times: &EstablishedTimes,
    trust: &'a TrustedRoot,
) -> Result<(&'a TrustedLog, Option<u64>), Refusal> {
    let mut refusal = None;
    for log in trust.logs_with(&entry.log_id) {
        match contained_in(log, entry, times) {
            Ok(tree_size) => return Ok((log, tree_size)),
            // Prefer the error of a log that was trusted at the signing time.
            Err(Refusal::LogNotTrusted { .. }) if refusal.is_some() => {}
            Err(reason) => refusal = Some(reason),
        }
    }
    Err(refusal.unwrap_or(Refusal::NoEntry))
}

/// Refuses an entry of a log that was not trusted at any signing time. [`EstablishedTimes`] has checked a
/// promise against the log's window; a log without promises is checked against the timestamps.
fn contained_in(
    log: &TrustedLog,
    entry: &LogEntry,
    times: &EstablishedTimes,
) -> Result<Option<u64>, Refusal> {
    let was_trusted = times.iter().any(|at| log.validity.contains(at));
    if let (false, Some(at)) = (was_trusted, times.iter().next()) {
        return Err(Refusal::LogNotTrusted {
            index: entry.index,
            log: log.base_url.clone(),
            at,
        });
    }
    match &entry.proof {
        Some(proof) => verify_inclusion(entry, proof, log),
        None => Ok(None),
    }
}

/// Verifies the inclusion proof and the checkpoint's signature (RFC 9162 §2.1.3.2, C2SP tlog-checkpoint).
/// Returns the size of the signed tree; `None` if a v0.1 bundle has no checkpoint.
fn verify_inclusion(
    entry: &LogEntry,
    proof: &InclusionProof,
    log: &TrustedLog,
) -> Result<Option<u64>, Refusal> {
    let index = entry.index;
    // In Rekor v1 an entry's index counts over all shards and the proof's index within one shard.
    // Rekor v2 has no shards.
    let has_no_shards = EntryKind::find(&entry.kind, &entry.version).is_some_and(EntryKind::is_v2);
    if has_no_shards && proof.index != index {
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
    let checkpoint = UnverifiedNote::parse(note)
        .and_then(|note| Checkpoint::open(&note, log.checkpoint_key, &log.key))
        .map_err(|reason| Refusal::Checkpoint { index, reason })?;
    if checkpoint.size.get() != proof.tree_size || checkpoint.root != root {
        return Err(Refusal::CheckpointMismatch { index });
    }
    Ok(Some(proof.tree_size))
}

/// The index that the log signed: that of the promise if there is one, otherwise that of the proof.
fn signed_index(entry: &LogEntry) -> u64 {
    match (&entry.promise, &entry.proof) {
        (None, Some(proof)) => proof.index,
        _ => entry.index,
    }
}

/// Checks that the entry's body binds the bundle's signature, key and content. Returns the signature scheme
/// that the log verified, if its entries state one.
fn check_body(
    entry: &LogEntry,
    bundle: &WellFormedBundle<'_>,
    content: &SignedContent<'_>,
) -> Result<Option<KeyDetails>, Refusal> {
    let claim = EntryClaim {
        signature: bundle.signature(),
        verifier: match bundle.claimed() {
            ClaimedSigner::Certified { leaf } => RawVerifier::Certificate(leaf.der().to_vec()),
            ClaimedSigner::Managed { key } => RawVerifier::PublicKey(key.spki_der().to_vec()),
        },
        key: bundle.claimed().key(),
        content: match content {
            SignedContent::Message { digest } => ClaimedContent::Artifact(digest),
            SignedContent::Envelope {
                envelope, encoding, ..
            } => ClaimedContent::Envelope { envelope, encoding },
        },
    };
    let index = entry.index;
    let (kind, version) = (entry.kind.clone(), entry.version.clone());
    parse_logged(&kind, &version, &entry.body)
        .and_then(|binding| binding.check(&claim))
        .map_err(|error| match error {
            BindingError::Kind => Refusal::Kind { kind, version },
            BindingError::Malformed => Refusal::Body {
                index,
                kind,
                version,
            },
            BindingError::Mismatch(what) => Refusal::EntryMismatch { index, what },
        })
}
