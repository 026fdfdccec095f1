//! The origin of a server: scheme, host and optional port (RFC 6454 §4).
//!
//! Clients append paths to it and compare it byte for byte, so it has one canonical form.

use std::fmt;

use url::{Host, Url};

/// `http` or `https`, a lower-case host, and a port unless it is the scheme's default. No path, no
/// trailing slash, no user name.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    text: String,
    host: String,
    loopback: bool,
}

impl Origin {
    /// Parses an origin in its canonical form; none for any other text, such as one with a default port
    /// or an upper-case letter.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::of(text).filter(|origin| origin.text == text)
    }

    /// The origin of a URL with a host; none for other text.
    pub(crate) fn of(url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        let host = url.host()?;
        matches!(url.scheme(), "http" | "https").then(|| Self {
            text: url.origin().ascii_serialization(),
            loopback: is_loopback(&host),
            host: host.to_string(),
        })
    }

    /// The origin without a trailing slash.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The host without port; an IPv6 address has brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The URL of an absolute path on this server.
    pub(crate) fn join(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    pub(crate) fn is_https(&self) -> bool {
        self.text.starts_with("https://")
    }

    /// Whether the host is the client's own machine.
    pub(crate) const fn is_loopback(&self) -> bool {
        self.loopback
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_of_an_origin_is_parsed() {
        for (text, host) in [
            ("https://sign.example", "sign.example"),
            ("https://sign.example:8443", "sign.example"),
            ("http://localhost:0", "localhost"),
            ("http://127.0.0.1:1", "127.0.0.1"),
            ("http://[::1]:8477", "[::1]"),
        ] {
            let origin = Origin::parse(text).unwrap();
            assert_eq!((origin.as_str(), origin.host()), (text, host));
            assert_eq!(origin.join("/x"), format!("{text}/x"));
        }
        for text in [
            "https://sign.example/",
            "https://sign.example/path",
            "https://u:p@sign.example",
            "https://u@sign.example",
            "https://sign.example?q",
            "https://sign.example#f",
            "https://Sign.example",
            "https://sign.example:443",
            "http://sign.example:80",
            "ftp://sign.example",
            "file:///etc",
            "sign.example",
            " https://sign.example",
            "",
        ] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_origin_of_a_url_has_no_path_user_or_default_port() {
        for url in [
            "https://Sign.example:443",
            "https://u:p@sign.example/a?b#c",
            "https://sign.example/",
        ] {
            assert_eq!(Origin::of(url).unwrap().as_str(), "https://sign.example");
        }
    }

    #[test]
    fn loopback_hosts_are_recognized_in_each_form() {
        let loopback = |text: &str| Origin::parse(text).unwrap().is_loopback();

        assert!(loopback("http://localhost:1"));
        assert!(loopback("http://127.9.9.9"));
        assert!(loopback("https://[::1]:1"));
        assert!(!loopback("https://localhost.example"));
        assert!(!loopback("http://10.0.0.1"));
    }
}
