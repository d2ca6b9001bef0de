//! Concurrency: what is reserved, what is left, and what is refused.

use contract::Fault;
use wire::lambda as op;

use super::world::{World, arn};

fn put(name: &str, number: i32) -> op::PutFunctionConcurrencyRequest {
    op::PutFunctionConcurrencyRequest { function_name: name.into(), reserved_concurrent_executions: number }
}

#[tokio::test]
async fn reserved_concurrency_is_divided_among_functions() {
    let world = World::new().await;
    world.create("one").await;
    world.create("two").await;
    let set = world.ask::<op::PutFunctionConcurrency>(put("one", 600)).await.expect("it fits");
    assert_eq!(set.reserved_concurrent_executions, Some(600));
    let too_much = world.refusal::<op::PutFunctionConcurrency>(put("two", 301)).await;
    assert_eq!(
        too_much,
        (
            "InvalidParameterValueException".into(),
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its \
             minimum value of [100]."
                .into()
        )
    );
    world.ask::<op::PutFunctionConcurrency>(put("two", 300)).await.expect("it fits exactly");
    world.ask::<op::PutFunctionConcurrency>(put("one", 600)).await.expect("its own number does not count against it");
    let account = world.ask::<op::GetAccountSettings>(Default::default()).await.expect("it answers");
    let left = account.account_limit.and_then(|limit| limit.unreserved_concurrent_executions);
    assert_eq!(left, Some(100));
    let name = || "one".to_owned();
    let get = || op::GetFunctionConcurrencyRequest { function_name: name() };
    let found = world.ask::<op::GetFunctionConcurrency>(get()).await.expect("it answers");
    assert_eq!(found.reserved_concurrent_executions, Some(600));
    let whole = op::GetFunctionRequest { function_name: name(), qualifier: None };
    let whole = world.ask::<op::GetFunction>(whole).await.expect("it answers");
    assert_eq!(whole.concurrency.and_then(|c| c.reserved_concurrent_executions), Some(600));
    let delete = op::DeleteFunctionConcurrencyRequest { function_name: name() };
    world.ask::<op::DeleteFunctionConcurrency>(delete).await.expect("it is deleted");
    let found = world.ask::<op::GetFunctionConcurrency>(get()).await.expect("it answers");
    assert_eq!(found.reserved_concurrent_executions, None);
}

#[tokio::test]
async fn a_function_with_nothing_reserved_for_it_is_throttled() {
    let world = World::new().await;
    world.create("greet").await;
    world.ask::<op::PutFunctionConcurrency>(put("greet", 0)).await.expect("it is stopped");
    let invoke = op::InvocationRequest { function_name: "greet".into(), ..Default::default() };
    let fault = world.ask::<op::Invoke>(invoke).await.expect_err("it is stopped");
    assert_eq!((fault.code.as_str(), fault.status), ("TooManyRequestsException", Some(429)));
    assert_eq!(fault.message, "Rate Exceeded.");
    assert_eq!(member(&fault, "Reason").as_deref(), Some("ReservedFunctionConcurrentInvocationLimitExceeded"));
    assert_eq!(member(&fault, "Retry-After").as_deref(), Some("1"));
    assert_eq!(throttled(&world, "greet"), 1, "who looks at the node sees it");
}

#[tokio::test]
async fn what_nobody_reserved_is_shared_by_all_others() {
    let world = World::new().await;
    for name in ["apart", "busy", "late"] {
        world.create(name).await;
    }
    world.ask::<op::PutFunctionConcurrency>(put("apart", 900)).await.expect("it fits");
    let scope = &world.scope();
    let (table, busy) = (&world.functions.table, world.functions.table.get(scope, "busy").expect("it is there"));
    let mut places: Vec<_> =
        (0..100).map(|_| table.scope(scope).admit(&busy, None).expect("one of a hundred")).collect();
    let late = || op::InvocationRequest { function_name: "late".into(), ..Default::default() };
    let fault = world.ask::<op::Invoke>(late()).await.expect_err("all are taken");
    assert_eq!((fault.code.as_str(), fault.status), ("TooManyRequestsException", Some(429)));
    assert_eq!(member(&fault, "Reason").as_deref(), Some("ConcurrentInvocationLimitExceeded"));
    assert_eq!((throttled(&world, "late"), throttled(&world, "busy")), (1, 0));
    // Who has places of its own has them all the same.
    let apart = table.get(scope, "apart").expect("it is there");
    table.scope(scope).admit(&apart, None).expect("nobody else can have those");
    places.pop();
    world.ask::<op::Invoke>(late()).await.expect("one is free again");
}

fn member(fault: &Fault, name: &str) -> Option<String> {
    let (_, value) = fault.members.iter().find(|(known, _)| *known == name)?;
    value.as_str().map(str::to_owned)
}

/// How many calls of a function were refused, as people and collectors are told.
fn throttled(world: &World, name: &str) -> u64 {
    let functions = world.functions.compute.functions();
    functions.iter().find(|function| function.arn == arn(name)).map_or(0, |function| function.counts.throttled)
}
