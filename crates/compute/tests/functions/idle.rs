//! What becomes of instances: how long they are kept without work, when they stand still, who goes first when memory is short, and that
//! none outlives its time, its memory, or its own end. Hours pass by a clock that is turned by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base::{ByteSize, Clock, ManualClock};
use compute::{Activity, Image, Options};
use futures_util::future::join_all;
use sandbox::{Mode, Part};

use crate::harness::{Function, Node, json, text};
use crate::load::until;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

const COUNTER: &str = "let n = 0; exports.handler = async () => ++n";

fn script<'a>(files: &'a [(&'a str, &'a str)]) -> Function<'a> {
    Function { language: "nodejs20.x", handler: "index.handler", files }
}

/// A node whose clock stands still.
struct World {
    node: Node,
    hand: Arc<ManualClock>,
    /// How often it has looked for what has nothing to do.
    sweeps: Arc<AtomicU32>,
    /// So many times, there is no memory when it looks.
    short: Arc<AtomicU32>,
}

impl World {
    fn new(change: impl FnOnce(&mut Options)) -> Self {
        let (clock, hand) = Clock::manual(jiff::Timestamp::from_second(1_800_000_000).unwrap());
        let (sweeps, short) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (counted, left) = (Arc::clone(&sweeps), Arc::clone(&short));
        let node = Node::with(Mode::Auto, |options| {
            options.clock = clock;
            options.sweep = Duration::from_millis(20);
            options.memory_spare = ByteSize(1);
            options.memory_left = Arc::new(move || {
                counted.fetch_add(1, Ordering::SeqCst);
                let is_short =
                    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
                Some(u64::from(!is_short))
            });
            change(options);
        });
        Self { node, hand, sweeps, short }
    }

    /// Time passes, and the node has looked at everything since then.
    async fn pass(&self, time: Duration) {
        self.hand.advance(time);
        // The first of them may have begun before.
        let from = self.sweeps.load(Ordering::SeqCst);
        until("the node has looked", || self.sweeps.load(Ordering::SeqCst) >= from + 3).await;
    }

    /// Memory is short for as many looks as that.
    async fn be_short(&self, looks: u32) {
        self.short.store(looks, Ordering::SeqCst);
        until("it was short for so long", || self.short.load(Ordering::SeqCst) == 0).await;
        self.pass(Duration::ZERO).await;
    }

    fn count(&self) -> usize {
        self.node.compute.instances().len()
    }

    fn streams(&self) -> Vec<String> {
        self.node.compute.instances().into_iter().map(|instance| instance.log_stream).collect()
    }

    async fn gone(&self) {
        until("no instance is left", || self.count() == 0).await;
    }

