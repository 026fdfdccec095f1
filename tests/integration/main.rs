//! Integration tests over real sockets, against instances in this process and against the program.
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
