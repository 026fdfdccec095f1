//! X.509 certificates as Sigstore uses them (RFC 5280, RFC 6962 §3.2–3.3, Fulcio's profile).
//! Pure: no I/O, no clock.

mod certificate;
pub mod chain;
pub mod extensions;
mod names;
pub mod profile;
pub mod request;
pub mod sct;
mod signature;
mod tbs;
#[cfg(test)]
pub(crate) mod testing;
mod tls;

pub use certificate::{Certificate, CertificateError, MAX_CERTIFICATE_LENGTH};
pub use chain::{PathError, Purpose, TrustedAuthority, VerifiedPath, verify_chain, verify_path};
pub use sct::{SctError, TrustedCtLog, VerifiedSct, verify_scts};
pub use signature::SignatureAlgorithm;
pub use tls::VectorTooLong;
