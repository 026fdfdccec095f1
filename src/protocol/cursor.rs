//! Reading binary formats off the front of a byte string: big-endian integers, and fields with their
//! length before them.

/// The unread rest of a byte string. Every method returns none, and reads nothing, where too few bytes
/// are left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// None unless every byte was read.
    pub(crate) fn finish(self) -> Option<()> {
        self.is_empty().then_some(())
    }

    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A field with its length in `N` bytes before it; `N` is at most 4.
    pub(crate) fn field<const N: usize>(&mut self) -> Option<&'a [u8]> {
        let mut after = *self;
        let length = after.array::<N>()?;
        let length = length
            .iter()
            .fold(0, |length, byte| (length << 8) | usize::from(*byte));
        let field = after.take(length)?;
        *self = after;
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_fields_are_read_in_order() {
        let mut cursor = Cursor::new(&[1, 0, 2, 0, 0, 0, 3, 0, 2, 7, 8, 0, 0, 0, 9]);

        assert_eq!(cursor.u8(), Some(1));
        assert_eq!(cursor.u16(), Some(2));
        assert_eq!(cursor.u32(), Some(3));
        assert_eq!(cursor.field::<2>(), Some(&[7, 8][..]));
        assert_eq!(cursor.field::<3>(), Some(&[][..]));
        assert_eq!(cursor.finish(), None);
        assert_eq!(cursor.take(1), Some(&[9][..]));
        assert_eq!(cursor.finish(), Some(()));
    }

    #[test]
    fn nothing_is_read_where_too_little_is_left() {
        let mut cursor = Cursor::new(&[0, 0, 0, 4, 1, 2, 3]);

        assert_eq!(cursor.field::<4>(), None);
        assert_eq!(cursor.u64(), None);
        assert_eq!(cursor.take(8), None);
        assert_eq!(cursor.rest().len(), 7);
    }
}
