//! What goes wrong twice: ways back that fail, operations that were cut off, stores that are emptied. The next operation mends it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base::Clock;
use serde_json::{Value, json};
use store::{Range, Scan, Store};

use super::crashes::{nothing_leaks, rest};
use super::world::{Halt, World, call, engine, wish};
use crate::{Engine, Error, Status};

const CHAIN: &str = "
Resources:
  A: {Type: Toy::Thing, Properties: {Name: a, Value: a}}
  B: {Type: Toy::Thing, Properties: {Name: b, Value: !Sub '${A.Value}b'}}
  C: {Type: Toy::Thing, Properties: {Name: c, Value: !Sub '${B.Value}c'}}
";

struct Stage {
    world: Arc<World>,
    store: Store,
    engine: Engine,
}

impl Stage {
    fn new() -> Self {
        let (world, store) = (Arc::new(World::default()), Store::memory(Clock::system()));
        let engine = engine(&store, &world, &Arc::default(), 1);
        Self { world, store, engine }
    }

    async fn apply(&self, template: &str) -> Result<bool, String> {
        let applied = self.engine.apply(&call(), wish(template), None).await.map_err(|error| error.to_string())?;
        Ok(applied.changed)
    }

    fn break_calls(&self, calls: &[&str]) {
        self.world.state().broken.extend(calls.iter().map(|call| (*call).to_owned()));
    }

    async fn status(&self) -> (Status, String) {
        let stack = self.engine.describe(&call(), "app", 0).await.expect("it is there").stack;
        (stack.status, stack.reason.unwrap_or_default())
    }

    /// Begins an operation on a node that stops after so many points.
    async fn stop_within(&self, template: &str, points: i64) {
        let halt = Arc::new(Halt::after(points));
        let (stopped, call) = (engine(&self.store, &self.world, &halt, 7), call());
        tokio::select! {
            ended = stopped.apply(&call, wish(template), None) => panic!("it was stopped on its way: {ended:?}"),
            () = halt.stopped() => {}
        }
    }
}

fn things(pairs: &[(&str, &str)]) -> BTreeMap<String, Value> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
}

/// A cannot be changed back, and B, which comes after it, is not reached: neither is as it was, and both are known not to be.
#[tokio::test]
async fn what_a_failed_way_back_did_not_reach_is_mended_too() {
    let stage = Stage::new();
    stage.apply(CHAIN).await.expect("it is sound");
    let changed = CHAIN.replace("Value: a}", "Value: aa}");
    stage.break_calls(&["Update aabc", "Update a"]);
    let message = stage.apply(&changed).await.expect_err("C cannot be changed, and A not back");
    assert!(message.contains("UPDATE_ROLLBACK_FAILED"), "{message}");
    let (status, reason) = stage.status().await;
    assert_eq!(status, Status::UpdateRollbackFailed);
    assert_eq!(
        reason,
        "C: Update aabc is broken (Broken) The following resource(s) failed to update: [A]. A: Update a is broken (Broken)"
    );
    assert_eq!(stage.apply(CHAIN).await, Ok(true));
    assert_eq!(stage.world.contents(), things(&[("a", "a"), ("b", "ab"), ("c", "abc")]));
    assert_eq!(stage.status().await, (Status::UpdateComplete, String::new()));
}

#[tokio::test]
async fn what_cannot_be_deleted_is_told_with_its_reason() {
    let stage = Stage::new();
    stage.apply(CHAIN).await.expect("it is sound");
    stage.break_calls(&["Delete b"]);
    let message = stage.engine.delete(&call(), "app", None).await.expect_err("B stays").to_string();
    let expected =
        "ended as DELETE_FAILED: The following resource(s) failed to delete: [B]. B: Delete b is broken (Broken)";
    assert!(message.ends_with(expected), "{message}");
    assert_eq!(stage.world.contents(), things(&[("a", "a"), ("b", "ab")]), "A is needed by what stays");
    stage.engine.delete(&call(), "app", None).await.expect("now it goes");
    assert!(stage.world.contents().is_empty());

    stage.break_calls(&["Create abc", "Delete a"]);
    let message = stage.apply(CHAIN).await.expect_err("C cannot be made, and A not deleted");
    assert!(
        message.ends_with(
            "ended as ROLLBACK_FAILED: C: Create abc is broken (Broken) The following resource(s) failed to delete: [A]. A: \
             Delete a is broken (Broken)"
        ),
        "{message}"
    );
}

