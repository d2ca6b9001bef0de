//! The road, with a toy service on it: what each step refuses, and what is accounted for.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use contract::{AccountId, Handle, Origin, Principal, Region, Trace};
use policy::{Kind as PolicyKind, Policy};
use serde_json::json;
use tokio::sync::{Notify, Semaphore};
use wire::logs::{
    CreateLogGroup, CreateLogGroupRequest, DeleteLogGroup, DeleteLogGroupRequest, DescribeLogGroups,
    DescribeLogGroupsRequest, DescribeLogGroupsResponse,
};
use wire::sts::{GetCallerIdentity, GetCallerIdentityRequest, GetCallerIdentityResponse};

use super::*;
use crate::{Attached, BoxFuture, Identity, Registry};

/// Creates groups by name; waits or panics when their name says so.
#[derive(Default)]
struct Groups {
    names: Mutex<Vec<String>>,
    entered: Notify,
    gate: Option<Semaphore>,
    described: AtomicUsize,
}

impl Groups {
    fn gated() -> Self {
        Self { gate: Some(Semaphore::new(0)), ..Self::default() }
    }

    async fn pass(&self) {
        self.entered.notify_one();
        if let Some(gate) = &self.gate {
            gate.acquire().await.expect("open").forget();
        }
    }
}

fn group(call: &Call, name: &str) -> Arn {
    Arn::new("logs", &call.region, call.account, format!("log-group:{name}"))
}

impl Handle<CreateLogGroup> for Groups {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &CreateLogGroupRequest) -> Arn {
        group(call, &input.log_group_name)
    }

    async fn handle(&self, _call: &Call, input: CreateLogGroupRequest) -> Result<wire::Empty, Fault> {
        self.pass().await;
        assert_ne!(input.log_group_name, "panic");
        self.names.lock().expect("unpoisoned").push(input.log_group_name);
        Ok(wire::Empty)
    }
}

impl Handle<DeleteLogGroup> for Groups {
    const EFFECT: Effect = Effect::Write;
    const ACTION: Option<&'static str> = Some("logs:Destroy");

    fn resource(&self, call: &Call, input: &DeleteLogGroupRequest) -> Arn {
        group(call, &input.log_group_name)
    }

    async fn handle(&self, _call: &Call, _input: DeleteLogGroupRequest) -> Result<wire::Empty, Fault> {
        Ok(wire::Empty)
    }
}

impl Handle<DescribeLogGroups> for Groups {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, _input: &DescribeLogGroupsRequest) -> Arn {
        Arn::any()
    }

    async fn handle(&self, _call: &Call, input: DescribeLogGroupsRequest) -> Result<DescribeLogGroupsResponse, Fault> {
        self.pass().await;
        assert_ne!(input.log_group_name_prefix.as_deref(), Some("panic"));
        self.described.fetch_add(1, Ordering::Relaxed);
        Ok(DescribeLogGroupsResponse { next_token: Some("more".into()), ..Default::default() })
    }
}

impl Handle<GetCallerIdentity> for Groups {
    const EFFECT: Effect = Effect::Read;
    const ALWAYS_ALLOWED: bool = true;

    fn resource(&self, _call: &Call, _input: &GetCallerIdentityRequest) -> Arn {
        Arn::any()
    }

    async fn handle(&self, call: &Call, _input: GetCallerIdentityRequest) -> Result<GetCallerIdentityResponse, Fault> {
        Ok(GetCallerIdentityResponse { arn: Some(call.principal.arn(call.account)), ..Default::default() })
    }
}

/// Gives every role one policy.
struct OnePolicy(Arc<Policy>);

impl Authority for OnePolicy {
    fn identity<'a>(&'a self, _call: &'a Call) -> BoxFuture<'a, Result<Identity, Fault>> {
        Box::pin(async { Ok(Identity { policies: vec![Arc::clone(&self.0)], ..Identity::default() }) })
    }
}

