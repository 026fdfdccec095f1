//! The canonical body: RFC 8785 over kind, version and what is kept of the spec.

use serde::Serialize;

use super::super::hashedrekord::MAX_BODY;
use super::EntryError;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a, T> {
    api_version: &'a str,
    kind: &'a str,
    spec: &'a T,
}

/// Writes a body.
///
/// # Errors
/// It is too large.
pub(super) fn write<T: Serialize>(
    kind: &str,
    api_version: &str,
    spec: &T,
) -> Result<Vec<u8>, EntryError> {
    let body = Body {
        api_version,
        kind,
        spec,
    };
    let bytes = serde_json_canonicalizer::to_vec(&body)
        .expect("bodies have text for keys and no number that JSON lacks");
    if bytes.len() > MAX_BODY {
        return Err(EntryError::TooLarge(bytes.len()));
    }
    Ok(bytes)
}
