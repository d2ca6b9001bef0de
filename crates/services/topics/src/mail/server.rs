//! One conversation with a mail server.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::decoded;

/// The longest answer of a server, all its lines together.
const ANSWER_BYTES_MAX: u64 = 16 << 10;

/// Where a server is, and who we are to it.
pub(super) struct Server {
    host: String,
    port: u16,
    tls: Tls,
    login: Option<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    /// Never.
    Without,
    /// After the first words.
    Started,
    /// Before any.
    First,
}

/// Why a letter was not taken.
pub(super) enum Trouble {
    /// It may pass.
    Later(String),
    /// It will not.
    Never(String),
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("host", &self.host).field("port", &self.port).field("tls", &self.tls).finish()
    }
}

impl Server {
    /// Reads a URL without its options.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.trim_end_matches('/').split_once("://")?;
        let (tls, port) = match scheme {
            "smtp" => (Tls::Without, 25),
            "smtps" => (Tls::First, 465),
            _ => return None,
        };
        let (login, place) = match rest.rsplit_once('@') {
            None => (None, rest),
            Some((login, place)) => {
                let (user, password) = login.split_once(':')?;
                (Some((decoded(user), decoded(password))), place)
            }
        };
        let (host, port) = match place.rsplit_once(':') {
            None => (place, port),
            Some((host, port)) => (host, port.parse().ok()?),
        };
        let good = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        good.then(|| Self { host: host.to_owned(), port, tls, login })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn require_tls(&mut self) {
        if self.tls == Tls::Without {
            self.tls = Tls::Started;
        }
    }

    /// Hands a letter over.
    pub(super) async fn take(&self, from: &str, to: &str, text: &str) -> Result<(), Trouble> {
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| Trouble::Later(format!("{}:{} cannot be reached: {error}", self.host, self.port)))?;
        match self.tls {
            Tls::Without => {
                let mut line = Line::new(stream);
                line.expect(220).await?;
                self.talk(&mut line, from, to, text).await
            }
            Tls::Started => {
                let mut line = Line::new(stream);
                line.expect(220).await?;
                line.say("EHLO freehold", 250).await?;
                line.say("STARTTLS", 220).await?;
                // What came before TLS must not count after it.
                if !line.0.buffer().is_empty() {
                    return Err(Trouble::Later("the server spoke before TLS began".to_owned()));
                }
                let mut line = Line::new(self.secure(line.0.into_inner()).await?);
                self.talk(&mut line, from, to, text).await
            }
            Tls::First => {
                let mut line = Line::new(self.secure(stream).await?);
                line.expect(220).await?;
                self.talk(&mut line, from, to, text).await
            }
        }
    }

    async fn talk<S>(&self, line: &mut Line<S>, from: &str, to: &str, text: &str) -> Result<(), Trouble>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        line.say("EHLO freehold", 250).await?;
        if let Some((user, password)) = &self.login {
            let proof = STANDARD.encode(format!("\0{user}\0{password}"));
            line.say(&format!("AUTH PLAIN {proof}"), 235).await?;
        }
        line.say(&format!("MAIL FROM:<{from}>"), 250).await?;
        line.say(&format!("RCPT TO:<{to}>"), 250).await?;
        line.say("DATA", 354).await?;
        // No line begins with a dot: headers begin with a letter, and base64 has none.
        line.say(&format!("{text}."), 250).await?;
        // It is taken; how the server says goodbye does not matter.
        let _ = line.say("QUIT", 221).await;
        Ok(())
    }

    async fn secure(&self, stream: TcpStream) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Trouble> {
        let host = self.host.clone();
        let name = ServerName::try_from(host)
            .map_err(|_| Trouble::Never(format!("'{}' cannot be the name of a certificate", self.host)))?;
        let config = tokio::task::spawn_blocking(tls_config).await;
        let config = config.map_err(|error| Trouble::Later(format!("TLS cannot be set up: {error}")))?;
        let stream = TlsConnector::from(config).connect(name, stream).await;
        stream.map_err(|error| Trouble::Later(format!("TLS failed: {error}")))
    }
}

/// A connection on which one speaks and the other answers.
struct Line<S>(BufReader<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    fn new(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    async fn say(&mut self, words: &str, expected: u16) -> Result<(), Trouble> {
        let broken = |error: std::io::Error| Trouble::Later(format!("the server broke off: {error}"));
        self.0.write_all(format!("{words}\r\n").as_bytes()).await.map_err(broken)?;
        self.0.flush().await.map_err(broken)?;
        self.expect(expected).await
    }

    /// Reads an answer, which may have several lines.
    async fn expect(&mut self, expected: u16) -> Result<(), Trouble> {
        let mut rest = (&mut self.0).take(ANSWER_BYTES_MAX);
        loop {
            let mut answer = String::new();
            let read = rest.read_line(&mut answer).await;
            read.map_err(|error| Trouble::Later(format!("the server broke off: {error}")))?;
            let code: Option<u16> = answer.get(..3).and_then(|code| code.parse().ok());
            match (code, answer.as_bytes().get(3)) {
                (Some(_), Some(b'-')) => {}
                (Some(code), _) if code == expected => return Ok(()),
                (Some(500..), _) => return Err(Trouble::Never(answer.trim().to_owned())),
                (Some(_), _) => return Err(Trouble::Later(answer.trim().to_owned())),
                (None, _) => return Err(Trouble::Later("the server does not speak SMTP".to_owned())),
            }
        }
    }
}

fn tls_config() -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider speaks TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}
