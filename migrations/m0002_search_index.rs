//! Step 2: a family of keys for the search index, as `SCHEMA.md` describes it. No leaf that an
//! earlier release wrote has a search key, so its index is empty, and whatever stands there is none.

/// What the step does, for the log.
pub(super) const SENTENCE: &str = "an empty search index";

/// Takes a store from version 1 to version 2. Running it twice is harmless.
pub(super) fn up(db: &sled::Db) -> sled::Result<()> {
    for key in db.scan_prefix(b"s").keys() {
        db.remove(key?)?;
    }
    Ok(())
}
