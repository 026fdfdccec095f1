//! Moments, windows of time, and the clock that services are given. Nothing here reads a clock.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted. In JSON and TOML it
/// is an RFC 3339 text.
///
/// Arithmetic saturates: moments come from tokens and log entries that anybody can write, are only
/// compared, and the first or last moment compares as the true result would.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The moment `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// The moment `seconds` seconds after the epoch.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// This moment without its fraction of a second.
    pub const fn floor_to_second(self) -> Self {
        Self::from_seconds(self.seconds())
    }

    /// The moment `duration` later, at most the last one that can be represented.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// The moment `duration` earlier, at least the epoch.
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// Reads an RFC 3339 time; none for any other text and for moments before the epoch.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        u64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000))
            .ok()
            .map(Self)
    }

    /// RFC 3339 in UTC to the second, `2026-01-31T09:30:00Z`.
    pub fn to_rfc3339(self) -> String {
        self.floor_to_second()
            .to_offset_date_time()
            .format(&Rfc3339)
            .expect("RFC 3339 has the years 1970 to 9999")
    }

    /// The same moment in the `time` crate's type, at most 9999-12-31T23:59:59Z: later moments
    /// can be written neither in RFC 3339 nor in X.509.
    pub fn to_offset_date_time(self) -> OffsetDateTime {
        const LAST_MILLI: u64 = 253_402_300_799_000;
        let nanos = i128::from(self.0.min(LAST_MILLI)) * 1_000_000;
        OffsetDateTime::from_unix_timestamp_nanos(nanos).expect("the year is 1970 to 9999")
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

impl Serialize for UnixTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UnixTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // Without an offset, a time of day is a different moment in every time zone.
        Self::from_rfc3339(&text).ok_or_else(|| {
            de::Error::custom("must be a time with its offset, as in 2026-11-20T12:00:00Z")
        })
    }
}

/// A window of time. Both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first moment.
    pub start: UnixTime,
    /// The last moment; none if the window is open.
    pub end: Option<UnixTime>,
}

impl Validity {
    /// From the epoch on, without end.
    pub const ALWAYS: Self = Self {
        start: UnixTime::from_millis(0),
        end: None,
    };

    /// Whether the moment is in the window.
    pub fn contains(&self, moment: UnixTime) -> bool {
        self.start <= moment && self.end.is_none_or(|end| moment <= end)
    }

    /// Whether the window contains no moment.
    pub fn is_empty(&self) -> bool {
        self.end.is_some_and(|end| end < self.start)
    }

    /// The moments that are in both windows; possibly none.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self {
            start: self.start.max(other.start),
            end: [self.end, other.end].into_iter().flatten().min(),
        }
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {}", self.start)?;
        match self.end {
            Some(end) => write!(f, " to {end}"),
            None => f.write_str(" on"),
        }
    }
}

/// The port through which services read the time. `adapters::system` implements it.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> UnixTime;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: u64, end: Option<u64>) -> Validity {
        Validity {
            start: UnixTime::from_seconds(start),
            end: end.map(UnixTime::from_seconds),
        }
    }

    #[test]
    fn a_window_includes_both_of_its_ends() {
        let window = window(10, Some(20));

        assert!(window.contains(UnixTime::from_seconds(10)));
        assert!(window.contains(UnixTime::from_seconds(20)));
        assert!(!window.contains(UnixTime::from_millis(20_001)));
        assert!(!window.contains(UnixTime::from_millis(9_999)));
    }

    #[test]
    fn windows_intersect_from_the_later_start_to_the_earlier_end() {
        let common = window(10, Some(20)).intersection(window(15, None));

        assert_eq!(common, window(15, Some(20)));
        assert!(!common.is_empty());
        assert!(common.intersection(window(21, None)).is_empty());
        assert_eq!(Validity::ALWAYS.intersection(common), common);
    }

    #[test]
    fn rfc3339_is_read_and_written() {
        let moment = UnixTime::from_rfc3339("2026-01-31T10:30:00.250+01:00").unwrap();

        assert_eq!(moment.millis() % 1000, 250);
        assert_eq!(moment.to_rfc3339(), "2026-01-31T09:30:00Z");
        assert_eq!(UnixTime::from_rfc3339("1969-12-31T23:59:59Z"), None);
        for seconds in [253_402_300_799, u64::MAX] {
            let late = UnixTime::from_seconds(seconds);
            assert_eq!(late.to_rfc3339(), "9999-12-31T23:59:59Z");
        }
    }
}
