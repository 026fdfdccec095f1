//! Refusals of the API. As in Rekor's generated code, a request that breaks the schema is refused with
//! 422 and other malformed requests with 400.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, LOCATION};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::{V1Error, V1RequestError, entry_path};
use crate::adapters::http::refusal::{Refusal, SchemaFault};
use crate::classify::{Classify as _, ErrorClass};
use crate::log::ReadError;
use crate::protocol::entry::v1::ProposalError;
use crate::protocol::json;

/// Reads a body as JSON.
pub(super) fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    json::from_slice(body).map_err(|error| malformed(format!("the body: {error}"), body))
}

/// The refusal of a proposed entry.
pub(super) fn of_proposal(error: &ProposalError, body: &[u8]) -> Refusal {
    match error {
        ProposalError::Malformed(_) => malformed(error.to_string(), body),
        ProposalError::Kind { .. } => {
            Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown-kind", error)
        }
        ProposalError::Version { .. } => Refusal::invalid(
            "unknown-version",
            format_args!("error processing entry: {error}"),
        ),
    }
}

/// 400 for a body that is not strict JSON, 422 for JSON of another schema.
fn malformed(message: String, body: &[u8]) -> Refusal {
    // serde reports a repeated member only in its message.
    let repeated = message.contains("duplicate field `");
    if repeated || serde_json::from_slice::<IgnoredAny>(body).is_err() {
        return Refusal::invalid("invalid", message);
    }
    Refusal::schema(SchemaFault::Type, message)
}

impl From<V1RequestError> for Refusal {
    fn from(error: V1RequestError) -> Self {
        let fault = match &error {
            // The body was read as JSON, so the proposal within it is JSON.
            V1RequestError::Proposal(proposal) => return of_proposal(proposal, b"{}"),
            V1RequestError::Key(_) => return Self::invalid("invalid", error),
            V1RequestError::Name(_) | V1RequestError::Hash(_) => SchemaFault::Pattern,
            V1RequestError::Email => SchemaFault::Type,
            V1RequestError::Subject => SchemaFault::TooLong,
            V1RequestError::Operator | V1RequestError::KeyFormat => SchemaFault::Enum,
            V1RequestError::NoKey => SchemaFault::Required,
        };
        Self::schema(fault, error)
    }
}

impl From<V1Error> for Refusal {
    fn from(error: V1Error) -> Self {
        match &error {
            V1Error::TooManyLookups(_) => Self::schema(SchemaFault::MaxItems, &error),
            V1Error::Duplicate(id) => {
                let conflict = Self::of_class(ErrorClass::Conflict, "conflict", &error);
                match HeaderValue::try_from(entry_path(&id.to_string())) {
                    Ok(location) => conflict.header(LOCATION, location),
                    Err(_) => conflict,
                }
            }
            V1Error::Entry(_)
            | V1Error::SizeOrder { .. }
            | V1Error::Size { .. }
            | V1Error::TreeId(_) => Self::invalid("invalid", &error),
            V1Error::Append(append) => Self::of_class(append.class(), append.code(), &error),
            V1Error::Read(read @ ReadError::IndexBehind { .. }) => {
                Self::of_class(read.class(), read.code(), &error)
            }
            V1Error::Signing(_) | V1Error::Read(_) => {
                tracing::error!(cause = ?error, "request.failed");
                Self::internal(&error)
            }
        }
    }
}
