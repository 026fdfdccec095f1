//! The Rekor v1 signature log. Entries have an integrated time and a signed entry timestamp (SET), and
//! can be searched.

mod entry_id;
mod read;
mod search;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use entry_id::{EntryId, EntryName, NotAnEntryName};
pub(crate) use read::{Consistency, EntryLookup, MAX_LOOKUPS};
pub(crate) use search::{SearchOperator, SearchQuery};

use super::{CheckpointSigner, TreeId};
use crate::log::{AppendError, Leaf, Log, PublishedHead, ReadError};
use crate::protocol::entry::SearchTerm;
use crate::protocol::entry::v1::{AdmittedEntry, V1EntryError};
use crate::protocol::hash::Sha256;
use crate::protocol::keys::SigningFailed;
use crate::protocol::merkle::{LeafIndex, leaf_hash};
use crate::protocol::note::EntryPromise;
use crate::protocol::time::Clock;

pub(crate) struct SignatureLogV1 {
    log: Log,
    signer: Arc<CheckpointSigner>,
    tree_id: TreeId,
    clock: Arc<dyn Clock>,
    /// The last integrated time, in seconds since the epoch: integrated times never decrease.
    last_second: AtomicU64,
}

/// An entry that is durable and published, with its SET and inclusion proof.
#[derive(Clone, Debug)]
pub(crate) struct V1LoggedEntry {
    pub id: EntryId,
    /// SHA-256 of the log key's SubjectPublicKeyInfo.
    pub log_id: Sha256,
    pub index: LeafIndex,
    /// When the log accepted the entry, in seconds since the epoch.
    pub integrated_time: u64,
    /// The canonical body, which is the leaf data.
    pub body: Vec<u8>,
    /// The SET: the log's signature over body, time, log ID and index.
    pub promise: Vec<u8>,
    /// Inclusion proof for `head`.
    pub proof: Vec<Sha256>,
    pub head: PublishedHead,
}

/// Error appending to or reading the v1 log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum V1Error {
    #[error("error processing entry: {0}")]
    Entry(#[from] V1EntryError),
    #[error("an equivalent entry already exists in the transparency log with UUID {0}")]
    Duplicate(EntryId),
    #[error(transparent)]
    Append(AppendError),
    #[error(transparent)]
    Signing(#[from] SigningFailed),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("firstSize ({first}) must not be greater than lastSize ({last})")]
    SizeOrder { first: u64, last: u64 },
    #[error("{name} must be 1 to {size}, the published size")]
    Size {
        /// The query parameter.
        name: &'static str,
        /// The published size.
        size: u64,
    },
    #[error("there is no log with tree ID {0}")]
    TreeId(u64),
    #[error("the request names {0} entries; the limit is {MAX_LOOKUPS}")]
    TooManyLookups(usize),
}

impl SignatureLogV1 {
    /// `signer` must be the one that signs the heads of `log`.
    pub(crate) fn new(log: Log, signer: Arc<CheckpointSigner>, clock: Arc<dyn Clock>) -> Self {
        let last_second = AtomicU64::new(log.head().time.seconds());
        Self {
            tree_id: TreeId::of(signer.note_key().key()),
            last_second,
            log,
            signer,
            clock,
        }
    }

    pub(crate) const fn tree_id(&self) -> TreeId {
        self.tree_id
    }

    /// The key that verifies checkpoints and SETs, in PEM.
    pub(crate) fn public_key_pem(&self) -> String {
        self.signer.note_key().key().to_pem()
    }

    pub(crate) const fn log(&self) -> &Log {
        &self.log
    }

    pub(crate) fn signer(&self) -> &CheckpointSigner {
        &self.signer
    }

    pub(crate) fn head(&self) -> PublishedHead {
        self.log.head()
    }

    /// Appends a verified entry and signs its SET once the entry is durable and published.
    ///
    /// # Errors
    /// The entry is a duplicate, the log rejects it, or signing fails.
    pub(crate) async fn append(&self, entry: AdmittedEntry) -> Result<V1LoggedEntry, V1Error> {
        let (body, terms) = entry.into_parts();
        let id = EntryId::new(self.tree_id, leaf_hash(&body));
        let integrated_time = self.next_integrated_time();
        let leaf = Leaf {
            data: body.clone(),
            extra: encode_integrated_time(integrated_time),
            keys: terms.iter().map(SearchTerm::key).collect(),
        };
        let appended = self.log.append(leaf).await.map_err(|error| match error {
            AppendError::Duplicate(_) => V1Error::Duplicate(id),
            error => V1Error::Append(error),
        })?;
        Ok(V1LoggedEntry {
            promise: self.sign_promise(&body, integrated_time, appended.index)?,
            id,
            log_id: *self.log_id(),
            index: appended.index,
            integrated_time,
            body,
            proof: appended.inclusion_proof(),
            head: appended.head,
        })
    }

    fn log_id(&self) -> &Sha256 {
        self.signer.note_key().hash()
    }

    /// The current second, or the last integrated time if the clock was set back.
    fn next_integrated_time(&self) -> u64 {
        let now = self.clock.now().seconds();
        self.last_second.fetch_max(now, Ordering::Relaxed).max(now)
    }

    fn sign_promise(
        &self,
        body: &[u8],
        integrated_time: u64,
        index: LeafIndex,
    ) -> Result<Vec<u8>, SigningFailed> {
        let promise = EntryPromise {
            body,
            integrated_time,
            log_id: self.log_id(),
            log_index: index.get(),
        };
        promise.sign(self.signer.key())
    }
}

/// Version of the encoding of a leaf's extra data: this byte, then the integrated time as a big-endian
/// 64-bit number. The leaf hash does not cover it.
const INTEGRATED_TIME_VERSION: u8 = 1;

fn encode_integrated_time(seconds: u64) -> Vec<u8> {
    let mut bytes = vec![INTEGRATED_TIME_VERSION];
    bytes.extend_from_slice(&seconds.to_be_bytes());
    bytes
}

/// None if the bytes have another version or length.
fn decode_integrated_time(bytes: &[u8]) -> Option<u64> {
    let (version, seconds) = bytes.split_first()?;
    let seconds = u64::from_be_bytes(seconds.try_into().ok()?);
    (*version == INTEGRATED_TIME_VERSION).then_some(seconds)
}

#[cfg(test)]
pub(crate) mod tests;
