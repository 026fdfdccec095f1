//! The time-stamp protocol (RFC 3161, RFC 5816). Pure: no I/O, no clock.

mod error;
mod oid;
pub(crate) mod request;
mod response;
mod signed_data;
mod signer_id;
#[cfg(test)]
pub(crate) mod testing;
mod token;
mod tst_info;
mod verify;
mod well_formed;

use const_oid::ObjectIdentifier;

pub(crate) use error::{MAX_RESPONSE, TimestampError};
pub(crate) use request::RequestError;
pub use request::TimestampRequest;
pub(crate) use response::{PkiFailure, rejection};
pub(crate) use token::TokenSignerError;
pub use token::{Serial, TokenSigner};
pub(crate) use tst_info::UnverifiedTstInfo;
pub(crate) use verify::verify_with_embedded_certificate;
pub use verify::{TrustedTsa, verify_reply, verify_response};

use crate::protocol::hash::HashAlgorithm;

/// The policy of Sigstore's timestamp authorities, the only one that Signet issues under.
pub(crate) const POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.2");

/// None for a hash that is not accepted.
fn accepted_hash(oid: ObjectIdentifier) -> Option<HashAlgorithm> {
    match oid {
        oid::SHA_256 => Some(HashAlgorithm::Sha256),
        oid::SHA_384 => Some(HashAlgorithm::Sha384),
        oid::SHA_512 => Some(HashAlgorithm::Sha512),
        _ => None,
    }
}

const fn hash_oid(hash: HashAlgorithm) -> ObjectIdentifier {
    match hash {
        HashAlgorithm::Sha256 => oid::SHA_256,
        HashAlgorithm::Sha384 => oid::SHA_384,
        HashAlgorithm::Sha512 => oid::SHA_512,
    }
}
