//! Who may do what: AWS's evaluation rules as a table.

use super::*;
use crate::Kind;

const ME: &str = "000000000000";
const OTHER: &str = "111111111111";
const GREET: &str = "arn:aws:lambda:us-east-1:000000000000:function:greet";
const ROLE: &str = "arn:aws:iam::000000000000:role/r";
const SESSION: &str = "arn:aws:sts::000000000000:assumed-role/r/s";
const INVOKE: &str = "lambda:InvokeFunction";

fn session() -> Caller<'static> {
    Caller { arn: SESSION, account: ME, kind: CallerKind::Session { role: ROLE } }
}

fn root() -> Caller<'static> {
    Caller { arn: "arn:aws:iam::000000000000:root", account: ME, kind: CallerKind::Root }
}

fn stranger() -> Caller<'static> {
    let role = "arn:aws:iam::111111111111:role/r";
    Caller { arn: "arn:aws:sts::111111111111:assumed-role/r/s", account: OTHER, kind: CallerKind::Session { role } }
}

fn service() -> Caller<'static> {
    Caller { arn: "events.amazonaws.com", account: "", kind: CallerKind::Service }
}

fn anonymous() -> Caller<'static> {
    Caller { arn: "anonymous", account: "", kind: CallerKind::Anonymous }
}

fn identity(statements: &str) -> Arc<Policy> {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    Arc::new(Policy::parse(&text, Kind::Identity).expect(statements))
}

fn resource(statements: &str) -> Policy {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    Policy::parse(&text, Kind::Resource).expect(statements)
}

/// The refusal's ending, or what allowed.
fn outcome(caller: Caller<'_>, identity_says: &str, resource_says: Option<&str>) -> String {
    let attached: Vec<Arc<Policy>> = match identity_says {
        "" => Vec::new(),
        text => vec![identity(text)],
    };
    let own = resource_says.map(resource);
    let policies = Policies {
        identity: &attached,
        resource: own.as_ref().map_or(ResourcePolicy::Absent, ResourcePolicy::Grants),
        ..Policies::default()
    };
    let context = Context::new().with("aws:SourceIp", "10.1.2.3");
    let request = Request { caller, action: INVOKE, resource: GREET, owner: ME, context };
    told(&policies.decide(&request), &request)
}

fn told(decision: &Decision<'_>, request: &Request<'_>) -> String {
    match decision {
        Decision::Allowed { by, sid } => format!("{by:?} {}", sid.unwrap_or("-")),
        Decision::Denied(denial) => {
            let text = denial.message(request);
            let start =
                format!("User: {} is not authorized to perform: {INVOKE} on resource: {GREET} ", request.caller.arn);
            text.strip_prefix(&start).expect("begins as AWS's").to_owned()
        }
    }
}

const NO_IDENTITY: &str = "because no identity-based policy allows the lambda:InvokeFunction action";
const NO_RESOURCE: &str = "because no resource-based policy allows the lambda:InvokeFunction action";
const DENY_IDENTITY: &str = "with an explicit deny in an identity-based policy";
const DENY_RESOURCE: &str = "with an explicit deny in a resource-based policy";

