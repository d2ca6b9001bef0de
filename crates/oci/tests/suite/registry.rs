//! Pulling from a registry: proofs, broken and damaged downloads, refusals.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Clock, Random};
use http::Method;
use oci::{Asker, Blame, Credentials, Error, Image, Layers, LoadOptions, Options, Patience, Platform, Stage, Watcher};
use serde_json::json;

use crate::images::{Item, Made, Packing, descriptor, file, image, image_for, index, layers, listed};
use crate::server::{Server, Wrong};

/// Tries follow each other at once.
fn options() -> LoadOptions {
    let patience = Patience {
        tries: 4,
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(2),
        answer: Duration::from_secs(60),
        stall: Duration::from_secs(60),
    };
    LoadOptions { patience, ..LoadOptions::default() }
}

fn password(user: &str, password: &str) -> Option<Credentials> {
    Some(Credentials::Password { user: user.to_owned(), password: password.to_owned() })
}

/// Bytes that do not pack, so that a download has pieces.
fn noise(bytes: usize) -> String {
    Random::seeded(3).text("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", bytes)
}

fn large() -> Made {
    image(&[&[file("a", &noise(3_000_000))], &[file("b", "2")]])
}

async fn tree(image: &Image) -> Vec<String> {
    listed(&image.root.flat().await.unwrap())
}

#[tokio::test]
async fn a_layer_is_fetched_once() {
    let server = Server::start().await;
    let made = image(&[&[file("a", "1")], &[file("b", "2")]]);
    let foreign = image_for("linux/none", &[&[file("x", "")]], Packing::Gzip, &json!(null));
    server.put("app", "unused", &made);
    let listed = index(&[foreign.entry(None), made.entry(None)]);
    server.put_bytes("/v2/app/manifests/1.0", "application/vnd.oci.image.index.v1+json", &listed);
    let (dir, layers) = layers();
    let image = oci::load(&server.name("app:1.0"), &layers, &options()).await.unwrap();
    assert_eq!(tree(&image).await, ["a = 1", "b = 2"]);
    assert_eq!(image.digest, made.digest());
    let paths: Vec<String> = server.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths.iter().filter(|path| path.contains("/blobs/")).count(), 3, "{paths:?}");

    // The same again, another tag of it, another image with one of its layers.
    server.put("app", "2.0", &made);
    let other =
        image_for(&Platform::host().to_string(), &[&[file("a", "1")], &[file("c", "3")]], Packing::Gzip, &json!(null));
    server.put("app", "3.0", &other);
    for (name, blobs, expected) in [
        ("app:1.0".to_owned(), 1, "b = 2"),
        ("app:2.0".to_owned(), 1, "b = 2"),
        (format!("app@{}", made.digest()), 1, "b = 2"),
        ("app:3.0".to_owned(), 2, "c = 3"),
    ] {
        let image = oci::load(&server.name(&name), &layers, &options()).await.unwrap();
        assert_eq!(server.asked_for("/blobs/"), blobs, "{name}");
        assert_eq!(tree(&image).await[1], expected);
    }
    let downloads = dir.path().join("layers/v1/downloads");
    assert_eq!(fs::read_dir(downloads).unwrap().count(), 0, "what is unpacked is not kept packed");
}

#[tokio::test]
async fn many_who_want_the_same_wait_for_one() {
    let server = Server::start().await;
    server.put("app", "latest", &large());
    let (_dir, layers) = layers();
    let load = || async { oci::load(&server.name("app"), &layers, &options()).await.unwrap() };
    let images = futures_util::future::join_all((0..8).map(|_| load())).await;
    assert_eq!(images.len(), 8);
    let config = format!("/blobs/{}", oci::Digest::of(&large().config));
    let layers =
        server.asked().iter().filter(|asked| asked.path.contains("/blobs/") && !asked.path.contains(&config)).count();
    assert_eq!(layers, 2, "one download of each layer");
}

