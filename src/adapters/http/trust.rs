//! `GET /trust/…`: the trust documents at stable addresses.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use super::problem::Problem;
use crate::services::rekor::Dialect;
use crate::services::trust::{Document, TrustDocuments};

const JSON: &str = "application/json";
const PEM_KEY: &str = "application/x-pem-file";
const PEM_CHAIN: &str = "application/pem-certificate-chain";

/// A document, its address and its kind.
#[derive(Clone, Copy)]
pub(crate) struct Published {
    /// What it is, for people
    pub title: &'static str,
    /// Its absolute path
    pub path: &'static str,
    content_type: &'static str,
    choose: fn(&TrustDocuments) -> Option<&Document>,
}

impl Published {
    /// The document, if this instance has it.
    pub(crate) fn of<'a>(&self, documents: &'a TrustDocuments) -> Option<&'a Document> {
        (self.choose)(documents)
    }
}

/// Every document that may be published.
pub(crate) const PUBLISHED: [Published; 12] = [
    Published {
        title: "Client trust configuration",
        path: "/trust/client_trust_config.json",
        content_type: JSON,
        choose: |documents| Some(&documents.client_trust_config),
    },
    Published {
        title: "Trusted root",
        path: "/trust/trusted_root.json",
        content_type: JSON,
        choose: |documents| Some(&documents.trusted_root),
    },
    Published {
        title: "Signing configuration",
        path: "/trust/signing_config.v0.2.json",
        content_type: JSON,
        choose: |documents| Some(&documents.signing_config),
    },
    Published {
        title: "Client trust configuration, Rekor v1 alone",
        path: "/trust/client_trust_config_rekor_v1.json",
        content_type: JSON,
        choose: |documents| Some(&documents.of_dialect(Dialect::V1)?.client_trust_config),
    },
    Published {
        title: "Client trust configuration, Rekor v2 alone",
        path: "/trust/client_trust_config_rekor_v2.json",
        content_type: JSON,
        choose: |documents| Some(&documents.of_dialect(Dialect::V2)?.client_trust_config),
    },
    Published {
        title: "Signing configuration, Rekor v1 alone",
        path: "/trust/signing_config_rekor_v1.v0.2.json",
        content_type: JSON,
        choose: |documents| Some(&documents.of_dialect(Dialect::V1)?.signing_config),
    },
    Published {
        title: "Signing configuration, Rekor v2 alone",
        path: "/trust/signing_config_rekor_v2.v0.2.json",
        content_type: JSON,
        choose: |documents| Some(&documents.of_dialect(Dialect::V2)?.signing_config),
    },
    Published {
        title: "Certificate authority (PEM)",
        path: "/trust/fulcio-chain.pem",
        content_type: PEM_CHAIN,
        choose: |documents| Some(&documents.ca_chain),
    },
    Published {
        title: "Certificate log (PEM)",
        path: "/trust/ctlog.pem",
        content_type: PEM_KEY,
        choose: |documents| Some(&documents.ct_key),
    },
    Published {
        title: "Signature log v1 (PEM)",
        path: "/trust/rekor-v1.pem",
        content_type: PEM_KEY,
        choose: |documents| Some(&documents.log_v1_key),
    },
    Published {
        title: "Signature log v2 (PEM)",
        path: "/trust/rekor-v2.pem",
        content_type: PEM_KEY,
        choose: |documents| Some(&documents.log_key),
    },
    Published {
        title: "Timestamp authority (PEM)",
        path: "/trust/tsa-chain.pem",
        content_type: PEM_CHAIN,
        choose: |documents| Some(&documents.tsa_chain),
    },
];

/// Mounts the documents.
pub(crate) fn configure(cfg: &mut ServiceConfig) {
    for published in PUBLISHED {
        mount(cfg, published);
    }
}

fn mount(cfg: &mut ServiceConfig, published: Published) {
    let handler = move |request: HttpRequest, documents: Data<TrustDocuments>| {
        let response = published
            .of(&documents)
            .map(|document| serve(document, published.content_type, request.headers()))
            .ok_or_else(not_open);
        std::future::ready(response)
    };
    cfg.service(
        web::resource(published.path)
            .route(web::get().to(handler))
            .route(web::head().to(handler)),
    );
}

fn not_open() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "dialect-closed",
        "this server takes no new entries in that dialect, so there is no configuration to write in it",
    )
}

/// Clients keep the document and ask whether it is still the same (RFC 9110 §13.1.2).
fn serve(document: &Document, content_type: &'static str, headers: &HeaderMap) -> HttpResponse {
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
    use actix_web::App;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};

    use super::*;
    use crate::services::rekor::OpenDialects;
    use crate::services::trust::Anchors;
    use crate::services::trust::tests::anchors;

    fn documents() -> TrustDocuments {
        TrustDocuments::new(&anchors()).unwrap()
    }

    #[actix_web::test]
    async fn each_document_has_its_address_and_type() {
        let documents = documents();
        let app = App::new()
            .app_data(Data::new(documents.clone()))
            .configure(configure);
        let app = init_service(app).await;

        for published in PUBLISHED {
            let request = TestRequest::get().uri(published.path).to_request();
            let response = call_service(&app, request).await;
            assert_eq!(response.status(), StatusCode::OK, "{}", published.path);
            assert_eq!(
                response.headers().get(header::CONTENT_TYPE).unwrap(),
                published.content_type
            );
            let expected = published.of(&documents).unwrap();
            assert_eq!(*read_body(response).await, *expected.bytes);
        }
    }

    #[actix_web::test]
    async fn a_dialect_that_is_closed_has_no_configuration_to_write_in_it() {
        let anchors = Anchors {
            dialects: OpenDialects::V2,
            ..anchors()
        };
        let documents = TrustDocuments::new(&anchors).unwrap();
        let app = App::new()
            .app_data(Data::new(documents))
            .configure(configure);
        let app = init_service(app).await;

        for (path, status) in [
            ("/trust/signing_config_rekor_v1.v0.2.json", 404),
            ("/trust/client_trust_config_rekor_v1.json", 404),
            ("/trust/signing_config_rekor_v2.v0.2.json", 200),
            ("/trust/client_trust_config_rekor_v2.json", 200),
            ("/trust/rekor-v1.pem", 200),
        ] {
            let request = TestRequest::get().uri(path).to_request();
            let response = call_service(&app, request).await;
            assert_eq!(response.status().as_u16(), status, "{path}");
        }
    }

    #[actix_web::test]
    async fn a_client_that_has_the_document_is_told_so() {
        let app = App::new()
            .app_data(Data::new(documents()))
            .configure(configure);
        let app = init_service(app).await;
        let get = |tag: Option<&str>| {
            let mut request = TestRequest::get().uri("/trust/trusted_root.json");
            if let Some(tag) = tag {
                request = request.insert_header((header::IF_NONE_MATCH, tag));
            }
            request.to_request()
        };
        let first = call_service(&app, get(None)).await;
        let tag = first
            .headers()
            .get(header::ETAG)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();

        let same = call_service(&app, get(Some(&tag))).await;
        let listed = call_service(&app, get(Some(&format!("\"x\", W/{tag}")))).await;
        let other = call_service(&app, get(Some("\"x\""))).await;

        assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(listed.status(), StatusCode::NOT_MODIFIED);
        assert!(read_body(same).await.is_empty());
        assert_eq!(other.status(), StatusCode::OK);
    }
}
