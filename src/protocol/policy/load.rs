//! Checks a [`PolicyDocument`] and converts it to a [`Policy`]: resolves names, enforces limits, and
//! rejects policies that can never be met.

use std::collections::BTreeMap;

use super::deny::DenyRule;
use super::document::{
    ClaimTable, IdentityTable, PolicyDocument, ThresholdTable, check_count, check_text,
    parse_fingerprint, text_matcher,
};
use super::error::{PolicyError, PolicyFault};
use super::matcher::{IdentityMatcher, TextMatcher};
use super::requirements::Requirements;
use super::{MAX_BUNDLES, Member, Policy, SignerMatcher, Threshold, satisfiable};
use crate::protocol::x509::extensions::FULCIO_CLAIMS;

/// Maximum number of patterns in a policy, excluding those in its condition. Unauthenticated clients
/// send policies with verification requests, and a compiled pattern may use 128 KiB.
const MAX_PATTERNS: usize = 128;

impl PolicyDocument {
    /// Checks the document and converts it to a policy.
    ///
    /// # Errors
    /// A key has an invalid value, or the policy can never be met.
    pub fn check(&self) -> Result<Policy, PolicyError> {
        if let Some(description) = &self.description {
            check_text("description", description)?;
        }
        check_count("identities", self.identities.len())?;
        if self.pattern_count() > MAX_PATTERNS {
            return Err(PolicyError::whole(PolicyFault::Patterns(MAX_PATTERNS)));
        }
        let members = read_members(&self.identities)?;
        let groups = read_groups(&self.groups, &members)?;
        let alternatives = self.alternatives(&groups)?;
        let policy = Policy {
            description: self.description.clone(),
            require: Requirements::read(&self.require, &members)?,
            deny: DenyRule::read_all(&self.deny)?,
            members,
            alternatives: alternatives.iter().map(|(_, one)| one.clone()).collect(),
        };
        satisfiable::check(&policy, &alternatives)?;
        Ok(policy)
    }

    /// Number of patterns, excluding those in the condition.
    fn pattern_count(&self) -> usize {
        let of_identity = |one: &IdentityTable| {
            let is_pattern = |claim: &&ClaimTable| matches!(claim, ClaimTable::Pattern(_));
            let claims = one.claims.values().filter(is_pattern).count();
            usize::from(one.issuer_pattern.is_some())
                + usize::from(one.subject_pattern.is_some())
                + claims
        };
        let denied = self.deny.iter().filter(|one| one.subject_pattern.is_some());
        self.identities.iter().map(of_identity).sum::<usize>() + denied.count()
    }

