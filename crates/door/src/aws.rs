//! A request for an AWS operation: found, proven, read, called, written.

use std::time::Duration;

use bytes::Bytes;
use contract::{AccountId, Call, Cause, Effect, Fault, Principal, Region};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{Response, request};
use signature::{Claim, Family, Payload, Refusal};
use wire::{Protocol, Route, Routed, Service, Shape};

use crate::auth::{self, Claimed, Mode};
use crate::limits::{BODY_BYTES_MAX, body_bytes_max};
use crate::mount::Visit;
use crate::serve::{body_fault, retry_after};
use crate::{Body, Door, RequestBody, body, status};

/// How long a caller waits for what does not run code.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How long for what does: the longest that a function may take, and some time to start.
const RUN_WAIT_MAX: Duration = Duration::from_secs(960);

/// What a request says of itself.
struct Asked {
    claimed: Claimed,
    /// The service that it means by that.
    scope: Option<String>,
}

/// How an answer is to be written, once that is known.
struct Spoken {
    service: Option<&'static Service>,
    protocol: Protocol,
}

impl Door {
    pub(crate) async fn aws(&self, parts: request::Parts, body: RequestBody, visit: Visit) -> Response<Body> {
        let id = visit.request_id.to_string();
        let claimed = Claim::read(&auth::head(&parts, visit.host()));
        let asked = Asked { scope: claimed_service(&claimed, visit.host()), claimed };
        let mut spoken = Spoken { service: None, protocol: guessed_protocol(&parts, asked.scope.as_deref()) };
        let answered = self.operate(&parts, body, visit, asked, &mut spoken).await;
        let response = match answered {
            Ok((route, output)) => {
                let response = wire::server::write_output(route, &*output, &id);
                return match wire::server::output_stream(&*output) {
                    Some(payload) => response.map(|_| body::streamed(&payload)),
                    None => response.map(body::whole),
                };
            }
            Err(fault) => {
                let Spoken { service, protocol } = spoken;
                let mut fault = renamed(fault, protocol);
                let retry_after = retry_after(&fault);
                // Said in a header, whichever protocol is spoken.
                fault.members.retain(|(name, _)| *name != "Retry-After");
                let number = status::of(&fault, protocol);
                let mut response = wire::server::write_fault(service, protocol, &fault, number, &id);
                if let Some(value) = retry_after {
                    response.headers_mut().insert(RETRY_AFTER, value);
                }
                response
            }
        };
        response.map(body::whole)
    }

    async fn operate(
        &self,
        parts: &request::Parts,
        body: RequestBody,
        visit: Visit,
        asked: Asked,
        spoken: &mut Spoken,
    ) -> Result<(Route, Box<dyn Shape>), Fault> {
        let Asked { claimed, scope } = asked;
        let head = auth::head(parts, visit.host());
        // By the head alone where that suffices, so that limits are known, and strangers refused, before the body is read.
        let nothing = Bytes::new();
        let early = self.router().route(&request(parts, &nothing), scope.as_deref());
        let limit = match early {
            Routed::Served(route) | Routed::Unserved(route) => {
                spoken.know(route);
                body_bytes_max(route.operation.id)
            }
            Routed::Unknown(service, protocol) => {
                if service.is_some() {
                    (spoken.service, spoken.protocol) = (service, protocol);
                }
                BODY_BYTES_MAX
            }
        };
        let pending = auth::begin(&self.parts().mode, claimed, &self.parts().clock, spoken.family()).await?;
        let name = spoken.operation_name(&early);
        let bytes = body.read(limit).await.map_err(|error| body_fault(error, name))?;
        let routed = match early {
            Routed::Unknown(..) => self.router().route(&request(parts, &bytes), scope.as_deref()),
            Routed::Served(_) | Routed::Unserved(_) => early,
        };
        let region = region_of(pending.claim(), visit.host());
        let route = match routed {
            Routed::Served(route) | Routed::Unserved(route) => {
                spoken.know(route);
                route
            }
            Routed::Unknown(service, protocol) => {
                spoken.service = service.or(spoken.service);
                // The router says this one of everything that it cannot place; the guess is better.
                if service.is_some() || protocol != Protocol::RestJson {
                    spoken.protocol = protocol;
                }
                return Err(unknown(service, spoken.protocol, scope.as_deref(), parts));
            }
        };
        let principal = pending.finish(&head, Payload::Bytes(&bytes), spoken.family())?;
        self.check_scope(scope.as_deref(), route, spoken)?;
        if let Routed::Unserved(route) = routed {
            return Err(Fault::unserved(route.service.name, route.operation.id.name));
        }
        let call = self.call(&visit, principal, region, route);
        let request = request(parts, &bytes);
        let fill = |shape: &mut dyn Shape| wire::server::read_input_into(shape, route, &request);
        let output = self.parts().dispatch.call_wire(route.operation.id, &call, fill).await?;
        Ok((route, output))
    }

    /// A signature is good for one service.
    fn check_scope(&self, scope: Option<&str>, route: Route, spoken: &Spoken) -> Result<(), Fault> {
        let wanted = route.service.signing_name;
        match (&self.parts().mode, scope) {
            (Mode::Verified(_), Some(scope)) if scope != wanted => {
                let message = format!("Credential should be scoped to correct service: '{wanted}'. ");
                Err(Refusal::Invalid(message).fault(spoken.family()))
            }
            (Mode::Open | Mode::Verified(_), _) => Ok(()),
        }
    }

