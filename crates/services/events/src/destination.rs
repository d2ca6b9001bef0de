//! API destinations: requests to the world, with what their connection proves who asks by, no faster than they may be asked.
//!
//! A carrier of its own, because the connection's secrets are looked up when a request is made: they never lie in the outbox, and a
//! change of them counts at once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::store::Record;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use contract::BoxFuture;
use delivery::http::Client;
use delivery::{Carried, Carrier, Ending, Failure, Post, Reach};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::Scope;
use crate::store::{self, ConnectionRecord, DestinationRecord};
use crate::{Error, Events};

/// The carrier's name.
pub const NAME: &str = "api-destination";

/// AWS waits so long for an endpoint.
const PATIENCE_MS: u64 = 5_000;
/// A token is not used in the last minute of its life.
const TOKEN_MARGIN_MS: i64 = 60_000;
/// Tokens whose life nobody tells are used so long.
const TOKEN_LIFE_S: i64 = 300;

/// What is to be carried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Parcel {
    Request {
        destination: String,
        body: String,
        path: Vec<String>,
        headers: BTreeMap<String, String>,
        query: BTreeMap<String, String>,
    },
    /// An event that its target cannot take.
    Misfit { why: String },
}

impl Record for Parcel {
    const KIND: &'static str = "event-request";
    const VERSION: u16 = 1;
}

impl Parcel {
    pub(crate) fn to_bytes(&self) -> Bytes {
        ::store::record::encode(self).expect("text is JSON")
    }
}

/// The carrier.
pub struct Destinations {
    events: Arc<Events>,
    client: Client,
    /// By connection: the token, and until when it is good. Bounded by the connections that there are.
    tokens: Mutex<HashMap<String, (String, i64)>>,
    /// By destination: the second, and how many requests were made in it.
    paces: Mutex<HashMap<String, (i64, i32)>>,
}

impl Destinations {
    /// A carrier for the destinations of a node.
    pub fn new(events: &Arc<Events>, reach: Reach) -> Self {
        let events = Arc::clone(events);
        Self { events, client: Client::new(reach), tokens: Mutex::default(), paces: Mutex::default() }
    }

