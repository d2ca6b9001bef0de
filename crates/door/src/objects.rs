//! Requests for S3: found by host, signature or path, proven, read, called, answered.
//!
//! They are AWS operations like all others, and take the same road through dispatch; apart from `aws` because S3 has its own ways:
//! buckets in hosts' names, callers without a name, bodies that are passed on while they come, browsers that are let in by a bucket's
//! own rules, faults without a wrapper.

mod body;
pub(crate) mod chunked;
mod cors;
pub(crate) mod form;
mod links;
mod proof;
mod site;
mod target;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contract::{AccountId, Call, Cause, Fault, Origin, Region};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode, Version, request};
use percent_encoding::percent_decode_str;
use signature::Claim;
use wire::route::{Subject, object_operation};
use wire::server::{ObjectInputError, read_object_input};
use wire::{OperationModel, Protocol, Route, Routed, Shape, s3};

pub(crate) use self::target::Target;

use self::body::bad;
use self::proof::Proof;
use crate::auth::Mode;
use crate::listen::Face;
use crate::mount::Visit;
use crate::serve::retry_after;
use crate::{Body, Door, RequestBody, auth, body as bodies, status};

/// How long a caller waits for what has no large body.
const WAIT_MAX: Duration = Duration::from_secs(120);
/// How long for what has: a client that goes on sending is not cut off for having much to send.
const TRANSFER_WAIT_MAX: Duration = Duration::from_secs(24 * 3600);

impl Door {
    /// What a request without a signature means that no other service understands: an object, by its path.
    pub(crate) fn left_to_objects(&self, parts: &request::Parts) -> Option<Target> {
        let target = Target::guessed(parts.uri.path())?;
        let head = auth::head(parts, "");
        // Other services take such forms, and by POST alone; some libraries call whatever they put one.
        let is_form = parts.method == Method::POST
            && parts
                .headers
                .get(CONTENT_TYPE)
                .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form"));
        if is_form || parts.headers.contains_key("x-amz-target") || !matches!(Claim::read(&head), Ok(None)) {
            return None;
        }
        let nothing = Bytes::new();
        let request = wire_request(parts, &nothing);
        matches!(self.router().route(&request, None), Routed::Unknown(None, Protocol::RestJson)).then_some(target)
    }

    /// Answers a request for S3.
    pub(crate) async fn objects(
        &self,
        parts: request::Parts,
        body: RequestBody,
        visit: Visit,
        target: Target,
        face: Face,
    ) -> Response<Body> {
        let id = visit.request_id.to_string();
        let is_empty = http_body::Body::is_end_stream(&body);
        let page = cors::Asked::read(&parts.method, &parts.headers);
        let rule = match (&page, &target.bucket) {
            (Some(page), Some(bucket)) => self.cors_rule(page, bucket, &visit).await,
            _ => None,
        };
        let answered = match (&page, &rule) {
            (Some(page), None) if page.preflight => Err(no_rule()),
            (Some(page), Some(_)) if page.preflight => Ok(Response::new(bodies::whole(Bytes::new()))),
            // A site is for everybody, from whichever page they come.
            _ => match self.check_visitor(&parts, &visit, rule.is_some() || target.site, face) {
                Ok(()) if target.site => Ok(Box::pin(self.site(&parts, &visit, &target, face)).await),
                Ok(()) => self.operate_on_objects(&parts, body, &visit, &target).await,
                Err(fault) => Err(fault),
            },
        };
        let refused = answered.is_err();
        let mut response = answered.unwrap_or_else(|fault| refusal(fault, &parts.method, &target, &id));
        let headers = response.headers_mut();
        // A client that waits to be told to send its body will not send it now; what it sends next must not be taken for it. Nor is
        // it told so where the body is empty, and then botocore reads the next answer on that connection wrongly.
        if (refused || is_empty)
            && parts.headers.contains_key(http::header::EXPECT)
            && parts.version <= Version::HTTP_11
        {
            crate::serve::set(headers, http::header::CONNECTION, "close");
        }
        match (page, rule) {
            (Some(page), Some(rule)) => page.tell(&rule, headers),
            _ => self.allow_origin(parts.headers.get(http::header::ORIGIN).cloned(), headers),
        }
        headers.remove(wire::server::REQUEST_ID);
        let ids =
            [("x-amz-request-id", id.as_str()), ("x-amz-id-2", &wire::server::host_id(&id)), ("server", "AmazonS3")];
        for (name, value) in ids {
            crate::serve::set(headers, HeaderName::from_static(name), value);
        }
        response
    }

