//! Parses query parameters as the API's schema specifies.

use std::collections::HashMap;

use actix_web::{HttpRequest, web};

use crate::adapters::http::refusal::{Refusal, SchemaFault};

/// The parameters of a request.
pub(super) struct QueryParameters(HashMap<String, String>);

impl QueryParameters {
    /// Reads the parameters. Unknown ones are ignored.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Refusal> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string())
            .map_err(|error| Refusal::schema(SchemaFault::Type, error))?
            .into_inner();
        let mut parameters = HashMap::new();
        for (name, value) in pairs {
            if let Some(first) = parameters.insert(name.clone(), value.clone())
                && first != value
            {
                let message = format!("{name} occurs twice with different values");
                return Err(Refusal::schema(SchemaFault::Type, message));
            }
        }
        Ok(Self(parameters))
    }

    /// Parses a decimal number from `least` to 2^63 - 1, without sign, exponent or leading
    /// zeros.
    pub(super) fn number(&self, name: &str, least: u64) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.given(name) else {
            return Ok(None);
        };
        if let Some(digits) = text.strip_prefix('-')
            && is_plain_number(digits)
        {
            return Err(below(name, least));
        }
        let number: Option<i64> = is_plain_number(text).then(|| text.parse().ok()).flatten();
        let number = number.and_then(|number| u64::try_from(number).ok());
        match number {
            Some(number) if number < least => Err(below(name, least)),
            Some(number) => Ok(Some(number)),
            None => Err(Refusal::schema(
                SchemaFault::Type,
                format!(
                    "{name} must be a decimal number from {least} to {}",
                    i64::MAX
                ),
            )),
        }
    }

    /// The tree ID, if the request has one.
    pub(super) fn tree_id(&self) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.given("treeID") else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) if is_plain_number(text) => Ok(Some(number)),
            _ => Err(Refusal::schema(
                SchemaFault::Pattern,
                "treeID must be a decimal number",
            )),
        }
    }

    fn given(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?;
        (!value.is_empty()).then_some(value.as_str())
    }
}

/// The refusal of a request without a required parameter.
pub(super) fn required(name: &str) -> Refusal {
    Refusal::schema(SchemaFault::Required, format!("{name} is required"))
}

fn below(name: &str, least: u64) -> Refusal {
    let message = format!("{name} must be at least {least}");
    Refusal::schema(SchemaFault::Minimum, message)
}

fn is_plain_number(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'))
}
