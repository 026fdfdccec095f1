//! Journeys through the library as a whole, over real sockets: one module each, one binary for all.
#![cfg(test)]

mod abuse;
mod conformance;
mod differential;
mod discovery;
mod grpc;
mod identity;
mod issuers;
mod metrics;
mod policies;
mod program;
mod readonly;
mod rekor_v1;
mod signing;
#[path = "../support/mod.rs"]
mod support;
mod tampering;
mod time;
mod tls;
mod tuf;
mod upgrade;
mod verification;
