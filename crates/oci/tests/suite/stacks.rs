//! Random stacks of layers against a naive model: what each layer is, and what they make together, flat and overlaid.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use oci::{Error, Image, LoadOptions, Source};
use proptest::prelude::*;
use serde_json::json;

use crate::images::{Item, Packing, image_for, layers, layout, write_folder};

/// A tree: only folders have something below them.
type Tree = BTreeMap<String, Node>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    File(String),
    Link(String),
    Folder,
}

/// A layer by itself, and what it takes away.
#[derive(Clone, Debug, Default)]
struct Layer {
    tree: Tree,
    opaque: BTreeSet<String>,
    whiteouts: BTreeSet<String>,
}

/// Such a layer must be refused.
#[derive(Debug)]
struct Refused;

impl Layer {
    fn new(items: &[Item]) -> Result<Self, Refused> {
        let mut layer = Self::default();
        for item in items {
            layer.add(item)?;
        }
        Ok(layer)
    }

    fn add(&mut self, item: &Item) -> Result<(), Refused> {
        let (Item::File(path, _) | Item::Folder(path) | Item::Link(path, _) | Item::Hard(path, _)) = item;
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = self.resolve(parent, true)?;
        if name == ".wh..wh.opq" {
            self.opaque.insert(parent);
            return Ok(());
        }
        if let Some(hidden) = name.strip_prefix(".wh.") {
            self.whiteouts.insert(join(&parent, hidden));
            return Ok(());
        }
        let path = join(&parent, name);
        let node = match item {
            Item::Folder(_) if self.tree.get(&path) == Some(&Node::Folder) => return Ok(()),
            Item::Folder(_) => Node::Folder,
            Item::File(_, content) => Node::File(content.clone()),
            Item::Link(_, to) => Node::Link(to.clone()),
            Item::Hard(_, to) => {
                let (parent, name) = to.rsplit_once('/').unwrap_or(("", to));
                let to = join(&self.resolve(parent, false)?, name);
                let node = match self.tree.get(&to) {
                    Some(Node::Folder) | None => return Err(Refused),
                    Some(node) => node.clone(),
                };
                // What it takes the place of may have what it is a name of.
                if to.starts_with(&format!("{path}/")) {
                    return Err(Refused);
                }
                node
            }
        };
        remove(&mut self.tree, &path);
        self.tree.insert(path, node);
        Ok(())
    }

    /// The folder that a path leads to, links on the way followed.
    fn resolve(&mut self, path: &str, make: bool) -> Result<String, Refused> {
        let mut at = String::new();
        let mut ahead: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            match name.as_str() {
                "" | "." => continue,
                ".." => {
                    at = at.rsplit_once('/').map_or(String::new(), |(parent, _)| parent.to_owned());
                    continue;
                }
                _ => {}
            }
            let next = join(&at, &name);
            match self.tree.get(&next) {
                Some(Node::Folder) => at = next,
                Some(Node::File(_)) => return Err(Refused),
                Some(Node::Link(to)) => {
                    links += 1;
                    if links > 40 {
                        return Err(Refused);
                    }
                    if to.starts_with('/') {
                        at = String::new();
                    }
                    ahead.extend(to.split('/').rev().map(str::to_owned));
                }
                None if !make => return Err(Refused),
                None => {
                    self.tree.insert(next.clone(), Node::Folder);
                    at = next;
                }
            }
        }
        Ok(at)
    }

    fn is_folder(&self, path: &str) -> bool {
        path.is_empty() || self.tree.get(path) == Some(&Node::Folder)
    }

    /// Lays it over what is below.
    fn over(&self, tree: &mut Tree) {
        let parent = |path: &str| path.rsplit_once('/').map_or(String::new(), |(parent, _)| parent.to_owned());
        for path in self.opaque.iter().filter(|path| self.is_folder(path)) {
            empty(tree, path);
        }
        for path in self.whiteouts.iter().filter(|path| self.is_folder(&parent(path))) {
            match self.tree.get(path) {
                Some(Node::Folder) => empty(tree, path),
                Some(_) => {}
                None => remove(tree, path),
            }
        }
        for (path, node) in &self.tree {
            if *node != Node::Folder || tree.get(path) != Some(&Node::Folder) {
                remove(tree, path);
                tree.insert(path.clone(), node.clone());
            }
        }
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn remove(tree: &mut Tree, path: &str) {
    tree.remove(path);
    empty(tree, path);
}

fn empty(tree: &mut Tree, path: &str) {
    tree.retain(|other, _| !path.is_empty() && !other.starts_with(&format!("{path}/")));
}

/// What is really there. Devices are marks of whiteouts, which only a layer alone shows.
fn read(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            if kind.is_dir() {
                tree.insert(name, Node::Folder);
                folders.push(path);
            } else if kind.is_symlink() {
                tree.insert(name, Node::Link(fs::read_link(&path).unwrap().to_str().unwrap().to_owned()));
            } else if kind.is_file() {
                tree.insert(name, Node::File(fs::read_to_string(&path).unwrap()));
            }
        }
    }
    tree
}

