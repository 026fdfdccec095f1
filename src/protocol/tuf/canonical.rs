//! JSON without two readings, and its canonical form in which metadata is signed (OLPC canonical
//! JSON, as the TUF specification §4.2 names it).

use serde_json::{Map, Number, Value};

use crate::protocol::json;

/// Why a text is no JSON that metadata can be in.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, a member twice, or a number with a fraction
    #[error("not JSON that can be signed: {0}")]
    Malformed(#[source] serde_json::Error),
    /// A number that canonical JSON does not have
    #[error("canonical JSON has whole numbers only")]
    Fraction,
}

/// Reads one document. Every number in it must be whole, in unsigned parts too.
pub(super) fn parse(json: &[u8]) -> Result<Value, JsonError> {
    let value = json::value(json).map_err(JsonError::Malformed)?;
    to_canonical(&value)?;
    Ok(value)
}

/// The canonical form: members in the order of their names' bytes, no white space, and in texts
/// nothing escaped but the quotation mark and the backslash.
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
            for (place, element) in elements.iter().enumerate() {
                separate(place, out);
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
    for (place, (name, value)) in members.into_iter().enumerate() {
        separate(place, out);
        write_text(name, out);
        out.push(b':');
        write(value, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_number(number: &Number, out: &mut Vec<u8>) -> Result<(), JsonError> {
    let whole = match (number.as_u64(), number.as_i64()) {
        (Some(number), _) => number.to_string(),
        (None, Some(number)) => number.to_string(),
        (None, None) => return Err(JsonError::Fraction),
    };
    out.extend_from_slice(whole.as_bytes());
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

fn separate(place: usize, out: &mut Vec<u8>) {
    if place > 0 {
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
    fn the_canonical_form_sorts_escapes_two_marks_and_has_no_space() {
        let text = r#"{ "b" : [ 1, -2, true, null ], "a\n" : "q\" b\\ \u00e9 \u000a", "B": {} }"#;

        assert_eq!(
            canonical(text),
            "{\"B\":{},\"a\n\":\"q\\\" b\\\\ é \n\",\"b\":[1,-2,true,null]}"
        );
    }

    #[test]
    fn names_are_in_the_order_of_their_code_points() {
        assert_eq!(
            canonical("{\"\u{10000}\":1,\"\u{ffff}\":2,\"z\":3}"),
            "{\"z\":3,\"\u{ffff}\":2,\"\u{10000}\":1}"
        );
    }

    #[test]
    fn what_has_two_readings_is_refused() {
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
