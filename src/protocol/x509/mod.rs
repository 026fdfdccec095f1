//! X.509 certificates as Sigstore uses them (RFC 5280, RFC 6962 §3.2–3.3, Fulcio's profile).
//! Pure: no I/O, no clock.

mod certificate;
pub(crate) mod chain;
pub(crate) mod extensions;
mod names;
pub(crate) mod profile;
pub(crate) mod request;
pub(crate) mod sct;
mod signature;
mod tbs;
#[cfg(test)]
pub(crate) mod testing;
mod tls;

pub use certificate::Certificate;
pub(crate) use certificate::{CertificateError, integer_magnitude};
pub(crate) use chain::PathError;
pub(crate) use chain::Purpose;
pub(crate) use chain::TrustedAuthority;
pub(crate) use chain::VerifiedPath;
pub use chain::verify_path;
pub(crate) use chain::{common_validity, verify_chain};
pub(crate) use sct::SctError;
pub(crate) use sct::TrustedCtLog;
pub use sct::VerifiedSct;
pub use sct::verify_scts;
pub(crate) use signature::SignatureAlgorithm;
pub(crate) use tls::VectorTooLong;
