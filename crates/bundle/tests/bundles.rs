//! Folders as people have them, and what becomes of them.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use bundle::{ASSETS_BUCKET, Bundle, bundle};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder with these files; a name that ends in `*` is executable.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().expect("there is a place for temporary files");
    for (name, text) in files {
        let path = dir.path().join(name.trim_end_matches('*'));
        fs::create_dir_all(path.parent().expect("it lies in the folder")).expect("folders can be made");
        fs::write(&path, text).expect("files can be written");
        let mode = if name.ends_with('*') { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
    }
    dir
}

fn made(files: &[(&str, &str)]) -> Bundle {
    let dir = folder(files);
    bundle(dir.path()).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(files: &[(&str, &str)]) -> String {
    let dir = folder(files);
    let message = bundle(dir.path()).expect_err("it is refused").to_string();
    message.replace(&dir.path().display().to_string(), "DIR")
}

/// The names, texts and permissions in an archive.
fn unpacked(bytes: &[u8]) -> Vec<(String, String, u32)> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("it is an archive");
    (0..archive.len())
        .map(|index| {
            let mut file = archive.by_index(index).expect("it is there");
            let mut text = String::new();
            file.read_to_string(&mut text).expect("it is text");
            (file.name().expect("it is text").into_owned(), text, file.unix_mode().unwrap_or(0) & 0o777)
        })
        .collect()
}

