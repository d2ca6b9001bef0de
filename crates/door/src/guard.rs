//! In open mode, a web page cannot drive the node.
//!
//! A browser on the same machine reaches the loopback interface, and runs what any site sends it. Three things give such
//! requests away: an `Origin` that is not the node's own; `Sec-Fetch-Site`, which browsers add to what has no origin (images,
//! scripts, links); and, where a site's name was pointed to 127.0.0.1 (DNS rebinding), a `Host` that is no name of the node's.
//! Where callers prove who they are, none of this is needed, for a page has no key.
//!
//! Not here: pages that functions themselves serve under the node's own name (`/_fn/NAME/`) share its origin, and may call it. Code
//! that should not belongs under its URL's own host name, which is another origin.

use std::net::IpAddr;

use contract::{Cause, Fault};
use http::HeaderMap;
use http::header::{HeaderName, ORIGIN, USER_AGENT};

/// The names and origins that a door knows beside the ones that all doors know.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// Further host names, without port; `*.example.com` means all below.
    pub hosts: Vec<String>,
    /// Web origins whose pages may call, such as `http://localhost:3000`.
    pub origins: Vec<String>,
}

/// Names that cannot be pointed elsewhere by a stranger: reserved for this machine, or AWS's own.
const HOSTS: [&str; 6] = [
    "localhost",
    "*.localhost",
    "localhost.localstack.cloud",
    "*.localhost.localstack.cloud",
    "*.amazonaws.com",
    "*.on.aws",
];
/// The longest that a DNS name can be.
const NAME_BYTES_MAX: usize = 253;
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

impl Guard {
    /// Checks a request; the fault says what to do. `target` is the path with its query.
    pub fn check(&self, host: &str, target: &str, headers: &HeaderMap) -> Result<(), Fault> {
        let name = host_name(host).ok_or_else(|| refusal(format!("The Host header '{}' is no host.", short(host))))?;
        if !self.knows_host(name) {
            return Err(refusal(format!(
                "This node is open to everybody who reaches it, and was asked for by the name '{name}', which it does not \
                 know: a web site could have pointed that name here. Use localhost, start with --host {name}, or start with \
                 --auth iam."
            )));
        }
        let Some(origin) = headers.get(ORIGIN) else { return check_fetch_site(name, target, headers) };
        let origin = origin.to_str().unwrap_or_default();
        match is_same_host(origin, host) || self.allows_origin(origin) {
            true => Ok(()),
            false => Err(refusal(format!(
                "This node is open to everybody who reaches it, so web pages of other origins may not call it; this one is \
                 '{0}'. Call it from a program, start with --origin {0} if that page is yours, or start with --auth iam and sign.",
                short(origin)
            ))),
        }
    }

    /// Whether that origin was listed, so that its pages get the headers that browsers ask for.
    pub fn allows_origin(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
    }

    /// An address can be no other site's name; names are looked up.
    fn knows_host(&self, name: &str) -> bool {
        let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
        if address.parse::<IpAddr>().is_ok() {
            return true;
        }
        let name = name.strip_suffix('.').unwrap_or(name);
        HOSTS.into_iter().chain(self.hosts.iter().map(String::as_str)).any(|known| fits(known, name))
    }
}

/// The host without its port; nothing if it is malformed, or longer than any name.
pub fn host_name(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.find(']')) {
        Some(end) => (&host[..end + 2], host[end + 2..].strip_prefix(':')),
        None => host.rsplit_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok());
    let bracketed = name.starts_with('[') && host[name.len()..].chars().next().is_none_or(|next| next == ':');
    let fits = (1..=NAME_BYTES_MAX).contains(&name.trim_end_matches('.').len());
    let plain = fits && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let inside = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let six = bracketed && inside.is_some_and(|inside| inside.parse::<std::net::Ipv6Addr>().is_ok());
    (is_port && (plain || six)).then_some(name)
}

fn fits(known: &str, name: &str) -> bool {
    match known.strip_prefix('*') {
        None => known.eq_ignore_ascii_case(name),
        Some(end) => {
            let (name, end) = (name.as_bytes(), end.as_bytes());
            name.len() > end.len() && name[name.len() - end.len()..].eq_ignore_ascii_case(end)
        }
    }
}

/// `http://localhost:4566` asks for `localhost:4566`.
fn is_same_host(origin: &str, host: &str) -> bool {
    origin.split_once("://").is_some_and(|(_, origin_host)| !host.is_empty() && origin_host.eq_ignore_ascii_case(host))
}

/// What browsers send without an origin is foreign unless they say otherwise; but for the page that tells what this is, which
/// links may lead to. With a query it would be an operation.
fn check_fetch_site(name: &str, target: &str, headers: &HeaderMap) -> Result<(), Fault> {
    let site = headers.get(SEC_FETCH_SITE).map(|value| value.as_bytes());
    let visits = headers.get(SEC_FETCH_MODE).is_some_and(|mode| mode.as_bytes() == b"navigate");
    match site {
        Some(b"same-origin" | b"none") => Ok(()),
        Some(_) if visits && target == "/" => Ok(()),
        Some(_) => Err(refusal(
            "This node is open to everybody who reaches it, so pages of other web sites may not load anything from it."
                .into(),
        )),
        None if target != "/" && !is_trustworthy(name) && is_browser(headers) => Err(refusal(format!(
            "This node is open to everybody who reaches it, and browsers do not tell which page asks where it is called \
             '{name}': use localhost, or a program."
        ))),
        None => Ok(()),
    }
}

