//! JavaScript: handlers of every form, errors as Lambda shapes them, the context, the log.

use std::time::Duration;

use compute::{FunctionError, LogWish};
use sandbox::{Mode, Part};
use serde_json::Value;

use crate::harness::{Function, Node, REQUEST_ID, invocation, json, plain, text};

const LANGUAGE: &str = "nodejs20.x";

fn script<'a>(files: &'a [(&'a str, &'a str)], handler: &'a str) -> Function<'a> {
    Function { language: LANGUAGE, handler, files }
}

#[tokio::test]
async fn handlers_of_every_form_answer() {
    let node = Node::new(Mode::Auto);
    for (files, handler, payload, expected) in [
        (
            &[("index.js", "exports.handler = async (e) => ({ hello: e.name })")][..],
            "index.handler",
            r#"{"name":"Ada"}"#,
            r#"{"hello":"Ada"}"#,
        ),
        (&[("index.mjs", "export const handler = async (e) => [e, 1]")], "index.handler", "null", "[null,1]"),
        (
            &[("app.js", "export const run = async () => 'esm'"), ("package.json", r#"{"type":"module"}"#)],
            "app.run",
            "{}",
            r#""esm""#,
        ),
        (&[("a/b.js", "exports.deep = { er: async () => 7 }")], "a/b.deep.er", "{}", "7"),
        (&[("lib.cjs", "exports.handler = async () => true")], "lib.handler", "{}", "true"),
        (&[("index.mjs", "export default { handler: async () => 'default' }")], "index.handler", "{}", r#""default""#),
        (&[("index.js", "exports.handler = (e, c, cb) => cb(null, 'called')")], "index.handler", "{}", r#""called""#),
        (
            &[("index.js", "exports.handler = (e, c, cb) => { setTimeout(() => cb(null, 'late'), 5) }")],
            "index.handler",
            "{}",
            r#""late""#,
        ),
        // The answer waits for the event loop to be empty, unless the function says otherwise.
        (
            &[(
                "index.js",
                "exports.handler = (e, c, cb) => { const o = []; cb(null, o); setTimeout(() => o.push('later'), 5) }",
            )],
            "index.handler",
            "{}",
            r#"["later"]"#,
        ),
        (
            &[(
                "index.js",
                "exports.handler = (e, c, cb) => { c.callbackWaitsForEmptyEventLoop = false; setTimeout(() => {}, 3e7); cb(null, 1) }",
            )],
            "index.handler",
            "{}",
            "1",
        ),
        (&[("index.js", "exports.handler = (e, c) => c.succeed('old')")], "index.handler", "{}", r#""old""#),
        // What a handler without a promise returns does not count before Node.js 24.
        (&[("index.js", "exports.handler = () => ({ ignored: true })")], "index.handler", "{}", "null"),
        (&[("index.js", "exports.handler = async () => new Promise(() => {})")], "index.handler", "{}", "null"),
        (&[("index.js", "exports.handler = async () => undefined")], "index.handler", "{}", "null"),
        (&[("index.js", "exports.handler = async () => 'ü€😀'")], "index.handler", "{}", "\"ü€😀\""),
        (
            &[(
                "index.js",
                "exports.handler = async () => process.env.AWS_REGION + process.env.AWS_SESSION_TOKEN + process.env._HANDLER",
            )],
            "index.handler",
            "{}",
            r#""us-east-1tokenindex.handler""#,
        ),
        (
            &[("index.mjs", "const x = await Promise.resolve(5); export const handler = async () => x")],
            "index.handler",
            "{}",
            "5",
        ),
        (
            &[
                (
                    "index.js",
                    "exports.handler = async () => require('fs').readFileSync(process.env.LAMBDA_TASK_ROOT + '/data.txt', 'utf8')",
                ),
                ("data.txt", "read"),
            ],
            "index.handler",
            "{}",
            r#""read""#,
        ),
    ] {
        let Some(image) = node.load(&script(files, handler)).await else { return };
        for _ in 0..2 {
            let outcome = node.call(&image, payload).await;
            assert_eq!((text(&outcome), outcome.error), (expected, None), "{files:?}");
        }
    }
}

#[tokio::test]
async fn node_24_takes_values_and_no_callbacks() {
    let node = Node::new(Mode::Auto);
    let files = [("index.js", "exports.handler = () => ({ counts: true }); exports.old = (e, c, cb) => cb(null, 1)")];
    let function = |handler| Function { language: "nodejs24.x", handler, files: &files };
    let Some(image) = node.load(&function("index.handler")).await else { return };
    assert_eq!(text(&node.call(&image, "{}").await), r#"{"counts":true}"#);
    let image = node.load(&function("index.old")).await.unwrap();
    assert_eq!(json(&node.call(&image, "{}").await)["errorType"], "Runtime.CallbackHandlerDeprecated");
}

#[tokio::test]
async fn errors_have_lambdas_shape() {
    let node = Node::new(Mode::Auto);
    let cases: &[(&str, &str, &str, &str)] = &[
        ("exports.handler = async () => { throw new TypeError('boom') }", "index.handler", "TypeError", "boom"),
        ("exports.handler = () => { throw new Error('sync') }", "index.handler", "Error", "sync"),
        ("exports.handler = (e, c, cb) => cb(new Error('called'))", "index.handler", "Error", "called"),
        ("exports.handler = (e, c, cb) => cb('text')", "index.handler", "string", "text"),
        ("exports.handler = async () => { throw 'text' }", "index.handler", "string", "text"),
        ("exports.handler = async () => 10n", "index.handler", "Error", "Unable to stringify response body"),
        (
            "exports.handler = async () => { const a = {}; a.a = a; return a }",
            "index.handler",
            "Error",
            "Unable to stringify response body",
        ),
        ("exports.other = 1", "index.handler", "Runtime.HandlerNotFound", "index.handler is undefined or not exported"),
        ("exports.handler = 1", "index.handler", "Runtime.HandlerNotFound", "index.handler is not a function"),
        ("exports.handler = 1", "index", "Runtime.MalformedHandlerName", "Bad handler"),
        (
            "exports.handler = async () => {",
            "index.handler",
            "Runtime.UserCodeSyntaxError",
            "SyntaxError: Unexpected end of input",
        ),
        ("require('./nowhere')", "index.handler", "Runtime.ImportModuleError", "Error: Cannot find module './nowhere'"),
        ("1", "absent.handler", "Runtime.ImportModuleError", "Error: Cannot find module 'absent'"),
        ("throw new RangeError('at init')", "index.handler", "RangeError", "at init"),
        (
            "exports.handler = async () => { setTimeout(() => { throw new Error('loose') }); await new Promise(() => setTimeout(() => {}, 1e4)) }",
            "index.handler",
            "Error",
            "loose",
        ),
        (
            "exports.handler = () => { Promise.reject(new Error('lost')); setTimeout(() => {}, 1e4) }",
            "index.handler",
            "Runtime.UnhandledPromiseRejection",
            "Error: lost",
        ),
        (
            "exports.handler = async () => process.exit(3)",
            "index.handler",
            "Runtime.ExitError",
            "Runtime exited with error: exit status 3",
        ),
        (
            "exports.handler = async () => process.exit(0)",
            "index.handler",
            "Runtime.ExitError",
            "Runtime exited without providing a reason",
        ),
        (
            "exports.handler = async () => process.kill(process.pid, 'SIGKILL')",
            "index.handler",
            "Runtime.ExitError",
            "Runtime exited with error: signal: killed",
        ),
        (
            "exports.handler = async () => 'x'.repeat(6291600)",
            "index.handler",
            "Function.ResponseSizeTooLarge",
            "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        ),
    ];
    for (code, handler, kind, message) in cases {
        let Some(image) = node.load(&script(&[("index.js", code)], handler)).await else { return };
        for round in 0..2 {
            let outcome = node.call(&image, "{}").await;
            let document = json(&outcome);
            assert_eq!(outcome.error, Some(FunctionError::Unhandled), "{code}");
            assert_eq!(document["errorType"], *kind, "round {round}: {code}: {document}");
            let told =
                document["errorMessage"].as_str().unwrap().replace(&format!("RequestId: {REQUEST_ID} Error: "), "");
            assert!(told.starts_with(message), "{code}: {document}");
        }
    }
}

#[tokio::test]
async fn a_syntax_error_is_told_with_file_and_line() {
    let node = Node::new(Mode::Auto);
    let broken = "export const a = 1;\nexport const handler = async () => ({ a: 1;\n";
    let good = "export { handler } from './lib/inner.mjs';";
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("index.js", "exports.a = 1;\nexports.handler = ;\n")], "/var/task/index.js:2"),
        (&[("index.mjs", broken)], "/var/task/index.mjs:2"),
        (&[("index.js", broken), ("package.json", r#"{"type":"module"}"#)], "/var/task/index.js:2"),
        (&[("index.mjs", good), ("lib/inner.mjs", broken)], "/var/task/lib/inner.mjs:2"),
    ];
    for (files, place) in cases {
        let Some(image) = node.load(&script(files, "index.handler")).await else { return };
        let document = json(&node.call(&image, "{}").await);
        assert_eq!(document["errorType"], "Runtime.UserCodeSyntaxError", "{document}");
        let first = document["trace"][0].as_str().unwrap();
        assert!(first.ends_with(place), "{document}");
    }
}

#[tokio::test]
async fn error_documents_and_lines_are_whole() {
    let node = Node::new(Mode::Auto);
    let code = "exports.handler = async () => { throw Object.assign(new Error('boom'), { code: 'E1' }) }";
    let Some(image) = node.load(&script(&[("index.js", code)], "index.handler")).await else { return };
    let outcome = node.call(&image, "{}").await;
    let document = json(&outcome);
    let keys: Vec<&String> = document.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["errorType", "errorMessage", "trace"]);
    assert_eq!(document["trace"][0], "Error: boom");
    assert!(document["trace"][1].as_str().unwrap().contains("index.js:1:"), "{document}");
    let log = node.log(&outcome).await;
    let line = log.lines().find(|line| line.contains("Invoke Error")).unwrap();
    let (head, error) = line.split_once("Invoke Error \t").unwrap();
    assert!(head.ends_with(&format!("\t{REQUEST_ID}\tERROR\t")), "{head}");
    let error: Value = serde_json::from_str(error).unwrap();
    assert_eq!(
        (&error["errorType"], &error["errorMessage"], &error["code"]),
        (&"Error".into(), &"boom".into(), &"E1".into())
    );
    assert_eq!(error["stack"][0], "Error: boom");
}

#[tokio::test]
async fn the_log_reads_as_lambdas() {
    let node = Node::new(Mode::Auto);
    let code = "console.log('at init'); exports.handler = async (e) => { console.log('one %d', 1, { a: 2 }); \
                console.error('two\\nlines'); console.warn('w'); console.debug('d'); console.info('i'); \
                process.stdout.write('raw\\n'); process.stderr.write('no line end'); return 1 }";
    let Some(image) = node.load(&script(&[("index.js", code)], "index.handler")).await else { return };
    let outcome = node.call(&image, "{}").await;
    let log = plain(&node.log(&outcome).await);
    let id = REQUEST_ID;
    let version = node.compute.language(LANGUAGE).unwrap().interpreter.unwrap().version;
    let call = format!(
        "START RequestId: {id} Version: $LATEST\n\
         T\t{id}\tINFO\tone 1 {{ a: 2 }}\n\
         T\t{id}\tERROR\ttwo\nlines\n\
         T\t{id}\tWARN\tw\nT\t{id}\tDEBUG\td\nT\t{id}\tINFO\ti\n\
         raw\nno line endEND RequestId: {id}\n"
    );
    let report = format!(
        "REPORT RequestId: {id}\tDuration: N ms\tBilled Duration: N ms\tMemory Size: N MB\tMax Memory Used: N MB\t"
    );
    assert_eq!(
        log,
        format!(
            "INIT_START Runtime Version: nodejs:{version}\nT\tundefined\tINFO\tat init\n{call}{report}Init Duration: N ms\t\n"
        )
    );
    let tail = plain(&String::from_utf8(outcome.log_tail.unwrap()).unwrap());
    assert_eq!(tail, format!("{call}{report}Init Duration: N ms\t\n"));
    // The second call is warm, and its tail is its own.
    let outcome = node.call(&image, "{}").await;
    assert_eq!(plain(&String::from_utf8(outcome.log_tail.unwrap()).unwrap()), format!("{call}{report}\n"));
    assert!(!outcome.report.cold && outcome.report.init.is_none());
}

#[tokio::test]
async fn the_context_is_whole() {
    let node = Node::new(Mode::Auto);
    let code = "exports.handler = async (e, c) => ({ ...c, left: c.getRemainingTimeInMillis(), trace: process.env._X_AMZN_TRACE_ID, env: process.env.MINE })";
    let image = node
        .load_with(&script(&[("index.js", code)], "index.handler"), |settings| {
            settings.timeout = Duration::from_secs(7);
            settings.environment.insert("MINE".to_owned(), "ü=1".to_owned());
        })
        .await;
    let Some(image) = image else { return };
    let mut call = invocation("{}");
    call.client_context = Some(r#"{"custom":{"k":"v"}}"#.to_owned());
    call.cognito_identity = Some(r#"{"cognitoIdentityId":"i"}"#.to_owned());
    call.log = LogWish::None;
    let outcome = node.compute.run(&image, call).await.unwrap();
    assert!(outcome.log_tail.is_none());
    let context = json(&outcome);
    let stream = outcome.report.log_stream.as_str();
    assert!(stream.contains("/[$LATEST]") && stream.len() == 10 + 1 + 9 + 32, "{stream}");
    for (field, expected) in [
        ("functionName", "f".into()),
        ("functionVersion", "$LATEST".into()),
        ("invokedFunctionArn", "arn:aws:lambda:us-east-1:000000000000:function:f:live".into()),
        ("memoryLimitInMB", "256".into()),
        ("awsRequestId", REQUEST_ID.into()),
        ("logGroupName", "/aws/lambda/f".into()),
        ("logStreamName", stream.into()),
        ("callbackWaitsForEmptyEventLoop", true.into()),
        ("clientContext", serde_json::json!({ "custom": { "k": "v" } })),
        ("identity", serde_json::json!({ "cognitoIdentityId": "i" })),
        ("trace", "Root=1-5e1b4151-5ac6c58dc39a6b6b1b8c3c3a".into()),
        ("env", "ü=1".into()),
    ] {
        assert_eq!(context[field], expected, "{field}");
    }
    let left = context["left"].as_i64().unwrap();
    assert!((1..=7000).contains(&left), "{left}");
}

#[tokio::test]
async fn a_time_out_ends_the_instance_and_the_next_call_works() {
    let node = Node::new(Mode::Auto);
    let code = "exports.handler = async (e) => { console.log('begun'); if (e.hang) { for (;;); } return 'fine' }";
    let image = node
        .load_with(&script(&[("index.js", code)], "index.handler"), |settings| {
            settings.timeout = Duration::from_secs(1)
        })
        .await;
    let Some(image) = image else { return };
    let first = node.call(&image, "{}").await;
    let outcome = node.call(&image, r#"{"hang":1}"#).await;
    assert_eq!(
        text(&outcome),
        format!(
            r#"{{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: {REQUEST_ID} Error: Task timed out after 1.00 seconds"}}"#
        )
    );
    assert_eq!(outcome.report.log_stream, first.report.log_stream);
    assert!(outcome.report.duration >= Duration::from_secs(1) && outcome.report.duration < Duration::from_secs(10));
    let log = plain(&node.log(&outcome).await);
    let id = REQUEST_ID;
    assert!(
        log.ends_with(&format!(
            "START RequestId: {id} Version: $LATEST\nT\t{id}\tINFO\tbegun\nT {id} Task timed out after 1.00 seconds\n\
             END RequestId: {id}\nREPORT RequestId: {id}\tDuration: N ms\tBilled Duration: N ms\tMemory Size: N MB\t\
             Max Memory Used: N MB\tStatus: timeout\n"
        )),
        "{log}"
    );
    let next = node.call(&image, "{}").await;
    assert_eq!(text(&next), r#""fine""#);
    assert!(next.report.cold && next.report.log_stream != first.report.log_stream);
}

#[tokio::test]
async fn what_earlier_calls_left_behind_gets_its_turn() {
    let node = Node::new(Mode::Auto);
    let code =
        "let ticks = 0; exports.handler = async (e) => { if (e.start) setTimeout(() => ticks++, 1); return ticks }";
    let Some(image) = node.load(&script(&[("index.js", code)], "index.handler")).await else { return };
    assert_eq!(text(&node.call(&image, r#"{"start":1}"#).await), "0");
    let mut seen = String::new();
    for _ in 0..1000 {
        seen = text(&node.call(&image, "{}").await).to_owned();
        if seen == "1" {
            break;
        }
    }
    assert_eq!(seen, "1");
}

#[tokio::test]
async fn large_events_and_answers_pass() {
    let node = Node::new(Mode::Auto);
    let code = "exports.handler = async (e) => e";
    let Some(image) = node.load(&script(&[("index.js", code)], "index.handler")).await else { return };
    for length in [10, 65_000, 65_536, 1_000_000, 6_000_000] {
        let payload = format!("\"{}\"", "é".repeat(length / 2));
        let outcome = node.call(&image, &payload).await;
        assert!(text(&outcome) == payload, "{length}: {:?}", outcome.error);
    }
}

#[tokio::test]
async fn too_much_memory_ends_the_instance() {
    let node = Node::new(Mode::Auto);
    let code = "exports.handler = async (e) => { if (!e.eat) return 'fine'; const all = []; for (;;) { all.push(Buffer.alloc(8 << 20, 1)); await new Promise(r => setTimeout(r, 5)) } }";
    let image =
        node.load_with(&script(&[("index.js", code)], "index.handler"), |settings| settings.memory_mb = 128).await;
    let Some(image) = image else { return };
    let outcome = node.call(&image, r#"{"eat":1}"#).await;
    assert_eq!(
        text(&outcome),
        format!(
            r#"{{"errorType":"Runtime.OutOfMemory","errorMessage":"RequestId: {REQUEST_ID} Error: Runtime exited with error: signal: killed"}}"#
        )
    );
    assert_eq!(outcome.report.memory_peak_mb, 128);
    assert_eq!(text(&node.call(&image, "{}").await), r#""fine""#);
}

#[tokio::test(flavor = "multi_thread")]
async fn options_of_the_interpreter_may_name_the_code() {
    let node = Node::new(Mode::Auto);
    let files =
        [("index.js", "exports.handler = async () => globalThis.before"), ("first.js", "globalThis.before = 'here'")];
    let function = Function { language: "nodejs20.x", handler: "index.handler", files: &files };
    if !node.compute.isolation().has(Part::Namespaces) {
        return base::trial::skip("the code has no fixed place here");
    }
    let options = "--require /var/task/first.js".to_owned();
    let load =
        node.load_with(&function, |settings| drop(settings.environment.insert("NODE_OPTIONS".to_owned(), options)));
    let Some(image) = load.await else { return };
    assert_eq!(text(&node.call(&image, "{}").await), r#""here""#);
}

#[tokio::test]
async fn memory_is_told_with_the_interpreter_s_pages() {
    let node = Node::new(Mode::Auto);
    for name in ["first", "second"] {
        let files = [("index.js", "exports.handler = async () => 1")];
        let function = script(&files, "index.handler");
        let Some(image) = node.load_with(&function, |settings| settings.arn += name).await else { return };
        // Whoever reads the interpreter's file first is charged for it; all have it.
        let outcome = node.call(&image, "1").await;
        assert!((20..=256).contains(&outcome.report.memory_peak_mb), "{name}: {} MB", outcome.report.memory_peak_mb);
    }
    for instance in node.compute.instances() {
        // A share of what all processes of this interpreter have, however many there are.
        assert!(instance.memory_bytes > 4 << 20, "{} bytes", instance.memory_bytes);
    }
}
