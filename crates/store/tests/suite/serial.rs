//! Is it serialisable? Random transactions run side by side and write down what they read. Then they are replayed one
//! after the other in the order of their sequence numbers on a plain map, and each must read the same again.

use std::collections::BTreeMap;

use base::Random;
use bytes::Bytes;
use store::{Error, Key, Range, Scan, Sequence, Store, Transaction};

use crate::fixture::{Fixture, commit, get, over_all_drivers, together};

over_all_drivers! {
    concurrent_transactions_have_a_serial_order
    write_skew_is_refused
    a_quota_over_a_range_holds
}

type Pairs = Vec<(Key, Bytes)>;

/// What one transaction saw and did.
#[derive(Default)]
struct Story {
    gets: Vec<(Key, Option<Bytes>)>,
    scans: Vec<(Range, Scan, Pairs)>,
    writes: Vec<(Key, Option<Bytes>)>,
}

async fn concurrent_transactions_have_a_serial_order(fixture: Fixture) {
    let store = fixture.open();
    let seed = 42;
    let stories = together((0..16).map(|task: u64| {
        let store = store.clone();
        async move {
            let random = Random::seeded(seed + task);
            let mut stories: Vec<(Sequence, Story)> = Vec::new();
            for _ in 0..60 {
                stories.push(tell(&store, &random, task).await);
            }
            stories
        }
    }))
    .await;
    let mut stories: Vec<_> = stories.into_iter().flatten().collect();
    stories.sort_by_key(|(sequence, _)| *sequence);
    assert!(stories.windows(2).all(|pair| pair[0].0 < pair[1].0), "a number was given twice");
    let mut model = BTreeMap::new();
    for (sequence, story) in stories {
        replay(&mut model, sequence, story);
    }
}

async fn tell(store: &Store, random: &Random, task: u64) -> (Sequence, Story) {
    let result = store
        .transact_sequenced(|tx| async move {
            let mut story = Story::default();
            for _ in 0..1 + random.below(3) {
                look(&tx, random, &mut story).await?;
            }
            for _ in 0..1 + random.below(2) {
                let (key, value) = (key(random), Bytes::from(format!("{task}-{}", random.below(1 << 30))));
                match random.below(4) {
                    0 => {
                        tx.delete(key.clone());
                        story.writes.push((key, None));
                    }
                    _ => {
                        tx.put(key.clone(), value.clone());
                        story.writes.push((key, Some(value)));
                    }
                }
            }
            Ok::<_, Error>(story)
        })
        .await;
    let (story, sequence) = result.unwrap();
    (sequence, story)
}

async fn look(tx: &Transaction, random: &Random, story: &mut Story) -> Result<(), Error> {
    match random.below(3) {
        0 => {
            let (start, limit) = (key(random), 1 + random.below(3) as usize);
            let scan = if random.below(2) == 0 { Scan::first(limit) } else { Scan::last(limit) };
            let range = Range::between(&start, &Key::new("cell").with(100_u64));
            let page = tx.scan(range.clone(), scan).await?;
            story.scans.push((range, scan, page.items));
        }
        _ => {
            let key = key(random);
            let value = tx.get(&key).await?;
            story.gets.push((key, value));
        }
    }
    Ok(())
}

fn replay(model: &mut BTreeMap<Key, Bytes>, sequence: Sequence, story: Story) {
    for (key, seen) in story.gets {
        assert_eq!(model.get(&key), seen.as_ref(), "commit {sequence} read another {key}");
    }
    for (range, scan, seen) in story.scans {
        let inside =
            || model.iter().filter(|(key, _)| range.contains(key)).map(|(key, value)| (key.clone(), value.clone()));
        let now: Vec<_> = match seen.len() {
            limit if scan == Scan::first(limit) => inside().take(limit).collect(),
            limit if scan == Scan::last(limit) => inside().rev().take(limit).collect(),
            // A short page covers the whole range.
            _ => {
                let mut all: Vec<_> = inside().collect();
                if seen.first().map(|(key, _)| key) > seen.last().map(|(key, _)| key) {
                    all.reverse();
                }
                all
            }
        };
        assert_eq!(now, seen, "commit {sequence} scanned something else in {range:?}");
    }
    for (key, value) in story.writes {
        match value {
            Some(value) => model.insert(key, value),
            None => model.remove(&key),
        };
    }
}

fn key(random: &Random) -> Key {
    Key::new("cell").with(random.below(24))
}

/// Two are on duty and each may leave if the other stays: both must never leave.
async fn write_skew_is_refused(fixture: Fixture) {
    let store = fixture.open();
    let duty = |who: u64| Key::new("duty").with(who);
    for _ in 0..50 {
        commit(&store, |tx| (0..2).for_each(|who| tx.put(duty(who), "on"))).await;
        let left = together((0..2_u64).map(|who| {
            let store = store.clone();
            async move {
                let leave = store.transact(|tx| async move {
                    let other_stays = tx.get(&duty(1 - who)).await?.is_some();
                    tokio::task::yield_now().await;
                    if other_stays {
                        tx.delete(duty(who));
                    }
                    Ok::<_, Error>(other_stays)
                });
                leave.await.unwrap()
            }
        }))
        .await;
        let on_duty = [get(&store, &duty(0)).await, get(&store, &duty(1)).await].iter().flatten().count();
        assert_eq!((on_duty, left.iter().filter(|left| **left).count()), (1, 1));
    }
}

/// "At most five of these": whoever counts a range and then adds to it must not be overtaken.
async fn a_quota_over_a_range_holds(fixture: Fixture) {
    let store = fixture.open();
    let added = together((0..32_u64).map(|who| {
        let store = store.clone();
        async move {
            let add = store.transact(|tx| async move {
                let present = tx.scan(Range::prefix(&Key::new("seat")), Scan::first(100)).await?.items.len();
                if present < 5 {
                    tx.put(Key::new("seat").with(who), "taken");
                }
                Ok::<_, Error>(present < 5)
            });
            add.await.unwrap()
        }
    }))
    .await;
    assert_eq!(added.iter().filter(|added| **added).count(), 5);
    let page = store.snapshot().scan(Range::all(), Scan::first(100)).await.unwrap();
    assert_eq!(page.items.len(), 5);
}
