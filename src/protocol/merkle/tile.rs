//! Tiles: pieces of the rows of a tree that do not change once they are full (C2SP tlog-tiles).

use std::fmt;

use super::{TreeSize, node_hash};
use crate::protocol::hash::Sha256;

/// The number of hashes or entries in a full tile.
pub const TILE_WIDTH: u16 = 256;

/// The number of tree levels that one level of tiles spans.
pub(crate) const TILE_HEIGHT: u8 = 8;

/// A piece of one row of the tree or of the entries, 1 to 256 items wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TileSpan {
    index: u64,
    width: u16,
}

/// A tile of hashes. Level `L` contains the tree's nodes of level `8·L`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TileId {
    level: u8,
    span: TileSpan,
}

/// Not the canonical form of a tile's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a tile path: level 0 to 63, index in groups of three digits, width 1 to 255")]
pub struct TilePathError;

impl TileSpan {
    /// # Errors
    /// A width other than 1 to 256, or an index whose items have no 64-bit number.
    pub fn new(index: u64, width: u16) -> Result<Self, TilePathError> {
        let fits = index.checked_mul(256).and_then(|i| i.checked_add(256));
        if width == 0 || width > TILE_WIDTH || fits.is_none() {
            return Err(TilePathError);
        }
        Ok(Self { index, width })
    }

    /// Parses `x001/x234/067` or `x001/x234/067.p/8` in its canonical form.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(path: &str) -> Result<Self, TilePathError> {
        let (index, width) = match path.split_once(".p/") {
            Some((index, width)) => (index, parse_width(width)?),
            None => (path, TILE_WIDTH),
        };
        Self::new(parse_index(index)?, width)
    }

    /// The number of items, 1 to 256.
    pub const fn width(self) -> u16 {
        self.width
    }

    /// The positions of its items in the row.
    pub fn range(self) -> std::ops::Range<u64> {
        let start = self.index * u64::from(TILE_WIDTH);
        start..start + u64::from(self.width)
    }
}

/// Parses a decimal number without sign and leading zero.
fn parse_plain(text: &str) -> Result<u64, TilePathError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return Err(TilePathError);
    }
    text.parse().map_err(|_| TilePathError)
}

fn parse_width(text: &str) -> Result<u16, TilePathError> {
    match parse_plain(text)? {
        width @ 1..=255 => u16::try_from(width).map_err(|_| TilePathError),
        _ => Err(TilePathError),
    }
}

fn parse_index(text: &str) -> Result<u64, TilePathError> {
    let mut groups = text.split('/').rev();
    let last = groups.next().ok_or(TilePathError)?;
    let mut digits = Vec::new();
    for group in groups {
        digits.push(group.strip_prefix('x').ok_or(TilePathError)?);
    }
    digits.reverse();
    digits.push(last);
    let three_digits = |group: &&str| group.len() == 3 && group.bytes().all(|b| b.is_ascii_digit());
    // A first group of zeros would be a second form of the number.
    let padded = digits.len() > 1 && digits.first() == Some(&"000");
    if padded || digits.len() > 7 || !digits.iter().all(three_digits) {
        return Err(TilePathError);
    }
    digits.concat().parse().map_err(|_| TilePathError)
}

impl fmt::Display for TileSpan {
    /// The part of a tile's path after its level.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups = Vec::new();
        let mut rest = self.index;
        loop {
            groups.push(rest % 1000);
            rest /= 1000;
            if rest == 0 {
                break;
            }
        }
        while let Some(group) = groups.pop() {
            if groups.is_empty() {
                write!(f, "{group:03}")?;
            } else {
                write!(f, "x{group:03}/")?;
            }
        }
        match self.width {
            TILE_WIDTH => Ok(()),
            width => write!(f, ".p/{width}"),
        }
    }
}

impl TileId {
    /// # Errors
    /// A level above 63.
    pub const fn new(level: u8, span: TileSpan) -> Result<Self, TilePathError> {
        if level > 63 {
            return Err(TilePathError);
        }
        Ok(Self { level, span })
    }

