//! What the API answers where it does not do what it was asked: 400 for what is wrong, 422 for what
//! is not of the schema, as Rekor's own code is generated to tell them apart.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, LOCATION, RETRY_AFTER};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::super::problem::{OpenApiError, SchemaFault};
use super::{RequestError, V1Error, entry_path};
use crate::log::AppendError;
use crate::protocol::entry::v1::ProposalError;
use crate::protocol::json;

/// Reads a body as JSON.
pub(super) fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, OpenApiError> {
    json::from_slice(body).map_err(|error| malformed(format!("the body: {error}"), body))
}

/// Why a body is no proposed entry.
pub(super) fn of_proposal(error: &ProposalError, body: &[u8]) -> OpenApiError {
    match error {
        ProposalError::Malformed(_) => malformed(error.to_string(), body),
        ProposalError::Kind { .. } => OpenApiError::new(StatusCode::UNPROCESSABLE_ENTITY, error),
        ProposalError::Version { .. } => OpenApiError::new(
            StatusCode::BAD_REQUEST,
            format!("error processing entry: {error}"),
        ),
    }
}

/// Whether the text is no JSON that all readers understand alike, or JSON of another form.
fn malformed(message: String, body: &[u8]) -> OpenApiError {
    // serde tells only in words that a member occurs twice.
    let repeated = message.contains("duplicate field `");
    if repeated || serde_json::from_slice::<IgnoredAny>(body).is_err() {
        return OpenApiError::new(StatusCode::BAD_REQUEST, message);
    }
    OpenApiError::schema(SchemaFault::Type, message)
}

impl From<RequestError> for OpenApiError {
    fn from(error: RequestError) -> Self {
        let fault = match &error {
            // Inside of a body that was read, everything is JSON.
            RequestError::Proposal(proposal) => return of_proposal(proposal, b"{}"),
            RequestError::Key(_) => return Self::new(StatusCode::BAD_REQUEST, error),
            RequestError::Name(_) | RequestError::Hash(_) => SchemaFault::Pattern,
            RequestError::Email => SchemaFault::Type,
            RequestError::Subject => SchemaFault::TooLong,
            RequestError::Operator | RequestError::KeyFormat => SchemaFault::Enum,
            RequestError::NoKey => SchemaFault::Required,
        };
        Self::schema(fault, error)
    }
}

impl From<V1Error> for OpenApiError {
    fn from(error: V1Error) -> Self {
        let with = |status| Self::new(status, &error);
        match &error {
            V1Error::Entry(_)
            | V1Error::Append(AppendError::TooLarge(_) | AppendError::TooManyKeys(_))
            | V1Error::SizeOrder { .. }
            | V1Error::Size { .. }
            | V1Error::TreeId(_) => with(StatusCode::BAD_REQUEST),
            V1Error::Duplicate(id) => {
                let location = HeaderValue::try_from(entry_path(&id.to_string()));
                let conflict = with(StatusCode::CONFLICT);
                match location {
                    Ok(location) => conflict.header(LOCATION, location),
                    Err(_) => conflict,
                }
            }
            V1Error::Append(AppendError::Duplicate(_)) => with(StatusCode::CONFLICT),
            V1Error::TooManyWanted(_) => Self::schema(SchemaFault::MaxItems, &error),
            V1Error::Append(AppendError::Overloaded | AppendError::Stopped) => {
                with(StatusCode::SERVICE_UNAVAILABLE).header(RETRY_AFTER, HeaderValue::from(1))
            }
            // An operator must act first, so no moment to come back can be named.
            V1Error::Append(AppendError::ReadOnly { .. } | AppendError::Full) => {
                with(StatusCode::SERVICE_UNAVAILABLE)
            }
            V1Error::Signing(_) | V1Error::Read(_) => {
                tracing::error!(cause = ?error, "signature log v1 failed");
                with(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }
}
