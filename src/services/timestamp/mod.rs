//! The timestamp authority (RFC 3161): unique serial numbers, and a time that never goes backwards,
//! across restarts too.

mod floor;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::classify::{Classify, ErrorClass};
use crate::protocol::keys::SigningFailed;
use crate::protocol::time::{Clock, UnixTime, Validity};
use crate::protocol::tsp::{self, PkiFailure, RequestError, Serial, TimestampRequest, TokenSigner};
use crate::protocol::x509::Certificate;
use crate::services::authority::Authority;
use crate::services::ledger::{Ledger, LedgerError};

use floor::Floor;
pub(crate) use floor::{FloorError, OpenTimestampsError};

/// Where serial numbers come from: 20 random bytes for each call, or none if there is no
/// randomness.
pub(crate) type SerialSource = Box<dyn Fn() -> Option<[u8; 20]> + Send + Sync>;

/// The authority that answers timestamp requests.
pub(crate) struct TimestampAuthority {
    signer: TokenSigner,
    chain: Vec<Certificate>,
    /// When every certificate of the chain is valid.
    validity: Validity,
    floor: Floor,
    clock: Arc<dyn Clock>,
    serials: SerialSource,
    issued: Arc<AtomicU64>,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StampError {
    /// The request is not one that is answered
    #[error(transparent)]
    Request(#[from] RequestError),
    /// Another policy than ours was asked for
    #[error("the policy asked for is not offered; the only one is {}", tsp::POLICY)]
    Policy,
    /// The clock, or the record of it, cannot be relied upon
    #[error(transparent)]
    Time(#[from] FloorError),
    /// The clock is outside the validity of the authority's own certificates
    #[error("the timestamp authority's certificates are not valid at {0}")]
    CertificateNotValid(UnixTime),
    /// The operating system gave no randomness
    #[error("the operating system gave no randomness")]
    NoRandomness,
}

impl StampError {
    /// What RFC 3161 §2.4.2 calls this failure.
    pub(crate) const fn failure(&self) -> PkiFailure {
        match self {
            Self::Request(error) => error.failure(),
            Self::Policy => PkiFailure::UnacceptedPolicy,
            Self::Time(FloorError::Backwards { .. }) | Self::CertificateNotValid(_) => {
                PkiFailure::TimeNotAvailable
            }
            Self::Time(FloorError::Ledger(_) | FloorError::Stopped) | Self::NoRandomness => {
                PkiFailure::SystemFailure
            }
        }
    }

    /// The refusal as a DER TimeStampResp.
    pub(crate) fn to_response(&self) -> Vec<u8> {
        tsp::rejection(self.failure(), &self.to_string())
    }
}

impl Classify for StampError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Request(_) | Self::Policy => ErrorClass::Invalid,
            Self::Time(FloorError::Ledger(LedgerError::ReadOnly))
            | Self::CertificateNotValid(_) => ErrorClass::OperatorNeeded,
            Self::Time(
                FloorError::Backwards { .. } | FloorError::Ledger(_) | FloorError::Stopped,
            ) => ErrorClass::Busy,
            Self::NoRandomness => ErrorClass::Internal,
        }
    }
}

impl From<SigningFailed> for StampError {
    fn from(SigningFailed: SigningFailed) -> Self {
        Self::NoRandomness
    }
}

impl TimestampAuthority {
    /// Opens the authority and reads the last second it has spoken for. Blocks on storage.
    ///
    /// # Errors
    /// The record could not be read.
    pub(crate) fn open(
        authority: Authority,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        serials: SerialSource,
    ) -> Result<Self, OpenTimestampsError> {
        let validity = authority.validity();
        let (chain, key) = authority.into_parts();
        let leaf = chain.first().expect("an authority has a certificate");
        Ok(Self {
            signer: TokenSigner::new(key, leaf)?,
            chain,
            validity,
            floor: Floor::open(ledger)?,
            clock,
            serials,
            issued: Arc::default(),
        })
    }

    /// Answers a request with a DER TimeStampResp that grants a token.
    ///
    /// The first token of a second waits until that second is on record; all others only sign.
    ///
    /// # Errors
    /// See [`StampError`]. Nothing was issued then.
    pub(crate) async fn stamp(&self, request: &TimestampRequest) -> Result<Vec<u8>, StampError> {
        if request.policy().is_some_and(|policy| policy != tsp::POLICY) {
            return Err(StampError::Policy);
        }
        // Before the floor rises: a clock that leapt beyond the certificates must not raise it.
        self.check_validity(self.clock.now().floor_to_second())?;
        let time = self.floor.advance(self.clock.as_ref()).await?;
        self.check_validity(time)?;
        let serial = (self.serials)().ok_or(StampError::NoRandomness)?;
        let response = self
            .signer
            .grant(request, Serial::from_random(serial), time)?;
        self.issued.fetch_add(1, Ordering::Relaxed);
        Ok(response)
    }

    fn check_validity(&self, time: UnixTime) -> Result<(), StampError> {
        if self.validity.contains(time) {
            Ok(())
        } else {
            Err(StampError::CertificateNotValid(time))
        }
    }

    /// How many timestamps were issued since the start.
    pub(crate) const fn issued(&self) -> &Arc<AtomicU64> {
        &self.issued
    }

    /// The authority's certificates, the signing leaf first, the root last.
    pub(crate) fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// Whether the clock allows tokens now: it has not gone back, and the certificates are valid.
    pub(crate) fn is_ready(&self) -> bool {
        let now = self.clock.now().floor_to_second();
        self.validity.contains(now) && self.floor.allows(now)
    }
}

#[cfg(test)]
mod tests;
