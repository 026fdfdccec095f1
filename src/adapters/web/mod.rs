//! Pages for people: plain HTML without scripts, and nothing fetched from elsewhere.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::adapters::http::discovery::Discovery;
use crate::adapters::http::problem::Problem;

/// The page at `/`.
#[derive(Template)]
#[template(path = "front.html")]
struct FrontPage<'a> {
    /// What it says
    of: &'a Discovery,
}

/// Routes `/`, which needs `web::Data<Discovery>`, and what the page shows itself with.
pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource("/").get(front))
        .service(web::resource("/signet.css").get(style));
}

/// `GET /`
async fn front(of: web::Data<Discovery>) -> Result<HttpResponse, Problem> {
    let html = FrontPage { of: &of }.render().map_err(|error| {
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
    use crate::adapters::http::discovery::tests::discovery;
    use crate::services::trust::Anchors;
    use crate::services::trust::tests::anchors;

    fn page(anchors: &Anchors) -> Discovery {
        discovery(anchors, vec!["<b>mend me</b>".to_owned()])
    }

    #[actix_web::test]
    async fn the_page_names_the_server_its_keys_and_the_commands() {
        let anchors = anchors();
        let app = App::new()
            .app_data(web::Data::new(page(&anchors)))
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
            "https://sign.example:8477/trust/client_trust_config.json",
            "signet sign --url https://sign.example:8477",
            "href=\"/trust/trusted_root.json\"",
            &anchors.ct_key.fingerprint().to_hex(),
            &anchors.log_key.hash().to_hex(),
        ] {
            assert!(html.contains(part), "{part}");
        }
    }

    #[actix_web::test]
    async fn every_name_is_escaped() {
        let anchors = Anchors {
            operator: "</p><script>a()</script>".to_owned(),
            issuers: vec!["https://login.example/<script>\"'&".to_owned()],
            ..anchors()
        };

        let html = FrontPage {
            of: &page(&anchors),
        }
        .render()
        .unwrap();

        assert!(!html.contains("<script") && !html.contains("<b>"));
        assert_eq!(html.matches("&#60;script&#62;a()").count(), 1);
    }

    #[actix_web::test]
    async fn the_page_asks_nothing_of_other_servers() {
        let html = FrontPage {
            of: &page(&anchors()),
        }
        .render()
        .unwrap();

        let asking = ["src=", "@import", "url("];
        assert!(asking.iter().all(|word| !html.contains(word)));
        assert!(asking.iter().all(|word| !STYLE.contains(word)));
        assert_eq!(html.matches("<link ").count(), 1);
        // Every link stays here.
        assert_eq!(
            html.matches("href=\"").count(),
            html.matches("href=\"/").count()
        );
    }
}
