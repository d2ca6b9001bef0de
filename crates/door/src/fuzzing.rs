//! What fuzzers do with bytes: plain functions, so that tests can call them too.

use http::header::{HeaderName, HeaderValue, ORIGIN};

use crate::guard::{Guard, host_name};

/// Takes bytes for a host, a target, an origin and a `Sec-Fetch-Site`, each in a line of its own. What an open node lets pass must
/// name a host, and come from no other origin.
pub fn guard(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (host, target, origin, site) = (line(), line(), line(), line());
    let header = |name: HeaderName, text: &str| HeaderValue::from_str(text).ok().map(|value| (name, value));
    let sent = [header(ORIGIN, origin), header(HeaderName::from_static("sec-fetch-site"), site)];
    let headers = sent.into_iter().flatten().filter(|(_, value)| !value.is_empty()).collect();
    if Guard::default().check(host, target, &headers).is_ok() {
        assert!(host_name(host).is_some());
        let own = origin.split_once("://").is_some_and(|(_, named)| named.eq_ignore_ascii_case(host));
        assert!(own || !headers.contains_key(ORIGIN));
    }
}
