//! A bucket as a website: pages at their keys, an index for each folder, an error document, redirections.
//!
//! What always holds: a site is read and never written; who asks is nobody, whatever they sign, so that a page is seen by whom the
//! bucket's policy lets everybody be (in open mode, at the node's own address, by all); what goes wrong is told in a page, with the
//! status that it has.

mod pages;
mod rules;

use bytes::Bytes;
use contract::{Call, Fault, Principal};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, LOCATION};
use http::{HeaderMap, Method, Response, StatusCode, request};
use wire::server::read_object_input;
use wire::{OperationModel, Protocol, Route, s3};

use self::rules::{Here, Move};
use super::proof::Proof;
use super::{Target, WAIT_MAX, answer, body::bad, unreadable, worded};
use crate::auth::Mode;
use crate::listen::Face;
use crate::mount::Visit;
use crate::serve::set;
use crate::{Body, Door, body as bodies, status};

const REDIRECT: HeaderName = HeaderName::from_static("x-amz-website-redirect-location");
const ERROR_CODE: HeaderName = HeaderName::from_static("x-amz-error-code");
const ERROR_MESSAGE: HeaderName = HeaderName::from_static("x-amz-error-message");
const ERROR_KEY: HeaderName = HeaderName::from_static("x-amz-error-detail-key");

/// One request to a site.
struct Visitor<'a> {
    door: &'a Door,
    parts: &'a request::Parts,
    call: Call,
    bucket: &'a str,
    id: String,
}

impl Door {
    /// Answers a request to a site.
    pub(super) async fn site(
        &self,
        parts: &request::Parts,
        visit: &Visit,
        target: &Target,
        face: Face,
    ) -> Response<Body> {
        let principal = match (&self.parts().mode, face) {
            (Mode::Open, Face::Whole) => Principal::Open { access_key: None },
            // Strangers see what everybody may, although nobody else is asked who they are.
            (Mode::Open, Face::Public) | (Mode::Verified(_), _) => Principal::Anonymous,
        };
        let proof = Proof::of_visitor(principal, &parts.headers);
        let call = self.object_call(visit, &proof, WAIT_MAX);
        let bucket = target.bucket.as_deref().unwrap_or_default();
        let visitor = Visitor { door: self, parts, call, bucket, id: visit.request_id.to_string() };
        let here = Here::read(&visit.base_url);
        let mut response = match visitor.configuration().await {
            Ok(site) => visitor.answer(&site, target.key.as_deref().unwrap_or_default(), here).await,
            Err(fault) => visitor.page(&fault, None),
        };
        if parts.method == Method::HEAD {
            *response.body_mut() = bodies::whole(Bytes::new());
        }
        response
    }
}

