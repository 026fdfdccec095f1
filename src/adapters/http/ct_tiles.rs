//! The certificate log as static files (C2SP static-ct-api), below the log's base URL, `/ct`.

use actix_web::http::header::{self, ContentType};
use actix_web::{HttpRequest, HttpResponse, web};

use super::ct::on_blocking_thread;
use super::problem::Problem;
use crate::protocol::bytes::Sha256;
use crate::protocol::merkle::{TILE_WIDTH, TileId, TilePathError, TileSpan};
use crate::services::ctlog::{CtError, CtLog};

/// Registers the routes; the log is taken from the application's data.
pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/ct/checkpoint")
            .route(web::get().to(checkpoint))
            .route(web::head().to(checkpoint)),
    )
    .service(
        web::resource("/ct/tile/{tile:.*}")
            .route(web::get().to(tile))
            .route(web::head().to(tile)),
    )
    .service(
        web::resource("/ct/issuer/{fingerprint}")
            .route(web::get().to(issuer))
            .route(web::head().to(issuer)),
    );
}

const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// `GET /ct/checkpoint`
async fn checkpoint(log: web::Data<CtLog>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::plaintext())
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(log.checkpoint())
}

/// `GET /ct/tile/<level>/<index>[.p/<width>]` and `GET /ct/tile/data/<index>[.p/<width>]`
async fn tile(request: HttpRequest, log: web::Data<CtLog>) -> Result<HttpResponse, Problem> {
    // The path as it was sent: an escape is not another way to write a tile.
    let wanted = Wanted::parse(request.uri().path()).map_err(|_| CtError::NoTile)?;
    let bytes = on_blocking_thread(move || wanted.read(&log)).await?;
    Ok(HttpResponse::Ok()
        .content_type(ContentType::octet_stream())
        .insert_header((header::CACHE_CONTROL, wanted.cache_control()))
        .body(bytes))
}

/// `GET /ct/issuer/<SHA-256 in lower-case hexadecimal>`
async fn issuer(request: HttpRequest, log: web::Data<CtLog>) -> Result<HttpResponse, Problem> {
    let fingerprint = fingerprint(request.uri().path()).ok_or(CtError::UnknownIssuer)?;
    let certificate = on_blocking_thread(move || log.issuer(&fingerprint)).await?;
    Ok(HttpResponse::Ok()
        .content_type("application/pkix-cert")
        .insert_header((header::CACHE_CONTROL, FOR_EVER))
        .body(certificate))
}

/// The fingerprint in a path, in its one form.
fn fingerprint(path: &str) -> Option<Sha256> {
    let text = path.strip_prefix("/ct/issuer/")?;
    Sha256::from_hex(text).filter(|fingerprint| fingerprint.to_hex() == text)
}

/// What a tile path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Hashes(TileId),
    Data(TileSpan),
}

impl Wanted {
    fn parse(path: &str) -> Result<Self, TilePathError> {
        let path = path.strip_prefix("/ct/tile/").ok_or(TilePathError)?;
        let (row, span) = path.split_once('/').ok_or(TilePathError)?;
        if row == "data" {
            TileSpan::parse(span).map(Self::Data)
        } else {
            TileId::parse(row, span).map(Self::Hashes)
        }
    }

    fn read(self, log: &CtLog) -> Result<Vec<u8>, CtError> {
        match self {
            Self::Hashes(tile) => {
                let hashes = log.tile(tile)?;
                Ok(hashes.iter().flat_map(|hash| *hash.as_bytes()).collect())
            }
            Self::Data(span) => log.data_tile(span),
        }
    }

    /// A full tile never changes; a partial one is superseded soon.
    const fn cache_control(self) -> &'static str {
        let width = match self {
            Self::Hashes(tile) => tile.span().width(),
            Self::Data(span) => span.width(),
        };
        if width == TILE_WIDTH {
            FOR_EVER
        } else {
            "public, max-age=60"
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::App;
    use actix_web::body::to_bytes;
    use actix_web::http::StatusCode;
    use actix_web::test::{TestRequest, call_service, init_service};

    use super::*;
    use crate::protocol::x509::testing::TestAuthority;
    use crate::services::ctlog::tests::{log, submit};

    /// Asks a log of three certificates; status, content type and body of every answer.
    async fn ask(log: CtLog, paths: &[&str]) -> Vec<(StatusCode, String, Vec<u8>)> {
        let app = App::new()
            .app_data(web::Data::new(log))
            .configure(configure);
        let app = init_service(app).await;
        let mut answers = Vec::new();
        for path in paths {
            let request = TestRequest::get().uri(path).to_request();
            let response = call_service(&app, request).await;
            let status = response.status();
            let kind = response.headers().get(header::CONTENT_TYPE).unwrap();
            let kind = kind.to_str().unwrap().to_owned();
            let body = to_bytes(response.into_body()).await.unwrap();
            answers.push((status, kind, body.to_vec()));
        }
        answers
    }

    async fn log_of_three(ca: &TestAuthority) -> CtLog {
        let log = log(ca);
        for _ in 0..3 {
            submit(&log, ca).await;
        }
        log
    }

    #[actix_web::test]
    async fn checkpoint_tiles_and_issuers_have_the_types_of_static_ct_api() {
        let ca = TestAuthority::new("Intermediate");
        let log = log_of_three(&ca).await;
        let issuer = Sha256::of(ca.intermediate.der());
        let issuer = format!("/ct/issuer/{}", issuer.to_hex());

        let paths = [
            "/ct/checkpoint",
            "/ct/tile/0/000.p/3",
            "/ct/tile/data/000.p/3",
            &issuer,
        ];
        let answers = ask(log, &paths).await;

        let kinds = [
            "text/plain; charset=utf-8",
            "application/octet-stream",
            "application/octet-stream",
            "application/pkix-cert",
        ];
        for ((path, kind), answer) in paths.iter().zip(kinds).zip(&answers) {
            assert_eq!((answer.0, &answer.1[..]), (StatusCode::OK, kind), "{path}");
        }
        assert!(answers[0].2.starts_with(b"log.example/ct\n3\n"));
        assert_eq!(answers[1].2.len(), 3 * 32);
        assert_eq!(answers[3].2, ca.intermediate.der());
    }

    #[actix_web::test]
    async fn what_is_not_there_or_written_otherwise_is_not_found() {
        let ca = TestAuthority::new("Intermediate");
        let log = log_of_three(&ca).await;
        let upper = Sha256::of(ca.root.der()).to_hex().to_uppercase();
        let upper = format!("/ct/issuer/{upper}");
        let unknown = format!("/ct/issuer/{}", "0".repeat(64));
        let paths = [
            "/ct/tile/0/000",
            "/ct/tile/0/000.p/4",
            "/ct/tile/1/000.p/1",
            "/ct/tile/data/000",
            "/ct/tile/data/001.p/1",
            "/ct/tile/entries/000.p/3",
            "/ct/tile/0/000.p/03",
            "/ct/tile/data/x000/000.p/3",
            "/ct/tile/data/000%2ep/3",
            "/ct/issuer/00",
            &upper,
            &unknown,
        ];

        let answers = ask(log, &paths).await;

        for (path, (status, kind, _)) in paths.iter().zip(answers) {
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
            assert_eq!(kind, "application/problem+json", "{path}");
        }
    }
}