#[tokio::test]
async fn anybody_may_get_a_token() {
    let server = Server::start().await;
    server.put("app", "latest", &image(&[&[file("a", "1")]]));
    server.need_token("t1", None);
    let (_dir, layers) = layers();
    let image = oci::load(&server.name("app"), &layers, &options()).await.unwrap();
    assert_eq!(tree(&image).await, ["a = 1"]);
    let asked = server.asked();
    let tokens: Vec<&str> =
        asked.iter().filter(|one| one.path.starts_with("/token")).map(|one| one.path.as_str()).collect();
    assert_eq!(tokens, ["/token?scope=repository%3Aapp%3Apull&service=tests"], "one token serves for all");
}

#[tokio::test]
async fn a_token_may_end_in_the_middle() {
    let server = Server::start().await;
    server.put("app", "latest", &large());
    server.need_token("t1", None);
    let path = format!("/blobs/{}", oci::Digest::of(&large().layers[0]));
    let challenge = format!("Bearer realm=\"http://{}/token\"", server.address);
    server.go_wrong(&path, Wrong::BreakAfter(1_500_000));
    server.go_wrong(&path, Wrong::Answer(401, vec![("www-authenticate", challenge)], String::new()));
    let (_dir, layers) = layers();
    let image = oci::load(&server.name("app"), &layers, &options()).await.unwrap();
    assert_eq!(tree(&image).await.len(), 2);
    assert_eq!(server.asked_for("/token"), 2);
}

