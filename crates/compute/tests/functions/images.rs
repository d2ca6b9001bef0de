//! Container images: made here out of one static program, put into a layout on the disk, and run.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use compute::{CodeId, Compute, Container, ContainerError, Image, Reach, RunFault, Settings};
use sandbox::Mode;
use serde_json::{Value, json};

use crate::harness::{Node, PATIENCE, invocation, json as parse, settings_of, text};

/// The program of which images are made; none, and says so, where there is no compiler for it.
fn program(dir: &Path) -> Option<Vec<u8>> {
    let (source, made) = (dir.join("guest.c"), dir.join("guest"));
    fs::write(&source, include_str!("guest.c")).unwrap();
    let compiled = Command::new("cc").args(["-static", "-O1", "-D_GNU_SOURCE", "-o"]).arg(&made).arg(&source).status();
    match compiled {
        Ok(status) if status.success() => Some(fs::read(made).unwrap()),
        Ok(_) | Err(_) => {
            base::trial::skip("no C compiler that links statically here");
            None
        }
    }
}

/// A layer of these files.
fn layer(files: &[(&str, &[u8], u32)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content, mode) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(*mode);
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Puts an image into a layout, and says what its digest is.
fn layout(at: &Path, layers: &[Vec<u8>], config: &Value) -> CodeId {
    let blobs = at.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let put = |bytes: &[u8], kind: &str| {
        let id = CodeId::of(bytes);
        fs::write(blobs.join(id.as_str()), bytes).unwrap();
        json!({ "mediaType": kind, "digest": format!("sha256:{id}"), "size": bytes.len() })
    };
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let plain: Vec<String> = layers.iter().map(|layer| format!("sha256:{}", CodeId::of(layer))).collect();
    let configuration = json!({
        "architecture": architecture, "os": "linux", "config": config, "rootfs": { "type": "layers", "diff_ids": plain },
    });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": put(configuration.to_string().as_bytes(), "application/vnd.oci.image.config.v1+json"),
        "layers": layers.iter().map(|layer| put(layer, "application/vnd.oci.image.layer.v1.tar")).collect::<Vec<_>>(),
    });
    let manifest = manifest.to_string();
    let entry = put(manifest.as_bytes(), "application/vnd.oci.image.manifest.v1+json");
    fs::write(at.join("index.json"), json!({ "schemaVersion": 2, "manifests": [entry] }).to_string()).unwrap();
    fs::write(at.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    CodeId::of(manifest.as_bytes())
}

struct World {
    node: Node,
    dir: tempfile::TempDir,
    program: Vec<u8>,
}

