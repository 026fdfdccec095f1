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
pub use parts::ecdsa_signature;
pub use public::{KeyError, PublicKey, SignatureInvalid, SignatureValid};
pub use signing::{SigningFailed, SigningKey, SigningKeyError};
