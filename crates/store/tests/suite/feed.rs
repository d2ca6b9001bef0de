//! The change feed.

use std::collections::BTreeSet;

use store::{Change, Error, Key, Range, Sequence, Watch};

use crate::fixture::{Fixture, all, commit, over_all_drivers, soon, together};

over_all_drivers! {
    watchers_hear_of_their_prefix_only
    who_lags_is_told
    a_cache_can_follow
    closing_is_heard
}

async fn watchers_hear_of_their_prefix_only(fixture: Fixture) {
    let store = fixture.open();
    let fn_a = Key::new("fn").with("a");
    let mut watch_fn = store.watch(Key::new("fn"));
    let mut watch_a = store.watch(fn_a.clone());
    let mut watch_log = store.watch(Key::journal("log"));
    commit(&store, |tx| {
        tx.put(Key::new("fn").with("a"), "1");
        tx.put(Key::new("fn").with("a").with("x"), "1");
        tx.put(Key::new("fn").with("ab"), "1");
        tx.put(Key::new("fn").with("a\0b"), "1");
        tx.append(Key::journal("log"), "1");
    })
    .await;
    commit(&store, |tx| tx.put(Key::new("other"), "1")).await;
    commit(&store, |tx| tx.delete(Key::new("fn").with("a"))).await;

    let hear = async |watch: &mut Watch| match soon("a change", watch.next()).await {
        Change::Commit { sequence, keys } => {
            let keys: BTreeSet<_> = keys.iter().map(ToString::to_string).collect();
            (sequence.number(), keys.into_iter().collect::<Vec<_>>().join(" "))
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(hear(&mut watch_fn).await, (1, "fn/a fn/a\0b fn/a/x fn/ab".to_owned()));
    assert_eq!(hear(&mut watch_fn).await, (3, "fn/a".to_owned()));
    assert_eq!(hear(&mut watch_a).await, (1, "fn/a fn/a/x".to_owned()));
    assert_eq!(hear(&mut watch_a).await, (3, "fn/a".to_owned()));
    assert_eq!(hear(&mut watch_log).await, (1, "log/1/0".to_owned()));
    for watch in [&mut watch_fn, &mut watch_a, &mut watch_log] {
        assert_eq!(watch.try_next(), None);
    }
}

async fn who_lags_is_told(fixture: Fixture) {
    let store = fixture.open();
    let mut slow = store.watch(Key::new("a"));
    for round in 0..3_u64 {
        commit(&store, |tx| {
            for number in 0..Watch::KEYS_MAX as u64 / 2 {
                tx.put(Key::new("a").with(round).with(number), "");
            }
        })
        .await;
    }
    assert_eq!(soon("a change", slow.next()).await, Change::Lagged);
    assert_eq!(slow.try_next(), None);
    commit(&store, |tx| tx.put(Key::new("a"), "")).await;
    let expected = Change::Commit { sequence: Sequence::new(4), keys: vec![Key::new("a")] };
    assert_eq!(soon("a change", slow.next()).await, expected);
}

/// What every service does: watch, load a snapshot, follow.
async fn a_cache_can_follow(fixture: Fixture) {
    const TASKS: u64 = 8;
    const EACH: u64 = 40;
    let store = fixture.open();
    let writers = (0..TASKS).map(|task| {
        let store = store.clone();
        async move {
            for number in 0..EACH {
                commit(&store, |tx| tx.put(Key::new("a").with(task * EACH + number), "")).await;
            }
        }
    });
    let follower = {
        let store = store.clone();
        async move {
            let mut watch = store.watch(Key::new("a"));
            let mut known: BTreeSet<Key> = BTreeSet::new();
            let mut load = true;
            while (known.len() as u64) < TASKS * EACH {
                if load {
                    known = all(&store, Range::prefix(&Key::new("a"))).await.into_iter().map(|(key, _)| key).collect();
                    load = false;
                    continue;
                }
                match watch.next().await {
                    Change::Commit { keys, .. } => known.extend(keys),
                    Change::Lagged => load = true,
                    Change::Closed => panic!("nobody closed it"),
                }
            }
            known.len() as u64
        }
    };
    let (follower, _) = tokio::join!(soon("the cache is complete", follower), together(writers));
    assert_eq!(follower, TASKS * EACH);
}

async fn closing_is_heard(fixture: Fixture) {
    let store = fixture.open();
    let mut watch = store.watch(Key::new("a"));
    commit(&store, |tx| tx.put(Key::new("a"), "")).await;
    let closed = store.clone();
    soon("close", store.close()).await;
    assert!(matches!(watch.next().await, Change::Commit { .. }));
    assert_eq!(soon("the end", watch.next()).await, Change::Closed);
    assert_eq!(soon("the end", closed.watch(Key::new("a")).next()).await, Change::Closed);
    let late = closed.transact(|tx| async move {
        tx.put(Key::new("a"), "");
        Ok::<_, Error>(())
    });
    assert!(matches!(late.await, Err(Error::Closed)));
    assert!(matches!(closed.snapshot().get(&Key::new("a")).await, Err(Error::Closed)));
}
