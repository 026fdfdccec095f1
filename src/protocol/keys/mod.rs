//! Public keys, signatures and the algorithms that bind them.
//!
//! A [`PublicKey`] is a checked key: parsing it refuses weak, malformed and unknown keys, so whoever
//! holds one need not ask again. A signature check answers with [`SignatureValid`], a value that
//! nothing else can make.

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
pub(crate) use public::KeyError;
pub use public::PublicKey;
pub(crate) use public::SignatureInvalid;
pub(crate) use public::SignatureValid;
pub(crate) use signing::SigningFailed;
pub use signing::SigningKey;
pub(crate) use signing::SigningKeyError;