    /// In open mode, whether this may be a web page's doing. Whom a bucket's own rules let in may come from anywhere, but must still
    /// know the node by a name of its own.
    fn check_visitor(&self, parts: &request::Parts, visit: &Visit, let_in: bool, face: Face) -> Result<(), Fault> {
        match (self.check_page(parts, visit.host()), &self.parts().mode) {
            // There everybody is a stranger, whatever name they know it by.
            (Err(_), Mode::Open) if face == Face::Public => Ok(()),
            (Err(_), Mode::Open) if let_in => {
                self.parts().guard.check(visit.host(), parts.uri.path(), &http::HeaderMap::new())
            }
            (checked, _) => checked,
        }
    }

    /// The rule of the bucket that lets a page in.
    async fn cors_rule(&self, page: &cors::Asked<'_>, bucket: &str, visit: &Visit) -> Option<s3::CORSRule> {
        let proof = Proof::of_node();
        let mut call = self.object_call(visit, &proof, WAIT_MAX);
        call.origin = Origin::Inside { part: "door", base_url: Arc::clone(&visit.base_url) };
        let input = s3::GetBucketCorsRequest { bucket: bucket.to_owned(), ..s3::GetBucketCorsRequest::default() };
        let rules = self.parts().dispatch.call::<s3::GetBucketCors>(&call, input).await.ok()?.cors_rules?;
        page.rule(&rules).cloned()
    }

    async fn operate_on_objects(
        &self,
        parts: &request::Parts,
        body: RequestBody,
        visit: &Visit,
        target: &Target,
    ) -> Result<Response<Body>, Fault> {
        check_path(parts.uri.path())?;
        let query = parts.uri.query().unwrap_or_default();
        let subject = match (&target.bucket, &target.key) {
            (None, _) => Subject::Service,
            (Some(_), None) => Subject::Bucket,
            (Some(_), Some(_)) => Subject::Object,
        };
        let linked = links::said(parts);
        let headers = &linked.as_ref().unwrap_or(parts).headers;
        let operation = object_operation(&parts.method, subject, query, headers);
        if operation.is_none() && parts.method == Method::POST && subject == Subject::Bucket {
            return Box::pin(self.post_form(parts, body, visit, target)).await;
        }
        let operation = operation.ok_or_else(|| not_allowed(&parts.method))?;
        let head = auth::head(parts, visit.host());
        let proof = proof::prove(&self.parts().mode, Claim::read(&head), &head, &self.parts().clock).await?;
        if !operation.is_served() {
            let message =
                format!("A header you provided implies functionality that is not implemented: {}.", operation.id.name);
            return Err(Fault { status: Some(501), ..Fault::new(Cause::Unserved, "NotImplemented", message) });
        }
        let parts = linked.as_ref().unwrap_or(parts);
        let output = self.call_object_operation(parts, body, visit, target, operation, &proof).await?;
        Ok(answer(operation, &*output, &visit.request_id.to_string()))
    }

    async fn call_object_operation(
        &self,
        parts: &request::Parts,
        body: RequestBody,
        visit: &Visit,
        target: &Target,
        operation: &'static OperationModel,
        proof: &Proof,
    ) -> Result<Box<dyn Shape>, Fault> {
        check_owner(&parts.headers)?;
        body::check_is_summed(operation.id.name, &parts.headers)?;
        let carries = matches!(operation.id.name, "PutObject" | "UploadPart");
        let (bytes, stream) = match carries {
            true => (Bytes::new(), Some(body::passed_on(&parts.headers, body, proof)?)),
            false => (body::held(&parts.headers, body, proof).await?, None),
        };
        let call = self.object_call(visit, proof, if carries { TRANSFER_WAIT_MAX } else { WAIT_MAX });
        let route = Route { service: &s3::SERVICE, operation, protocol: Protocol::RestXml };
        let request = wire_request(parts, &bytes);
        let fill = |shape: &mut dyn Shape| {
            let labels = [("Bucket", &target.bucket), ("Key", &target.key)];
            let labels = labels.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect();
            match read_object_input(shape, route, &request, labels, stream.clone()) {
                Err(why) if !is_told_in_other_words(&why, operation) => Err(unreadable(&why, &bytes)),
                _ => Ok(()),
            }
        };
        self.parts().dispatch.call_wire(operation.id, &call, fill).await
    }

