//! Moments, windows, and the clock that services are given. Nothing here reads a clock.

use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
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
        self.0.wrapping_div(1000)
    }

    /// This moment without its fraction of a second.
    pub const fn floor_to_second(self) -> Self {
        Self::from_seconds(self.seconds())
    }

    /// The moment `duration` later; stays at the last moment there is.
    pub fn after(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// The moment `duration` earlier; stays at the epoch.
    pub fn before(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// Reads an RFC 3339 time; moments before the epoch are refused.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        u64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000))
            .ok()
            .map(Self)
    }

    /// RFC 3339 in UTC to the second, `2026-01-31T09:30:00Z`.
    pub fn to_rfc3339(self) -> String {
        self.to_offset_date_time()
            .replace_nanosecond(0)
            .ok()
            .and_then(|moment| moment.format(&Rfc3339).ok())
            .unwrap_or_else(|| format!("@{}", self.seconds()))
    }

    /// The same moment in the `time` crate's type, held within the years it can write.
    pub fn to_offset_date_time(self) -> OffsetDateTime {
        // 9999-12-31T23:59:59Z, the last second that RFC 3339 and X.509 can write.
        const LAST_SECOND: u64 = 253_402_300_799;
        let seconds = i64::try_from(self.seconds().min(LAST_SECOND)).unwrap_or(0);
        let moment =
            OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let milli = u16::try_from(self.0.wrapping_rem(1000)).unwrap_or(0);
        moment.replace_millisecond(milli).unwrap_or(moment)
    }
}

impl fmt::Debug for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_rfc3339())
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

/// A window of time; both ends belong to it, and a missing end is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first moment within.
    pub start: UnixTime,
    /// The last moment within; none where the window is still open.
    pub end: Option<UnixTime>,
}

impl Validity {
    /// Whether the moment lies within, ends included.
    pub fn contains(&self, moment: UnixTime) -> bool {
        self.start <= moment && self.end.is_none_or(|end| moment <= end)
    }
}

/// Where services get the time from. The one real implementation is `adapters::system`.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> UnixTime;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_includes_both_of_its_ends() {
        let window = Validity {
            start: UnixTime::from_seconds(10),
            end: Some(UnixTime::from_seconds(20)),
        };

        assert!(window.contains(UnixTime::from_seconds(10)));
        assert!(window.contains(UnixTime::from_seconds(20)));
        assert!(!window.contains(UnixTime::from_millis(20_001)));
        assert!(!window.contains(UnixTime::from_millis(9_999)));
    }

    #[test]
    fn rfc3339_is_read_and_written() {
        let moment = UnixTime::from_rfc3339("2026-01-31T10:30:00.250+01:00").unwrap();

        assert_eq!(moment.millis() % 1000, 250);
        assert_eq!(moment.to_rfc3339(), "2026-01-31T09:30:00Z");
        assert_eq!(UnixTime::from_rfc3339("1969-12-31T23:59:59Z"), None);
        assert_eq!(
            UnixTime::from_seconds(u64::MAX).to_rfc3339(),
            "9999-12-31T23:59:59Z"
        );
    }
}
