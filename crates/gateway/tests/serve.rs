//! Requests through the gateway to a function that is a closure: who is let in, what comes back.

use std::sync::Arc;

use base::{Clock, Random};
use bytes::Bytes;
use contract::{Principal, Trace};
use dispatch::BoxFuture;
use gateway::{Auth, Cors, Function, Functions, Gateway, Invocation, Named, Refusal, Returned, Sender, Target};
use http::{Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};

/// `echo` returns its event, `fail` fails, `busy` is throttled, `closed` wants a signature, `shared` has rules for pages.
struct Toy;

impl Functions for Toy {
    fn find(&self, named: Named<'_>) -> Option<Arc<dyn Function>> {
        let name = match named {
            Named::Name(name) => name,
            Named::UrlId(id) => id.strip_prefix("id0")?,
        };
        let name = ["echo", "fail", "busy", "closed", "shared"].into_iter().find(|known| *known == name)?;
        Some(Arc::new(Closure(name, target(name))))
    }
}

struct Closure(&'static str, Target);

impl Function for Closure {
    fn target(&self) -> &Target {
        &self.1
    }

    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Result<Returned, Refusal>> {
        Box::pin(async move {
            match self.0 {
                "busy" => Err(Refusal::Throttled { reason: "ConcurrentInvocationLimitExceeded" }),
                "fail" => Ok(Returned { payload: Bytes::from_static(b"{\"errorMessage\":\"secret\"}"), failed: true }),
                _ => Ok(Returned { payload: invocation.payload, failed: false }),
            }
        })
    }

    fn admits<'a>(&'a self, principal: &'a Principal) -> BoxFuture<'a, bool> {
        Box::pin(async move { *principal == Principal::Root })
    }
}

fn target(name: &str) -> Target {
    let pages = Cors {
        allow_origins: vec!["https://page.example".into()],
        allow_methods: vec!["PUT".into()],
        ..Cors::default()
    };
    Target {
        url_id: format!("id0{name}"),
        region: "us-east-1".into(),
        account: "000000000000".into(),
        auth: if name == "closed" { Auth::Iam } else { Auth::None },
        cors: (name == "shared").then_some(pages),
    }
}

async fn serve(
    request: http::request::Builder,
    body: impl Into<Bytes>,
    principal: Option<Principal>,
) -> Response<Bytes> {
    let (clock, random) = (Clock::system(), Random::seeded(1));
    let trace = Trace::start(&clock, &random);
    let sender = Sender { peer: [10, 0, 0, 1].into(), scheme: "http", principal, request_id: "the-id".into(), trace };
    let request = request.body(Full::new(body.into())).expect("a request");
    Gateway::new(Arc::new(Toy), clock, random).serve(request, sender).await
}

fn get(host: &str, path: &str) -> http::request::Builder {
    Request::get(path).header("host", host)
}

fn json(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).expect("a JSON body")
}

#[tokio::test]
async fn a_function_is_reached_by_path_and_by_host() {
    for (host, path) in
        [("localhost:4566", "/_fn/echo/a/b?c=d"), ("id0echo.lambda-url.us-east-1.localhost:4566", "/a/b?c=d")]
    {
        let response = serve(get(host, path), "", None).await;
        assert_eq!(
            (response.status().as_u16(), response.headers()["x-amzn-requestid"].as_bytes()),
            (200, &b"the-id"[..])
        );
        let event = json(&response);
        assert_eq!((&event["rawPath"], &event["rawQueryString"]), (&json!("/a/b"), &json!("c=d")));
        assert_eq!(event["requestContext"]["apiId"], "id0echo");
        assert_eq!(event["requestContext"]["http"]["sourceIp"], "10.0.0.1");
    }
}

#[tokio::test]
async fn refusals_say_what_to_do_and_failures_say_nothing() {
    for (path, status, code, text) in [
        ("/_fn/nobody/", 404, "ResourceNotFoundException", "create-function-url-config"),
        ("/_fn/busy/", 429, "TooManyRequestsException", "ConcurrentInvocationLimitExceeded"),
        ("/_fn/closed/", 403, "AccessDeniedException", "Forbidden"),
    ] {
        let response = serve(get("localhost", path), "", None).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()["x-amzn-errortype"], code, "{path}");
        assert!(String::from_utf8_lossy(response.body()).contains(text), "{path}");
    }
    let failed = serve(get("localhost", "/_fn/fail/"), "", None).await;
    assert_eq!((failed.status().as_u16(), &failed.body()[..]), (502, &b"Internal Server Error"[..]));
}

#[tokio::test]
async fn a_closed_address_opens_to_a_proven_caller() {
    let response = serve(get("localhost", "/_fn/closed/"), "", Some(Principal::Root)).await;
    assert_eq!(response.status(), 200);
    let authorizer = &json(&response)["requestContext"]["authorizer"]["iam"];
    assert_eq!(authorizer["userArn"], "arn:aws:iam::000000000000:root");
    let other = serve(get("localhost", "/_fn/closed/"), "", Some(Principal::Anonymous)).await;
    assert_eq!(other.status(), 403);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_and_one_at_it_is_not() {
    let post = || Request::post("/_fn/echo/").header("host", "localhost").header("content-type", "text/plain");
    let large = serve(post(), vec![b'a'; gateway::BODY_BYTES_MAX], None).await;
    assert_eq!(json(&large)["body"].as_str().map(str::len), Some(gateway::BODY_BYTES_MAX));
    let too_large = serve(post(), vec![b'a'; gateway::BODY_BYTES_MAX + 1], None).await;
    assert_eq!(
        (too_large.status().as_u16(), &too_large.headers()["x-amzn-errortype"]),
        (413, &http::HeaderValue::from_static("RequestTooLargeException"))
    );
}

#[tokio::test]
async fn a_page_is_answered_by_the_rules_of_the_address() {
    let preflight = |function: &str| {
        let path = format!("/_fn/{function}/");
        Request::options(path)
            .header("host", "localhost")
            .header("origin", "https://page.example")
            .header("access-control-request-method", "PUT")
    };
    let answered = serve(preflight("shared"), "", None).await;
    assert_eq!(answered.headers()["access-control-allow-methods"], "PUT");
    assert!(answered.body().is_empty());
    // Without rules the function is asked, as on AWS.
    let asked = serve(preflight("echo"), "", None).await;
    assert_eq!(json(&asked)["requestContext"]["http"]["method"], "OPTIONS");
    let got = serve(get("localhost", "/_fn/shared/").header("origin", "https://page.example"), "", None).await;
    assert_eq!(got.headers()["access-control-allow-origin"], "https://page.example");
}
