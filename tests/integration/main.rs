//! Journeys through the library as a whole, over real sockets.
#![cfg(test)]

mod identity;
#[path = "../support/mod.rs"]
mod support;
