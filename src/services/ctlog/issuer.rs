//! The certificates above the logged ones, which data tiles name by fingerprint alone
//! (C2SP static-ct-api).
//!
//! An issuer is found by its fingerprint as a search key of a leaf that was submitted with it. One
//! leaf is enough, so that only the first with a new issuer, after each start, carries the key.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::{CtError, CtLog};
use crate::log::ReadError;
use crate::protocol::bytes::Sha256;
use crate::protocol::x509::Certificate;
use crate::protocol::x509::sct::PrecertChain;

/// The issuers that are known, and those that a leaf leads to.
pub(super) struct Issuers {
    /// The authority's own, the issuing one first, its root last.
    pub(super) current: Vec<Certificate>,
    recorded: Mutex<HashSet<Sha256>>,
}

impl Issuers {
    pub(super) fn new(current: Vec<Certificate>) -> Self {
        Self {
            current,
            recorded: Mutex::default(),
        }
    }

    /// The fingerprints of a chain for which no leaf is known that leads to the certificate.
    pub(super) fn unrecorded(&self, chain: &[Certificate]) -> Vec<Sha256> {
        let recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        let fingerprints = chain.iter().map(|issuer| Sha256::of(issuer.der()));
        fingerprints
            .filter(|fingerprint| !recorded.contains(fingerprint))
            .collect()
    }

    /// A leaf with these keys is durable.
    pub(super) fn record(&self, fingerprints: Vec<Sha256>) {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.extend(fingerprints);
    }
}

impl CtLog {
    /// The certificate in DER whose SHA-256 this is, if an entry was submitted with it above the
    /// precertificate, or if it is one of the authority's own.
    ///
    /// # Errors
    /// There is none, or storage cannot be read.
    pub(crate) fn issuer(&self, fingerprint: &Sha256) -> Result<Vec<u8>, CtError> {
        let mut current = self.issuers.current.iter().map(Certificate::der);
        if let Some(issuer) = current.find(|der| Sha256::of(der) == *fingerprint) {
            return Ok(issuer.to_vec());
        }
        let found = self.log.search(fingerprint, None, 1)?;
        let index = found.first().ok_or(CtError::UnknownIssuer)?.get();
        for leaf in self.log.leaves(index..index.saturating_add(1))? {
            let chain = PrecertChain::parse(&leaf.extra).ok_or(ReadError::Storage)?;
            let mut issuers = chain.issuers.into_iter();
            if let Some(issuer) = issuers.find(|der| Sha256::of(der) == *fingerprint) {
                return Ok(issuer.to_vec());
            }
        }
        Err(CtError::Read(ReadError::Storage))
    }
}
