//! Where a site's rules lead. Pure.

use http::StatusCode;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use wire::s3::{Redirect, RedirectAllRequestsTo, RoutingRule};

/// Where a request came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Here<'a> {
    scheme: &'a str,
    host: &'a str,
}

/// Where to go instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) status: StatusCode,
    pub(super) location: String,
}

impl<'a> Here<'a> {
    /// From `http://host:port`.
    pub(super) fn read(base_url: &'a str) -> Self {
        let (scheme, host) = base_url.split_once("://").unwrap_or(("http", base_url));
        Self { scheme, host }
    }
}

/// A site that is elsewhere as a whole.
pub(super) fn all(to: &RedirectAllRequestsTo, key: &str, query: Option<&str>, here: Here<'_>) -> Move {
    let scheme = to.protocol.as_deref().unwrap_or(here.scheme);
    let query = query.map_or_else(String::new, |query| format!("?{query}"));
    let location = format!("{scheme}://{}/{}{query}", to.host_name, escaped(key));
    Move { status: StatusCode::MOVED_PERMANENTLY, location }
}

/// The rule that is asked before a key is looked for: those that ask for a prefix alone, or for nothing.
pub(super) fn before(rules: &[RoutingRule], key: &str, here: Here<'_>) -> Option<Move> {
    let rule = rules.iter().find(|rule| code(rule).is_none() && has_prefix(rule, key))?;
    Some(moved(rule, key, here))
}

/// The rule that is asked when something went wrong with that status.
pub(super) fn after(rules: &[RoutingRule], key: &str, status: u16, here: Here<'_>) -> Option<Move> {
    let fits = |rule: &&RoutingRule| code(rule) == Some(status.to_string().as_str()) && has_prefix(rule, key);
    Some(moved(rules.iter().find(fits)?, key, here))
}

fn code(rule: &RoutingRule) -> Option<&str> {
    rule.condition.as_ref()?.http_error_code_returned_equals.as_deref().filter(|code| !code.is_empty())
}

fn prefix(rule: &RoutingRule) -> &str {
    rule.condition.as_ref().and_then(|condition| condition.key_prefix_equals.as_deref()).unwrap_or_default()
}

fn has_prefix(rule: &RoutingRule, key: &str) -> bool {
    key.starts_with(prefix(rule))
}

fn moved(rule: &RoutingRule, key: &str, here: Here<'_>) -> Move {
    let Redirect { host_name, http_redirect_code, protocol, replace_key_prefix_with, replace_key_with } =
        &rule.redirect;
    let key = match (replace_key_with, replace_key_prefix_with) {
        (Some(key), _) => key.clone(),
        (None, Some(instead)) => format!("{instead}{}", key.strip_prefix(prefix(rule)).unwrap_or(key)),
        (None, None) => key.to_owned(),
    };
    let code = http_redirect_code.as_deref().and_then(|code| code.parse().ok());
    let scheme = protocol.as_deref().unwrap_or(here.scheme);
    let host = host_name.as_deref().unwrap_or(here.host);
    Move {
        status: code.unwrap_or(StatusCode::MOVED_PERMANENTLY),
        location: format!("{scheme}://{host}/{}", escaped(&key)),
    }
}

/// A key as a part of an address. What an owner writes into a rule may have a query and a fragment.
pub(super) fn escaped(key: &str) -> String {
    const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'\\').add(b'%');
    utf8_percent_encode(key, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use wire::s3::Condition;

    use super::*;

    const HERE: Here<'static> = Here { scheme: "http", host: "site.localhost:4566" };

    fn rule(prefix: Option<&str>, code: Option<&str>, redirect: Redirect) -> RoutingRule {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let condition = (prefix.is_some() || code.is_some())
            .then(|| Condition { key_prefix_equals: own(prefix), http_error_code_returned_equals: own(code) });
        RoutingRule { condition, redirect }
    }

    fn to(host: Option<&str>, prefix: Option<&str>, key: Option<&str>, code: Option<&str>) -> Redirect {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Redirect {
            host_name: own(host),
            http_redirect_code: own(code),
            protocol: None,
            replace_key_prefix_with: own(prefix),
            replace_key_with: own(key),
        }
    }

    #[test]
    fn rules_lead_where_they_say() {
        let rules = [
            rule(Some("docs/"), None, to(None, Some("documents/"), None, None)),
            rule(Some("images/"), Some("404"), to(None, None, Some("missing.png"), Some("302"))),
            rule(None, Some("404"), to(Some("other.example.com"), Some("report-404/"), None, None)),
        ];
        let shown = |found: Option<Move>| found.map(|there| (there.status.as_u16(), there.location));
        for (key, expected) in [
            ("docs/a b.html", Some((301, "http://site.localhost:4566/documents/a%20b.html".to_owned()))),
            ("images/x.png", None),
            ("", None),
        ] {
            assert_eq!(shown(before(&rules, key, HERE)), expected, "{key}");
        }
        for (key, status, expected) in [
            ("images/x.png", 404, Some((302, "http://site.localhost:4566/missing.png".to_owned()))),
            ("x.html", 404, Some((301, "http://other.example.com/report-404/x.html".to_owned()))),
            ("x.html", 403, None),
        ] {
            assert_eq!(shown(after(&rules, key, status, HERE)), expected, "{key} {status}");
        }
        let everything = [rule(None, None, to(Some("h"), None, None, None))];
        assert_eq!(shown(before(&everything, "a", HERE)), Some((301, "http://h/a".into())));
    }

    #[test]
    fn a_site_can_be_elsewhere() {
        for (protocol, key, query, expected) in [
            (None, "", None, "http://example.com/"),
            (Some("https"), "a/b", Some("q=1"), "https://example.com/a/b?q=1"),
            (None, "new\r\nline", None, "http://example.com/new%0D%0Aline"),
        ] {
            let to = RedirectAllRequestsTo { host_name: "example.com".into(), protocol: protocol.map(str::to_owned) };
            assert_eq!(all(&to, key, query, HERE).location, expected);
        }
    }
}
