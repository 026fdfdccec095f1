//! How long each role's word lasts, when it is given anew, and when people are told about the root.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info, warn};

use super::repository::{Renewal, RepositoryError, TrustRepository};
use crate::protocol::time::UnixTime;
use crate::protocol::tuf::{Role, Version};

/// A day.
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

/// How often a server looks for what nears its end.
const PERIOD: Duration = Duration::from_secs(600);

/// How long a role's document is believed, and how long before its end it is signed anew.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    /// From signing to expiry
    pub life: Duration,
    /// Less than this left is too little; nothing where people must act
    pub margin: Option<Duration>,
}

/// The terms of a role. A server that is away for less than the margin leaves no client without.
pub(super) const fn term(role: Role) -> Term {
    let (life, margin) = match role {
        // Its keys may be elsewhere, so it is never signed but when people ask.
        Role::Root => (365, None),
        Role::Targets | Role::Snapshot => (90, Some(30)),
        // Signed daily: a client that sees nothing new for a week knows that it is kept from it.
        Role::Timestamp => (7, Some(6)),
    };
    Term {
        life: DAY.saturating_mul(life),
        margin: match margin {
            Some(days) => Some(DAY.saturating_mul(days)),
            None => None,
        },
    }
}

/// How much is left of the root's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootTerm {
    /// More than 60 days
    Long,
    /// At most so many days: 60, 30 or 7
    Within(u32),
    /// Nothing: clients refuse the repository
    Ended,
}

impl RootTerm {
    /// What is left at a moment.
    pub fn at(now: UnixTime, expires: UnixTime) -> Self {
        if now >= expires {
            return Self::Ended;
        }
        let within = |days: &u32| now >= expires.before(DAY.saturating_mul(*days));
        [7, 30, 60]
            .into_iter()
            .find(within)
            .map_or(Self::Long, Self::Within)
    }
}

impl fmt::Display for RootTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Long => f.write_str("the root of trust lasts for more than 60 days"),
            Self::Within(days) => write!(
                f,
                "the root of trust expires within {days} days; run: signet trust renew"
            ),
            Self::Ended => f.write_str(
                "the root of trust has expired and clients refuse it; run: signet trust renew",
            ),
        }
    }
}

/// Whether clients are served as they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepositoryHealth {
    /// Everything is believed for long enough
    Good,
    /// The root nears its end
    Root(RootTerm),
    /// A role's document should have been signed anew a day ago
    Overdue(Role),
    /// A role's document is believed no more
    Ended(Role),
    /// Nothing was published yet
    NotBegun,
}

impl RepositoryHealth {
    /// Judges each role's expiry at a moment.
    pub(super) fn of(expiries: &[(Role, Version, UnixTime)], now: UnixTime) -> Self {
        if Role::ALL.len() > expiries.len() {
            return Self::NotBegun;
        }
        if let Some((role, ..)) = expiries.iter().find(|(.., expires)| now >= *expires) {
            return Self::Ended(*role);
        }
        let overdue = expiries.iter().find(|(role, _, expires)| {
            let margin = term(*role).margin.unwrap_or_default();
            now >= expires.before(margin.saturating_sub(DAY))
        });
        if let Some((role, ..)) = overdue {
            return Self::Overdue(*role);
        }
        let root = expiries.iter().find(|(role, ..)| *role == Role::Root);
        match root.map_or(RootTerm::Long, |(.., expires)| RootTerm::at(now, *expires)) {
            RootTerm::Long => Self::Good,
            near => Self::Root(near),
        }
    }
}

impl fmt::Display for RepositoryHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("all metadata is fresh"),
            Self::Root(term) => write!(f, "{term}"),
            Self::Ended(Role::Root) => write!(f, "{}", RootTerm::Ended),
            Self::Overdue(role) => write!(f, "{role} metadata is not renewed as it should be"),
            Self::Ended(role) => write!(f, "{role} metadata has expired and clients refuse it"),
            Self::NotBegun => f.write_str("there is no root of trust yet"),
        }
    }
}

/// Renews what nears its end and tells what it did, each thing once.
#[derive(Debug)]
pub struct Keeper {
    repository: Arc<TrustRepository>,
    told: Option<RootTerm>,
    failing: bool,
}

