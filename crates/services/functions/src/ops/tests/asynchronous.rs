//! Events: how they are taken, tried, and given up. Where a function must run it is a shell script, which fails.

use std::sync::Arc;
use std::time::Duration;

use contract::{Fault, OperationId};
use delivery::{Carried, Carrier, Delivery, Ending, Failure, Farewell, GivenUp, LaneId, Reason, Retry, Sender, Task};
use serde_json::Value;
use wire::lambda as op;

use super::world::{World, arn};
use crate::Invocations;
use crate::asynchronous::Job;

const DEAD: &str = "arn:aws:sqs:us-east-1:000000000000:dead";
const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:failed";

fn event(name: &str, payload: &[u8]) -> op::InvocationRequest {
    op::InvocationRequest {
        function_name: name.into(),
        invocation_type: Some(op::InvocationType::Event),
        payload: Some(payload.to_vec().into()),
        ..Default::default()
    }
}

/// An event as its carrier gets it.
fn carried(world: &World, name: &str, tries: u32, retries: u32, age: Duration) -> Carried {
    let job = Job {
        name: name.into(),
        qualifier: None,
        request_id: uuid::Uuid::from_u128(7),
        client_context: None,
        payload: r#"{"a":1}"#.into(),
    };
    let age_ms = i64::try_from(age.as_millis()).expect("it is short");
    Carried {
        lane: LaneId::any("function", arn(name)),
        parcel: job.to_parcel(),
        sender: Sender::of(&world.call(), world.clock.now_ms() - age_ms),
        tries,
        retries,
        retry: Retry::default(),
        dead_letter: None,
    }
}

async fn carry(world: &World, carried: &Carried) -> Ending {
    Invocations(Arc::clone(&world.functions)).carry(carried).await
}

/// Operation, input, and what the input carries as JSON.
fn sent(delivery: &Delivery) -> (String, Value, Value) {
    let task = Task::from_parcel(&delivery.parcel).expect("it is a call");
    let event = serde_json::from_str(&task.event()).expect("it is JSON");
    (task.operation.to_string(), task.input, event)
}

async fn configure(world: &World, name: &str) {
    let input = op::UpdateFunctionConfigurationRequest {
        function_name: name.into(),
        dead_letter_config: Some(op::DeadLetterConfig { target_arn: Some(DEAD.into()) }),
        ..Default::default()
    };
    let updated = world.ask::<op::UpdateFunctionConfiguration>(input).await.expect("it is updated");
    assert_eq!(updated.dead_letter_config.and_then(|config| config.target_arn).as_deref(), Some(DEAD));
    let input = op::PutFunctionEventInvokeConfigRequest {
        function_name: name.into(),
        maximum_event_age_in_seconds: Some(60),
        maximum_retry_attempts: Some(1),
        destination_config: Some(op::DestinationConfig {
            on_failure: Some(op::OnFailure { destination: Some(TOPIC.into()) }),
            on_success: None,
        }),
        ..Default::default()
    };
    world.ask::<op::PutFunctionEventInvokeConfig>(input).await.expect("it is put");
}

#[tokio::test]
async fn an_event_is_on_disk_before_its_answer() {
    let world = World::new().await;
    world.create("f").await;
    let answer = world.ask::<op::Invoke>(event("f", b"{}")).await.expect("it is taken");
    assert_eq!((answer.status_code, answer.payload), (Some(202), None));
    let deprecated = op::InvokeAsyncRequest { function_name: "f".into(), invoke_args: "{}".into() };
    assert_eq!(world.ask::<op::InvokeAsync>(deprecated).await.expect("it is taken").status, Some(202));
    let kept = world.functions.store.snapshot();
    let kept = kept.scan(store::Range::prefix(&store::Key::queue("out")), store::Scan::first(10)).await.unwrap();
    assert_eq!(kept.items.len(), 2);

    let most = vec![b'1'; 1 << 20];
    world.ask::<op::Invoke>(event("f", &most)).await.expect("a megabyte is taken");
    let fault = world.ask::<op::Invoke>(event("f", &vec![b'1'; (1 << 20) + 1])).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.status), ("RequestEntityTooLargeException", Some(413)));
    assert_eq!(fault.message, "Request must be smaller than 1048576 bytes for the InvokeFunction operation");
    assert_eq!(world.refusal::<op::Invoke>(event("f", b"{")).await.0, "InvalidRequestContentException");
    assert_eq!(world.refusal::<op::Invoke>(event("g", b"{}")).await.0, "ResourceNotFoundException");
    assert_eq!(world.refusal::<op::Invoke>(event("f:7", b"{}")).await.0, "ResourceNotFoundException");
}

