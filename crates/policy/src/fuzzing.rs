//! What fuzzers do with bytes: plain functions, so that tests can call them too.

use std::sync::Arc;

use crate::{Caller, CallerKind, Context, Kind, Policies, Policy, Request, ResourcePolicy};

/// Reads a document of each kind, and asks whatever was read. An unconditional allow of nothing may not come out of bytes that
/// are no policy; deciding twice decides the same.
pub fn document(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let read = |kind| Policy::parse(text, kind).ok().map(Arc::new);
    let (identity, resource) = (read(Kind::Identity), read(Kind::Resource));
    let attached: Vec<Arc<Policy>> = identity.into_iter().chain(read(Kind::Trust)).collect();
    let role = "arn:aws:iam::000000000000:role/r";
    let request = Request {
        caller: Caller {
            arn: "arn:aws:sts::000000000000:assumed-role/r/s",
            account: "000000000000",
            kind: CallerKind::Session { role },
        },
        action: "lambda:InvokeFunction",
        resource: "arn:aws:lambda:us-east-1:000000000000:function:greet",
        owner: "000000000000",
        context: Context::new().with("aws:username", "ada").with("aws:SourceIp", "10.0.0.1"),
    };
    let policies = Policies {
        identity: &attached,
        resource: resource.as_deref().map_or(ResourcePolicy::Absent, ResourcePolicy::Grants),
        ..Policies::default()
    };
    let decision = policies.decide(&request);
    assert_eq!(decision, policies.decide(&request));
    assert!(!decision.is_allowed() || !attached.is_empty() || resource.is_some());
}