    /// Parses the two parts of `tile/<level>/<index and width>`.
    ///
    /// # Errors
    /// Text that is not in the canonical form.
    pub fn parse(level: &str, span: &str) -> Result<Self, TilePathError> {
        let level = u8::try_from(parse_plain(level)?).map_err(|_| TilePathError)?;
        Self::new(level, TileSpan::parse(span)?)
    }

    /// The level, 0 to 63.
    pub const fn level(self) -> u8 {
        self.level
    }

    /// The part of the row.
    pub const fn span(self) -> TileSpan {
        self.span
    }

    /// Whether a tree of this size contains all hashes of the tile.
    pub fn is_within(self, size: TreeSize) -> bool {
        let level = u32::from(self.level) * u32::from(TILE_HEIGHT);
        // No tree has nodes of level 64 or above.
        let row = size.get().checked_shr(level).unwrap_or(0);
        self.span.range().end <= row
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.level, self.span)
    }
}

/// The root of a complete subtree from the hashes of one of its rows; none unless their number is a
/// power of two.
pub(crate) fn tile_root(row: &[Sha256]) -> Option<Sha256> {
    if !row.len().is_power_of_two() {
        return None;
    }
    let mut row = row.to_vec();
    while row.len() > 1 {
        row = row
            .chunks_exact(2)
            .filter_map(|pair| match pair {
                [left, right] => Some(node_hash(left, right)),
                _ => None,
            })
            .collect();
    }
    row.first().copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_paths_of_the_specification_are_formatted_and_parsed() {
        for (index, width, path) in [
            (0, 256, "000"),
            (999, 256, "999"),
            (1_000, 256, "x001/000"),
            (1_234_067, 256, "x001/x234/067"),
            (1_234_067, 8, "x001/x234/067.p/8"),
            (0, 255, "000.p/255"),
        ] {
            let span = TileSpan::new(index, width).unwrap();

            assert_eq!(span.to_string(), path);
            assert_eq!(TileSpan::parse(path), Ok(span));
        }
    }

    #[test]
    fn paths_that_are_not_canonical_are_refused() {
        for path in [
            "",
            "0",
            "67",
            "0067",
            "x000/067",
            "x001/x000",
            "001/067",
            "x001",
            "x001/",
            "/000",
            "x001//067",
            "000.p/",
            "000.p/0",
            "000.p/256",
            "000.p/257",
            "000.p/01",
            "000.p/+1",
            "000.p/1/",
            "000.p/1.p/1",
            "000 ",
            "+00",
            "-01",
            "x001/..",
            "../000",
            "00\u{661}",
            "x999/x999/x999/x999/x999/x999/999",
            "000\0",
            "x01/000",
            "X001/000",
        ] {
            assert_eq!(TileSpan::parse(path), Err(TilePathError), "{path}");
        }
        for level in [
            "", "64", "00", "01", "+1", "256", "-1", "1e1", "0x1", "data",
        ] {
            assert_eq!(TileId::parse(level, "000"), Err(TilePathError), "{level}");
        }
        assert_eq!(TileId::parse("63", "000").unwrap().to_string(), "63/000");
    }

    #[test]
    fn a_tile_is_within_a_tree_only_with_all_its_hashes() {
        let tile = |level, span| TileId::parse(level, span).unwrap();

        assert!(tile("0", "001.p/44").is_within(TreeSize::new(300)));
        assert!(!tile("0", "001.p/45").is_within(TreeSize::new(300)));
        assert!(tile("1", "000.p/1").is_within(TreeSize::new(300)));
        assert!(!tile("1", "000.p/2").is_within(TreeSize::new(511)));
        assert!(!tile("8", "000.p/1").is_within(TreeSize::new(u64::MAX)));
        assert!(!tile("63", "000.p/1").is_within(TreeSize::new(u64::MAX)));
    }

    proptest! {
        #[test]
        fn formatted_paths_are_parsed(index in 0_u64..(1 << 55), width in 1_u16..=256) {
            let span = TileSpan::new(index, width).unwrap();
            prop_assert_eq!(TileSpan::parse(&span.to_string()), Ok(span));
        }

        #[test]
        fn parsed_paths_are_canonical(path in "[x0-9/.p]{0,20}") {
            if let Ok(span) = TileSpan::parse(&path) {
                prop_assert_eq!(span.to_string(), path);
            }
        }
    }
}
