//! Proving a claim.

use std::time::Duration;

use jiff::Timestamp;

use crate::canonical::{self, CONTENT_SHA256, Paths};
use crate::claim::{ALGORITHM, write_time};
use crate::{Claim, Credential, Form, Head, Payload, Refusal, key};

/// How far a client's clock may be off.
pub(crate) const SKEW_MAX: Duration = Duration::from_secs(15 * 60);

/// Whether a session token that came along is the credential's, and still good.
pub fn check_token(theirs: Option<&str>, credential: &Credential, now: Timestamp) -> Result<(), Refusal> {
    let same = match (&credential.session_token, theirs) {
        (Some(ours), Some(theirs)) => key::same(ours, theirs),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    match credential.expires {
        _ if !same => Err(Refusal::UnknownKey),
        Some(end) if end <= now => Err(Refusal::ExpiredToken),
        Some(_) | None => Ok(()),
    }
}

impl Claim {
    /// Whether the claim is of our time: 15 minutes around now, or from then until a presigned one expires.
    pub fn check_time(&self, now: Timestamp) -> Result<(), Refusal> {
        let Self { time, time_text, scope, .. } = self;
        if time_text.get(..8) != Some(&scope.date) {
            return Err(Refusal::Invalid(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}', from \
                 '{time_text}'.",
                scope.date,
                time_text.get(..8).unwrap_or_default(),
            )));
        }
        let (now_text, later, minutes) = (write_time(now), now + SKEW_MAX, SKEW_MAX.as_secs() / 60);
        if *time > later {
            return Err(Refusal::Expired(format!(
                "Signature not yet current: {time_text} is still later than {} ({now_text} + {minutes} min.)",
                write_time(later),
            )));
        }
        match self.form {
            Form::Header if *time < now - SKEW_MAX => Err(Refusal::Expired(format!(
                "Signature expired: {time_text} is now earlier than {} ({now_text} - {minutes} min.)",
                write_time(now - SKEW_MAX),
            ))),
            Form::Query { expires } if *time + expires < now => Err(Refusal::Expired(format!(
                "Signature expired: {now_text} is now later than {} ({time_text} + {} sec.)",
                write_time(*time + expires),
                expires.as_secs(),
            ))),
            Form::Header | Form::Query { .. } => Ok(()),
        }
    }

    /// Whether the claim's session token is the credential's, and still good.
    pub fn check_token(&self, credential: &Credential, now: Timestamp) -> Result<(), Refusal> {
        check_token(self.session_token.as_deref(), credential, now)
    }

    /// Whether the request was signed with that secret, and is what was signed.
    pub fn check_signature(&self, head: &Head<'_>, payload: Payload<'_>, secret: &str) -> Result<(), Refusal> {
        self.check_signed_headers(head)?;
        let unsigned =
            matches!(self.form, Form::Query { .. }) && Paths::of_service(&self.scope.service) == Paths::AsSent;
        let payload_text = canonical::payload_text(head, payload, unsigned);
        if !says_what_was_signed(&payload_text) {
            let complaint = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, or a valid \
                             sha256 value.";
            return Err(Refusal::Invalid(complaint.into()));
        }
        let paths = Paths::of_service(&self.scope.service);
        let canonical = canonical::request(head, &self.signed_headers, &payload_text, paths);
        let string_to_sign = string_to_sign(&self.time_text, &self.scope.text(), &canonical);
        let ours = key::signature(secret, &self.scope, &string_to_sign);
        if !key::same(&ours, &self.signature) {
            return Err(Refusal::Mismatch { canonical, string_to_sign });
        }
        match payload {
            Payload::Bytes(bytes)
                if is_hash(&payload_text)
                    && !key::same(&payload_text.to_ascii_lowercase(), &key::sha256_hex(bytes)) =>
            {
                let complaint = format!("The provided '{CONTENT_SHA256}' header does not match what was computed.");
                Err(Refusal::Invalid(complaint))
            }
            Payload::Bytes(_) | Payload::AsClaimed => Ok(()),
        }
    }

    /// Whether that text, a form's policy, was signed with that secret.
    pub fn check_policy(&self, policy: &str, secret: &str) -> Result<(), Refusal> {
        match key::same(&key::signature(secret, &self.scope, policy), &self.signature) {
            true => Ok(()),
            false => Err(Refusal::Mismatch { canonical: String::new(), string_to_sign: policy.to_owned() }),
        }
    }

    /// A signature that does not cover the host, or what AWS's own headers say, would leave them to whoever stands between.
    fn check_signed_headers(&self, head: &Head<'_>) -> Result<(), Refusal> {
        let signed = |name: &str| self.signed_headers.split(';').any(|known| known == name);
        if !signed("host") {
            let complaint = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
            return Err(Refusal::Invalid(complaint.into()));
        }
        for name in head.headers.keys().map(http::HeaderName::as_str) {
            // A presigned request may say of its body what it likes: what it says is part of the canonical form anyway.
            let of_body = matches!(self.form, Form::Query { .. }) && name == CONTENT_SHA256;
            // CloudFront adds this one on the way, long after the client has signed.
            let on_the_way = name == "x-amz-cf-id";
            if name.starts_with("x-amz-") && !of_body && !on_the_way && !signed(name) {
                let complaint = format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.");
                return Err(Refusal::Invalid(complaint));
            }
        }
        Ok(())
    }
}

pub(crate) fn string_to_sign(time: &str, scope: &str, canonical: &str) -> String {
    format!("{ALGORITHM}\n{time}\n{scope}\n{}", key::sha256_hex(canonical.as_bytes()))
}

/// Anything else would be a hash that fits no body, and leave the body to whoever stands between.
fn says_what_was_signed(text: &str) -> bool {
    is_hash(text) || text == "UNSIGNED-PAYLOAD" || text.starts_with("STREAMING-")
}

/// A hash, rather than one of the words that say that there is none (`UNSIGNED-PAYLOAD`, `STREAMING-…`).
fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}