#[tokio::test]
async fn a_failed_function_is_tried_after_one_and_two_minutes_and_then_parted_with() {
    let world = World::new().await;
    world.create("f").await;
    for (retries, expected) in [(0, 60), (1, 120)] {
        match carry(&world, &carried(&world, "f", retries, retries, Duration::ZERO)).await {
            Ending::Retry { why, after } => {
                assert_eq!((why.code.as_str(), after), ("Unhandled", Some(Duration::from_secs(expected))));
            }
            other => panic!("{other:?}"),
        }
    }
    match carry(&world, &carried(&world, "f", 2, 2, Duration::ZERO)).await {
        Ending::GiveUp { reason: Reason::Exhausted, farewell: Some(Farewell::Keep), .. } => {}
        other => panic!("{other:?}"),
    }
    configure(&world, "f").await;
    let Ending::GiveUp { reason: Reason::Exhausted, farewell: Some(Farewell::Then(then)), .. } =
        carry(&world, &carried(&world, "f", 1, 1, Duration::ZERO)).await
    else {
        panic!("it has one retry")
    };
    let (operation, input, event) = sent(&then[0]);
    assert_eq!((operation.as_str(), &input["QueueUrl"], &event["a"]), ("SendMessage", &DEAD.into(), &1.into()));
    let attributes = &input["MessageAttributes"];
    assert_eq!(attributes["RequestID"]["StringValue"], "00000000-0000-0000-0000-000000000007");
    assert_eq!(attributes["ErrorCode"], serde_json::json!({ "DataType": "Number", "StringValue": "200" }));
    assert!(attributes["ErrorMessage"]["StringValue"].as_str().is_some_and(|text| !text.is_empty()));
    let (operation, input, record) = sent(&then[1]);
    assert_eq!((operation.as_str(), &input["TopicArn"]), ("Publish", &TOPIC.into()));
    let context = &record["requestContext"];
    assert_eq!(context["condition"], "RetriesExhausted");
    assert_eq!(context["approximateInvokeCount"], 2);
    assert_eq!(context["functionArn"], arn("f:$LATEST"));
    assert_eq!(record["requestPayload"], serde_json::json!({ "a": 1 }));
    assert_eq!(
        record["responseContext"],
        serde_json::json!({ "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" })
    );
    assert!(record["responsePayload"]["errorType"].is_string(), "{record}");
    assert_eq!(record["version"], "1.0");
}

