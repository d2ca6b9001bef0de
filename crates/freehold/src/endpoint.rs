//! Where the node is.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use http::Uri;

/// Where a node listens if nobody says otherwise.
pub(crate) const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4566);

/// `http://HOST:PORT`, without a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// Said on the command line (or by FREEHOLD_ENDPOINT, which clap reads), by AWS_ENDPOINT_URL, or the default.
    pub(crate) fn find(said: Option<&Self>, environment: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        match (said, environment("AWS_ENDPOINT_URL").filter(|url| !url.is_empty())) {
            (Some(endpoint), _) => Ok(endpoint.clone()),
            (None, Some(url)) => url.parse().map_err(|wrong| format!("AWS_ENDPOINT_URL is '{url}': {wrong}")),
            (None, None) => Ok(Self::of(LISTEN_DEFAULT)),
        }
    }

    /// A node that listens at `address`, seen from the same machine: one that listens everywhere is reached by loopback.
    pub(crate) fn of(address: SocketAddr) -> Self {
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        let host = match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        Self { host, port: address.port() }
    }

    /// `HOST:PORT`.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}", self.host, self.port)
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write it as http://HOST:PORT, such as http://127.0.0.1:4566".to_owned();
        let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri = full.trim_end_matches('/').parse().map_err(|_| wrong())?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err("a node speaks plain HTTP: write http://HOST:PORT".to_owned()),
            Some(_) | None => return Err(wrong()),
        }
        let has_userinfo = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if uri.path() != "/" || uri.query().is_some() || has_userinfo {
            return Err(wrong());
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        // A port that is no number of 16 bits is no port to `Uri`; then it must not silently become 80.
        let names_port = uri.authority().is_some_and(|authority| authority.as_str().len() > host.len());
        let port = uri.port_u16().or((!names_port).then_some(80)).ok_or_else(wrong)?;
        Ok(Self { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(
                text.parse::<Endpoint>().ok().map(|endpoint| endpoint.to_string()).as_deref(),
                expected,
                "{text}"
            );
        };
        check("http://127.0.0.1:4566", Some("http://127.0.0.1:4566"));
        check("http://localhost:4566/", Some("http://localhost:4566"));
        check("localhost:5000", Some("http://localhost:5000"));
        check("http://node.internal", Some("http://node.internal:80"));
        check("http://[::1]:4566", Some("http://[::1]:4566"));
        for wrong in [
            "",
            "https://x:1",
            "http://",
            "http://x:1/path",
            "http://x:1?q",
            "ftp://x",
            "http://a b",
            "http://x:99999",
            "http://u@x:1",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn the_command_line_comes_before_the_environment() {
        let said: Endpoint = "http://a:1".parse().unwrap();
        let aws = |name: &str| (name == "AWS_ENDPOINT_URL").then(|| "http://b:2".to_owned());
        assert_eq!(Endpoint::find(Some(&said), aws).unwrap().authority(), "a:1");
        assert_eq!(Endpoint::find(None, aws).unwrap().authority(), "b:2");
        assert_eq!(Endpoint::find(None, |_| None).unwrap().authority(), "127.0.0.1:4566");
        assert!(Endpoint::find(None, |_| Some("nonsense://".to_owned())).unwrap_err().contains("AWS_ENDPOINT_URL"));
    }

    #[test]
    fn everywhere_is_reached_by_loopback() {
        for (address, expected) in [
            ("0.0.0.0:80", "http://127.0.0.1:80"),
            ("[::]:81", "http://[::1]:81"),
            ("10.0.0.7:82", "http://10.0.0.7:82"),
        ] {
            assert_eq!(Endpoint::of(address.parse().unwrap()).to_string(), expected);
        }
    }
}