/// One real thing cannot stand for two resources: whichever went would take it along.
#[tokio::test]
async fn what_stands_for_one_resource_stands_for_no_other() {
    let stage = Stage::new();
    let both = "Resources:\n  V1: {Type: Toy::Ticket, Properties: {Token: same}}\n  V2: {Type: Toy::Ticket, Properties: {Token: same}}\n";
    let message = stage.apply(both).await.expect_err("the service makes one");
    let one = message.contains("V2: 1 already exists, and is the resource V1 of this template");
    let other = message.contains("V1: 1 already exists, and is the resource V2 of this template");
    assert!(one || other, "{message}");
    assert!(stage.world.contents().is_empty(), "{:?}", stage.world.contents());

    let first = "Resources:\n  V1: {Type: Toy::Ticket, Properties: {Token: same}}\n";
    stage.apply(first).await.expect("it is sound");
    let standing = stage.world.contents();
    let message = stage.apply(both).await.expect_err("there is one already");
    assert!(message.contains("already exists, and is the resource V1 of this template"), "{message}");
    assert_eq!(stage.world.contents(), standing, "V1 has it still");
    assert_eq!(stage.apply(&first.replace("V1", "V2")).await, Ok(true), "a resource may be renamed");
    nothing_leaks(&stage.engine, &stage.world, 0).await;
}

/// A physical id alone does not tell one thing from another.
#[tokio::test]
async fn things_of_one_name_in_two_places_are_two() {
    let stage = Stage::new();
    let both = "Resources:\n  L1: {Type: Toy::Leaf, Properties: {Tree: oak}}\n  L2: {Type: Toy::Leaf, Properties: {Tree: elm}}\n";
    stage.apply(both).await.expect("each tree has its own leaf");
    let names = || stage.world.contents().into_keys().collect::<Vec<_>>();
    assert_eq!(names(), ["elm/leaf", "oak/leaf"]);
    stage.apply("Resources:\n  L2: {Type: Toy::Leaf, Properties: {Tree: elm}}\n").await.expect("it is sound");
    assert_eq!(names(), ["elm/leaf"]);
    let message = stage.apply(&both.replace("oak", "elm")).await.expect_err("that leaf is there");
    assert!(message.contains("L1: leaf already exists"), "{message}");
}

/// What was made anew or changed while it was first created goes when the creation is given up.
#[tokio::test]
async fn a_creation_that_is_given_up_leaves_nothing_of_what_it_changed_on_the_way() {
    let giver = "Resources: {G: {Type: Toy::Thing, Properties: {Name: g, Value: v1}}}\nOutputs: {O: {Value: !GetAtt G.Value, Export: {Name: x}}}";
    let taker = "
Resources:
  A: {Type: Toy::Thing, Properties: {Name: a, Value: !ImportValue x}}
  F: {Type: Toy::Thing, Properties: {Fixed: !ImportValue x}}
  B: {Type: Toy::Thing, Properties: {Name: b, Value: b}, DependsOn: [A, F]}
";
    let mut altered = 0;
    for points in 1..40 {
        let stage = Stage::new();
        let give = async |template: &str| {
            let mut wish = wish(template);
            wish.stack = "giver".to_owned();
            stage.engine.apply(&call(), wish, None).await.expect("it is sound");
        };
        give(giver).await;
        let halt = Arc::new(Halt::after(points));
        let (stopped, call) = (engine(&stage.store, &stage.world, &halt, 7), call());
        stage.break_calls(&["Create b"]);
        tokio::select! {
            _ = stopped.apply(&call, wish(taker), None) => break,
            () = halt.stopped() => {}
        }
        give(&giver.replace("v1", "v2")).await;
        stage.world.take_log();
        stage.break_calls(&["Create b"]);
        stage.engine.resume().await.expect("the store works");
        rest(&stage.store, &stage.engine).await;
        altered += usize::from(stage.world.take_log().iter().any(|entry| entry == "Update a"));
        assert_eq!(stage.world.contents(), things(&[("g", "v2")]), "stopped at {points}");
    }
    assert!(altered > 0, "A was changed on the way at least once");
}

