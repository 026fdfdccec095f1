//! The strict JSON reader. Documents that are signed, logged or verified are read with it, so that no
//! other reader sees something else in the same bytes.
//!
//! - No object repeats a member, at any depth and in ignored members too: RFC 8259 §4 does not define
//!   which one to use. The content of a `RawValue` is not checked until it is read in turn.
//! - A message is an object, and a value of an enumeration is its name as text (proto3 JSON mapping).
//!   What serde derives is laxer: it also takes a struct as a list of its members in order, and a
//!   variant as `{"NAME":null}`.
//! - Every byte is consumed, and nesting ends at 128 levels, which is `serde_json`'s limit.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    self, Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer,
    MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Number, Value};
use serde_path_to_error::Segment;

/// Reads one document.
pub(crate) fn from_slice<T: DeserializeOwned>(json: &[u8]) -> Result<T, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = T::deserialize(Strict(&mut reader))?;
    reader.end()?;
    Ok(value)
}

/// Reads one document. An error names the member that it is about, which makes reading slower.
pub(crate) fn from_slice_located<T: DeserializeOwned>(json: &[u8]) -> Result<T, LocatedError> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = located(&mut reader)?;
    reader.end().map_err(|source| LocatedError {
        path: String::new(),
        source,
    })?;
    Ok(value)
}

/// Reads a value that another reader took from a text, such as TOML's.
pub(crate) fn from_value_located<T: DeserializeOwned>(value: Value) -> Result<T, LocatedError> {
    located(value)
}

fn located<'de, T, D>(reader: D) -> Result<T, LocatedError>
where
    T: Deserialize<'de>,
    D: Deserializer<'de, Error = serde_json::Error>,
{
    serde_path_to_error::deserialize(Strict(reader)).map_err(|error| {
        let mut path = error.path().to_string();
        // A member that is refused for its name has no segment yet.
        if matches!(error.path().iter().next_back(), Some(Segment::Unknown)) {
            path.pop();
        }
        LocatedError {
            path: path.trim_end_matches('.').to_owned(),
            source: error.into_inner(),
        }
    })
}

/// Reads one document of any form.
pub(crate) fn value(json: &[u8]) -> Result<Value, serde_json::Error> {
    from_slice::<AnyValue>(json).map(|any| any.0)
}

/// Reads one object with any members.
pub(crate) fn object(json: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    match value(json)? {
        Value::Object(members) => Ok(members),
        _ => Err(de::Error::custom("must be an object")),
    }
}

/// An error, and the member that it is about.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub(crate) struct LocatedError {
    /// Such as `a.b[0]`; empty for the document itself.
    pub(crate) path: String,
    pub(crate) source: serde_json::Error,
}

/// `Value`'s own reader takes `{"$serde_json::private::RawValue":"…"}` for the JSON in the text.
struct AnyValue(Value);

impl<'de> Deserialize<'de> for AnyValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor).map(Self)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value);
        number
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number is out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(AnyValue(element)) = elements.next_element()? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, AnyValue(member))) = members.next_entry()? {
            object.insert(name, member);
        }
        Ok(Value::Object(object))
    }
}

/// A part of serde's machinery; everything that is read through it is wrapped too.
struct Strict<T>(T);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(Strict(visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_str(Name(visitor))
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Strict(visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_option(Strict(visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, Strict(visitor))
    }

    // An ignored value is read like any other, so that repeated members are noticed there too.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Strict(visitor))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Strict<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<V::Value, E> {
        self.0.visit_bool(value)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<V::Value, E> {
        self.0.visit_i64(value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<V::Value, E> {
        self.0.visit_u64(value)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<V::Value, E> {
        self.0.visit_f64(value)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<V::Value, E> {
        self.0.visit_str(value)
    }

    fn visit_borrowed_str<E: de::Error>(self, value: &'de str) -> Result<V::Value, E> {
        self.0.visit_borrowed_str(value)
    }

    fn visit_unit<E: de::Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_none<E: de::Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Strict(value))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Strict(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Strict(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Members {
            members,
            names: HashSet::new(),
        })
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Strict(value))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Strict(seed))
    }
}

/// The members of an object, whose names must differ.
struct Members<'de, A> {
    members: A,
    names: HashSet<Cow<'de, str>>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<'de, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let Some(name) = self.members.next_key_seed(NameSeed)? else {
            return Ok(None);
        };
        if !self.names.insert(name.clone()) {
            // serde's own words for members that it knows.
            return Err(de::Error::custom(format_args!("duplicate field `{name}`")));
        }
        seed.deserialize(MemberName(name, PhantomData)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.members.next_value_seed(Strict(seed))
    }
}

/// Reads a name; it is borrowed if it has no escapes.
struct NameSeed;

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<Cow<'de, str>, D::Error> {
        name.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }

    fn visit_string<E>(self, name: String) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name))
    }
}

