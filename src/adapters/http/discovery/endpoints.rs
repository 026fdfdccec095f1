//! Every endpoint that there can be, and when it is there.

use serde::Serialize;

use super::Feature;
use crate::protocol::origin::Origin;
use crate::services::issuer::{DISCOVERY_PATH, JWKS_PATH, TOKEN_PATH};

/// An endpoint of the server.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Endpoint {
    /// Whose API it belongs to
    pub api: &'static str,
    /// The method that it takes
    pub method: &'static str,
    /// Where it is; names in braces stand for values (RFC 6570 §1.2, level 1)
    pub url: String,
}

/// Where an endpoint is, below the public URL.
struct Place {
    api: &'static str,
    method: &'static str,
    path: &'static str,
    needs: Option<Feature>,
}

const fn get(api: &'static str, path: &'static str) -> Place {
    Place {
        api,
        method: "GET",
        path,
        needs: None,
    }
}

const fn post(api: &'static str, path: &'static str) -> Place {
    Place {
        method: "POST",
        ..get(api, path)
    }
}

impl Place {
    const fn needs(self, feature: Feature) -> Self {
        Self {
            needs: Some(feature),
            ..self
        }
    }
}

const FULCIO: &str = "Fulcio";
const REKOR_V1: &str = "Rekor v1";
const REKOR_V2: &str = "Rekor v2";
const TIMESTAMPS: &str = "RFC 3161";
const CT: &str = "RFC 6962";
const TUF: &str = "TUF";
const OIDC: &str = "OpenID Connect";
const SIGNET: &str = "Signet";

/// Those of an instance with these features.
pub(super) fn of(url: &Origin, features: &[Feature]) -> Vec<Endpoint> {
    let is_there = |place: &&Place| place.needs.is_none_or(|needed| features.contains(&needed));
    let endpoint = |place: &Place| Endpoint {
        api: place.api,
        method: place.method,
        url: url.join(place.path),
    };
    PLACES.iter().filter(is_there).map(endpoint).collect()
}

const PLACES: &[Place] = &[
    post(FULCIO, "/api/v2/signingCert"),
    get(FULCIO, "/api/v2/trustBundle"),
    get(FULCIO, "/api/v2/configuration"),
    post(FULCIO, "/api/v1/signingCert"),
    get(FULCIO, "/api/v1/rootCert"),
    post(REKOR_V2, "/api/v2/log/entries").needs(Feature::RekorV2),
    get(REKOR_V2, "/api/v2/checkpoint"),
    get(REKOR_V2, "/api/v2/tile/{level}/{tile}"),
    get(REKOR_V2, "/api/v2/tile/entries/{tile}"),
    get(REKOR_V2, "/checkpoint"),
    get(REKOR_V2, "/tile/{level}/{tile}"),
    get(REKOR_V2, "/tile/entries/{tile}"),
    post(REKOR_V1, "/api/v1/log/entries").needs(Feature::RekorV1),
    get(REKOR_V1, "/api/v1/log/entries?logIndex={index}"),
    get(REKOR_V1, "/api/v1/log/entries/{entry}"),
    post(REKOR_V1, "/api/v1/log/entries/retrieve"),
    get(REKOR_V1, "/api/v1/log"),
    get(
        REKOR_V1,
        "/api/v1/log/proof?firstSize={first}&lastSize={last}",
    ),
    get(REKOR_V1, "/api/v1/log/publicKey"),
    post(REKOR_V1, "/api/v1/index/retrieve"),
    post(TIMESTAMPS, "/api/v1/timestamp"),
    get(TIMESTAMPS, "/api/v1/timestamp/certchain"),
    get(CT, "/ct/ct/v1/get-sth"),
    get(CT, "/ct/ct/v1/get-roots"),
    get(CT, "/ct/ct/v1/get-entries?start={index}&end={index}"),
    get(
        CT,
        "/ct/ct/v1/get-sth-consistency?first={first}&second={last}",
    ),
    get(
        CT,
        "/ct/ct/v1/get-proof-by-hash?hash={hash}&tree_size={last}",
    ),
    get(
        CT,
        "/ct/ct/v1/get-entry-and-proof?leaf_index={index}&tree_size={last}",
    ),
    get(TUF, "/tuf/root.json").needs(Feature::TufRepository),
    get(TUF, "/tuf/timestamp.json").needs(Feature::TufRepository),
    get(TUF, "/tuf/{file}").needs(Feature::TufRepository),
    get(OIDC, DISCOVERY_PATH).needs(Feature::EmbeddedIssuer),
    get(OIDC, JWKS_PATH).needs(Feature::EmbeddedIssuer),
    post(OIDC, TOKEN_PATH).needs(Feature::EmbeddedIssuer),
    post(SIGNET, "/signet/v1/verify"),
    get(SIGNET, "/signet/v1/policies"),
    get(SIGNET, super::PATH),
    get(SIGNET, "/healthz"),
    get(SIGNET, "/ping"),
    get(SIGNET, "/readyz"),
    get(SIGNET, "/metrics").needs(Feature::Metrics),
    get(SIGNET, "/"),
];
