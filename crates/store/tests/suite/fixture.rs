//! A store over any driver, and the macro that runs a test over all of them.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use base::Clock;
use bytes::Bytes;
use store::{Error, Key, Location, Options, Page, Range, Scan, Store, Transaction};
use tempfile::TempDir;

/// The drivers that this is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    Memory,
    Embedded,
    Sqlite,
}

/// A store, and the folder that it lies in.
pub struct Fixture {
    pub driver: Driver,
    folder: TempDir,
}

impl Fixture {
    pub fn new(driver: Driver) -> Self {
        Self { driver, folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn options(&self, clock: Clock) -> Options {
        let path = self.folder.path().to_owned();
        let location = match self.driver {
            Driver::Memory => Location::Memory,
            Driver::Embedded => Location::Embedded(path),
            Driver::Sqlite => Location::Sqlite(path),
        };
        Options { disk_reserve: base::ByteSize(0), ..Options::new(location, clock) }
    }

    pub fn open(&self) -> Store {
        Store::open(self.options(Clock::system())).unwrap()
    }

    pub fn is_durable(&self) -> bool {
        self.driver != Driver::Memory
    }
}

/// Runs each of the functions over each driver.
macro_rules! over_all_drivers {
    ($($test:ident)*) => {
        over_all_drivers!(@memory Memory: $($test)*);
        over_all_drivers!(@embedded Embedded: $($test)*);
        over_all_drivers!(@sqlite Sqlite: $($test)*);
    };
    (@$name:ident $driver:ident: $($test:ident)*) => {
        mod $name {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test(crate::fixture::Fixture::new(crate::fixture::Driver::$driver)).await;
                }
            )*
        }
    };
}
pub(crate) use over_all_drivers;

/// Runs `write` in a transaction that must commit.
pub async fn commit(store: &Store, write: impl Fn(&Transaction) + Send + Sync) {
    let write = &write;
    store
        .transact(|tx| async move {
            write(&tx);
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
}

pub async fn get(store: &Store, key: &Key) -> Option<Bytes> {
    store.snapshot().get(key).await.unwrap()
}

/// Everything in a range, page by page.
pub async fn all(store: &Store, range: Range) -> Vec<(Key, Bytes)> {
    let snapshot = store.snapshot();
    let mut items = Vec::new();
    let mut rest = Some(range);
    while let Some(range) = rest.take() {
        let page: Page = snapshot.scan(range, Scan::first(1_000)).await.unwrap();
        items.extend(page.items);
        rest = page.rest;
    }
    items
}

/// Waits for something that must happen, but not for ever.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), future).await {
        Ok(value) => value,
        Err(_) => panic!("did not happen within a minute: {what}"),
    }
}

/// Runs tasks side by side and gathers what they return.
pub async fn together<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    tasks: impl IntoIterator<Item = F>,
) -> Vec<T> {
    let mut set = tokio::task::JoinSet::new();
    for task in tasks {
        set.spawn(task);
    }
    soon("all tasks end", set.join_all()).await
}

/// A number as a value.
pub fn number(bytes: &Bytes) -> u64 {
    std::str::from_utf8(bytes).unwrap().parse().unwrap()
}