    fn object_call(&self, visit: &Visit, proof: &Proof, wait: Duration) -> Call {
        let region = proof.claim.as_ref().and_then(|claim| Region::parse(&claim.scope.region));
        Call {
            id: visit.request_id,
            principal: proof.principal.clone(),
            account: AccountId::ONLY,
            region: region.unwrap_or_else(Region::default_one),
            deadline: self.parts().clock.elapsed() + wait,
            trace: visit.trace,
            hops: visit.trace.hops(),
            origin: match visit.origin() {
                Origin::Door { peer, base_url, user_agent, manner: _ } => {
                    Origin::Door { peer, base_url, user_agent, manner: proof.manner.clone() }
                }
                inside @ Origin::Inside { .. } => inside,
            },
        }
    }
}

/// Keys are UTF-8: were anything else made to be, several keys would be one.
fn check_path(path: &str) -> Result<(), Fault> {
    let decoded = percent_decode_str(path).decode_utf8();
    decoded.map(drop).map_err(|_| bad(400, "InvalidURI", "Couldn't parse the specified URI."))
}

/// Whose the buckets are, by which a caller makes sure that they are not somebody else's. They are all one account's.
fn check_owner(headers: &HeaderMap) -> Result<(), Fault> {
    for name in ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"] {
        let Some(said) = headers.get(name) else { continue };
        let is_account = said.len() == 12 && said.as_bytes().iter().all(u8::is_ascii_digit);
        if !is_account {
            let message = "The value of the expected bucket owner parameter must be an AWS account ID";
            return Err(bad(400, "InvalidBucketOwnerAWSAccountID", message));
        }
        if said.as_bytes() != AccountId::ONLY.to_string().as_bytes() {
            return Err(Fault { status: Some(403), ..Fault::new(Cause::Denied, "AccessDenied", "Access Denied") });
        }
    }
    Ok(())
}

fn wire_request<'a>(parts: &'a request::Parts, body: &'a Bytes) -> wire::Request<'a> {
    wire::Request {
        method: &parts.method,
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body,
    }
}

fn answer(operation: &'static OperationModel, output: &dyn Shape, id: &str) -> Response<Body> {
    let route = Route { service: &s3::SERVICE, operation, protocol: Protocol::RestXml };
    let mut response = wire::server::write_output(route, output, id);
    if operation.id.name == "GetBucketLocation" {
        // The one answer whose root is its only member.
        let location = wire::document::write(output);
        let location = location["LocationConstraint"].as_str().unwrap_or_default();
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint xmlns=\"{}\">{location}</LocationConstraint>",
            s3::SERVICE.xml_namespace
        );
        *response.body_mut() = text.into();
    }
    if response.headers().contains_key(http::header::CONTENT_RANGE) {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    match wire::server::output_stream(output) {
        Some(payload) => response.map(|_| bodies::streamed(&payload)),
        None => response.map(bodies::whole),
    }
}

