//! `GET /tuf/…`: the TUF repository. What is not there is 404 in plain text, for clients ask for the
//! next root until there is none.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpResponse, http::StatusCode};

use crate::services::trust::repository::TrustRepository;

/// Mounts the repository, which needs `web::Data<TrustRepository>`.
pub(crate) fn configure(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/tuf/{path:.*}")
            .route(web::get().to(file))
            .route(web::head().to(file)),
    );
}

/// `GET` and `HEAD /tuf/{path}`
async fn file(path: Path<String>, repository: Data<TrustRepository>) -> HttpResponse {
    let Some(bytes) = repository.file(&path) else {
        return HttpResponse::build(StatusCode::NOT_FOUND)
            // The next root must be seen as soon as it is there.
            .insert_header((CACHE_CONTROL, NO_STORE))
            .content_type("text/plain; charset=utf-8")
            .body("there is no such file in this repository\n");
    };
    let (content_type, caching) = (content_type(&path), caching(&path));
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, caching))
        .content_type(content_type)
        .body(bytes)
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.') {
        Some((_, "json")) => "application/json",
        Some((_, "pem" | "pub")) => "application/x-pem-file",
        _ => "application/octet-stream",
    }
}

/// What has a version or a digest in its name never changes.
fn caching(path: &str) -> HeaderValue {
    match path {
        "timestamp.json" | "root.json" => NO_CACHE,
        _ => FOR_EVER,
    }
}

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

#[cfg(test)]
mod tests {
    use actix_web::App;
    use actix_web::http::Method;
    use actix_web::http::header::CONTENT_TYPE;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};

    use super::*;
    use crate::services::trust::testing::TestInstance;

    #[actix_web::test]
    async fn everything_has_its_address_and_type() {
        let repository = TestInstance::new().open();
        repository.renew().unwrap();
        let paths = repository.paths();
        let data = Data::new(repository);
        let app = App::new().app_data(data.clone()).configure(configure);
        let app = init_service(app).await;
        assert_eq!(paths.len(), 6);

        for path in paths {
            let request = TestRequest::get().uri(&format!("/tuf/{path}"));
            let response = call_service(&app, request.to_request()).await;

            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(
                *response.headers().get(CONTENT_TYPE).unwrap(),
                "application/json"
            );
            let lasting = *response.headers().get(CACHE_CONTROL).unwrap() == FOR_EVER;
            assert_eq!(lasting, !["timestamp.json", "root.json"].contains(&&*path));
            assert_eq!(read_body(response).await, data.file(&path).unwrap());
        }
    }

    #[actix_web::test]
    async fn a_root_that_is_yet_to_come_is_a_plain_404() {
        let repository = TestInstance::new().open();
        repository.renew().unwrap();
        let data = Data::new(repository);
        let app = init_service(App::new().app_data(data).configure(configure)).await;

        for method in [Method::GET, Method::HEAD] {
            for path in ["/tuf/2.root.json", "/tuf/", "/tuf/a/b/c", "/tuf/%2e%2e/x"] {
                let request = TestRequest::with_uri(path).method(method.clone());
                let response = call_service(&app, request.to_request()).await;

                assert_eq!(response.status(), StatusCode::NOT_FOUND, "{method} {path}");
                assert_eq!(
                    *response.headers().get(CONTENT_TYPE).unwrap(),
                    "text/plain; charset=utf-8"
                );
                assert_eq!(*response.headers().get(CACHE_CONTROL).unwrap(), NO_STORE);
            }
        }
    }
}
