//! The signature log's write side, in the Rekor v2 dialect: `POST /api/v2/log/entries`.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, web};

use super::body::{Body, Gateway};
use super::problem::{GatewayError, GrpcCode};
use crate::adapters::wire::rekor::{CreateEntryRequest, SubmissionError, TransparencyLogEntry};
use crate::log::AppendError;
use crate::protocol::entry::{Entry, UnverifiedEntry};
use crate::services::rekor::{RekorError, SignatureLog};

/// Registers the routes; the service is taken from the application's data.
pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource("/api/v2/log/entries").post(create_entry));
}

async fn create_entry(
    log: web::Data<SignatureLog>,
    body: Body<Gateway>,
) -> Result<HttpResponse, GatewayError> {
    let request: CreateEntryRequest = body.json()?;
    let entry = verify(request.try_into()?).await?;
    let logged = log.append(entry).await?;
    Ok(HttpResponse::Created().json(TransparencyLogEntry::from(&logged)))
}

async fn verify(entry: UnverifiedEntry) -> Result<Entry, GatewayError> {
    match entry {
        UnverifiedEntry::HashedRekord(entry) => {
            Ok(entry.verify().map_err(RekorError::from)?.into())
        }
        // A payload is as long as a body may be, and is hashed with each key.
        UnverifiedEntry::Dsse(entry) => match web::block(move || entry.verify()).await {
            Ok(verified) => Ok(verified.map_err(RekorError::from)?.into()),
            Err(_) => Err(GatewayError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                GrpcCode::Internal,
                "the verification was interrupted",
            )),
        },
    }
}

impl From<SubmissionError> for GatewayError {
    fn from(error: SubmissionError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, GrpcCode::InvalidArgument, error)
    }
}

impl From<RekorError> for GatewayError {
    fn from(error: RekorError) -> Self {
        let message = error.to_string();
        let unavailable = || {
            Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                GrpcCode::Unavailable,
                &message,
            )
        };
        match error {
            RekorError::Entry(_)
            | RekorError::Dsse(_)
            | RekorError::Append(AppendError::TooLarge(_) | AppendError::TooManyKeys(_)) => {
                Self::new(StatusCode::BAD_REQUEST, GrpcCode::InvalidArgument, &message)
            }
            RekorError::Append(AppendError::Duplicate(index)) => {
                Self::new(StatusCode::CONFLICT, GrpcCode::AlreadyExists, &message)
                    .header(LOG_INDEX, HeaderValue::from(index.get()))
            }
            RekorError::Append(AppendError::Overloaded | AppendError::Stopped) => {
                unavailable().header(RETRY_AFTER, HeaderValue::from(1))
            }
            // An operator must act first, so no moment to come back can be named.
            RekorError::Append(AppendError::ReadOnly { .. } | AppendError::Full) => unavailable(),
        }
    }
}

/// Where the equivalent entry stands, on a conflict.
const LOG_INDEX: HeaderName = HeaderName::from_static("x-log-index");

#[cfg(test)]
mod tests;
