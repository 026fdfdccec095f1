//! What a signature log that is closed answers to those who would add an entry. Reads go on.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, ContentType, HeaderValue};
use actix_web::web::{self, ServiceConfig};

use super::problem::OpenApiError;
use crate::services::rekor::{Dialect, OpenDialects};

/// Takes the place of the write routes of every dialect that is not open. It must be called before
/// those are registered, for the first route that fits is the one that answers.
pub(crate) fn configure(cfg: &mut ServiceConfig, open: OpenDialects) {
    for dialect in Dialect::ALL {
        if !open.contains(dialect) {
            match dialect {
                Dialect::V1 => cfg.route("/api/v1/log/entries", web::post().to(refuse_v1)),
                Dialect::V2 => cfg.route("/api/v2/log/entries", web::post().to(refuse_v2)),
            };
        }
    }
}

async fn refuse_v1() -> Result<HttpResponse, OpenApiError> {
    let refusal = OpenApiError::new(StatusCode::METHOD_NOT_ALLOWED, MESSAGE);
    Err(refusal.header(ALLOW, HeaderValue::from_static("GET, OPTIONS")))
}

/// A frozen Rekor v2 log answers in plain text, unlike with its other errors.
async fn refuse_v2() -> HttpResponse {
    HttpResponse::MethodNotAllowed()
        // SPEC RFC 9110 §10.2.1: an empty value says that no method is allowed.
        .insert_header((ALLOW, ""))
        .content_type(ContentType::plaintext())
        .body(MESSAGE)
}

const MESSAGE: &str = "this log is frozen: it can be read, and new entries go to the log that the \
                       signing configuration names";

#[cfg(test)]
mod tests {
    use actix_web::App;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use serde_json::Value;

    use super::*;

    async fn answer(open: OpenDialects, request: TestRequest) -> (u16, Option<String>, Vec<u8>) {
        let behind = || async { HttpResponse::Created().finish() };
        let app = App::new()
            .configure(|cfg| configure(cfg, open))
            .service(
                web::resource("/api/v1/log/entries")
                    .route(web::post().to(behind))
                    .route(web::get().to(behind)),
            )
            .route("/api/v2/log/entries", web::post().to(behind));
        let app = init_service(app).await;
        let response = call_service(&app, request.to_request()).await;
        let allow = response.headers().get(ALLOW);
        let allow = allow.map(|value| value.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        (status, allow, read_body(response).await.to_vec())
    }

    #[actix_web::test]
    async fn a_closed_v1_log_refuses_entries_in_its_own_words_and_is_read_as_before() {
        let path = "/api/v1/log/entries";
        let open = OpenDialects::V2;

        let (status, allow, body) = answer(open, TestRequest::post().uri(path)).await;
        let (read, ..) = answer(open, TestRequest::get().uri(path)).await;
        let (other, ..) = answer(open, TestRequest::post().uri("/api/v2/log/entries")).await;

        assert_eq!((status, allow.as_deref()), (405, Some("GET, OPTIONS")));
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["code"], 405);
        assert!(body["message"].as_str().unwrap().contains("frozen"));
        assert_eq!((read, other), (201, 201));
    }

    #[actix_web::test]
    async fn a_closed_v2_log_refuses_entries_as_text() {
        let path = "/api/v2/log/entries";

        let (status, allow, body) = answer(OpenDialects::V1, TestRequest::post().uri(path)).await;

        assert_eq!((status, allow.as_deref()), (405, Some("")));
        assert_eq!(body, MESSAGE.as_bytes());
    }

    #[actix_web::test]
    async fn open_logs_are_left_alone() {
        for path in ["/api/v1/log/entries", "/api/v2/log/entries"] {
            let (status, ..) = answer(OpenDialects::Both, TestRequest::post().uri(path)).await;
            assert_eq!(status, 201);
        }
    }
}
