//! Migrating a state to the version that this release writes. The steps are in `migrations/`.

#[path = "../../../../migrations/m0001_initial_layout.rs"]
mod m0001_initial_layout;
#[path = "../../../../migrations/m0002_search_index.rs"]
mod m0002_search_index;

use super::key;

/// The version of the state that this release writes.
pub(in crate::adapters::storage) const VERSION: u32 = 2;

struct Step {
    /// The version to which the step leads.
    version: u32,
    /// What the step does, for the log.
    sentence: &'static str,
    up: fn(&::sled::Db) -> ::sled::Result<()>,
}

const STEPS: [Step; 2] = [
    Step {
        version: 1,
        sentence: m0001_initial_layout::SENTENCE,
        up: m0001_initial_layout::up,
    },
    Step {
        version: 2,
        sentence: m0002_search_index::SENTENCE,
        up: m0002_search_index::up,
    },
];

/// Why a state could not be migrated.
#[derive(Debug, thiserror::Error)]
pub(super) enum MigrateError {
    /// A newer release wrote the state.
    #[error("the state has version {found}; this release reads up to {supported}")]
    Newer { found: u32, supported: u32 },
    #[error("the state's version is not a number")]
    Malformed,
    #[error(transparent)]
    Sled(#[from] ::sled::Error),
}

/// Runs the steps that a state lacks, one after the other, and records each. A new state has version 0.
///
/// # Errors
/// A newer state is refused before anything is written.
pub(super) fn migrate(db: &::sled::Db) -> Result<(), MigrateError> {
    let at = version(db)?;
    if at > VERSION {
        return Err(MigrateError::Newer {
            found: at,
            supported: VERSION,
        });
    }
    for step in STEPS.iter().filter(|step| step.version > at) {
        (step.up)(db)?;
        db.insert(key::VERSION, &step.version.to_be_bytes())?;
        db.flush()?;
        tracing::info!(
            version = step.version,
            did = step.sentence,
            "state.migrated"
        );
    }
    Ok(())
}

fn version(db: &::sled::Db) -> Result<u32, MigrateError> {
    match db.get(key::VERSION)? {
        None => Ok(0),
        Some(value) => value
            .as_ref()
            .try_into()
            .map(u32::from_be_bytes)
            .map_err(|_| MigrateError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_state_is_migrated_to_this_version_and_a_newer_one_is_refused_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let db = ::sled::open(dir.path()).unwrap();

        migrate(&db).unwrap();
        migrate(&db).unwrap();
        assert_eq!(version(&db).unwrap(), VERSION);

        db.insert(key::VERSION, &(VERSION + 1).to_be_bytes())
            .unwrap();
        let error = migrate(&db).unwrap_err();
        assert!(matches!(error, MigrateError::Newer { found: 3, .. }));
        assert_eq!(version(&db).unwrap(), VERSION + 1);
    }

    #[test]
    fn a_state_with_content_but_without_a_version_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let db = ::sled::open(dir.path()).unwrap();
        db.insert(b"x", b"y").unwrap();

        assert!(matches!(migrate(&db), Err(MigrateError::Sled(_))));
    }
}