impl Attachments for OnePolicy {
    fn attached<'a>(&'a self, _call: &'a Call, _resource: &'a Arn) -> BoxFuture<'a, Result<Attached, Fault>> {
        Box::pin(async { Ok(Attached::Grants(Arc::clone(&self.0))) })
    }
}

struct Road {
    dispatch: Dispatch,
    groups: Arc<Groups>,
    clock: Clock,
    hand: Arc<base::ManualClock>,
    tasks: Tasks,
    metrics: Metrics,
}

impl Road {
    fn new(groups: Groups) -> Self {
        Self::build(groups, Limits::default(), None, None)
    }

    fn build(groups: Groups, limits: Limits, identity: Option<&str>, resource: Option<&str>) -> Self {
        let authority: Arc<dyn Authority> = match identity {
            Some(text) => Arc::new(OnePolicy(Arc::new(Policy::parse(text, PolicyKind::Identity).expect("a policy")))),
            None => Arc::new(crate::OpenAuthority),
        };
        Self::under(authority, groups, limits, resource)
    }

    fn under(authority: Arc<dyn Authority>, groups: Groups, limits: Limits, resource: Option<&str>) -> Self {
        let (clock, hand) = Clock::manual("2026-11-21T02:40:11Z".parse().expect("a time"));
        let (tasks, metrics, groups) = (Tasks::new(), Metrics::new(), Arc::new(groups));
        let read = |kind, text| Arc::new(Policy::parse(text, kind).expect("a policy"));
        let parts = Parts {
            clock: clock.clone(),
            random: Random::seeded(1),
            tasks: tasks.clone(),
            metrics: metrics.clone(),
            authority,
            limits,
        };
        let mut registry = Registry::new(parts);
        registry.add::<CreateLogGroup, _>(&groups);
        registry.add::<DeleteLogGroup, _>(&groups);
        registry.add::<DescribeLogGroups, _>(&groups);
        registry.add::<GetCallerIdentity, _>(&groups);
        if let Some(text) = resource {
            registry.attach("logs", Arc::new(OnePolicy(read(PolicyKind::Resource, text))));
        }
        Self { dispatch: registry.open(), groups, clock, hand, tasks, metrics }
    }

    fn call(&self, principal: Principal) -> Call {
        let random = Random::seeded(2);
        Call {
            id: random.uuid(),
            principal,
            account: AccountId::ONLY,
            region: Region::default_one(),
            deadline: self.clock.elapsed() + Duration::from_secs(60),
            trace: Trace::start(&self.clock, &random),
            hops: 0,
            origin: Origin::Inside { part: "test", base_url: "http://localhost:4566".into() },
        }
    }

    fn open_call(&self) -> Call {
        self.call(Principal::Open { access_key: None })
    }

    async fn create(&self, call: &Call, name: &str) -> Result<(), Fault> {
        self.dispatch.call::<CreateLogGroup>(call, create(name)).await.map(|wire::Empty| ())
    }

