//! The TLS presentation language, as far as RFC 6962 uses it (RFC 5246 §4): big-endian integers
//! and vectors with a length before them.

/// Reads forward through bytes; none where they end too soon.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A vector whose length has two bytes.
    pub(super) fn vector16(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(u16::from_be_bytes(self.array()?));
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }

    /// A vector whose length has three bytes.
    pub(super) fn vector24(&mut self) -> Option<&'a [u8]> {
        let [a, b, c] = self.array()?;
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }
}

/// A vector is longer than its length field can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} bytes do not fit into a vector of the certificate-transparency format")]
pub struct VectorTooLong(pub usize);

/// Appends a vector whose length has two bytes.
pub(super) fn push_vector16(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), VectorTooLong> {
    let length = u16::try_from(bytes.len()).map_err(|_| VectorTooLong(bytes.len()))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

/// Appends a vector whose length has three bytes.
pub(super) fn push_vector24(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), VectorTooLong> {
    let length = u32::try_from(bytes.len()).map_err(|_| VectorTooLong(bytes.len()))?;
    let [0, length @ ..] = length.to_be_bytes() else {
        return Err(VectorTooLong(bytes.len()));
    };
    out.extend_from_slice(&length);
    out.extend_from_slice(bytes);
    Ok(())
}
