//! Rekor v1's messages as its OpenAPI document defines them: integers are numbers, hashes are hexadecimal,
//! and only bodies and signatures are base64.

use serde::de::{self, IgnoredAny, IntoDeserializer as _};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::log::SignedHead;
use crate::protocol::bytes::{ProtoBytes, to_base64};
use crate::protocol::entry::v1::{PkiError, PkiFormat, ProposalError, ProposedEntry};
use crate::protocol::entry::{NotADigestQuery, SearchTerm};
use crate::services::rekor::TreeId;
use crate::services::rekor::v1::{
    Consistency, EntryLookup, EntryName, NotAnEntryName, SearchOperator, SearchQuery, V1LoggedEntry,
};

/// `LogEntry`: an object whose only member is named by the entry's ID.
pub(crate) struct LogEntry<'a>(pub &'a V1LoggedEntry);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogEntryMember {
    body: String,
    integrated_time: u64,
    #[serde(rename = "logID")]
    log_id: String,
    log_index: u64,
    verification: Verification,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verification {
    inclusion_proof: InclusionProof,
    signed_entry_timestamp: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InclusionProof {
    checkpoint: String,
    hashes: Vec<String>,
    log_index: u64,
    root_hash: String,
    tree_size: u64,
}

impl Serialize for LogEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(&self.0.id.to_string(), &LogEntryMember::from(self.0))?;
        map.end()
    }
}

impl From<&V1LoggedEntry> for LogEntryMember {
    fn from(entry: &V1LoggedEntry) -> Self {
        // There are no shards, so the index in the tree is the index in the log.
        let log_index = entry.index.get();
        Self {
            body: to_base64(&entry.body),
            integrated_time: entry.integrated_time,
            log_id: entry.log_id.to_hex(),
            log_index,
            verification: Verification {
                inclusion_proof: InclusionProof {
                    checkpoint: entry.head.note.clone(),
                    hashes: entry.proof.iter().map(|hash| hash.to_hex()).collect(),
                    log_index,
                    root_hash: entry.head.root.to_hex(),
                    tree_size: entry.head.size.get(),
                },
                signed_entry_timestamp: to_base64(&entry.promise),
            },
        }
    }
}

/// `LogInfo`: the newest head.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogInfo {
    inactive_shards: [(); 0],
    root_hash: String,
    signed_tree_head: String,
    #[serde(rename = "treeID")]
    tree_id: String,
    tree_size: u64,
}

impl LogInfo {
    pub(crate) fn new(tree_id: TreeId, head: &SignedHead) -> Self {
        Self {
            inactive_shards: [],
            root_hash: head.root.to_hex(),
            signed_tree_head: head.note.clone(),
            tree_id: tree_id.to_string(),
            tree_size: head.size.get(),
        }
    }
}

/// `ConsistencyProof`. The root is that of the newer tree. Rekor gives the newest tree's root, which cannot
/// verify a proof between two older trees.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConsistencyProof {
    hashes: Vec<String>,
    root_hash: String,
}

impl From<Consistency> for ConsistencyProof {
    fn from(proof: Consistency) -> Self {
        Self {
            hashes: proof.hashes.iter().map(|hash| hash.to_hex()).collect(),
            root_hash: proof.root.to_hex(),
        }
    }
}

/// `SearchLogQuery`: entries by name, proposal or index.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchLogQuery {
    #[serde(rename = "entryUUIDs")]
    entry_uuids: Option<Vec<String>>,
    entries: Option<Vec<Box<RawValue>>>,
    #[serde(rename = "logIndexes")]
    log_indexes: Option<Vec<u64>>,
}

/// `SearchIndex`: terms of the entries to find.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SearchIndex {
    email: Option<String>,
    subject: Option<String>,
    public_key: Option<QueriedKey>,
    hash: Option<String>,
    operator: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QueriedKey {
    format: String,
    content: Option<ProtoBytes>,
    // Never fetched.
    #[serde(rename = "url")]
    _url: Option<IgnoredAny>,
}

