//! Journeys through the library as a whole, over real sockets: one module each, one binary for all.
#![cfg(test)]

mod conformance;
mod differential;
mod identity;
mod program;
mod signing;
#[path = "../support/mod.rs"]
mod support;
mod tampering;