    fn counted(&self, operation: &str, outcome: &str, count: u64) {
        let line =
            format!(r#"freehold_calls_total{{service="logs",operation="{operation}",outcome="{outcome}"}} {count}"#);
        let text = self.metrics.encode();
        assert!(text.contains(&line), "{line} is not in:\n{text}");
    }

    fn names(&self) -> Vec<String> {
        self.groups.names.lock().expect("unpoisoned").clone()
    }
}

fn create(name: &str) -> CreateLogGroupRequest {
    CreateLogGroupRequest { log_group_name: name.into(), ..Default::default() }
}

fn role() -> Principal {
    Principal::Role { role: "arn:aws:iam::000000000000:role/r".into(), session: "s".into() }
}

#[tokio::test]
async fn a_call_goes_in_typed_as_document_and_as_shape() {
    let road = Road::new(Groups::default());
    let call = road.open_call();
    road.create(&call, "typed").await.expect("created");
    let document = road.dispatch.call_document(CreateLogGroup::ID, &call, json!({"logGroupName": "document"})).await;
    assert_eq!(document.expect("created"), json!({}));
    let fill = |shape: &mut dyn Shape| {
        wire::document::read_into(shape, json!({"logGroupName": "wire"})).map(|_| ()).map_err(|_| Fault::internal())
    };
    road.dispatch.call_wire(CreateLogGroup::ID, &call, fill).await.expect("created");
    assert_eq!(road.names(), ["typed", "document", "wire"]);
    let listed = road.dispatch.call_document(DescribeLogGroups::ID, &call, json!({})).await.expect("listed");
    assert_eq!(listed, json!({"nextToken": "more"}));
    road.counted("CreateLogGroup", "ok", 3);
    road.counted("DescribeLogGroups", "ok", 1);
}

#[tokio::test]
async fn input_that_breaks_the_model_is_refused_whichever_way_it_comes() {
    let road = Road::new(Groups::default());
    let call = road.open_call();
    let told = "1 validation error detected: Value '' at 'logGroupName' failed to satisfy constraint: Member must have length \
                greater than or equal to 1";
    let typed = road.create(&call, "").await.expect_err("refused");
    assert!(typed.message.contains("logGroupName"), "{typed}");
    let document = road.dispatch.call_document(CreateLogGroup::ID, &call, json!({"logGroupName": ""})).await;
    assert_eq!(document.expect_err("refused").message, typed.message, "{told}");
    let missing = road.dispatch.call_document(CreateLogGroup::ID, &call, json!({})).await.expect_err("refused");
    assert!(missing.message.contains("must not be null"), "{missing}");
    let malformed = road.dispatch.call_document(CreateLogGroup::ID, &call, json!([])).await.expect_err("refused");
    assert_eq!(malformed.cause, Cause::Invalid);
    assert!(road.names().is_empty());
    road.counted("CreateLogGroup", "refused", 4);
}

#[tokio::test]
async fn names_are_found_or_told_apart() {
    let road = Road::new(Groups::default());
    let known = road.dispatch.find("logs", "CreateLogGroup").expect("served");
    assert_eq!(known, Known { id: CreateLogGroup::ID, effect: Effect::Write });
    assert_eq!(road.dispatch.find("logs", "StartQuery").expect_err("unserved").cause, Cause::Unserved);
    assert_eq!(road.dispatch.find("logs", "Dance").expect_err("unknown").code, "UnknownOperationException");
    assert_eq!(road.dispatch.find("moon", "Land").expect_err("unknown").code, "UnknownOperationException");
    assert_eq!(road.dispatch.operations().len(), 4);
    let call = road.open_call();
    let fault =
        road.dispatch.call::<wire::logs::DeleteLogStream>(&call, Default::default()).await.expect_err("unserved");
    assert_eq!(fault.cause, Cause::Unserved);
}

#[tokio::test]
async fn a_loop_ends_with_a_fault_of_its_own() {
    let road = Road::new(Groups::default());
    let mut call = road.open_call();
    for _ in 0..Call::HOPS_MAX {
        call = call.inner(&Random::seeded(3), call.principal.clone(), "test");
    }
    road.create(&call, "deep").await.expect("still allowed");
    let deeper = call.inner(&Random::seeded(3), call.principal.clone(), "test");
    let fault = road.create(&deeper, "too deep").await.expect_err("refused");
    assert_eq!(fault.code, "RecursiveInvocationException");
    assert_eq!(road.names(), ["deep"]);
}

#[tokio::test]
async fn policies_decide_for_everybody_but_the_owner() {
    let allow =
        r#"{"Statement":{"Effect":"Allow","Action":"logs:Create*","Resource":"arn:aws:logs:*:*:log-group:mine*"}}"#;
    let road = Road::build(Groups::default(), Limits::default(), Some(allow), None);
    let (owner, session) = (road.call(Principal::Root), road.call(role()));
    road.create(&owner, "any").await.expect("the owner may");
    road.create(&session, "mine").await.expect("the role may");
    let fault = road.create(&session, "other").await.expect_err("refused");
    assert_eq!((fault.code.as_str(), fault.cause), ("AccessDeniedException", Cause::Denied));
    assert_eq!(
        fault.message,
        "User: arn:aws:sts::000000000000:assumed-role/r/s is not authorized to perform: logs:CreateLogGroup on resource: \
         arn:aws:logs:us-east-1:000000000000:log-group:other because no identity-based policy allows the logs:CreateLogGroup \
         action"
    );
    let input = DeleteLogGroupRequest { log_group_name: "mine".into() };
    let fault = road.dispatch.call::<DeleteLogGroup>(&session, input).await.expect_err("refused");
    assert!(fault.message.contains("perform: logs:Destroy on"), "the handler's own action is asked for: {fault}");
    let fault = road.create(&road.call(Principal::Anonymous), "mine").await.expect_err("refused");
    assert!(fault.message.starts_with("User: anonymous is not authorized"), "{fault}");
    assert_eq!(road.names(), ["any", "mine"]);
    road.counted("CreateLogGroup", "denied", 2);
}

#[tokio::test]
async fn what_is_always_allowed_no_policy_denies() {
    let deny = r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
    let road = Road::build(Groups::default(), Limits::default(), Some(deny), None);
    let session = road.call(role());
    road.create(&session, "mine").await.expect_err("denied");
    let who = road.dispatch.call::<GetCallerIdentity>(&session, GetCallerIdentityRequest {}).await.expect("allowed");
    assert_eq!(who.arn.as_deref(), Some("arn:aws:sts::000000000000:assumed-role/r/s"));
}

#[tokio::test]
async fn a_resource_policy_allows_services_and_denies_owners() {
    let mixed = r#"{"Statement":[
        {"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"logs:*",
         "Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:events:*:000000000000:rule/*"}}},
        {"Effect":"Deny","Principal":"*","Action":"logs:DescribeLogGroups"}]}"#;
    let road = Road::build(Groups::default(), Limits::default(), None, Some(mixed));
    let service = |source: Option<&str>| {
        road.call(Principal::Service { name: "events.amazonaws.com", source: source.map(Arc::from) })
    };
    road.create(&service(Some("arn:aws:events:us-east-1:000000000000:rule/r")), "rule").await.expect("allowed");
    road.create(&service(None), "none").await.expect_err("no source");
    let describe = |call: Call| {
        let dispatch = road.dispatch.clone();
        async move { dispatch.call::<DescribeLogGroups>(&call, Default::default()).await.map(|_| ()) }
    };
    assert_eq!(describe(road.call(Principal::Root)).await.expect_err("denied").cause, Cause::Denied);
    describe(road.open_call()).await.expect("open mode asks nobody");
    assert_eq!(road.names(), ["rule"]);
}

