//! From the policy as written to the policy as checked: every key is allowed, every name is known,
//! and it can be met.

mod identities;
mod requirements;
mod rules;
mod signers;

use std::collections::BTreeMap;

use super::document::{ClaimTable, IdentityTable, PolicyDocument, ThresholdTable};
use super::error::{PolicyError, PolicyFault};
use super::{MAX_BUNDLES, Policy, Threshold};
use crate::protocol::bytes::Sha256;

/// The most identities, groups, deny rules and sets of thresholds that a policy may have.
const MAX_ENTRIES: usize = 1000;
/// The most patterns in a policy, besides those of its condition. Whoever asks for a verification may
/// bring a policy along, and each pattern may take 128 KiB.
const MAX_PATTERNS: usize = 128;
/// The longest text in a policy, in bytes, unless its key has a limit of its own.
const MAX_TEXT: usize = 2048;

impl PolicyDocument {
    /// Checks the policy as a whole.
    ///
    /// # Errors
    /// The first key that is not allowed, or cannot be met.
    pub fn check(&self) -> Result<Policy, PolicyError> {
        if let Some(description) = &self.description {
            text("description", description)?;
        }
        count("identities", self.identities.len())?;
        if self.patterns() > MAX_PATTERNS {
            return Err(PolicyError::whole(PolicyFault::Patterns(MAX_PATTERNS)));
        }
        let members = identities::check(&self.identities)?;
        let groups = identities::check_groups(&self.groups, &members)?;
        let find =
            |at: &str, table: &ThresholdTable| find_threshold(at, table, &groups, members.len());
        let alternatives = self.alternatives(&find)?;
        let policy = Policy {
            description: self.description.clone(),
            require: requirements::check(&self.require, &members)?,
            deny: rules::check(&self.deny)?,
            members,
            alternatives: alternatives.iter().map(|(_, one)| one.clone()).collect(),
        };
        signers::check(&policy, &alternatives)?;
        Ok(policy)
    }

    /// How many patterns there are, besides those of the condition.
    fn patterns(&self) -> usize {
        let named = |one: &IdentityTable| {
            let names = [&one.issuer_pattern, &one.subject_pattern];
            let claims = one.claims.values();
            let claims = claims.filter(|claim| matches!(claim, ClaimTable::Pattern(_)));
            names
                .into_iter()
                .flatten()
                .count()
                .saturating_add(claims.count())
        };
        let denied = self
            .deny
            .iter()
            .filter(|rule| rule.subject_pattern.is_some());
        let counts = self.identities.iter().map(named);
        counts.fold(denied.count(), usize::saturating_add)
    }

    /// The sets of thresholds, each with where it stands; one of everybody where none are written.
    fn alternatives(
        &self,
        find: &impl Fn(&str, &ThresholdTable) -> Result<Threshold, PolicyError>,
    ) -> Result<Vec<(String, Vec<Threshold>)>, PolicyError> {
        let find_all = |at: String, tables: &[ThresholdTable]| {
            count(&at, tables.len())?;
            let found = tables.iter().enumerate();
            let found = found.map(|(index, table)| find(&format!("{at}[{index}]"), table));
            Ok((at.clone(), found.collect::<Result<Vec<_>, _>>()?))
        };
        match (&self.threshold, &self.thresholds, &self.any) {
            (None, None, None) => {
                let any = Threshold::any(self.identities.len());
                Ok(vec![("identities".to_owned(), vec![any])])
            }
            (Some(table), None, None) => {
                let at = "threshold".to_owned();
                let found = find(&at, table)?;
                Ok(vec![(at, vec![found])])
            }
            (None, Some(tables), None) => Ok(vec![find_all("thresholds".to_owned(), tables)?]),
            (None, None, Some(sets)) => {
                count("any", sets.len())?;
                let sets = sets.iter().enumerate();
                sets.map(|(index, set)| {
                    find_all(format!("any[{index}].thresholds"), &set.thresholds)
                })
                .collect()
            }
            _ => {
                let fault = PolicyFault::ExactlyOne("threshold, thresholds and any");
                Err(PolicyError::whole(fault))
            }
        }
    }
}

fn find_threshold(
    at: &str,
    table: &ThresholdTable,
    groups: &BTreeMap<String, Vec<usize>>,
    members: usize,
) -> Result<Threshold, PolicyError> {
    let needed = usize::try_from(table.count).unwrap_or(usize::MAX);
    let fault = match needed {
        0 => Some(PolicyFault::Zero),
        1..=MAX_BUNDLES => None,
        _ => Some(PolicyFault::TooFewSigners {
            needed,
            possible: MAX_BUNDLES,
        }),
    };
    if let Some(fault) = fault {
        return Err(PolicyError::new(format!("{at}.count"), fault));
    }
    let indices = match &table.of {
        None => (0..members).collect(),
        Some(name) => groups
            .get(name)
            .cloned()
            .ok_or_else(|| PolicyError::new(format!("{at}.of"), unknown(name, groups.keys())))?,
    };
    Ok(Threshold {
        group: table.of.clone(),
        needed,
        members: indices,
    })
}

fn count(at: &str, length: usize) -> Result<(), PolicyError> {
    if (1..=MAX_ENTRIES).contains(&length) {
        return Ok(());
    }
    Err(PolicyError::new(at, PolicyFault::Count(1, MAX_ENTRIES)))
}

fn text(at: &str, text: &str) -> Result<(), PolicyError> {
    if (1..=MAX_TEXT).contains(&text.len()) {
        return Ok(());
    }
    Err(PolicyError::new(at, PolicyFault::TextLength(MAX_TEXT)))
}

fn unknown<'a>(name: &str, allowed: impl Iterator<Item = &'a String>) -> PolicyFault {
    let allowed: Vec<_> = allowed.map(String::as_str).collect();
    PolicyFault::Unknown {
        name: name.to_owned(),
        allowed: match allowed.as_slice() {
            [] => "none are defined".to_owned(),
            names => names.join(", "),
        },
    }
}

/// `sha256:` and 64 hexadecimal digits.
fn fingerprint(at: &str, text: &str) -> Result<Sha256, PolicyError> {
    let hex = text.strip_prefix("sha256:");
    hex.and_then(Sha256::from_hex).ok_or_else(|| {
        let form = "sha256: and 64 hexadecimal digits";
        PolicyError::new(at, PolicyFault::Form(form))
    })
}
