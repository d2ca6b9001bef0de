//! What fuzzers do with bytes: plain functions, so that tests can call them too.

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

use crate::{Claim, Head, OldClaim, Payload};

/// Takes bytes for a request (method, path, query, host, then headers as `name: value`, each in a line of its own; then the
/// body), reads its claim and checks it. Nobody who does not have the secret may pass.
pub fn request(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (method, path, query, host) = (line(), line(), line(), line());
    let mut headers = HeaderMap::new();
    let mut body = "";
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            body = line;
            break;
        };
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value.trim())) {
            headers.append(name, value);
        }
    }
    let head = Head { method, path, query, host, headers: &headers };
    if let Some(Ok(old)) = OldClaim::read(&head) {
        assert!(old.check_signature(&head, path, "a secret that no input knows").is_err());
    }
    let Ok(Some(claim)) = Claim::read(&head) else { return };
    // The outcome depends on what was read; that there is one is what matters.
    let in_time = claim.check_time(Timestamp::UNIX_EPOCH);
    assert_eq!(in_time, claim.check_time(Timestamp::UNIX_EPOCH));
    for payload in [Payload::Bytes(body.as_bytes()), Payload::AsClaimed] {
        assert!(claim.check_signature(&head, payload, "a secret that no input knows").is_err());
    }
}
