//! Translation between the services and frameworks, files, sockets and the clock.

pub(crate) mod admin;
pub(crate) mod http;
pub(crate) mod keystore;
pub(crate) mod outbound;
pub(crate) mod storage;
pub(crate) mod system;
pub(crate) mod telemetry;
pub(crate) mod web;
pub(crate) mod wire;
