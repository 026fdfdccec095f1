//! `[[issuers]]`: whose identity tokens are believed.

use std::collections::HashSet;
use std::path::PathBuf;

use config::{Map, Value};
use serde::Deserialize;
use url::Url;

use super::error::Refusal;
use super::server::is_loopback;
use crate::protocol::identity::IssuerUrl;

/// One `[[issuers]]` table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IssuerTable {
    #[serde(default)]
    url: String,
    #[serde(default = "default_audience")]
    audience: String,
    #[serde(default = "default_type", rename = "type")]
    subject_type: String,
    #[serde(default)]
    subject_domain: String,
    #[serde(default)]
    ca_file: String,
}

/// An issuer whose tokens are believed.
#[derive(Clone, Debug)]
pub struct IssuerSettings {
    /// The token's `iss`, byte for byte
    pub url: IssuerUrl,
    /// The token's `aud`
    pub audience: String,
    /// What a token's subject becomes in a certificate
    pub subject: IssuerSubject,
    /// PEM of the only authorities trusted for this issuer's TLS; none for the system's
    pub ca_file: Option<PathBuf>,
}

/// What a token's subject becomes in a certificate (Fulcio's issuer types).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssuerSubject {
    /// The `email` claim, which the issuer has verified
    Email,
    /// `sub`, a URI whose scheme and host are the domain's
    Uri {
        /// Scheme and host, such as `https://ci.example.com`
        domain: String,
    },
}

fn default_audience() -> String {
    "sigstore".to_owned()
}

fn default_type() -> String {
    "email".to_owned()
}

/// The keys of an element, each with a value of its type.
pub(super) fn schema() -> Map<String, Value> {
    ["url", "audience", "type", "subject_domain", "ca_file"]
        .into_iter()
        .map(|key| (key.to_owned(), Value::from("")))
        .collect()
}

/// Checks all of them; `embedded` is the embedded issuer's URL, where there is one.
pub(super) fn check_all(
    tables: Vec<IssuerTable>,
    embedded: Option<&str>,
) -> Result<Vec<IssuerSettings>, Refusal> {
    let mut seen: HashSet<String> = embedded.map(str::to_owned).into_iter().collect();
    let mut issuers = Vec::with_capacity(tables.len());
    for (position, table) in tables.into_iter().enumerate() {
        let issuer = table.check(position)?;
        if !seen.insert(issuer.url.as_str().to_owned()) {
            return Err(Refusal::contradiction(
                &key(position, "url"),
                "the same issuer is configured twice, or is this server's embedded one",
            ));
        }
        issuers.push(issuer);
    }
    Ok(issuers)
}

impl IssuerTable {
    fn check(self, position: usize) -> Result<IssuerSettings, Refusal> {
        let (issuer, url) = self.check_url(position)?;
        let accepted = (1..=256).contains(&self.audience.len())
            && self.audience.bytes().all(|byte| byte.is_ascii_graphic());
        if !accepted {
            return Err(Refusal::not_accepted(
                &key(position, "audience"),
                &self.audience,
                "1 to 256 printable ASCII characters without spaces",
            ));
        }
        let subject = self.check_subject(position, &url)?;
        Ok(IssuerSettings {
            url: issuer,
            audience: self.audience,
            subject,
            ca_file: (!self.ca_file.is_empty()).then(|| self.ca_file.into()),
        })
    }

    fn check_url(&self, position: usize) -> Result<(IssuerUrl, Url), Refusal> {
        let refused = || {
            Refusal::not_accepted(
                &key(position, "url"),
                &self.url,
                "an https:// URL without user name, query and fragment; \
                 http:// for this machine only",
            )
        };
        let issuer = IssuerUrl::new(self.url.as_str()).map_err(|_| refused())?;
        let url = Url::parse(&self.url).map_err(|_| refused())?;
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let safe = url.scheme() == "https" || is_loopback(&url);
        (plain && safe).then_some((issuer, url)).ok_or_else(refused)
    }

    fn check_subject(&self, position: usize, issuer: &Url) -> Result<IssuerSubject, Refusal> {
        let domain = key(position, "subject_domain");
        match (self.subject_type.as_str(), self.subject_domain.as_str()) {
            ("email", "") => Ok(IssuerSubject::Email),
            ("email", _) => Err(Refusal::contradiction(
                &domain,
                "it belongs to type = \"uri\"",
            )),
            ("uri", text) => {
                let refused = || {
                    Refusal::not_accepted(
                        &domain,
                        text,
                        "scheme and host alone, such as https://ci.example.com, with the last two \
                         labels of the issuer's host",
                    )
                };
                let url = Url::parse(text).map_err(|_| refused())?;
                let bare = text.strip_suffix('/').is_none()
                    && matches!(url.path(), "" | "/")
                    && url.username().is_empty()
                    && url.password().is_none()
                    && url.query().is_none()
                    && url.fragment().is_none()
                    && url.port().is_none();
                if !bare || !related(&url, issuer) {
                    return Err(refused());
                }
                Ok(IssuerSubject::Uri {
                    domain: text.to_owned(),
                })
            }
            (other, _) => Err(Refusal::not_accepted(
                &key(position, "type"),
                other,
                "\"email\" or \"uri\"",
            )),
        }
    }
}

/// Fulcio's rule: subjects and issuer share their top two DNS labels, so that nobody vouches for
/// strangers. Hosts of one label or addresses must be the same.
fn related(subject: &Url, issuer: &Url) -> bool {
    match (subject.domain(), issuer.domain()) {
        (Some(subject), Some(issuer)) => top_two(subject) == top_two(issuer),
        _ => subject.host().is_some() && subject.host() == issuer.host(),
    }
}

fn top_two(host: &str) -> Vec<&str> {
    host.rsplit('.').take(2).collect()
}

fn key(position: usize, name: &str) -> String {
    format!("issuers[{position}].{name}")
}
