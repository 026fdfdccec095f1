//! What is kept beside a leaf and not hashed: when the log took it.

/// The one layout there is: a byte for its version, and the seconds in eight bytes, the highest first.
const VERSION: u8 = 1;

/// When an entry was taken, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) integrated_time: u64,
}

impl Kept {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.integrated_time.to_be_bytes());
        bytes
    }

    /// None for bytes of another version or length.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, seconds) = bytes.split_first()?;
        let integrated_time = u64::from_be_bytes(seconds.try_into().ok()?);
        (*version == VERSION).then_some(Self { integrated_time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_stays() {
        let kept = Kept {
            integrated_time: 1_700_000_000,
        };

        let bytes = kept.encode();

        assert_eq!(hex::encode(&bytes), "01000000006553f100");
        assert_eq!(Kept::decode(&bytes), Some(kept));
        for other in [
            "",
            "01",
            "02000000006553f100",
            "0100000000006553f100",
            "01006553f100",
        ] {
            assert_eq!(Kept::decode(&hex::decode(other).unwrap()), None, "{other}");
        }
    }
}
