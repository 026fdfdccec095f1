//! Translation: the only code that knows a framework, a disk or a clock.

pub mod http;
pub mod storage;
pub mod system;
pub mod wire;
