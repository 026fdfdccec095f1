//! Translation: the only code that knows a framework, a disk or a clock.

pub(crate) mod admin;
pub(crate) mod http;
pub(crate) mod keystore;
pub(crate) mod outbound;
pub(crate) mod storage;
pub(crate) mod system;
pub(crate) mod telemetry;
pub(crate) mod web;
pub(crate) mod wire;
