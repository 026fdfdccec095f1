//! What a server is called: scheme, host and perhaps a port (RFC 6454 §4), and nothing after it.
//!
//! Clients append paths of their own to it and compare it byte for byte, so it has one spelling.

use std::fmt;

use url::{Host, Url};

/// `http` or `https`, a host in lower case, and a port unless it is the scheme's own. No path, no
/// slash at the end, no user name.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    text: String,
    host: String,
    loopback: bool,
}

impl Origin {
    /// Takes an origin as it is written; nothing is normalised. None for anything else, a default
    /// port or an upper-case letter among it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::of(text).filter(|origin| origin.text == text)
    }

    /// The origin of any URL with a host: path, query and user name are left out.
    pub(crate) fn of(url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        let host = url.host()?;
        matches!(url.scheme(), "http" | "https").then(|| Self {
            text: url.origin().ascii_serialization(),
            loopback: is_loopback(&host),
            host: host.to_string(),
        })
    }

    /// The origin, without a slash at the end.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The host alone, without port; an IPv6 address has its brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The URL of an absolute path below it.
    pub(crate) fn join(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// Whether clients speak TLS to it.
    pub(crate) fn is_https(&self) -> bool {
        self.text.starts_with("https://")
    }

    /// Whether the host is whichever machine asks.
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
    fn an_origin_has_one_spelling() {
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
    fn the_origin_of_a_url_is_what_stands_before_its_path() {
        for url in [
            "https://Sign.example:443",
            "https://u:p@sign.example/a?b#c",
            "https://sign.example/",
        ] {
            assert_eq!(Origin::of(url).unwrap().as_str(), "https://sign.example");
        }
    }

    #[test]
    fn this_machine_is_known_by_each_of_its_names() {
        let loopback = |text: &str| Origin::parse(text).unwrap().is_loopback();

        assert!(loopback("http://localhost:1"));
        assert!(loopback("http://127.9.9.9"));
        assert!(loopback("https://[::1]:1"));
        assert!(!loopback("https://localhost.example"));
        assert!(!loopback("http://10.0.0.1"));
    }
}
