//! Cross-origin rules of a function's address: a preflight is answered here and never reaches the function; other answers get
//! the headers that let a page read them.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

/// What pages of other origins may do. Empty lists allow nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    /// Origins, each whole (`https://example.com`), with a `*` inside, or `*` alone.
    pub allow_origins: Vec<String>,
    /// Methods, or `*`.
    pub allow_methods: Vec<String>,
    /// Request headers, or `*`.
    pub allow_headers: Vec<String>,
    /// Response headers that a page may read.
    pub expose_headers: Vec<String>,
    /// Whether cookies may be sent along.
    pub allow_credentials: bool,
    /// How long a browser may keep the answer to a preflight, in seconds.
    pub max_age: Option<u32>,
}

impl Cors {
    /// Whether the request is a preflight: a browser asking before it sends.
    pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
        method == Method::OPTIONS && headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// The answer to a preflight. Without a matching origin it carries no permission, and the browser refuses.
    pub fn preflight(&self, request: &HeaderMap) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::OK;
        self.decorate(request, &mut response);
        if response.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            let headers = response.headers_mut();
            list(headers, ACCESS_CONTROL_ALLOW_METHODS, &self.allow_methods);
            list(headers, ACCESS_CONTROL_ALLOW_HEADERS, &self.allow_headers);
            if let Some(seconds) = self.max_age {
                headers.insert(ACCESS_CONTROL_MAX_AGE, seconds.into());
            }
        }
        response
    }

    /// Adds what an answer to a page of that origin carries; what the function itself set stays.
    pub fn decorate(&self, request: &HeaderMap, response: &mut Response<Bytes>) {
        let Some(origin) = request.get(ORIGIN) else { return };
        if !origin.to_str().is_ok_and(|origin| self.allows(origin)) {
            return;
        }
        let headers = response.headers_mut();
        let any = self.allow_origins.iter().any(|allowed| allowed == "*") && !self.allow_credentials;
        headers.entry(ACCESS_CONTROL_ALLOW_ORIGIN).or_insert(if any {
            HeaderValue::from_static("*")
        } else {
            origin.clone()
        });
        if !any {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        if self.allow_credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        list(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &self.expose_headers);
    }

    fn allows(&self, origin: &str) -> bool {
        self.allow_origins.iter().any(|allowed| match allowed.split_once('*') {
            None => allowed == origin,
            Some((before, after)) => {
                origin.len() >= before.len() + after.len() && origin.starts_with(before) && origin.ends_with(after)
            }
        })
    }
}

fn list(headers: &mut HeaderMap, name: HeaderName, values: &[String]) {
    if let Some(value) = (!values.is_empty()).then(|| HeaderValue::from_str(&values.join(",")).ok()).flatten() {
        headers.entry(name).or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(origin: &'static str) -> HeaderMap {
        HeaderMap::from_iter([
            (ORIGIN, HeaderValue::from_static(origin)),
            (ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("PUT")),
        ])
    }

    fn allowed(origins: &[&str], credentials: bool, origin: &'static str) -> Option<String> {
        let origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
        let cors = Cors {
            allow_origins: origins,
            allow_methods: vec!["PUT".into()],
            allow_credentials: credentials,
            ..Cors::default()
        };
        let response = cors.preflight(&page(origin));
        let allowed = response.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN)?;
        assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_METHODS], "PUT");
        Some(allowed.to_str().expect("text").to_owned())
    }

    #[test]
    fn origins_are_matched() {
        for (origins, credentials, origin, expected) in [
            (&["*"][..], false, "https://a.example", Some("*")),
            (&["*"], true, "https://a.example", Some("https://a.example")),
            (&["https://a.example"], false, "https://a.example", Some("https://a.example")),
            (&["https://a.example"], false, "https://b.example", None),
            (&["https://*.example"], false, "https://b.example", Some("https://b.example")),
            (&["https://*.example"], false, "https://.evil", None),
            (&[], false, "https://a.example", None),
        ] {
            assert_eq!(allowed(origins, credentials, origin).as_deref(), expected, "{origins:?} {origin}");
        }
    }

    #[test]
    fn a_preflight_is_options_with_an_origin_and_a_method() {
        assert!(Cors::is_preflight(&Method::OPTIONS, &page("https://a.example")));
        assert!(!Cors::is_preflight(&Method::GET, &page("https://a.example")));
        assert!(!Cors::is_preflight(&Method::OPTIONS, &HeaderMap::new()));
    }
}
