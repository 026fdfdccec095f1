//! Journeys through the library as a whole, over real sockets, and the public suite's cases.
#![cfg(test)]

mod conformance;
mod identity;
#[path = "../support/mod.rs"]
mod support;
mod tampering;
