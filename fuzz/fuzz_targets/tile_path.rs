//! Every tile has exactly one path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signet::testing::{TILE_WIDTH, TileId, TileSpan, TreeSize};

fuzz_target!(|path: &str| {
    if let Ok(span) = TileSpan::parse(path) {
        assert_eq!(span.to_string(), path);
        assert!((1..=TILE_WIDTH).contains(&span.width()));
        let range = span.range();
        assert_eq!(range.end - range.start, u64::from(span.width()));
        assert_eq!(
            TileSpan::new(range.start / u64::from(TILE_WIDTH), span.width()),
            Ok(span)
        );
    }
    let Some((level, span)) = path.split_once('/') else {
        return;
    };
    if let Ok(tile) = TileId::parse(level, span) {
        assert_eq!(tile.to_string(), path);
        assert!(tile.level() <= 63);
        let end = tile.span().range().end;
        assert_eq!(
            tile.is_within(TreeSize::new(u64::MAX)),
            row(tile.level()) >= end
        );
        assert!(!tile.is_within(TreeSize::new(0)));
    }
});

/// Number of nodes at this tile level in the largest tree.
fn row(level: u8) -> u64 {
    u64::MAX.checked_shr(u32::from(level) * 8).unwrap_or(0)
}
