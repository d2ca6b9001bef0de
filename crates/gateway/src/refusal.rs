//! Responses that no function gave, as AWS's front end of function URLs words them.

use bytes::Bytes;
use contract::{Cause, Fault};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::json;

use crate::Unreachable;

/// Why a request got no answer from a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No such address.
    Unreachable { name: String, why: Unreachable },
    /// No URL has that id.
    UnknownId(String),
    /// May not.
    Forbidden,
    /// The body, or the event made of it, is too large.
    TooLarge,
    /// The client stopped sending.
    BodyBroken,
    /// Too many at once.
    Throttled,
    /// The function failed, or answered nonsense.
    Failed,
    /// The node cannot run it now.
    Unavailable(String),
}

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

impl Refusal {
    /// What a fault on the way to the function becomes.
    pub(crate) fn of(fault: &Fault) -> Self {
        match fault.cause {
            Cause::Denied | Cause::Unauthenticated => Self::Forbidden,
            Cause::TooLarge => Self::TooLarge,
            Cause::Throttled => Self::Throttled,
            Cause::NotFound => Self::Unavailable("The function is not there any more.".into()),
            Cause::Unavailable | Cause::Conflict => Self::Unavailable(fault.message.clone()),
            Cause::Invalid | Cause::Unserved | Cause::TimedOut | Cause::Internal => Self::Failed,
        }
    }

    pub(crate) fn response(&self) -> Response<Bytes> {
        let (status, kind, message) = match self {
            Self::Unreachable { name, why } => {
                (StatusCode::NOT_FOUND, "ResourceNotFoundException", unreachable(name, *why))
            }
            Self::UnknownId(id) => {
                (StatusCode::NOT_FOUND, "ResourceNotFoundException", format!("No function has a URL with the id {id}."))
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
            Self::BodyBroken => {
                (StatusCode::BAD_REQUEST, "BadRequestException", "The request's body ended before its end.".into())
            }
            Self::Throttled => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", "Rate Exceeded.".into()),
            Self::Failed => (StatusCode::BAD_GATEWAY, "InternalServerErrorException", "Internal Server Error".into()),
            Self::Unavailable(why) => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailableException", why.clone()),
        };
        let mut response = Response::new(Bytes::from(json!({ "Message": message }).to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ERROR_TYPE, HeaderValue::from_static(kind));
        if let Self::Throttled | Self::Unavailable(_) = self {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

fn unreachable(name: &str, why: Unreachable) -> String {
    match why {
        Unreachable::NoFunction => format!("There is no function named {name}."),
        Unreachable::NoUrl => format!(
            "The function {name} has no URL: give it one with `aws lambda create-function-url-config --function-name {name} \
             --auth-type NONE`."
        ),
    }
}
