//! What a transaction sees, and when it is run again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use store::{Error, Key, Range, Scan};

use crate::fixture::{Fixture, all, commit, get, number, over_all_drivers, soon, together};

over_all_drivers! {
    sees_its_own_writes
    an_error_changes_nothing
    a_changed_read_is_run_again
    a_phantom_is_run_again
    what_was_not_read_does_not_conflict
    blind_writes_never_conflict
    no_update_is_lost
    appends_are_in_commit_order
    snapshots_stand_still
    a_used_up_transaction_says_so
    a_transaction_inside_a_losing_one_ends
}

fn key(name: &str) -> Key {
    Key::new("test").with(name)
}

async fn sees_its_own_writes(fixture: Fixture) {
    let store = fixture.open();
    commit(&store, |tx| ["a", "b", "d", "e"].into_iter().for_each(|name| tx.put(key(name), "old"))).await;
    store
        .transact(|tx| async move {
            tx.put(key("c"), "new");
            tx.put(key("b"), "new");
            tx.delete(key("d"));
            assert_eq!(tx.get(&key("b")).await?.as_deref(), Some(&b"new"[..]));
            assert_eq!(tx.get(&key("d")).await?, None);
            assert_eq!(tx.get(&key("a")).await?.as_deref(), Some(&b"old"[..]));
            let range = Range::prefix(&Key::new("test"));
            for (scan, expected, more) in [
                (Scan::first(10), "a=old b=new c=new e=old", false),
                (Scan::last(10), "e=old c=new b=new a=old", false),
                (Scan::first(3), "a=old b=new c=new", true),
                (Scan::first(4), "a=old b=new c=new e=old", false),
                (Scan::last(2), "e=old c=new", true),
                (Scan::first(0), "", true),
            ] {
                let page = tx.scan(range.clone(), scan).await?;
                let text = |(key, value): &(Key, bytes::Bytes)| {
                    format!("{}={}", key.to_string().replace("test/", ""), String::from_utf8_lossy(value))
                };
                assert_eq!(page.items.iter().map(text).collect::<Vec<_>>().join(" "), expected, "{scan:?}");
                // A page may end exactly at the last pair without knowing it; then the rest is empty.
                let rest = match page.rest {
                    Some(rest) => tx.scan(rest, Scan::first(10)).await?.items.len(),
                    None => 0,
                };
                assert_eq!(rest > 0, more, "{scan:?}");
            }
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
}

async fn an_error_changes_nothing(fixture: Fixture) {
    let store = fixture.open();
    let before = store.sequence();
    let result: Result<(), Error> = store
        .transact(|tx| async move {
            tx.put(key("a"), "1");
            Err(Error::Finished)
        })
        .await;
    assert!(matches!(result, Err(Error::Finished)));
    assert_eq!(get(&store, &key("a")).await, None);
    assert_eq!(store.sequence(), before);
}

/// Runs a transaction that does `read`, lets `meddle` commit in between the first time, and tells how often it ran.
async fn runs(store: &store::Store, read: impl AsyncRead, meddle: &[(&str, Option<&str>)]) -> usize {
    let runs = AtomicUsize::new(0);
    let (runs_ref, read) = (&runs, &read);
    store
        .transact(|tx| async move {
            read.read(&tx).await?;
            if runs_ref.fetch_add(1, Ordering::Relaxed) == 0 {
                commit(store, |tx| {
                    for (name, value) in meddle {
                        match value {
                            Some(value) => tx.put(key(name), value.to_string()),
                            None => tx.delete(key(name)),
                        }
                    }
                })
                .await;
            }
            tx.put(key("result"), "done");
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
    runs.into_inner()
}

/// A read to try: a point, or a scan.
trait AsyncRead: Send + Sync {
    fn read(&self, tx: &store::Transaction) -> impl Future<Output = Result<(), Error>> + Send;
}

impl AsyncRead for &'static str {
    async fn read(&self, tx: &store::Transaction) -> Result<(), Error> {
        tx.get(&key(self)).await.map(drop)
    }
}

impl AsyncRead for (Range, Scan) {
    async fn read(&self, tx: &store::Transaction) -> Result<(), Error> {
        tx.scan(self.0.clone(), self.1).await.map(drop)
    }
}

async fn a_changed_read_is_run_again(fixture: Fixture) {
    let store = fixture.open();
    commit(&store, |tx| tx.put(key("a"), "1")).await;
    assert_eq!(runs(&store, "a", &[("a", Some("2"))]).await, 2);
    assert_eq!(runs(&store, "a", &[("a", None)]).await, 2);
    assert_eq!(runs(&store, "absent", &[("absent", Some("1"))]).await, 2);
}

async fn a_phantom_is_run_again(fixture: Fixture) {
    let store = fixture.open();
    let between = |start: &str, end: &str| Range::between(&key(start), &key(end));
    for (range, scan, name, value, expected) in [
        (between("a", "e"), Scan::first(10), "c", Some("1"), 2),
        (between("a", "e"), Scan::first(10), "a", Some("1"), 2),
        (between("a", "e"), Scan::first(10), "b", None, 2),
        (between("a", "e"), Scan::first(10), "e", Some("1"), 1),
        (between("c", "c"), Scan::first(10), "c", Some("1"), 1),
        // A page that was full says nothing about what lies behind it.
        (between("a", "z"), Scan::first(1), "aa", Some("1"), 2),
        (between("a", "z"), Scan::first(1), "b", Some("2"), 2),
        (between("a", "z"), Scan::first(1), "ba", Some("1"), 1),
        (between("a", "z"), Scan::last(1), "x", Some("1"), 2),
        (between("a", "z"), Scan::last(1), "f", None, 2),
        (between("a", "z"), Scan::last(1), "e", Some("1"), 1),
    ] {
        for (name, _) in all(&store, Range::all()).await {
            commit(&store, |tx| tx.delete(name.clone())).await;
        }
        commit(&store, |tx| ["b", "d", "f"].into_iter().for_each(|name| tx.put(key(name), "1"))).await;
        assert_eq!(runs(&store, (range, scan), &[(name, value)]).await, expected, "{scan:?} {name}");
    }
}

async fn what_was_not_read_does_not_conflict(fixture: Fixture) {
    let store = fixture.open();
    assert_eq!(runs(&store, "a", &[("b", Some("1"))]).await, 1);
    assert_eq!(runs(&store, (Range::prefix(&key("a")), Scan::first(10)), &[("ab", Some("1"))]).await, 1);
}

async fn blind_writes_never_conflict(fixture: Fixture) {
    let store = fixture.open();
    let runs = Arc::new(AtomicUsize::new(0));
    together((0..200).map(|number| {
        let (store, runs) = (store.clone(), Arc::clone(&runs));
        async move {
            store
                .transact(|tx| {
                    runs.fetch_add(1, Ordering::Relaxed);
                    async move {
                        tx.put(key("one"), number.to_string());
                        Ok::<_, Error>(())
                    }
                })
                .await
                .unwrap();
        }
    }))
    .await;
    assert_eq!(runs.load(Ordering::Relaxed), 200);
    assert_eq!(store.sequence().number(), 200);
}

async fn no_update_is_lost(fixture: Fixture) {
    const TASKS: u64 = 64;
    const EACH: u64 = 20;
    let store = fixture.open();
    together((0..TASKS).map(|task| {
        let store = store.clone();
        async move {
            for _ in 0..EACH {
                // Some are alone on their counter, most crowd on one.
                let counter = key(if task % 4 == 0 { "few" } else { "many" });
                let counter = &counter;
                store
                    .transact(|tx| async move {
                        let count = tx.get(counter).await?.map_or(0, |bytes| number(&bytes));
                        tx.put(counter.clone(), (count + 1).to_string());
                        Ok::<_, Error>(())
                    })
                    .await
                    .unwrap();
            }
        }
    }))
    .await;
    let few = number(&get(&store, &key("few")).await.unwrap());
    let many = number(&get(&store, &key("many")).await.unwrap());
    assert_eq!((few, many), (TASKS / 4 * EACH, TASKS / 4 * 3 * EACH));
    assert_eq!(store.sequence().number(), TASKS * EACH);
}

async fn appends_are_in_commit_order(fixture: Fixture) {
    let store = fixture.open();
    let journal = Key::journal("log").with("a");
    let sequences = together((0..50).map(|number: u64| {
        let (store, journal) = (store.clone(), journal.clone());
        async move {
            let journal = &journal;
            let ((), sequence) = store
                .transact_sequenced(|tx| async move {
                    tx.append(journal.clone(), format!("{number}/0"));
                    tx.append(journal.clone(), format!("{number}/1"));
                    Ok::<_, Error>(())
                })
                .await
                .unwrap();
            (sequence, number)
        }
    }))
    .await;
    let mut expected = Vec::new();
    let mut sequences = sequences;
    sequences.sort();
    for (sequence, number) in sequences {
        for index in 0..2_u64 {
            expected.push((journal.clone().with(sequence).with(index), format!("{number}/{index}").into()));
        }
    }
    assert_eq!(all(&store, Range::prefix(&journal)).await, expected);
    let mut parts = expected[0].0.parts_after(&journal).unwrap();
    assert_eq!((parts.number().unwrap(), parts.number().unwrap(), parts.is_empty()), (1, 0, true));
}

async fn snapshots_stand_still(fixture: Fixture) {
    let store = fixture.open();
    commit(&store, |tx| tx.put(key("a"), "1")).await;
    let snapshot = store.snapshot();
    for round in 0..20 {
        commit(&store, |tx| {
            tx.put(key("a"), "2");
            tx.put(key(&format!("new{round}")), "1");
        })
        .await;
        commit(&store, |tx| tx.delete(key("a"))).await;
    }
    assert_eq!(snapshot.get(&key("a")).await.unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(snapshot.scan(Range::all(), Scan::last(10)).await.unwrap().items.len(), 1);
    assert_eq!(snapshot.sequence().number(), 1);
    drop(snapshot);
    assert_eq!(get(&store, &key("a")).await, None);
    soon("close", store.close()).await;
}

async fn a_used_up_transaction_says_so(fixture: Fixture) {
    let store = fixture.open();
    let tx = store.transact(|tx| async move { Ok::<_, Error>(tx) }).await.unwrap();
    assert!(matches!(tx.get(&key("a")).await, Err(Error::Finished)));
    assert!(matches!(tx.scan(Range::all(), Scan::first(1)).await, Err(Error::Finished)));
}

/// The outer one has the losers' turn when the inner one asks for it.
async fn a_transaction_inside_a_losing_one_ends(fixture: Fixture) {
    let store = fixture.open();
    let (store_ref, outer_runs, inner_runs) = (&store, &AtomicUsize::new(0), &AtomicUsize::new(0));
    let outer = store.transact(|tx| async move {
        tx.get(&key("a")).await?;
        let inner = store_ref.transact(|tx| async move {
            tx.get(&key("b")).await?;
            if outer_runs.load(Ordering::Relaxed) == 6 && inner_runs.fetch_add(1, Ordering::Relaxed) < 6 {
                commit(store_ref, |tx| tx.put(key("b"), "meddled")).await;
            }
            tx.put(key("b"), "inner");
            Ok::<_, Error>(())
        });
        inner.await?;
        if outer_runs.fetch_add(1, Ordering::Relaxed) < 6 {
            commit(store_ref, |tx| tx.put(key("a"), "meddled")).await;
        }
        tx.put(key("a"), "outer");
        Ok::<_, Error>(())
    });
    soon("the outer one commits", outer).await.unwrap();
    assert_eq!((outer_runs.load(Ordering::Relaxed), inner_runs.load(Ordering::Relaxed)), (7, 7));
    assert_eq!(get(&store, &key("a")).await.as_deref(), Some(&b"outer"[..]));
}
