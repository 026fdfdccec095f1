//! How a root follows another: by the server's own key, or by people who sign with keys that the
//! server never sees.
//!
//! A signing request is a file that goes from the server to each of them and back. It carries the
//! present root too, so that a machine without a network can tell what would change.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::renewal::DAY;
use super::repository::{RepositoryError, TrustRepository, expiry};
use crate::protocol::keys::{PublicKey, SigningKey};
use crate::protocol::tuf::{
    KeyId, Metadata, MetadataError, Role, Root, RootChange, SignError, Signed, SuccessionError,
    Version,
};

/// What the next root should be; what is not said stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Proposal {
    /// The root's keys
    pub keys: Option<Vec<PublicKey>>,
    /// How many of them must sign
    pub threshold: Option<u32>,
    /// How many days it lasts from now on, 1 to [`MAX_ROOT_DAYS`]; 365 where nothing is said
    pub days: Option<u32>,
}

/// The longest life of a root: longer, and nobody remembers how it is renewed.
pub(crate) const MAX_ROOT_DAYS: u32 = 3650;

/// A root that waits for signatures, with the one that it would follow.
#[derive(Clone, Debug)]
pub struct SigningRequest {
    present: Signed<Root>,
    next: Signed<Root>,
}

/// Why a signing request cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    /// Not a signing request
    #[error("this is no signing request: {0}")]
    Form(#[source] serde_json::Error),
    /// Of another kind or version
    #[error("this is no signing request of version {REQUEST_VERSION}")]
    Kind,
    /// Longer than a request can be
    #[error("a signing request has at most {MAX_REQUEST} bytes")]
    TooLarge,
    /// A root that cannot be read
    #[error("this signing request has no root: {0}")]
    Metadata(#[from] MetadataError),
    /// The present root has not signed itself
    #[error("the present root in this signing request is not signed by its own keys")]
    Present,
    /// The roots are not one after the other
    #[error("this signing request is for root version {next}, which does not follow {present}")]
    Order {
        /// What there is
        present: Version,
        /// What is asked for
        next: Version,
    },
    /// A key that nobody asked for
    #[error("the key {0} has no say: it is neither in the present root nor in the next")]
    NoSay(KeyId),
    /// It could not be signed
    #[error("it could not be signed: {0}")]
    Sign(#[from] SignError),
    /// Requests for different roots
    #[error("the signing requests are for different roots")]
    Different,
    /// Not enough signatures
    #[error("signatures are missing: {0}")]
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

/// Room for two roots with all the keys and signatures that they may have, in bytes.
const MAX_REQUEST: usize = 256 << 10;

impl TrustRepository {
    /// Signs the root that follows the present one, with the same keys and 365 days from now, and
    /// makes it count.
    ///
    /// # Errors
    /// The root's keys are not all here, or it could not be kept.
    pub fn renew_root(&self) -> Result<Signed<Root>, RepositoryError> {
        let present = self.root().ok_or(RepositoryError::NotBegun)?;
        let key = self.own_root_key(present.body())?;
        let mut request = self.propose(&Proposal::default())?;
        request.next.add_signature(key)?;
        self.install_root(&request.next)?;
        Ok(request.next)
    }

    /// Drafts the root that would follow the present one.
    ///
    /// # Errors
    /// There is none, or the proposal makes no root.
    pub fn propose(&self, proposal: &Proposal) -> Result<SigningRequest, RepositoryError> {
        let present = self.root().ok_or(RepositoryError::NotBegun)?;
        let mut rules = present.body().rules().ok_or(RepositoryError::OnlineRoles)?;
        if let Some(keys) = &proposal.keys {
            rules.root_keys.clone_from(keys);
        }
        rules.threshold = proposal.threshold.unwrap_or(rules.threshold);
        let version = present.body().version().next();
        let version = version.ok_or(RepositoryError::LastVersion(Role::Root))?;
        let expires = match proposal.days {
            None => expiry(Role::Root, self.now()),
            Some(days) if (1..=MAX_ROOT_DAYS).contains(&days) => {
                self.now().floor_to_second().after(DAY.saturating_mul(days))
            }
            Some(days) => return Err(RepositoryError::Days(days)),
        };
        let next = Signed::unsigned(Root::new(version, expires, &rules)?);
        Ok(SigningRequest { present, next })
    }
}

impl SigningRequest {
    /// Reads a request. Both roots are read whole; the present one has signed itself.
    ///
    /// # Errors
    /// See [`CeremonyError`].
    pub fn parse(text: &[u8]) -> Result<Self, CeremonyError> {
        if text.len() > MAX_REQUEST {
            return Err(CeremonyError::TooLarge);
        }
        let file: RequestFile = serde_json::from_slice(text).map_err(CeremonyError::Form)?;
        if file.kind != REQUEST_KIND || file.version != REQUEST_VERSION {
            return Err(CeremonyError::Kind);
        }
        let present = Signed::parse_root(file.present_root.get().as_bytes())?;
        let next = Signed::parse_root(file.next_root.get().as_bytes())?;
        present
            .body()
            .verify(&present)
            .map_err(|_| CeremonyError::Present)?;
        let (old, new) = (present.body().version(), next.body().version());
        if old.next() != Some(new) {
            return Err(CeremonyError::Order {
                present: old,
                next: new,
            });
        }
        Ok(Self { present, next })
    }

    /// The request as a file.
    ///
    /// # Errors
    /// Never in practice: both roots are JSON already.
    pub fn to_json(&self) -> Result<String, CeremonyError> {
        let raw = |root: &Signed<Root>| {
            let text = String::from_utf8_lossy(root.bytes()).into_owned();
            RawValue::from_string(text).map_err(CeremonyError::Form)
        };
        let (present, next) = (raw(&self.present)?, raw(&self.next)?);
        let file = RequestText {
            kind: REQUEST_KIND,
            version: REQUEST_VERSION,
            present_root: &present,
            next_root: &next,
        };
        serde_json::to_string(&file).map_err(CeremonyError::Form)
    }

    /// What the next root would change.
    pub fn changes(&self) -> Vec<RootChange> {
        RootChange::between(self.present.body(), self.next.body())
    }

    /// The root that would be followed.
    pub const fn present(&self) -> &Signed<Root> {
        &self.present
    }

    /// The root that is asked for.
    pub const fn next(&self) -> &Signed<Root> {
        &self.next
    }

    /// Adds a signature, by a key that has a say in either root.
    ///
    /// # Errors
    /// The key has no say, or there was no randomness.
    pub fn sign(&mut self, key: &SigningKey) -> Result<KeyId, CeremonyError> {
        let id = KeyId::of(key.public_key()).ok_or(SignError::Kind)?;
        let says = |root: &Signed<Root>| root.body().role(Role::Root).keyids.contains(&id);
        if !says(&self.present) && !says(&self.next) {
            return Err(CeremonyError::NoSay(id));
        }
        self.next.add_signature(key)?;
        Ok(id)
    }

    /// Takes over the signatures of another copy.
    ///
    /// # Errors
    /// It is for another root.
    pub fn merge(&mut self, other: &Self) -> Result<(), CeremonyError> {
        if self.next.merge(&other.next) {
            Ok(())
        } else {
            Err(CeremonyError::Different)
        }
    }

    /// Demands the signatures that both roots want.
    ///
    /// # Errors
    /// Some are missing.
    pub fn check_complete(&self) -> Result<(), CeremonyError> {
        self.present
            .check_successor(&self.next)
            .map_err(CeremonyError::Incomplete)
    }
}

#[cfg(test)]
mod tests;
