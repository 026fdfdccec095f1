//! What journeys need: an issuer that can be told to misbehave, and a clock that can be set.

pub mod clock;
pub mod fake_issuer;
pub mod instance;
pub mod test_key;
