//! What a function can and cannot do to the host and to other functions. The sandbox's own tests try more; these try what an
//! instance as compute builds it must not be able to do.

use sandbox::{Mode, Part};

use crate::harness::{Function, Node, json, text};

const PROBE: &str = r#"
const fs = require('fs');
const attempt = (what) => { try { return what() } catch (error) { return error.code } };
exports.handler = async (event) => ({
  host: attempt(() => fs.readFileSync(event.secret, 'utf8')),
  code: attempt(() => fs.writeFileSync('/var/task/index.js', 'changed')),
  runtime: attempt(() => fs.writeFileSync('/var/runtime/main.js', 'changed')),
  tmp: attempt(() => fs.readdirSync('/tmp')),
  keep: attempt(() => fs.writeFileSync('/tmp/kept', 'x')),
  fill: attempt(() => fs.writeFileSync('/tmp/large', Buffer.alloc(80 << 20))),
  processes: attempt(() => fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length),
  environment: Object.keys(process.env).filter((name) => name.startsWith('CARGO') || name === 'HOME'),
  user: process.getuid(),
});
"#;

#[tokio::test]
async fn a_function_sees_only_what_is_its_own() {
    let node = Node::new(Mode::Auto);
    if !node.compute.isolation().has(Part::Namespaces) {
        base::trial::skip(node.compute.isolation());
        return;
    }
    let secret = node.dir.path().join("secret");
    std::fs::write(&secret, "the host's").unwrap();
    let function = Function { language: "nodejs20.x", handler: "index.handler", files: &[("index.js", PROBE)] };
    let Some(one) = node.load(&function).await else { return };
    let two = node.load_with(&function, |settings| settings.arn += "two").await.unwrap();
    let event = serde_json::json!({ "secret": secret }).to_string();
    for image in [&one, &two] {
        let seen = json(&node.call(image, &event).await);
        let expected = serde_json::json!({
            "host": "ENOENT",
            "code": "EROFS",
            "runtime": "EROFS",
            "tmp": [],
            "fill": "ENOSPC",
            "processes": 2,
            "environment": [],
            "user": 993,
        });
        assert_eq!(seen, expected);
    }
    // The same instance finds its own files again.
    assert_eq!(json(&node.call(&one, &event).await)["tmp"], serde_json::json!(["kept", "large"]));
}

#[tokio::test]
async fn a_runtime_api_answers_its_own_instance_alone() {
    let node = Node::new(Mode::Auto);
    if !node.compute.isolation().has(Part::OwnUser) {
        base::trial::skip(node.compute.isolation());
        return;
    }
    // A bootstrap that says where its API is, and takes no invocation itself until it was asked for that.
    let bootstrap = "#!/usr/bin/python3\nimport http.client, json, os\n\
        h = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])\n\
        while True:\n  \
          h.request('GET', '/2018-06-01/runtime/invocation/next'); r = h.getresponse(); r.read()\n  \
          i = r.headers['Lambda-Runtime-Aws-Request-Id']\n  \
          h.request('POST', f'/2018-06-01/runtime/invocation/{i}/response', json.dumps(os.environ['AWS_LAMBDA_RUNTIME_API'])); h.getresponse().read()\n";
    if !std::path::Path::new("/usr/bin/python3").exists() {
        base::trial::skip("this bootstrap needs /usr/bin/python3");
        return;
    }
    let function = Function { language: "provided.al2023", handler: "x", files: &[("bootstrap", bootstrap)] };
    let image = node.load(&function).await.unwrap();
    let address: String = serde_json::from_slice(&node.call(&image, "1").await.payload).unwrap();
    // In a network of its own nobody is there; on the host's, whoever comes is closed without a word, or reset.
    if let Ok(mut stream) = tokio::net::TcpStream::connect(&address).await {
        assert!(!node.compute.isolation().has(Part::Network), "it is within reach of the host");
        let question = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut stream, question).await.unwrap();
        let mut answer = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await;
        assert_eq!(String::from_utf8_lossy(&answer), "");
    }
    assert_eq!(text(&node.call(&image, "1").await), format!("\"{address}\""));
}

#[tokio::test]
async fn without_isolation_functions_run_all_the_same() {
    let node = Node::new(Mode::Off);
    assert_eq!(node.compute.isolation().missing().count(), Part::ALL.len());
    for (language, handler, name, code, expected) in [
        (
            "nodejs20.x",
            "index.handler",
            "index.js",
            "exports.handler = async () => process.env.LAMBDA_TASK_ROOT === process.cwd()",
            "true",
        ),
        (
            "python3.13",
            "app.handler",
            "app.py",
            "import os\ndef handler(e, c): return os.environ['LAMBDA_TASK_ROOT'] == os.getcwd()",
            "true",
        ),
        ("nodejs20.x", "index.handler", "index.js", "exports.handler = async () => process.exit(2)", ""),
    ] {
        let Some(image) = node.load(&Function { language, handler, files: &[(name, code)] }).await else { continue };
        let outcome = node.call(&image, "{}").await;
        if expected.is_empty() {
            assert_eq!(json(&outcome)["errorType"], "Runtime.ExitError");
        } else {
            assert_eq!(text(&outcome), expected, "{language}");
        }
    }
}
