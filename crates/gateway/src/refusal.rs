//! Responses that no function gave, as AWS's front end of function URLs words them.

use std::borrow::Cow;

use bytes::Bytes;
use contract::{Cause, Fault};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::json;

/// Why a request got no answer from a function. Whoever reads it may be anybody: it tells nothing of the node's inside, nor
/// which functions there are that have no URL.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Refusal {
    /// No function of that name has a URL.
    UnknownName(String),
    /// No URL has that id.
    UnknownId(String),
    /// May not.
    Forbidden,
    /// The body, or the event made of it, is too large.
    TooLarge,
    /// The body did not come whole.
    Body(Fault),
    /// Too many at once.
    Throttled,
    /// The function failed, or answered nonsense.
    Failed,
    /// The node cannot run it now.
    Unavailable,
}

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

impl Refusal {
    /// What a fault on the way to the function becomes.
    pub(crate) fn of(fault: &Fault) -> Self {
        match fault.cause {
            Cause::Denied | Cause::Unauthenticated => Self::Forbidden,
            Cause::TooLarge => Self::TooLarge,
            Cause::Throttled => Self::Throttled,
            Cause::NotFound | Cause::Unavailable | Cause::Conflict => Self::Unavailable,
            Cause::Invalid | Cause::Unserved | Cause::TimedOut | Cause::Internal => Self::Failed,
        }
    }

    pub(crate) fn response(&self) -> Response<Bytes> {
        let (status, kind, message): (StatusCode, &str, Cow<'static, str>) = match self {
            Self::UnknownName(name) => (StatusCode::NOT_FOUND, "ResourceNotFoundException", unknown_name(name).into()),
            Self::UnknownId(id) => {
                let message = format!("No function has a URL with the id {}.", short(id));
                (StatusCode::NOT_FOUND, "ResourceNotFoundException", message.into())
            }
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "AccessDeniedException",
                "Forbidden. For troubleshooting Function URL authorization issues, see: \
                 https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
                    .into(),
            ),
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLargeException", "Request Entity Too Large".into())
            }
            Self::Body(fault) => (status_of_body(fault), &fault.code, fault.message.clone().into()),
            Self::Throttled => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", "Rate Exceeded.".into()),
            Self::Failed => (StatusCode::BAD_GATEWAY, "InternalServerErrorException", "Internal Server Error".into()),
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailableException", "Service Unavailable".into())
            }
        };
        let mut response = Response::new(Bytes::from(json!({ "Message": message }).to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(kind) = HeaderValue::from_str(kind) {
            headers.insert(ERROR_TYPE, kind);
        }
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Whoever hands the body over knows best; it is the client's doing otherwise.
fn status_of_body(fault: &Fault) -> StatusCode {
    fault.status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::BAD_REQUEST)
}

fn unknown_name(name: &str) -> String {
    let name = short(name);
    format!(
        "There is no function {name} that has a URL. A function gets one with `aws lambda create-function-url-config \
         --function-name {name} --auth-type NONE`."
    )
}

/// Names end long before this; addresses need not.
fn short(text: &str) -> String {
    text.chars().take(140).collect()
}