#[test]
fn folders_say_what_they_are() {
    for (files, runtime, handler) in [
        (&[("index.mjs", "export const handler = 1")][..], "nodejs24.x", "index.handler"),
        (&[("index.js", "exports.greet = 1")], "nodejs24.x", "index.greet"),
        (&[("index.cjs", "")], "nodejs24.x", "index.handler"),
        (
            &[("package.json", "{\"main\": \"./dist/app.js\"}"), ("dist/app.js", ""), ("index.js", "")],
            "nodejs24.x",
            "dist/app.handler",
        ),
        (&[("package.json", "{\"main\": \"src\"}"), ("src/index.js", "")], "nodejs24.x", "src/index.handler"),
        (&[("package.json", "{\"main\": \"../evil.js\"}"), ("index.js", "")], "nodejs24.x", "index.handler"),
        (&[("package.json", "{broken"), ("index.js", "")], "nodejs24.x", "index.handler"),
        (&[("lambda_function.py", "def lambda_handler(e, c): pass")], "python3.13", "lambda_function.lambda_handler"),
        (&[("app.py", "def handler(e, c): pass")], "python3.13", "app.handler"),
        (&[("main.py", "")], "python3.13", "main.handler"),
        (&[("handler.py", "def hello(e, c): pass")], "python3.13", "handler.hello"),
        (&[("bootstrap*", "#!/bin/sh"), ("index.js", "")], "provided.al2023", "bootstrap"),
        (&[("bootstrap", "\0asm\u{1}\0\0\0")], "provided.al2023", "bootstrap"),
        (&[("hello.wasm", "\0asm"), ("readme.md", "")], "provided.al2023", "hello.wasm"),
        (&[("hello.wasm", ""), ("app.wasm", "")], "provided.al2023", "app.wasm"),
        (&[("hello.wasm", ""), ("index.js", "")], "nodejs24.x", "index.handler"),
        (&[("Procfile", "web: ./serve"), ("app.py", "")], "http", "Procfile"),
        (&[("server.py", ""), ("app.py", "")], "http", "server.py"),
        (&[("server.mjs", "")], "http", "server.mjs"),
        (&[("wrangler.toml", ""), ("index.js", "export default { fetch }"), ("server.mjs", "")], "http", "server.mjs"),
        (&[("host.json", "{}"), ("Procfile", "web: FUNCTIONS_CUSTOMHANDLER_PORT=$PORT ./handler")], "http", "Procfile"),
        (&[("package.json", r#"{"scripts": {"start": "next start"}}"#)], "http", "package.json"),
        (
            &[("package.json", r#"{"scripts": {"start": "node ."}}"#), ("index.js", "app.listen(8080)")],
            "http",
            "package.json",
        ),
        (
            &[("package.json", r#"{"scripts": {"start": "node ."}}"#), ("index.js", "exports.handler = 1")],
            "nodejs24.x",
            "index.handler",
        ),
        (
            &[
                ("package.json", r#"{"scripts": {"start": "npx functions-framework --target=hello"}}"#),
                ("index.js", "exports.hello = (request, response) => response.send('hi')"),
            ],
            "http",
            "package.json",
        ),
        (&[("index.js", "app.listen(8080)")], "nodejs24.x", "index.handler"),
    ] {
        let bundle = made(files);
        let resources = bundle.template.get("Resources").expect("a template has resources").to_json();
        let (_, function) = resources.as_object().and_then(|map| map.iter().next()).expect("there is one function");
        assert_eq!(function["Type"], "AWS::Serverless::Function");
        let properties = &function["Properties"];
        assert_eq!((&properties["Runtime"], &properties["Handler"]), (&json!(runtime), &json!(handler)), "{files:?}");
        assert_eq!(properties["CodeUri"], json!({"Bucket": ASSETS_BUCKET, "Key": bundle.assets[0].sha256}));
        assert_eq!(properties["FunctionUrlConfig"], json!({"AuthType": "NONE"}));
        template::Template::from_node(&bundle.template).expect("the template is sound");
    }
}

#[test]
fn folders_of_functions_become_one_application() {
    let bundle = made(&[("one/index.js", ""), ("two-b/app.py", ""), ("notes/readme.md", ""), (".git/index.js", "")]);
    let resources = bundle.template.get("Resources").expect("it has some").to_json();
    let names: Vec<(&str, &Value)> = resources
        .as_object()
        .expect("a map")
        .iter()
        .map(|(id, resource)| (id.as_str(), &resource["Properties"]["FunctionName"]))
        .collect();
    assert_eq!(names, [("One", &json!("one")), ("TwoB", &json!("two-b"))]);
    let outputs = bundle.template.get("Outputs").expect("it has some").to_json();
    assert_eq!(outputs["TwoBUrl"]["Value"], json!({"Fn::GetAtt": ["TwoBUrl", "FunctionUrl"]}));
    assert_eq!((bundle.assets.len(), bundle.sources.len(), bundle.file), (2, 2, None));
}

#[test]
fn source_among_functions_is_left_out_with_a_word() {
    let script = "#!/bin/sh\nexec java Main";
    let bundle = made(&[
        ("raw/bootstrap*", script),
        ("raw/Main.java", ""),
        ("built/bootstrap*", script),
        ("built/Main.java", ""),
        ("built/Main.class", ""),
        ("packed/bootstrap*", script),
        ("packed/pom.xml", ""),
        ("packed/lib/all.jar", ""),
        ("native/bootstrap*", "x"),
        ("native/main.go", ""),
        ("tool/main.go", ""),
        ("notes/readme.md", ""),
    ]);
    let resources = bundle.template.get("Resources").expect("it has some").to_json();
    let names: Vec<&String> = resources.as_object().expect("a map").keys().collect();
    assert_eq!(names, ["Built", "Native", "Packed"]);
    let told: Vec<(bool, bool)> = bundle
        .warnings
        .iter()
        .map(|told| (told.contains("/raw is left out: Java must be"), told.contains("/tool is left out: Go must be")))
        .collect();
    assert_eq!(told, [(true, false), (false, true)]);
}

#[test]
fn what_cannot_be_deployed_says_why() {
    for (files, expected) in [
        (
            &[("readme.md", "")][..],
            "DIR is neither a function nor an application: it has none of template.yaml, bootstrap, Procfile, server.py",
        ),
        (&[("index.ts", "")], "; TypeScript must be compiled to JavaScript first"),
        (&[("lambda_function.rb", "")], "; an executable bootstrap or a Procfile must say what starts it"),
        (&[("Dockerfile", "FROM scratch")], "; an image is built first, and a template names it: PackageType: Image"),
        (&[("bootstrap", "#!/bin/sh")], "DIR/bootstrap is not executable; run: chmod +x DIR/bootstrap"),
        (
            &[("template.yaml", "Resources:\n  A: {Type: T}\n  B: {Type: T, Properties: {X: !Ref Nope}}")],
            "DIR/template.yaml: Template format error: Unresolved resource dependencies [Nope] in the Resources block of the template \
             (line 3)",
        ),
        (
            &[(
                "template.yaml",
                "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: gone\n",
            )],
            "F: CodeUri is 'gone', and DIR/gone does not exist (line 6)",
        ),
        (&[("a-b/index.js", ""), ("a_b/index.js", "")], "would make two functions of the name"),
        (&[("main.go", "")], "DIR is no function yet: Go must be compiled first: CGO_ENABLED=0 go build"),
        (
            &[("bootstrap*", "#!/bin/sh"), ("Main.java", "")],
            "DIR is no function yet: Java must be compiled first: javac",
        ),
        (&[("greet/a.csproj", "")], "DIR/greet is no function yet: .NET must be compiled first: dotnet publish"),
        (
            &[("Cargo.toml", ""), ("src/main.rs", "")],
            "DIR is no function yet: Rust must be compiled first: cargo build",
        ),
        (
            &[("wrangler.toml", "main = 'src/index.ts'"), ("src/index.ts", "")],
            "DIR is no function yet: a Cloudflare Worker is not run as it is. Export a function handler(event, context)",
        ),
        (
            &[("index.mjs", "export default { fetch(request) { return new Response('hi') } }")],
            "DIR is no function yet: a Cloudflare Worker is not run as it is",
        ),
        (
            &[("host.json", "{}"), ("package.json", r#"{"main": "app.js"}"#), ("app.js", "")],
            "DIR is no function yet: an app of Azure Functions needs Azure's host, which is not run here",
        ),
        (&[("one.wasm", ""), ("two.wasm", "")], "DIR is neither a function nor an application"),
    ] {
        let message = refused(files);
        assert!(message.contains(expected), "{message}");
    }
    let message = bundle(Path::new("/no/such/folder")).expect_err("it is not there").to_string();
    assert_eq!(message, "/no/such/folder does not exist");
}

#[test]
fn templates_name_assets_instead_of_paths() {
    let bundle = made(&[
        (
            "template.yaml",
            "Transform: AWS::Serverless-2016-10-31
Globals: {Function: {CodeUri: fn/}}
Resources:
  A: {Type: AWS::Serverless::Function, Properties: {Handler: x.y}}
  B: {Type: AWS::Serverless::Function, Properties: {CodeUri: ./py, Timeout: 3}}
  C: {Type: AWS::Serverless::Function, Properties: {InlineCode: 'exports.handler = 1', Runtime: nodejs24.x, Handler: index.handler}}
  D: {Type: AWS::Lambda::Function, Properties: {Code: ready.zip, Role: r}}
  E: {Type: AWS::Lambda::Function, Properties: {Code: {ZipFile: 'x'}, Role: r}}
  F: {Type: AWS::Serverless::Function, Properties: {CodeUri: 's3://bucket/key'}}
  G: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: fn}}
  H: {Type: AWS::Lambda::LayerVersion, Properties: {Content: {S3Bucket: b, S3Key: k}}}
  I: {Type: AWS::Serverless::Function, Properties: {CodeUri: !Sub '${AWS::Region}'}}
  J: {Type: Other::Type, Properties: {CodeUri: fn}}
",
        ),
        ("fn/index.js", "exports.handler = 1"),
        ("py/app.py", "def handler(e, c): pass"),
        ("ready.zip", "as it is"),
    ]);
    assert_eq!((bundle.assets.len(), bundle.sources.len()), (3, 4));
    assert_eq!(bundle.file.as_deref(), bundle.sources.first().map(PathBuf::as_path));
    let (function, python, ready) = (&bundle.assets[0].sha256, &bundle.assets[1].sha256, &bundle.assets[2].sha256);
    assert_eq!(&bundle.assets[2].bytes[..], b"as it is");
    let at = |path: &str| bundle.template.at(path).unwrap_or_else(|| panic!("{path}")).to_json();
    let serverless = |key: &str| json!({"Bucket": "_assets", "Key": key});
    assert_eq!(at("Globals.Function.CodeUri"), serverless(function));
    assert_eq!(at("Resources.A.Properties"), json!({"Handler": "x.y"}));
    assert_eq!(
        at("Resources.B.Properties"),
        json!({"CodeUri": serverless(python), "Timeout": 3, "Runtime": "python3.13", "Handler": "app.handler"})
    );
    assert_eq!(at("Resources.C.Properties.InlineCode"), json!("exports.handler = 1"));
    assert_eq!(at("Resources.D.Properties.Code"), json!({"S3Bucket": "_assets", "S3Key": ready}));
    assert_eq!(at("Resources.E.Properties.Code"), json!({"ZipFile": "x"}));
    assert_eq!(at("Resources.F.Properties.CodeUri"), json!("s3://bucket/key"));
    assert_eq!(at("Resources.G.Properties.ContentUri"), serverless(function));
    assert_eq!(at("Resources.H.Properties.Content"), json!({"S3Bucket": "b", "S3Key": "k"}));
    assert_eq!(at("Resources.I.Properties.CodeUri"), json!({"Fn::Sub": "${AWS::Region}"}));
    assert_eq!(at("Resources.J.Properties.CodeUri"), json!("fn"));
}

#[test]
fn images_are_named_by_their_whole_path_and_never_built() {
    let template = |uri: &str| {
        format!(
            "Resources:\n  Sam:\n    Type: AWS::Serverless::Function\n    Properties: {{PackageType: Image, ImageUri: '{uri}'}}\n  \
             Plain:\n    Type: AWS::Lambda::Function\n    Properties: {{PackageType: Image, Code: {{ImageUri: '{uri}'}}}}\n"
        )
    };
    for (uri, expected) in [
        ("file:app.tar", "file:DIR/app.tar"),
        ("./app.tar#app:1", "file:DIR/app.tar#app:1"),
        ("file:/elsewhere/app.tar", "file:/elsewhere/app.tar"),
        ("ghcr.io/owner/app:1", "ghcr.io/owner/app:1"),
    ] {
        let dir = folder(&[("template.yaml", &template(uri)), ("app.tar", "")]);
        let resources =
            bundle(dir.path()).unwrap_or_else(|error| panic!("{error}")).template.to_json()["Resources"].clone();
        let place = dir.path().canonicalize().expect("it is there").display().to_string();
        let seen = |pointer: &str| {
            let text = resources.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            text.replace(&place, "DIR")
        };
        assert_eq!(seen("/Sam/Properties/ImageUri"), expected);
        assert_eq!(seen("/Plain/Properties/Code/ImageUri"), expected);
    }
    let missing = refused(&[("template.yaml", &template("file:app.tar"))]);
    assert!(missing.contains("ImageUri is 'app.tar', and DIR/app.tar does not exist"), "{missing}");
    let build = "Resources:\n  Sam:\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image}\n    Metadata: \
                 {Dockerfile: Dockerfile, DockerContext: app}\n";
    let refusal = refused(&[("template.yaml", build)]);
    assert!(refusal.contains("docker build -t sam -f DIR/app/Dockerfile DIR/app && docker save sam"), "{refusal}");
}

#[test]
fn equal_contents_are_equal_bytes() {
    let files = [
        ("index.js", "exports.handler = async () => 'hi'"),
        ("lib/b.js", "b"),
        ("lib/a.js", "a"),
        ("tool*", "#!/bin/sh"),
        ("node_modules/x/index.js", "x"),
    ];
    let mut reversed = files;
    reversed.reverse();
    let junk = [
        (".git/HEAD", ""),
        (".freehold/store", ""),
        ("data/store/FORMAT", ""),
        ("data/credentials.json", "hush"),
        ("__pycache__/a.pyc", ""),
        ("lib/old.pyc", ""),
        (".DS_Store", ""),
    ];
    let one = made(&files);
    let other = made(&[&reversed[..], &junk[..]].concat());
    assert_eq!(one.assets[0].sha256, other.assets[0].sha256);
    assert_eq!(one.assets[0].bytes, other.assets[0].bytes);
    let contents = unpacked(&one.assets[0].bytes);
    let names: Vec<(&str, u32)> = contents.iter().map(|(name, _, mode)| (name.as_str(), *mode)).collect();
    assert_eq!(
        names,
        [
            ("index.js", 0o644),
            ("lib/a.js", 0o644),
            ("lib/b.js", 0o644),
            ("node_modules/x/index.js", 0o644),
            ("tool", 0o755)
        ]
    );
    assert_eq!(contents[4].1, "#!/bin/sh");
    let changed = made(&[("index.js", "exports.handler = async () => 'ho'")]);
    assert_ne!(one.assets[0].sha256, changed.assets[0].sha256);
}

#[test]
fn links_are_followed_where_they_lead_somewhere() {
    let dir = folder(&[("index.js", "x"), ("elsewhere/lib.js", "y")]);
    symlink(dir.path().join("elsewhere"), dir.path().join("linked")).expect("links can be made");
    symlink("nowhere", dir.path().join(".#index.js")).expect("links can be made");
    let packed = bundle(dir.path()).expect("it is a function");
    let names: Vec<String> = unpacked(&packed.assets[0].bytes).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["elsewhere/lib.js", "index.js", "linked/lib.js"]);
    symlink(dir.path(), dir.path().join("elsewhere/back")).expect("links can be made");
    let message = bundle(dir.path()).expect_err("it goes round").to_string();
    assert!(message.ends_with("is a link to a folder that it lies in"), "{message}");
}

#[test]
fn too_much_code_is_refused() {
    let dir = folder(&[("index.js", "x")]);
    let large = fs::File::create(dir.path().join("large.bin")).expect("files can be made");
    large.set_len(262_144_000).expect("it is sparse");
    let message = bundle(dir.path()).expect_err("it is too large").to_string();
    assert!(message.contains("has more than 250 MiB of code"), "{message}");
}

#[test]
fn single_files_are_functions_too() {
    let dir = folder(&[("greet.py", "def handler(e, c): pass"), ("hello.wasm", "\0asm"), ("other.txt", "")]);
    let packed = bundle(&dir.path().join("hello.wasm")).expect("it is a function");
    let handler = packed.template.at("Resources.Hello.Properties.Handler").and_then(template::Node::as_text);
    assert_eq!(handler, Some("hello.wasm"));
    let packed = bundle(&dir.path().join("greet.py")).expect("it is a function");
    assert_eq!(packed.name, "greet");
    assert_eq!(
        packed.template.at("Resources.Greet.Properties.Handler").and_then(template::Node::as_text),
        Some("greet.handler")
    );
    assert_eq!(unpacked(&packed.assets[0].bytes).len(), 1);
}
