//! What is there after the node was stopped and started again, on a real disk.

use std::time::Duration;

use base::{Clock, task::Tasks};
use store::{Blobs, Location, Options, Store};
use wire::lambda as op;

use super::world::{World, package};

async fn open(folder: &std::path::Path) -> (Store, Blobs) {
    let (folder, clock) = (folder.to_owned(), Clock::system());
    let opened = tokio::task::spawn_blocking(move || {
        let store =
            Store::open(Options::new(Location::Embedded(folder.join("store")), clock.clone())).expect("it opens");
        (store, Blobs::open(&folder.join("blobs"), clock).expect("they open"))
    });
    opened.await.expect("opening does not panic")
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, blobs) = open(folder.path()).await;
    let before = World::over(store.clone(), blobs).await;
    before.create("greet").await;
    before.publish("greet").await;
    let latest = before.change_code("greet", "exit 7").await;
    let alias = op::CreateAliasRequest {
        function_name: "greet".into(),
        name: "live".into(),
        function_version: "1".into(),
        ..Default::default()
    };
    let alias = before.ask::<op::CreateAlias>(alias).await.expect("it is made");
    let url = op::CreateFunctionUrlConfigRequest {
        function_name: "greet".into(),
        auth_type: op::FunctionUrlAuthType::None,
        ..Default::default()
    };
    let url = before.ask::<op::CreateFunctionUrlConfig>(url).await.expect("it is made");
    before.create("gone").await;
    let delete = op::DeleteFunctionRequest { function_name: "gone".into(), qualifier: None };
    before.ask::<op::DeleteFunction>(delete).await.expect("it is deleted");
    drop(before);
    store.close().await;

    let (store, blobs) = open(folder.path()).await;
    let after = World::over(store.clone(), blobs.clone()).await;
    assert_eq!(after.configuration("greet").await, Ok(latest));
    assert!(after.configuration("gone").await.is_err());
    let get = op::GetAliasRequest { function_name: "greet".into(), name: "live".into() };
    assert_eq!(after.ask::<op::GetAlias>(get).await, Ok(alias));
    let id = url.function_url.trim_start_matches("http://").split('.').next().expect("it has a first label");
    assert!(after.functions.resolve_url(id).is_some());

    // The unpacked code is a cache that was lost; it comes back by itself, for all versions.
    let codes: Vec<_> = ["exit 1", "exit 7"].map(|text| compute::CodeId::of(&package(text))).into();
    assert!(codes.iter().all(|code| !after.functions.compute.has_code(code)));
    let tasks = Tasks::new();
    after.functions.start(&tasks);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while !codes.iter().all(|code| after.functions.compute.has_code(code)) {
        assert!(tokio::time::Instant::now() < deadline, "the code was not unpacked again");
        tokio::task::yield_now().await;
    }
    assert!(tasks.shut_down(Duration::from_secs(30)).await);

    // Nothing that a version needs is swept, and nothing that nobody needs stays.
    let swept = blobs.sweep(&store, Duration::ZERO).await.expect("it sweeps");
    assert_eq!((swept.kept, swept.removed), (2, 0));
    let delete = op::DeleteFunctionRequest { function_name: "greet".into(), qualifier: None };
    after.ask::<op::DeleteFunction>(delete).await.expect("it is deleted");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    // A blob that was put in this very millisecond counts as young.
    while blobs.sweep(&store, Duration::ZERO).await.expect("it sweeps").kept > 0 {
        assert!(tokio::time::Instant::now() < deadline, "packages that nobody needs stay");
    }
    store.close().await;
}

#[tokio::test]
async fn the_table_follows_what_others_commit() {
    let clock = Clock::system();
    let (store, blobs) = (Store::memory(clock.clone()), Blobs::memory(clock));
    let (one, two) = (World::over(store.clone(), blobs.clone()).await, World::over(store, blobs).await);
    let tasks = Tasks::new();
    two.functions.start(&tasks);
    one.create("greet").await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while two.functions.resolve_anywhere("greet").is_none() {
        assert!(tokio::time::Instant::now() < deadline, "the other node never saw it");
        tokio::task::yield_now().await;
    }
    let delete = op::DeleteFunctionRequest { function_name: "greet".into(), qualifier: None };
    one.ask::<op::DeleteFunction>(delete).await.expect("it is deleted");
    while two.functions.resolve_anywhere("greet").is_some() {
        assert!(tokio::time::Instant::now() < deadline, "the other node never saw it go");
        tokio::task::yield_now().await;
    }
    assert!(tasks.shut_down(Duration::from_secs(30)).await);
}