/// A name that was read, as input for the type of the map's keys or of a struct's fields.
struct MemberName<'de, E>(Cow<'de, str>, PhantomData<E>);

impl<'de, E: de::Error> Deserializer<'de> for MemberName<'de, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.0 {
            Cow::Borrowed(name) => visitor.visit_borrowed_str(name),
            Cow::Owned(name) => visitor.visit_string(name),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, E> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// A variant by its name alone.
struct Name<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Name<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name as text")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<V::Value, E> {
        self.0.visit_enum(name.into_deserializer())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        list: Vec<Inner>,
        #[serde(default)]
        one: Option<Inner>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        kind: Kind,
        number: u64,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    enum Kind {
        This,
    }

    #[test]
    fn messages_are_objects_at_every_depth() {
        let read = |json: &str| from_slice::<Outer>(json.as_bytes());
        let inner = || Inner {
            kind: Kind::This,
            number: 7,
        };

        let document =
            read(r#"{"list":[{"kind":"This","number":7}],"one":{"number":7,"kind":"This"}}"#);
        assert_eq!(
            document.unwrap(),
            Outer {
                list: vec![inner()],
                one: Some(inner())
            }
        );
        assert_eq!(read(r#"{"list":[],"one":null}"#).unwrap().one, None);
        for lax in [
            r#"[[],null]"#,
            r#"{"list":[["This",7]]}"#,
            r#"{"list":[],"one":["This",7]}"#,
            r#"{"list":[{"kind":{"This":null},"number":7}]}"#,
        ] {
            assert!(serde_json::from_str::<Outer>(lax).is_ok(), "{lax}");
            assert!(read(lax).is_err(), "{lax}");
        }
    }

    #[test]
    fn other_faults_are_refused_as_serde_does() {
        for wrong in [
            "",
            "{}",
            r#"{"list":[]}x"#,
            r#"{"list":[],"list":[]}"#,
            r#"{"list":[],"more":1}"#,
            r#"{"list":[{"kind":"That","number":7}]}"#,
            r#"{"list":[{"kind":"This","number":-7}]}"#,
        ] {
            assert!(from_slice::<Outer>(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let deep = format!(r#"{{"list":{}"#, "[".repeat(100_000));
        assert!(from_slice::<Outer>(deep.as_bytes()).is_err());
    }

    #[test]
    fn a_repeated_member_is_refused_at_every_depth_in_every_spelling() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":{"b":1,"b":1}}"#,
            r#"{"a":[{"b":1,"\u0062":2}]}"#,
        ] {
            assert!(value(text.as_bytes()).is_err(), "{text}");
            assert!(object(text.as_bytes()).is_err(), "{text}");
            assert!(
                from_slice::<de::IgnoredAny>(text.as_bytes()).is_err(),
                "{text}"
            );
            let ignored = format!(r#"{{"kind":"This","number":7,"more":{text}}}"#);
            assert!(from_slice::<Inner>(ignored.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn any_document_is_read_with_its_types() {
        let text = r#"{"a":1,"b":-1,"c":1.5,"d":[true,null],"e":{"a":"x\u0000"}}"#;
        let expected = serde_json::json!({"a":1,"b":-1,"c":1.5,"d":[true,null],"e":{"a":"x\u{0}"}});

        assert_eq!(value(text.as_bytes()).unwrap(), expected);
        assert_eq!(Value::Object(object(text.as_bytes()).unwrap()), expected);
        let private = br#"{"$serde_json::private::RawValue":"[1]"}"#;
        assert!(object(private).unwrap().values().all(Value::is_string));
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        let deep = "[".repeat(5000);
        for text in ["", "[]", "1", "{}x", "{\"a\":}", "\"x\"", &deep] {
            assert!(object(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn an_error_names_the_member_that_it_is_about() {
        let path = |json: &str| {
            from_slice_located::<Outer>(json.as_bytes())
                .unwrap_err()
                .path
        };

        assert_eq!(
            path(r#"{"list":[{"kind":"This","number":-7}]}"#),
            "list[0].number"
        );
        assert_eq!(path(r#"{"list":[],"one":{"number":7,"number":7}}"#), "one");
        assert_eq!(path(r#"{"list":[]}x"#), "");
    }
}
