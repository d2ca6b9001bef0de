//! The folder of layers: what stays, what goes, and who may have it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use base::{Clock, Random};
use jiff::Timestamp;
use oci::{Digest, Error, Image, Layers, LoadOptions, Options, Source, Swept};

use crate::images::{Made, file, image, layers, layout, listed, write_folder};

async fn load(made: &Made, layers: &Layers) -> Image {
    let dir = tempfile::tempdir().unwrap();
    write_folder(dir.path(), &layout(&[(made, None)]));
    let source = Source::Local { path: dir.path().to_owned(), image: None };
    oci::load(&source, layers, &LoadOptions::default()).await.unwrap()
}

#[tokio::test]
async fn one_process_has_the_folder_and_closes_it() {
    let (dir, layers) = layers();
    let path = dir.path().join("layers");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(matches!(Layers::open(&path, Options::default()), Err(Error::Locked { .. })));
    drop(layers);
    Layers::open(&path, Options::default()).unwrap();
}

#[tokio::test]
async fn what_nobody_holds_or_wants_goes() {
    let (_dir, layers) = layers();
    let one = load(&image(&[&[file("base", "")], &[file("one", ""), file(".wh.base", "")]]), &layers).await;
    let two = load(&image(&[&[file("base", "")], &[file("two", "")]]), &layers).await;
    let (flat_one, flat_two) = (one.root.flat().await.unwrap(), two.root.flat().await.unwrap());
    let lists = |image: &Image| image.root.layers().to_vec();
    let (list_one, list_two) = (lists(&one), lists(&two));

    assert_eq!(layers.retain([]).unwrap(), Swept::default(), "all is held");
    let clone = two.root.clone();
    drop((one, two));
    assert_eq!(layers.retain([&list_one[..]]).unwrap(), Swept::default(), "all is held or wanted");
    assert_eq!(layers.retain([]).unwrap(), Swept { layers: 1, flat: 1, downloads: 0 });
    assert!(!flat_one.exists());
    assert_eq!(listed(&flat_two), ["base = ", "two = "], "a flat root does without its layers' names");
    match layers.root(&list_one) {
        Err(Error::LayersMissing { count: 1, first }) => assert_eq!(first, list_one[1]),
        other => panic!("{other:?}"),
    }
    drop(clone);
    assert_eq!(layers.retain([&list_two[..1]]).unwrap(), Swept { layers: 1, flat: 1, downloads: 0 });
    assert_eq!(layers.root(&list_two[..1]).unwrap().layers().len(), 1);
    assert_eq!(layers.retain([]).unwrap().layers, 1);
}

#[tokio::test]
async fn layers_outlive_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Layers::open(dir.path(), Options::default()).unwrap();
    let made = image(&[&[file("a", "1")], &[file("b", "2")]]);
    load(&made, &open()).await;
    // Left by a process that was killed: never seen, and gone at the next start.
    let half = dir.path().join("v1/tmp/half");
    fs::create_dir_all(half.join("fs")).unwrap();
    let layers = open();
    assert!(!half.exists());
    let root = layers.root(&made.plain).unwrap();
    assert_eq!(listed(&root.flat().await.unwrap()), ["a = 1", "b = 2"]);
    assert_eq!(root.bytes(), 2);
}

#[tokio::test]
async fn a_layer_without_a_record_does_not_count() {
    let (dir, layers) = layers();
    let made = image(&[&[file("a", "1")]]);
    let name = made.plain[0].to_string().replace(':', "-");
    let place = dir.path().join("layers/v1/layers").join(name);
    for record in [None, Some(r#"{"version":99,"bytes":0,"entries":0,"hides_all":false}"#), Some("{")] {
        fs::create_dir_all(place.join("fs/wrong")).unwrap();
        match record {
            None => drop(fs::remove_file(place.join("layer.json"))),
            Some(record) => fs::write(place.join("layer.json"), record).unwrap(),
        }
        assert!(matches!(layers.root(&made.plain), Err(Error::LayersMissing { .. })));
        let image = load(&made, &layers).await;
        assert_eq!(listed(&image.root.flat().await.unwrap()), ["a = 1"]);
    }
}

#[tokio::test]
async fn downloads_that_nobody_comes_back_for_go() {
    let dir = tempfile::tempdir().unwrap();
    let (clock, hand) = Clock::manual(Timestamp::now());
    let options = Options { clock, random: Random::system(), ..Options::default() };
    let layers = Layers::open(dir.path(), options).unwrap();
    let download = dir.path().join("v1/downloads").join(Digest::of(b"x").to_string().replace(':', "-"));
    fs::write(&download, "half").unwrap();
    hand.advance(Duration::from_secs(23 * 3600));
    assert_eq!(layers.retain([]).unwrap().downloads, 0);
    hand.advance(Duration::from_secs(2 * 3600));
    assert_eq!(layers.retain([]).unwrap().downloads, 1);
    assert!(!download.exists());
}

#[tokio::test]
async fn a_flat_root_shares_its_bytes() {
    let (_dir, layers) = layers();
    let image =
        load(&image(&[&[file("a", "1"), file("gone", "")], &[file("b", "2"), file(".wh.gone", "")]]), &layers).await;
    let flat = image.root.flat().await.unwrap();
    assert_eq!(listed(&flat), ["a = 1", "b = 2"]);
    assert_eq!(image.root.flat().await.unwrap(), flat, "it is made once");
    let inode = |path: &Path| fs::metadata(path).unwrap().ino();
    let lower = image.root.overlay().unwrap().lower;
    assert_eq!(inode(&flat.join("a")), inode(&lower[1].join("a")));
    assert_eq!(inode(&flat.join("b")), inode(&lower[0].join("b")));
    // Times, too: programs look at them to know whether what they made of a file is still good.
    assert_eq!(fs::metadata(flat.join("a")).unwrap().mtime(), 1_000_000_000);
    // One layer that takes nothing away is a flat root itself.
    let single = layers.root(&image.root.layers()[..1]).unwrap();
    assert_eq!(single.flat().await.unwrap(), single.overlay().unwrap().lower[0]);
}

#[tokio::test]
async fn what_cannot_be_seen_is_left_out() {
    let (_dir, layers) = layers();
    let made = image(&[
        &[file("never", "")],
        &[file(".wh..wh.opq", ""), file("a", "1")],
        &[file("b", "2")],
        &[file("c", "3")],
        &[file("b", "2")],
    ]);
    let image = load(&made, &layers).await;
    assert_eq!(image.root.layers().len(), 5);
    assert_eq!(image.root.overlay().unwrap().lower.len(), 3, "nothing below what hides all, and nothing twice");
    assert_eq!(listed(&image.root.flat().await.unwrap()), ["a = 1", "b = 2", "c = 3"]);
}