#[tokio::test]
async fn in_open_mode_silence_allows_what_the_node_does_itself_and_a_denial_counts() {
    let deny = r#"{"Statement":{"Effect":"Deny","Principal":{"Service":"sns.amazonaws.com"},"Action":"*"}}"#;
    let road = Road::under(Arc::new(crate::LenientAuthority), Groups::default(), Limits::default(), Some(deny));
    let service = |name| Principal::Service { name, source: None };
    road.create(&road.call(service("events.amazonaws.com")), "events").await.expect("nobody says no");
    road.create(&road.call(role()), "role").await.expect("nobody says no");
    assert_eq!(
        road.create(&road.call(service("sns.amazonaws.com")), "sns").await.expect_err("denied").cause,
        Cause::Denied
    );
    road.create(&road.call(Principal::Anonymous), "anybody").await.expect_err("somebody must say yes");
    let door = Origin::Door {
        peer: std::net::Ipv4Addr::LOCALHOST.into(),
        base_url: "http://localhost:4566".into(),
        user_agent: "".into(),
        manner: None,
    };
    road.create(&Call { origin: door, ..road.call(role()) }, "door").await.expect_err("somebody must say yes");
    assert_eq!(road.names(), ["events", "role"]);
}

#[tokio::test]
async fn whoever_comes_when_it_is_full_is_refused() {
    let limits = Limits { calls_max: 1, inner_calls_max: 0 };
    let road = Road::build(Groups::gated(), limits, None, None);
    let call = road.open_call();
    let first = road.create(&call, "first");
    let second = async {
        road.groups.entered.notified().await;
        let fault = road.create(&call, "second").await.expect_err("full");
        assert_eq!((fault.cause, fault.status), (Cause::Throttled, Some(429)));
        road.groups.gate.as_ref().expect("gated").add_permits(1);
    };
    let (first, ()) = tokio::join!(first, second);
    first.expect("created");
    road.counted("CreateLogGroup", "throttled", 1);
    road.groups.gate.as_ref().expect("gated").add_permits(1);
    road.create(&call, "third").await.expect("there is room again");
}