    async fn request(&self, carried: &Carried) -> Result<Post, Ending> {
        let refused = |code: &str, why: String| Ending::Refused { why: Failure::new(code, why) };
        let parcel = ::store::record::decode(&carried.parcel)
            .map_err(|error| refused("MalformedDelivery", error.to_string()))?;
        let (arn, body, path, headers, query) = match parcel {
            Parcel::Misfit { why } => return Err(refused("InvalidInput", why)),
            Parcel::Request { destination, body, path, headers, query } => (destination, body, path, headers, query),
        };
        let scope = Scope { account: carried.sender.account, region: carried.sender.region.clone() };
        let later =
            |error: Error| Ending::Later { why: Failure::new("InternalFailure", error.to_string()), after: None };
        let gone = || refused("ResourceNotFoundException", format!("{arn} does not exist."));
        let cellar = &self.events.cellar;
        let name = name_of(&arn, ":api-destination/").ok_or_else(gone)?;
        let record: Option<DestinationRecord> = cellar.get(&store::destination(&scope, name)).await.map_err(later)?;
        let destination = record.ok_or_else(gone)?;
        let no_connection =
            || refused("ResourceNotFoundException", format!("{} does not exist.", destination.connection));
        let name = name_of(&destination.connection, ":connection/").ok_or_else(no_connection)?;
        let record: Option<ConnectionRecord> = cellar.get(&store::connection(&scope, name)).await.map_err(later)?;
        let connection = record.ok_or_else(no_connection)?;
        if connection.state != "AUTHORIZED" {
            return Err(refused("ConnectionDeauthorized", format!("{} is not authorised.", destination.connection)));
        }
        self.pace(&arn, destination.per_second)?;
        let mut out =
            Draft { url: with_path(&destination.endpoint, &path), headers: Vec::new(), query: Vec::new(), body };
        out.headers.push(("User-Agent".to_owned(), "Amazon/EventBridge/ApiDestinations".to_owned()));
        headers.into_iter().for_each(|(name, value)| out.set(name, value));
        out.query.extend(query);
        out.add(&connection.parameters["InvocationHttpParameters"]);
        self.prove(&destination.connection, &connection, &mut out).await?;
        if !out.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            out.headers.push(("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned()));
        }
        Ok(out.post(&destination.method))
    }

    /// Whether one more may go in this second.
    fn pace(&self, arn: &str, per_second: i32) -> Result<(), Ending> {
        let now_ms = self.events.clock.now_ms();
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        let (second, count) = paces.entry(arn.to_owned()).or_default();
        if *second != now_ms / 1_000 {
            (*second, *count) = (now_ms / 1_000, 0);
        }
        if *count >= per_second.max(1) {
            let why = Failure::new("RateLimited", format!("The destination takes {per_second} requests a second."));
            let rest = u64::try_from(1_000 - now_ms % 1_000).unwrap_or(1_000);
            return Err(Ending::Later { why, after: Some(Duration::from_millis(rest)) });
        }
        *count += 1;
        Ok(())
    }

    /// Adds what proves who asks.
    async fn prove(&self, arn: &str, connection: &ConnectionRecord, out: &mut Draft) -> Result<(), Ending> {
        let parameters = &connection.parameters;
        let text = |part: &str, name: &str| parameters[part][name].as_str().unwrap_or_default();
        match connection.kind.as_str() {
            "BASIC" => {
                let pair =
                    format!("{}:{}", text("BasicAuthParameters", "Username"), text("BasicAuthParameters", "Password"));
                out.set("Authorization", format!("Basic {}", STANDARD.encode(pair)));
            }
            "API_KEY" => {
                out.set(text("ApiKeyAuthParameters", "ApiKeyName"), text("ApiKeyAuthParameters", "ApiKeyValue"));
            }
            _ => {
                let token = self.token(arn, connection).await?;
                out.set("Authorization", format!("Bearer {token}"));
            }
        }
        Ok(())
    }

    /// The token of an OAuth connection: the one that is there, or a new one.
    async fn token(&self, arn: &str, connection: &ConnectionRecord) -> Result<String, Ending> {
        let now_ms = self.events.clock.now_ms();
        let key = format!("{arn} {}", connection.modified_ms);
        let known = self.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some((token, _)) = known.filter(|(_, until_ms)| now_ms < *until_ms) {
            return Ok(token);
        }
        let oauth = &connection.parameters["OAuthParameters"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut form: Vec<(String, String)> = vec![
            ("grant_type".into(), "client_credentials".into()),
            ("client_id".into(), text(&oauth["ClientParameters"]["ClientID"])),
            ("client_secret".into(), text(&oauth["ClientParameters"]["ClientSecret"])),
        ];
        let more = &oauth["OAuthHttpParameters"];
        form.extend(pairs(&more["BodyParameters"]));
        let mut out = Draft { url: text(&oauth["AuthorizationEndpoint"]), ..Draft::default() };
        let form = encoded(&form);
        match oauth["HttpMethod"].as_str() {
            Some("GET") => out.url = with_query(&out.url, &form),
            _ => out.body = form,
        }
        out.set("Content-Type", "application/x-www-form-urlencoded");
        out.headers.extend(pairs(&more["HeaderParameters"]));
        out.query.extend(pairs(&more["QueryStringParameters"]));
        let later = |why: String| Ending::Retry { why: Failure::new("AuthorizationFailed", why), after: None };
        let post = out.post(oauth["HttpMethod"].as_str().unwrap_or("POST"));
        let (status, body) = self.client.ask(&post).await.map_err(|failure| later(failure.message))?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let Some(token) = answer["access_token"].as_str().filter(|_| (200..300).contains(&status)) else {
            return Err(later(format!("The authorization endpoint answered {status} without a token.")));
        };
        let life_s = answer["expires_in"].as_i64().unwrap_or(TOKEN_LIFE_S).clamp(0, 86_400);
        let until_ms = now_ms + (life_s * 1_000 - TOKEN_MARGIN_MS).max(life_s * 500);
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|other, (_, until_ms)| !other.starts_with(&format!("{arn} ")) && *until_ms > now_ms);
        tokens.insert(key, (token.to_owned(), until_ms));
        Ok(token.to_owned())
    }
}

impl Carrier for Destinations {
    fn carry<'a>(&'a self, carried: &'a Carried) -> BoxFuture<'a, Ending> {
        Box::pin(async move {
            match self.request(carried).await {
                Ok(post) => self.client.carry(&post).await,
                Err(ending) => ending,
            }
        })
    }
}

/// A request that is being put together.
#[derive(Debug, Default)]
struct Draft {
    url: String,
    headers: Vec<(String, String)>,
    query: Vec<(String, String)>,
    body: String,
}

impl Draft {
    /// The last one of a name counts.
    fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let name = name.into();
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
        self.headers.push((name, value.into()));
    }

