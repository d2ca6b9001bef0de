//! Layouts and saved archives, as folders and as files.

use std::fs;
use std::path::Path;

use oci::{Error, Image, LoadOptions, Platform, Source};
use serde_json::json;

use crate::images::{
    Made, Packing, as_archive, blob_path, descriptor, file, image, image_for, index, layers, layout, listed, pack,
    saved, write_folder,
};

async fn load_as(path: &Path, name: Option<&str>, options: &LoadOptions) -> Result<(Image, Vec<String>), Error> {
    let (_dir, layers) = layers();
    let source = Source::Local { path: path.to_owned(), image: name.map(str::to_owned) };
    let image = oci::load(&source, &layers, options).await?;
    let tree = listed(&image.root.flat().await?);
    Ok((image, tree))
}

async fn load(path: &Path, name: Option<&str>) -> Result<(Image, Vec<String>), Error> {
    load_as(path, name, &LoadOptions::default()).await
}

fn two_layers() -> Made {
    image(&[&[file("a", "1"), file("b", "2")], &[file(".wh.a", ""), file("c", "3")]])
}

#[tokio::test]
async fn every_form_gives_the_same_image() {
    let made = two_layers();
    let layout = layout(&[(&made, Some("1.0"))]);
    let saved = saved(&[(&made, &["app:1.0"])]);
    // Newer versions of `docker save` make both at once.
    let both = [&layout[..], &saved].concat();
    let dir = tempfile::tempdir().unwrap();
    for (name, files) in [("layout", &layout), ("saved", &saved), ("both", &both)] {
        write_folder(&dir.path().join(name), files);
        let archive = as_archive(files);
        for (ending, packing) in [(".tar", Packing::Plain), (".tar.gz", Packing::Gzip), (".tar.zst", Packing::Zstd)] {
            fs::write(dir.path().join(format!("{name}{ending}")), pack(&archive, packing)).unwrap();
        }
        for ending in ["", ".tar", ".tar.gz", ".tar.zst"] {
            let path = dir.path().join(format!("{name}{ending}"));
            let (image, tree) = load(&path, None).await.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(tree, ["b = 2", "c = 3"], "{}", path.display());
            assert_eq!(image.root.layers(), made.plain);
            assert_eq!(image.config.cmd, ["/run"]);
            assert_eq!(image.platform, Platform::host());
            let expected = if name == "saved" { oci::Digest::of(&made.config) } else { made.digest() };
            assert_eq!(image.digest, expected, "{}", path.display());
        }
    }
}

#[tokio::test]
async fn layers_come_in_every_packing() {
    for packing in [Packing::Plain, Packing::Gzip, Packing::Zstd] {
        let made = image_for(&Platform::host().to_string(), &[&[file("a", "1")]], packing, &json!(null));
        let dir = tempfile::tempdir().unwrap();
        write_folder(dir.path(), &layout(&[(&made, None)]));
        assert_eq!(load(dir.path(), None).await.unwrap().1, ["a = 1"], "{packing:?}");
    }
}

#[tokio::test]
async fn a_configuration_says_how_to_run() {
    let made = image_for(
        &Platform::host().to_string(),
        &[&[file("a", "1")]],
        Packing::Gzip,
        &json!({
            "Entrypoint": ["/entry", "-x"], "Cmd": ["run"], "Env": ["PATH=/bin", "EMPTY=", "BARE", "EQUALS=a=b", "=none"],
            "WorkingDir": "/app", "User": "1000:1000", "ExposedPorts": {"8080/tcp": {}, "53/udp": {}},
            "Labels": {"who": "me"}, "StopSignal": "SIGINT", "Volumes": {"/data": {}}, "OnBuild": null,
        }),
    );
    let dir = tempfile::tempdir().unwrap();
    write_folder(dir.path(), &layout(&[(&made, None)]));
    let config = load(dir.path(), None).await.unwrap().0.config;
    assert_eq!((config.entrypoint, config.cmd), (vec!["/entry".to_owned(), "-x".to_owned()], vec!["run".to_owned()]));
    let env: Vec<(&str, &str)> = config.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(env, [("PATH", "/bin"), ("EMPTY", ""), ("BARE", ""), ("EQUALS", "a=b")]);
    assert_eq!((config.workdir.as_deref(), config.user.as_deref()), (Some("/app"), Some("1000:1000")));
    assert_eq!(config.ports, ["53/udp", "8080/tcp"]);
    assert_eq!(config.labels["who"], "me");
    assert_eq!(config.stop_signal.as_deref(), Some("SIGINT"));
}

