//! Vectors of the TLS presentation language (RFC 5246 §4.3), which RFC 6962 uses: a length of two or
//! three bytes, and the content. `protocol::cursor` reads them.

/// A vector is longer than its length field can express.
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
