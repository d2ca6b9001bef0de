//! Pages of other origins, by a bucket's own rules: which rule fits a request, and what its answer then says. Pure.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN, VARY,
};
use http::{HeaderMap, Method};
use wire::s3::CORSRule;

use crate::serve::set;

/// What a page asks for, now or in advance.
pub(super) struct Asked<'a> {
    origin: &'a str,
    method: &'a str,
    /// Those that it announces.
    headers: Vec<String>,
    /// Whether it only asks whether it may.
    pub(super) preflight: bool,
}

impl<'a> Asked<'a> {
    /// What a request with an origin asks for.
    pub(super) fn read(method: &'a Method, headers: &'a HeaderMap) -> Option<Self> {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let origin = text(ORIGIN)?;
        let announced = text(ACCESS_CONTROL_REQUEST_METHOD).filter(|_| *method == Method::OPTIONS);
        let names = text(ACCESS_CONTROL_REQUEST_HEADERS).filter(|_| announced.is_some()).unwrap_or_default();
        let names = names.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty());
        Some(Self {
            origin,
            method: announced.unwrap_or(method.as_str()),
            headers: names.collect(),
            preflight: announced.is_some(),
        })
    }

    /// The first rule that lets it in.
    pub(super) fn rule<'r>(&self, rules: &'r [CORSRule]) -> Option<&'r CORSRule> {
        rules.iter().find(|rule| {
            let allowed = rule.allowed_headers.as_deref().unwrap_or_default();
            rule.allowed_origins.iter().any(|pattern| fits(pattern, self.origin))
                && rule.allowed_methods.iter().any(|method| method == self.method)
                && self
                    .headers
                    .iter()
                    .all(|name| allowed.iter().any(|pattern| fits(&pattern.to_ascii_lowercase(), name)))
        })
    }

    /// Says in an answer what the rule allows.
    pub(super) fn tell(&self, rule: &CORSRule, answer: &mut HeaderMap) {
        let any = rule.allowed_origins.iter().any(|origin| origin == "*");
        set(answer, ACCESS_CONTROL_ALLOW_ORIGIN, if any { "*" } else { self.origin });
        if !any {
            set(answer, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
        set(answer, ACCESS_CONTROL_ALLOW_METHODS, &rule.allowed_methods.join(", "));
        if !self.headers.is_empty() {
            set(answer, ACCESS_CONTROL_ALLOW_HEADERS, &self.headers.join(", "));
        }
        if let Some(exposed) = rule.expose_headers.as_ref().filter(|exposed| !exposed.is_empty()) {
            set(answer, ACCESS_CONTROL_EXPOSE_HEADERS, &exposed.join(", "));
        }
        if let Some(seconds) = rule.max_age_seconds {
            set(answer, ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
        }
        set(answer, VARY, "Origin, Access-Control-Request-Headers, Access-Control-Request-Method");
    }
}

/// A pattern with at most one star.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_let_pages_in() {
        let rule = |origins: &[&str], methods: &[&str], headers: &[&str]| CORSRule {
            allowed_origins: origins.iter().map(|text| (*text).to_owned()).collect(),
            allowed_methods: methods.iter().map(|text| (*text).to_owned()).collect(),
            allowed_headers: Some(headers.iter().map(|text| (*text).to_owned()).collect()),
            ..CORSRule::default()
        };
        let rules = [
            rule(&["https://a.example"], &["GET", "PUT"], &["x-amz-*", "Content-Type"]),
            rule(&["https://*.b.example"], &["GET"], &[]),
        ];
        for (origin, method, asked, expected) in [
            ("https://a.example", "PUT", Some("x-amz-meta-a, content-type"), true),
            ("https://a.example", "PUT", Some("authorization"), false),
            ("https://a.example", "DELETE", Some(""), false),
            ("https://a.example", "GET", None, true),
            ("https://x.b.example", "GET", None, true),
            ("https://b.example", "GET", None, false),
            ("https://evil.example", "GET", None, false),
        ] {
            let mut headers = HeaderMap::new();
            set(&mut headers, ORIGIN, origin);
            if let Some(names) = asked {
                set(&mut headers, ACCESS_CONTROL_REQUEST_METHOD, method);
                set(&mut headers, ACCESS_CONTROL_REQUEST_HEADERS, names);
            }
            let sent = if asked.is_some() { Method::OPTIONS } else { method.parse().expect("a method") };
            let read = Asked::read(&sent, &headers).expect("an origin");
            assert_eq!(read.rule(&rules).is_some(), expected, "{origin} {method} {asked:?}");
            assert_eq!(read.preflight, asked.is_some());
        }
        assert!(Asked::read(&Method::GET, &HeaderMap::new()).is_none());
    }
}
