//! Formats a policy in plain English, for `signet policy check`.

use std::fmt;

use super::requirements::Requirements;
use super::{Member, Policy, SignerMatcher, Threshold};
use crate::protocol::time::Validity;

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(description) = &self.description {
            writeln!(f, "{description}\n")?;
        }
        writeln!(f, "Signers:")?;
        for member in &self.members {
            writeln!(f, "  - {member}")?;
        }
        writeln!(f, "An artifact is accepted if it is signed")?;
        for (index, thresholds) in self.alternatives.iter().enumerate() {
            let start = if index == 0 { "by" } else { "or by" };
            let thresholds: Vec<_> = thresholds.iter().map(Threshold::to_string).collect();
            writeln!(f, "  {start} {}", thresholds.join(" and "))?;
        }
        let more_than_one = self.alternatives.iter().any(|one| one.len() > 1);
        if more_than_one {
            writeln!(f, "  and each signer counts for one of these only")?;
        }
        self.require.fmt(f)?;
        if !self.deny.is_empty() {
            writeln!(f, "Always denied:")?;
        }
        for rule in &self.deny {
            writeln!(f, "  - {rule}")?;
        }
        writeln!(f, "Everything else is denied.")
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name}: ")?;
        }
        match &self.signer {
            SignerMatcher::Identity(matcher) => matcher.fmt(f)?,
            SignerMatcher::Key(key) => write!(f, "key {key}")?,
        }
        for (index, (claim, required)) in self.claims.iter().enumerate() {
            let start = if index == 0 { ", with" } else { " and" };
            write!(f, "{start} {claim} = {required}")?;
        }
        if self.counts_once {
            f.write_str("; all matching signers count as one")?;
        }
        Ok(())
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the ", self.needed)?;
        match &self.group {
            Some(group) => write!(f, "{} in {group}", self.members.len()),
            None => write!(f, "{} above", self.members.len()),
        }
    }
}

impl fmt::Display for Requirements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        for (verb, what, parties) in [
            ("be in", "signature logs", &self.logs),
            (
                "have a certificate with an SCT from",
                "certificate logs",
                &self.certificate_logs,
            ),
            (
                "be timestamped by",
                "timestamp authorities",
                &self.timestamp_authorities,
            ),
        ] {
            let needed = parties.needed();
            if needed > 0 {
                let among = match &parties.accepted {
                    Some(accepted) => format!(" among {}", accepted.join(", ")),
                    None => String::new(),
                };
                lines.push(format!("{verb} at least {needed} distinct {what}{among}"));
            }
        }
        if let Some(accepted) = &self.certificate_authorities {
            lines.push(format!("have a certificate issued by {}", either(accepted)));
        }
        if let Some(accepted) = &self.key_algorithms {
            lines.push(format!("use the key algorithm {}", either(accepted)));
        }
        if let Some(accepted) = &self.predicate_types {
            lines.push(format!("be an attestation of type {}", either(accepted)));
        }
        if self.window.start != Validity::ALWAYS.start {
            let start = self.window.start;
            lines.push(format!("have no established time earlier than {start}"));
        }
        if let Some(end) = self.window.end {
            lines.push(format!("have no established time later than {end}"));
        }
        if let Some(condition) = &self.condition {
            lines.push(format!(
                "satisfy the condition {}",
                condition.as_str().trim()
            ));
        }
        if !lines.is_empty() {
            writeln!(f, "Every signature must")?;
        }
        lines.iter().try_for_each(|line| writeln!(f, "  - {line}"))
    }
}

fn either(list: &[impl fmt::Display]) -> String {
    let list: Vec<_> = list.iter().map(ToString::to_string).collect();
    list.join(" or ")
}
