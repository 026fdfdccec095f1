//! The parts of proto3 JSON that typed structs need: integers as text, base64 in either alphabet, lists
//! whose limit is enforced while reading, and `null` for what is absent.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::protocol::bytes::{ProtoBytes, to_base64};

/// An integer from 0 to 2⁶³ - 1: written as decimal text, read as text or number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decimal(pub u64);

impl Decimal {
    /// Proto3 JSON omits zeros.
    pub(crate) const fn is_zero(&self) -> bool {
        self.0 == 0
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DecimalVisitor)
    }
}

struct DecimalVisitor;

impl Visitor<'_> for DecimalVisitor {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer from 0 to 9223372036854775807, as decimal text or a number")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Decimal, E> {
        Ok(Decimal(0))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Decimal, E> {
        i64::try_from(value)
            .map(|_| Decimal(value))
            .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
        let invalid = || E::invalid_value(de::Unexpected::Str(text), &DecimalVisitor);
        let canonical = text == "0"
            || (text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0'));
        if !canonical {
            return Err(invalid());
        }
        text.parse()
            .map_err(|_| invalid())
            .and_then(|value| self.visit_u64(value))
    }
}

/// [`ProtoBytes`] that are empty where they are `null`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_base64(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Option::<ProtoBytes>::deserialize(deserializer)?;
        Ok(Self(bytes.map(|bytes| bytes.0).unwrap_or_default()))
    }
}

/// Reads a list of at most `N` elements, stopping at the first one in excess; `null` is empty.
pub(crate) fn at_most<'de, D, T, const N: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_option(AtMost::<T, N>(PhantomData))
}

struct AtMost<T, const N: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for AtMost<T, N> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {N} elements")
    }

    fn visit_none<E: de::Error>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            if elements.len() == N {
                return Err(de::Error::custom(format_args!(
                    "a list has more than {N} elements"
                )));
            }
            elements.push(element);
        }
        Ok(elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Three {
        #[serde(deserialize_with = "at_most::<_, _, 3>")]
        list: Vec<Decimal>,
    }

    #[test]
    fn integers_are_read_from_canonical_text_and_from_numbers() {
        let read = |json: &str| serde_json::from_str::<Decimal>(json);

        assert_eq!(read("\"9223372036854775807\"").unwrap().0, i64::MAX as u64);
        assert_eq!(read("17").unwrap().0, 17);
        assert_eq!(read("null").unwrap().0, 0);
        for json in [
            "-1",
            "\"-1\"",
            "\"01\"",
            "\"+1\"",
            "\"\"",
            "\"9223372036854775808\"",
            "9223372036854775808",
            "1.0",
            "\"1e3\"",
            "true",
        ] {
            assert!(read(json).is_err(), "{json} was accepted");
        }
    }

    #[test]
    fn a_list_over_its_limit_is_refused() {
        let read = |json: &str| serde_json::from_str::<Three>(json).map(|three| three.list.len());

        assert_eq!(read(r#"{"list":[1,2,3]}"#).unwrap(), 3);
        assert_eq!(read(r#"{"list":null}"#).unwrap(), 0);
        assert!(read(r#"{"list":[1,2,3,4]}"#).is_err());
    }
}