#[tokio::test]
async fn a_write_outlives_its_caller_and_a_read_does_not() {
    let road = Road::new(Groups::gated());
    let call = road.open_call();
    {
        let mut hanging = std::pin::pin!(road.create(&call, "kept"));
        tokio::select! {
            _ = &mut hanging => panic!("the gate is shut"),
            () = road.groups.entered.notified() => {}
        }
    }
    {
        let mut reading = std::pin::pin!(road.dispatch.call::<DescribeLogGroups>(&call, Default::default()));
        tokio::select! {
            _ = &mut reading => panic!("the gate is shut"),
            () = road.groups.entered.notified() => {}
        }
    }
    road.counted("DescribeLogGroups", "abandoned", 1);
    road.groups.gate.as_ref().expect("gated").add_permits(2);
    assert!(road.tasks.shut_down(Duration::from_secs(30)).await, "shutdown waits for the write");
    assert_eq!(road.names(), ["kept"]);
    assert_eq!(road.groups.described.load(Ordering::Relaxed), 0);
    road.counted("CreateLogGroup", "ok", 1);
}

#[tokio::test]
async fn a_deadline_ends_the_waiting_but_not_a_write() {
    let road = Road::new(Groups::gated());
    let call = road.open_call();
    let (written, (), read, ()) = tokio::join!(
        road.create(&call, "late"),
        road.groups.entered.notified(),
        road.dispatch.call::<DescribeLogGroups>(&call, Default::default()),
        async {
            road.groups.entered.notified().await;
            road.hand.advance(Duration::from_secs(61));
        },
    );
    assert_eq!(written.expect_err("late").cause, Cause::TimedOut);
    assert_eq!(read.expect_err("late").cause, Cause::TimedOut);
    assert_eq!(road.create(&call, "later").await.expect_err("over already").cause, Cause::TimedOut);
    road.groups.gate.as_ref().expect("gated").add_permits(1);
    assert!(road.tasks.shut_down(Duration::from_secs(30)).await);
    assert_eq!(road.names(), ["late"]);
}

#[tokio::test]
async fn a_panic_is_an_internal_failure_of_one_call() {
    let road = Road::new(Groups::default());
    let call = road.open_call();
    assert_eq!(road.create(&call, "panic").await.expect_err("panicked").cause, Cause::Internal);
    let input = DescribeLogGroupsRequest { log_group_name_prefix: Some("panic".into()), ..Default::default() };
    let fault = road.dispatch.call::<DescribeLogGroups>(&call, input).await.expect_err("panicked");
    assert_eq!(fault, Fault::internal());
    road.create(&call, "next").await.expect("nobody else is harmed");
    road.counted("CreateLogGroup", "failed", 1);
    road.counted("DescribeLogGroups", "failed", 1);
}

#[tokio::test]
async fn before_it_is_open_every_call_is_refused() {
    let road = Road::new(Groups::default());
    let closed = Dispatch::default();
    let fault = closed.call::<CreateLogGroup>(&road.open_call(), create("early")).await.expect_err("closed");
    assert_eq!(fault.cause, Cause::Unavailable);
}
