//! Provisioned concurrency: what may have it, how it is counted, what becomes of it.

use std::time::Duration;

use base::Clock;
use base::task::Tasks;
use store::{Blobs, Store};
use wire::lambda as op;
use wire::lambda::ProvisionedConcurrencyStatusEnum as Status;

use super::world::{World, arn, creation, package};
use crate::name::Scope;

/// Asks for its first event, and never gets it answered.
const WAITS: &str = r#"exec bash -c 'exec 3<>/dev/tcp/${AWS_LAMBDA_RUNTIME_API%:*}/${AWS_LAMBDA_RUNTIME_API#*:}; printf "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n" >&3; exec cat <&3 >/dev/null'"#;

fn put(name: &str, qualifier: &str, wanted: i32) -> op::PutProvisionedConcurrencyConfigRequest {
    op::PutProvisionedConcurrencyConfigRequest {
        function_name: name.into(),
        qualifier: qualifier.into(),
        provisioned_concurrent_executions: wanted,
    }
}

fn get(name: &str, qualifier: &str) -> op::GetProvisionedConcurrencyConfigRequest {
    op::GetProvisionedConcurrencyConfigRequest { function_name: name.into(), qualifier: qualifier.into() }
}

fn delete(name: &str, qualifier: &str) -> op::DeleteProvisionedConcurrencyConfigRequest {
    op::DeleteProvisionedConcurrencyConfigRequest { function_name: name.into(), qualifier: qualifier.into() }
}

async fn alias(world: &World, name: &str, version: &str) {
    let input = op::CreateAliasRequest {
        function_name: "greet".into(),
        name: name.into(),
        function_version: version.into(),
        ..Default::default()
    };
    world.ask::<op::CreateAlias>(input).await.expect("it is made");
}

/// A function with two versions, whose instances start and then wait for ever.
async fn world() -> World {
    let world = World::new().await;
    fill(&world).await;
    world
}

async fn fill(world: &World) {
    let code = op::FunctionCode { zip_file: Some(package(WAITS)), ..Default::default() };
    let input = op::CreateFunctionRequest { code, ..creation("greet") };
    world.ask::<op::CreateFunction>(input).await.expect("it is made");
    world.publish("greet").await;
    world.change_code("greet", &format!("{WAITS}; # second")).await;
    world.publish("greet").await;
}