impl QueriedKey {
    fn term(self) -> Result<SearchTerm, V1RequestError> {
        let format = self.format.as_str().into_deserializer();
        let format = PkiFormat::deserialize(format)
            .map_err(|_: de::value::Error| V1RequestError::KeyFormat)?;
        let content = self.content.ok_or(V1RequestError::NoKey)?;
        Ok(SearchTerm::from_key_query(format, &content.0)?)
    }
}

/// Maximum length of an e-mail address or subject, in characters.
const MAX_SUBJECT: usize = 512;

/// Error reading a request. The message begins with the member.
#[derive(Debug, thiserror::Error)]
pub enum V1RequestError {
    /// An element of `entries` is not a proposed entry
    #[error(transparent)]
    Proposal(#[from] ProposalError),
    /// An element of `entryUUIDs` is not an entry's name
    #[error("entryUUIDs: {0}")]
    Name(#[from] NotAnEntryName),
    /// `hash` is not a digest
    #[error(transparent)]
    Hash(#[from] NotADigestQuery),
    /// `email` is not an e-mail address
    #[error("email must be an e-mail address of at most {MAX_SUBJECT} characters")]
    Email,
    /// `subject` is too long
    #[error("subject has more than {MAX_SUBJECT} characters")]
    Subject,
    /// `operator` is unknown
    #[error("operator must be \"and\" or \"or\"")]
    Operator,
    /// `publicKey.format` is unknown
    #[error("publicKey.format must be x509, pgp, minisign or ssh")]
    KeyFormat,
    /// `publicKey.content` is missing
    #[error("publicKey.content is required: the key itself in base64; URLs are not fetched")]
    NoKey,
    /// `publicKey.content` is not a key of the format
    #[error("publicKey.content: {0}")]
    Key(#[from] PkiError),
}

impl TryFrom<SearchLogQuery> for Vec<EntryLookup> {
    type Error = V1RequestError;

    fn try_from(query: SearchLogQuery) -> Result<Self, V1RequestError> {
        let mut lookups = Self::new();
        for name in query.entry_uuids.unwrap_or_default() {
            lookups.push(EntryLookup::Name(EntryName::parse(&name)?));
        }
        for entry in query.entries.unwrap_or_default() {
            let proposed = ProposedEntry::parse(entry.get().as_bytes())?;
            lookups.push(EntryLookup::Proposal(Box::new(proposed)));
        }
        let indexes = query.log_indexes.unwrap_or_default();
        lookups.extend(indexes.into_iter().map(EntryLookup::Index));
        Ok(lookups)
    }
}

impl SearchLogQuery {
    /// The number of requested entries.
    pub fn count(&self) -> usize {
        self.entry_uuids.as_ref().map_or(0, Vec::len)
            + self.entries.as_ref().map_or(0, Vec::len)
            + self.log_indexes.as_ref().map_or(0, Vec::len)
    }
}

impl TryFrom<SearchIndex> for SearchQuery {
    type Error = V1RequestError;

    /// Empty members are ignored: some clients send members that they do not use.
    fn try_from(index: SearchIndex) -> Result<Self, V1RequestError> {
        let mut terms = Vec::new();
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let Some(hash) = given(index.hash) {
            terms.push(SearchTerm::from_hash_query(&hash)?);
        }
        if let Some(key) = index.public_key {
            terms.push(key.term()?);
        }
        if let Some(email) = given(index.email) {
            if !email.contains('@') || email.chars().count() > MAX_SUBJECT {
                return Err(V1RequestError::Email);
            }
            terms.push(SearchTerm::name(&email));
        }
        if let Some(subject) = given(index.subject) {
            if subject.chars().count() > MAX_SUBJECT {
                return Err(V1RequestError::Subject);
            }
            terms.push(SearchTerm::name(&subject));
        }
        let operator = match given(index.operator).as_deref() {
            None | Some("or") => SearchOperator::Or,
            Some("and") => SearchOperator::And,
            Some(_) => return Err(V1RequestError::Operator),
        };
        Ok(Self { terms, operator })
    }
}
