//! Translation: the only code that knows a framework, a disk or a clock.

pub mod cli;
pub mod http;
pub mod keystore;
pub mod outbound;
pub mod system;
pub mod telemetry;
pub mod web;