async fn until(world: &World, qualifier: &str, status: Status) -> op::GetProvisionedConcurrencyConfigResponse {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let now = world.ask::<op::GetProvisionedConcurrencyConfig>(get("greet", qualifier)).await.expect("it answers");
        if now.status == Some(status.clone()) {
            return now;
        }
        assert!(tokio::time::Instant::now() < deadline, "{:?}", now.status);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn instances_are_started_ahead_and_shown() {
    let world = world().await;
    let begun = world.ask::<op::PutProvisionedConcurrencyConfig>(put("greet", "1", 2)).await.expect("it is taken");
    assert_eq!(begun.status, Some(Status::InProgress));
    assert_eq!(begun.requested_provisioned_concurrent_executions, Some(2));
    let ready = until(&world, "1", Status::Ready).await;
    assert_eq!(ready.available_provisioned_concurrent_executions, Some(2));
    assert_eq!(ready.allocated_provisioned_concurrent_executions, Some(2));
    assert_eq!(ready.last_modified, begun.last_modified);
    assert_eq!(world.functions.compute.instances().len(), 2);
    let list = op::ListProvisionedConcurrencyConfigsRequest { function_name: "greet".into(), ..Default::default() };
    let listed = world.ask::<op::ListProvisionedConcurrencyConfigs>(list).await.expect("it answers");
    let [one] = listed.provisioned_concurrency_configs.as_deref().unwrap_or_default() else { panic!("there is one") };
    assert_eq!((one.function_arn.clone(), one.status.clone()), (Some(arn("greet:1")), Some(Status::Ready)));
    // With a version goes what is provisioned of it.
    world.ask::<op::PutProvisionedConcurrencyConfig>(put("greet", "2", 1)).await.expect("it is taken");
    let before = world.functions.resolve_name(&Scope::of(&world.call()), "greet").expect("it is there").active;
    assert_eq!(world.functions.provisioned(&before, 2).wanted, 1);
    let second = op::DeleteFunctionRequest { function_name: "greet".into(), qualifier: Some("2".into()) };
    world.ask::<op::DeleteFunction>(second).await.expect("it is deleted");
    assert_eq!(world.functions.provisioned(&before, 2).wanted, 0);
    for _ in 0..2 {
        world.ask::<op::DeleteProvisionedConcurrencyConfig>(delete("greet", "1")).await.expect("it is deleted");
    }
    let gone = world.refusal::<op::GetProvisionedConcurrencyConfig>(get("greet", "1")).await;
    assert_eq!(gone.0, "ProvisionedConcurrencyConfigNotFoundException");
    assert_eq!(gone.1, "No Provisioned Concurrency Config found for this function");
}

#[tokio::test]
async fn a_function_that_cannot_start_is_shown_as_failed() {
    let world = World::new().await;
    world.create("greet").await;
    world.publish("greet").await;
    world.ask::<op::PutProvisionedConcurrencyConfig>(put("greet", "1", 1)).await.expect("it is taken");
    let failed = until(&world, "1", Status::Failed).await;
    assert_eq!(failed.status_reason.as_deref(), Some("FUNCTION_ERROR_INIT_FAILURE"));
    assert_eq!(failed.available_provisioned_concurrent_executions, Some(0));
}

#[tokio::test]
async fn only_what_is_published_has_it_and_by_one_name() {
    let world = world().await;
    alias(&world, "live", "1").await;
    alias(&world, "newest", "$LATEST").await;
    let unpublished = "Provisioned Concurrency Configs cannot be applied to unpublished function versions.";
    for (name, qualifier, code, message) in [
        ("greet", "$LATEST", "InvalidParameterValueException", unpublished.to_owned()),
        ("greet", "newest", "InvalidParameterValueException", unpublished.to_owned()),
        ("greet", "9", "ResourceNotFoundException", format!("Function not found: {}", arn("greet:9"))),
        ("greet", "gone", "ResourceNotFoundException", format!("Cannot find alias arn: {}", arn("greet:gone"))),
        ("other", "1", "ResourceNotFoundException", format!("Function not found: {}", arn("other"))),
    ] {
        let refused = world.refusal::<op::PutProvisionedConcurrencyConfig>(put(name, qualifier, 1)).await;
        assert_eq!(refused, (code.to_owned(), message), "{name}:{qualifier}");
    }
    let latest = world.refusal::<op::GetProvisionedConcurrencyConfig>(get("greet", "$LATEST")).await;
    assert_eq!(latest.1, "The function resource provided must be an alias or a published version.");
    let missing = world.refusal::<op::DeleteProvisionedConcurrencyConfig>(delete("greet", "9")).await;
    assert_eq!(missing.1, format!("Function not found: {}", arn("greet:9")));

    world.ask::<op::PutProvisionedConcurrencyConfig>(put("greet", "live", 1)).await.expect("it is taken");
    until(&world, "live", Status::Ready).await;
    let twice = world.refusal::<op::PutProvisionedConcurrencyConfig>(put("greet", "1", 1)).await;
    assert_eq!(twice.0, "ResourceConflictException");
    assert_eq!(twice.1, "Version is pointed by a Provisioned Concurrency alias");
    world.ask::<op::PutProvisionedConcurrencyConfig>(put("greet", "2", 1)).await.expect("it is taken");
    let onto = op::UpdateAliasRequest {
        function_name: "greet".into(),
        name: "live".into(),
        function_version: Some("2".into()),
        ..Default::default()
    };
    let refused = world.refusal::<op::UpdateAlias>(onto.clone()).await;
    let taken = "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version";
    assert_eq!(refused.1, taken);
    // An alias that moves takes what is provisioned of it along.
    world.ask::<op::DeleteProvisionedConcurrencyConfig>(delete("greet", "2")).await.expect("it is deleted");
    world.ask::<op::UpdateAlias>(onto).await.expect("it moves");
    until(&world, "live", Status::Ready).await;
    let active = world.functions.resolve_name(&Scope::of(&world.call()), "greet").expect("it is there");
    let wanted = |version| world.functions.provisioned(&active.active, version).wanted;
    assert_eq!((wanted(1), wanted(2)), (0, 1));
    // And one that is deleted, with it.
    let input = op::DeleteAliasRequest { function_name: "greet".into(), name: "live".into() };
    world.ask::<op::DeleteAlias>(input).await.expect("it is deleted");
    world.ask::<op::PutProvisionedConcurrencyConfig>(put("greet", "2", 1)).await.expect("nothing else has it");
}

#[tokio::test]
async fn it_is_part_of_what_is_reserved_or_of_the_account() {
    let world = World::new().await;
    world.create("greet").await;
    world.publish("greet").await;
    let reserve = |number| op::PutFunctionConcurrencyRequest {
        function_name: "greet".into(),
        reserved_concurrent_executions: number,
    };
    world.ask::<op::PutFunctionConcurrency>(reserve(5)).await.expect("it fits");
    let too_much = world.refusal::<op::PutProvisionedConcurrencyConfig>(put("greet", "1", 6)).await;
    let words =
        "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function";
    assert_eq!(too_much.1, words);
    world.ask::<op::PutProvisionedConcurrencyConfig>(put("greet", "1", 5)).await.expect("it fits exactly");
    let too_little = world.refusal::<op::PutFunctionConcurrency>(reserve(4)).await;
    let words =
        " ReservedConcurrentExecutions  4 should not be lower than function's total provisioned concurrency [5].";
    assert_eq!(too_little.1, words);
    let left = async || {
        let account = world.ask::<op::GetAccountSettings>(Default::default()).await.expect("it answers");
        account.account_limit.and_then(|limit| limit.unreserved_concurrent_executions)
    };
    assert_eq!(left().await, Some(995));
    // All of it is provisioned of version 1, so nothing is left for $LATEST.
    let invoke = op::InvocationRequest { function_name: "greet".into(), ..Default::default() };
    let fault = world.ask::<op::Invoke>(invoke).await.expect_err("it is throttled");
    assert_eq!(fault.code, "TooManyRequestsException");

    let unreserve = op::DeleteFunctionConcurrencyRequest { function_name: "greet".into() };
    world.ask::<op::DeleteFunctionConcurrency>(unreserve).await.expect("it is deleted");
    assert_eq!(left().await, Some(995));
    for (wanted, expected) in [
        (1001, "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [1000]."),
        (
            901,
            "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum \
             value of [100].",
        ),
    ] {
        let refused = world.refusal::<op::PutProvisionedConcurrencyConfig>(put("greet", "1", wanted)).await;
        assert_eq!(refused, ("InvalidParameterValueException".into(), expected.to_owned()));
    }
}

#[tokio::test]
async fn it_is_there_again_after_a_restart() {
    let (store, blobs) = (Store::memory(Clock::system()), Blobs::memory(Clock::system()));
    let before = World::over(store.clone(), blobs.clone()).await;
    fill(&before).await;
    before.ask::<op::PutProvisionedConcurrencyConfig>(put("greet", "1", 1)).await.expect("it is taken");
    until(&before, "1", Status::Ready).await;
    drop(before);
    let after = World::over(store, blobs).await;
    let tasks = Tasks::new();
    after.functions.start(&tasks);
    until(&after, "1", Status::Ready).await;
    assert_eq!(after.functions.compute.instances().len(), 1);
    assert!(tasks.shut_down(Duration::from_secs(30)).await);
}
