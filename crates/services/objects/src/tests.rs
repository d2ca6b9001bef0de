//! Random work on versions, and what a naive list of them says that must come of it.

mod bench;
mod leftovers;
mod lifecycles;
mod paging;
mod reading;
mod uploads;

use std::collections::{BTreeMap, BTreeSet};

use ::store::{Blobs, Store};
use base::{Clock, Random};
use bytes::Bytes;

use crate::error::Error;
use crate::listing::{self, Asked, Line};
use crate::model::{Body, Bucket, Version, Versioning};
use crate::store::{Shelf, bucket_key};

/// One version as the naive list has it.
#[derive(Clone, Debug, PartialEq)]
struct Plain {
    id: String,
    marker: bool,
    etag: String,
}

/// Of each key its versions, newest first.
#[derive(Default)]
struct Model(BTreeMap<String, Vec<Plain>>);

impl Model {
    fn put(&mut self, key: &str, versioning: Versioning, version: Plain) {
        let versions = self.0.entry(key.to_owned()).or_default();
        if versioning != Versioning::Enabled {
            versions.retain(|version| version.id != "null");
        }
        versions.insert(0, version);
    }

    fn hide(&mut self, key: &str, versioning: Versioning, id: Option<String>) {
        match versioning {
            Versioning::Never => {
                self.0.remove(key);
            }
            Versioning::Enabled | Versioning::Suspended => {
                let id = id.expect("a marker has an id");
                self.put(key, versioning, Plain { id, marker: true, etag: String::new() });
            }
        }
    }

    fn remove(&mut self, key: &str, id: &str) {
        if let Some(versions) = self.0.get_mut(key) {
            versions.retain(|version| version.id != id);
            if versions.is_empty() {
                self.0.remove(key);
            }
        }
    }

    /// What a whole listing of current objects shows, prefixes marked.
    fn listed(&self, prefix: &str, delimiter: &str) -> Vec<String> {
        let mut lines = BTreeSet::new();
        for (key, versions) in self.0.range(prefix.to_owned()..) {
            let Some(rest) = key.strip_prefix(prefix) else { continue };
            if versions.first().is_none_or(|newest| newest.marker) {
                continue;
            }
            lines.insert(match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
                Some(end) => format!("{prefix}{}…", &rest[..end + delimiter.len()]),
                None => key.clone(),
            });
        }
        lines.into_iter().collect()
    }
}

impl Model {
    /// What a whole listing of versions shows: of each key all of them, the newest first; what is folded once, with none.
    fn versions(&self, prefix: &str, delimiter: &str) -> Vec<(String, Option<(Plain, bool)>)> {
        let mut lines: Vec<(String, Option<(Plain, bool)>)> = Vec::new();
        for (key, versions) in self.0.range(prefix.to_owned()..) {
            let Some(rest) = key.strip_prefix(prefix) else { continue };
            if let Some(end) = rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
                let fold = format!("{prefix}{}", &rest[..end + delimiter.len()]);
                if lines.last() != Some(&(fold.clone(), None)) {
                    lines.push((fold, None));
                }
                continue;
            }
            let shown = versions.iter().enumerate();
            lines.extend(shown.map(|(index, version)| (key.clone(), Some((version.clone(), index == 0)))));
        }
        lines
    }
}

const KEYS: [&str; 12] = ["a", "a/", "a/b", "a/b/c", "a/b/d", "a0", "b", "b//x", "c\u{1}", "é", "日本/x", "\u{10ffff}"];

#[tokio::test]
async fn random_work_leaves_what_a_naive_list_has() {
    for seed in 0..12 {
        play(seed, 250).await;
    }
}

async fn play(seed: u64, steps: u64) {
    let random = Random::seeded(seed);
    let clock = Clock::system();
    let shelf = Shelf::new(Store::memory(clock.clone()), Blobs::memory(clock), Random::seeded(seed + 1000), [0; 32]);
    let mut bucket = Bucket { name: "b".into(), ..Bucket::default() };
    let mut model = Model::default();
    for step in 0..steps {
        let key = KEYS[random.below(KEYS.len() as u64) as usize];
        match random.below(12) {
            0..=5 => {
                let etag = format!("{step}");
                let id = put(&shelf, &bucket, key, &etag).await;
                model.put(key, bucket.versioning, Plain { id, marker: false, etag });
            }
            6 | 7 => {
                let (shelf_there, bucket_there) = (&shelf, &bucket);
                let hidden =
                    shelf.store.transact(|tx| async move { shelf_there.hide(&tx, bucket_there, key, 0).await });
                model.hide(key, bucket.versioning, hidden.await.expect("hidden").id);
            }
            8 | 9 => {
                let Some(version) =
                    model.0.get(key).map(|versions| versions[random.below(versions.len() as u64) as usize].clone())
                else {
                    continue;
                };
                remove(&shelf, &bucket, key, &version.id).await;
                model.remove(key, &version.id);
            }
            10 => {
                bucket.versioning = if random.below(2) == 0 { Versioning::Enabled } else { Versioning::Suspended };
                let bucket = &bucket;
                let set = shelf.store.transact(|tx| async move {
                    tx.put_record(bucket_key("b"), bucket);
                    Ok::<_, Error>(())
                });
                set.await.expect("set");
            }
            _ => compare(&shelf, &model, &random, seed).await,
        }
    }
    compare(&shelf, &model, &random, seed).await;
}

