//! The node stops at every point of every operation: before and after each call, and before each commit. Started again, the stack ends
//! as wanted or as it was, and the world has exactly what the stack has.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base::Clock;
use serde_json::Value;
use store::{Key, Store};

use super::world::{Halt, World, call, engine, wish};
use crate::{Engine, InstanceState, Status};

const FIRST: &str = "
Resources:
  A: {Type: Toy::Thing, Properties: {Name: a, Value: a}}
  B: {Type: Toy::Thing, Properties: {Value: !Sub '${A.Value}b'}}
  C: {Type: Toy::Thing, Properties: {Value: c, Fixed: 1, Needs: !Ref B}}
  Lot: {Type: Toy::Ticket, Properties: {Needs: !Ref C}}
Outputs: {Value: {Value: !GetAtt B.Value}}
";

/// A is changed in place and B after it, C is made anew and Lot after it, D comes.
const SECOND: &str = "
Resources:
  A: {Type: Toy::Thing, Properties: {Name: a, Value: aa}}
  B: {Type: Toy::Thing, Properties: {Value: !Sub '${A.Value}b'}}
  C: {Type: Toy::Thing, Properties: {Value: c, Fixed: 2, Needs: !Ref B}}
  Lot: {Type: Toy::Ticket, Properties: {Needs: !Ref C}}
  D: {Type: Toy::Thing, Properties: {Name: d, Value: d, Needs: !Ref Lot}}
Outputs: {Value: {Value: !GetAtt B.Value}}
";

/// Only A stays; what is removed is removed.
const THIRD: &str = "Resources:\n  A: {Type: Toy::Thing, Properties: {Name: a, Value: aa}}\n";

enum Doing {
    Apply(&'static str),
    Delete,
}

/// What a stack may end as: its values by logical id.
type Ends = &'static [&'static [(&'static str, &'static str)]];

struct Scene {
    before: Option<&'static str>,
    doing: Doing,
    broken: &'static [&'static str],
    ends: Ends,
}

const EMPTY: &[(&str, &str)] = &[];
const AS_FIRST: &[(&str, &str)] = &[("A", "a"), ("B", "ab"), ("C", "c"), ("Lot", "")];
const AS_SECOND: &[(&str, &str)] = &[("A", "aa"), ("B", "aab"), ("C", "c"), ("D", "d"), ("Lot", "")];
const AS_SECOND_BUT_A: &[(&str, &str)] = &[("A", "a"), ("B", "ab"), ("C", "c"), ("D", "d"), ("Lot", "")];
const AS_THIRD: &[(&str, &str)] = &[("A", "aa")];

#[tokio::test]
async fn creating() {
    at_every_point(Scene { before: None, doing: Doing::Apply(FIRST), broken: &[], ends: &[AS_FIRST] }).await;
}

#[tokio::test]
async fn creating_what_fails() {
    at_every_point(Scene { before: None, doing: Doing::Apply(SECOND), broken: &["Create d"], ends: &[EMPTY] }).await;
}

#[tokio::test]
async fn changing() {
    at_every_point(Scene { before: Some(FIRST), doing: Doing::Apply(SECOND), broken: &[], ends: &[AS_SECOND] }).await;
}

#[tokio::test]
async fn changing_what_fails() {
    at_every_point(Scene {
        before: Some(FIRST),
        doing: Doing::Apply(SECOND),
        broken: &["Create d"],
        ends: &[AS_FIRST],
    })
    .await;
}

/// Lot is made anew, and is answered with what it was.
#[tokio::test]
async fn replacing_by_the_same_what_fails() {
    const BEFORE: &str = "
Resources:
  A: {Type: Toy::Thing, Properties: {Name: a, Value: a}}
  B: {Type: Toy::Thing, Properties: {Value: !Sub '${A.Value}b'}}
  C: {Type: Toy::Thing, Properties: {Value: c, Fixed: 1, Needs: !Ref B}}
  Lot: {Type: Toy::Ticket, Properties: {Token: same, Needs: !Ref C}}
";
    const AFTER: &str = "
Resources:
  A: {Type: Toy::Thing, Properties: {Name: a, Value: a}}
  B: {Type: Toy::Thing, Properties: {Value: !Sub '${A.Value}b'}}
  C: {Type: Toy::Thing, Properties: {Value: c, Fixed: 2, Needs: !Ref B}}
  Lot: {Type: Toy::Ticket, Properties: {Token: same, Needs: !Ref C}}
  D: {Type: Toy::Thing, Properties: {Name: d, Value: d, Needs: !Ref Lot}}
";
    at_every_point(Scene {
        before: Some(BEFORE),
        doing: Doing::Apply(AFTER),
        broken: &["Create d"],
        ends: &[AS_FIRST],
    })
    .await;
    at_every_point(Scene { before: Some(BEFORE), doing: Doing::Apply(AFTER), broken: &[], ends: &[AS_SECOND_BUT_A] })
        .await;
}

#[tokio::test]
async fn failing_in_the_second_step() {
    at_every_point(Scene {
        before: Some(FIRST),
        doing: Doing::Apply(SECOND),
        broken: &["Update d"],
        ends: &[AS_FIRST],
    })
    .await;
}

#[tokio::test]
async fn removing() {
    at_every_point(Scene { before: Some(SECOND), doing: Doing::Apply(THIRD), broken: &[], ends: &[AS_THIRD] }).await;
}

#[tokio::test]
async fn deleting() {
    at_every_point(Scene { before: Some(SECOND), doing: Doing::Delete, broken: &[], ends: &[EMPTY] }).await;
}

