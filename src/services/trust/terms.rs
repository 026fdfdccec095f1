//! Validity of each role's metadata, when it is renewed, and when operators are warned.

use std::fmt;
use std::time::Duration;

use crate::protocol::time::UnixTime;
use crate::protocol::tuf::{Metadata, Role, Signed, Version};

pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

/// Maximum validity of a root, in days. After a decade the renewal procedure is easily forgotten.
pub(super) const MAX_ROOT_DAYS: u32 = 3650;

/// Days before the root's expiry at which operators are warned.
const ROOT_WARNINGS: [u32; 3] = [7, 30, 60];

/// How long a role's metadata is valid, and how long before its expiry it is signed again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    /// From signing to expiry
    pub validity: Duration,
    /// Metadata is renewed when its remaining validity is below this; none if people must sign it
    pub margin: Option<Duration>,
}

/// A server that is down for less than the margin leaves no client with expired metadata.
pub(super) fn term(role: Role) -> Term {
    match role {
        // The keys may be on other machines, so the operator starts the renewal.
        Role::Root => Term {
            validity: DAY * 365,
            margin: None,
        },
        Role::Targets | Role::Snapshot => Term {
            validity: DAY * 90,
            margin: Some(DAY * 30),
        },
        // Signed daily: a client that receives no update for a week detects that updates are withheld
        // (TUF specification §1.5.2, indefinite freeze attacks).
        Role::Timestamp => Term {
            validity: DAY * 7,
            margin: Some(DAY * 6),
        },
    }
}

/// Expiry of metadata that is signed now.
pub(super) fn expiry(role: Role, now: UnixTime) -> UnixTime {
    now.floor_to_second().after(term(role).validity)
}

/// Whether metadata need not be signed again yet. Metadata from a clock that was ahead is signed
/// again, because it would be valid for longer than its role allows.
pub(super) fn is_current<T: Metadata>(metadata: &Signed<T>, now: UnixTime) -> bool {
    let Term { validity, margin } = term(T::ROLE);
    let expires = metadata.body().expires();
    now < expires.before(margin.unwrap_or_default()) && expires <= now.after(validity).after(DAY)
}

/// How much of the root's validity is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootTerm {
    /// More than 60 days
    Sufficient,
    /// At most this many days: 60, 30 or 7
    Within(u32),
    /// The root has expired: clients refuse the repository
    Expired,
}

impl RootTerm {
    pub(super) fn at(now: UnixTime, expires: UnixTime) -> Self {
        if now >= expires {
            return Self::Expired;
        }
        let within = |days: &u32| now >= expires.before(DAY * *days);
        let nearest = ROOT_WARNINGS.into_iter().find(within);
        nearest.map_or(Self::Sufficient, Self::Within)
    }
}

impl fmt::Display for RootTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sufficient => f.write_str("the TUF root is valid for more than 60 days"),
            Self::Within(days) => write!(
                f,
                "the TUF root expires within {days} days; run: signet trust renew"
            ),
            Self::Expired => f.write_str(
                "the TUF root has expired and clients refuse it; run: signet trust renew",
            ),
        }
    }
}

/// Whether clients get metadata that they accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepositoryHealth {
    /// All metadata is current
    Current,
    /// The root expires soon
    Root(RootTerm),
    /// A role's metadata should have been signed again a day ago
    Overdue(Role),
    /// A role's metadata has expired
    Expired(Role),
    /// There is no root yet
    NotCreated,
}

impl RepositoryHealth {
    pub(super) fn at(expiries: &[(Role, Version, UnixTime)], now: UnixTime) -> Self {
        if expiries.len() < Role::ALL.len() {
            return Self::NotCreated;
        }
        if let Some((role, ..)) = expiries.iter().find(|(.., expires)| now >= *expires) {
            return Self::Expired(*role);
        }
        let overdue = expiries.iter().find(|(role, _, expires)| {
            let margin = term(*role).margin;
            margin.is_some_and(|margin| now >= expires.before(margin - DAY))
        });
        if let Some((role, ..)) = overdue {
            return Self::Overdue(*role);
        }
        let root = expiries.iter().find(|(role, ..)| *role == Role::Root);
        match root.map_or(RootTerm::Sufficient, |(.., expires)| {
            RootTerm::at(now, *expires)
        }) {
            RootTerm::Sufficient => Self::Current,
            near => Self::Root(near),
        }
    }
}

impl fmt::Display for RepositoryHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.write_str("all metadata is current"),
            Self::Root(term) => write!(f, "{term}"),
            Self::Expired(Role::Root) => write!(f, "{}", RootTerm::Expired),
            Self::Overdue(role) => write!(f, "the {role} metadata is overdue for renewal"),
            Self::Expired(role) => {
                write!(f, "the {role} metadata has expired and clients refuse it")
            }
            Self::NotCreated => f.write_str("there is no TUF root yet"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_warned_60_30_and_7_days_before_the_root_expires() {
        let expires = UnixTime::from_seconds(2_000_000_000);
        let before = |days: u32, millis: u64| {
            let then = expires.before(DAY * days).millis();
            RootTerm::at(UnixTime::from_millis(then - millis), expires)
        };

        assert_eq!(before(60, 1), RootTerm::Sufficient);
        assert_eq!(before(60, 0), RootTerm::Within(60));
        assert_eq!(before(30, 1), RootTerm::Within(60));
        assert_eq!(before(30, 0), RootTerm::Within(30));
        assert_eq!(before(7, 1), RootTerm::Within(30));
        assert_eq!(before(7, 0), RootTerm::Within(7));
        assert_eq!(before(0, 1), RootTerm::Within(7));
        assert_eq!(before(0, 0), RootTerm::Expired);
    }

    #[test]
    fn every_online_role_tolerates_three_days_of_downtime() {
        for role in [Role::Targets, Role::Snapshot, Role::Timestamp] {
            let Term { validity, margin } = term(role);
            let margin = margin.unwrap();
            assert!(margin >= DAY * 3 && margin < validity, "{role}");
        }
        assert!(term(Role::Root).margin.is_none());
    }
}
