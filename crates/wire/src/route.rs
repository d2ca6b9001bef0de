//! Which operation a request means: by its target, its action, or its method and path.

mod objects;
mod paths;

use bytes::Bytes;
use http::{HeaderMap, Method, header};

pub use self::objects::{Subject, object_operation};
use self::paths::Paths;
use crate::{OperationModel, Protocol, Service, uri};

/// A request, as far as the wire is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path as it was sent, with its escapes.
    pub path: &'a str,
    /// The query string as it was sent, without the question mark.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The whole body.
    pub body: &'a Bytes,
}

/// An operation, and the protocol in which it was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The service.
    pub service: &'static Service,
    /// The operation.
    pub operation: &'static OperationModel,
    /// The protocol.
    pub protocol: Protocol,
}

/// What a request means.
#[derive(Clone, Copy, Debug)]
pub enum Routed {
    /// An operation that is served.
    Served(Route),
    /// An operation that the service has and this node does not serve.
    Unserved(Route),
    /// No operation that any model knows; the service, where at least that is clear, and the protocol that was spoken.
    Unknown(Option<&'static Service>, Protocol),
}

/// Finds operations. Made once, at start.
#[derive(Debug)]
pub struct Router {
    services: Vec<(&'static Service, Paths)>,
}

impl Router {
    /// Routes to these services.
    pub fn new(services: &[&'static Service]) -> Self {
        // What S3's paths say, only the door can tell: see [`object_operation`].
        let paths =
            |service: &'static Service| if service.name == "s3" { Paths::default() } else { Paths::new(service) };
        Self { services: services.iter().map(|service| (*service, paths(service))).collect() }
    }

    /// What the request means. `signing_name` is the service in the signature's scope, where there is a signature: then no
    /// other service is considered.
    pub fn route(&self, request: &Request<'_>, signing_name: Option<&str>) -> Routed {
        let meant = |service: &Service| signing_name.is_none_or(|name| service.signing_name == name);
        let candidates = || self.services.iter().filter(|(service, _)| meant(service));
        if let Some((prefix, name)) = rpc_path(request) {
            let service = candidates().map(|(service, _)| *service).find(|service| service.target_prefix == prefix);
            return named(service, Protocol::Cbor, name);
        }
        if let Some(target) = request.headers.get("x-amz-target") {
            let target = target.to_str().unwrap_or_default();
            let (prefix, name) = target.rsplit_once('.').unwrap_or((target, ""));
            let service = candidates().map(|(service, _)| *service).find(|service| service.target_prefix == prefix);
            return named(service, json_version(request, service), name);
        }
        if let Some(action) = Action::of(request) {
            let mut speaking =
                candidates().map(|(service, _)| *service).filter(|service| query_kind(service).is_some());
            let service = speaking.find(|service| action.fits(service));
            return named(service, service.and_then(query_kind).unwrap_or(Protocol::Query), &action.name);
        }
        let mut by_path = candidates().filter_map(|(service, paths)| Some((service, paths.find(request)?)));
        if let Some((service, operation)) = by_path.next() {
            return finish(service, operation, rest_kind(service).unwrap_or(Protocol::RestJson));
        }
        let service = signing_name.and_then(|_| candidates().map(|(service, _)| *service).next());
        let protocol = service.map_or(Protocol::RestJson, crate::server::default_protocol);
        Routed::Unknown(service, protocol)
    }
}

fn finish(service: &'static Service, operation: &'static OperationModel, protocol: Protocol) -> Routed {
    let route = Route { service, operation, protocol };
    if operation.is_served() { Routed::Served(route) } else { Routed::Unserved(route) }
}

fn named(service: Option<&'static Service>, protocol: Protocol, name: &str) -> Routed {
    match service.and_then(|service| Some((service, service.operation(name)?))) {
        Some((service, operation)) => finish(service, operation, protocol),
        None => Routed::Unknown(service, protocol),
    }
}

/// `/service/NAME/operation/NAME` of a request that says that it speaks rpc-v2.
fn rpc_path<'a>(request: &Request<'a>) -> Option<(&'a str, &'a str)> {
    request.headers.get("smithy-protocol").filter(|value| value.as_bytes() == b"rpc-v2-cbor")?;
    // Something may stand before it, where a service hangs under a path.
    let (_, rest) = request.path.rsplit_once("/service/")?;
    rest.split_once("/operation/")
}

/// The JSON version that the request says it speaks; the service's own where it does not say.
fn json_version(request: &Request<'_>, service: Option<&Service>) -> Protocol {
    let content_type = content_type(request);
    if content_type.starts_with("application/x-amz-json-1.0") {
        return Protocol::Json10;
    }
    if content_type.starts_with("application/x-amz-json-1.1") {
        return Protocol::Json11;
    }
    let is_json = |protocol: &&Protocol| matches!(protocol, Protocol::Json10 | Protocol::Json11);
    service.and_then(|service| service.protocols.iter().find(is_json)).copied().unwrap_or(Protocol::Json11)
}

fn content_type<'a>(request: &Request<'a>) -> &'a str {
    request.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn query_kind(service: &Service) -> Option<Protocol> {
    service.protocols.iter().copied().find(|protocol| matches!(protocol, Protocol::Query | Protocol::Ec2))
}

fn rest_kind(service: &Service) -> Option<Protocol> {
    service.protocols.iter().copied().find(|protocol| matches!(protocol, Protocol::RestJson | Protocol::RestXml))
}

/// The action of a query protocol's request.
struct Action {
    name: String,
    version: Option<String>,
}

impl Action {
    /// From the form in the body, or from the query string.
    fn of(request: &Request<'_>) -> Option<Self> {
        let is_form = content_type(request).starts_with("application/x-www-form-urlencoded");
        let body = if is_form { std::str::from_utf8(request.body).unwrap_or_default() } else { "" };
        let pairs = || uri::pairs(body).chain(uri::pairs(request.query));
        let find = |wanted: &str| pairs().find(|(name, _)| name == wanted).map(|(_, value)| value);
        Some(Self { name: find("Action")?, version: find("Version") })
    }

    fn fits(&self, service: &Service) -> bool {
        match &self.version {
            Some(version) => service.api_version == version,
            None => service.operation(&self.name).is_some(),
        }
    }
}
