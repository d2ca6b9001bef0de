//! Random transactions, scans, held snapshots and reopenings, against a plain sorted map.

use std::collections::BTreeMap;

use base::Random;
use bytes::Bytes;
use store::{Class, Error, Key, Range, Scan, Snapshot, Store};

use crate::fixture::{Fixture, over_all_drivers, soon};

over_all_drivers! { behaves_like_a_sorted_map }

type Model = BTreeMap<Key, Bytes>;

const STEPS: usize = 1_500;

async fn behaves_like_a_sorted_map(fixture: Fixture) {
    for seed in [1, 2] {
        println!("seed {seed}");
        let fixture = Fixture::new(fixture.driver);
        let random = Random::seeded(seed);
        let mut store = fixture.open();
        let mut model = Model::new();
        let mut held: Vec<(Snapshot, Model)> = Vec::new();
        for step in 0..STEPS {
            match random.below(100) {
                0..60 => transact(&store, &random, &mut model).await,
                60..90 => scan(&store.snapshot(), &random, &model).await,
                90..96 => held.push((store.snapshot(), model.clone())),
                96..99 => {
                    if let Some((snapshot, then)) = held.pop() {
                        scan(&snapshot, &random, &then).await;
                        whole(&snapshot, &then).await;
                    }
                }
                _ if fixture.is_durable() && step % 4 == 0 => {
                    held.clear();
                    let sequence = store.sequence();
                    soon("close", store.close()).await;
                    store = fixture.open();
                    assert_eq!(store.sequence(), sequence);
                }
                _ => whole(&store.snapshot(), &model).await,
            }
        }
        for (snapshot, then) in held {
            whole(&snapshot, &then).await;
        }
        whole(&store.snapshot(), &model).await;
    }
}

/// Some reads and writes, all of which must agree with the model, then a commit, or not.
async fn transact(store: &Store, random: &Random, model: &mut Model) {
    let fails = random.below(10) == 0;
    let next = std::sync::Mutex::new(model.clone());
    let next_ref = &next;
    let result = store
        .transact(|tx| async move {
            for _ in 0..random.below(12) {
                let key = key(random);
                match random.below(10) {
                    0..4 => {
                        let value = Bytes::from(random.text("xyz", random.below(300) as usize));
                        next_ref.lock().unwrap().insert(key.clone(), value.clone());
                        tx.put(key, value);
                    }
                    4..6 => {
                        next_ref.lock().unwrap().remove(&key);
                        tx.delete(key);
                    }
                    6..8 => assert_eq!(tx.get(&key).await?.as_ref(), next_ref.lock().unwrap().get(&key)),
                    _ => {
                        let (range, scan) = range_and_scan(random);
                        let page = tx.scan(range.clone(), scan.0).await?;
                        assert_eq!(page.items, expected(&next_ref.lock().unwrap(), &range, scan));
                    }
                }
            }
            if fails { Err(Error::Finished) } else { Ok(()) }
        })
        .await;
    assert_eq!(result.is_err(), fails);
    if !fails {
        *model = next.into_inner().unwrap();
    }
}

async fn scan(snapshot: &Snapshot, random: &Random, model: &Model) {
    let key = key(random);
    assert_eq!(snapshot.get(&key).await.unwrap().as_ref(), model.get(&key));
    let (range, scan) = range_and_scan(random);
    let page = snapshot.scan(range.clone(), scan.0).await.unwrap();
    assert_eq!(page.items, expected(model, &range, scan), "{range:?} {scan:?}");
    if let Some(rest) = page.rest {
        let all = expected(model, &range, (Scan::first(usize::MAX), usize::MAX, scan.2));
        let page = snapshot.scan(rest, scan.0).await.unwrap();
        let next: Vec<_> = all.into_iter().skip(scan.1).take(scan.1).collect();
        assert_eq!(page.items, next, "the second page of {range:?} {scan:?}");
    }
}

async fn whole(snapshot: &Snapshot, model: &Model) {
    let page = snapshot.scan(Range::all(), Scan::first(Scan::PAGE_MAX)).await.unwrap();
    let all: Vec<_> = model.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    assert_eq!(page.items, all);
}

/// Few keys, so that they are met again and again; in all classes, and some under others.
fn key(random: &Random) -> Key {
    let class = Class::ALL[random.below(3) as usize];
    let key = Key::of(class, &random.text("ab", 1)).with(random.below(8));
    if random.below(3) == 0 { key.with(random.text("a\0b", random.below(3) as usize)) } else { key }
}

fn range_and_scan(random: &Random) -> (Range, (Scan, usize, Direction)) {
    let range = match random.below(4) {
        0 => Range::all(),
        1 => Range::prefix(&key(random)),
        2 => Range::prefix(&Key::new("a")).after(&key(random)),
        _ => Range::between(&key(random), &key(random)),
    };
    let limit = 1 + random.below(20) as usize;
    match random.below(2) {
        0 => (range, (Scan::first(limit), limit, Direction::Up)),
        _ => (range, (Scan::last(limit), limit, Direction::Down)),
    }
}

#[derive(Clone, Copy, Debug)]
enum Direction {
    Up,
    Down,
}

fn expected(model: &Model, range: &Range, (_, limit, direction): (Scan, usize, Direction)) -> Vec<(Key, Bytes)> {
    let inside = model.iter().filter(|(key, _)| range.contains(key)).map(|(key, value)| (key.clone(), value.clone()));
    match direction {
        Direction::Up => inside.take(limit).collect(),
        Direction::Down => inside.rev().take(limit).collect(),
    }
}
