//! `[[policies]]`: policies that clients of the verification endpoint may name.

use std::collections::HashSet;
use std::path::PathBuf;

use config::{Map, Value};
use serde::Deserialize;

use super::error::Refusal;

/// One `[[policies]]` table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyTable {
    #[serde(default)]
    name: String,
    #[serde(default)]
    file: String,
}

/// A policy with a name. What the file says is checked when the server starts.
#[derive(Clone, Debug)]
pub struct PolicySettings {
    /// What clients call it
    pub name: String,
    /// Where it is written, in TOML or JSON
    pub file: PathBuf,
}

/// The longest name of a policy, in characters.
const MAX_NAME: usize = 64;

/// The keys of an element, each with a value of its type.
pub(super) fn schema() -> Map<String, Value> {
    ["name", "file"]
        .into_iter()
        .map(|key| (key.to_owned(), Value::from("")))
        .collect()
}

pub(super) fn check_all(tables: Vec<PolicyTable>) -> Result<Vec<PolicySettings>, Refusal> {
    let mut seen = HashSet::new();
    let mut policies = Vec::with_capacity(tables.len());
    for (position, table) in tables.into_iter().enumerate() {
        let policy = table.check(position)?;
        if !seen.insert(policy.name.clone()) {
            return Err(Refusal::contradiction(
                &key(position, "name"),
                "two policies have the same name",
            ));
        }
        policies.push(policy);
    }
    Ok(policies)
}

impl PolicyTable {
    fn check(self, position: usize) -> Result<PolicySettings, Refusal> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !(1..=MAX_NAME).contains(&self.name.len()) || !self.name.bytes().all(plain) {
            return Err(Refusal::not_accepted(
                &key(position, "name"),
                &self.name,
                "1 to 64 letters, digits, hyphens, underscores and dots",
            ));
        }
        if self.file.is_empty() {
            return Err(Refusal::not_accepted(
                &key(position, "file"),
                &self.file,
                "the name of a file with a policy in TOML or JSON",
            ));
        }
        Ok(PolicySettings {
            name: self.name,
            file: self.file.into(),
        })
    }
}

fn key(position: usize, name: &str) -> String {
    format!("policies[{position}].{name}")
}
