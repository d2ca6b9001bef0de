//! What is there when a store is opened again, and who may open it.

use base::Clock;
use store::{Key, Location, OpenError, Options, Range, Sequence, Store};

use crate::fixture::{Driver, Fixture, all, commit, get, soon};

const DURABLE: [Driver; 2] = [Driver::Embedded, Driver::Sqlite];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_there_again() {
    for driver in DURABLE {
        let fixture = Fixture::new(driver);
        for round in 0..5_u64 {
            let store = fixture.open();
            assert_eq!(store.sequence(), Sequence::new(round * 10));
            for number in 0..10_u64 {
                commit(&store, |tx| tx.append(Key::journal("log"), (round * 10 + number).to_string())).await;
            }
            let found = all(&store, Range::prefix(&Key::journal("log"))).await;
            let expected: Vec<_> = (0..(round + 1) * 10).map(|number| number.to_string()).collect();
            assert_eq!(
                found.iter().map(|(_, value)| value.to_vec()).collect::<Vec<_>>(),
                expected.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>()
            );
            // Both ends must do: closed in order, and merely dropped.
            if round % 2 == 0 {
                soon("close", store.close()).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_at_a_time() {
    for driver in DURABLE {
        let fixture = Fixture::new(driver);
        let store = fixture.open();
        let second = Store::open(fixture.options(Clock::system()));
        assert!(matches!(second, Err(OpenError::Locked { .. })));
        let text = second.unwrap_err().to_string();
        assert!(text.contains("is in use by another node"), "{text}");
        commit(&store, |tx| tx.put(Key::new("a"), "1")).await;

        // A snapshot that is still held does not keep the folder from the next.
        let held = store.snapshot();
        soon("close", store.close()).await;
        let store = fixture.open();
        assert_eq!(get(&store, &Key::new("a")).await.as_deref(), Some(&b"1"[..]));
        assert!(held.get(&Key::new("a")).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_is_not_ours_is_left_alone() {
    for driver in DURABLE {
        let fixture = Fixture::new(driver);
        soon("close", fixture.open().close()).await;
        let format = fixture.path().join("FORMAT");
        let ours = std::fs::read_to_string(&format).unwrap();
        std::fs::write(&format, ours.replace(" 1 ", " 99 ")).unwrap();
        let newer = Store::open(fixture.options(Clock::system()));
        assert!(matches!(newer, Err(OpenError::Newer { found: 99, supported: 1, .. })));

        std::fs::write(&format, ours).unwrap();
        let path = fixture.path().to_owned();
        let other = match driver {
            Driver::Embedded => Location::Sqlite(path),
            Driver::Sqlite | Driver::Memory => Location::Embedded(path),
        };
        assert!(matches!(Store::open(Options::new(other, Clock::system())), Err(OpenError::Foreign { .. })));
        soon("close", fixture.open().close()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_waiting_is_written_when_it_closes() {
    for driver in DURABLE {
        let fixture = Fixture::new(driver);
        let store = fixture.open();
        let mut waiting = tokio::task::JoinSet::new();
        for number in 0..100_u64 {
            let store = store.clone();
            waiting.spawn(async move {
                let put = store.transact(|tx| async move {
                    tx.put(Key::new("a").with(number), "1");
                    Ok::<_, store::Error>(())
                });
                put.await.is_ok()
            });
        }
        tokio::task::yield_now().await;
        soon("close", store.close()).await;
        let acknowledged = soon("all answers", waiting.join_all()).await.into_iter().filter(|ok| *ok).count();
        let store = fixture.open();
        assert_eq!(all(&store, Range::all()).await.len(), acknowledged);
    }
}
