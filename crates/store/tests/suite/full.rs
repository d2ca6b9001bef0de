//! A disk that really is full: writes are refused with a clear error before the engine runs into its end, reading and
//! deleting go on, and with room made writing does too. Skipped, with a word, where no disk can be made.

use std::fs::File;
use std::io::Write;

use base::{ByteSize, Clock};
use store::{Error, Key, Options, Range, Store};

use crate::disk::Disk;
use crate::fixture::{all, commit, get};
use crate::load::Engine;

const RESERVE: ByteSize = ByteSize::mib(64);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_recovers() {
    for engine in [Engine::Embedded, Engine::Sqlite] {
        let folder = tempfile::tempdir().unwrap();
        match Disk::new(folder.path(), 512 << 20) {
            Ok(disk) => fill(engine, &disk).await,
            Err(missing) => println!("skipped: no disk to fill here: {missing}"),
        }
    }
}

async fn put(store: &Store, number: u64) -> Result<(), Error> {
    let write = store.transact(|tx| async move {
        tx.put(Key::new("a").with(number), vec![number as u8; 60_000]);
        Ok(())
    });
    write.await
}

async fn fill(engine: Engine, disk: &Disk) {
    let filler = disk.data().join("filler");
    let store = Store::open(Options {
        disk_reserve: RESERVE,
        location: engine.options(&disk.data().join("store")).location,
        ..Options::new(store::Location::Memory, Clock::system())
    });
    let store = store.unwrap();
    put(&store, 0).await.unwrap();

    let free = || rustix::fs::statvfs(disk.data()).map(|disk| disk.f_bavail * disk.f_frsize).unwrap();
    let mut file = File::create(&filler).unwrap();
    while free() > RESERVE.bytes() + (16 << 20) {
        file.write_all(&vec![1; 4 << 20]).unwrap();
    }
    file.sync_all().unwrap();
    drop(file);

    let mut written = 1;
    let refused = loop {
        match put(&store, written).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::DiskFull { reserve: RESERVE, .. }), "{refused:?}");
    assert!(written > 10, "{written}");
    let found = all(&store, Range::prefix(&Key::new("a"))).await;
    assert_eq!(found.len() as u64, written);
    assert!(found.iter().zip(0..).all(|((_, value), number)| value[..] == vec![number as u8; 60_000]));
    commit(&store, |tx| tx.delete(Key::new("a").with(0_u64))).await;
    assert_eq!(get(&store, &Key::new("a").with(0_u64)).await, None);

    std::fs::remove_file(filler).unwrap();
    put(&store, written).await.unwrap();
    store.close().await;
}
