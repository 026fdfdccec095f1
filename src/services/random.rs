//! Randomness as an argument, like the clock: services take a [`Rng`], and `adapters::system` has the
//! operating system's.

/// The operating system could not supply random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system supplied no random bytes")]
pub struct NoRandomness;

/// A source of cryptographically secure random bytes.
#[derive(Clone, Copy)]
pub(crate) struct Rng(fn(&mut [u8]) -> Result<(), NoRandomness>);

impl Rng {
    /// A source that fills a buffer by `fill`, whole or not at all.
    pub(crate) const fn new(fill: fn(&mut [u8]) -> Result<(), NoRandomness>) -> Self {
        Self(fill)
    }

    pub(crate) fn bytes<const N: usize>(self) -> Result<[u8; N], NoRandomness> {
        let mut bytes = [0; N];
        (self.0)(&mut bytes)?;
        Ok(bytes)
    }
}
