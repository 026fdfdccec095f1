//! The timestamp authority (RFC 3161). Serial numbers are unique, and time never goes backwards, not even
//! across restarts.

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
use crate::services::random::{NoRandomness, Rng};

use floor::Floor;
pub(crate) use floor::{FloorError, OpenTimestampsError};

pub(crate) struct TimestampAuthority {
    signer: TokenSigner,
    chain: Vec<Certificate>,
    /// When every certificate of the chain is valid.
    validity: Validity,
    floor: Floor,
    clock: Arc<dyn Clock>,
    rng: Rng,
    issued: Arc<AtomicU64>,
}

/// Error issuing a timestamp.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StampError {
    /// A malformed or unsupported request
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(
        "the requested policy is not supported; the only one is {}",
        tsp::POLICY
    )]
    Policy,
    #[error(transparent)]
    Time(#[from] FloorError),
    #[error("the timestamp authority's certificates are not valid at {0}")]
    CertificateNotValid(UnixTime),
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

impl StampError {
    /// The failure code (RFC 3161 §2.4.2).
    pub(crate) const fn failure(&self) -> PkiFailure {
        match self {
            Self::Request(error) => error.failure(),
            Self::Policy => PkiFailure::UnacceptedPolicy,
            Self::Time(FloorError::Backwards { .. }) | Self::CertificateNotValid(_) => {
                PkiFailure::TimeNotAvailable
            }
            Self::Time(FloorError::Ledger(_) | FloorError::Stopped) | Self::Random(_) => {
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
            Self::Random(_) => ErrorClass::Internal,
        }
    }
}

impl From<SigningFailed> for StampError {
    fn from(SigningFailed: SigningFailed) -> Self {
        Self::Random(NoRandomness)
    }
}

impl TimestampAuthority {
    /// Opens the authority and reads its last second. Blocks on storage.
    ///
    /// # Errors
    /// The stored second cannot be read, or the key cannot sign tokens.
    pub(crate) fn open(
        authority: Authority,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        rng: Rng,
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
            rng,
            issued: Arc::default(),
        })
    }

    /// Issues a token and returns it in a DER TimeStampResp.
    ///
    /// The first token of a second waits until that second is stored; all others only sign.
    ///
    /// # Errors
    /// See [`StampError`].
    pub(crate) async fn stamp(&self, request: &TimestampRequest) -> Result<Vec<u8>, StampError> {
        if request.policy().is_some_and(|policy| policy != tsp::POLICY) {
            return Err(StampError::Policy);
        }
        // Checked first: a clock beyond the certificates' validity must not raise the floor.
        self.check_validity(self.clock.now().floor_to_second())?;
        let time = self.floor.advance(self.clock.as_ref()).await?;
        self.check_validity(time)?;
        let serial = Serial::from_random(self.rng.bytes()?);
        let response = self.signer.grant(request, serial, time)?;
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

    /// Number of timestamps issued since the start.
    pub(crate) const fn issued(&self) -> &Arc<AtomicU64> {
        &self.issued
    }

    /// The signing certificate first, the root last.
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
