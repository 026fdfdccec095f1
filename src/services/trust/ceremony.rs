//! The next TUF root: signed by the key in the data directory, or by key holders on other machines.
//!
//! A signing request is a file that travels from the server to each key holder and back. It contains
//! the current root too, so that `signet trust root-ceremony` can show the changes without a network.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::error::RepositoryError;
use super::repository::TrustRepository;
use super::terms::{DAY, MAX_ROOT_DAYS, expiry};
use crate::protocol::keys::{PublicKey, SigningKey};
use crate::protocol::tuf::{
    KeyId, Metadata, MetadataError, Role, Root, RootChange, SignError, Signed, SuccessionError,
    Version,
};

/// Changes that the next root should make. Fields that are `None` keep their value.
#[derive(Clone, Debug, Default)]
pub struct RootProposal {
    /// The root's keys
    pub keys: Option<Vec<PublicKey>>,
    /// How many of them must sign
    pub threshold: Option<u32>,
    /// Validity from now, 1 to [`MAX_ROOT_DAYS`] days; 365 by default
    pub days: Option<u32>,
}

/// A root that is to be signed, with the current root.
#[derive(Clone, Debug)]
pub struct RootSigningRequest {
    current: Signed<Root>,
    next: Signed<Root>,
}

/// Error in a signing request.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    #[error("this is not a signing request: {0}")]
    Json(#[source] serde_json::Error),
    #[error("this is not a signing request of version {REQUEST_VERSION}")]
    Kind,
    #[error("a signing request has at most {MAX_REQUEST} bytes")]
    TooLarge,
    #[error("a root in this signing request cannot be read: {0}")]
    Metadata(#[from] MetadataError),
    #[error("the current root in this signing request is not signed by its own keys")]
    Current,
    #[error("this signing request is for root version {next}, which does not follow {current}")]
    Order { current: Version, next: Version },
    #[error("key {0} is not authorized: it is in neither the current nor the next root")]
    Unauthorized(KeyId),
    #[error("the root cannot be signed: {0}")]
    Sign(#[from] SignError),
    #[error("the signing requests are for different roots")]
    Different,
    #[error("the root cannot be installed yet: {0}")]
    Incomplete(#[source] SuccessionError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestFile {
    kind: String,
    version: u32,
    present_root: Box<RawValue>,
    next_root: Box<RawValue>,
}

#[derive(Serialize)]
struct RequestText<'a> {
    kind: &'static str,
    version: u32,
    present_root: &'a RawValue,
    next_root: &'a RawValue,
}

const REQUEST_KIND: &str = "signet-root-signing-request";
const REQUEST_VERSION: u32 = 1;

/// Maximum size in bytes: two roots with all the keys and signatures that they may have fit.
const MAX_REQUEST: usize = 256 << 10;

impl TrustRepository {
    /// Signs and publishes a root with the same keys that is valid for 365 days.
    ///
    /// # Errors
    /// The root's keys are not all in the data directory, or the root cannot be stored.
    pub fn renew_root(&self) -> Result<Signed<Root>, RepositoryError> {
        let current = self.root().ok_or(RepositoryError::NotCreated)?;
        let key = self.own_root_key(current.body())?;
        let mut request = self.propose(&RootProposal::default())?;
        request.next.add_signature(key)?;
        self.install_root(&request.next)?;
        Ok(request.next)
    }

    /// Drafts the next root.
    ///
    /// # Errors
    /// There is no root yet, or the proposal is not valid.
    pub fn propose(&self, proposal: &RootProposal) -> Result<RootSigningRequest, RepositoryError> {
        let current = self.root().ok_or(RepositoryError::NotCreated)?;
        let mut rules = current.body().rules().ok_or(RepositoryError::OnlineRoles)?;
        if let Some(keys) = &proposal.keys {
            rules.root_keys.clone_from(keys);
        }
        rules.threshold = proposal.threshold.unwrap_or(rules.threshold);
        let version = current.body().version().next();
        let version = version.ok_or(RepositoryError::LastVersion(Role::Root))?;
        let expires = match proposal.days {
            None => expiry(Role::Root, self.now()),
            Some(days) if (1..=MAX_ROOT_DAYS).contains(&days) => {
                self.now().floor_to_second().after(DAY * days)
            }
            Some(days) => return Err(RepositoryError::Days(days)),
        };
        let next = Signed::unsigned(Root::new(version, expires, &rules)?);
        Ok(RootSigningRequest { current, next })
    }
}

impl RootSigningRequest {
    /// Reads a request, and checks the signatures of the current root.
    ///
    /// # Errors
    /// See [`CeremonyError`].
    pub fn parse(text: &[u8]) -> Result<Self, CeremonyError> {
        if text.len() > MAX_REQUEST {
            return Err(CeremonyError::TooLarge);
        }
        let file: RequestFile = serde_json::from_slice(text).map_err(CeremonyError::Json)?;
        if file.kind != REQUEST_KIND || file.version != REQUEST_VERSION {
            return Err(CeremonyError::Kind);
        }
        let current = Signed::parse_root(file.present_root.get().as_bytes())?;
        let next = Signed::parse_root(file.next_root.get().as_bytes())?;
        let verified = current.body().verify(&current);
        verified.map_err(|_| CeremonyError::Current)?;
        let (old, new) = (current.body().version(), next.body().version());
        if old.next() != Some(new) {
            return Err(CeremonyError::Order {
                current: old,
                next: new,
            });
        }
        Ok(Self { current, next })
    }

    /// The request as a file.
    ///
    /// # Errors
    /// None in practice: both roots are JSON already.
    pub fn to_json(&self) -> Result<String, CeremonyError> {
        let raw = |root: &Signed<Root>| {
            let text = String::from_utf8_lossy(root.bytes()).into_owned();
            RawValue::from_string(text).map_err(CeremonyError::Json)
        };
        let (current, next) = (raw(&self.current)?, raw(&self.next)?);
        let file = RequestText {
            kind: REQUEST_KIND,
            version: REQUEST_VERSION,
            present_root: &current,
            next_root: &next,
        };
        serde_json::to_string(&file).map_err(CeremonyError::Json)
    }

    /// The changes from the current root to the next.
    pub fn changes(&self) -> Vec<RootChange> {
        RootChange::between(self.current.body(), self.next.body())
    }

    /// The current root.
    pub const fn current(&self) -> &Signed<Root> {
        &self.current
    }

    /// The root to be signed.
    pub const fn next(&self) -> &Signed<Root> {
        &self.next
    }

    /// Adds a signature by a key of either root.
    ///
    /// # Errors
    /// The key is in neither root, or there is no randomness.
    pub fn sign(&mut self, key: &SigningKey) -> Result<KeyId, CeremonyError> {
        let id = KeyId::of(key.public_key()).ok_or(SignError::KeyKind)?;
        let has = |root: &Signed<Root>| root.body().role(Role::Root).keyids.contains(&id);
        if !has(&self.current) && !has(&self.next) {
            return Err(CeremonyError::Unauthorized(id));
        }
        self.next.add_signature(key)?;
        Ok(id)
    }

    /// Adds the signatures of another copy of the request.
    ///
    /// # Errors
    /// The copy is for another root.
    pub fn merge(&mut self, other: &Self) -> Result<(), CeremonyError> {
        if self.next.merge(&other.next) {
            Ok(())
        } else {
            Err(CeremonyError::Different)
        }
    }

    /// Checks that the thresholds of both roots are met (TUF specification §5.3.4).
    ///
    /// # Errors
    /// Signatures are missing.
    pub fn check_complete(&self) -> Result<(), CeremonyError> {
        self.current
            .check_successor(&self.next)
            .map_err(CeremonyError::Incomplete)
    }
}

#[cfg(test)]
mod tests;
