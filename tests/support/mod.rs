//! What the integration tests share: instances in this process and as programs, clients, an issuer that
//! misbehaves on request, and a clock that the test moves.

pub mod account;
pub mod clock;
pub mod fake_issuer;
pub mod http;
pub mod mutate;
pub mod program;
pub mod server;
pub mod signing;
pub mod test_key;
