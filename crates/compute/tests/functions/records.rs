//! Logs as JSON records: what the platform says, what each language says, and what is left out below a level.

use std::sync::Arc;

use compute::{FunctionError, Image, LogFormat, LogLevel};
use sandbox::Mode;
use serde_json::{Value, json};

use crate::harness::{Function, Node, REQUEST_ID};

fn levels(application: LogLevel, system: LogLevel) -> LogFormat {
    LogFormat::Json { application, system }
}

async fn load(node: &Node, language: &str, code: &str, format: LogFormat) -> Option<Arc<Image>> {
    let (name, handler) = match language.starts_with("python") {
        true => ("app.py", "app.handler"),
        false => ("index.js", "index.handler"),
    };
    let function = Function { language, handler, files: &[(name, code)] };
    node.load_with(&function, |settings| settings.log_format = format).await
}

/// What is in the log of the instance that had a call: records without their times, and text as it is.
async fn records(node: &Node, image: &Arc<Image>, payload: &str) -> Vec<Value> {
    let outcome = node.call(image, payload).await;
    let log = node.log(&outcome).await;
    let read = |line: &str| {
        let Ok(mut record) = serde_json::from_str::<Value>(line) else { return json!(line) };
        for name in ["time", "timestamp"] {
            if let Some(time) = record.as_object_mut().and_then(|fields| fields.remove(name)) {
                let time = time.as_str().unwrap_or_default();
                assert!(time.len() == 24 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{line}");
            }
        }
        record
    };
    log.lines().map(read).filter(|record| record["type"] != "platform.note").collect()
}

/// The types of the platform's records.
fn types(records: &[Value]) -> Vec<&str> {
    records.iter().filter_map(|record| record["type"].as_str()).collect()
}

/// What is not the platform's.
fn own(records: Vec<Value>) -> Vec<Value> {
    records.into_iter().filter(|record| record.get("type").is_none()).collect()
}

#[tokio::test]
async fn the_platform_says_as_much_as_it_is_asked_for() {
    let node = Node::new(Mode::Auto);
    let code = "exports.handler = async (event) => { if (event.fail) throw new RangeError('no'); return 1; }";
    for (level, fine, failed) in [
        (
            LogLevel::Debug,
            &["initStart", "initRuntimeDone", "initReport", "start", "runtimeDone", "report"][..],
            &["start", "runtimeDone", "report"][..],
        ),
        (LogLevel::Info, &["initStart", "start", "report"], &["start", "runtimeDone", "report"]),
        (LogLevel::Warn, &[], &["runtimeDone", "report"]),
    ] {
        let Some(image) = load(&node, "nodejs24.x", code, levels(LogLevel::Fatal, level)).await else { return };
        let first = records(&node, &image, "{}").await;
        let expected: Vec<String> = fine.iter().map(|name| format!("platform.{name}")).collect();
        assert_eq!(types(&first), expected, "{level:?}: {first:?}");
        let all = records(&node, &image, r#"{"fail":true}"#).await;
        let second = &all[first.len()..];
        let expected: Vec<String> = failed.iter().map(|name| format!("platform.{name}")).collect();
        assert_eq!(types(second), expected, "{level:?}: {second:?}");
        let report = &second[second.len() - 1]["record"];
        assert_eq!((&report["status"], &report["errorType"]), (&json!("error"), &json!("RangeError")));
        assert!(report["metrics"]["billedDurationMs"].as_u64().is_some_and(|ms| ms >= 1), "{report}");
        assert_eq!(report["metrics"]["memorySizeMB"], 256);
        assert_eq!(report["requestId"], REQUEST_ID);
        node.compute.retire(&image.arn);
    }
}

#[tokio::test]
async fn python_logs_records() {
    let node = Node::new(Mode::Auto);
    let code = "import logging, os\nlog = logging.getLogger('shop')\ndef handler(e, c):\n  \
                if e.get('fail'): raise KeyError('k')\n  print('printed')\n  log.debug('hidden')\n  \
                log.info('sold %d', 2, extra={'item': 'tea', 'odd': {1}})\n  try: 1 / 0\n  \
                except ZeroDivisionError: log.exception('bad')\n  print('{\"level\": \"debug\"}')\n  \
                return [os.environ['AWS_LAMBDA_LOG_FORMAT'], os.environ['AWS_LAMBDA_LOG_LEVEL']]";
    let format = levels(LogLevel::Info, LogLevel::Warn);
    let Some(image) = load(&node, "python3.13", code, format).await else { return };
    assert_eq!(crate::harness::text(&node.call(&image, "{}").await), r#"["JSON", "INFO"]"#);
    let mut said = own(records(&node, &image, "{}").await);
    let mut error = said.pop().expect("it is the last");
    assert_eq!(
        said[said.len() - 2..],
        [
            json!("printed"),
            json!({
                "level": "INFO", "message": "sold 2", "logger": "shop", "requestId": REQUEST_ID, "item": "tea",
                "odd": "{1}",
            }),
        ]
    );
    assert!(error["stackTrace"].take().to_string().contains("1 / 0"));
    assert!(error["location"].take().as_str().is_some_and(|place| place.ends_with("app.py:handler:9")), "{error}");
    assert_eq!(
        error,
        json!({
            "level": "ERROR", "message": "bad", "logger": "shop", "stackTrace": null, "errorType": "ZeroDivisionError",
            "errorMessage": "division by zero", "requestId": REQUEST_ID, "location": null,
        })
    );
    let mut failed = own(records(&node, &image, r#"{"fail":1}"#).await).pop().expect("it is the last");
    assert!(failed["stackTrace"].take().to_string().contains("raise KeyError"));
    assert_eq!(
        failed,
        json!({
            "level": "ERROR", "errorMessage": "'k'", "errorType": "KeyError", "requestId": REQUEST_ID, "stackTrace": null,
        })
    );
}

#[tokio::test]
async fn javascript_logs_records() {
    let node = Node::new(Mode::Auto);
    let code = "exports.handler = async (event) => {\n  console.debug('hidden');\n  console.log('one');\n  \
                console.info({ a: [1] });\n  console.warn('%d of', 2, 'three');\n  \
                console.error('went wrong:', new TypeError('bad'));\n  \
                console.error(new RangeError('far'), 'off');\n  const loop = {}; loop.self = loop;\n  \
                console.log(loop);\n  if (event.fail) throw new TypeError('no');\n};";
    let format = levels(LogLevel::Info, LogLevel::Warn);
    let Some(image) = load(&node, "nodejs22.x", code, format).await else { return };
    let mut said = own(records(&node, &image, r#"{"fail":1}"#).await);
    let record = |level: &str, message: Value| json!({ "level": level, "requestId": REQUEST_ID, "message": message });
    let mut failed = said.pop().expect("it is the last");
    assert!(failed["message"]["stackTrace"].take()[0] == "TypeError: no");
    assert_eq!(failed, record("ERROR", json!({ "errorType": "TypeError", "errorMessage": "no", "stackTrace": null })));
    let wrong = said.remove(3);
    assert!(wrong["message"].as_str().is_some_and(|text| text.starts_with("went wrong: TypeError: bad")), "{wrong}");
    assert_eq!((&wrong["errorType"], &wrong["errorMessage"]), (&json!("TypeError"), &json!("bad")));
    let wrong = said.remove(3);
    assert_eq!((&wrong["errorType"], &wrong["errorMessage"]), (&json!("RangeError"), &json!("far")));
    assert_eq!(
        said[..3],
        [record("INFO", json!("one")), record("INFO", json!({ "a": [1] })), record("WARN", json!("2 of three"))]
    );
    assert!(said[3]["message"].as_str().is_some_and(|text| text.contains("[Circular *1]")), "{said:?}");
    assert_eq!(said.len(), 4);
}

#[tokio::test]
async fn other_programs_are_told_and_their_records_are_looked_at() {
    let node = Node::new(Mode::Auto);
    let bootstrap = "#!/bin/sh\necho \"$AWS_LAMBDA_LOG_FORMAT $AWS_LAMBDA_LOG_LEVEL\"\necho '{\"level\":\"info\"}'\n\
                     echo '{\"level\":\"error\",\"a\":1}'\nexit 3\n";
    let function = Function { language: "provided.al2023", handler: "x", files: &[("bootstrap", bootstrap)] };
    let change = |settings: &mut compute::Settings| settings.log_format = levels(LogLevel::Error, LogLevel::Info);
    let image = node.load_with(&function, change).await.expect("it needs nothing");
    let all = records(&node, &image, "{}").await;
    assert_eq!(own(all.clone()), [json!("JSON ERROR"), json!({ "level": "error", "a": 1 })]);
    let outcome = node.call(&image, "{}").await;
    assert_eq!(outcome.error, Some(FunctionError::Unhandled));
    let fault = all.iter().find(|record| record["type"] == "platform.fault").expect("it says what it died of");
    assert_eq!(fault["record"]["message"], "Runtime exited with error: exit status 3");
    let report = all.iter().find(|record| record["type"] == "platform.report").expect("there is one");
    assert_eq!(
        (&report["record"]["status"], &report["record"]["errorType"]),
        (&json!("failure"), &json!("Runtime.ExitError"))
    );
}
