//! Kills, power cuts and full disks in the middle of unpacking: what has a layer's name is that layer.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use base::Random;
use oci::{Error, Image, Layers, LoadOptions, Options, Source};

use crate::disk::Disk;
use crate::images::{Item, Made, file, image, layout, listed, write_folder};

const FOLDER: &str = "FREEHOLD_LAYERS_CRASH_FOLDER";

/// An image of several layers with many small files each.
fn made() -> Made {
    let random = Random::seeded(9);
    let mut layers = Vec::new();
    for layer in 0..4 {
        let mut items: Vec<Item> = Vec::new();
        for number in 0..60 {
            let content = random.text("abcdefgh", 200 + random.below(3000) as usize);
            items.push(file(&format!("{}/{layer}-{number}", number % 7), &content));
        }
        items.push(file(&format!("{}/.wh.{}-3", layer % 7, layer.max(1) - 1), ""));
        layers.push(items);
    }
    let layers: Vec<&[Item]> = layers.iter().map(Vec::as_slice).collect();
    image(&layers)
}

async fn load(dir: &Path, layers: &Layers) -> Result<Image, Error> {
    let source = Source::Local { path: dir.join("layout"), image: None };
    oci::load(&source, layers, &LoadOptions::default()).await
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// What the image's root should be.
fn expected(made: &Made) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    write_folder(&dir.path().join("layout"), &layout(&[(made, None)]));
    runtime().block_on(async {
        let layers = Layers::open(&dir.path().join("layers"), Options::default()).unwrap();
        listed(&load(dir.path(), &layers).await.unwrap().root.flat().await.unwrap())
    })
}

/// Every layer that is there must be whole: with the others added, the root is what it should be.
fn check(dir: &Path, made: &Made, expected: &[String]) {
    runtime().block_on(async {
        let layers = Layers::open(&dir.join("layers"), Options::default()).unwrap();
        assert_eq!(fs::read_dir(dir.join("layers/v1/tmp")).unwrap().count(), 0, "nothing half-done is left");
        let image = load(dir, &layers).await.unwrap();
        assert_eq!(image.root.layers(), made.plain);
        assert_eq!(listed(&image.root.flat().await.unwrap()), expected);
    });
}

#[test]
fn a_kill_leaves_whole_layers_only() {
    if let Ok(dir) = std::env::var(FOLDER) {
        return load_for_ever(Path::new(&dir));
    }
    let made = made();
    let expected = expected(&made);
    let dir = tempfile::tempdir().unwrap();
    write_folder(&dir.path().join("layout"), &layout(&[(&made, None)]));
    for round in 0..4 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["crash::a_kill_leaves_whole_layers_only", "--exact", "--nocapture", "--test-threads=1"])
            .env(FOLDER, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let seen =
            lines.by_ref().filter(|line| line.as_ref().is_ok_and(|line| line.starts_with("step"))).take(1 + round * 2);
        assert_eq!(seen.count(), 1 + round * 2, "the process ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        check(dir.path(), &made, &expected);
    }
}

/// Loads and forgets the image again and again, and says each step.
fn load_for_ever(dir: &Path) {
    runtime().block_on(async {
        let layers = Layers::open(&dir.join("layers"), Options::default()).unwrap();
        let watcher = oci::Watcher::new(|progress| {
            println!("step {:?} {}", progress.stage, progress.number);
        });
        let source = Source::Local { path: dir.join("layout"), image: None };
        let options = LoadOptions { watcher, ..LoadOptions::default() };
        loop {
            layers.retain([]).unwrap();
            oci::load(&source, &layers, &options).await.unwrap();
        }
    });
}

#[test]
fn a_power_cut_leaves_whole_layers_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = match Disk::new(folder.path(), 256 << 20) {
        Ok(disk) => disk,
        Err(missing) => return println!("skipped: no disk to cut the power of: {missing}"),
    };
    let made = made();
    let expected = expected(&made);
    write_folder(&disk.data().join("layout"), &layout(&[(&made, None)]));
    fs::File::open(disk.data()).and_then(|data| Ok(rustix::fs::syncfs(data)?)).unwrap();
    for round in 0..3 {
        runtime().block_on(async {
            let layers = Layers::open(&disk.data().join("layers"), Options::default()).unwrap();
            layers.retain([]).unwrap();
            let image = load(&disk.data(), &layers).await.unwrap();
            if round > 0 {
                image.root.flat().await.unwrap();
            }
        });
        disk.cut();
        disk.mount_again();
        // Loaded means on the disk: nothing has to be unpacked again.
        fs::rename(disk.data().join("layout/blobs"), disk.data().join("layout/away")).unwrap();
        let layers = Layers::open(&disk.data().join("layers"), Options::default()).unwrap();
        layers.root(&made.plain).unwrap();
        drop(layers);
        fs::rename(disk.data().join("layout/away"), disk.data().join("layout/blobs")).unwrap();
        check(&disk.data(), &made, &expected);
    }
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = match Disk::new(folder.path(), 32 << 20) {
        Ok(disk) => disk,
        Err(missing) => return println!("skipped: no disk to fill here: {missing}"),
    };
    let made = image(&[&[file("small", "1")], &[file("large", &"x".repeat(40 << 20))]]);
    write_folder(&folder.path().join("layout"), &layout(&[(&made, None)]));
    runtime().block_on(async {
        let layers = Layers::open(&disk.data().join("layers"), Options::default()).unwrap();
        let error = load(folder.path(), &layers).await.unwrap_err();
        assert!(matches!(error, Error::DiskFull { .. }), "{error}");
        assert_eq!(fs::read_dir(disk.data().join("layers/v1/tmp")).unwrap().count(), 0);
        assert!(layers.root(&made.plain).is_err());
    });
}