    /// Calls it each hour, until its pattern is known.
    async fn learn(&self, image: &Arc<Image>) {
        for _ in 0..10 {
            self.hand.advance(HOUR);
            self.node.call_apart(image, "1").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_nobody_calls_ends_after_the_usual_time() {
    let world = World::new(|_| {});
    let Some(image) = world.node.load(&script(&[("index.js", COUNTER)])).await else { return };
    world.node.call_apart(&image, "1").await;
    world.pass(599 * SECOND).await;
    assert_eq!(text(&world.node.call_apart(&image, "1").await), "2", "it is still there");
    world.pass(599 * SECOND).await;
    assert_eq!(world.count(), 1);
    world.pass(2 * SECOND).await;
    world.gone().await;
    let again = world.node.call_apart(&image, "1").await;
    assert_eq!((text(&again), again.report.cold), ("1", true));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_called_each_hour_is_there_shortly_before() {
    let world = World::new(|_| {});
    let Some(image) = world.node.load(&script(&[("index.js", COUNTER)])).await else { return };
    world.learn(&image).await;
    world.pass(59 * SECOND).await;
    assert_eq!(world.count(), 1, "no instance ends sooner");
    world.pass(2 * SECOND).await;
    world.gone().await;
    // Each quarter of a doubling is one to the histogram: the hour is between 2896 and 4096 seconds, give or take a tenth.
    world.pass(2540 * SECOND).await;
    assert_eq!(world.count(), 0, "too early");
    world.pass(10 * SECOND).await;
    until("one is there before anybody called", || world.count() == 1).await;
    world.pass(989 * SECOND).await;
    let there = world.streams();
    let called = world.node.call_apart(&image, "1").await;
    assert_eq!(text(&called), "1");
    assert_eq!(there, [called.report.log_stream], "who calls each hour never waits");

    // Nobody comes: it goes, and is not started twice.
    world.pass(61 * SECOND).await;
    world.gone().await;
    world.pass(2600 * SECOND).await;
    until("another one is there", || world.count() == 1).await;
    world.pass(1800 * SECOND).await;
    assert_eq!(world.count(), 1, "somebody may be late");
    world.pass(60 * SECOND).await;
    world.gone().await;
    world.pass(HOUR).await;
    assert_eq!(world.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_learned_survives_a_deploy() {
    let world = World::new(|_| {});
    let Some(old) = world.node.load(&script(&[("index.js", COUNTER)])).await else { return };
    world.learn(&old).await;
    let new = world.node.load(&script(&[("index.js", "exports.handler = async () => 'new'")])).await.unwrap();
    assert_eq!(text(&world.node.call_apart(&new, "1").await), r#""new""#);
    world.pass(61 * SECOND).await;
    world.gone().await;
    // A version of its own, too; somebody else's function is not concerned.
    let version = |settings: &mut compute::Settings| settings.version = "1".to_owned();
    let version = world.node.load_with(&script(&[("index.js", COUNTER)]), version).await.unwrap();
    let other = |settings: &mut compute::Settings| settings.arn += "other";
    let other = world.node.load_with(&script(&[("index.js", COUNTER)]), other).await.unwrap();
    for image in [&version, &other] {
        world.node.call_apart(image, "1").await;
    }
    world.pass(61 * SECOND).await;
    until("one is gone", || world.count() == 1).await;
    assert_eq!(world.node.compute.instances()[0].arn, other.arn);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_nothing_to_do_stands_still_and_goes_on() {
    // The sweep has no part in it.
    let world = World::new(|options| options.sweep = HOUR);
    let Some(image) = world.node.load(&script(&[("index.js", COUNTER)])).await else { return };
    if !world.node.compute.isolation().has(Part::Freezer) {
        return base::trial::skip("nothing freezes here");
    }
    let is = |activity| world.node.compute.instances().iter().all(|instance| instance.activity == activity);
    for expected in ["1", "2", "3"] {
        assert_eq!(text(&world.node.call_apart(&image, "1").await), expected, "the same instance each time");
        assert!(is(Activity::Idle), "it may finish what it left behind");
        world.hand.advance(Duration::from_millis(500));
        until("it is frozen", || is(Activity::Frozen)).await;
    }
    assert_eq!(world.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_memory_guests_of_nobody_go_before_instances() {
    let world = World::new(|_| {});
    let Some(image) = world.node.load(&script(&[("index.js", COUNTER)])).await else { return };
    if !world.node.compute.isolation().has(Part::Namespaces) {
        return base::trial::skip("nothing is booted ahead here");
    }
    world.node.call_apart(&image, "1").await;
    let ready = || world.node.compute.booted_ahead().ready;
    until("a guest is ready", || ready() > 0).await;
    world.be_short(1).await;
    assert_eq!(text(&world.node.call_apart(&image, "1").await), "2", "its instance is still there");
    until("there is one again, as there is memory again", || ready() > 0).await;
    world.short.store(u32::MAX, Ordering::SeqCst);
    until("nothing is left", || ready() == 0 && world.count() == 0).await;
    world.pass(Duration::ZERO).await;
    assert_eq!(ready(), 0, "and nothing is booted");
    assert_eq!(text(&world.node.call_apart(&image, "1").await), "1", "calls are answered all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_memory_who_was_used_least_recently_goes_first() {
    let world = World::new(|options| options.booted_max = 0);
    let mut images = Vec::new();
    for name in ["provisioned", "one", "two", "three"] {
        let own = |settings: &mut compute::Settings| settings.arn += name;
        let Some(image) = world.node.load_with(&script(&[("index.js", COUNTER)]), own).await else { return };
        images.push(image);
    }
    world.node.compute.provision(&images[0], 1);
    until("it is provisioned", || world.node.compute.provisioned(&images[0]).available == 1).await;
    for image in &images[1..] {
        world.hand.advance(SECOND);
        world.node.call_apart(image, "1").await;
    }
    let left = || {
        let mut left: Vec<String> = world.node.compute.instances().into_iter().map(|instance| instance.arn).collect();
        left.sort();
        left
    };
    world.be_short(1).await;
    assert_eq!(
        left(),
        [images[0].arn.clone(), images[3].arn.clone()],
        "half of three, and nothing of what is provisioned"
    );
    world.be_short(5).await;
    assert_eq!(left(), [images[0].arn.clone()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn none_grows_old() {
    let world = World::new(|options| options.keep_alive = 100 * HOUR);
    let code = "exports.handler = async (ms) => { await new Promise(r => setTimeout(r, ms)); return 1 }";
    let Some(image) = world.node.load(&script(&[("index.js", code)])).await else { return };
    world.node.call_apart(&image, "0").await;
    world.pass(6 * HOUR).await;
    assert_eq!(world.count(), 1);
    world.pass(SECOND).await;
    world.gone().await;

    // One that is busy finishes, and takes nothing more.
    let first = world.node.call_apart(&image, "0").await;
    let (long, ()) = tokio::join!(world.node.call_apart(&image, "1000"), async {
        let is_busy = || world.node.compute.instances().iter().any(|instance| instance.activity == Activity::Busy);
        until("it is busy", is_busy).await;
        world.hand.advance(7 * HOUR);
    });
    assert_eq!((text(&long), &long.report.log_stream), ("1", &first.report.log_stream));
    let next = world.node.call_apart(&image, "0").await;
    assert_ne!(next.report.log_stream, first.report.log_stream);

    // What is provisioned is there again.
    world.node.compute.provision(&image, 1);
    until("it is there", || world.node.compute.provisioned(&image).available == 1).await;
    let before = world.streams();
    world.hand.advance(7 * HOUR);
    until("another one is there", || {
        let now = world.streams();
        now.len() == 1 && now.iter().all(|stream| !before.contains(stream))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leak_costs_one_call_at_a_time() {
    let node = Node::new(Mode::Auto);
    if !node.compute.isolation().has(Part::MemoryLimit) {
        return base::trial::skip(node.compute.isolation());
    }
    let code =
        "const kept = []; exports.handler = async () => { kept.push(Buffer.alloc(8 << 20, 1)); return kept.length }";
    let change = |settings: &mut compute::Settings| settings.memory_mb = 128;
    let Some(image) = node.load_with(&script(&[("index.js", code)]), change).await else { return };
    let mut failed = Vec::new();
    for call in 0..40 {
        let outcome = node.call_apart(&image, "1").await;
        if outcome.error.is_some() {
            assert_eq!(json(&outcome)["errorType"], "Runtime.OutOfMemory", "{}", text(&outcome));
            failed.push(call);
        }
    }
    assert!(!failed.is_empty(), "128 MB are not enough for that");
    assert!(failed.windows(2).all(|pair| pair[1] - pair[0] > 2), "who comes after that has a new instance: {failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lies_ahead_of_a_guest_that_ends_is_answered_by_another() {
    let script_code = "exports.handler = async (n) => { if (n % 10 === 3) process.exit(3); return n }";
    let app = "import os\ndef handler(n, c):\n  if n % 10 == 3: os._exit(3)\n  return n\n";
    for function in [
        script(&[("index.js", script_code)]),
        Function { language: "python3.13", handler: "app.handler", files: &[("app.py", app)] },
    ] {
        let node = Node::new(Mode::Auto);
        let Some(image) = node.load(&function).await else { continue };
        // Short by now, so that calls are laid ahead.
        for _ in 0..30 {
            node.call_apart(&image, "0").await;
        }
        let events: Vec<String> = (0..60).map(|n| n.to_string()).collect();
        let outcomes = join_all(events.iter().map(|event| node.call_apart(&image, event))).await;
        for (n, outcome) in outcomes.iter().enumerate() {
            let case = format!("{} {n}: {}", function.language, text(outcome));
            if n % 10 == 3 {
                assert_eq!(json(outcome)["errorType"], "Runtime.ExitError", "{case}");
            } else {
                assert_eq!((text(outcome), outcome.error), (events[n].as_str(), None), "{case}");
            }
        }
    }
}