impl Visitor<'_> {
    /// How the bucket is a site. Not asked in the visitor's name, who may not ask for it.
    async fn configuration(&self) -> Result<s3::GetBucketWebsiteOutput, Fault> {
        if !matches!(self.parts.method, Method::GET | Method::HEAD) {
            let fault = bad(405, "MethodNotAllowed", "The specified method is not allowed against this resource.");
            return Err(fault
                .with("Method", self.parts.method.as_str())
                .with("ResourceType", "OBJECT")
                .with("allow", "HEAD, GET, OPTIONS"));
        }
        let mut call = self.call.clone();
        call.principal = Principal::Root;
        let input =
            s3::GetBucketWebsiteRequest { bucket: self.bucket.to_owned(), ..s3::GetBucketWebsiteRequest::default() };
        self.door.parts().dispatch.call::<s3::GetBucketWebsite>(&call, input).await
    }

    async fn answer(&self, site: &s3::GetBucketWebsiteOutput, key: &str, here: Here<'_>) -> Response<Body> {
        if let Some(all) = &site.redirect_all_requests_to {
            return moved(&rules::all(all, key, self.parts.uri.query(), here));
        }
        let routes = site.routing_rules.as_deref().unwrap_or_default();
        if let Some(there) = rules::before(routes, key, here) {
            return moved(&there);
        }
        let index = site.index_document.as_ref().map_or("index.html", |index| index.suffix.as_str());
        let shown = if key.is_empty() || key.ends_with('/') { format!("{key}{index}") } else { key.to_owned() };
        let fault = match self.fetch(&shown, &self.parts.headers, &self.parts.method).await {
            Ok(response) => return redirected(response),
            Err(fault) => fault,
        };
        let number = status::of(&fault, Protocol::RestXml);
        if number == 304 {
            let mut response = Response::new(bodies::whole(Bytes::new()));
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        // A folder without its slash, if there is one.
        if shown == key && !key.starts_with('/') && matches!(number, 403 | 404) {
            let index = format!("{key}/{index}");
            if self.fetch(&index, &HeaderMap::new(), &Method::HEAD).await.is_ok() {
                return moved(&Move { status: StatusCode::FOUND, location: format!("/{}/", rules::escaped(key)) });
            }
        }
        if let Some(there) = rules::after(routes, key, number, here) {
            return moved(&there);
        }
        self.error(site, &fault, number).await
    }

    /// The site's own page for what went wrong, or ours.
    async fn error(&self, site: &s3::GetBucketWebsiteOutput, fault: &Fault, number: u16) -> Response<Body> {
        let Some(document) = site.error_document.as_ref().filter(|_| (400..500).contains(&number)) else {
            return self.page(fault, None);
        };
        match self.fetch(&document.key, &HeaderMap::new(), &Method::GET).await {
            Ok(mut response) => {
                *response.status_mut() = StatusCode::from_u16(number).unwrap_or(StatusCode::NOT_FOUND);
                tell(fault, response.headers_mut());
                response
            }
            Err(second) => self.page(fault, Some(&second)),
        }
    }

    /// The object of that key, in the visitor's name.
    async fn fetch(&self, key: &str, headers: &HeaderMap, method: &Method) -> Result<Response<Body>, Fault> {
        let operation = operation(method);
        let route = Route { service: &s3::SERVICE, operation, protocol: Protocol::RestXml };
        let body = Bytes::new();
        let request = wire::Request { method, path: self.parts.uri.path(), query: "", headers, body: &body };
        let fill = |shape: &mut dyn wire::Shape| {
            let labels = [("Bucket", self.bucket.to_owned()), ("Key", key.to_owned())].into_iter().collect();
            read_object_input(shape, route, &request, labels, None).map_err(|why| unreadable(&why, &body))
        };
        let answered = self.door.parts().dispatch.call_wire(operation.id, &self.call, fill).await;
        let named = |fault: Fault| {
            let target = Target { bucket: Some(self.bucket.to_owned()), key: Some(key.to_owned()), site: true };
            let fault = worded(fault, &target);
            if fault.members.iter().any(|(name, _)| *name == "Key") { fault } else { fault.with("Key", key) }
        };
        answered.map(|output| answer(operation, &*output, &self.id)).map_err(named)
    }

    /// What S3 says where nobody else has said what to say.
    fn page(&self, fault: &Fault, second: Option<&Fault>) -> Response<Body> {
        let number = status::of(fault, Protocol::RestXml);
        let status = StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let ids = [("RequestId", self.id.clone()), ("HostId", wire::server::host_id(&self.id))];
        let mut response = Response::new(bodies::whole(pages::error(status, fault, &ids, second)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        set(headers, CONTENT_TYPE, "text/html; charset=utf-8");
        if let Some((_, allow)) = fault.members.iter().find(|(name, _)| *name == "allow") {
            set(headers, http::header::ALLOW, allow.as_str().unwrap_or_default());
        }
        tell(fault, headers);
        response
    }
}

fn operation(method: &Method) -> &'static OperationModel {
    let name = if method == Method::HEAD { "HeadObject" } else { "GetObject" };
    s3::SERVICE.operation(name).expect("the model of S3 has it")
}

/// What went wrong, for programs.
fn tell(fault: &Fault, headers: &mut HeaderMap) {
    set(headers, ERROR_CODE, &fault.code);
    set(headers, ERROR_MESSAGE, &fault.message);
    let key = fault.members.iter().find(|(name, _)| *name == "Key").and_then(|(_, key)| key.as_str());
    // A key may have letters that a header has not.
    if let Some(key) = key.filter(|key| key.bytes().all(|byte| byte.is_ascii_graphic())) {
        set(headers, ERROR_KEY, key);
    }
}

/// An object may say that its page is somewhere else.
fn redirected(response: Response<Body>) -> Response<Body> {
    let location = response.headers().get(REDIRECT).and_then(|value| value.to_str().ok()).map(str::to_owned);
    match location {
        Some(location) => moved(&Move { status: StatusCode::MOVED_PERMANENTLY, location }),
        None => response,
    }
}

fn moved(there: &Move) -> Response<Body> {
    let mut response = Response::new(bodies::whole(Bytes::new()));
    *response.status_mut() = there.status;
    let headers = response.headers_mut();
    set(headers, LOCATION, &there.location);
    set(headers, CONTENT_LENGTH, "0");
    response
}
