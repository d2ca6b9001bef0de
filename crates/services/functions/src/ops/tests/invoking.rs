//! Invoking real code. Functions are Python; where no Python is installed these tests say so and prove nothing.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use wire::lambda as op;

use super::world::{World, arn, creation};
use crate::invoke::Event;
use crate::model::package::tests::zip_of;
use crate::streaming::Part;

const ECHO: &str = r#"
import os

def handler(event, context):
    if event.get("fail"):
        raise ValueError("as asked")
    print("said something")
    return {
        "event": event,
        "version": context.function_version,
        "arn": context.invoked_function_arn,
        "key": os.environ["AWS_ACCESS_KEY_ID"],
        "client": context.client_context.custom if context.client_context else None,
    }
"#;

/// None where there is no Python.
async fn world() -> Option<World> {
    let world = World::new().await;
    if let Err(why) = world.functions.compute.language("python3.13") {
        base::trial::skip(why);
        return None;
    }
    let mut input = creation("echo");
    input.runtime = Some("python3.13".into());
    input.handler = Some("app.handler".into());
    input.timeout = Some(60);
    input.code.zip_file = Some(zip_of(&[("app.py", ECHO.as_bytes())]).into());
    world.ask::<op::CreateFunction>(input).await.expect("it is made");
    Some(world)
}

fn invoke(name: &str, payload: &str) -> op::InvocationRequest {
    op::InvocationRequest {
        function_name: name.into(),
        payload: Some(Bytes::copy_from_slice(payload.as_bytes())),
        ..Default::default()
    }
}

fn json(answer: &op::InvocationResponse) -> serde_json::Value {
    serde_json::from_slice(answer.payload.as_ref().expect("there is a payload")).expect("it is JSON")
}

