//! The declaration of routes. An API lists its routes once, in its own file; registration, methods
//! that are not allowed, CORS, body limits, error formats and the discovery document follow from it.

use std::sync::Arc;

use actix_cors::Cors;
use actix_web::guard;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource};
use serde::{Deserialize, Serialize};

use super::body::with_limit;
use super::refusal::{ErrorFormat, Refusal};

/// An optional feature of an instance that routes and commands may require.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Feature {
    /// The Rekor v1 log accepts entries
    RekorV1,
    /// The Rekor v2 log accepts entries
    RekorV2,
    /// The server is an OpenID Connect issuer
    EmbeddedIssuer,
    /// Clients use TLS
    Tls,
    /// The public URL has no port
    DefaultPort,
    /// The trust documents are in a TUF repository
    TufRepository,
    /// `GET /metrics` is served
    Metrics,
}

/// An API: routes with one error format.
pub(crate) struct Api {
    /// The name in the discovery document
    pub name: &'static str,
    pub errors: ErrorFormat,
    /// Prefixes below which a path without a route is refused in this format too
    pub owns: &'static [&'static str],
    /// Whether pages of every origin may call it
    pub cors: bool,
    pub routes: &'static [Route],
}

/// A method at a path.
#[derive(Clone, Copy)]
pub(crate) struct Route {
    method: Verb,
    path: &'static str,
    handler: fn() -> actix_web::Route,
    max_body: Option<usize>,
    /// URI templates (RFC 6570 level 1) in the discovery document, where the path is not one
    templates: Option<&'static [&'static str]>,
    /// Handles requests while the log is frozen
    frozen: Option<fn() -> actix_web::Route>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    /// `HEAD` too: the framework leaves out the body
    Get,
    Post,
}

impl Verb {
    const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }

    const fn allow(self) -> &'static str {
        match self {
            Self::Get => "GET, HEAD",
            Self::Post => "POST",
        }
    }

    fn restrict(self, route: actix_web::Route) -> actix_web::Route {
        match self {
            Self::Get => route.guard(guard::Any(guard::Get()).or(guard::Head())),
            Self::Post => route.guard(guard::Post()),
        }
    }
}

impl Route {
    pub(crate) const fn get(path: &'static str, handler: fn() -> actix_web::Route) -> Self {
        Self {
            method: Verb::Get,
            path,
            handler,
            max_body: None,
            templates: None,
            frozen: None,
        }
    }

    pub(crate) const fn post(path: &'static str, handler: fn() -> actix_web::Route) -> Self {
        Self {
            method: Verb::Post,
            ..Self::get(path, handler)
        }
    }

    /// Sets a smaller maximum body than `limits.body_bytes`, for unauthenticated requests of known size.
    pub(crate) const fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = Some(bytes);
        self
    }

    /// Replaces the path in the discovery document by these URI templates.
    pub(crate) const fn listed_as(mut self, templates: &'static [&'static str]) -> Self {
        self.templates = Some(templates);
        self
    }

    /// Uses another handler while the served log is frozen.
    pub(crate) const fn unless_frozen(mut self, frozen: fn() -> actix_web::Route) -> Self {
        self.frozen = Some(frozen);
        self
    }
}

/// An API as served by an instance, with its prefix, its data and the state of its log.
#[derive(Clone)]
pub(crate) struct Mount {
    api: &'static Api,
    /// The path before those of the routes, without a slash at its end
    base: String,
    is_frozen: bool,
    data: Option<Arc<dyn Fn(Resource) -> Resource + Send + Sync>>,
}

/// An endpoint in the discovery document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Endpoint {
    /// The API's name
    pub api: &'static str,
    pub method: &'static str,
    /// A URI template (RFC 6570 level 1)
    pub url: String,
}

impl Mount {
    pub(crate) fn new(api: &'static Api) -> Self {
        Self {
            api,
            base: String::new(),
            is_frozen: false,
            data: None,
        }
    }

    pub(crate) fn below(mut self, base: impl Into<String>) -> Self {
        self.base = base.into();
        self
    }

    pub(crate) const fn frozen(mut self, is_frozen: bool) -> Self {
        self.is_frozen = is_frozen;
        self
    }

