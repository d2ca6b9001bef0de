//! `provided`: a bootstrap of a few lines of Python that speaks the Lambda Runtime API, well and badly.

use compute::FunctionError;
use sandbox::Mode;

use crate::harness::{Function, Node, REQUEST_ID, invocation, json, plain, text, zip_with_folder};

/// Speaks HTTP with nothing but the standard library. What the event says is what it does.
const BOOTSTRAP: &str = r#"#!/usr/bin/python3
import http.client, json, os, sys
api = os.environ["AWS_LAMBDA_RUNTIME_API"]
http_ = http.client.HTTPConnection(api)
def ask(method, path, body=None, headers={}):
    http_.request(method, "/2018-06-01/runtime/" + path, body, headers)
    answer = http_.getresponse()
    return answer.status, answer.headers, answer.read()
if os.environ.get("FAIL_INIT"):
    early = ask("POST", "invocation/early/response", "1")
    print(early[0], early[2], sep=", ")
    print(ask("POST", "init/error", json.dumps({"errorType": "Mine.Init", "errorMessage": "no"}), {"Lambda-Runtime-Function-Error-Type": "Mine.Init"})[0])
    sys.exit(1)
if os.environ.get("EXIT_INIT"):
    sys.exit(9)
while True:
    status, headers, event = ask("GET", "invocation/next")
    id = headers["Lambda-Runtime-Aws-Request-Id"]
    event = json.loads(event)
    what = event.get("do") if isinstance(event, dict) else None
    if what == "headers":
        seen = {k.lower(): v for k, v in headers.items() if k.lower().startswith("lambda-runtime-")}
        print(ask("POST", f"invocation/{id}/response", json.dumps(seen)))
    elif what == "error":
        ask("POST", f"invocation/{id}/error", json.dumps({"errorType": "Mine", "errorMessage": "sorry"}))
    elif what == "bad error":
        ask("POST", f"invocation/{id}/error", "words", {"Lambda-Runtime-Function-Error-Type": "Mine.Words"})
    elif what == "odd":
        seen = [ask("POST", "invocation/unknown/response", "1")[0], ask("POST", "nowhere", "1")[0], ask("GET", "init/error")[0], ask("POST", "init/error", "{}")[0]]
        ask("POST", f"invocation/{id}/response", json.dumps(seen))
    elif what == "large":
        print(ask("POST", f"invocation/{id}/response", "x" * 6291557))
    elif what == "exit":
        sys.exit(4)
    else:
        print("echo")
        sys.stdout.flush()
        ask("POST", f"invocation/{id}/response", json.dumps(event))
"#;