/// Nodes that go on with it stop too, one after the other, each a little later.
#[tokio::test]
async fn stopping_again_and_again() {
    for seed in 0..80 {
        let random = base::Random::seeded(seed);
        let world = Arc::new(World::default());
        let store = Store::memory(Clock::system());
        engine(&store, &world, &Arc::default(), 1).apply(&call(), wish(FIRST), None).await.expect("it is sound");
        for node in 0..5 {
            let halt = Arc::new(Halt::after(1 + random.below(20) as i64));
            let engine = engine(&store, &world, &halt, seed * 10 + node + 2);
            if random.below(3) == 0 {
                world.state().broken.insert("Create d".to_owned());
            }
            let work = async {
                match node > 0 {
                    true => drop(engine.resume().await.expect("the store works")),
                    false => drop(engine.apply(&call(), wish(SECOND), None).await),
                }
                rest(&store, &engine).await;
            };
            tokio::select! {
                () = work => {}
                () = halt.stopped() => {}
            }
        }
        let last = engine(&store, &world, &Arc::default(), seed + 1_000);
        last.resume().await.expect("the store works");
        rest(&store, &last).await;
        let now = values(&last).await;
        let ends = [AS_FIRST, AS_SECOND].map(|end| {
            end.iter().map(|(id, value)| ((*id).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
        });
        assert!(ends.contains(&now), "seed {seed}: {now:?}");
        nothing_leaks(&last, &world, seed as i64).await;
    }
}

/// Runs the scene once to count its points, and then stops it at each of them.
async fn at_every_point(scene: Scene) {
    let points = run(&scene, i64::MAX).await;
    assert!(points > 5, "the scene has {points} points");
    for point in 0..points {
        run(&scene, point as i64).await;
    }
}

async fn run(scene: &Scene, point: i64) -> usize {
    let world = Arc::new(World::default());
    let store = Store::memory(Clock::system());
    if let Some(before) = scene.before {
        let first = engine(&store, &world, &Arc::default(), 1);
        first.apply(&call(), wish(before), None).await.expect("it is sound");
    }
    let previous = values(&engine(&store, &world, &Arc::default(), 1)).await;
    let break_it = || world.state().broken.extend(scene.broken.iter().map(|broken| (*broken).to_owned()));
    break_it();
    let halt = Arc::new(Halt::after(point));
    let stopped = engine(&store, &world, &halt, 2);
    let doing = async {
        match scene.doing {
            Doing::Apply(template) => drop(stopped.apply(&call(), wish(template), None).await),
            Doing::Delete => drop(stopped.delete(&call(), "app", None).await),
        }
    };
    let finished = tokio::select! {
        () = doing => true,
        () = halt.stopped() => false,
    };
    assert_eq!(finished, point == i64::MAX, "stopped at {point}");
    // What was broken once is so again for the next node, which may have to do it over.
    break_it();
    let next = engine(&store, &world, &Arc::default(), 3);
    next.resume().await.expect("the store works");
    rest(&store, &next).await;

    let now = values(&next).await;
    let ends: Vec<BTreeMap<String, String>> = scene
        .ends
        .iter()
        .map(|end| end.iter().map(|(id, value)| ((*id).to_owned(), (*value).to_owned())).collect())
        .collect();
    let never_began = point == 0 && now == previous;
    assert!(ends.contains(&now) || never_began, "stopped at {point}: {now:?}");
    nothing_leaks(&next, &world, point).await;
    // The stack works on.
    world.state().broken.clear();
    next.apply(&call(), wish(FIRST), None).await.unwrap_or_else(|error| panic!("stopped at {point}: {error}"));
    assert_eq!(
        values(&next).await,
        AS_FIRST.iter().map(|(id, value)| ((*id).to_owned(), (*value).to_owned())).collect()
    );
    nothing_leaks(&next, &world, point).await;
    next.delete(&call(), "app", None).await.expect("it is deleted");
    assert!(world.contents().is_empty(), "stopped at {point}: {:?}", world.contents());
    halt.passed()
}

/// Waits until no operation is under way.
pub(super) async fn rest(store: &Store, engine: &Engine) {
    let mut watch = store.watch(Key::new("stacks"));
    let resting = async {
        loop {
            let stacks = engine.list(&call()).await.expect("the store works");
            if stacks.iter().all(|stack| !stack.status.as_str().ends_with("IN_PROGRESS")) {
                return;
            }
            watch.next().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), resting).await.expect("operations end");
}

/// The values of a stack's resources, by logical id.
async fn values(engine: &Engine) -> BTreeMap<String, String> {
    let Ok(found) = engine.describe(&call(), "app", 1).await else { return BTreeMap::new() };
    let standing = found.resources.into_iter().filter_map(|resource| Some((resource.id, resource.current?)));
    standing
        .map(|(id, current)| {
            assert_eq!(current.state, InstanceState::Ready, "{id}");
            (id, current.attributes.get("Value").and_then(Value::as_str).unwrap_or_default().to_owned())
        })
        .collect()
}

/// The world has what the stack has, no more and no less, and with the same values.
pub(super) async fn nothing_leaks(engine: &Engine, world: &World, point: i64) {
    let mut expected = BTreeMap::new();
    if let Ok(found) = engine.describe(&call(), "app", 1).await {
        assert!(found.stack.status != Status::UpdateRollbackFailed, "stopped at {point}");
        for resource in found.resources {
            assert!(resource.doomed.is_empty() && resource.old.is_none(), "stopped at {point}: {resource:?}");
            let Some(current) = resource.current else { continue };
            let id = current.physical_id.expect("what stands has an id");
            let (id, value) = match current.kind.as_str() {
                "Toy::Ticket" => (format!("ticket-{id}"), Value::Null),
                _ => (id, current.properties["Value"].clone()),
            };
            expected.insert(id, value);
        }
    }
    assert_eq!(world.contents(), expected, "stopped at {point}");
}