#[tokio::test]
async fn what_is_throttled_costs_no_retry_and_what_is_too_old_does_not_run() {
    let world = World::new().await;
    world.create("f").await;
    configure(&world, "f").await;
    let none = op::PutFunctionConcurrencyRequest { function_name: "f".into(), reserved_concurrent_executions: 0 };
    world.ask::<op::PutFunctionConcurrency>(none).await.expect("it is put");
    match carry(&world, &carried(&world, "f", 9, 0, Duration::ZERO)).await {
        Ending::Later { why, after: None } => assert_eq!(why.code, "TooManyRequestsException"),
        other => panic!("{other:?}"),
    }
    let old = carried(&world, "f", 3, 0, Duration::from_secs(61));
    let Ending::GiveUp { reason: Reason::Expired, farewell: Some(Farewell::Then(then)), .. } =
        carry(&world, &old).await
    else {
        panic!("it is too old")
    };
    let (_, _, record) = sent(&then[1]);
    assert_eq!(record["requestContext"]["condition"], "EventAgeExceeded");
    assert_eq!(record["responsePayload"], Value::Null);
    // The engine says the same where it gives up by itself.
    let why = Failure::new("TooManyRequestsException", "Rate Exceeded.");
    let given_up = GivenUp { reason: Reason::Expired, why, tries: 4, retries: 0, now_ms: world.clock.now_ms() };
    let Farewell::Then(then) = Invocations(Arc::clone(&world.functions)).farewell(&old, &given_up) else {
        panic!("it has a destination")
    };
    let (_, input, _) = sent(&then[0]);
    assert_eq!(input["MessageAttributes"]["ErrorCode"]["StringValue"], "429");
    match carry(&world, &carried(&world, "gone", 0, 0, Duration::ZERO)).await {
        Ending::Refused { why } => assert_eq!(why.code, "ResourceNotFoundException"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn configurations_are_kept_for_each_qualifier() {
    let world = World::new().await;
    world.create("f").await;
    world.publish("f").await;
    let put = |qualifier: Option<&str>, retries| op::PutFunctionEventInvokeConfigRequest {
        function_name: "f".into(),
        qualifier: qualifier.map(str::to_owned),
        maximum_retry_attempts: retries,
        ..Default::default()
    };
    let get = |qualifier: &str| op::GetFunctionEventInvokeConfigRequest {
        function_name: "f".into(),
        qualifier: Some(qualifier.into()),
    };
    let missing = world.refusal::<op::GetFunctionEventInvokeConfig>(get("$LATEST")).await;
    let words = format!("The function {} doesn't have an EventInvokeConfig", arn("f:$LATEST"));
    assert_eq!(missing, ("ResourceNotFoundException".to_owned(), words));
    let empty = world.refusal::<op::PutFunctionEventInvokeConfig>(put(None, None)).await;
    assert_eq!(empty.1, "You must specify at least one of error handling or destination setting.");
    let none = world.refusal::<op::PutFunctionEventInvokeConfig>(put(Some("9"), Some(1))).await;
    assert_eq!(none, ("ResourceNotFoundException".to_owned(), "The function doesn't exist.".to_owned()));
    let too_many = world.refusal::<op::PutFunctionEventInvokeConfig>(put(None, Some(3))).await;
    assert_eq!(too_many.0, "ValidationException");

    for (qualifier, retries) in [(None, 0), (Some("1"), 1)] {
        let made =
            world.ask::<op::PutFunctionEventInvokeConfig>(put(qualifier, Some(retries))).await.expect("it is put");
        assert_eq!(made.function_arn, Some(arn(&format!("f:{}", qualifier.unwrap_or("$LATEST")))));
    }
    let update = op::UpdateFunctionEventInvokeConfigRequest {
        function_name: "f:1".into(),
        maximum_event_age_in_seconds: Some(90),
        ..Default::default()
    };
    let updated = world.ask::<op::UpdateFunctionEventInvokeConfig>(update).await.expect("it is updated");
    assert_eq!((updated.maximum_retry_attempts, updated.maximum_event_age_in_seconds), (Some(1), Some(90)));
    let list = op::ListFunctionEventInvokeConfigsRequest { function_name: "f".into(), ..Default::default() };
    let listed = world.ask::<op::ListFunctionEventInvokeConfigs>(list).await.expect("they are listed");
    assert_eq!(listed.function_event_invoke_configs.map(|all| all.len()), Some(2));
    let delete =
        || op::DeleteFunctionEventInvokeConfigRequest { function_name: "f".into(), qualifier: Some("1".into()) };
    world.ask::<op::DeleteFunctionEventInvokeConfig>(delete()).await.expect("it is deleted");
    assert_eq!(world.refusal::<op::DeleteFunctionEventInvokeConfig>(delete()).await.0, "ResourceNotFoundException");
}

/// The id of an operation that a task names is found by what serves it.
#[tokio::test]
async fn destinations_call_operations_that_there_are() {
    let world = World::new().await;
    let found: Result<OperationId, Fault> = contract::Caller::find(&world.dispatch, "lambda", "Invoke");
    assert_eq!(found.map(|id| id.name), Ok("Invoke"));
}
