//! Which headers pass from one connection to the next, and which belong to one alone.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, StatusCode};

/// What the platform calls itself when it asks for itself.
pub(super) const AGENT: &str = concat!("freehold/", env!("CARGO_PKG_VERSION"));

/// Of a connection, whatever `Connection` says.
const OF_A_CONNECTION: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    HeaderName::from_static("trailer"),
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Takes away what belonged to the client's connection; what asks for another protocol is kept where both sides may switch. A length is
/// told anew by whoever sends the body.
pub(super) fn towards_guest(headers: &mut HeaderMap, default_host: &str) {
    let protocol = upgrade(headers);
    strip(headers);
    headers.remove(CONTENT_LENGTH);
    if let Some(protocol) = protocol {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
    }
    if !headers.contains_key(HOST)
        && let Ok(host) = HeaderValue::try_from(default_host)
    {
        headers.insert(HOST, host);
    }
}

/// Takes away what belonged to the guest's connection.
pub(super) fn towards_caller(status: StatusCode, headers: &mut HeaderMap) {
    let protocol = (status == StatusCode::SWITCHING_PROTOCOLS).then(|| headers.get(UPGRADE).cloned()).flatten();
    strip(headers);
    if let Some(protocol) = protocol {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
    }
}

fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = tokens(headers).filter_map(|name| name.parse().ok()).collect();
    for name in named.iter().chain(&OF_A_CONNECTION) {
        // Some clients name these, and mean no harm; without them there is no request.
        if *name != HOST && *name != CONTENT_LENGTH {
            headers.remove(name);
        }
    }
}

/// What a request wants to switch to.
fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let asks = tokens(headers).any(|token| token.eq_ignore_ascii_case("upgrade"));
    asks.then(|| headers.get(UPGRADE).cloned()).flatten()
}

fn tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&str, &str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn what_is_of_a_connection_stays_there() {
        for (before, after) in [
            (&[("host", "a"), ("accept", "*/*")][..], &[("host", "a"), ("accept", "*/*")][..]),
            (&[("accept", "*/*")], &[("accept", "*/*"), ("host", "here")]),
            (
                &[
                    ("host", "a"),
                    ("connection", "close, X-Own"),
                    ("x-own", "1"),
                    ("keep-alive", "5"),
                    ("te", "trailers"),
                ],
                &[("host", "a")],
            ),
            (&[("host", "a"), ("transfer-encoding", "chunked"), ("content-length", "5")], &[("host", "a")]),
            (&[("host", "a"), ("upgrade", "websocket")], &[("host", "a")]),
            (
                &[
                    ("host", "a"),
                    ("connection", "keep-alive, Upgrade"),
                    ("upgrade", "websocket"),
                    ("sec-websocket-key", "x"),
                ],
                &[("host", "a"), ("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-key", "x")],
            ),
            (&[("connection", "host"), ("host", "a")], &[("host", "a")]),
        ] {
            let mut headers = map(before);
            towards_guest(&mut headers, "here");
            assert_eq!(headers, map(after), "{before:?}");
        }
    }

    #[test]
    fn answers_lose_what_is_of_a_connection() {
        for (status, before, after) in [
            (
                200,
                &[("connection", "close"), ("x", "1"), ("content-length", "3")][..],
                &[("x", "1"), ("content-length", "3")][..],
            ),
            (200, &[("connection", "upgrade"), ("upgrade", "h2c")], &[]),
            (
                101,
                &[("connection", "Upgrade"), ("upgrade", "websocket")],
                &[("connection", "upgrade"), ("upgrade", "websocket")],
            ),
        ] {
            let mut headers = map(before);
            towards_caller(StatusCode::from_u16(status).unwrap(), &mut headers);
            assert_eq!(headers, map(after), "{before:?}");
        }
    }
}
