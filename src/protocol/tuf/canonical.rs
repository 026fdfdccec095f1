//! OLPC canonical JSON, the form in which metadata is signed (TUF specification §4.2).
//!
//! ADR 9 explains why this is not a crate.

use serde_json::{Map, Number, Value};

use crate::protocol::json;

/// Error parsing or canonicalizing metadata.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, or JSON with a duplicate member.
    #[error("malformed JSON: {0}")]
    Malformed(#[source] serde_json::Error),
    #[error("numbers must be integers, as canonical JSON requires")]
    Fraction,
}

/// Parses a document. All numbers must be integers, including those in the unsigned parts.
pub(super) fn parse(json: &[u8]) -> Result<Value, JsonError> {
    let value = json::value(json).map_err(JsonError::Malformed)?;
    to_canonical(&value)?;
    Ok(value)
}

/// Serializes in canonical form: members are sorted by the bytes of their names, there is no white space,
/// and only quotation marks and backslashes are escaped in strings.
pub(super) fn to_canonical(value: &Value) -> Result<Vec<u8>, JsonError> {
    let mut out = Vec::new();
    write(value, &mut out)?;
    Ok(out)
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), JsonError> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_number(number, out)?,
        Value::String(text) => write_text(text, out),
        Value::Array(elements) => {
            out.push(b'[');
            for (position, element) in elements.iter().enumerate() {
                separate(position, out);
                write(element, out)?;
            }
            out.push(b']');
        }
        Value::Object(members) => write_members(members, out)?,
    }
    Ok(())
}

fn write_members(members: &Map<String, Value>, out: &mut Vec<u8>) -> Result<(), JsonError> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by(|one, other| one.0.cmp(other.0));
    out.push(b'{');
    for (position, (name, value)) in members.into_iter().enumerate() {
        separate(position, out);
        write_text(name, out);
        out.push(b':');
        write(value, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_number(number: &Number, out: &mut Vec<u8>) -> Result<(), JsonError> {
    let integer = match (number.as_u64(), number.as_i64()) {
        (Some(number), _) => number.to_string(),
        (None, Some(number)) => number.to_string(),
        (None, None) => return Err(JsonError::Fraction),
    };
    out.extend_from_slice(integer.as_bytes());
    Ok(())
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

fn separate(position: usize, out: &mut Vec<u8>) {
    if position > 0 {
        out.push(b',');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(json: &str) -> String {
        String::from_utf8(to_canonical(&parse(json.as_bytes()).unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn members_are_sorted_and_only_quotes_and_backslashes_are_escaped() {
        let text = r#"{ "b" : [ 1, -2, true, null ], "a\n" : "q\" b\\ \u00e9 \u000a", "B": {} }"#;

        assert_eq!(
            canonical(text),
            "{\"B\":{},\"a\n\":\"q\\\" b\\\\ é \n\",\"b\":[1,-2,true,null]}"
        );
    }

    #[test]
    fn members_are_sorted_by_code_points() {
        assert_eq!(
            canonical("{\"\u{10000}\":1,\"\u{ffff}\":2,\"z\":3}"),
            "{\"z\":3,\"\u{ffff}\":2,\"\u{10000}\":1}"
        );
    }

    #[test]
    fn ambiguous_documents_and_fractions_are_rejected() {
        let deep = "[".repeat(200_000);
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"[{"x":{"y":1,"y":1}}]"#,
            "1.5",
            "1e3",
            "1.0",
            "[1] 2",
            "[1",
            "",
            deep.as_str(),
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text:.40}");
        }
    }
}