    fn call(&self, visit: &Visit, principal: Principal, region: Region, route: Route) -> Call {
        let known = self.parts().dispatch.known(route.operation.id);
        let wait = match known.map(|known| known.effect) {
            Some(Effect::Run) => RUN_WAIT_MAX,
            Some(Effect::Read | Effect::Write) | None => WAIT_MAX,
        };
        Call {
            id: visit.request_id,
            principal,
            account: AccountId::ONLY,
            region,
            deadline: self.parts().clock.elapsed() + wait,
            trace: visit.trace,
            hops: visit.trace.hops(),
            origin: visit.origin(),
        }
    }
}

impl Spoken {
    fn know(&mut self, route: Route) {
        (self.service, self.protocol) = (Some(route.service), route.protocol);
    }

    fn family(&self) -> Family {
        match self.protocol {
            Protocol::RestJson | Protocol::Json10 | Protocol::Json11 | Protocol::Cbor => Family::Json,
            Protocol::RestXml | Protocol::Query | Protocol::Ec2 => Family::Xml,
        }
    }

    fn operation_name(&self, routed: &Routed) -> &'static str {
        match routed {
            // AWS names this one by the API's older name.
            Routed::Served(route) | Routed::Unserved(route) if route.operation.id.name == "Invoke" => "InvokeFunction",
            Routed::Served(route) | Routed::Unserved(route) => route.operation.id.name,
            Routed::Unknown(..) => self.service.map_or("requested", |service| service.name),
        }
    }
}

fn request<'a>(parts: &'a request::Parts, body: &'a Bytes) -> wire::Request<'a> {
    wire::Request {
        method: &parts.method,
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body,
    }
}

/// The service in the signature's scope, whether it is true or not; else the one that the host names, as clients without
/// credentials leave no other trace.
fn claimed_service(claimed: &Claimed, host: &str) -> Option<String> {
    if let Ok(Some(claim)) = claimed {
        return Some(claim.scope.service.clone());
    }
    let (first, _) = host.split_once('.')?;
    let service = wire::SERVICES.iter().find(|service| service.endpoint_prefix == first)?;
    Some(service.signing_name.to_owned())
}

/// The region in the scope; else the one in the host (`lambda.eu-central-1.localhost`).
fn region_of(claim: Option<&Claim>, host: &str) -> Region {
    if let Some(region) = claim.and_then(|claim| Region::parse(&claim.scope.region)) {
        return region;
    }
    let named = host.split('.').nth(1).filter(|label| label.split('-').count() >= 3);
    named.and_then(Region::parse).unwrap_or_else(Region::default_one)
}

fn is_form(parts: &request::Parts) -> bool {
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"))
}

/// What a client that was not understood will most likely understand.
fn guessed_protocol(parts: &request::Parts, scope: Option<&str>) -> Protocol {
    const SPEAK_XML: [&str; 3] = ["s3", "cloudfront", "route53"];
    match scope {
        _ if parts.headers.contains_key("x-amz-target") => Protocol::Json11,
        _ if is_form(parts) => Protocol::Query,
        Some(scope) if SPEAK_XML.contains(&scope) => Protocol::RestXml,
        Some(_) | None => Protocol::RestJson,
    }
}

/// Query's and XML's names for what the others call exceptions.
fn renamed(mut fault: Fault, protocol: Protocol) -> Fault {
    let short = match (protocol, fault.code.as_str()) {
        (Protocol::Query | Protocol::Ec2 | Protocol::RestXml, "AccessDeniedException") => "AccessDenied",
        (Protocol::Query | Protocol::Ec2 | Protocol::RestXml, "ThrottlingException") => "Throttling",
        _ => return fault,
    };
    short.clone_into(&mut fault.code);
    fault
}

/// What AWS says of an operation that no model has; and what we say of services that it has and this node has not.
fn unknown(
    service: Option<&'static Service>,
    protocol: Protocol,
    scope: Option<&str>,
    parts: &request::Parts,
) -> Fault {
    let (method, path) = (&parts.method, parts.uri.path());
    let fault = |cause, code, status, message| Fault { status: Some(status), ..Fault::new(cause, code, message) };
    match (service, scope, protocol) {
        (None, Some(scope), _) if !wire::SERVICES.iter().any(|known| known.signing_name == scope) => {
            let name: String = scope.chars().take(64).collect();
            let message = format!("Freehold does not serve the service {name} yet.");
            Fault::new(Cause::Unserved, "NotImplementedException", message)
        }
        (_, _, Protocol::Json10 | Protocol::Json11 | Protocol::Cbor) => {
            let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or(path);
            let message = format!("There is no operation {target}.");
            fault(Cause::NotFound, "UnknownOperationException", 400, message)
        }
        (_, _, Protocol::Query | Protocol::Ec2) => {
            let message = "The action or version of this request is not valid for this web service.";
            fault(Cause::NotFound, "InvalidAction", 400, message.into())
        }
        (Some(_), _, Protocol::RestJson | Protocol::RestXml) => {
            let message = "Unable to determine service/operation name to be authorized";
            fault(Cause::Denied, "AccessDeniedException", 403, message.into())
        }
        (None, _, Protocol::RestJson | Protocol::RestXml) => {
            let path: String = path.chars().take(128).collect();
            let message = format!(
                "{method} {path} is no operation of a service that Freehold serves. Requests from AWS's tools say which they \
                 mean by their signature; functions' URLs are at /_fn/NAME/."
            );
            Fault::new(Cause::NotFound, "UnknownOperationException", message)
        }
    }
}
