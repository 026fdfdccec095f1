//! Pages for people: plain HTML without scripts, and nothing fetched from elsewhere.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::adapters::http::problem::Problem;
use crate::protocol::keys::PublicKey;

/// What the page at `/` says; `web::Data` of the application.
#[derive(Clone, Debug, Template)]
#[template(path = "front.html")]
pub struct FrontPage {
    /// What clients call this server
    pub public_url: String,
    /// The package's version
    pub version: &'static str,
    /// The keys by which the server is known
    pub keys: Vec<KeyIdentity>,
    /// Where the trust documents are
    pub documents: Vec<Document>,
    /// Whose tokens are accepted
    pub issuers: Vec<String>,
    /// Whether the server is an issuer itself
    pub embedded_issuer: bool,
}

/// A key of the server, as people compare it.
#[derive(Clone, Debug)]
pub struct KeyIdentity {
    /// What the key is for
    pub role: &'static str,
    /// Its kind
    pub algorithm: &'static str,
    /// SHA-256 of its SubjectPublicKeyInfo, in hexadecimal
    pub fingerprint: String,
}

impl KeyIdentity {
    /// The identity of a key.
    pub fn new(role: &'static str, key: &PublicKey) -> Self {
        Self {
            role,
            algorithm: key.algorithm().name(),
            fingerprint: key.fingerprint().to_hex(),
        }
    }
}

/// A document that the page links to.
#[derive(Clone, Debug)]
pub struct Document {
    /// What it is
    pub title: &'static str,
    /// Its absolute path
    pub path: &'static str,
}

/// Routes `/`, which needs `web::Data<FrontPage>`, and what the page shows itself with.
pub fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource("/").get(front))
        .service(web::resource("/signet.css").get(style));
}

/// `GET /`
async fn front(page: web::Data<FrontPage>) -> Result<HttpResponse, Problem> {
    let html = page.render().map_err(|error| {
        tracing::error!(%error, "front page could not be rendered");
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the page could not be rendered",
        )
    })?;
    let mut response = HttpResponse::Ok();
    for (name, value) in PAGE_HEADERS {
        response.insert_header((name, HeaderValue::from_static(value)));
    }
    Ok(response.content_type("text/html; charset=utf-8").body(html))
}

/// `GET /signet.css`
async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "max-age=3600"))
        .body(STYLE)
}

const STYLE: &str = include_str!("signet.css");

/// A page may load our own style and nothing else, and nobody may frame it.
const PAGE_HEADERS: [(HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CACHE_CONTROL, "no-cache"),
];

#[cfg(test)]
mod tests {
    use actix_web::{App, test};

    use super::*;

    fn page() -> FrontPage {
        FrontPage {
            public_url: "https://signet.example".to_owned(),
            version: "1.2.3",
            keys: vec![KeyIdentity {
                role: "Signature log",
                algorithm: "Ed25519",
                fingerprint: "ab".repeat(32),
            }],
            documents: vec![Document {
                title: "Trusted root",
                path: "/trust/trusted_root.json",
            }],
            issuers: vec!["https://login.example/<script>".to_owned()],
            embedded_issuer: true,
        }
    }

    #[actix_web::test]
    async fn the_page_names_the_server_its_keys_and_the_commands() {
        let app = App::new()
            .app_data(web::Data::new(page()))
            .configure(configure);
        let app = test::init_service(app).await;

        let request = test::TestRequest::get().uri("/").to_request();
        let response = test::call_service(&app, request).await;

        let policy = response.headers().get(header::CONTENT_SECURITY_POLICY);
        let policy = policy.unwrap().to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"));
        let html = test::read_body(response).await;
        let html = String::from_utf8(html.to_vec()).unwrap();
        for part in [
            "https://signet.example/trust/client_trust_config.json",
            "signet sign --url https://signet.example",
            "href=\"/trust/trusted_root.json\"",
            &"ab".repeat(32),
        ] {
            assert!(html.contains(part), "{part}");
        }
        assert!(!html.contains("<script"), "names are escaped");
    }

    #[actix_web::test]
    async fn the_page_asks_nothing_of_other_servers() {
        let html = page().render().unwrap();

        let asking = ["src=", "@import", "url("];
        assert!(asking.iter().all(|word| !html.contains(word)));
        assert!(asking.iter().all(|word| !STYLE.contains(word)));
        assert_eq!(html.matches("<link ").count(), 1);
    }
}