#[tokio::test]
async fn older_archives_save_equal_layers_as_links() {
    let made = image(&[&[file("a", "1")], &[file("b", "2")], &[file("a", "1")]]);
    assert_eq!(made.plain[0], made.plain[2]);
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in saved(&[(&made, &["app:1"])]) {
        let mut header = tar::Header::new_gnu();
        if name == "0-2/layer.tar" {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            builder.append_link(&mut header, &name, "../0-0/layer.tar").unwrap();
        } else {
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, &name, &bytes[..]).unwrap();
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("old.tar");
    fs::write(&path, builder.into_inner().unwrap()).unwrap();
    assert_eq!(load(&path, None).await.unwrap().1, ["a = 1", "b = 2"]);
}

#[tokio::test]
async fn names_choose_among_images() {
    let (one, two) = (image(&[&[file("one", "")]]), image(&[&[file("two", "")]]));
    let foreign = image_for("linux/none", &[&[file("foreign", "")]], Packing::Gzip, &json!(null));
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    write_folder(&at("layout"), &layout(&[(&one, Some("1.0")), (&two, Some("docker.io/library/app:2.0"))]));
    write_folder(&at("saved"), &saved(&[(&one, &["app:1.0", "app:latest"]), (&two, &["localhost:5000/app:2.0"])]));
    write_folder(&at("platforms"), &layout(&[(&foreign, Some("x")), (&one, Some("x"))]));
    write_folder(&at("nameless"), &layout(&[(&foreign, None), (&two, None)]));
    for (place, name, expected) in [
        ("layout", Some("1.0"), Ok("one")),
        ("layout", Some("app:2.0"), Ok("two")),
        ("layout", None, Err("has several images; say which: 1.0, docker.io/library/app:2.0")),
        ("layout", Some("3"), Err("has no image named '3'; it has 1.0, docker.io/library/app:2.0")),
        ("saved", Some("app:1.0"), Ok("one")),
        ("saved", Some("app"), Ok("one")),
        ("saved", Some("docker.io/library/app:1.0"), Ok("one")),
        ("saved", Some("localhost:5000/app:2.0"), Ok("two")),
        (
            "saved",
            Some("app:2.0"),
            Err("has no image named 'app:2.0'; it has app:1.0, app:latest, localhost:5000/app:2.0"),
        ),
        ("saved", None, Err("has several images; say which: app:1.0, app:latest, localhost:5000/app:2.0")),
        ("platforms", Some("x"), Ok("one")),
        ("platforms", None, Ok("one")),
        ("nameless", None, Ok("two")),
    ] {
        match (load(&at(place), name).await, expected) {
            (Ok((_, tree)), Ok(expected)) => assert_eq!(tree, [format!("{expected} = ")], "{place} {name:?}"),
            (Err(error), Err(expected)) => {
                let error = error.to_string();
                assert!(error.ends_with(expected), "{place} {name:?}: {error}");
            }
            (other, _) => panic!("{place} {name:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_no_image_is_said() {
    let made = two_layers();
    let good = layout(&[(&made, None)]);
    let old = saved(&[(&made, &["app:1"])]);
    let without = |files: &[(String, Vec<u8>)], name: &str| -> Vec<(String, Vec<u8>)> {
        files.iter().filter(|(file, _)| file != name).cloned().collect()
    };
    let with = |files: &[(String, Vec<u8>)], name: &str, bytes: &[u8]| -> Vec<(String, Vec<u8>)> {
        let mut files = without(files, name);
        files.push((name.to_owned(), bytes.to_vec()));
        files
    };
    let layer = blob_path(&made.layers[0]);
    let mut damaged = made.layers[0].clone();
    damaged[20] ^= 1;
    let manifest = |manifest: serde_json::Value| {
        let bytes = serde_json::to_vec(&manifest).unwrap();
        let listed = index(&[descriptor("application/vnd.oci.image.manifest.v1+json", &bytes)]);
        with(&with(&good, "index.json", &listed), &blob_path(&bytes), &bytes)
    };
    let whole: serde_json::Value = serde_json::from_slice(&made.manifest).unwrap();
    let changed = |path: &str, value: serde_json::Value| {
        let mut changed = whole.clone();
        *changed.pointer_mut(path).unwrap() = value;
        manifest(changed)
    };
    let foreign = image_for("linux/none", &[&[file("a", "")]], Packing::Gzip, &json!(null));
    let config_of = |made: &Made, layers: &[&str]| {
        let config = json!({"os": "linux", "rootfs": {"diff_ids": layers}});
        let config = serde_json::to_vec(&config).unwrap();
        let mut manifest: serde_json::Value = serde_json::from_slice(&made.manifest).unwrap();
        manifest["config"] = descriptor("", &config);
        (manifest, config)
    };
    let (fewer, fewer_config) = config_of(&made, &[]);
    let fewer = with(&manifest(fewer), &blob_path(&fewer_config), &fewer_config);
    let listed: serde_json::Value =
        serde_json::from_slice(&old.iter().find(|(name, _)| name == "manifest.json").unwrap().1).unwrap();
    let often = serde_json::to_vec(&vec![&listed[0]; 65]).unwrap();
    for (name, files, expected) in [
        ("empty", vec![("x".to_owned(), Vec::new())], "has neither 'index.json'"),
        ("older", vec![("repositories".to_owned(), b"{}".to_vec())], "a tool from before 2016 saved it"),
        ("version", with(&good, "oci-layout", br#"{"imageLayoutVersion":"2.0"}"#), "a layout of version 2.0"),
        ("no json", with(&good, "index.json", b"{"), "'index.json' in"),
        ("no list", with(&good, "index.json", b"{}"), "it lists neither manifests nor layers"),
        ("no images", with(&good, "index.json", &index(&[])), "its index lists no image"),
        ("lacks layer", without(&good, &layer), "it lacks 'blobs/sha256/"),
        ("lacks manifest", without(&good, &blob_path(&made.manifest)), "it lacks 'blobs/sha256/"),
        ("short layer", with(&good, &layer, &damaged[1..]), "bytes instead of"),
        ("damaged layer", with(&good, &layer, &damaged), "came damaged"),
        ("damaged document", with(&good, &blob_path(&made.config), &vec![b' '; made.config.len()]), "came damaged"),
        ("platform", layout(&[(&foreign, None)]), "it is for linux/none"),
        (
            "chart",
            changed("/config/mediaType", json!("application/vnd.cncf.helm.config.v1+json")),
            "something else than a container image",
        ),
        (
            "encrypted",
            changed("/layers/0/mediaType", json!("application/vnd.oci.image.layer.v1.tar+gzip+encrypted")),
            "layers are tar archives",
        ),
        ("both at once", changed("/config", json!(null)), "it lacks a configuration or layers"),
        ("digest", changed("/layers/0/digest", json!("sha256:../../../../etc/passwd")), "is no digest"),
        ("fewer", fewer, "it lists 0 layers, and the manifest 2"),
        ("saved lacks", without(&old, "0-1/layer.tar"), "it lacks '0-1/layer.tar'"),
        (
            "saved escapes",
            with(&old, "manifest.json", br#"[{"Config":"../../x","Layers":[]}]"#),
            "it names a file outside itself",
        ),
        ("saved nothing", with(&old, "manifest.json", b"[]"), "its manifest lists no image"),
        ("saved often", with(&old, "manifest.json", &often), "it lists more than 64 images of that name"),
        ("saved damaged", with(&old, "0-0/layer.tar", &damaged), "layer sha256:"),
        ("saved other", with(&old, "0-0/layer.tar", &made.layers[1]), "what a layer unpacks to came damaged"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        write_folder(&dir.path().join("folder"), &files);
        fs::write(dir.path().join("archive"), as_archive(&files)).unwrap();
        for form in ["folder", "archive"] {
            let error = load(&dir.path().join(form), None).await.map(|(_, tree)| tree).unwrap_err().to_string();
            assert!(error.contains(expected), "{name} as {form}: {error}");
        }
    }
}

#[tokio::test]
async fn archives_are_hostile_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("archive");
    let good = as_archive(&layout(&[(&two_layers(), None)]));
    let outside = as_archive(&[("index.json".to_owned(), b"{}".to_vec())]);
    let mut escaping = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..7].copy_from_slice(b"../evil");
    header.set_size(0);
    header.set_cksum();
    escaping.append(&header, &b""[..]).unwrap();
    let mut linked = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    linked.append_link(&mut header, "index.json", "/etc/hostname").unwrap();
    for (name, bytes, expected) in [
        ("text", b"this is no archive".to_vec(), "the archive ends in the middle"),
        ("torn", good[..good.len() / 2].to_vec(), "the archive ends in the middle"),
        ("torn gzip", pack(&good, Packing::Gzip)[..400].to_vec(), "its bytes cannot be unpacked"),
        ("empty", Vec::new(), "has neither 'index.json'"),
        ("bare", outside, "it lists neither"),
        ("escaping", escaping.into_inner().unwrap(), "its entry '../evil' leads out of it"),
        ("linked", linked.into_inner().unwrap(), "has neither 'index.json'"),
    ] {
        fs::write(&path, &bytes).unwrap();
        let error = load(&path, None).await.map(|(_, tree)| tree).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
    let error = load(&dir.path().join("none"), None).await.map(|(_, tree)| tree).unwrap_err().to_string();
    assert!(error.ends_with("is no container image: there is nothing of that name"), "{error}");
}

#[tokio::test]
async fn another_platform_can_be_asked_for() {
    let (here, there) = (
        image(&[&[file("here", "")]]),
        image_for("linux/none/v2", &[&[file("there", "")]], Packing::Gzip, &json!(null)),
    );
    let dir = tempfile::tempdir().unwrap();
    write_folder(dir.path(), &layout(&[(&here, None), (&there, None)]));
    let options =
        |platform: &str| LoadOptions { platform: Platform::parse(platform).unwrap(), ..LoadOptions::default() };
    assert_eq!(load_as(dir.path(), None, &options("linux/none/v2")).await.unwrap().1, ["there = "]);
    match load_as(dir.path(), None, &options("linux/other")).await {
        Err(Error::WrongPlatform { found, .. }) => assert_eq!(found.len(), 2),
        other => panic!("{other:?}"),
    }
}