async fn put(shelf: &Shelf, bucket: &Bucket, key: &str, etag: &str) -> String {
    let draft = Version { etag: etag.into(), body: Body::Inline, ..Version::default() };
    let draft = &draft;
    let placed = shelf
        .store
        .transact(|tx| async move { shelf.place(&tx, bucket, key, draft.clone(), &Bytes::from_static(b"x")).await });
    placed.await.expect("placed").id.unwrap_or_else(|| "null".into())
}

async fn remove(shelf: &Shelf, bucket: &Bucket, key: &str, id: &str) {
    let removed = shelf.store.transact(|tx| async move {
        let found = shelf.version_in(&tx, "b", key, id).await?.expect("the naive list has it");
        shelf.remove(&tx, bucket, key, &found).await
    });
    removed.await.expect("removed");
}

async fn compare(shelf: &Shelf, model: &Model, random: &Random, seed: u64) {
    let snapshot = shelf.snapshot();
    let prefix = ["", "a", "a/", "a/b", "b/", "日"][random.below(6) as usize];
    let delimiter = ["", "/", "b"][random.below(3) as usize];
    let limit = 1 + random.below(5) as usize;
    let mut found = Vec::new();
    let mut asked = Asked { prefix: prefix.into(), delimiter: delimiter.into(), after: String::new(), limit };
    loop {
        let page = listing::objects(&snapshot, "b", &asked).await.expect("a page");
        assert!(page.lines.len() <= limit);
        for line in &page.lines {
            let (name, shown) = match line {
                Line::Version(key, ..) => (key.clone(), key.clone()),
                Line::Prefix(prefix) => (prefix.clone(), format!("{prefix}…")),
            };
            asked.after = name;
            found.push(shown);
        }
        if !page.truncated {
            break;
        }
    }
    let mut expected = model.listed(prefix, delimiter);
    expected.sort();
    found.sort();
    assert_eq!(found, expected, "seed {seed}: prefix {prefix:?} delimiter {delimiter:?} limit {limit}");
    compare_versions(shelf, model, (prefix, delimiter, limit), seed).await;
}

async fn compare_versions(shelf: &Shelf, model: &Model, (prefix, delimiter, limit): (&str, &str, usize), seed: u64) {
    let snapshot = shelf.snapshot();
    let mut asked = Asked { prefix: prefix.into(), delimiter: delimiter.into(), after: String::new(), limit };
    let mut after = None;
    let mut found: Vec<(String, Option<(Plain, bool)>)> = Vec::new();
    loop {
        let page = listing::versions(&snapshot, "b", &asked, after).await.expect("a page");
        for line in page.lines {
            let (name, shown) = match line {
                Line::Version(key, version, latest) => {
                    after = Some(version.order);
                    let plain = Plain { id: version.id().into(), marker: version.marker, etag: version.etag.clone() };
                    (key, Some((plain, latest)))
                }
                Line::Prefix(prefix) => {
                    after = None;
                    (prefix, None)
                }
            };
            asked.after.clone_from(&name);
            found.push((name, shown));
        }
        if !page.truncated {
            break;
        }
    }
    let expected = model.versions(prefix, delimiter);
    assert_eq!(found, expected, "seed {seed}: prefix {prefix:?} delimiter {delimiter:?} limit {limit}");
    for (key, versions) in &model.0 {
        for (index, version) in versions.iter().enumerate() {
            let read = shelf.version(&snapshot, "b", key, &version.id).await.expect("read").expect("there");
            let wanted = (version.etag.as_str(), index == 0);
            assert_eq!((read.version.etag.as_str(), read.latest), wanted, "seed {seed}: {key}");
        }
    }
}

#[tokio::test]
async fn what_is_not_whole_is_never_read_as_if_it_were() {
    let clock = Clock::system();
    let shelf = Shelf::new(Store::memory(clock.clone()), Blobs::memory(clock), Random::seeded(7), [0; 32]);
    // Its parts went after it was found, as those of what is replaced meanwhile do.
    let version = Version { size: 5, body: Body::Parts("gone".into()), ..Version::default() };
    for (start, end, whole) in [(0, 5, false), (2, 3, false), (5, 5, true)] {
        let read = shelf.read(&shelf.snapshot(), &version, &Bytes::new(), None, (start, end)).await;
        assert_eq!(read.is_ok(), whole, "{start}..{end}");
    }
}

#[tokio::test]
async fn documents_are_as_long_as_can_be_read_again() {
    let clock = Clock::system();
    let shelf = Shelf::new(Store::memory(clock.clone()), Blobs::memory(clock), Random::seeded(7), [0; 32]);
    let set = async |document: &serde_json::Value| {
        let shelf = &shelf;
        let set = shelf.store.transact(|tx| async move {
            let mut bucket = Bucket { name: "b".into(), ..Bucket::default() };
            shelf.set_config(&tx, &mut bucket, "cors", "", Some(document)).await
        });
        set.await
    };
    // What takes most room.
    let quotes = |count: usize| serde_json::Value::from("\"".repeat(count));
    let long = quotes(900 << 10);
    set(&long).await.expect("set");
    assert!(set(&quotes(1100 << 10)).await.is_err());
    let kept = shelf.config(&shelf.snapshot(), "b", "cors", "").await.expect("read");
    assert!(kept == Some(long));
    set(&quotes(1)).await.expect("set");
    let kept = shelf.config(&shelf.snapshot(), "b", "cors", "").await.expect("read");
    assert_eq!(kept, Some(quotes(1)));
}
