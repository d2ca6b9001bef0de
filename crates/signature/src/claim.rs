//! What a request claims about itself: read from its `Authorization` header or its query string, and not yet believed.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use percent_encoding::percent_decode_str;

use crate::{Head, Refusal};

/// The one algorithm.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The longest that a presigned request may be good for.
pub(crate) const EXPIRES_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who it says it is.
    pub access_key: String,
    /// What the signature is good for.
    pub scope: Scope,
    /// The session token, for temporary credentials.
    pub session_token: Option<String>,
    /// Where it stood.
    pub form: Form,
    pub(crate) signed_headers: String,
    pub(crate) signature: String,
    pub(crate) time: Timestamp,
    pub(crate) time_text: String,
}

/// What a form says of who signed its policy.
#[derive(Clone, Copy, Debug)]
pub struct SignedForm<'a> {
    /// `AWS4-HMAC-SHA256`.
    pub algorithm: &'a str,
    /// Key and scope.
    pub credential: &'a str,
    /// When.
    pub date: &'a str,
    /// In hex.
    pub signature: &'a str,
    /// For temporary credentials.
    pub session_token: Option<&'a str>,
}

/// `20261121/eu-central-1/lambda/aws4_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Eight digits.
    pub date: String,
    /// Any region.
    pub region: String,
    /// The service's signing name.
    pub service: String,
}

/// Where a claim stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// In the `Authorization` header.
    Header,
    /// In the query string, good for a while.
    Query {
        /// How long.
        expires: Duration,
    },
}

impl Claim {
    /// Reads the claim of a request; `None` if it makes none.
    pub fn read(head: &Head<'_>) -> Result<Option<Self>, Refusal> {
        if let Some(value) = head.headers.get(http::header::AUTHORIZATION) {
            let value = value.to_str().map_err(|_| Refusal::Incomplete("Authorization header is not text.".into()))?;
            return Self::from_header(value, head).map(Some);
        }
        match parameter(head.query, "X-Amz-Algorithm") {
            Some(algorithm) if algorithm == ALGORITHM => Self::from_query(head).map(Some),
            Some(algorithm) => Err(Refusal::Unsupported(algorithm)),
            None if parameter(head.query, "AWSAccessKeyId").is_some() => Err(Refusal::Unsupported("AWS".into())),
            None => Ok(None),
        }
    }

    fn from_header(value: &str, head: &Head<'_>) -> Result<Self, Refusal> {
        let (algorithm, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
        if algorithm != ALGORITHM {
            return Err(Refusal::Unsupported(algorithm.chars().take(32).collect()));
        }
        let field = |name: &str| {
            let mut fields = rest.split(',').filter_map(|field| field.trim().split_once('='));
            fields
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.to_owned())
                .filter(|value| !value.is_empty())
        };
        let (credential, signed, signature) = (field("Credential"), field("SignedHeaders"), field("Signature"));
        let (Some(credential), Some(signed_headers), Some(signature)) = (&credential, &signed, &signature) else {
            let parts = [("Credential", &credential), ("Signature", &signature), ("SignedHeaders", &signed)];
            let missing = parts.iter().filter(|(_, value)| value.is_none());
            let complaints: String =
                missing.map(|(name, _)| format!("Authorization header requires '{name}' parameter. ")).collect();
            return Err(Refusal::Incomplete(complaints + &quoted(value)));
        };
        let date = head.headers.get("x-amz-date").or_else(|| head.headers.get(http::header::DATE));
        let date = date.and_then(|value| value.to_str().ok()).ok_or_else(|| {
            let complaint = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ";
            Refusal::Incomplete(complaint.to_owned() + &quoted(value))
        })?;
        let token = head.headers.get("x-amz-security-token").and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self::assemble(credential, signed_headers, signature, date, token, Form::Header)
    }

