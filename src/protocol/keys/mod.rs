//! Public keys, signatures and the algorithms that bind them.
//!
//! A [`PublicKey`] is a checked key: weak, malformed and unknown keys are refused when they are parsed.
//! Only a signature check constructs a [`SignatureValid`].

mod algorithm;
mod digest_signature;
mod ephemeral;
mod parts;
mod public;
mod signing;
#[cfg(test)]
mod wycheproof;

pub use algorithm::{KeyAlgorithm, KeyDetails};
pub use ephemeral::EphemeralKey;
pub(crate) use parts::ecdsa_signature;
pub use public::PublicKey;
pub(crate) use public::{KeyError, SignatureInvalid, SignatureValid};
pub use signing::SigningKey;
pub(crate) use signing::{SigningFailed, SigningKeyError};