#[tokio::test]
async fn credentials_go_to_whom_they_are_for() {
    let made = image(&[&[file("a", "1")]]);
    for (needs, credentials, expected) in [
        ("token", password("ada", "secret"), Ok(())),
        ("token", password("ada", "wrong"), Err(Asker::Owner)),
        ("token", None, Err(Asker::Anybody)),
        ("lasting", Some(Credentials::IdentityToken("refresh".to_owned())), Ok(())),
        ("lasting", Some(Credentials::IdentityToken("other".to_owned())), Err(Asker::Owner)),
        ("password", password("ada", "secret"), Ok(())),
        ("password", password("ada", "wrong"), Err(Asker::Owner)),
        ("password", None, Err(Asker::Anybody)),
        ("password", Some(Credentials::IdentityToken("refresh".to_owned())), Err(Asker::Owner)),
    ] {
        let (server, elsewhere) = (Server::start().await, Server::start().await);
        server.put("app", "latest", &made);
        match needs {
            "token" => server.need_token("t1", Some("ada:secret")),
            "lasting" => server.need_token("t1", Some("refresh")),
            _ => server.need_password("ada:secret"),
        }
        // The layer is kept somewhere else.
        let path = format!("/v2/app/blobs/{}", oci::Digest::of(&made.layers[0]));
        elsewhere.put_bytes("/kept?signed=1", "", &made.layers[0]);
        let to = format!("http://{}/kept?signed=1", elsewhere.address);
        server.put_bytes(&path, "", b"");
        let (_dir, layers) = layers();
        // The first time it is refused like all else.
        let load = async {
            let options = LoadOptions { credentials: credentials.clone(), ..options() };
            oci::load(&server.name("app"), &layers, &options).await
        };
        server.go_wrong(&path, Wrong::Answer(307, vec![("location", to)], String::new()));
        match (load.await, expected) {
            (Ok(image), Ok(())) => {
                assert_eq!(tree(&image).await, ["a = 1"]);
                assert!(server.asked().iter().any(|asked| asked.path == path && asked.proof.is_some()));
                let there = elsewhere.asked();
                assert!(!there.is_empty() && there.iter().all(|asked| asked.proof.is_none()), "{there:?}");
            }
            (Err(error @ Error::Authentication { who, .. }), Err(expected)) => {
                assert_eq!(who, expected, "{needs}: {error}");
                assert_eq!(error.blame(), Blame::Asker);
            }
            (other, _) => panic!("{needs} {credentials:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_broken_download_goes_on_where_it_broke() {
    for ranges in [true, false] {
        let server = Server::start().await;
        let made = large();
        server.put("app", "latest", &made);
        if !ranges {
            server.without_ranges();
        }
        let path = format!("/blobs/{}", oci::Digest::of(&made.layers[0]));
        for bytes in [1_000_000, 700_000, 0] {
            server.go_wrong(&path, Wrong::BreakAfter(bytes));
        }
        let (_dir, layers) = layers();
        let image = oci::load(&server.name("app"), &layers, &options()).await.unwrap();
        assert_eq!(tree(&image).await.len(), 2);
        let asked = server.asked();
        let from: Vec<Option<String>> =
            asked.into_iter().filter(|asked| asked.path.contains(&path)).map(|asked| asked.range).collect();
        let bytes = |from: &str| Some(format!("bytes={from}-"));
        assert_eq!(from[0], None);
        if ranges {
            assert_eq!(from, [None, bytes("1000000"), bytes("1700000"), bytes("1700000")]);
        } else {
            assert_eq!(from.len(), 4, "{from:?}");
        }
    }
}

#[tokio::test]
async fn an_interrupted_pull_goes_on_after_a_restart() {
    let server = Server::start().await;
    let made = large();
    server.put("app", "latest", &made);
    let path = format!("/blobs/{}", oci::Digest::of(&made.layers[0]));
    let dir = tempfile::tempdir().unwrap();
    let open = || Layers::open(dir.path(), Options::default()).unwrap();

    // The first process hangs in the middle of a layer, and is gone before it ends.
    server.go_wrong(&path, Wrong::StallAfter(2_000_000));
    let came = Arc::new(tokio::sync::Notify::new());
    let seen = Arc::clone(&came);
    let watcher = Watcher::new(move |progress| {
        if progress.stage == Stage::Download && progress.done >= 1 << 20 {
            seen.notify_one();
        }
    });
    let first = open();
    let source = server.name("app");
    let watching = LoadOptions { watcher, ..options() };
    let load = oci::load(&source, &first, &watching);
    tokio::select! {
        outcome = load => panic!("it does not end by itself: {outcome:?}"),
        () = came.notified() => {}
    }
    drop(first);
    server.asked();

    // Layers that were unpacked by then are there; the other goes on.
    let second = loop {
        // What was still being unpacked holds the folder.
        match Layers::open(dir.path(), Options::default()) {
            Err(Error::Locked { .. }) => tokio::task::yield_now().await,
            other => break other.unwrap(),
        }
    };
    let image = oci::load(&server.name("app"), &second, &options()).await.unwrap();
    assert_eq!(tree(&image).await.len(), 2);
    let asked: Vec<_> = server.asked().into_iter().filter(|asked| asked.path.contains(&path)).collect();
    let from: u64 = match &asked[..] {
        [one] => one.range.as_deref().unwrap().trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap(),
        other => panic!("{other:?}"),
    };
    assert!((1 << 20..=2_000_000).contains(&from), "{from}");
}

#[tokio::test]
async fn damage_is_found_and_not_kept() {
    let server = Server::start().await;
    let made = large();
    server.put("app", "latest", &made);
    let digest = oci::Digest::of(&made.layers[0]);
    let path = format!("/blobs/{digest}");
    let (dir, layers) = layers();
    let kept = dir.path().join(format!("layers/v1/downloads/{}", digest.to_string().replace(':', "-")));

    server.go_wrong(&path, Wrong::Damage(1_234_567));
    let error = oci::load(&server.name("app"), &layers, &options()).await.unwrap_err();
    assert!(matches!(&error, Error::DigestMismatch { expected, .. } if *expected == digest), "{error}");
    assert_eq!(error.blame(), Blame::Elsewhere);
    assert_eq!(fs::metadata(&kept).map_or(0, |found| found.len()), 0);

    // What another process left may be wrong; then all of it is fetched again.
    for left in [vec![0; 1_000_000], vec![0; made.layers[0].len()], vec![0; made.layers[0].len() + 1]] {
        fs::write(&kept, left).unwrap();
        let image = oci::load(&server.name("app"), &layers, &options()).await.unwrap();
        assert_eq!(tree(&image).await.len(), 2);
        drop(image);
        layers.retain([]).unwrap();
    }

    // More than was announced is not taken, however long it goes on.
    let more = [&made.layers[0][..], b"more"].concat();
    server.go_wrong(&path, Wrong::Instead(more));
    let error = oci::load(&server.name("app"), &layers, &options()).await.unwrap_err();
    assert!(matches!(error, Error::SizeMismatch { .. }), "{error}");
    assert!(!kept.exists());
}

#[tokio::test]
async fn documents_are_checked() {
    let made = image(&[&[file("a", "1")]]);
    let digest = made.digest();
    let other = image(&[&[file("b", "2")]]);
    let json = "application/vnd.oci.image.manifest.v1+json";
    let long = vec![b' '; (4 << 20) + 1];
    let nested = |depth: usize| {
        let mut files = vec![index(&[made.entry(None)])];
        for _ in 0..depth {
            let last = files.last().unwrap();
            files.push(index(&[descriptor("application/vnd.oci.image.index.v1+json", last)]));
        }
        files
    };
    for (name, path, bytes, media_type, expected) in [
        ("manifest of another", format!("manifests/{digest}"), other.manifest.clone(), json, "came damaged"),
        (
            "configuration of another",
            format!("blobs/{}", oci::Digest::of(&made.config)),
            other.config.clone(),
            json,
            "came damaged",
        ),
        ("long", format!("manifests/{digest}"), long, json, "more than 4194304 bytes"),
        (
            "old",
            "manifests/latest".to_owned(),
            br#"{"schemaVersion":1,"fsLayers":[]}"#.to_vec(),
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            "media type 'application/vnd.docker.distribution.manifest.v1+prettyjws'",
        ),
        ("page", "manifests/latest".to_owned(), b"<html>".to_vec(), "text/html", "cannot be read"),
        (
            "foreign",
            "manifests/latest".to_owned(),
            index(&[image_for("linux/none", &[&[]], Packing::Gzip, &json!(null)).entry(None)]),
            json,
            "it is for linux/none",
        ),
    ] {
        let server = Server::start().await;
        server.put("app", "latest", &made);
        server.put_bytes(&format!("/v2/app/{path}"), media_type, &bytes);
        let (_dir, layers) = layers();
        let reference = if path.contains(&digest.to_string()) { format!("app@{digest}") } else { "app".to_owned() };
        let error = oci::load(&server.name(&reference), &layers, &options()).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
    for (depth, expected) in [(3, true), (4, false)] {
        let server = Server::start().await;
        server.put("app", "unused", &made);
        let files = nested(depth);
        for bytes in &files {
            let kind = "application/vnd.oci.image.index.v1+json";
            server.put_bytes(&format!("/v2/app/manifests/{}", oci::Digest::of(bytes)), kind, bytes);
            server.put_bytes("/v2/app/manifests/latest", kind, bytes);
        }
        let (_dir, layers) = layers();
        let outcome = oci::load(&server.name("app"), &layers, &options()).await;
        assert_eq!(outcome.is_ok(), expected, "{depth}: {outcome:?}");
    }
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let server = Server::start().await;
    server.put("app", "1.0", &image(&[&[file("a", "1")]]));
    server.put_bytes("/v2/app/tags/list?n=20", "application/json", br#"{"name":"app","tags":["1.0","1.1"]}"#);
    let (_dir, layers) = layers();
    let address = server.address;
    let say = |name: &str| {
        let (source, layers) = (server.name(name), layers.clone());
        async move { oci::load(&source, &layers, &options()).await.unwrap_err().to_string() }
    };
    assert_eq!(say("app:2").await, format!("{address} has no image 'app' with the tag 2; its tags include 1.0, 1.1"));
    assert_eq!(say("none").await, format!("{address} has no image 'none' with the tag latest"));
    let none = oci::Digest::of(b"none");
    assert_eq!(
        say(&format!("app@{none}")).await,
        format!("{address} has no image 'app' with the digest {none}; its tags include 1.0, 1.1")
    );

    let denied = r#"{"errors":[{"code":"DENIED","message":"requested access\n is denied"}]}"#;
    server.go_wrong("/manifests/", Wrong::Answer(403, vec![], denied.to_owned()));
    assert_eq!(
        say("app:1.0").await,
        format!(
            "{address} does not let anybody read 'app': DENIED requested access is denied. \
             Give credentials for it if it is private; check its name if it is not"
        )
    );
    server.go_wrong("/manifests/", Wrong::Answer(418, vec![], "a teapot".to_owned()));
    assert_eq!(say("app:1.0").await, format!("{address} answered 418 when asked for the manifest of app (1.0)"));
    server.go_wrong("/manifests/", Wrong::Answer(401, vec![], String::new()));
    assert!(say("app:1.0").await.contains("it names no way to prove who asks"));
    // A registry must not send secrets, or whoever asks, to where it likes.
    let realm = "Bearer realm=\"http://10.0.0.1/token\"".to_owned();
    server.go_wrong("/manifests/", Wrong::Answer(401, vec![("www-authenticate", realm)], String::new()));
    assert!(say("app:1.0").await.contains("it names 'http://10.0.0.1/token"), "only this machine without TLS");
    let away = vec![("location", "http://169.254.169.254/latest".to_owned())];
    server.go_wrong("/manifests/", Wrong::Answer(302, away, String::new()));
    assert!(say("app:1.0").await.ends_with("it redirects away from TLS"));
    let round = format!("http://{address}/v2/app/manifests/1.0");
    for _ in 0..6 {
        server.go_wrong("/manifests/", Wrong::Answer(302, vec![("location", round.clone())], String::new()));
    }
    assert!(say("app:1.0").await.ends_with("it redirects too often"));
}

#[tokio::test]
async fn a_busy_registry_is_asked_again() {
    let server = Server::start().await;
    server.put("app", "latest", &image(&[&[file("a", "1")]]));
    let (_dir, layers) = layers();
    server.go_wrong("/manifests/", Wrong::Answer(503, vec![], String::new()));
    server.go_wrong("/manifests/", Wrong::Answer(429, vec![("retry-after", "0".to_owned())], String::new()));
    server.go_wrong("/blobs/", Wrong::Answer(502, vec![], String::new()));
    let image = oci::load(&server.name("app"), &layers, &options()).await.unwrap();
    assert_eq!(tree(&image).await, ["a = 1"]);

    // Not for ever, and not when it says to come back much later.
    for _ in 0..4 {
        server.go_wrong("/manifests/", Wrong::Answer(503, vec![], r#"{"errors":[{"code":"BUSY"}]}"#.to_owned()));
    }
    let error = oci::load(&server.name("app"), &layers, &options()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{} cannot be reached: 503 Service Unavailable BUSY", server.address));
    assert_eq!(error.blame(), Blame::Elsewhere);
    server.asked();
    server.go_wrong("/manifests/", Wrong::Answer(429, vec![("retry-after", "3600".to_owned())], String::new()));
    let error = oci::load(&server.name("app"), &layers, &options()).await.unwrap_err();
    assert!(error.to_string().contains("429 Too Many Requests"), "{error}");
    assert_eq!(server.asked().len(), 1);

    // Nobody listens there any more.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let source = format!("{gone}/app").parse().unwrap();
    let error = oci::load(&source, &layers, &options()).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn an_answer_that_stalls_is_given_up() {
    let server = Server::start().await;
    let made = large();
    server.put("app", "latest", &made);
    let path = format!("/blobs/{}", oci::Digest::of(&made.layers[0]));
    server.go_wrong(&path, Wrong::StallAfter(1_000_000));
    let (_dir, layers) = layers();
    let mut options = options();
    options.patience.stall = Duration::from_millis(300);
    let image = oci::load(&server.name("app"), &layers, &options).await.unwrap();
    assert_eq!(tree(&image).await.len(), 2);
    assert!(server.asked().iter().any(|asked| asked.range.as_deref() == Some("bytes=1000000-")));
}

#[tokio::test]
async fn what_cannot_fit_is_not_begun() {
    let server = Server::start().await;
    let made = image(&[&[file("a", "1")]]);
    server.put("app", "unused", &made);
    let mut manifest: serde_json::Value = serde_json::from_slice(&made.manifest).unwrap();
    manifest["layers"][0]["size"] = json!(1u64 << 60);
    let manifest = serde_json::to_vec(&manifest).unwrap();
    server.put_bytes("/v2/app/manifests/latest", "application/vnd.oci.image.manifest.v1+json", &manifest);
    let (_dir, layers) = layers();
    let error = oci::load(&server.name("app"), &layers, &options()).await.unwrap_err();
    assert!(matches!(error, Error::DiskFull { needs: Some(_), .. }), "{error}");
    assert_eq!(server.asked_for("/blobs/"), 1, "only the configuration");
}

#[tokio::test]
async fn whoever_watches_sees_it_grow() {
    let server = Server::start().await;
    let made = large();
    server.put("app", "latest", &made);
    let (_dir, layers) = layers();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let watcher = Watcher::new(move |progress| sink.lock().unwrap().push(progress.clone()));
    oci::load(&server.name("app"), &layers, &LoadOptions { watcher, ..options() }).await.unwrap();
    let seen = seen.lock().unwrap();
    for (number, layer) in made.layers.iter().enumerate() {
        let mine: Vec<_> = seen.iter().filter(|progress| progress.number == number + 1).collect();
        assert!(mine.iter().all(|progress| (progress.of, progress.total) == (2, layer.len() as u64)));
        let of = |stage: Stage| -> Vec<u64> {
            mine.iter().filter(|progress| progress.stage == stage).map(|progress| progress.done).collect()
        };
        let download = of(Stage::Download);
        assert!(download.is_sorted() && download.last() == Some(&(layer.len() as u64)), "{download:?}");
        assert!(of(Stage::Unpack).is_sorted() && !of(Stage::Unpack).is_empty());
        assert_eq!(of(Stage::Ready), [layer.len() as u64]);
    }
}

#[tokio::test]
async fn other_machines_are_asked_over_tls() {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/tls");
    let certificate = CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let server = Server::start_tls(Arc::new(config).into()).await;
    server.put("app", "latest", &image(&[&[file("a", "1")]]));
    let (_dir, layers) = layers();

    let trusting = LoadOptions { trust: Some(folder.join("cert.pem")), ..options() };
    let image = oci::load(&server.name("app"), &layers, &trusting).await.unwrap();
    assert_eq!(tree(&image).await, ["a = 1"]);

    let error = oci::load(&server.name("app"), &layers, &options()).await.unwrap_err().to_string();
    assert!(error.contains("certificate") || error.contains("no certificates"), "{error}");
    let nothing = LoadOptions { trust: Some(folder.join("key.pem")), ..options() };
    let error = oci::load(&server.name("app"), &layers, &nothing).await.unwrap_err();
    assert!(matches!(error, Error::Certificates { .. }), "{error}");
}

#[tokio::test]
async fn methods_and_scopes_are_as_registries_want_them() {
    let server = Server::start().await;
    server.put("group/app", "latest", &image(&[&[Item::Folder("d".to_owned())]]));
    server.need_token("t1", Some("refresh"));
    let challenge = format!("Bearer realm=\"http://{}/token?a=b\"", server.address);
    server.go_wrong("/manifests/", Wrong::Answer(401, vec![("www-authenticate", challenge)], String::new()));
    let (_dir, layers) = layers();
    let credentials = Some(Credentials::IdentityToken("refresh".to_owned()));
    oci::load(&server.name("group/app"), &layers, &LoadOptions { credentials, ..options() }).await.unwrap();
    let asked = server.asked();
    let token = asked.iter().find(|asked| asked.path.starts_with("/token")).unwrap();
    assert_eq!((token.method.clone(), token.path.as_str()), (Method::POST, "/token?a=b"));
    assert_eq!(
        token.body,
        "grant_type=refresh_token&client_id=freehold&refresh_token=refresh&scope=repository%3Agroup%2Fapp%3Apull"
    );
    let _ = Clock::system();
}