fn refusal(fault: Fault, method: &Method, target: &Target, id: &str) -> Response<Body> {
    let mut fault = worded(fault, target);
    let retry_after = retry_after(&fault);
    fault.members.retain(|(name, _)| *name != "Retry-After");
    let number = status::of(&fault, Protocol::RestXml);
    // What is said in headers has their names, which are in lower case; elements' are not.
    let is_header = |name: &str| name.starts_with(|c: char| c.is_ascii_lowercase());
    let (headers, members) = std::mem::take(&mut fault.members).into_iter().partition(|(name, _)| is_header(name));
    fault.members = members;
    let headers: Vec<(&'static str, serde_json::Value)> = headers;
    let mut response = wire::server::write_fault(Some(&s3::SERVICE), Protocol::RestXml, &fault, number, id);
    if number == 304 || method == Method::HEAD {
        *response.body_mut() = Bytes::new();
        response.headers_mut().remove(CONTENT_TYPE);
    }
    for (name, value) in headers {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if let Ok(value) = HeaderValue::try_from(text) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    if let Some(value) = retry_after {
        response.headers_mut().insert(http::header::RETRY_AFTER, value);
    }
    response.map(bodies::whole)
}

/// S3's names and words for what the road says in the JSON services'.
fn worded(mut fault: Fault, target: &Target) -> Fault {
    let (code, status) = match fault.code.as_str() {
        "AccessDeniedException" => ("AccessDenied", Some(403)),
        "InternalFailure" => ("InternalError", Some(500)),
        "ThrottlingException" | "TooManyRequestsException" => ("SlowDown", Some(503)),
        "RequestTimeoutException" => ("RequestTimeout", Some(400)),
        "NotImplementedException" => ("NotImplemented", Some(501)),
        "ServiceUnavailableException" => ("ServiceUnavailable", Some(503)),
        _ => return fault,
    };
    if code == "AccessDenied" {
        fault.message = denied(&fault.message);
    }
    if let (Some(bucket), "SlowDown") = (&target.bucket, code) {
        fault = fault.with("BucketName", bucket.as_str());
    }
    code.clone_into(&mut fault.code);
    fault.status = status;
    fault
}

/// S3 tells people whom nobody knows nothing of why, and puts the resource in quotes for all others.
fn denied(message: &str) -> String {
    const OF: &str = " on resource: ";
    if message.is_empty() || message.starts_with("User: anonymous ") {
        return "Access Denied".into();
    }
    let end = message.rfind(" because no ").or_else(|| message.rfind(" with an explicit deny in a"));
    match (message.split_once(OF), end) {
        (Some((before, _)), Some(end)) if before.len() + OF.len() <= end => {
            format!("{before}{OF}\"{}\"{}", &message[before.len() + OF.len()..end], &message[end..])
        }
        _ => message.to_owned(),
    }
}

/// Whether all that is wrong is names of events, of which S3 says more than that a body breaks its rules; the operation itself does.
fn is_told_in_other_words(why: &ObjectInputError, operation: &OperationModel) -> bool {
    let ObjectInputError::Violated(violations) = why else { return false };
    operation.id.name == "PutBucketNotificationConfiguration" && violations.are_all_in("Events")
}

/// Words of S3's for input that cannot be read: it looks at a body as a whole, and at everything else one by one.
fn unreadable(why: &ObjectInputError, body: &Bytes) -> Fault {
    match body.iter().all(u8::is_ascii_whitespace) {
        true => bad(400, "InvalidArgument", &why.to_string()),
        false => {
            let message = "The XML you provided was not well-formed or did not validate against our published schema";
            bad(400, "MalformedXML", message)
        }
    }
}

fn no_rule() -> Fault {
    let message = "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request \
                   method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the \
                   resource's CORS spec.";
    Fault { status: Some(403), ..Fault::new(Cause::Denied, "AccessForbidden", message) }
}

fn not_allowed(method: &Method) -> Fault {
    bad(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        .with("Method", method.as_str())
        .with("ResourceType", "OBJECT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_whose_they_are_said_to_be() {
        for (said, expected) in [
            (None, None),
            (Some("000000000000"), None),
            (Some("111111111111"), Some("AccessDenied")),
            (Some("11111111111"), Some("InvalidBucketOwnerAWSAccountID")),
            (Some(""), Some("InvalidBucketOwnerAWSAccountID")),
        ] {
            for name in ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"] {
                let said = said.map(|said| (HeaderName::from_static(name), HeaderValue::from_static(said)));
                let refused = check_owner(&said.into_iter().collect()).err().map(|fault| fault.code);
                assert_eq!(refused.as_deref(), expected, "{name}");
            }
        }
    }

    #[test]
    fn refusals_are_in_words_of_their_own() {
        for (message, expected) in [
            ("User: anonymous is not authorized to perform: s3:GetObject on resource: x because no y", "Access Denied"),
            ("", "Access Denied"),
            (
                "User: a is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::b/k l because no p allows it",
                "User: a is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::b/k l\" because no p allows it",
            ),
            (
                "User: a is not authorized to perform: s3:X on resource: b with an explicit deny in a resource-based policy",
                "User: a is not authorized to perform: s3:X on resource: \"b\" with an explicit deny in a resource-based policy",
            ),
            (
                "Access Denied because object protected by object lock.",
                "Access Denied because object protected by object lock.",
            ),
        ] {
            assert_eq!(denied(message), expected);
        }
    }
}
