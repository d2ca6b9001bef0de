//! What a person sees who opens the node's address in a browser.

use http::header::{ACCEPT, AUTHORIZATION};
use http::{Method, Response, StatusCode, request};

use crate::Body;
use crate::own::text;

/// Whether this is a person, and no tool: `GET /` with nothing that AWS's tools send.
pub(crate) fn is_asked_for(parts: &request::Parts) -> bool {
    let plain = parts.uri.query().is_none_or(str::is_empty)
        && !parts.headers.contains_key(AUTHORIZATION)
        && !parts.headers.contains_key("x-amz-target");
    matches!(parts.method, Method::GET | Method::HEAD) && parts.uri.path() == "/" && plain
}

/// The page, as HTML for browsers and as text for everybody else.
pub(crate) fn page(parts: &request::Parts, host: &str) -> Response<Body> {
    // The guard let only names pass that hold nothing that HTML would take for its own, but where callers are verified
    // there is no guard.
    let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || ".-_:[]".contains(*c)).collect();
    let lines = format!(
        "export AWS_ENDPOINT_URL=http://{host} AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1\n\
         export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test\n\
         aws lambda list-functions\n"
    );
    let wants_html =
        parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|v| v.contains("text/html"));
    if !wants_html {
        let plain = format!(
            "This is Freehold, a serverless cloud of your own. It is up.\n\nAWS's tools talk to it:\n\n{lines}\n\
             Functions answer at http://{host}/_fn/NAME/. How the node is: http://{host}/_health and /_metrics.\n"
        );
        return text(StatusCode::OK, "text/plain; charset=utf-8", plain);
    }
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Freehold</title>\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:4rem auto;padding:0 1rem}}\
         pre{{background:#8882;padding:1rem;overflow:auto;border-radius:.4rem}}:root{{color-scheme:light dark}}</style>\
         <h1>Freehold is up</h1><p>This is a serverless cloud of your own. AWS's tools talk to it:</p><pre>{lines}</pre>\
         <p>Functions answer at <code>http://{host}/_fn/NAME/</code>. How the node is: <a href=\"/_health\">health</a>, \
         <a href=\"/_metrics\">metrics</a>.</p></html>\n"
    );
    text(StatusCode::OK, "text/html; charset=utf-8", html)
}