    fn from_query(head: &Head<'_>) -> Result<Self, Refusal> {
        let need = |name: &str| {
            let found = parameter(head.query, name).filter(|value| !value.is_empty());
            found.ok_or_else(|| Refusal::Incomplete(format!("AWS query-string parameters must include '{name}'.")))
        };
        let (credential, signature) = (need("X-Amz-Credential")?, need("X-Amz-Signature")?);
        let (signed_headers, date) = (need("X-Amz-SignedHeaders")?, need("X-Amz-Date")?);
        let expires = match parameter(head.query, "X-Amz-Expires") {
            // What AWS takes where it is left out.
            None => Duration::from_secs(15 * 60),
            Some(text) => {
                let seconds: u64 =
                    text.parse().map_err(|_| Refusal::Incomplete("X-Amz-Expires should be a number".into()))?;
                Duration::from_secs(seconds)
            }
        };
        if expires > EXPIRES_MAX {
            let complaint = "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be \
                             less than 604800 seconds";
            return Err(Refusal::Incomplete(complaint.into()));
        }
        let token = parameter(head.query, "X-Amz-Security-Token");
        Self::assemble(&credential, &signed_headers, &signature, &date, token, Form::Query { expires })
    }

    /// The claim of a form, which signs the text of its policy and says until when itself.
    pub fn of_form(form: &SignedForm<'_>) -> Result<Self, Refusal> {
        let SignedForm { algorithm, credential, date, signature, session_token } = *form;
        if algorithm != ALGORITHM {
            return Err(Refusal::Unsupported(algorithm.chars().take(32).collect()));
        }
        let token = session_token.map(str::to_owned);
        Self::assemble(credential, "", signature, date, token, Form::Query { expires: EXPIRES_MAX })
    }

    fn assemble(
        credential: &str,
        signed_headers: &str,
        signature: &str,
        date: &str,
        session_token: Option<String>,
        form: Form,
    ) -> Result<Self, Refusal> {
        let time = read_time(date).ok_or_else(|| {
            Refusal::Incomplete(format!("Date must be in ISO-8601 'basic format'. Got '{}'.", short(date)))
        })?;
        // Access key ids hold no slashes, but the scope is counted from its end, in case one does.
        let mut parts = credential.rsplitn(5, '/');
        let (end, service, region, day, access_key) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next());
        let (Some(end), Some(service), Some(region), Some(day), Some(access_key)) =
            (end, service, region, day, access_key)
        else {
            let complaint = "Credential must have exactly 5 slash-delimited elements, e.g. \
                             keyid/date/region/service/term, got ";
            return Err(Refusal::Incomplete(format!("{complaint}'{}'", short(credential))));
        };
        if end != "aws4_request" {
            let complaint = "Credential should be scoped with a valid terminator: 'aws4_request', not ";
            return Err(Refusal::Invalid(format!("{complaint}'{}'.", short(end))));
        }
        Ok(Self {
            access_key: access_key.to_owned(),
            scope: Scope { date: day.to_owned(), region: region.to_owned(), service: service.to_owned() },
            session_token,
            form,
            signed_headers: signed_headers.to_ascii_lowercase(),
            signature: signature.to_owned(),
            time,
            time_text: write_time(time),
        })
    }
}

impl Claim {
    /// When it says that it was signed.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// The signature as it was sent, for faults that quote it.
    pub fn signature(&self) -> &str {
        &self.signature
    }
}

impl Scope {
    pub(crate) fn text(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }
}

/// A query parameter, decoded; the first, where there are several.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.find(|(known, _)| *known == name)?;
    percent_decode_str(value).decode_utf8().ok().map(Into::into)
}

/// `20150830T123600Z`.
pub(crate) fn write_time(time: Timestamp) -> String {
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// `20150830T123600Z`, or the `Date` header's own form.
pub(crate) fn read_time(text: &str) -> Option<Timestamp> {
    let digits = |from: usize, to: usize| -> Option<i16> {
        let part = text.get(from..to)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten()
    };
    if text.len() == 16 && text.as_bytes()[8] == b'T' && text.ends_with('Z') {
        let small = |from: usize| digits(from, from + 2).and_then(|value| i8::try_from(value).ok());
        let civil = DateTime::new(digits(0, 4)?, small(4)?, small(6)?, small(9)?, small(11)?, small(13)?, 0).ok()?;
        return civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    }
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

/// AWS shows a hash of what it cannot read, so that a secret which landed there by mistake is not repeated.
fn quoted(value: &str) -> String {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, value.as_bytes()));
    format!("(Hashed with SHA-256 and encoded with Base64) Authorization={hash}")
}

fn short(text: &str) -> String {
    text.chars().take(128).collect()
}
