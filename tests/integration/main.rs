//! Journeys through the whole: one module each, one binary for all.

mod conformance;
mod tampering;