    /// The alternatives, each with its path. The default is one signature by any member.
    fn alternatives(
        &self,
        groups: &BTreeMap<String, Vec<usize>>,
    ) -> Result<Vec<(String, Vec<Threshold>)>, PolicyError> {
        let members = self.identities.len();
        let read_all = |at: String, tables: &[ThresholdTable]| {
            check_count(&at, tables.len())?;
            let thresholds = tables
                .iter()
                .enumerate()
                .map(|(index, table)| {
                    read_threshold(&format!("{at}[{index}]"), table, groups, members)
                })
                .collect::<Result<Vec<_>, _>>()?;
            Ok((at, thresholds))
        };
        match (&self.threshold, &self.thresholds, &self.any) {
            (None, None, None) => {
                let one = Threshold::one_of_all(members);
                Ok(vec![("identities".to_owned(), vec![one])])
            }
            (Some(table), None, None) => {
                let one = read_threshold("threshold", table, groups, members)?;
                Ok(vec![("threshold".to_owned(), vec![one])])
            }
            (None, Some(tables), None) => Ok(vec![read_all("thresholds".to_owned(), tables)?]),
            (None, None, Some(sets)) => {
                check_count("any", sets.len())?;
                let sets = sets.iter().enumerate();
                sets.map(|(index, set)| {
                    read_all(format!("any[{index}].thresholds"), &set.thresholds)
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

fn read_members(tables: &[IdentityTable]) -> Result<Vec<Member>, PolicyError> {
    let mut members: Vec<Member> = Vec::with_capacity(tables.len());
    for (index, table) in tables.iter().enumerate() {
        let at = format!("identities[{index}]");
        let member = read_member(&at, table)?;
        if let Some(name) = &member.name
            && members
                .iter()
                .any(|other| other.name.as_ref() == Some(name))
        {
            let fault = PolicyFault::DuplicateName(name.clone());
            return Err(PolicyError::new(format!("{at}.name"), fault));
        }
        members.push(member);
    }
    Ok(members)
}

fn read_member(at: &str, table: &IdentityTable) -> Result<Member, PolicyError> {
    if let Some(name) = &table.name {
        check_text(&format!("{at}.name"), name)?;
    }
    let required = |keys: &'static str| move || PolicyError::new(at, PolicyFault::ExactlyOne(keys));
    let signer = match &table.key {
        Some(key) => {
            let has_more = table.issuer.is_some()
                || table.issuer_pattern.is_some()
                || table.subject.is_some()
                || table.subject_pattern.is_some()
                || !table.claims.is_empty();
            if has_more {
                let fault = "key cannot be combined with issuer, subject or claims";
                return Err(PolicyError::new(at, PolicyFault::MutuallyExclusive(fault)));
            }
            SignerMatcher::Key(parse_fingerprint(&format!("{at}.key"), key)?)
        }
        None => SignerMatcher::Identity(IdentityMatcher {
            issuer: text_matcher(
                at,
                ["issuer", "issuer_pattern"],
                &table.issuer,
                &table.issuer_pattern,
            )?
            .ok_or_else(required("issuer and issuer_pattern"))?,
            subject: text_matcher(
                at,
                ["subject", "subject_pattern"],
                &table.subject,
                &table.subject_pattern,
            )?
            .ok_or_else(required("subject and subject_pattern"))?,
        }),
    };
    let claims = table.claims.iter();
    let claims = claims.map(|(name, value)| read_claim(&format!("{at}.claims"), name, value));
    Ok(Member {
        name: table.name.clone(),
        signer,
        claims: claims.collect::<Result<_, _>>()?,
        counts_once: table.counts_once,
    })
}

fn read_claim(
    at: &str,
    name: &str,
    value: &ClaimTable,
) -> Result<(&'static str, TextMatcher), PolicyError> {
    let mut known = FULCIO_CLAIMS.iter().map(|(_, known)| *known);
    match known.clone().find(|known| *known == name) {
        Some(known) => Ok((known, value.matcher(&format!("{at}.{name}"))?)),
        None => Err(PolicyError::new(at, unknown(name, &mut known))),
    }
}

/// Resolves each group to the indices of its members. A member must not appear twice in a group.
fn read_groups(
    groups: &BTreeMap<String, Vec<String>>,
    members: &[Member],
) -> Result<BTreeMap<String, Vec<usize>>, PolicyError> {
    let mut found = BTreeMap::new();
    for (name, names) in groups {
        let at = format!("groups.{name}");
        check_count(&at, names.len())?;
        let mut indices = Vec::with_capacity(names.len());
        for (position, member_name) in names.iter().enumerate() {
            let index = members
                .iter()
                .position(|member| member.name.as_ref() == Some(member_name))
                .ok_or_else(|| {
                    let known = members.iter().filter_map(|member| member.name.as_deref());
                    PolicyError::new(format!("{at}[{position}]"), unknown(member_name, known))
                })?;
            if indices.contains(&index) {
                let fault = PolicyFault::Duplicate(member_name.clone());
                return Err(PolicyError::new(format!("{at}[{position}]"), fault));
            }
            indices.push(index);
        }
        found.insert(name.clone(), indices);
    }
    Ok(found)
}

fn read_threshold(
    at: &str,
    table: &ThresholdTable,
    groups: &BTreeMap<String, Vec<usize>>,
    members: usize,
) -> Result<Threshold, PolicyError> {
    let needed = table.count;
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
        Some(name) => groups.get(name).cloned().ok_or_else(|| {
            let known = groups.keys().map(String::as_str);
            PolicyError::new(format!("{at}.of"), unknown(name, known))
        })?,
    };
    Ok(Threshold {
        group: table.of.clone(),
        needed,
        members: indices,
    })
}

fn unknown<'a>(name: &str, allowed: impl Iterator<Item = &'a str>) -> PolicyFault {
    let allowed: Vec<_> = allowed.collect();
    PolicyFault::Unknown {
        name: name.to_owned(),
        allowed: match allowed.as_slice() {
            [] => "none are defined".to_owned(),
            names => names.join(", "),
        },
    }
}