impl World {
    fn new() -> Option<Self> {
        let node = Node::new(Mode::Auto);
        if let Some(missing) = node.compute.isolation().reason(sandbox::Part::Namespaces) {
            base::trial::skip(missing);
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let program = program(dir.path())?;
        Some(Self { node, dir, program })
    }

    /// An image with the program and one file, of two layers.
    fn image(&self, name: &str, config: &Value) -> (PathBuf, CodeId) {
        let layers = [
            layer(&[("app/guest", &self.program, 0o755), ("app/file", b"old", 0o600)]),
            layer(&[("app/file", name.as_bytes(), 0o600), ("opt/extensions/agent", b"", 0o755)]),
        ];
        let at = self.dir.path().join(name);
        let digest = layout(&at, &layers, config);
        (at, digest)
    }

    async fn pin(&self, path: &Path) -> Container {
        self.node.compute.pin(&format!("file:{}", path.display()), Reach::Everywhere).await.unwrap()
    }
}

/// What the functions service makes of a container.
fn settings(container: Container) -> Settings {
    let mut settings = settings_of(container.digest.clone(), "container", "");
    settings.environment = container.environment.iter().cloned().collect::<BTreeMap<_, _>>();
    settings.container = Some(Arc::new(container));
    settings
}

fn load(compute: &Compute, container: Container) -> Arc<Image> {
    compute.image(settings(container)).unwrap()
}

#[tokio::test]
async fn an_image_is_run_as_it_says() {
    let Some(world) = World::new() else { return };
    let config = json!({
        "Entrypoint": ["guest", "api"], "Cmd": ["one", "two"], "WorkingDir": "/app",
        "Env": ["PATH=/nowhere:/app", "COLOUR=red", "AWS_REGION=elsewhere", "LAMBDA_TASK_ROOT=/app"],
        "User": "root",
    });
    let (path, digest) = world.image("first", &config);
    let container = world.pin(&path).await;
    assert_eq!(container.digest, digest);
    assert_eq!((container.layers.len(), container.adapted), (2, false));
    let image = load(&world.node.compute, container);
    assert!(!image.is_server());
    let outcome = world.node.call(&image, "{}").await;
    let seen = parse(&outcome);
    assert_eq!(seen["arguments"], json!(["/app/guest", "api", "one", "two"]));
    assert_eq!((&seen["directory"], &seen["uid"], &seen["file"]), (&json!("/app"), &json!(993), &json!("first")));
    let environment = &seen["environment"];
    for (name, expected) in [
        ("COLOUR", "red"),
        ("PATH", "/nowhere:/app"),
        ("AWS_REGION", "us-east-1"),
        ("LAMBDA_TASK_ROOT", "/app"),
        ("AWS_LAMBDA_FUNCTION_NAME", "f"),
        ("AWS_ACCESS_KEY_ID", "ASIATEST"),
    ] {
        assert_eq!(environment[name], expected, "{name}");
    }
    for name in ["LD_LIBRARY_PATH", "_HANDLER", "HOME", "PWD"] {
        assert_eq!(environment.get(name), None, "{name}");
    }
    let mut root: Vec<&str> = seen["root"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    root.sort_unstable();
    assert_eq!(root, ["app", "dev", "etc", "opt", "proc", "tmp"], "nothing of the machine");
    assert_eq!(seen["writes"], json!({ "/new": false, "/etc/new": false, "/app/new": false, "/tmp/new": true }));
    let log = world.node.log(&outcome).await;
    assert!(log.contains("begins\n") && log.contains("REPORT RequestId"), "{log}");
    assert!(log.contains("EXTENSION\tName: agent\tState: NotStarted"), "{log}");
    // The instance is warm, and the next call goes to it.
    assert_eq!(world.node.call(&image, "{}").await.report.init, None);
}

#[tokio::test]
async fn an_image_may_be_a_web_server() {
    let Some(world) = World::new() else { return };
    let config = json!({ "Entrypoint": ["/app/guest"], "Cmd": ["serve"], "Env": ["AWS_LWA_PORT=3000"] });
    let (path, _) = world.image("server", &config);
    let image = load(&world.node.compute, world.pin(&path).await);
    assert!(image.is_server());
    let answer = parse(
        &world.node.call(&image, r#"{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"GET"}}}"#).await,
    );
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let seen: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!((&seen["environment"]["PORT"], &seen["directory"]), (&json!("3000"), &json!("/")));
}

#[tokio::test]
async fn what_cannot_be_started_is_said_with_the_reason() {
    let Some(world) = World::new() else { return };
    for (name, config, expected) in [
        ("nothing", json!({}), "neither an ENTRYPOINT nor a CMD"),
        ("missing", json!({ "Cmd": ["/app/other"] }), "/app/other is no program of the image"),
        ("text", json!({ "Cmd": ["/app/file"] }), "/app/file is no program of the image"),
        (
            "folder",
            json!({ "Cmd": ["/app/guest"], "WorkingDir": "/no" }),
            "the working directory /no is not in the image",
        ),
    ] {
        let (path, _) = world.image(name, &config);
        let image = load(&world.node.compute, world.pin(&path).await);
        let outcome = world.node.call(&image, "{}").await;
        let said = text(&outcome);
        assert!(said.contains("Runtime.InvalidEntrypoint") && said.contains(expected), "{said}");
    }
}

#[tokio::test]
async fn what_is_no_image_is_refused() {
    let Some(world) = World::new() else { return };
    let folder = world.dir.path().join("empty");
    fs::create_dir(&folder).unwrap();
    let crowded: Vec<(String, &[u8], u32)> =
        (0..2001).map(|number| (format!("file-{number}"), &b""[..], 0o644)).collect();
    let crowded: Vec<(&str, &[u8], u32)> =
        crowded.iter().map(|(name, content, mode)| (name.as_str(), *content, *mode)).collect();
    let many = world.dir.path().join("many");
    layout(&many, &[layer(&crowded)], &json!({}));
    let wordy = world.dir.path().join("wordy");
    layout(&wordy, &[layer(&[("a", b"", 0o644)])], &json!({ "Env": [format!("A={}", "x".repeat(20_000))] }));
    let own = |path: &Path| format!("file:{}", path.display());
    for (source, reach, expected) in [
        (own(&folder), Reach::Everywhere, "does not exist. Provide a valid source image. ("),
        (own(&world.dir.path().join("nowhere")), Reach::Everywhere, "does not exist."),
        ("file:relative".to_owned(), Reach::Everywhere, "begins with '/'"),
        (
            "Not A Name".to_owned(),
            Reach::Everywhere,
            "Source image Not A Name is not valid. Provide a valid source image. (",
        ),
        (own(&many), Reach::Everywhere, "more than 2000 entries"),
        (own(&wordy), Reach::Everywhere, "may be 16384"),
        (own(&folder), Reach::Elsewhere, "this machine's own"),
        ("localhost:5000/app".to_owned(), Reach::Elsewhere, "this machine's own"),
    ] {
        let error = world.node.compute.pin(&source, reach).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{source}: {error}");
        assert!(!error.is_ours(), "{error}");
    }
}

#[tokio::test]
async fn images_stay_while_they_are_wanted_and_are_had_again() {
    let Some(world) = World::new() else { return };
    let config = json!({ "Entrypoint": ["/app/guest", "api"] });
    let (path, _) = world.image("kept", &config);
    let container = world.pin(&path).await;
    let compute = &world.node.compute;
    assert!(compute.has_container(&container));
    // Another node on the same folder has the layers, and does not need the source.
    let dir = world.node.dir.path().join("compute");
    assert!(world.node.compute.shut_down(PATIENCE).await);
    let World { node, dir: sources, program } = world;
    drop(node.compute);
    let again = Node::new_in(&dir);
    assert!(!again.has_container(&container));
    let image = load(&again, container.clone());
    assert!(matches!(again.run(&image, invocation("{}")).await, Err(RunFault::CodeMissing { .. })));
    fs::rename(&path, sources.path().join("aside")).unwrap();
    // The folder is the first one's until its last task has let go of it.
    let until = Instant::now() + PATIENCE;
    while let Err(error) = again.prepare_container(&container).await {
        assert!(error.is_ours() && Instant::now() < until, "{error}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(parse(&again.run(&image, invocation("{}")).await.unwrap())["file"], "kept");
    // Without them it is had from where it came from, if that is still the same.
    fs::rename(sources.path().join("aside"), &path).unwrap();
    let elsewhere = Node::new(Mode::Auto);
    elsewhere.compute.prepare_container(&container).await.unwrap();
    fs::remove_dir_all(&path).unwrap();
    layout(&path, &[layer(&[("app/guest", &program, 0o755)])], &config);
    let third = Node::new(Mode::Auto);
    let error = third.compute.prepare_container(&container).await.unwrap_err();
    assert!(matches!(&error, ContainerError::Changed { .. }), "{error}");
    // What nobody wants goes, but not while it is new.
    again.retain_code(std::collections::HashSet::new(), Vec::new()).await.unwrap();
    assert!(again.has_container(&container));
    let mode = fs::metadata(dir.join("images")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "other users do not see them");
}