#[test]
fn identity_policies_decide_where_the_resource_has_none() {
    for (statements, expected) in [
        ("", NO_IDENTITY),
        (r#"{"Sid":"A","Effect":"Allow","Action":"lambda:*","Resource":"*"}"#, "Identity A"),
        (r#"{"Effect":"Allow","Action":"LAMBDA:invokefunction","Resource":"*"}"#, "Identity -"),
        (r#"{"Effect":"Allow","Action":"lambda:Get*","Resource":"*"}"#, NO_IDENTITY),
        (r#"{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}"#, "Identity -"),
        (r#"{"Effect":"Allow","NotAction":"lambda:*","Resource":"*"}"#, NO_IDENTITY),
        (r#"{"Effect":"Allow","Action":"*","Resource":"arn:aws:lambda:*:*:function:greet"}"#, "Identity -"),
        (r#"{"Effect":"Allow","Action":"*","Resource":"arn:aws:lambda:*:*:function:other"}"#, NO_IDENTITY),
        (r#"{"Effect":"Allow","Action":"*","NotResource":"arn:aws:lambda:*:*:function:greet"}"#, NO_IDENTITY),
        (
            r#"{"Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"D","Effect":"Deny","Action":"lambda:Invoke*","Resource":"*"}"#,
            DENY_IDENTITY,
        ),
        (
            r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}"#,
            "Identity -",
        ),
        (
            r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"11.0.0.0/8"}}}"#,
            NO_IDENTITY,
        ),
        (
            r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},
                "StringEquals":{"aws:PrincipalTag/team":"a"}}}"#,
            NO_IDENTITY,
        ),
    ] {
        assert_eq!(outcome(session(), statements, None), expected, "{statements}");
    }
}

#[test]
fn resource_policies_allow_by_name_and_leave_the_account_to_itself() {
    let allow =
        |principal: &str| format!(r#"{{"Sid":"R","Effect":"Allow","Principal":{principal},"Action":"lambda:*"}}"#);
    let deny = |principal: &str| format!(r#"{{"Effect":"Deny",{principal},"Action":"lambda:*"}}"#);
    let all = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
    for (caller, identity_says, resource_says, expected) in [
        (session(), "", allow(r#""*""#), "Resource R"),
        (session(), "", allow(&format!(r#"{{"AWS":"{ROLE}"}}"#)), "Resource R"),
        (session(), "", allow(&format!(r#"{{"AWS":"{SESSION}"}}"#)), "Resource R"),
        (session(), "", allow(r#"{"AWS":"000000000000"}"#), NO_IDENTITY),
        (session(), all, allow(r#"{"AWS":"111111111111"}"#), "Identity -"),
        (session(), all, deny(r#""Principal":"*""#), DENY_RESOURCE),
        (session(), all, deny(r#""Principal":{"AWS":"000000000000"}"#), DENY_RESOURCE),
        (session(), all, deny(&format!(r#""NotPrincipal":{{"AWS":"{ROLE}"}}"#)), "Identity -"),
        (session(), all, deny(r#""NotPrincipal":{"AWS":"111111111111"}"#), DENY_RESOURCE),
        (stranger(), all, allow(r#"{"AWS":"000000000000"}"#), NO_RESOURCE),
        (stranger(), all, allow(r#"{"AWS":"111111111111"}"#), "Identity -"),
        (stranger(), "", allow(r#"{"AWS":"111111111111"}"#), NO_IDENTITY),
        (stranger(), all, allow(r#""*""#), "Identity -"),
        (service(), "", allow(r#"{"Service":"events.amazonaws.com"}"#), "Resource R"),
        (service(), "", allow(r#"{"Service":"s3.amazonaws.com"}"#), NO_RESOURCE),
        (anonymous(), "", allow(r#""*""#), "Resource R"),
        (anonymous(), "", allow(r#"{"AWS":"000000000000"}"#), NO_RESOURCE),
        (root(), "", allow(r#"{"AWS":"111111111111"}"#), "Ownership -"),
        (root(), "", deny(r#""Principal":"*""#), DENY_RESOURCE),
    ] {
        assert_eq!(outcome(caller, identity_says, Some(&resource_says)), expected, "{caller:?} {resource_says}");
    }
    assert_eq!(outcome(anonymous(), "", None), NO_RESOURCE);
    assert_eq!(outcome(root(), "", None), "Ownership -");
}

#[test]
fn boundaries_and_session_policies_limit() {
    let all = identity(r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#);
    let reads = identity(r#"{"Effect":"Allow","Action":"lambda:Get*","Resource":"*"}"#);
    let denies = identity(r#"{"Effect":"Deny","Action":"lambda:Invoke*","Resource":"*"}"#);
    let to_role = resource(&format!(r#"{{"Effect":"Allow","Principal":{{"AWS":"{ROLE}"}},"Action":"*"}}"#));
    let to_session = resource(&format!(r#"{{"Effect":"Allow","Principal":{{"AWS":"{SESSION}"}},"Action":"*"}}"#));
    let check = |boundary: Option<&Policy>, narrowed: Option<&Arc<Policy>>, own: ResourcePolicy<'_>, expected: &str| {
        let attached = [Arc::clone(&all)];
        let narrowed = narrowed.map(|policy| vec![Arc::clone(policy)]);
        let policies = Policies { identity: &attached, boundary, session: narrowed.as_deref(), resource: own };
        let request =
            Request { caller: session(), action: INVOKE, resource: GREET, owner: ME, context: Context::new() };
        assert_eq!(told(&policies.decide(&request), &request), expected);
    };
    let absent = ResourcePolicy::Absent;
    check(Some(&all), Some(&all), absent, "Identity -");
    check(Some(&reads), None, absent, "because no permissions boundary allows the lambda:InvokeFunction action");
    check(None, Some(&reads), absent, "because no session policy allows the lambda:InvokeFunction action");
    check(Some(&denies), None, absent, "with an explicit deny in a permissions boundary");
    check(None, Some(&denies), absent, "with an explicit deny in a session policy");
    let boundary_missing = "because no permissions boundary allows the lambda:InvokeFunction action";
    check(Some(&reads), None, ResourcePolicy::Grants(&to_role), boundary_missing);
    check(Some(&reads), None, ResourcePolicy::Grants(&to_session), "Resource -");
}

#[test]
fn a_required_resource_policy_must_allow() {
    let all = [identity(r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#)];
    let check = |caller: Caller<'_>, statement: &str, expected: &str| {
        let own = resource(statement);
        let policies = Policies { identity: &all, resource: ResourcePolicy::Required(&own), ..Policies::default() };
        let request = Request { caller, action: INVOKE, resource: GREET, owner: ME, context: Context::new() };
        assert_eq!(told(&policies.decide(&request), &request), expected, "{statement}");
    };
    let to = |principal: &str| format!(r#"{{"Effect":"Allow","Principal":{principal},"Action":"*"}}"#);
    check(session(), &to(r#"{"Service":"events.amazonaws.com"}"#), NO_RESOURCE);
    check(session(), &to(r#"{"AWS":"000000000000"}"#), "Identity -");
    check(root(), &to(r#"{"Service":"events.amazonaws.com"}"#), NO_RESOURCE);
    check(root(), &to(r#"{"AWS":"000000000000"}"#), "Resource -");
}

#[test]
fn policies_are_taken_apart_and_joined() {
    let allow = r#"{"Effect":"Allow","Principal":"*","Action":"lambda:*","Resource":"*"}"#;
    let deny = r#"{"Effect":"Deny","Principal":"*","Action":"lambda:*","Resource":"*","Condition":{"Bool":{"AWS:SecureTransport":"false"}}}"#;
    let both = resource(&format!("{allow},{deny}"));
    assert_eq!(both.denials(), resource(deny));
    assert_eq!(resource(allow).joined(&resource(deny)), both);
    for (key, expected) in [("aws:secure", true), ("aws:SecureTransport", true), ("aws:SecureTransports", false)] {
        assert_eq!(both.mentions(key), expected, "{key}");
    }
    assert!(!both.denials().joined(&resource(allow)).is_empty() && resource(allow).denials().is_empty());
}
