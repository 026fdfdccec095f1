//! What journeys need: instances in this process and as programs, an issuer that can be told to
//! misbehave, and a clock that can be set.

pub mod clock;
pub mod fake_issuer;
pub mod http;
pub mod instance;
pub mod mutate;
pub mod program;
pub mod server;
pub mod signing;
pub mod test_key;
