//! Web pages: HTML without scripts, which loads nothing from other servers.

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::adapters::http::discovery::Discovery;
use crate::adapters::http::refusal::{ErrorFormat, Refusal};
use crate::adapters::http::route::{Api, Route};

/// The page at `/`.
#[derive(Template)]
#[template(path = "front.html")]
struct FrontPage<'a> {
    of: &'a Discovery,
}

/// Needs `web::Data<Discovery>`.
pub(crate) const API: Api = Api {
    name: "Signet",
    errors: ErrorFormat::Problem,
    owns: &[],
    cors: false,
    routes: &[
        Route::get("/", || web::to(front)),
        Route::get("/signet.css", || web::to(style)).listed_as(&[]),
    ],
};

/// `GET /`
async fn front(of: web::Data<Discovery>) -> Result<HttpResponse, Refusal> {
    let html = FrontPage { of: &of }.render().map_err(|error| {
        tracing::error!(%error, "page.failed");
        Refusal::internal("the page could not be rendered; the server's log has the reason")
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

/// A page may load our own style sheet and nothing else, and no page may frame it.
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
    use actix_web::test;

    use super::*;
    use crate::adapters::http::discovery::tests::discovery;
    use crate::adapters::http::route::Mount;
    use crate::adapters::http::route::testing::serve;
    use crate::services::roster::Roster;
    use crate::services::roster::testing::roster;

    fn page(roster: &Roster) -> Discovery {
        discovery(roster, vec!["<b>mend me</b>".to_owned()])
    }

    #[actix_web::test]
    async fn the_page_shows_the_server_its_keys_and_the_commands() {
        let roster = roster();
        let data = web::Data::new(page(&roster));
        let app = serve(vec![Mount::new(&API)], |cfg| {
            cfg.app_data(data);
        })
        .await;

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
            &roster.logs[0].log_id.to_hex(),
            &roster.logs[2].log_id.to_hex(),
        ] {
            assert!(html.contains(part), "{part}");
        }
    }

    #[actix_web::test]
    async fn names_are_escaped() {
        let roster = Roster {
            operator: "</p><script>a()</script>".to_owned(),
            issuers: vec!["https://login.example/<script>\"'&".to_owned()],
            ..roster()
        };

        let html = FrontPage { of: &page(&roster) }.render().unwrap();

        assert!(!html.contains("<script") && !html.contains("<b>"));
        assert_eq!(html.matches("&#60;script&#62;a()").count(), 1);
    }

    #[actix_web::test]
    async fn the_page_loads_nothing_from_other_servers() {
        let html = FrontPage {
            of: &page(&roster()),
        }
        .render()
        .unwrap();

        let asking = ["src=", "@import", "url("];
        assert!(asking.iter().all(|word| !html.contains(word)));
        assert!(asking.iter().all(|word| !STYLE.contains(word)));
        assert_eq!(html.matches("<link ").count(), 1);
        // Every link is local.
        assert_eq!(
            html.matches("href=\"").count(),
            html.matches("href=\"/").count()
        );
    }
}
