//! Making signatures, for the command line and for whatever the node calls in somebody's name.

use std::fmt::Write as _;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use jiff::Timestamp;

use crate::canonical::{self, Paths, encode};
use crate::claim::{ALGORITHM, EXPIRES_MAX, write_time};
use crate::verify::string_to_sign;
use crate::{Head, Payload, Refusal, Scope, key};

/// Signs requests to one service in one region.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    /// The access key id.
    pub access_key: &'a str,
    /// The secret access key.
    pub secret: &'a str,
    /// The session token, for temporary credentials.
    pub session_token: Option<&'a str>,
    /// The region.
    pub region: &'a str,
    /// The service's signing name.
    pub service: &'a str,
}

impl Signer<'_> {
    /// The headers to add to a request: date, session token, authorisation. What is signed is the host, `Content-Type` and
    /// every `x-amz-*` header, which must not change afterwards.
    pub fn headers(
        &self,
        head: &Head<'_>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, Refusal> {
        let time = write_time(now);
        let mut added = vec![(HeaderName::from_static("x-amz-date"), value(&time)?)];
        if let Some(token) = self.session_token {
            added.push((HeaderName::from_static("x-amz-security-token"), value(token)?));
        }
        let mut headers = head.headers.clone();
        headers.extend(added.iter().map(|(name, value)| (Some(name.clone()), value.clone())));
        let mut names: Vec<&str> = headers
            .keys()
            .map(HeaderName::as_str)
            .filter(|name| *name == "content-type" || name.starts_with("x-amz-"))
            .chain(["host"])
            .collect();
        names.sort_unstable();
        let signed_headers = names.join(";");
        let head = Head { headers: &headers, ..*head };
        let payload = canonical::payload_text(&head, Payload::Bytes(body), false);
        let canonical = canonical::request(&head, &signed_headers, &payload, Paths::of_service(self.service));
        let scope = self.scope(&time);
        let signature = key::signature(self.secret, &scope, &string_to_sign(&time, &scope.text(), &canonical));
        let authorization = format!(
            "{ALGORITHM} Credential={}/{}, SignedHeaders={signed_headers}, Signature={signature}",
            self.access_key,
            scope.text()
        );
        added.push((http::header::AUTHORIZATION, value(&authorization)?));
        Ok(added)
    }

    /// The query string of a presigned request, its own parameters included. Only the host is signed of the headers; the body
    /// must be empty, but for S3, which does not look at it.
    pub fn presign(&self, head: &Head<'_>, expires: Duration, now: Timestamp) -> Result<String, Refusal> {
        if expires > EXPIRES_MAX {
            return Err(Refusal::Incomplete("a presigned request is good for at most 604800 seconds".into()));
        }
        let time = write_time(now);
        let scope = self.scope(&time);
        let mut query = head.query.to_owned();
        let mut add = |name: &str, text: &str| {
            let between = if query.is_empty() { "" } else { "&" };
            write!(query, "{between}{name}={}", encode(text)).expect("a String takes everything");
        };
        add("X-Amz-Algorithm", ALGORITHM);
        add("X-Amz-Credential", &format!("{}/{}", self.access_key, scope.text()));
        add("X-Amz-Date", &time);
        add("X-Amz-Expires", &expires.as_secs().to_string());
        add("X-Amz-SignedHeaders", "host");
        if let Some(token) = self.session_token {
            add("X-Amz-Security-Token", token);
        }
        let paths = Paths::of_service(self.service);
        let no_headers = http::HeaderMap::new();
        let head = Head { query: &query, headers: &no_headers, ..*head };
        let payload = canonical::payload_text(&head, Payload::Bytes(b""), paths == Paths::AsSent);
        let canonical = canonical::request(&head, "host", &payload, paths);
        let signature = key::signature(self.secret, &scope, &string_to_sign(&time, &scope.text(), &canonical));
        write!(query, "&{}={signature}", canonical::SIGNATURE).expect("a String takes everything");
        Ok(query)
    }

    fn scope(&self, time: &str) -> Scope {
        Scope { date: time[..8].to_owned(), region: self.region.to_owned(), service: self.service.to_owned() }
    }
}

fn value(text: &str) -> Result<HeaderValue, Refusal> {
    HeaderValue::from_str(text).map_err(|_| Refusal::Invalid("a credential holds characters that no header can".into()))
}