#[tokio::test]
async fn a_function_answers_with_its_log_and_its_version() {
    let Some(world) = world().await else { return };
    let input = op::InvocationRequest {
        log_type: Some(op::LogType::Tail),
        client_context: Some(STANDARD.encode(r#"{"custom":{"a":"b"}}"#)),
        ..invoke("echo", r#"{"name":"Ada"}"#)
    };
    let answer = world.ask::<op::Invoke>(input).await.expect("it answers");
    assert_eq!((answer.status_code, answer.function_error.as_deref()), (Some(200), None));
    assert_eq!(answer.executed_version.as_deref(), Some("$LATEST"));
    let body = json(&answer);
    assert_eq!(body["event"]["name"], "Ada");
    assert_eq!(body["arn"], arn("echo"));
    assert_eq!(body["key"], "ASIA-echo");
    assert_eq!(body["client"]["a"], "b");
    let log = STANDARD.decode(answer.log_result.expect("it was asked for")).expect("it is base64");
    let log = String::from_utf8_lossy(&log).into_owned();
    assert!(log.contains("said something") && log.contains("REPORT RequestId"), "{log}");
    let failed = world.ask::<op::Invoke>(invoke("echo", r#"{"fail":true}"#)).await.expect("it answers");
    assert_eq!(failed.function_error.as_deref(), Some("Unhandled"));
    assert_eq!(json(&failed)["errorType"], "ValueError");
    let empty = world.ask::<op::Invoke>(invoke("echo", "")).await.expect("it answers");
    assert_eq!(json(&empty)["event"], serde_json::json!({}));
}

#[tokio::test]
async fn the_next_call_after_an_update_runs_the_new_code() {
    let Some(world) = world().await else { return };
    for round in 0..3 {
        let source = format!("def handler(event, context):\n    return {round}\n");
        let update = op::UpdateFunctionCodeRequest {
            function_name: "echo".into(),
            zip_file: Some(zip_of(&[("app.py", source.as_bytes())]).into()),
            publish: Some(true),
            ..Default::default()
        };
        world.ask::<op::UpdateFunctionCode>(update).await.expect("it is updated");
        let answer = world.ask::<op::Invoke>(invoke("echo", "{}")).await.expect("it answers");
        assert_eq!(json(&answer), round);
    }
    for version in 1..=3 {
        let answer = world.ask::<op::Invoke>(invoke(&format!("echo:{version}"), "{}")).await.expect("it answers");
        assert_eq!((json(&answer), answer.executed_version), ((version - 1).into(), Some(version.to_string())));
    }
}

#[tokio::test]
async fn an_alias_divides_its_calls() {
    let Some(world) = world().await else { return };
    world.publish("echo").await;
    let source = "def handler(event, context):\n    return {'version': context.function_version}\n";
    let update = op::UpdateFunctionCodeRequest {
        function_name: "echo".into(),
        zip_file: Some(zip_of(&[("app.py", source.as_bytes())]).into()),
        publish: Some(true),
        ..Default::default()
    };
    world.ask::<op::UpdateFunctionCode>(update).await.expect("it is updated");
    let alias = op::CreateAliasRequest {
        function_name: "echo".into(),
        name: "live".into(),
        function_version: "1".into(),
        routing_config: Some(op::AliasRoutingConfiguration {
            additional_version_weights: Some([("2".to_owned(), 0.5)].into()),
        }),
        ..Default::default()
    };
    world.ask::<op::CreateAlias>(alias).await.expect("it is made");
    let mut seen = std::collections::BTreeSet::new();
    // The chance that a hundred fair draws all agree is one in 10³⁰.
    for _ in 0..100 {
        let answer = world.ask::<op::Invoke>(invoke("echo:live", "{}")).await.expect("it answers");
        assert_eq!(json(&answer)["version"].as_str(), answer.executed_version.as_deref());
        seen.extend(answer.executed_version);
        if seen.len() == 2 {
            break;
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["1", "2"]);
}

#[tokio::test]
async fn the_gateway_invokes_without_shapes() {
    let Some(world) = world().await else { return };
    let target = world.functions.resolve_anywhere("echo").expect("it is there");
    let event = Event { payload: Bytes::from_static(b"{\"a\":1}"), ..Event::default() };
    let outcome = world.functions.invoke_target(&world.call(), &target, event).await.expect("it answers");
    let body: serde_json::Value = serde_json::from_slice(&outcome.payload).expect("it is JSON");
    assert_eq!(body["event"]["a"], 1);
    assert!(outcome.report.duration < Duration::from_secs(60));
}

/// Says in `DIR/started` that it runs, and waits for `DIR/go`.
const PATIENT: &str = r#"
import os, time

def handler(event, context):
    folder = event.get("folder")
    if folder:
        open(os.path.join(folder, "started"), "w").close()
        while not os.path.exists(os.path.join(folder, "go")):
            time.sleep(0.005)
    return "done"
"#;

#[tokio::test]
async fn who_hangs_up_keeps_the_place_until_the_function_has_ended() {
    let Some(world) = world().await else { return };
    let update = op::UpdateFunctionCodeRequest {
        function_name: "echo".into(),
        zip_file: Some(zip_of(&[("app.py", PATIENT.as_bytes())]).into()),
        ..Default::default()
    };
    world.ask::<op::UpdateFunctionCode>(update).await.expect("it is updated");
    let one = op::PutFunctionConcurrencyRequest { function_name: "echo".into(), reserved_concurrent_executions: 1 };
    world.ask::<op::PutFunctionConcurrency>(one).await.expect("it fits");
    let folder = tempfile::tempdir().expect("a folder");
    let payload = serde_json::json!({ "folder": folder.path() }).to_string();
    let target = world.functions.resolve_anywhere("echo").expect("it is there");
    let (call, event) = (world.call(), Event { payload: payload.into(), ..Event::default() });
    let started = async {
        while !folder.path().join("started").exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        outcome = world.functions.invoke_target(&call, &target, event) => panic!("it ended: {outcome:?}"),
        started = tokio::time::timeout(Duration::from_secs(60), started) => started.expect("it starts"),
    }
    // The call was dropped, and the function runs on.
    let (code, _) = world.refusal::<op::Invoke>(invoke("echo", "{}")).await;
    assert_eq!(code, "TooManyRequestsException");
    std::fs::write(folder.path().join("go"), "").expect("written");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while world.ask::<op::Invoke>(invoke("echo", "{}")).await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "the place was never given back");
        tokio::task::yield_now().await;
    }
}

/// Writes without end.
const ENDLESS: &str = "exports.handler = awslambda.streamifyResponse(async (event, out) => {
  for (;;) out.write('x'.repeat(65536));
});";

#[tokio::test]
async fn who_does_not_read_a_stream_keeps_it_no_longer_than_its_time_limit() {
    let world = World::new().await;
    if let Err(why) = world.functions.compute.language("nodejs22.x") {
        base::trial::skip(why);
        return;
    }
    let mut input = creation("endless");
    input.runtime = Some("nodejs22.x".into());
    input.handler = Some("index.handler".into());
    input.timeout = Some(1);
    input.code.zip_file = Some(zip_of(&[("index.js", ENDLESS.as_bytes())]).into());
    world.ask::<op::CreateFunction>(input).await.expect("it is made");
    let one = op::PutFunctionConcurrencyRequest { function_name: "endless".into(), reserved_concurrent_executions: 1 };
    world.ask::<op::PutFunctionConcurrency>(one).await.expect("it fits");
    let target = world.functions.resolve_anywhere("endless").expect("it is there");
    let call = world.call();
    let begin = || world.functions.stream(&call, &target.active, None, Event::default());
    let mut unread = begin().await.unwrap_or_else(|fault| panic!("it begins: {fault:?}"));
    // Nobody asks it for anything from here on, and yet its place is free again.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while let Err(fault) = begin().await {
        assert_eq!(fault.code, "TooManyRequestsException");
        assert!(tokio::time::Instant::now() < deadline, "the place was never given back");
        tokio::task::yield_now().await;
    }
    let mut bytes = 0;
    let ending = loop {
        match unread.next().await.expect("it has an end") {
            Part::Piece(piece) => bytes += piece.len(),
            Part::End(ending) => break ending,
        }
    };
    assert!(bytes > 0);
    assert_eq!(ending.error.map(|(kind, _)| kind).as_deref(), Some("Sandbox.Timedout"));
}

#[tokio::test]
async fn what_cannot_be_invoked_is_refused() {
    let world = World::new().await;
    world.create("greet").await;
    let kind =
        |kind: op::InvocationType| op::InvocationRequest { invocation_type: Some(kind), ..invoke("greet", "{}") };
    let large = format!("\"{}\"", "x".repeat(6 << 20));
    for (input, code, message) in [
        (invoke("nobody", "{}"), "ResourceNotFoundException", &*format!("Function not found: {}", arn("nobody"))),
        (invoke("greet:9", "{}"), "ResourceNotFoundException", &*format!("Function not found: {}", arn("greet:9"))),
        (
            invoke("greet:live", "{}"),
            "ResourceNotFoundException",
            &*format!("Function not found: {}", arn("greet:live")),
        ),
        (invoke("greet", "{oops"), "InvalidRequestContentException", "Could not parse request body into json: "),
        (
            invoke("greet", &large),
            "RequestEntityTooLargeException",
            "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
        ),
    ] {
        let (found_code, found_message) = world.refusal::<op::Invoke>(input).await;
        assert_eq!(found_code, code, "{found_message}");
        assert!(found_message.contains(message), "{found_message}");
    }
    let dry = world.ask::<op::Invoke>(kind(op::InvocationType::DryRun)).await.expect("it might");
    assert_eq!((dry.status_code, dry.payload), (Some(204), None));
}
