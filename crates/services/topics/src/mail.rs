//! Sending letters on as mail, by a server of the owner's (`--smtp URL`): the carrier "mail".
//!
//! The URL is `smtp://USER:PASSWORD@HOST:PORT?tls=required&from=news@example.com`, or `smtps://…` where TLS comes first; without `tls` the
//! connection is not encrypted, as on one machine. What the server refuses for good (5xx) is not tried again.
//!
//! As much SMTP as one letter needs (RFC 5321, STARTTLS, AUTH PLAIN), each over a connection of its own: a library would bring its own
//! idea of pools and of TLS. Bodies and subjects go as base64, so that no line can be mistaken for a command.

mod server;
#[cfg(test)]
mod tests;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::BoxFuture;
use delivery::{Carried, Carrier, Ending, Failure};

use crate::store::Letter;

use server::{Server, Trouble};

/// The carrier's name.
pub const NAME: &str = "mail";

/// How long one letter may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that takes mail.
#[derive(Debug)]
pub struct Mail {
    server: Server,
    from: String,
}

/// The URL of the server is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; write it like smtp://USER:PASSWORD@HOST:PORT?tls=required&from=news@example.com")]
pub struct WrongUrl(String);

impl Mail {
    /// A server at that URL. Nothing is connected yet.
    pub fn new(url: &str) -> Result<Self, WrongUrl> {
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let mut server = Server::parse(address).ok_or_else(|| WrongUrl("the URL cannot be read".to_owned()))?;
        let mut from = format!("no-reply@{}", server.host());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("from", given)) => from = decoded(given),
                Some(("tls", "required")) => server.require_tls(),
                _ => return Err(WrongUrl(format!("there is no option {pair}, only from and tls=required"))),
            }
        }
        match is_address(&from) {
            true => Ok(Self { server, from }),
            false => Err(WrongUrl(format!("'{from}' is no sender"))),
        }
    }

    async fn send(&self, parcel: &[u8]) -> Ending {
        let letter: Letter = match serde_json::from_slice(parcel) {
            Ok(letter) => letter,
            Err(error) => return Ending::Refused { why: Failure::new("MalformedDelivery", error.to_string()) },
        };
        if !is_address(&letter.to) {
            return Ending::Refused { why: Failure::new("InvalidAddress", format!("'{}' is no address", letter.to)) };
        }
        let text = self.text(&letter);
        // The machine's time: a peer is waited for.
        match tokio::time::timeout(PATIENCE, self.server.take(&self.from, &letter.to, &text)).await {
            Ok(Ok(())) => Ending::DELIVERED,
            Ok(Err(Trouble::Never(why))) => Ending::Refused { why: Failure::new("MailRefused", why) },
            Ok(Err(Trouble::Later(why))) => Ending::Retry { why: Failure::new("MailServer", why), after: None },
            Err(_) => {
                let why = format!("The server did not take the letter within {PATIENCE:?}.");
                Ending::Retry { why: Failure::new("TimeoutError", why), after: None }
            }
        }
    }

    /// Headers and body, as they go over the line.
    fn text(&self, letter: &Letter) -> String {
        const LINE: usize = 76;
        // Every piece of a subject must be short, and end where a character does.
        const PIECE_CHARS: usize = 10;
        let subject: Vec<char> = letter.subject.as_deref().unwrap_or_default().chars().collect();
        let pieces: Vec<String> = subject
            .chunks(PIECE_CHARS)
            .map(|piece| format!("=?utf-8?B?{}?=", STANDARD.encode(piece.iter().collect::<String>())))
            .collect();
        let date = jiff::Timestamp::from_millisecond(letter.at_ms).unwrap_or_default();
        let date = date.strftime("%a, %d %b %Y %H:%M:%S +0000");
        let body = STANDARD.encode(&letter.body);
        let lines: Vec<&str> =
            body.as_bytes().chunks(LINE).map(|line| std::str::from_utf8(line).unwrap_or_default()).collect();
        format!(
            "From: <{}>\r\nTo: <{}>\r\nSubject: {}\r\nDate: {date}\r\nMessage-ID: <{}@sns.amazonaws.com>\r\nMIME-Version: \
             1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
            self.from,
            letter.to,
            pieces.join("\r\n "),
            letter.id,
            lines.join("\r\n"),
        )
    }
}

impl Carrier for Mail {
    fn carry<'a>(&'a self, carried: &'a Carried) -> BoxFuture<'a, Ending> {
        Box::pin(self.send(&carried.parcel))
    }
}

/// Nothing that could end a line or a bracket.
fn is_address(text: &str) -> bool {
    let clean = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>'));
    clean && text.split_once('@').is_some_and(|(who, host)| !who.is_empty() && !host.is_empty())
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}
