//! `/healthz`, `/ping` and `/readyz`: liveness and readiness.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpResponse, web};
use serde_json::{Map, Value, json};

use super::refusal::ErrorFormat;
use super::route::{Api, Route};

/// The state of a part of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PartState {
    Ready,
    /// Frozen by the operator: read-only
    Closed,
    /// Works, but needs action by the operator
    Warning {
        reason: String,
    },
    /// Read-only because of a fault
    ReadOnly {
        reason: String,
    },
    Failed {
        reason: String,
    },
}

/// Returns a part's state. It must not block.
pub(crate) type PartProbe = Box<dyn Fn() -> PartState + Send + Sync>;

/// The named parts that make up readiness.
#[derive(Default)]
pub(crate) struct Readiness {
    parts: Vec<(String, PartProbe)>,
}

impl Readiness {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub(crate) fn part(
        mut self,
        name: impl Into<String>,
        probe: impl Fn() -> PartState + Send + Sync + 'static,
    ) -> Self {
        self.parts.push((name.into(), Box::new(probe)));
        self
    }
}

/// `/readyz` needs `web::Data<Readiness>`.
pub(crate) const API: Api = Api {
    name: "Signet",
    errors: ErrorFormat::Problem,
    owns: &[],
    cors: false,
    routes: &[
        Route::get("/healthz", || web::to(alive)),
        Route::get("/ping", || web::to(alive)),
        Route::get("/readyz", || web::to(ready)),
    ],
};

/// `GET /healthz`, `GET /ping`
async fn alive() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, NO_STORE))
        .content_type("text/plain; charset=utf-8")
        .body("ok")
}

/// `GET /readyz`: 200 if every part is ready, else 503, with the state of each part.
async fn ready(readiness: web::Data<Readiness>) -> HttpResponse {
    let mut parts = Map::new();
    let mut all_ready = true;
    for (name, probe) in &readiness.parts {
        let state = probe();
        all_ready &= matches!(
            state,
            PartState::Ready | PartState::Closed | PartState::Warning { .. }
        );
        parts.insert(name.clone(), describe(&state));
    }
    let mut response = if all_ready {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    response
        .insert_header((CACHE_CONTROL, NO_STORE))
        .json(json!({ "ready": all_ready, "parts": parts }))
}

fn describe(state: &PartState) -> Value {
    match state {
        PartState::Ready => json!({ "state": "ready" }),
        PartState::Closed => json!({ "state": "closed", "reason": "switched off for new entries" }),
        PartState::Warning { reason } => json!({ "state": "warning", "reason": reason }),
        PartState::ReadOnly { reason } => json!({ "state": "read-only", "reason": reason }),
        PartState::Failed { reason } => json!({ "state": "failed", "reason": reason }),
    }
}

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::test;

    use super::*;
    use crate::adapters::http::route::Mount;
    use crate::adapters::http::route::testing::serve;

    async fn readyz(readiness: Readiness) -> (StatusCode, Value) {
        let data = web::Data::new(readiness);
        let app = serve(vec![Mount::new(&API)], |cfg| {
            cfg.app_data(data);
        })
        .await;
        let request = test::TestRequest::get().uri("/readyz").to_request();
        let response = test::call_service(&app, request).await;
        let status = response.status();
        (status, test::read_body_json(response).await)
    }

    #[actix_web::test]
    async fn a_server_is_ready_when_every_part_is() {
        let readiness = Readiness::new()
            .part("ct", || PartState::Ready)
            .part("ca", || PartState::Ready);

        let (status, body) = readyz(readiness).await;

        assert_eq!(status, StatusCode::OK);
        assert_eq!(body["ready"], true);
        assert_eq!(body["parts"]["ca"]["state"], "ready");
    }

    #[actix_web::test]
    async fn a_frozen_part_is_reported_and_does_not_affect_readiness() {
        let readiness = Readiness::new().part("rekor-v1", || PartState::Closed);

        let (status, body) = readyz(readiness).await;

        assert_eq!(status, StatusCode::OK);
        assert_eq!(body["ready"], true);
        assert_eq!(body["parts"]["rekor-v1"]["state"], "closed");
    }

    #[actix_web::test]
    async fn a_warning_is_reported_and_does_not_affect_readiness() {
        let readiness = Readiness::new().part("trust", || PartState::Warning {
            reason: "soon".to_owned(),
        });

        let (status, body) = readyz(readiness).await;

        assert_eq!(status, StatusCode::OK);
        assert_eq!(body["parts"]["trust"]["state"], "warning");
        assert_eq!(body["parts"]["trust"]["reason"], "soon");
    }

    #[actix_web::test]
    async fn a_part_that_is_not_ready_is_reported_with_its_reason() {
        let readiness = Readiness::new()
            .part("ct", || PartState::Ready)
            .part("rekor", || PartState::ReadOnly {
                reason: "3 entries are missing".to_owned(),
            });

        let (status, body) = readyz(readiness).await;

        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(body["ready"], false);
        assert_eq!(body["parts"]["ct"]["state"], "ready");
        assert_eq!(body["parts"]["rekor"]["state"], "read-only");
        assert_eq!(body["parts"]["rekor"]["reason"], "3 entries are missing");
    }

    #[actix_web::test]
    async fn probes_are_answered() {
        let app = serve(vec![Mount::new(&API)], |_| ()).await;
        for path in ["/healthz", "/ping"] {
            let request = test::TestRequest::get().uri(path).to_request();
            assert_eq!(test::call_and_read_body(&app, request).await, "ok");
        }
    }
}
