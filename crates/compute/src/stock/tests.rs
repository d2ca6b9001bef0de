//! The stock's decisions, with guests that are no processes and a clock that is turned by hand.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

use base::ManualClock;
use jiff::Timestamp;
use sandbox::Plan;

use super::*;
use crate::languages::Family;

/// Ends when it is told to.
#[derive(Clone, Debug, Default)]
struct Toy(Rc<Cell<bool>>);

impl Ahead for Toy {
    fn has_ended(&self) -> bool {
        self.0.get()
    }
}

struct World {
    stock: Stock<Toy>,
    hand: Arc<ManualClock>,
    dir: tempfile::TempDir,
}

impl World {
    fn new(max: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (clock, hand) = Clock::manual(Timestamp::UNIX_EPOCH);
        Self { stock: Stock::new(max, dir.path().join("booted.json"), clock), hand, dir }
    }

    /// Boots whatever lacks a guest, as the background does: the programs, in order.
    fn refill(&self) -> Vec<String> {
        std::iter::from_fn(|| {
            let recipe = self.stock.lacking()?;
            self.stock.begin(&recipe);
            self.stock.put(&recipe, Ok(Toy::default()));
            Some(recipe.plan.program.display().to_string())
        })
        .collect()
    }

    fn pass(&self, time: Duration) {
        self.hand.advance(time);
    }

    /// How many are ready of each, by program.
    fn ready(&self) -> Vec<(String, usize)> {
        let shelves = self.stock.lock();
        let mut ready: Vec<(String, usize)> =
            shelves.iter().map(|shelf| (shelf.recipe.plan.program.display().to_string(), shelf.ready.len())).collect();
        ready.sort();
        ready
    }

    #[track_caller]
    fn has(&self, expected: &[(&str, usize)]) {
        let expected: Vec<(String, usize)> =
            expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        assert_eq!(self.ready(), expected);
    }

    fn take(&self, name: &str) -> Option<Toy> {
        match self.stock.claim(&recipe(name)) {
            Claim::Ready(guest) => Some(*guest),
            Claim::Coming(_) | Claim::Nothing => None,
        }
    }
}

