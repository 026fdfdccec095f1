//! Port for random bytes. Services get a [`Rng`] as an argument; `adapters::system` provides the
//! operating system's.

/// Error of a random source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system supplied no random bytes")]
pub struct NoRandomness;

/// A source of cryptographically secure random bytes.
#[derive(Clone, Copy)]
pub(crate) struct Rng(fn(&mut [u8]) -> Result<(), NoRandomness>);

impl Rng {
    /// `fill` fills the whole buffer or fails.
    pub(crate) const fn new(fill: fn(&mut [u8]) -> Result<(), NoRandomness>) -> Self {
        Self(fill)
    }

    pub(crate) fn bytes<const N: usize>(self) -> Result<[u8; N], NoRandomness> {
        let mut bytes = [0; N];
        (self.0)(&mut bytes)?;
        Ok(bytes)
    }
}
