//! Layers: where each language finds what they bring, and which of several counts.

use compute::{CodeId, Settings};
use sandbox::Mode;
use serde_json::json;

use crate::harness::{Function, Node, json as parse, zip};

/// Prepares layers and makes them a function's.
async fn layers(node: &Node, packages: &[&[(&str, &str)]]) -> Vec<CodeId> {
    let mut layers = Vec::new();
    for files in packages {
        layers.push(node.compute.prepare(zip(files)).await.unwrap());
    }
    assert_eq!(node.compute.lay(&layers).await.unwrap(), Some(()));
    layers
}

async fn answer(node: &Node, function: &Function<'_>, layers: Vec<CodeId>) -> Option<serde_json::Value> {
    let image = node.load_with(function, |settings: &mut Settings| settings.layers = layers).await?;
    let outcome = node.call(&image, "{}").await;
    Some(parse(&outcome))
}

#[tokio::test]
async fn javascript_finds_modules_of_layers() {
    let node = Node::new(Mode::Auto);
    let layers = layers(
        &node,
        &[
            &[("nodejs/node_modules/colour/index.js", "module.exports = 'red';"), ("shared/kept", "kept")],
            &[("nodejs/node_modules/colour/index.js", "module.exports = 'blue';"), ("shared/later", "later")],
        ],
    )
    .await;
    let source = "const fs = require('fs'); exports.handler = async () => [require('colour'), fs.readdirSync('/opt/shared').sort(), process.env.NODE_PATH.split(':')[1]];";
    let function = Function { language: "nodejs22.x", handler: "index.handler", files: &[("index.js", source)] };
    if let Some(answer) = answer(&node, &function, layers).await {
        assert_eq!(answer, json!(["blue", ["kept", "later"], "/opt/nodejs/node_modules"]));
    }
}

#[tokio::test]
async fn python_finds_packages_of_layers() {
    let node = Node::new(Mode::Auto);
    let layers = layers(&node, &[&[("python/colour.py", "NAME = 'red'"), ("python/own.py", "NAME = 'layer'")]]).await;
    let source =
        "import colour, own, os\ndef handler(event, context):\n  return [colour.NAME, own.NAME, os.listdir('/opt')]";
    let files = &[("app.py", source), ("own.py", "NAME = 'function'")];
    let function = Function { language: "python3.12", handler: "app.handler", files };
    if let Some(answer) = answer(&node, &function, layers).await {
        assert_eq!(answer, json!(["red", "function", ["python"]]), "the function's own comes first");
    }
}

#[tokio::test]
async fn a_layer_may_bring_the_runtime_and_its_programs() {
    if !std::path::Path::new("/usr/bin/python3").exists() {
        base::trial::skip("this bootstrap needs /usr/bin/python3");
        return;
    }
    let node = Node::new(Mode::Auto);
    let bootstrap = "#!/usr/bin/python3\nimport http.client, json, os, subprocess\nwhile True:\n  c = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])\n  c.request('GET', '/2018-06-01/runtime/invocation/next')\n  r = c.getresponse(); r.read()\n  said = subprocess.run(['sh', '-c', '. said'], capture_output=True, text=True).stdout\n  c.request('POST', '/2018-06-01/runtime/invocation/' + r.headers['Lambda-Runtime-Aws-Request-Id'] + '/response', json.dumps([said, os.environ['_HANDLER']]))\n  c.getresponse().read()\n";
    let layers = layers(&node, &[&[("bootstrap", bootstrap), ("bin/said", "printf layer")]]).await;
    let function = Function { language: "provided.al2023", handler: "main.it", files: &[("main", "")] };
    assert_eq!(answer(&node, &function, layers).await, Some(json!(["layer", "main.it"])));
}

#[tokio::test]
async fn later_layers_count_whatever_they_are() {
    let node = Node::new(Mode::Auto);
    let ids = layers(&node, &[&[("a/b", "1"), ("c", "2")], &[("a", "file"), ("c/d", "3")], &[("e", "4")]]).await;
    let path = node.dir.path().join("compute/code").join(CodeId::of_layers(&ids).unwrap().as_str());
    let read = |name: &str| std::fs::read_to_string(path.join(name)).ok();
    assert_eq!((read("a"), read("c/d"), read("e")), (Some("file".into()), Some("3".into()), Some("4".into())));
    assert_eq!(node.compute.unpacked_bytes(&CodeId::of_layers(&ids).unwrap()).await.unwrap(), Some(6));
    assert_eq!(CodeId::of_layers(&ids[..1]), Some(ids[0].clone()));
    assert_eq!(CodeId::of_layers(&[]), None);
    let unknown = [ids[0].clone(), CodeId::of(b"nothing")];
    assert_eq!(node.compute.lay(&unknown).await.unwrap(), None);
}
