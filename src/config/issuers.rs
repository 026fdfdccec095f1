//! `[[issuers]]`: whose identity tokens are believed.

use std::collections::HashSet;
use std::path::PathBuf;

use config::{Map, Value};
use serde::Deserialize;
use url::Url;

use super::error::Refusal;
use crate::protocol::identity::{IssuerKind, IssuerUrl, SubjectDomain};
use crate::protocol::origin::Origin;

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
    #[serde(default)]
    key_hosts: Vec<String>,
}

/// An issuer whose tokens are believed.
#[derive(Clone, Debug)]
pub struct IssuerSettings {
    /// The token's `iss`, byte for byte
    pub url: IssuerUrl,
    /// The token's `aud`
    pub audience: String,
    /// What a token's subject becomes in a certificate
    pub subject: IssuerKind,
    /// PEM of the only authorities trusted for this issuer's TLS; none for the system's
    pub ca_file: Option<PathBuf>,
    /// Hosts besides the issuer's own that may serve its keys: `host`, or `host:port`
    pub key_hosts: Vec<String>,
}

fn default_audience() -> String {
    "sigstore".to_owned()
}

fn default_type() -> String {
    "email".to_owned()
}

/// The keys of an element, each with a value of its type.
pub(super) fn schema() -> Map<String, Value> {
    let text = |key: &str| (key.to_owned(), Value::from(""));
    let texts = |key: &str| (key.to_owned(), Value::from(vec![""]));
    ["url", "audience", "type", "subject_domain", "ca_file"]
        .map(text)
        .into_iter()
        .chain([texts("key_hosts")])
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
    if embedded.is_none() && issuers.is_empty() {
        return Err(Refusal::contradiction(
            "accounts.enabled",
            "nobody could sign without an issuer: leave it true, or configure [[issuers]]",
        ));
    }
    Ok(issuers)
}

impl IssuerTable {
    fn check(self, position: usize) -> Result<IssuerSettings, Refusal> {
        let issuer = self.check_url(position)?;
        let accepted = (1..=256).contains(&self.audience.len())
            && self.audience.bytes().all(|byte| byte.is_ascii_graphic());
        if !accepted {
            return Err(Refusal::not_accepted(
                &key(position, "audience"),
                &self.audience,
                "1 to 256 printable ASCII characters without spaces",
            ));
        }
        let subject = self.check_subject(position, &issuer)?;
        self.check_key_hosts(position)?;
        Ok(IssuerSettings {
            url: issuer,
            audience: self.audience,
            subject,
            ca_file: (!self.ca_file.is_empty()).then(|| self.ca_file.into()),
            key_hosts: self.key_hosts,
        })
    }

    fn check_url(&self, position: usize) -> Result<IssuerUrl, Refusal> {
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
        let safe =
            Origin::of(&self.url).is_some_and(|origin| origin.is_https() || origin.is_loopback());
        (plain && safe).then_some(issuer).ok_or_else(refused)
    }

    fn check_subject(&self, position: usize, issuer: &IssuerUrl) -> Result<IssuerKind, Refusal> {
        let key = key(position, "subject_domain");
        match (self.subject_type.as_str(), self.subject_domain.as_str()) {
            ("email", "") => Ok(IssuerKind::Email),
            ("email", _) => Err(Refusal::contradiction(&key, "it belongs to type = \"uri\"")),
            ("uri", text) => SubjectDomain::new(text)
                .and_then(|domain| domain.check_issuer(issuer).map(|()| domain))
                .map(IssuerKind::Uri)
                .map_err(|_| {
                    Refusal::not_accepted(
                        &key,
                        text,
                        "scheme and host alone in lower case, such as https://ci.example.com, with \
                         the last two labels of the issuer's host",
                    )
                }),
            (other, _) => Err(Refusal::not_accepted(
                &self::key(position, "type"),
                other,
                "\"email\" or \"uri\"",
            )),
        }
    }

    /// A host as a URL has it, so that it can be found in one.
    fn check_key_hosts(&self, position: usize) -> Result<(), Refusal> {
        let is_host = |text: &String| {
            let url = Url::parse(&format!("https://{text}"));
            url.is_ok_and(|url| url.as_str() == format!("https://{text}/"))
        };
        match self.key_hosts.iter().find(|text| !is_host(text)) {
            None => Ok(()),
            Some(text) => Err(Refusal::not_accepted(
                &key(position, "key_hosts"),
                text,
                "hosts in lower case, such as keys.example.com, or with a port other than 443 \
                 keys.example.com:8443",
            )),
        }
    }
}

fn key(position: usize, name: &str) -> String {
    format!("issuers[{position}].{name}")
}
