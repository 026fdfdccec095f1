//! Use cases. Each service owns its error type and declares the ports it needs; adapters fill them.

pub mod account;
pub mod ca;
pub mod ctlog;
pub mod issuer;
pub mod ledger;
pub mod log;
pub mod oidc;
pub mod rekor;
pub mod timestamp;
pub mod trust;
pub mod verify;
