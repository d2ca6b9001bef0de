//! Cross-origin rules of a function's URL: preflight requests are answered here, and answers get the headers that browsers want.
//!
//! A function that says such headers itself says them beside these, as on AWS, and browsers refuse the pair: who configures rules
//! leaves them out of the code.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// A URL's rules, as they were configured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cors<'a> {
    /// Whether cookies may be sent.
    pub allow_credentials: bool,
    /// Request headers.
    pub allow_headers: &'a [String],
    /// Methods.
    pub allow_methods: &'a [String],
    /// Origins.
    pub allow_origins: &'a [String],
    /// Response headers that scripts see.
    pub expose_headers: &'a [String],
    /// How long browsers may remember, in seconds.
    pub max_age_s: Option<u32>,
}

/// Whether this is a browser asking beforehand.
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

impl Cors<'_> {
    /// Adds what an answer to this request needs, whoever gave it; nothing where the origin is not allowed.
    pub fn add(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        answer.append(VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = self.allowed_origin(request) else { return };
        answer.append(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.allow_credentials {
            answer.append(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        list(answer, ACCESS_CONTROL_EXPOSE_HEADERS, self.expose_headers);
    }

    /// Adds what an answer to a preflight request needs.
    pub fn add_preflight(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        self.add(request, answer);
        if !answer.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        self.names(
            self.allow_methods,
            ACCESS_CONTROL_ALLOW_METHODS,
            request.get(ACCESS_CONTROL_REQUEST_METHOD),
            answer,
        );
        self.names(
            self.allow_headers,
            ACCESS_CONTROL_ALLOW_HEADERS,
            request.get(ACCESS_CONTROL_REQUEST_HEADERS),
            answer,
        );
        if let Some(seconds) = self.max_age_s {
            answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(seconds));
        }
    }

    fn allowed_origin(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let origin = request.get(ORIGIN)?;
        let text = origin.to_str().ok()?;
        if self.allow_origins.iter().any(|allowed| allowed == "*") {
            // Browsers take no star where cookies are sent.
            return Some(if self.allow_credentials { origin.clone() } else { HeaderValue::from_static("*") });
        }
        self.allow_origins.iter().any(|allowed| fits(allowed, text)).then(|| origin.clone())
    }

    /// A list of names; where it is a star, and a star means nothing to the browser, what it asked for.
    fn names(&self, allowed: &[String], header: HeaderName, asked: Option<&HeaderValue>, answer: &mut HeaderMap) {
        match asked {
            Some(asked) if self.allow_credentials && allowed.iter().any(|name| name == "*") => {
                answer.insert(header, asked.clone());
            }
            Some(_) | None => list(answer, header, allowed),
        }
    }
}

/// Origins compare without case; one star may stand for part of the host: `https://*.example.com`.
fn fits(allowed: &str, origin: &str) -> bool {
    match allowed.split_once('*') {
        None => allowed.eq_ignore_ascii_case(origin),
        Some((before, after)) => {
            let (allowed_length, bytes) = (before.len() + after.len(), origin.as_bytes());
            bytes.len() > allowed_length
                && bytes[..before.len()].eq_ignore_ascii_case(before.as_bytes())
                && bytes[bytes.len() - after.len()..].eq_ignore_ascii_case(after.as_bytes())
        }
    }
}

fn list(answer: &mut HeaderMap, header: HeaderName, names: &[String]) {
    if names.is_empty() {
        return;
    }
    if let Ok(value) = HeaderValue::from_str(&names.join(",")) {
        answer.append(header, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn origins_fit() {
        for (allowed, origin, expected) in [
            ("https://a.example", "https://a.example", true),
            ("https://a.example", "HTTPS://A.EXAMPLE", true),
            ("https://a.example", "https://a.example.evil", false),
            ("https://*.example", "https://a.example", true),
            ("https://*.example", "https://a.b.example", true),
            ("https://*.example", "https://.example", false),
            ("https://*.example", "http://a.example", false),
        ] {
            assert_eq!(fits(allowed, origin), expected, "{allowed} {origin}");
        }
    }

    #[test]
    fn preflights_are_answered() {
        let check = |origins: &[&str], credentials: bool, origin: &str, expected: &[(&str, &str)]| {
            let (origins, methods, headers) = (names(origins), names(&["GET", "PUT"]), names(&["*"]));
            let cors = Cors {
                allow_credentials: credentials,
                allow_headers: &headers,
                allow_methods: &methods,
                allow_origins: &origins,
                expose_headers: &[],
                max_age_s: Some(60),
            };
            let mut request = HeaderMap::new();
            request.insert(ORIGIN, HeaderValue::from_str(origin).expect("a value"));
            request.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("PUT"));
            request.insert(ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_static("x-a"));
            assert!(is_preflight(&Method::OPTIONS, &request) && !is_preflight(&Method::GET, &request));
            let mut answer = HeaderMap::new();
            cors.add_preflight(&request, &mut answer);
            let mut found: Vec<(&str, &str)> =
                answer.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("text"))).collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{origins:?} {origin}");
        };
        let vary = ("vary", "Origin");
        let (methods, age) = (("access-control-allow-methods", "GET,PUT"), ("access-control-max-age", "60"));
        let any = ("access-control-allow-headers", "*");
        check(&["*"], false, "https://a", &[any, methods, ("access-control-allow-origin", "*"), age, vary]);
        let (asked, cookies) = (("access-control-allow-headers", "x-a"), ("access-control-allow-credentials", "true"));
        check(
            &["*"],
            true,
            "https://a",
            &[cookies, asked, methods, ("access-control-allow-origin", "https://a"), age, vary],
        );
        check(&["https://b"], false, "https://a", &[vary]);
        check(
            &["https://b"],
            false,
            "https://b",
            &[any, methods, ("access-control-allow-origin", "https://b"), age, vary],
        );
    }
}
