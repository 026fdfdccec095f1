//! The deny list.

use super::identities::one_of;
use super::{MAX_ENTRIES, fingerprint, text};
use crate::protocol::bundle::Artifact;
use crate::protocol::policy::deny::{Denied, DenyRule, significant};
use crate::protocol::policy::document::DenyTable;
use crate::protocol::policy::error::{PolicyError, PolicyFault};
use crate::protocol::policy::{ArtifactDigest, TextMatcher};
use crate::protocol::time::{UnixTime, Validity};

/// The longest serial number (RFC 5280 §4.1.2.2), in bytes.
const MAX_SERIAL: usize = 20;

pub(super) fn check(tables: &[DenyTable]) -> Result<Vec<DenyRule>, PolicyError> {
    if tables.len() > MAX_ENTRIES {
        return Err(PolicyError::new("deny", PolicyFault::Count(0, MAX_ENTRIES)));
    }
    let rules = tables.iter().enumerate();
    rules
        .map(|(index, table)| check_one(&format!("deny[{index}]"), table))
        .collect()
}

fn check_one(at: &str, table: &DenyTable) -> Result<DenyRule, PolicyError> {
    if let Some(reason) = &table.reason {
        text(&format!("{at}.reason"), reason)?;
    }
    let window = Validity {
        start: table
            .from
            .map_or(UnixTime::from_millis(0), |moment| moment.0),
        end: table.until.map(|moment| moment.0),
    };
    if window.end.is_some_and(|end| end < window.start) {
        return Err(PolicyError::new(at, PolicyFault::EmptyWindow));
    }
    Ok(DenyRule {
        what: what(at, table)?,
        window,
        reason: table.reason.clone(),
    })
}

fn what(at: &str, table: &DenyTable) -> Result<Denied, PolicyError> {
    let identity =
        table.issuer.is_some() || table.subject.is_some() || table.subject_pattern.is_some();
    match (
        identity,
        &table.certificate_serial,
        &table.key,
        &table.artifact,
    ) {
        (true, None, None, None) => identity_of(at, table),
        (false, Some(serial), None, None) => {
            read_serial(&format!("{at}.certificate_serial"), serial).map(Denied::CertificateSerial)
        }
        (false, None, Some(key), None) => fingerprint(&format!("{at}.key"), key).map(Denied::Key),
        (false, None, None, Some(digest)) => {
            read_digest(&format!("{at}.artifact"), digest).map(Denied::Artifact)
        }
        _ => {
            let keys = "an identity (issuer, subject or subject_pattern), certificate_serial, key and artifact";
            Err(PolicyError::new(at, PolicyFault::ExactlyOne(keys)))
        }
    }
}

fn identity_of(at: &str, table: &DenyTable) -> Result<Denied, PolicyError> {
    if let Some(issuer) = &table.issuer {
        text(&format!("{at}.issuer"), issuer)?;
    }
    let keys = ["subject", "subject_pattern"];
    let subject: Option<TextMatcher> = one_of(at, keys, &table.subject, &table.subject_pattern)?;
    Ok(Denied::Identity {
        issuer: table.issuer.clone(),
        subject,
    })
}

/// Hexadecimal, as certificates are shown: digits of either case, with or without colons.
fn read_serial(at: &str, written: &str) -> Result<Vec<u8>, PolicyError> {
    let digits = written.replace(':', "");
    let bytes = hex::decode(digits).unwrap_or_default();
    let serial = significant(&bytes);
    if serial.is_empty() || serial.len() > MAX_SERIAL {
        let form = "a serial number of 1 to 20 bytes in hexadecimal";
        return Err(PolicyError::new(at, PolicyFault::Form(form)));
    }
    Ok(serial.to_vec())
}

fn read_digest(at: &str, written: &str) -> Result<ArtifactDigest, PolicyError> {
    let artifact: Option<Artifact> = written.parse().ok();
    artifact
        .and_then(|artifact| ArtifactDigest::all_of(&artifact).into_iter().next())
        .ok_or_else(|| {
            let form = "sha256:, sha384: or sha512: and the digest in hexadecimal";
            PolicyError::new(at, PolicyFault::Form(form))
        })
}