    /// Data for the handlers of this mount alone, where an API is served more than once.
    pub(crate) fn data<T: ?Sized + Send + Sync + 'static>(mut self, data: web::Data<T>) -> Self {
        self.data = Some(Arc::new(move |resource| resource.app_data(data.clone())));
        self
    }

    /// Registers the routes.
    pub(crate) fn register(&self, cfg: &mut ServiceConfig) {
        let mut registered: Vec<&str> = Vec::new();
        for route in self.api.routes {
            if registered.contains(&route.path) {
                continue;
            }
            registered.push(route.path);
            let resource = self.resource(route.path);
            if self.api.cors {
                cfg.service(resource.wrap(any_origin()));
            } else {
                cfg.service(resource);
            }
        }
    }

    /// Every route of one path, and the refusal of all other methods.
    fn resource(&self, path: &'static str) -> Resource {
        let routes = self.api.routes.iter().filter(|route| route.path == path);
        let mut resource = web::resource(format!("{}{path}", self.base)).app_data(self.api.errors);
        if let Some(data) = &self.data {
            resource = data(resource);
        }
        let mut allowed = Vec::new();
        for route in routes {
            let handler = match route.frozen {
                Some(frozen) if self.is_frozen => frozen,
                _ => {
                    allowed.push(route.method.allow());
                    route.handler
                }
            };
            if let Some(bytes) = route.max_body {
                resource = with_limit(resource, bytes);
            }
            resource = resource.route(route.method.restrict(handler()));
        }
        if self.api.cors {
            allowed.push("OPTIONS");
        }
        let allowed = AllowedMethods(allowed.join(", "));
        resource
            .app_data(allowed)
            .default_service(web::to(refuse_method))
    }

    /// The method and path of every route, without the patterns of path parameters.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn paths(&self) -> impl Iterator<Item = String> {
        let path = |route: &Route| {
            let (method, path) = (route.method.name(), route.path.replace(":.*}", "}"));
            format!("{method} {}{path}", self.base)
        };
        self.api.routes.iter().map(path)
    }

    /// What the discovery document lists. Routes that append to a frozen log are left out.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = Endpoint> {
        let is_served = |route: &&Route| !(self.is_frozen && route.frozen.is_some());
        self.api
            .routes
            .iter()
            .filter(is_served)
            .flat_map(move |route| {
                let templates = route.templates.unwrap_or(std::slice::from_ref(&route.path));
                templates.iter().map(move |template| Endpoint {
                    api: self.api.name,
                    method: route.method.name(),
                    url: format!("{}{template}", self.base),
                })
            })
    }
}

/// `Allow` of a path, with the methods of its routes.
struct AllowedMethods(String);

impl AllowedMethods {
    fn of(request: &HttpRequest) -> Option<HeaderValue> {
        let Self(methods) = request.app_data()?;
        HeaderValue::from_str(methods).ok()
    }
}

async fn refuse_method(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let detail = "this path does not support this method";
    Err(not_allowed(&request, "method-not-allowed", detail))
}

/// The refusal of a new entry by a frozen log.
pub(crate) fn frozen_log(request: &HttpRequest) -> Refusal {
    not_allowed(
        request,
        "log-frozen",
        "this log is frozen: it can be read, and new entries go to the log that the signing \
         configuration names",
    )
}

/// 405 with the methods that the path has (RFC 9110 §15.5.6).
fn not_allowed(request: &HttpRequest, code: &'static str, detail: &str) -> Refusal {
    let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, code, detail);
    match AllowedMethods::of(request) {
        Some(methods) => refusal.header(header::ALLOW, methods),
        None => refusal,
    }
}

/// The error format of every mounted API, for paths that no route matches.
#[derive(Clone, Default)]
pub(crate) struct UnmatchedFormats(Vec<(String, ErrorFormat)>);

impl UnmatchedFormats {
    pub(crate) fn of(mounts: &[Mount]) -> Self {
        let prefixes = mounts.iter().flat_map(|mount| {
            let owned = mount.api.owns.iter();
            owned.map(|prefix| (format!("{}{prefix}", mount.base), mount.api.errors))
        });
        let mut prefixes: Vec<_> = prefixes.collect();
        // The longest matching prefix applies.
        prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Self(prefixes)
    }

    pub(crate) fn find(&self, path: &str) -> ErrorFormat {
        let found = self.0.iter().find(|(prefix, _)| path.starts_with(prefix));
        found.map_or(ErrorFormat::Problem, |(_, format)| *format)
    }
}

/// Cross-origin requests from pages of every origin (Fetch §3.2). No credentials are involved.
fn any_origin() -> Cors {
    Cors::default()
        .allow_any_origin()
        .send_wildcard()
        .allowed_methods(["GET", "HEAD", "POST"])
        .allowed_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT])
        .max_age(86_400)
}

#[cfg(test)]
pub(crate) mod testing {
    use actix_http::Request;
    use actix_web::body::{BoxBody, MessageBody};
    use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
    use actix_web::middleware::{Next, from_fn};
    use actix_web::test::init_service;
    use actix_web::{App, Error};

    use super::*;
    use crate::adapters::http::middleware::render_error;

    /// An application that serves these mounts, with errors in their formats.
    pub(crate) async fn serve(
        mounts: Vec<Mount>,
        data: impl FnOnce(&mut ServiceConfig),
    ) -> impl Service<Request, Response = ServiceResponse<BoxBody>, Error = Error> {
        let app = App::new()
            .app_data(UnmatchedFormats::of(&mounts))
            .configure(data)
            .configure(|cfg| mounts.iter().for_each(|mount| mount.register(cfg)))
            .wrap(from_fn(render));
        init_service(app).await
    }

    async fn render<B: MessageBody + 'static>(
        request: ServiceRequest,
        next: Next<B>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let response = next.call(request).await?.map_into_boxed_body();
        Ok(render_error(response, false))
    }
}