/// Whether browsers say which site asks: they do so to this machine's own names, and over TLS.
fn is_trustworthy(name: &str) -> bool {
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    match address.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            fits("localhost", name) || fits("*.localhost", name)
        }
    }
}

/// All browsers say that they are Mozilla, and no page can make them say something else.
fn is_browser(headers: &HeaderMap) -> bool {
    headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"))
}

fn refusal(message: String) -> Fault {
    Fault { status: Some(403), ..Fault::new(Cause::Denied, "AccessDeniedException", message) }
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(128).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_taken_apart() {
        for (host, expected) in [
            ("localhost", Some("localhost")),
            ("localhost:4566", Some("localhost")),
            ("127.0.0.1:80", Some("127.0.0.1")),
            ("[::1]", Some("[::1]")),
            ("[::1]:4566", Some("[::1]")),
            ("a_b.example", Some("a_b.example")),
            ("", None),
            (":80", None),
            ("localhost:", None),
            ("localhost:99999", None),
            ("[::1]x", None),
            ("[::1", None),
            ("[nonsense]", None),
            ("a b", None),
            ("a@b", None),
            ("é", None),
            (".", None),
            ("localhost.", Some("localhost.")),
            (&"x".repeat(253), Some(&"x".repeat(253))),
            (&"x".repeat(254), None),
        ] {
            assert_eq!(host_name(host), expected, "{host}");
        }
    }

    #[test]
    fn pages_and_foreign_names_are_refused() {
        let guard = Guard {
            hosts: vec!["freehold.lan".into(), "*.dev.lan".into()],
            origins: vec!["http://localhost:3000".into()],
        };
        let check = |host: &str, target: &str, sent: &[(&'static str, &str)], good: bool| {
            let headers = sent
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("a value")))
                .collect();
            let outcome = guard.check(host, target, &headers);
            assert_eq!(outcome.is_ok(), good, "{host} {target} {sent:?}: {outcome:?}");
        };
        for (host, good) in [
            ("localhost:4566", true),
            ("LOCALHOST", true),
            ("localhost.", true),
            ("127.0.0.1:4566", true),
            ("10.0.0.7", true),
            ("[::1]:4566", true),
            ("abc.lambda-url.us-east-1.localhost:4566", true),
            ("localhost.localstack.cloud:4566", true),
            ("s3.localhost.localstack.cloud", true),
            ("lambda.eu-central-1.amazonaws.com", true),
            ("freehold.lan", true),
            ("a.dev.lan", true),
            ("dev.lan", false),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("evillocalhost", false),
            ("amazonaws.com", false),
            ("", false),
        ] {
            check(host, "/", &[], good);
        }
        let here = "localhost:4566";
        check(here, "/x", &[("origin", "http://localhost:4566")], true);
        check(here, "/x", &[("origin", "http://localhost:3000")], true);
        check(here, "/x", &[("origin", "https://evil.example")], false);
        check(here, "/x", &[("origin", "http://localhost:4567")], false);
        check(here, "/x", &[("origin", "null")], false);
        check(here, "/x", &[("sec-fetch-site", "cross-site")], false);
        check(here, "/x", &[("sec-fetch-site", "same-site"), ("sec-fetch-mode", "no-cors")], false);
        check(here, "/x", &[("sec-fetch-site", "same-origin")], true);
        check(here, "/x", &[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")], true);
        check(here, "/", &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], true);
        check(here, "/x", &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], false);
        check(here, "/?Action=x", &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], false);
        // An image on somebody's page, at a name for which browsers do not say whose page it is.
        let (browser, tool) = (("user-agent", "Mozilla/5.0 (X11)"), ("user-agent", "aws-cli/2"));
        for (host, good) in [
            ("localhost.localstack.cloud:4566", false),
            ("freehold.lan", false),
            ("10.0.0.7", false),
            ("0.0.0.0:4566", false),
            (here, true),
            ("127.0.0.1:4566", true),
            ("[::1]", true),
            ("s3.localhost.", true),
        ] {
            check(host, "/?Action=DeleteEverything", &[browser], good);
            check(host, "/", &[browser], true);
            check(host, "/x", &[tool], true);
            check(host, "/x", &[], true);
        }
    }

    #[test]
    fn whatever_comes_is_answered() {
        let random = base::Random::seeded(6);
        let letters = "[]:.*@/ a0é-_localhost";
        for _ in 0..50_000 {
            let host = random.text(letters, random.below(24) as usize);
            let origin = random.text("http:/localhost.4566 é", random.below(24) as usize);
            let site = ["", "none", "same-origin", "cross-site"][random.below(4) as usize];
            crate::fuzzing::guard(format!("{host}\n/x\n{origin}\n{site}").as_bytes());
            crate::fuzzing::guard(format!("{host}\n/x\nhttp://{host}\n{site}").as_bytes());
        }
    }
}
