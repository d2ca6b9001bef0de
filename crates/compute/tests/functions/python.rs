//! Python: handlers, errors as Lambda shapes them, the context, logging.

use std::time::Duration;

use compute::FunctionError;
use sandbox::Mode;

use crate::harness::{Function, Node, REQUEST_ID, invocation, json, plain, text, zip_with_folder};

const LANGUAGE: &str = "python3.13";

fn script<'a>(files: &'a [(&'a str, &'a str)], handler: &'a str) -> Function<'a> {
    Function { language: LANGUAGE, handler, files }
}

#[tokio::test]
async fn handlers_answer() {
    let node = Node::new(Mode::Auto);
    for (files, handler, payload, expected) in [
        (
            &[("app.py", "def handler(event, context):\n  return {'hello': event['name']}")][..],
            "app.handler",
            r#"{"name":"Ada"}"#,
            r#"{"hello": "Ada"}"#,
        ),
        (&[("app.py", "def handler(event, context): pass")], "app.handler", "1", "null"),
        (&[("a/b.py", "def run(e, c): return 'deep'"), ("a/__init__.py", "")], "a/b.run", "{}", r#""deep""#),
        (&[("a/b.py", "def run(e, c): return 'deep'")], "a.b.run", "{}", r#""deep""#),
        (
            &[("app.py", "import lib\ndef handler(e, c): return lib.X"), ("lib.py", "X = [1, 2]")],
            "app.handler",
            "{}",
            "[1, 2]",
        ),
        (
            &[("app.py", "class C:\n  def __call__(self, e, c): return 'object'\nhandler = C()")],
            "app.handler",
            "{}",
            r#""object""#,
        ),
        (&[("app.py", "def handler(e, c): return 'ü€😀'")], "app.handler", "{}", "\"ü€😀\""),
        // Tables' numbers are decimals in Python.
        (
            &[(
                "app.py",
                "from decimal import Decimal as D\ndef handler(e, c): return [D('1.10'), {'n': D(7)}, D('1E+30'), '1.10', b'text']",
            )],
            "app.handler",
            "{}",
            r#"[1.10, {"n": 7}, 1E+30, "1.10", "text"]"#,
        ),
        (&[("app.py", "def handler(e, c): return b'<p>'")], "app.handler", "{}", "<p>"),
        (
            &[(
                "app.py",
                "import os\ndef handler(e, c): return os.environ['_HANDLER'] + os.environ['AWS_ACCESS_KEY_ID'] + os.environ['_X_AMZN_TRACE_ID'][:6]",
            )],
            "app.handler",
            "{}",
            r#""app.handlerASIATESTRoot=1""#,
        ),
        (
            &[(
                "app.py",
                "import multiprocessing, ssl, sqlite3, hashlib\ndef handler(e, c): return hashlib.sha256(b'').hexdigest()[:6]",
            )],
            "app.handler",
            "{}",
            r#""e3b0c4""#,
        ),
    ] {
        let Some(image) = node.load(&script(files, handler)).await else { return };
        for _ in 0..2 {
            let outcome = node.call(&image, payload).await;
            assert_eq!((text(&outcome), outcome.error), (expected, None), "{files:?}");
        }
    }
}

/// Events and answers are read and written past the package `json`: it must not be noticed.
#[tokio::test]
async fn what_reads_and_writes_json_does_it_as_the_package_does() {
    let node = Node::new(Mode::Auto);
    let code = include_str!("json_cases.py");
    let Some(image) = node.load(&script(&[("app.py", code)], "app.handler")).await else { return };
    for (payload, expected) in [
        (r#"{"cases": true}"#, "[]"),
        (r#""simplejson""#, "[]"),
        (" {\"text\" : \"\\ud83d\\ude00 \u{e9}\", \"number\":-1.5e3}\n", "{\"text\": \"😀 é\", \"number\": -1500.0}"),
    ] {
        let outcome = node.call(&image, payload).await;
        assert_eq!((text(&outcome), outcome.error), (expected, None), "{payload}");
    }
    let outcome = node.call(&image, r#""circle""#).await;
    assert_eq!(json(&outcome)["errorMessage"], "Unable to marshal response: Circular reference detected");
    // Versions of Python word it differently.
    let outcome = node.call(&image, r#""deep""#).await;
    assert_eq!(json(&outcome)["errorType"], "Runtime.MarshalError", "{}", text(&outcome));
    let outcome = node.call(&image, &"1".repeat(5000)).await;
    assert_eq!(json(&outcome)["errorType"], "Runtime.UnmarshalError", "{}", text(&outcome));
}

/// Lambda has them loaded before it comes to the function's own.
#[tokio::test]
async fn modules_of_a_function_do_not_stand_in_for_those_that_lambda_has_loaded() {
    let node = Node::new(Mode::Auto);
    let app = "import mine\ndef handler(e, c):\n  import logging, string\n  logging.getLogger().warning('told')\n  \
               if e: raise ValueError(string.digits)\n  return mine.X\n";
    let mut files = vec![("app.py", app), ("mine.py", "X = 'mine'")];
    files.extend(
        ["decimal.py", "fcntl.py", "json.py", "logging.py", "re.py", "string.py", "token.py"]
            .map(|name| (name, "X = 1")),
    );
    let Some(image) = node.load(&script(&files, "app.handler")).await else { return };
    for _ in 0..2 {
        let outcome = node.call(&image, "1").await;
        assert_eq!(json(&outcome)["errorMessage"], "0123456789", "{}", text(&outcome));
        assert_eq!(json(&outcome)["errorType"], "ValueError");
        let log = node.log(&outcome).await;
        assert!(log.contains("[WARNING]") && log.contains("\ttold\n"), "{log}");
    }
    assert_eq!(text(&node.call(&image, "0").await), r#""mine""#);
}

/// What a function does to its standard streams ends no instance.
#[tokio::test]
async fn standard_streams_may_be_closed_or_replaced() {
    let node = Node::new(Mode::Auto);
    let app = "import os, sys\nclass Mute:\n  def write(self, text): return len(text)\nclass Odd(Mute):\n  \
               def flush(self): raise KeyError('flush')\n\
               def handler(e, c):\n  if e == 'close': sys.stdout.close()\n  if e == 'none': sys.stdout = sys.stderr = None\n  \
               if e == 'mute': sys.stdout = Mute(); print('unheard')\n  if e == 'odd': sys.stderr = Odd()\n  return os.getpid()\n";
    let Some(image) = node.load(&script(&[("app.py", app)], "app.handler")).await else { return };
    let first = node.call(&image, r#""first""#).await;
    for what in ["close", "none", "mute", "odd", "last"] {
        let outcome = node.call(&image, &format!("\"{what}\"")).await;
        assert_eq!((text(&outcome), outcome.error), (text(&first), None), "{what}");
    }
}

#[tokio::test]
async fn errors_have_lambdas_shape() {
    let node = Node::new(Mode::Auto);
    for (code, handler, kind, message) in [
        ("def handler(e, c): raise ValueError('boom')", "app.handler", "ValueError", "boom"),
        (
            "def handler(e, c): return {1, 2}",
            "app.handler",
            "Runtime.MarshalError",
            "Unable to marshal response: Object of type set is not JSON serializable",
        ),
        (
            "def handler(e, c): return {'mean': float('nan')}",
            "app.handler",
            "Runtime.MarshalError",
            "Unable to marshal response: Out of range float values are not JSON compliant: nan",
        ),
        (
            "from decimal import Decimal\ndef handler(e, c): return Decimal('-Infinity')",
            "app.handler",
            "Runtime.MarshalError",
            "Unable to marshal response: Out of range float values are not JSON compliant: -Infinity",
        ),
        ("def other(): pass", "app.handler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        (
            "import nowhere",
            "app.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'nowhere'",
        ),
        (
            "",
            "absent.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'absent': No module named 'absent'",
        ),
        (
            "def handler(:",
            "app.handler",
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'app': invalid syntax (app.py, line 1)",
        ),
        (
            "",
            "app",
            "Runtime.MalformedHandlerName",
            "Bad handler 'app': not enough values to unpack (expected 2, got 1)",
        ),
        ("raise RuntimeError('at init')", "app.handler", "RuntimeError", "at init"),
        (
            "import sys\ndef handler(e, c): sys.exit(5)",
            "app.handler",
            "Runtime.ExitError",
            "Runtime exited with error: exit status 5",
        ),
        (
            "import os\ndef handler(e, c): os.abort()",
            "app.handler",
            "Runtime.ExitError",
            "Runtime exited with error: signal: aborted",
        ),
        (
            "def handler(e, c): return 'x' * 6291600",
            "app.handler",
            "Function.ResponseSizeTooLarge",
            "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        ),
    ] {
        let Some(image) = node.load(&script(&[("app.py", code)], handler)).await else { return };
        for round in 0..2 {
            let outcome = node.call(&image, "{}").await;
            let document = json(&outcome);
            assert_eq!(outcome.error, Some(FunctionError::Unhandled), "{code}");
            let told =
                document["errorMessage"].as_str().unwrap().replace(&format!("RequestId: {REQUEST_ID} Error: "), "");
            assert_eq!((document["errorType"].as_str(), told.as_str()), (Some(kind), message), "round {round}: {code}");
        }
    }
}

#[tokio::test]
async fn error_documents_and_lines_are_whole() {
    let node = Node::new(Mode::Auto);
    let code = "def inner():\n    raise KeyError('k')\n\ndef handler(e, c):\n    inner()\n";
    let Some(image) = node.load(&script(&[("app.py", code)], "app.handler")).await else { return };
    let outcome = node.call(&image, "{}").await;
    let root = if node.compute.isolation().has(sandbox::Part::Namespaces) { "/var/task".to_owned() } else { return };
    assert_eq!(
        text(&outcome),
        format!(
            r#"{{"errorMessage": "'k'", "errorType": "KeyError", "requestId": "{REQUEST_ID}", "stackTrace": ["  File \"{root}/app.py\", line 5, in handler\n    inner()\n", "  File \"{root}/app.py\", line 2, in inner\n    raise KeyError('k')\n"]}}"#
        )
    );
    let log = node.log(&outcome).await;
    let expected = format!(
        "[ERROR] KeyError: 'k'\nTraceback (most recent call last):\n  File \"{root}/app.py\", line 5, in handler\n    inner()\n  \
         File \"{root}/app.py\", line 2, in inner\n    raise KeyError('k')\nEND RequestId"
    );
    assert!(log.contains(&expected), "{log}");
}

#[tokio::test]
async fn printing_and_logging_read_as_lambdas() {
    let node = Node::new(Mode::Auto);
    let code = "import logging, sys\nprint('at init')\nlog = logging.getLogger()\nlog.setLevel('INFO')\ndef handler(e, c):\n  \
                print('one')\n  log.info('two %d', 2)\n  logging.getLogger('x').warning('three\\nlines')\n  log.debug('hidden')\n  \
                sys.stderr.write('err\\n')\n  print('open', end='')\n  return 1";
    let Some(image) = node.load(&script(&[("app.py", code)], "app.handler")).await else { return };
    let outcome = node.call(&image, "{}").await;
    let log = plain(&node.log(&outcome).await);
    let id = REQUEST_ID;
    let version = node.compute.language(LANGUAGE).unwrap().interpreter.unwrap().version;
    assert_eq!(
        log,
        format!(
            "INIT_START Runtime Version: python:{version}\nat init\nSTART RequestId: {id} Version: $LATEST\none\n\
             [INFO]\tT\t{id}\ttwo 2\n[WARNING]\tT\t{id}\tthree\nlines\nerr\nopenEND RequestId: {id}\n\
             REPORT RequestId: {id}\tDuration: N ms\tBilled Duration: N ms\tMemory Size: N MB\tMax Memory Used: N MB\t\
             Init Duration: N ms\t\n"
        )
    );
}

#[tokio::test]
async fn the_context_is_whole() {
    let node = Node::new(Mode::Auto);
    let code = "def handler(e, c):\n  return [c.function_name, c.function_version, c.invoked_function_arn, c.memory_limit_in_mb, \
                c.aws_request_id, c.log_group_name, c.log_stream_name, c.client_context.custom, c.client_context.client.app_title, \
                c.identity.cognito_identity_id, 0 < c.get_remaining_time_in_millis() <= 7000]";
    let image = node
        .load_with(&script(&[("app.py", code)], "app.handler"), |settings| settings.timeout = Duration::from_secs(7))
        .await;
    let Some(image) = image else { return };
    let mut call = invocation("{}");
    call.client_context = Some(r#"{"custom":{"k":"v"},"client":{"app_title":"t"}}"#.to_owned());
    call.cognito_identity = Some(r#"{"cognitoIdentityId":"i"}"#.to_owned());
    let outcome = node.compute.run(&image, call).await.unwrap();
    let expected = serde_json::json!([
        "f",
        "$LATEST",
        "arn:aws:lambda:us-east-1:000000000000:function:f:live",
        "256",
        REQUEST_ID,
        "/aws/lambda/f",
        outcome.report.log_stream,
        { "k": "v" },
        "t",
        "i",
        true
    ]);
    assert_eq!(json(&outcome), expected);
}

#[tokio::test]
async fn a_time_out_ends_the_whole_tree_and_the_next_call_works() {
    let node = Node::new(Mode::Auto);
    let code = "import subprocess\ndef handler(e, c):\n  if e: subprocess.run(['sleep', '1000'])\n  return 'fine'";
    let image = node
        .load_with(&script(&[("app.py", code)], "app.handler"), |settings| settings.timeout = Duration::from_secs(1))
        .await;
    let Some(image) = image else { return };
    assert_eq!(json(&node.call(&image, "1").await)["errorType"], "Sandbox.Timedout");
    assert_eq!(text(&node.call(&image, "0").await), r#""fine""#);
}

#[tokio::test(flavor = "multi_thread")]
async fn libraries_in_the_code_are_found() {
    let node = Node::new(Mode::Auto);
    // Any library that the machine has will do, under a name that only the code has.
    let Some(library) = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib/aarch64-linux-gnu/libm.so.6", "/lib64/libm.so.6"]
        .into_iter()
        .find_map(|path| std::fs::read(path).ok())
    else {
        return println!("skipped: no library to try");
    };
    let app = "import ctypes\ndef handler(e, c):\n  return ctypes.CDLL('libonlyhere.so').abs(-7) == 7 or True\n";
    let function = Function { language: "python3.11", handler: "app.handler", files: &[("app.py", app)] };
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("lib")).unwrap();
    std::fs::write(folder.path().join("lib/libonlyhere.so"), library).unwrap();
    let code = node.compute.prepare(zip_with_folder(function.files, folder.path())).await.unwrap();
    let Some(image) = node.load_with(&function, |settings| settings.code = code).await else { return };
    let outcome = node.call(&image, "{}").await;
    assert_eq!((text(&outcome), outcome.error), ("true", None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_answers_again_is_not_heard() {
    let node = Node::new(Mode::Auto);
    let app = "import os\ndef handler(e, c):\n  return [e, os.fork() == 0]\n";
    let function = Function { language: "python3.11", handler: "app.handler", files: &[("app.py", app)] };
    let Some(image) = node.load(&function).await else { return };
    for number in 0..20 {
        let outcome = node.call_apart(&image, &number.to_string()).await;
        assert_eq!(json(&outcome)[0], number, "{}", text(&outcome));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn children_that_print_beside_their_parent_tear_nothing() {
    let node = Node::new(Mode::Auto);
    let app = "import os\ndef handler(e, c):\n  child = os.fork()\n  for _ in range(40): print(('#' if child else '%') * 20000)\n  \
               if child == 0: os._exit(0)\n  os.waitpid(child, 0)\n  return 'whole'\n";
    let function = Function { language: "python3.11", handler: "app.handler", files: &[("app.py", app)] };
    let Some(image) = node.load(&function).await else { return };
    let outcome = node.call_apart(&image, "1").await;
    assert_eq!((text(&outcome), outcome.error.is_none()), (r#""whole""#, true));
    let log = node.log(&outcome).await;
    let count = |of: char| log.chars().filter(|printed| *printed == of).count();
    assert_eq!((count('#'), count('%')), (800_000, 800_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_prints_tears_no_answer_of_its_parent() {
    let node = Node::new(Mode::Auto);
    let app = "import os\ndef handler(e, c):\n  if os.fork() == 0:\n    for number in range(3000): print('child line', number)\n    \
               os._exit(0)\n  return 'y' * 3000000\n";
    let function = Function { language: "python3.11", handler: "app.handler", files: &[("app.py", app)] };
    let Some(image) = node.load(&function).await else { return };
    for _ in 0..3 {
        let outcome = node.call_apart(&image, "1").await;
        assert_eq!((outcome.payload.len(), outcome.error), (3_000_002, None));
        assert!(outcome.payload[1..3_000_001].iter().all(|byte| *byte == b'y'));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_that_print_tear_no_answer() {
    let node = Node::new(Mode::Auto);
    let app = "import threading\ndef talk():\n  while True: print('x' * 500)\nthreading.Thread(target=talk, daemon=True).start()\ndef handler(e, c):\n  return 'y' * 1000000\n";
    let function = Function { language: "python3.11", handler: "app.handler", files: &[("app.py", app)] };
    let Some(image) = node.load(&function).await else { return };
    for _ in 0..5 {
        let outcome = node.call_apart(&image, "1").await;
        assert_eq!((outcome.payload.len(), outcome.error), (1_000_002, None), "{}", text(&outcome));
    }
}