    /// Adds a connection's own headers, query and members of the body.
    fn add(&mut self, parameters: &Value) {
        for (name, value) in pairs(&parameters["HeaderParameters"]) {
            self.set(name, value);
        }
        self.query.extend(pairs(&parameters["QueryStringParameters"]));
        let members: Vec<(String, String)> = pairs(&parameters["BodyParameters"]).collect();
        if let (false, Ok(mut body)) = (members.is_empty(), serde_json::from_str::<Map<String, Value>>(&self.body)) {
            body.extend(members.into_iter().map(|(name, value)| (name, value.into())));
            self.body = Value::Object(body).to_string();
        }
    }

    fn post(self, method: &str) -> Post {
        let url = match self.query.is_empty() {
            true => self.url,
            false => with_query(&self.url, &encoded(&self.query)),
        };
        Post {
            method: method.to_owned(),
            headers: self.headers,
            patience_ms: PATIENCE_MS,
            // AWS tries these again too.
            retried: vec![401, 407, 409],
            ..Post::new(url, self.body)
        }
    }
}

/// The name in the ARN of something of a kind.
pub(crate) fn name_of<'a>(arn: &'a str, kind: &str) -> Option<&'a str> {
    arn.split_once(kind)?.1.split('/').next()
}

fn pairs(list: &Value) -> impl Iterator<Item = (String, String)> + '_ {
    let pair = |entry: &Value| Some((entry["Key"].as_str()?.to_owned(), entry["Value"].as_str()?.to_owned()));
    list.as_array().into_iter().flatten().filter_map(pair)
}

/// Each `*` of an endpoint is one of the rule's path parameters.
fn with_path(endpoint: &str, path: &[String]) -> String {
    let mut values = path.iter();
    let mut parts = endpoint.split('*');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(&values.next().map_or_else(|| "*".to_owned(), |value| escaped(value)));
        out.push_str(part);
    }
    out
}

fn with_query(url: &str, query: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{query}")
}

fn encoded(pairs: &[(String, String)]) -> String {
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    pairs.join("&")
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn requests_are_put_together() {
        let mut draft = Draft {
            url: with_path("http://host/a/*/b/*", &["x y".into()]),
            body: r#"{"n":1}"#.into(),
            ..Draft::default()
        };
        draft.set("x-a", "1");
        draft.add(&json!({
            "HeaderParameters": [{ "Key": "X-A", "Value": "2" }],
            "QueryStringParameters": [{ "Key": "q", "Value": "a&b" }],
            "BodyParameters": [{ "Key": "m", "Value": "v" }],
        }));
        let post = draft.post("PUT");
        assert_eq!(post.url, "http://host/a/x%20y/b/*?q=a%26b");
        assert_eq!(post.headers, [("X-A".to_owned(), "2".to_owned())]);
        assert_eq!(post.body, r#"{"n":1,"m":"v"}"#);
    }
}
