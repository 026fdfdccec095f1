//! Step 1: one tree with prefixed keys, as `SCHEMA.md` describes it. An empty store has nothing to
//! convert, so there is nothing to do but to be at version 1.

/// What the step does, for the log.
pub(super) const SENTENCE: &str = "one tree with prefixed keys";

/// Takes a store from version 0, which is an empty one, to version 1. Running it twice is harmless.
pub(super) fn up(db: &sled::Db) -> sled::Result<()> {
    if !db.is_empty() {
        // A store with content but without a version was never written by a release.
        return Err(sled::Error::Unsupported(
            "the state has content but no version".to_owned(),
        ));
    }
    Ok(())
}