/// A node that was killed half-way is started again, and somebody deploys at once: the new one waits for the old.
#[tokio::test]
async fn a_deployment_waits_for_one_that_goes_on_after_a_crash() {
    for points in [1, 3, 6, 9] {
        let stage = Stage::new();
        stage.stop_within(CHAIN, points).await;
        assert_eq!(stage.engine.resume().await.expect("the store works"), 1, "{points}");
        let changed = CHAIN.replace("Value: a}", "Value: aa}");
        assert_eq!(stage.apply(&changed).await, Ok(true), "{points}");
        assert_eq!(stage.world.contents(), things(&[("a", "aa"), ("b", "aab"), ("c", "aabc")]), "{points}");
    }
}

/// Nobody resumed it: its node died while this one ran, or its store failed.
#[tokio::test]
async fn an_operation_that_nobody_goes_on_with_is_gone_on_with_first() {
    for points in [1, 3, 6, 9] {
        let stage = Stage::new();
        stage.stop_within(CHAIN, points).await;
        assert_eq!(stage.apply(CHAIN).await, Ok(false), "{points}: it was finished, and nothing was left to do");
        assert_eq!(stage.status().await.0, Status::CreateComplete);
        stage.stop_within(&CHAIN.replace("Value: a}", "Value: aa}"), points).await;
        stage.engine.delete(&call(), "app", None).await.expect("it is deleted");
        assert!(stage.world.contents().is_empty(), "{points}");
        assert_eq!(stage.engine.resume().await.expect("the store works"), 0);
    }
}

#[tokio::test]
async fn the_template_of_a_stack_that_never_was_complete_is_told() {
    let stage = Stage::new();
    // One of which nothing is left is not kept.
    stage.break_calls(&["Create abc", "Delete a"]);
    stage.apply(CHAIN).await.expect_err("C cannot be made, and A cannot be deleted");
    let told = stage.engine.template(&call(), "app").await.expect("it was given");
    assert_eq!(told["Resources"]["A"]["Properties"]["Value"], "a");
    assert!(matches!(stage.engine.template(&call(), "other").await, Err(Error::Missing(_))));
}

/// As `POST /_reset` does it: everything is taken out from under the engine, which is told and can begin again.
#[tokio::test]
async fn an_emptied_store_is_told_and_a_deleted_stack_is_not() {
    let stage = Stage::new();
    let mut emptied = stage.engine.watch_emptied().await.expect("the store works");
    stage.apply(CHAIN).await.expect("it is sound");
    stage.engine.delete(&call(), "app", None).await.expect("it is deleted");
    stage.apply(CHAIN).await.expect("it is sound");
    {
        let mut next = Box::pin(emptied.next());
        assert!(futures_util::poll!(&mut next).is_pending(), "nobody emptied the store");
    }
    for _ in 0..2 {
        empty(&stage.store).await;
        stage.world.state().things.clear();
        tokio::time::timeout(Duration::from_secs(60), emptied.next()).await.expect("it is told").expect("it works");
        assert!(stage.engine.list(&call()).await.expect("the store works").is_empty());
        assert_eq!(stage.apply(CHAIN).await, Ok(true));
        assert_eq!(stage.world.contents().len(), 3);
    }
}

async fn empty(store: &Store) {
    let page = store.snapshot().scan(Range::all(), Scan::first(1_000)).await.expect("the store works");
    let keys: Vec<_> = page.items.into_iter().map(|(key, _)| key).collect();
    let keys = &keys;
    let emptied = store.transact(|tx| async move {
        keys.iter().for_each(|key| tx.delete(key.clone()));
        Ok::<_, store::Error>(())
    });
    emptied.await.expect("the store works");
}
