//! What proves who asks: a token that the registry's own authority gives out, or name and password.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::Full;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::challenge::Challenge;
use super::connection::{Failure, Registry, read_body, request};
use crate::Error;
use crate::credentials::Credentials;
use crate::reference::is_loopback;

/// The longest answer with a token.
const ANSWER_BYTES_MAX: u64 = 256 << 10;

const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[derive(Deserialize)]
struct TokenShape {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
}

impl Registry {
    /// What the registry wants, for whoever asks.
    pub(super) async fn proof_for(&self, challenge: &Challenge) -> Result<HeaderValue, Failure> {
        match (challenge, &self.credentials) {
            (Challenge::Basic, Some(Credentials::Password { user, password })) => Ok(basic(user, password)),
            (Challenge::Basic, Some(Credentials::IdentityToken(_))) => {
                Err(self.denied("it wants a name and a password, and there is only a token".to_owned()).into())
            }
            (Challenge::Basic, None) => Err(self.denied("it wants a name and a password".to_owned()).into()),
            (Challenge::Bearer { realm, service, scope }, credentials) => {
                let mine = format!("repository:{}:pull", self.repository());
                let mut parameters = vec![("scope", scope.as_deref().unwrap_or(&mine))];
                parameters.extend(service.as_deref().map(|service| ("service", service)));
                let token = match credentials {
                    Some(Credentials::IdentityToken(token)) => self.exchange(realm, parameters, token).await?,
                    Some(Credentials::Password { user, password }) => {
                        self.fetch(realm, &parameters, Some(basic(user, password))).await?
                    }
                    None => self.fetch(realm, &parameters, None).await?,
                };
                let header = HeaderValue::try_from(format!("Bearer {token}"));
                let mut header = header.map_err(|_| self.denied(format!("{realm} gave a malformed token")))?;
                header.set_sensitive(true);
                Ok(header)
            }
        }
    }

    /// Asks for a token in the older way: name and password in a header.
    async fn fetch(
        &self,
        realm: &str,
        parameters: &[(&str, &str)],
        proof: Option<HeaderValue>,
    ) -> Result<String, Failure> {
        let mark = if realm.contains('?') { '&' } else { '?' };
        let uri = self.authority(&format!("{realm}{mark}{}", form(parameters)))?;
        let mut ask = request(Method::GET, &uri);
        if let Some(proof) = proof {
            ask = ask.header(AUTHORIZATION, proof);
        }
        self.token(realm, ask.body(Full::default()).expect("all parts are well-formed")).await
    }

    /// Exchanges a token that lasts for one that does not.
    async fn exchange(&self, realm: &str, parameters: Vec<(&str, &str)>, lasting: &str) -> Result<String, Failure> {
        let uri = self.authority(realm)?;
        let mut all = vec![("grant_type", "refresh_token"), ("client_id", "freehold"), ("refresh_token", lasting)];
        all.extend(parameters);
        let ask = request(Method::POST, &uri).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.token(realm, ask.body(Full::from(form(&all))).expect("all parts are well-formed")).await
    }

    async fn token(&self, realm: &str, ask: Request<Full<Bytes>>) -> Result<String, Failure> {
        let response = self.send(ask).await?;
        let status = response.status();
        if !status.is_success() {
            let words = self.words(response).await;
            if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
                return Err(Failure::Again { why: format!("{realm} answered {status} {words}"), pause: None });
            }
            let said = format!("{realm} gives no token: {status} {words}");
            return Err(self.denied(said.trim().to_owned()).into());
        }
        let bytes = read_body(response, ANSWER_BYTES_MAX, self.patience().stall).await;
        let read = bytes.ok().and_then(|bytes| serde_json::from_slice::<TokenShape>(&bytes).ok());
        let token = read.map(|read| if read.token.is_empty() { read.access_token } else { read.token });
        let token = token.filter(|token| !token.is_empty());
        token.ok_or_else(|| Failure::Final(self.denied(format!("{realm} answered without a token"))))
    }

    /// The address of whom the registry names. Secrets go there, so it is reached over TLS or not at all, unless all is on this machine.
    fn authority(&self, address: &str) -> Result<Uri, Error> {
        let uri: Option<Uri> = address.parse().ok();
        let fits = |uri: &Uri| match uri.scheme_str() {
            Some("https") => uri.host().is_some(),
            Some("http") => self.is_plain() && uri.host().is_some_and(is_loopback),
            Some(_) | None => false,
        };
        uri.filter(fits)
            .ok_or_else(|| self.denied(format!("it names '{address}' for proving who asks, which cannot be trusted")))
    }
}

fn basic(user: &str, password: &str) -> HeaderValue {
    let text = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let mut value = HeaderValue::try_from(text).expect("base64 is fit for a header");
    value.set_sensitive(true);
    value
}

fn form(parameters: &[(&str, &str)]) -> String {
    let pairs = parameters.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, QUERY)));
    pairs.collect::<Vec<_>>().join("&")
}
