//! Use cases. Each service owns its error type and declares the ports it needs; adapters fill them.

pub(crate) mod account;
pub(crate) mod authority;
pub(crate) mod ca;
pub(crate) mod ctlog;
pub(crate) mod issuer;
pub(crate) mod ledger;
pub(crate) mod oidc;
pub(crate) mod random;
pub(crate) mod rekor;
pub(crate) mod roster;
pub(crate) mod sign;
pub(crate) mod timestamp;
pub(crate) mod trust;
pub(crate) mod verify;
