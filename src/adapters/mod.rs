//! Translation: the only code that knows a framework, a disk or a clock.

pub mod admin;
pub mod cli;
pub mod http;
pub mod outbound;
pub mod storage;
pub mod system;
pub mod wire;
