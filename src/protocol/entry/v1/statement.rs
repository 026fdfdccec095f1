//! The digests in an in-toto statement by which people search: of its subjects, and of what a
//! provenance names as materials.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::search::{SearchTerm, SearchTerms, TooManyTerms};
use crate::protocol::json;

#[derive(Deserialize)]
struct Subjects {
    subject: Vec<Described>,
}

#[derive(Deserialize)]
struct Provenance {
    predicate: Predicate,
}

#[derive(Deserialize)]
struct Predicate {
    materials: Vec<Described>,
}

#[derive(Deserialize)]
struct Described {
    #[serde(default)]
    digest: BTreeMap<String, String>,
}

/// Adds a term for every digest of the statement. A payload of another form has none: the log takes
/// it all the same, for its signature holds.
pub(super) fn add_digests(payload: &[u8], terms: &mut SearchTerms) -> Result<(), TooManyTerms> {
    let subjects = read::<Subjects>(payload).map(|statement| statement.subject);
    let materials = read::<Provenance>(payload).map(|statement| statement.predicate.materials);
    for described in [subjects, materials].into_iter().flatten().flatten() {
        let digests = described.digest.iter();
        terms.extend(digests.map(|(name, value)| SearchTerm::named_digest(name, value)))?;
    }
    Ok(())
}

fn read<T: DeserializeOwned>(payload: &[u8]) -> Option<T> {
    json::from_slice(payload).ok()
}