fn recipe(program: &str) -> Recipe {
    let family = Family::Javascript;
    Recipe { family, plan: Plan { program: program.into(), ..Plan::default() } }
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn nothing_is_kept_for_a_language_that_nobody_uses() {
    let world = World::new(8);
    world.has(&[]);
    assert_eq!(world.refill(), [] as [String; 0]);
    for name in ["node", "python"] {
        world.stock.expect(recipe(name));
    }
    world.refill();
    world.has(&[("node", 1), ("python", 1)]);
    for _ in 0..48 {
        world.pass(HOUR);
        // The functions in Python are gone; those in JavaScript are there, and nobody calls them.
        world.stock.keep(recipe("node"));
        world.stock.sweep();
        world.refill();
    }
    world.has(&[("node", 1)]);
    let mut known = Vec::new();
    world.stock.remember(&mut known);
    let text = std::fs::read_to_string(world.dir.path().join("booted.json")).unwrap();
    assert!(text.contains("node") && !text.contains("python"), "{text}");
    world.pass(3 * HOUR);
    world.stock.sweep();
    world.has(&[]);
    world.stock.remember(&mut known);
    assert_eq!(std::fs::read_to_string(world.dir.path().join("booted.json")).unwrap(), "[]");
}

#[test]
fn what_is_needed_often_is_kept_more_than_once() {
    let world = World::new(8);
    world.stock.expect(recipe("node"));
    world.refill();
    world.has(&[("node", 1)]);
    for expected in [2, 3, 4, 4, 4] {
        assert!(world.take("node").is_some());
        world.refill();
        world.has(&[("node", expected)]);
    }
    world.pass(9 * SECOND);
    world.stock.sweep();
    world.has(&[("node", 4)]);
    world.pass(2 * SECOND);
    world.stock.sweep();
    world.has(&[("node", 1)]);
}

#[test]
fn what_nobody_asked_for_longest_gives_way() {
    let world = World::new(2);
    for name in ["one", "two", "three"] {
        world.stock.expect(recipe(name));
        world.pass(SECOND);
        world.refill();
    }
    world.has(&[("one", 0), ("three", 1), ("two", 1)]);
    // To be there is not to be asked for.
    world.stock.keep(recipe("one"));
    world.stock.keep(recipe("other"));
    world.has(&[("one", 0), ("other", 0), ("three", 1), ("two", 1)]);
    assert_eq!(world.refill(), [] as [String; 0]);
    assert!(world.take("one").is_none(), "it starts the long way");
    assert_eq!(world.refill(), ["one", "one"], "as many as were needed lately");
    world.has(&[("one", 2), ("other", 0), ("three", 0), ("two", 0)]);
    let none = World::new(0);
    none.stock.expect(recipe("one"));
    none.has(&[]);
}

#[test]
fn there_are_only_so_many_recipes() {
    let world = World::new(1);
    for number in 0..=RECIPES_MAX {
        world.stock.expect(recipe(&format!("{number:03}")));
        world.pass(SECOND);
    }
    world.stock.keep(recipe("one more"));
    let ready = world.ready();
    assert_eq!((ready.len(), ready[0].0.as_str()), (RECIPES_MAX, "001"));
}

#[test]
fn what_does_not_boot_is_tried_later_and_later() {
    let world = World::new(8);
    world.stock.expect(recipe("broken"));
    for milliseconds in [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000] {
        let recipe = world.stock.lacking().expect("it is time to try again");
        world.stock.begin(&recipe);
        world.stock.put(&recipe, Err("it does not boot".to_owned()));
        world.pass(Duration::from_millis(milliseconds - 1));
        assert!(world.stock.lacking().is_none(), "too early after {milliseconds}");
        world.pass(Duration::from_millis(1));
    }
    // Others are not held up.
    world.stock.expect(recipe("good"));
    assert_eq!(world.refill(), ["good", "broken"]);
}

#[test]
fn who_died_in_stock_is_given_to_nobody_and_replaced() {
    let world = World::new(8);
    world.stock.expect(recipe("node"));
    world.refill();
    let kill = || world.stock.lock()[0].ready.iter().for_each(|toy| toy.0.set(true));
    kill();
    assert!(world.take("node").is_none(), "its function starts the long way");
    world.refill();
    world.has(&[("node", 2)]);
    kill();
    world.stock.sweep();
    world.has(&[("node", 0)]);
    assert_eq!(world.refill(), [] as [String; 0], "what died may die again at once");
    world.pass(SECOND);
    assert_eq!(world.refill(), ["node", "node"]);
    assert!(world.take("node").is_some());
}

#[test]
fn who_needs_one_that_is_just_booting_waits_for_it() {
    let world = World::new(8);
    world.stock.expect(recipe("node"));
    let booting = world.stock.lacking().unwrap();
    world.stock.begin(&booting);
    let Claim::Coming(mut first) = world.stock.claim(&recipe("node")) else { panic!("it comes") };
    assert!(matches!(world.stock.claim(&recipe("node")), Claim::Nothing), "only one can have it");
    world.stock.put(&booting, Ok(Toy::default()));
    assert!(first.try_recv().is_ok());
    world.has(&[("node", 0)]);
    // Whoever waits for one that fails hears of it, and one whose function went away stays.
    for (booted, expected) in [(Err("no".to_owned()), 0), (Ok(Toy::default()), 1)] {
        world.stock.begin(&booting);
        let Claim::Coming(waiting) = world.stock.claim(&recipe("node")) else { panic!("it comes") };
        if booted.is_ok() {
            drop(waiting);
            world.stock.put(&booting, booted);
        } else {
            world.stock.put(&booting, booted);
            assert!(waiting.blocking_recv().is_err());
        }
        world.has(&[("node", expected)]);
    }
}

#[test]
fn without_memory_nothing_is_kept() {
    let world = World::new(8);
    world.stock.expect(recipe("node"));
    world.refill();
    assert_eq!(world.stock.shed(), 1);
    world.has(&[("node", 0)]);
    assert_eq!(world.refill(), [] as [String; 0]);
    assert!(world.take("node").is_none());
    world.stock.recover();
    assert_eq!(world.refill(), ["node", "node"]);
}

#[test]
fn what_was_in_use_is_remembered_over_a_restart() {
    let world = World::new(2);
    for name in ["old", "older", "new"] {
        world.stock.expect(recipe(name));
        world.pass(SECOND);
    }
    assert!(world.take("old").is_none());
    world.stock.remember(&mut Vec::new());
    let again = |path: &Path| Stock::<Toy>::new(2, path.to_owned(), Clock::system());
    let file = world.dir.path().join("booted.json");
    let names = |stock: Stock<Toy>| -> Vec<String> {
        stock.lock().iter().map(|shelf| shelf.recipe.plan.program.display().to_string()).collect()
    };
    assert_eq!(names(again(&file)), ["old", "new"], "as many as there may be, asked for last first");
    for damage in ["", "{}", "[1]", "not JSON"] {
        std::fs::write(&file, damage).unwrap();
        assert_eq!(names(again(&file)), [] as [String; 0], "{damage}");
    }
}