fn function(files: &'static [(&'static str, &'static str)]) -> Function<'static> {
    Function { language: "provided.al2023", handler: "ignored", files }
}

const GOOD: &[(&str, &str)] = &[("bootstrap", BOOTSTRAP)];

fn has_python() -> bool {
    let there = std::path::Path::new("/usr/bin/python3").exists();
    if !there {
        base::trial::skip("this bootstrap needs /usr/bin/python3");
    }
    there
}

#[tokio::test]
async fn a_bootstrap_is_served_as_on_lambda() {
    if !has_python() {
        return;
    }
    let node = Node::new(Mode::Auto);
    let image = node.load(&function(GOOD)).await.unwrap();
    let first = node.call(&image, r#"{"a": [1]}"#).await;
    assert_eq!((text(&first), first.error), (r#"{"a": [1]}"#, None));
    for (payload, expected, error) in [
        (r#"{"do":"error"}"#, r#"{"errorType": "Mine", "errorMessage": "sorry"}"#, Some(FunctionError::Unhandled)),
        (
            r#"{"do":"bad error"}"#,
            r#"{"errorType":"Mine.Words","errorMessage":"words"}"#,
            Some(FunctionError::Unhandled),
        ),
        (r#"{"do":"odd"}"#, "[400, 404, 405, 403]", None),
        ("[2]", "[2]", None),
        (
            r#"{"do":"large"}"#,
            r#"{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}"#,
            Some(FunctionError::Unhandled),
        ),
    ] {
        let outcome = node.call(&image, payload).await;
        assert_eq!((text(&outcome), outcome.error), (expected, error), "{payload}");
        if payload.contains("large") {
            break;
        }
        assert_eq!(outcome.report.log_stream, first.report.log_stream, "{payload}: one instance serves them all");
    }
    let log = plain(&node.log(&first).await);
    let id = REQUEST_ID;
    assert!(
        log.starts_with(&format!(
            "INIT_START Runtime Version: provided:al2023\nSTART RequestId: {id} Version: $LATEST\necho\nEND RequestId: {id}\nREPORT"
        )),
        "{log}"
    );
}

#[tokio::test]
async fn next_has_every_header() {
    if !has_python() {
        return;
    }
    let node = Node::new(Mode::Auto);
    let image = node.load(&function(GOOD)).await.unwrap();
    let mut call = invocation(r#"{"do":"headers"}"#);
    call.client_context = Some("{}".to_owned());
    call.cognito_identity = Some("{}".to_owned());
    let outcome = node.compute.run(&image, call).await.unwrap();
    let seen = json(&outcome);
    assert_eq!(seen["lambda-runtime-aws-request-id"], REQUEST_ID);
    assert_eq!(seen["lambda-runtime-invoked-function-arn"], "arn:aws:lambda:us-east-1:000000000000:function:f:live");
    assert_eq!(seen["lambda-runtime-trace-id"], "Root=1-5e1b4151-5ac6c58dc39a6b6b1b8c3c3a");
    assert!(seen["lambda-runtime-deadline-ms"].as_str().unwrap().parse::<u64>().is_ok());
    assert_eq!(seen.as_object().unwrap().len(), 6, "{seen}");
    // What the guest prints after its answer belongs to its next breath; here it is what it got for the answer.
    let again = node.call(&image, "1").await;
    assert!(node.log(&again).await.contains(r#"(202, "#));
}

/// Where the published client for Python is: a folder made by `pip install --target FOLDER awslambdaric` with /usr/bin/python3's
/// version, named in the environment, as `cargo xtask test` does it. Nothing is downloaded here.
const CLIENT: &str = "FREEHOLD_AWSLAMBDARIC";

#[tokio::test]
async fn the_published_client_for_python_works_unchanged() {
    let Some(folder) = std::env::var_os(CLIENT).map(std::path::PathBuf::from) else {
        println!("skipped: {CLIENT} names no folder with PyPI's awslambdaric");
        return;
    };
    let node = Node::new(Mode::Auto);
    let bootstrap = "#!/bin/sh\nPYTHONPATH=$LAMBDA_TASK_ROOT exec /usr/bin/python3 -m awslambdaric $_HANDLER\n";
    let code = "def handler(event, context):\n  print('hello', context.function_name)\n  if event.get('fail'): raise ValueError('boom')\n  \
                return {'id': context.aws_request_id, 'left': context.get_remaining_time_in_millis() > 0}";
    let package = zip_with_folder(&[("bootstrap", bootstrap), ("app.py", code)], &folder);
    let code = node.compute.prepare(package).await.unwrap();
    let change = |handler: &'static str| {
        let code = code.clone();
        move |settings: &mut compute::Settings| {
            settings.code = code;
            settings.handler = handler.to_owned();
            settings.revision += handler;
        }
    };
    let image = node.load_with(&function(GOOD), change("app.handler")).await.unwrap();
    for _ in 0..3 {
        let outcome = node.call(&image, "{}").await;
        assert_eq!(json(&outcome), serde_json::json!({ "id": REQUEST_ID, "left": true }));
        assert!(node.log(&outcome).await.contains("\nhello f\n"));
        let outcome = node.call(&image, r#"{"fail": 1}"#).await;
        assert_eq!(
            (json(&outcome)["errorType"].as_str(), outcome.error),
            (Some("ValueError"), Some(FunctionError::Unhandled))
        );
        assert!(!outcome.report.cold, "the client goes on after an error");
    }
    let image = node.load_with(&function(GOOD), change("absent.handler")).await.unwrap();
    assert_eq!(json(&node.call(&image, "{}").await)["errorType"], "Runtime.ImportModuleError");
}

#[tokio::test]
async fn failures_have_awss_names() {
    if !has_python() {
        return;
    }
    let node = Node::new(Mode::Auto);
    let exit = |code: i32| {
        format!(
            r#"{{"errorType":"Runtime.ExitError","errorMessage":"RequestId: {REQUEST_ID} Error: Runtime exited with error: exit status {code}"}}"#
        )
    };
    for (files, variable, payload, expected) in [
        (GOOD, "", r#"{"do":"exit"}"#, exit(4)),
        (GOOD, "EXIT_INIT", "1", exit(9)),
        (GOOD, "FAIL_INIT", "1", r#"{"errorType": "Mine.Init", "errorMessage": "no"}"#.to_owned()),
        (
            &[("other", "x")],
            "",
            "1",
            format!(
                r#"{{"errorType":"Runtime.InvalidEntrypoint","errorMessage":"RequestId: {REQUEST_ID} Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"}}"#
            ),
        ),
        (&[("bootstrap", "#!/bin/sh\nexit 1\n")], "", "1", exit(1)),
    ] {
        let change = |settings: &mut compute::Settings| {
            settings.environment.insert(variable.to_owned() + "_", String::new());
            settings.environment.insert(variable.to_owned(), "1".to_owned());
            settings.environment.remove("");
            settings.revision += variable;
        };
        let image = node.load_with(&function(files), change).await.unwrap();
        for _ in 0..2 {
            let outcome = node.call(&image, payload).await;
            assert_eq!((text(&outcome), outcome.error), (expected.as_str(), Some(FunctionError::Unhandled)));
            let early =
                "403, b'{\"errorMessage\":\"State transition from Started to InvocationResponse failed for runtime.";
            assert_eq!(node.log(&outcome).await.contains(early), variable == "FAIL_INIT");
        }
    }
}
