//! `GET /tuf/…`: the TUF repository. Clients request the next root until they get a 404.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::{self, Data, Path};

use super::refusal::{ErrorFormat, Refusal};
use super::route::{Api, Route};
use crate::services::trust::repository::TrustRepository;

/// Needs `web::Data<TrustRepository>`.
pub(crate) const API: Api = Api {
    name: "TUF",
    errors: ErrorFormat::Text,
    owns: &["/tuf/"],
    cors: false,
    routes: &[Route::get("/tuf/{path:.*}", || web::to(file)).listed_as(&[
        "/tuf/root.json",
        "/tuf/timestamp.json",
        "/tuf/{file}",
    ])],
};

/// `GET` and `HEAD /tuf/{path}`
async fn file(
    path: Path<String>,
    repository: Data<TrustRepository>,
) -> Result<HttpResponse, Refusal> {
    let bytes = repository.file(&path).ok_or_else(|| {
        let detail = "there is no such file in this repository";
        // Clients must get the next root as soon as it exists.
        Refusal::new(StatusCode::NOT_FOUND, "not-found", detail).header(CACHE_CONTROL, NO_STORE)
    })?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, caching(&path)))
        .content_type(content_type(&path))
        .body(bytes))
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.') {
        Some((_, "json")) => "application/json",
        Some((_, "pem" | "pub")) => "application/x-pem-file",
        _ => "application/octet-stream",
    }
}

/// A file with a version or a digest in its name never changes.
fn caching(path: &str) -> HeaderValue {
    match path {
        "timestamp.json" | "root.json" => NO_CACHE,
        _ => IMMUTABLE,
    }
}

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

#[cfg(test)]
mod tests {
    use actix_web::http::Method;
    use actix_web::http::header::CONTENT_TYPE;
    use actix_web::test::{TestRequest, call_service, read_body};

    use super::*;
    use crate::adapters::http::route::Mount;
    use crate::adapters::http::route::testing::serve;
    use crate::services::trust::testing::TestInstance;

    #[actix_web::test]
    async fn each_file_has_its_path_and_type() {
        let repository = TestInstance::new().open();
        repository.renew().unwrap();
        let paths = repository.paths();
        let data = Data::new(repository);
        let shared = data.clone();
        let app = serve(vec![Mount::new(&API)], |cfg| {
            cfg.app_data(shared);
        })
        .await;
        assert_eq!(paths.len(), 6);

        for path in paths {
            let request = TestRequest::get().uri(&format!("/tuf/{path}"));
            let response = call_service(&app, request.to_request()).await;

            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(
                *response.headers().get(CONTENT_TYPE).unwrap(),
                "application/json"
            );
            let lasting = *response.headers().get(CACHE_CONTROL).unwrap() == IMMUTABLE;
            assert_eq!(lasting, !["timestamp.json", "root.json"].contains(&&*path));
            assert_eq!(read_body(response).await, data.file(&path).unwrap());
        }
    }

    #[actix_web::test]
    async fn the_next_root_is_a_plain_404() {
        let repository = TestInstance::new().open();
        repository.renew().unwrap();
        let data = Data::new(repository);
        let app = serve(vec![Mount::new(&API)], |cfg| {
            cfg.app_data(data);
        })
        .await;

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
