//! `GET /trust/…`: the trust documents at stable paths.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{self, Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::refusal::{ErrorFormat, Refusal};
use super::route::{Api, Route};
use crate::services::trust::TrustDocuments;
use crate::services::trust::documents::Document;

/// Needs `web::Data<TrustDocuments>`. The discovery document lists the files themselves.
pub(crate) const API: Api = Api {
    name: "Signet",
    errors: ErrorFormat::Problem,
    owns: &[],
    cors: false,
    routes: &[Route::get("/trust/{document}", || web::to(document)).listed_as(&[])],
};

/// The path of a document with this file name.
pub(crate) fn path_of(file: &str) -> String {
    format!("/trust/{file}")
}

async fn document(
    file: Path<String>,
    request: HttpRequest,
    documents: Data<TrustDocuments>,
) -> Result<HttpResponse, Refusal> {
    let published = documents.find(&file).ok_or_else(|| {
        let detail = "unknown document; GET /.well-known/signet.json lists them";
        Refusal::new(StatusCode::NOT_FOUND, "not-found", detail)
    })?;
    let content = published.content.as_ref().ok_or_else(|| {
        let detail = "the log is frozen, so it has no signing configuration";
        Refusal::new(StatusCode::NOT_FOUND, "dialect-closed", detail)
    })?;
    Ok(respond(content, published.content_type, request.headers()))
}

/// 304 if the client has the document (RFC 9110 §13.1.2).
fn respond(document: &Document, content_type: &'static str, headers: &HeaderMap) -> HttpResponse {
    let tag = format!("\"{}\"", document.tag);
    let known = is_known(headers, &tag);
    let mut response = if known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response.insert_header((header::ETAG, tag));
    response.insert_header((header::CACHE_CONTROL, "no-cache"));
    if known {
        return response.finish();
    }
    response
        .content_type(content_type)
        .body(web::Bytes::copy_from_slice(&document.bytes))
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|value| value.trim().trim_start_matches("W/"))
        .any(|value| value == tag || value == "*")
}

#[cfg(test)]
mod tests {
    use actix_web::test::{TestRequest, call_service, read_body};

    use super::*;
    use crate::adapters::http::route::Mount;
    use crate::adapters::http::route::testing::serve;
    use crate::services::roster::testing::roster;
    use crate::services::roster::{LogRole, LogState};

    fn documents() -> TrustDocuments {
        TrustDocuments::new(&roster()).unwrap()
    }

    #[actix_web::test]
    async fn each_document_has_its_path_and_type() {
        let documents = documents();
        let data = Data::new(documents.clone());
        let app = serve(vec![Mount::new(&API)], |cfg| {
            cfg.app_data(data);
        })
        .await;

        for published in documents.published() {
            let path = path_of(&published.file);
            let request = TestRequest::get().uri(&path).to_request();
            let response = call_service(&app, request).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(
                response.headers().get(header::CONTENT_TYPE).unwrap(),
                published.content_type
            );
            let expected = published.content.as_ref().unwrap();
            assert_eq!(*read_body(response).await, *expected.bytes);
        }
    }

    #[actix_web::test]
    async fn a_frozen_log_has_no_signing_configuration() {
        let mut roster = roster();
        for log in &mut roster.logs {
            if log.role == LogRole::RekorV1 {
                log.state = LogState::Frozen;
            }
        }
        let data = Data::new(TrustDocuments::new(&roster).unwrap());
        let app = serve(vec![Mount::new(&API)], |cfg| {
            cfg.app_data(data);
        })
        .await;

        for (path, status) in [
            ("/trust/signing_config_rekor_v1.v0.2.json", 404),
            ("/trust/client_trust_config_rekor_v1.json", 404),
            ("/trust/signing_config_rekor_v2.v0.2.json", 200),
            ("/trust/client_trust_config_rekor_v2.json", 200),
            ("/trust/rekor-v1.pem", 200),
            ("/trust/other.json", 404),
        ] {
            let request = TestRequest::get().uri(path).to_request();
            let response = call_service(&app, request).await;
            assert_eq!(response.status().as_u16(), status, "{path}");
        }
    }

    #[actix_web::test]
    async fn a_client_that_has_the_document_gets_304() {
        let data = Data::new(documents());
        let app = serve(vec![Mount::new(&API)], |cfg| {
            cfg.app_data(data);
        })
        .await;
        let get = |tag: Option<&str>| {
            let mut request = TestRequest::get().uri("/trust/trusted_root.json");
            if let Some(tag) = tag {
                request = request.insert_header((header::IF_NONE_MATCH, tag));
            }
            request.to_request()
        };
        let first = call_service(&app, get(None)).await;
        let tag = first.headers().get(header::ETAG).unwrap();
        let tag = tag.to_str().unwrap().to_owned();

        let same = call_service(&app, get(Some(&tag))).await;
        let listed = call_service(&app, get(Some(&format!("\"x\", W/{tag}")))).await;
        let other = call_service(&app, get(Some("\"x\""))).await;

        assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(listed.status(), StatusCode::NOT_MODIFIED);
        assert!(read_body(same).await.is_empty());
        assert_eq!(other.status(), StatusCode::OK);
    }
}