impl Keeper {
    /// A keeper that has told nothing yet.
    pub const fn new(repository: Arc<TrustRepository>) -> Self {
        Self {
            repository,
            told: None,
            failing: false,
        }
    }

    /// Renews once. Blocks on storage.
    ///
    /// # Errors
    /// See [`RepositoryError`].
    pub fn renew(&mut self) -> Result<(), RepositoryError> {
        let renewed = self.repository.renew();
        match &renewed {
            Ok(renewal) => {
                self.failing = false;
                tell(renewal);
            }
            Err(error) if !self.failing => {
                self.failing = true;
                error!(%error, "trust repository not renewed");
            }
            Err(_) => {}
        }
        match self.untold_term() {
            Some(near @ RootTerm::Within(_)) => warn!("{near}"),
            Some(RootTerm::Ended) => error!("{}", RootTerm::Ended),
            Some(RootTerm::Long) | None => {}
        }
        renewed.map(|_| ())
    }

    /// What is left of the root's time, once each time that it becomes less or more.
    fn untold_term(&mut self) -> Option<RootTerm> {
        let term = self.repository.root_term();
        let untold = self.told != term;
        self.told = term;
        term.filter(|_| untold)
    }

    /// Renews for ever, whenever something nears its end. Failures are told and tried again.
    pub async fn keep(mut self) {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let turn = tokio::task::spawn_blocking(move || {
                // Told by `renew` itself.
                let _ = self.renew();
                self
            });
            match turn.await {
                Ok(keeper) => self = keeper,
                Err(error) => {
                    error!(%error, "trust repository is no longer renewed");
                    return;
                }
            }
        }
    }
}

fn tell(renewal: &Renewal) {
    if let Some(hash) = &renewal.begun {
        info!(root.sha256 = hash.to_hex(), "trust repository begun");
    }
    for (role, version) in &renewal.signed {
        info!(role = %role, version = version.get(), "trust metadata signed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::trust::testing::TestInstance;

    #[test]
    fn people_are_told_60_30_and_7_days_before_the_end() {
        let expires = UnixTime::from_seconds(2_000_000_000);
        let before = |days: u32, millis: u64| {
            let then = expires.before(DAY * days).millis();
            RootTerm::at(UnixTime::from_millis(then - millis), expires)
        };

        assert_eq!(before(60, 1), RootTerm::Long);
        assert_eq!(before(60, 0), RootTerm::Within(60));
        assert_eq!(before(30, 1), RootTerm::Within(60));
        assert_eq!(before(30, 0), RootTerm::Within(30));
        assert_eq!(before(7, 1), RootTerm::Within(30));
        assert_eq!(before(7, 0), RootTerm::Within(7));
        assert_eq!(before(0, 1), RootTerm::Within(7));
        assert_eq!(before(0, 0), RootTerm::Ended);
    }

    #[test]
    fn each_warning_is_told_once() {
        let instance = TestInstance::new();
        let repository = Arc::new(instance.open());
        repository.renew().unwrap();
        let mut keeper = Keeper::new(Arc::clone(&repository));
        let mut told = Vec::new();
        for day in 0..=366 {
            told.extend(keeper.untold_term().map(|term| (day, term)));
            instance.clock.advance_days(1);
        }

        assert_eq!(
            told,
            [
                (0, RootTerm::Long),
                (305, RootTerm::Within(60)),
                (335, RootTerm::Within(30)),
                (358, RootTerm::Within(7)),
                (365, RootTerm::Ended),
            ]
        );
        repository.renew_root().unwrap();
        assert_eq!(keeper.untold_term(), Some(RootTerm::Long));
    }

    #[test]
    fn no_role_is_left_with_less_than_a_client_needs() {
        for role in [Role::Targets, Role::Snapshot, Role::Timestamp] {
            let Term { life, margin } = term(role);
            let margin = margin.unwrap();
            // A weekend without the server is no outage for clients.
            assert!(margin >= DAY * 3 && margin < life, "{role}");
        }
        assert!(term(Role::Root).margin.is_none());
    }
}
