//! Identities and their groups.

use std::collections::BTreeMap;

use super::{count, fingerprint, text, unknown};
use crate::protocol::policy::document::{ClaimTable, IdentityTable};
use crate::protocol::policy::error::{PolicyError, PolicyFault};
use crate::protocol::policy::pattern::Pattern;
use crate::protocol::policy::{IdentityMatcher, Member, TextMatcher, Who, claim_names};

pub(super) fn check(tables: &[IdentityTable]) -> Result<Vec<Member>, PolicyError> {
    let mut members: Vec<Member> = Vec::with_capacity(tables.len());
    for (index, table) in tables.iter().enumerate() {
        let at = format!("identities[{index}]");
        let member = check_one(&at, table)?;
        if let Some(name) = &member.name
            && members
                .iter()
                .any(|other| other.name.as_ref() == Some(name))
        {
            let fault = PolicyFault::SameName(name.clone());
            return Err(PolicyError::new(format!("{at}.name"), fault));
        }
        members.push(member);
    }
    Ok(members)
}

fn check_one(at: &str, table: &IdentityTable) -> Result<Member, PolicyError> {
    if let Some(name) = &table.name {
        text(&format!("{at}.name"), name)?;
    }
    let who = match &table.key {
        Some(key) => {
            let has_more = table.issuer.is_some()
                || table.issuer_pattern.is_some()
                || table.subject.is_some()
                || table.subject_pattern.is_some()
                || !table.claims.is_empty();
            if has_more {
                let fault = "a key goes with neither issuer nor subject nor claims";
                return Err(PolicyError::new(at, PolicyFault::Together(fault)));
            }
            Who::Key(fingerprint(&format!("{at}.key"), key)?)
        }
        None => Who::Identity(IdentityMatcher {
            issuer: one_of(
                at,
                ["issuer", "issuer_pattern"],
                &table.issuer,
                &table.issuer_pattern,
            )?
            .ok_or_else(|| missing(at, "issuer and issuer_pattern"))?,
            subject: one_of(
                at,
                ["subject", "subject_pattern"],
                &table.subject,
                &table.subject_pattern,
            )?
            .ok_or_else(|| missing(at, "subject and subject_pattern"))?,
        }),
    };
    let claims = table.claims.iter();
    let claims = claims.map(|(name, wanted)| check_claim(&format!("{at}.claims"), name, wanted));
    Ok(Member {
        name: table.name.clone(),
        who,
        claims: claims.collect::<Result<_, _>>()?,
        counts_once: table.counts_once,
    })
}

fn missing(at: &str, keys: &'static str) -> PolicyError {
    PolicyError::new(at, PolicyFault::ExactlyOne(keys))
}

/// A text under one key, or a pattern under the other; none where neither is there.
pub(super) fn one_of(
    at: &str,
    [exact_key, pattern_key]: [&str; 2],
    exact: &Option<String>,
    pattern: &Option<String>,
) -> Result<Option<TextMatcher>, PolicyError> {
    match (exact, pattern) {
        (Some(_), Some(_)) => {
            let fault = "a text and a pattern for the same do not go together";
            Err(PolicyError::new(at, PolicyFault::Together(fault)))
        }
        (Some(exact), None) => {
            text(&format!("{at}.{exact_key}"), exact)?;
            Ok(Some(TextMatcher::Exact(exact.clone())))
        }
        (None, Some(source)) => pattern_at(&format!("{at}.{pattern_key}"), source).map(Some),
        (None, None) => Ok(None),
    }
}

fn pattern_at(at: &str, source: &str) -> Result<TextMatcher, PolicyError> {
    Pattern::new(source)
        .map(TextMatcher::Pattern)
        .map_err(|reason| PolicyError::new(at, PolicyFault::Pattern(reason)))
}

fn check_claim(
    at: &str,
    name: &str,
    wanted: &ClaimTable,
) -> Result<(&'static str, TextMatcher), PolicyError> {
    let known = claim_names().iter().map(|(_, known)| *known);
    let Some(known) = known.clone().find(|known| *known == name) else {
        let fault = PolicyFault::Unknown {
            name: name.to_owned(),
            allowed: known.collect::<Vec<_>>().join(", "),
        };
        return Err(PolicyError::new(at, fault));
    };
    let at = format!("{at}.{name}");
    let matcher = match wanted {
        ClaimTable::Exact(exact) => {
            text(&at, exact)?;
            TextMatcher::Exact(exact.clone())
        }
        ClaimTable::Pattern(table) => pattern_at(&format!("{at}.pattern"), &table.pattern)?,
    };
    Ok((known, matcher))
}

/// The groups by their names, each with its members' indices, none twice.
pub(super) fn check_groups(
    groups: &BTreeMap<String, Vec<String>>,
    members: &[Member],
) -> Result<BTreeMap<String, Vec<usize>>, PolicyError> {
    let mut found = BTreeMap::new();
    for (name, names) in groups {
        let at = format!("groups.{name}");
        count(&at, names.len())?;
        let mut indices = Vec::with_capacity(names.len());
        for (place, wanted) in names.iter().enumerate() {
            let index = members
                .iter()
                .position(|member| member.name.as_ref() == Some(wanted))
                .ok_or_else(|| {
                    let known = members.iter().filter_map(|member| member.name.as_ref());
                    PolicyError::new(format!("{at}[{place}]"), unknown(wanted, known))
                })?;
            if indices.contains(&index) {
                let fault = PolicyFault::Repeated(wanted.clone());
                return Err(PolicyError::new(format!("{at}[{place}]"), fault));
            }
            indices.push(index);
        }
        found.insert(name.clone(), indices);
    }
    Ok(found)
}