/// How a process gets mounts of its own here, if it can.
fn unshare() -> Option<&'static [&'static str]> {
    static FOUND: OnceLock<Option<&'static [&'static str]>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let ways: [&[&str]; 2] = [&["-m"], &["-U", "-r", "-m"]];
        let works = |way: &&[&str]| {
            let script = "mount -t tmpfs tmpfs /mnt && mkdir /mnt/a /mnt/b /mnt/c && mount -t overlay overlay -o userxattr,lowerdir=/mnt/a:/mnt/b /mnt/c";
            Command::new("unshare").args(*way).args(["sh", "-c", script]).output().is_ok_and(|output| output.status.success())
        };
        let found = ways.into_iter().find(works);
        if found.is_none() {
            println!("skipped: overlays cannot be mounted here");
        }
        found
    })
}

/// What the layers make when the system overlays them.
fn overlaid(image: &Image, dir: &Path) -> Option<Tree> {
    let way = unshare()?;
    let overlay = image.root.overlay().unwrap();
    let mount = dir.join("mount");
    let copy = dir.join("copy.tar");
    fs::create_dir_all(&mount).unwrap();
    let script = match &overlay.lower[..] {
        [one] => format!("mount --bind '{}' '{}'", one.display(), mount.display()),
        _ => format!("mount -t overlay overlay -o '{}' '{}'", overlay.options().unwrap(), mount.display()),
    };
    // A whiteout of nothing can be listed and is not there; the archiver says so and goes on.
    let script =
        format!("{script} || exit 99; tar -C '{}' --exclude=./copy.tar -cf '{}' .", mount.display(), copy.display());
    let output = Command::new("unshare").args(way).args(["sh", "-c", &script]).output().unwrap();
    assert_ne!(output.status.code(), Some(99), "{}", String::from_utf8_lossy(&output.stderr));
    let mut tree = Tree::new();
    let mut archive = tar::Archive::new(fs::File::open(copy).unwrap());
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().trim_start_matches("./").trim_matches('/').to_owned();
        let to = |entry: &tar::Entry<'_, fs::File>| entry.link_name().unwrap().unwrap().to_str().unwrap().to_owned();
        let node = match entry.header().entry_type() {
            tar::EntryType::Directory => Node::Folder,
            tar::EntryType::Symlink => Node::Link(to(&entry)),
            tar::EntryType::Link => tree[to(&entry).trim_start_matches("./")].clone(),
            tar::EntryType::Char => continue,
            _ => {
                let mut content = String::new();
                std::io::Read::read_to_string(&mut entry, &mut content).unwrap();
                Node::File(content)
            }
        };
        if !path.is_empty() && path != "." {
            tree.insert(path, node);
        }
    }
    Some(tree)
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec("[abc]", 1..4).prop_map(|names| names.join("/"))
}

fn item() -> impl Strategy<Value = Item> {
    let target = prop_oneof![
        path(),
        path().prop_map(|path| format!("/{path}")),
        path().prop_map(|path| format!("../{path}")),
        Just("..".to_owned())
    ];
    let beside = |path: &str, name: &str| {
        path.rsplit_once('/').map_or(name.to_owned(), |(parent, _)| format!("{parent}/{name}"))
    };
    prop_oneof![
        5 => (path(), "[x-z]").prop_map(|(path, content)| Item::File(path, content)),
        4 => path().prop_map(Item::Folder),
        2 => (path(), target).prop_map(|(path, to)| Item::Link(path, to)),
        1 => (path(), path()).prop_map(|(path, to)| Item::Hard(path, to)),
        3 => path().prop_map(|path| Item::File(path.rsplit_once('/').map_or(format!(".wh.{path}"), |(parent, name)| format!("{parent}/.wh.{name}")), String::new())),
        1 => path().prop_map(move |path| Item::File(beside(&path, ".wh..wh.opq"), String::new())),
    ]
}

/// Layers, and in which order they lie: one may lie twice.
fn stack() -> impl Strategy<Value = (Vec<Vec<Item>>, Vec<usize>)> {
    let layers = prop::collection::vec(prop::collection::vec(item(), 0..10), 1..5);
    layers.prop_flat_map(|layers| {
        let order = prop::collection::vec(0..layers.len(), 1..6);
        (Just(layers), order)
    })
}

async fn check(items: &[Vec<Item>], order: &[usize]) -> Result<(), TestCaseError> {
    let stack: Vec<&[Item]> = order.iter().map(|index| &items[*index][..]).collect();
    let made = image_for(&oci::Platform::host().to_string(), &stack, Packing::Plain, &json!(null));
    let (dir, store) = layers();
    let source = Source::Local { path: dir.path().join("layout"), image: None };
    write_folder(&dir.path().join("layout"), &layout(&[(&made, None)]));
    let loaded = oci::load(&source, &store, &LoadOptions::default()).await;
    let model: Result<Vec<Layer>, Refused> = stack.iter().map(|items| Layer::new(items)).collect();
    let (image, model) = match (loaded, model) {
        (Ok(image), Ok(model)) => (image, model),
        (Err(Error::Layer { .. }), Err(Refused)) => return Ok(()),
        (loaded, model) => return Err(TestCaseError::fail(format!("{loaded:?} instead of {model:?}"))),
    };
    let mut expected = Tree::new();
    for layer in &model {
        layer.over(&mut expected);
    }
    let flat = image.root.flat().await.unwrap();
    prop_assert_eq!(&read(&flat), &expected, "flat");
    if let Some(tree) = overlaid(&image, dir.path()) {
        prop_assert_eq!(&tree, &expected, "overlaid");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 500, ..ProptestConfig::default() })]

    #[test]
    fn stacks_are_what_the_model_says((items, order) in stack()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(&items, &order))?;
    }
}

/// Few by default, because each waits for the disk; more by proptest's own variable.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(96)
}
