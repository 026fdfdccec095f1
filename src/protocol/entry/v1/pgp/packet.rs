//! Packets and the numbers in them (RFC 9580 §3.2, §4.2).

/// The most packets that one key or signature may have.
const MAX_PACKETS: usize = 256;

/// A signature.
pub(super) const SIGNATURE: u8 = 2;
/// A secret key.
pub(super) const SECRET_KEY: u8 = 5;
/// A primary key.
pub(super) const PUBLIC_KEY: u8 = 6;
/// A secret subkey.
pub(super) const SECRET_SUBKEY: u8 = 7;
/// A packet that says nothing.
pub(super) const MARKER: u8 = 10;
/// A name of the key's owner.
pub(super) const USER_ID: u8 = 13;
/// A subkey.
pub(super) const PUBLIC_SUBKEY: u8 = 14;

/// A packet whose body was not looked at.
#[derive(Clone, Debug)]
pub(super) struct Packet<'a> {
    pub(super) tag: u8,
    pub(super) body: &'a [u8],
}

impl Packet<'_> {
    /// Writes the packet in the current format, its length in the shortest form.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(0xc0 | self.tag);
        let length = u32::try_from(self.body.len()).unwrap_or(u32::MAX);
        match length {
            0..192 => out.extend(length.to_be_bytes().last()),
            192..8384 => {
                let two = u16::try_from(length.saturating_sub(192)).unwrap_or(u16::MAX);
                out.extend((two | 0xc000).to_be_bytes());
            }
            _ => {
                out.push(255);
                out.extend(length.to_be_bytes());
            }
        }
        out.extend(self.body);
    }
}

/// Splits bytes into packets, none left over. Bodies in pieces or without a length are refused: no
/// key or signature has them.
pub(super) fn split(bytes: &[u8]) -> Option<Vec<Packet<'_>>> {
    let mut reader = Reader(bytes);
    let mut packets = Vec::new();
    while !reader.0.is_empty() {
        if packets.len() == MAX_PACKETS {
            return None;
        }
        let first = reader.byte()?;
        let (tag, length) = match (first & 0x80, first & 0x40) {
            (0, _) => return None,
            (_, 0) => ((first >> 2) & 0x0f, reader.old_length(first & 3)?),
            _ => (first & 0x3f, reader.length()?),
        };
        packets.push(Packet {
            tag,
            body: reader.take(length)?,
        });
    }
    Some(packets)
}

/// Takes one thing after the other off the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let [byte] = self.array()?;
        Some(byte)
    }

    pub(super) fn u16(&mut self) -> Option<usize> {
        Some(usize::from(u16::from_be_bytes(self.array()?)))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.array()?))
    }

    fn long(&mut self) -> Option<usize> {
        usize::try_from(self.u32()?).ok()
    }

    /// A length in the current format of packets; one of subpackets has the same short forms.
    fn length(&mut self) -> Option<usize> {
        match self.byte()? {
            short @ 0..192 => Some(usize::from(short)),
            high @ 192..224 => self.two_octets(high),
            255 => self.long(),
            224..255 => None,
        }
    }

    /// A length of a subpacket (RFC 9580 §5.2.3.7), whose two octets reach further.
    pub(super) fn subpacket_length(&mut self) -> Option<usize> {
        match self.byte()? {
            short @ 0..192 => Some(usize::from(short)),
            high @ 192..255 => self.two_octets(high),
            255 => self.long(),
        }
    }

    fn two_octets(&mut self, high: u8) -> Option<usize> {
        let high = usize::from(high).checked_sub(192)?.checked_mul(256)?;
        high.checked_add(usize::from(self.byte()?))?
            .checked_add(192)
    }

    fn old_length(&mut self, kind: u8) -> Option<usize> {
        match kind {
            0 => self.byte().map(usize::from),
            1 => self.u16(),
            2 => self.long(),
            _ => None,
        }
    }

    /// A number with its length in bits (RFC 9580 §3.2), without leading zeros.
    pub(super) fn number(&mut self) -> Option<&'a [u8]> {
        let bits = self.u16()?;
        let number = self.take(bits.div_ceil(8))?;
        number
            .first()
            .is_some_and(|byte| *byte != 0)
            .then_some(number)
    }

    /// Insists that nothing is left.
    pub(super) fn finish(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_back_as_they_were_written() {
        for length in [0, 191, 192, 8383, 8384, 40_000] {
            let packet = Packet {
                tag: USER_ID,
                body: &vec![7; length],
            };
            let mut bytes = Vec::new();
            packet.write(&mut bytes);

            let read = split(&bytes).unwrap();
            assert_eq!((read[0].tag, read[0].body), (packet.tag, packet.body));
            assert_eq!(read.len(), 1);
        }
    }

    #[test]
    fn both_formats_of_headers_are_read_and_no_others() {
        for bytes in [
            &[0xb4, 1, b'a'][..],
            &[0xb5, 0, 1, b'a'],
            &[0xb6, 0, 0, 0, 1, b'a'],
            &[0xcd, 1, b'a'],
            &[0xcd, 255, 0, 0, 0, 1, b'a'],
        ] {
            let packets = split(bytes).unwrap();
            assert_eq!((packets[0].tag, packets[0].body), (USER_ID, &b"a"[..]));
        }
        for bytes in [
            &[0xb7, b'a'][..],
            &[0xcd, 224, b'a'],
            &[0x0d, 1, b'a'],
            &[0xcd, 2, b'a'],
        ] {
            assert!(split(bytes).is_none());
        }
        assert!(split(&[0xcd, 0].repeat(MAX_PACKETS + 1)).is_none());
    }
}
