//! Many calls, much output, changes under load, limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use compute::{Activity, LogBatch, LogSink, RunFault, Throttle};
use futures_util::future::{BoxFuture, join_all};
use sandbox::Mode;
use tokio::sync::Notify;

use crate::harness::{Function, Node, PATIENCE, invocation, text};

fn script<'a>(files: &'a [(&'a str, &'a str)]) -> Function<'a> {
    Function { language: "nodejs20.x", handler: "index.handler", files }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megabytes_of_output_stay_bounded() {
    let node = Node::new(Mode::Auto);
    let loud = "exports.handler = async () => { const line = 'x'.repeat(9999) + '\\n'; for (let i = 0; i < 10000; i++) process.stdout.write(line); return 'said' }";
    let Some(loud) = node
        .load_with(&script(&[("index.js", loud)]), |settings| {
            settings.function = "loud".to_owned();
            settings.arn += "loud";
            settings.timeout = PATIENCE;
        })
        .await
    else {
        return;
    };
    let quiet = node.load(&script(&[("index.js", "exports.handler = async () => 1")])).await.unwrap();
    node.call_apart(&quiet, "1").await;
    let before = memory_peak_kib();
    let talking = node.call_apart(&loud, "1");
    let neighbour = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..200 {
            let began = Instant::now();
            node.call_apart(&quiet, "1").await;
            slowest = slowest.max(began.elapsed());
        }
        slowest
    };
    let (outcome, slowest) = tokio::join!(talking, neighbour);
    assert_eq!((text(&outcome), outcome.error), (r#""said""#, None));
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    assert!(outcome.log_tail.unwrap().len() <= 4096);
    node.compute.flush_logs().await;
    assert!(node.lines.bytes() > 100_000_000, "{}", node.lines.bytes());
    // The test's own sink keeps the 100 MB, with a string for each line; the rest is ours.
    let grown = memory_peak_kib() - before;
    assert!(grown < 220 * 1024, "{grown} KiB");
}

fn memory_peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Takes nothing until it is told to.
#[derive(Default)]
struct Stuck {
    open: AtomicBool,
    opened: Notify,
    bytes: std::sync::atomic::AtomicUsize,
}

impl LogSink for Stuck {
    fn write(&self, batches: Vec<LogBatch>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.bytes.fetch_add(batches.iter().map(LogBatch::bytes).sum(), Ordering::Relaxed);
            let opened = self.opened.notified();
            if !self.open.load(Ordering::Acquire) {
                opened.await;
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_log_holds_back_only_who_prints() {
    let sink = Arc::new(Stuck::default());
    let node = Node::with(Mode::Auto, |options| options.logs = Arc::clone(&sink) as Arc<dyn LogSink>);
    let code = "exports.handler = async (e) => { if (e.loud) for (let i = 0; i < 1000; i++) process.stdout.write('y'.repeat(9999) + '\\n'); return 'ok' }";
    let Some(image) = node.load(&script(&[("index.js", code)])).await else { return };
    let loud = node.compute.run(&image, invocation(r#"{"loud":1}"#));
    let mut loud = std::pin::pin!(loud);
    let quiet = async {
        for _ in 0..50 {
            assert_eq!(text(&node.call_apart(&image, "{}").await), r#""ok""#);
        }
    };
    tokio::select! {
        _ = &mut loud => panic!("ten megabytes went into a stuck log"),
        () = quiet => {}
    }
    sink.open.store(true, Ordering::Release);
    sink.opened.notify_waiters();
    let outcome = tokio::time::timeout(PATIENCE, loud).await.unwrap().unwrap();
    assert_eq!(text(&outcome), r#""ok""#);
    node.compute.flush_logs().await;
    assert!(sink.bytes.load(Ordering::Relaxed) > 10_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_calls_get_their_own_answers() {
    let node = Node::new(Mode::Auto);
    let code = "exports.handler = async (e) => { await new Promise(r => setTimeout(r, e % 7)); return e }";
    let Some(image) = node.load(&script(&[("index.js", code)])).await else { return };
    let calls = (0..300).map(|n| {
        let (node, image) = (&node, &image);
        async move { assert_eq!(text(&node.call_apart(image, &n.to_string()).await), n.to_string()) }
    });
    join_all(calls).await;
    assert!(node.compute.instances().len() <= 100, "{}", node.compute.instances().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_short_calls_starts_few_instances() {
    let node = Node::new(Mode::Auto);
    let Some(image) = node.load(&script(&[("index.js", "exports.handler = async () => 1")])).await else { return };
    for _ in 0..30 {
        node.call_apart(&image, "1").await;
    }
    join_all((0..200).map(|_| node.call_apart(&image, "1"))).await;
    // Each of them for itself would be two hundred. Where the machine stands still, some are started for who seems stuck.
    assert!(node.compute.instances().len() <= 50, "{}", node.compute.instances().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn short_calls_do_not_stay_behind_a_long_one() {
    let node = Node::new(Mode::Auto);
    let code = "exports.handler = async (ms) => { if (ms) await new Promise(r => setTimeout(r, ms)); return ms }";
    let Some(image) = node.load(&script(&[("index.js", code)])).await else { return };
    join_all((0..3).map(|_| node.call_apart(&image, "300"))).await;
    for _ in 0..100 {
        node.call_apart(&image, "0").await;
    }
    // Known to be short by now, they may be laid behind the long one; all must be answered long before it.
    let long = node.call_apart(&image, "20000");
    let short = async {
        for _ in 0..20 {
            join_all((0..8).map(|_| node.call_apart(&image, "0"))).await;
        }
    };
    tokio::select! {
        outcome = long => panic!("the short calls waited for the long one: {:?} {} {:?}", text(&outcome), String::from_utf8_lossy(outcome.log_tail.as_deref().unwrap_or_default()), outcome.report),
        () = short => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_stay_with_the_call_that_said_them() {
    let script_code = "exports.handler = async (n) => { console.log('logged', n); process.stdout.write(`printed ${n}\\n`); return n }";
    let app = "import sys\ndef handler(n, c):\n  print('logged', n); sys.stderr.write(f'printed {n}\\n'); return n\n";
    for function in [
        script(&[("index.js", script_code)]),
        Function { language: "python3.11", handler: "app.handler", files: &[("app.py", app)] },
    ] {
        let node = Node::new(Mode::Auto);
        let Some(image) = node.load(&function).await else { continue };
        let first = node.call_apart(&image, "1000").await;
        for _ in 0..5 {
            let (node, image) = (&node, &image);
            join_all((0..60).map(|n| async move { node.call_apart(image, &n.to_string()).await })).await;
        }
        // Each call has its START, its own two lines, its END and its REPORT, and nothing of anybody else's between them.
        let log = node.log(&first).await;
        let lines: Vec<&str> = log.lines().skip_while(|line| !line.starts_with("START")).collect();
        assert!(lines.len() >= 5, "{log}");
        for call in lines.chunks(5) {
            let number = |line: &str| line.rsplit(' ').next().map(str::to_owned);
            let [start, logged, printed, end, report] = call else { panic!("a torn call: {call:?}") };
            assert!(start.starts_with("START"), "{call:?}");
            assert!(logged.contains("logged") && printed.starts_with("printed"), "{call:?}");
            assert_eq!(number(logged), number(printed), "{call:?}");
            assert!(end.starts_with("END") && report.starts_with("REPORT"), "{call:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_calls_get_instances_of_their_own() {
    let node = Node::new(Mode::Auto);
    let code = "exports.handler = async () => { const began = Date.now(); await new Promise(r => setTimeout(r, 1000)); return [began, Date.now()] }";
    let Some(image) = node.load(&script(&[("index.js", code)])).await else { return };
    let outcomes = join_all((0..10).map(|_| node.call_apart(&image, "1"))).await;
    let times: Vec<(u64, u64)> = outcomes.iter().map(|outcome| serde_json::from_str(text(outcome)).unwrap()).collect();
    // However slow the machine is, they do not come one after the other.
    let at_once = |time: u64| times.iter().filter(|(began, ended)| *began <= time && time < *ended).count();
    assert!(times.iter().any(|(began, _)| at_once(*began) > 2), "{times:?}");
    assert!(node.compute.instances().len() > 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_outlives_its_caller() {
    let node = Node::new(Mode::Auto);
    let code =
        "let n = 0; exports.handler = async (ms) => { n++; await new Promise(r => setTimeout(r, ms)); return n }";
    let Some(image) = node.load(&script(&[("index.js", code)])).await else { return };
    node.call_apart(&image, "0").await;
    let is_busy = || node.compute.instances().iter().any(|instance| instance.activity == Activity::Busy);
    tokio::select! {
        biased;
        () = until("it has begun", is_busy) => {}
        outcome = node.compute.run(&image, invocation("2000")) => panic!("not left in time: {outcome:?}"),
    }
    assert!(is_busy());
    until("it is over", || !is_busy()).await;
    // The same instance finished that call and takes this one.
    assert_eq!(text(&node.call_apart(&image, "0").await), "3");
}

// On one thread: nothing begins before all that are joined are admitted or refused.
#[tokio::test]
async fn limits_throttle() {
    let node = Node::with(Mode::Auto, |options| options.concurrency_max = 3);
    let code = "exports.handler = async () => 1";
    let files = [("index.js", code)];
    let function = script(&files);
    let Some(image) = node.load_with(&function, |settings| settings.concurrency_reserved = Some(2)).await else {
        return;
    };
    let outcomes = join_all((0..3).map(|_| node.try_call_apart(&image, "1"))).await;
    let refused: Vec<&RunFault> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert_eq!(refused, [&RunFault::Throttled { reason: Throttle::Reserved { limit: 2 } }]);
    let other = node.load_with(&function, |settings| settings.arn += "other").await.unwrap();
    let outcomes = join_all((0..5).map(|_| node.try_call_apart(&other, "1"))).await;
    let refused = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Err(RunFault::Throttled { reason: Throttle::Concurrency { limit: 3 } })));
    assert_eq!(refused.count(), 2);
    // Nothing is left counted.
    assert!(node.try_call_apart(&image, "1").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_node_makes_room_by_ending_idle_instances() {
    let node = Node::with(Mode::Auto, |options| options.memory_total = base::ByteSize::mib(300));
    let function = script(&[("index.js", "exports.handler = async () => 1")]);
    let Some(one) = node.load(&function).await else { return };
    let two = node.load_with(&function, |settings| settings.arn += "two").await.unwrap();
    for _ in 0..2 {
        assert_eq!(text(&node.call_apart(&one, "1").await), "1");
        assert_eq!(text(&node.call_apart(&two, "1").await), "1");
        assert_eq!(node.compute.instances().len(), 1);
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

// On one thread: the first call has not begun before the second one is refused.
#[tokio::test]
async fn what_a_function_does_is_counted() {
    let node = Node::with(Mode::Auto, |options| options.concurrency_max = 1);
    let code =
        "exports.handler = async (e) => { if (e) throw new Error('no'); await new Promise(r => setTimeout(r, 50)) }";
    let Some(image) = node.load(&script(&[("index.js", code)])).await else { return };
    let (called, refused) = tokio::join!(node.try_call_apart(&image, "0"), node.try_call_apart(&image, "0"));
    assert!(called.is_ok() && refused.is_err(), "{called:?} {refused:?}");
    for event in ["0", "1", "0"] {
        node.call_apart(&image, event).await;
    }
    let functions = node.compute.functions();
    let [function] = &functions[..] else { panic!("one function: {functions:?}") };
    let counts = &function.counts;
    assert_eq!(function.arn, image.arn);
    assert_eq!((counts.calls, counts.errors, counts.cold, counts.throttled, counts.in_flight), (4, 1, 1, 1, 0));
    assert_eq!(counts.durations.iter().sum::<u64>(), 4);
    assert!(counts.durations.iter().rposition(|count| *count > 0) >= Some(30), "fifty milliseconds: {counts:?}");
    assert!(counts.billed_mb_ms >= 150 * u64::from(image.memory_mb), "{counts:?}");
    let instances = node.compute.instances();
    assert!(instances.iter().all(|instance| instance.arn == image.arn && instance.attempts == 4), "{instances:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_code_counts_from_the_next_call() {
    let node = Node::new(Mode::Auto);
    let Some(old) = node.load(&script(&[("index.js", "exports.handler = async () => 'old'")])).await else { return };
    assert_eq!(text(&node.call_apart(&old, "1").await), r#""old""#);
    let new = node.load(&script(&[("index.js", "exports.handler = async () => 'new'")])).await.unwrap();
    assert_eq!(node.compute.instances().len(), 0, "the old instance was idle, so it ended at once");
    assert_eq!(text(&node.call_apart(&new, "1").await), r#""new""#);
    // Who still holds the old image gets the old answer.
    assert_eq!(text(&node.call_apart(&old, "1").await), r#""old""#);
    node.compute.retire(&new.arn);
    assert_eq!(node.compute.instances().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_loaded_late_leaves_the_newer_one_alone() {
    let node = Node::new(Mode::Auto);
    let load = async |code: &str, sequence| {
        node.load_with(&script(&[("index.js", code)]), |settings| settings.sequence = sequence).await
    };
    let Some(new) = load("let n = 0; exports.handler = async () => `new ${++n}`", 2).await else { return };
    let old = load("exports.handler = async () => 'old'", 1).await.unwrap();
    assert_eq!(text(&node.call_apart(&new, "1").await), r#""new 1""#);
    assert_eq!(text(&node.call_apart(&old, "1").await), r#""old""#);
    assert_eq!(text(&node.call_apart(&new, "1").await), r#""new 2""#, "its instance is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_died_while_it_was_idle_takes_no_call() {
    let node = Node::new(Mode::Auto);
    let Some(image) = node.load(&script(&[("index.js", "exports.handler = async () => 1")])).await else { return };
    node.call_apart(&image, "0").await;
    let [instance] = &node.compute.instances()[..] else { panic!("one instance") };
    // From outside, as the kernel does that needs memory.
    let killed = std::process::Command::new("kill").args(["-KILL", &instance.pid.to_string()]).status().unwrap();
    assert!(killed.success());
    until("it is found and let go of", || node.compute.instances().is_empty()).await;
    let outcome = node.call_apart(&image, "0").await;
    assert_eq!((text(&outcome), outcome.error), ("1", None));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_deleted_function_hears_of_it() {
    let node = Node::with(Mode::Auto, |options| options.instances_max = 1);
    let code = "exports.handler = async (ms) => { await new Promise(r => setTimeout(r, ms)); return ms }";
    let Some(busy) = node.load(&script(&[("index.js", code)])).await else { return };
    let other = node.load_with(&script(&[("index.js", code)]), |settings| settings.arn += "other").await.unwrap();
    node.call_apart(&busy, "0").await;
    let long = node.call_apart(&busy, "1500");
    let waiting = async {
        until("the only instance is busy", || {
            node.compute.instances().iter().all(|instance| instance.activity == Activity::Busy)
        })
        .await;
        let waiting = node.try_call_apart(&other, "0");
        let (answer, ()) = tokio::join!(waiting, async {
            tokio::task::yield_now().await;
            node.compute.retire(&other.arn);
        });
        answer
    };
    let (long, answer) = tokio::join!(long, waiting);
    assert_eq!(text(&long), "1500");
    assert_eq!(text(&answer.unwrap()), "0", "who holds the old image still gets an answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_beginning_holds_up_no_other_function() {
    let node = Node::new(Mode::Auto);
    let slow = "await new Promise(r => setTimeout(r, 25000)); export const handler = async () => 1";
    let Some(slow) = node
        .load_with(&script(&[("index.mjs", slow)]), |settings| {
            settings.arn += "slow";
            settings.timeout = PATIENCE;
        })
        .await
    else {
        return;
    };
    let quick = node.load(&script(&[("index.js", "exports.handler = async () => 1")])).await.unwrap();
    let many = join_all((0..40).map(|_| node.call_apart(&slow, "1")));
    let other = async {
        until("all that start are in their own code", || node.compute.instances().len() > 4).await;
        node.call_apart(&quick, "1").await
    };
    tokio::select! {
        _ = many => panic!("the quick one waited for the slow one"),
        outcome = other => assert_eq!(text(&outcome), "1"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shutting_down_finishes_what_runs_and_refuses_the_rest() {
    let node = Node::new(Mode::Auto);
    let code = "exports.handler = async () => { await new Promise(r => setTimeout(r, 300)); return 'done' }";
    let Some(image) = node.load(&script(&[("index.js", code)])).await else { return };
    node.call_apart(&image, "1").await;
    let running = node.call_apart(&image, "1");
    let (outcome, stopped) = tokio::join!(running, async {
        tokio::task::yield_now().await;
        node.compute.shut_down(PATIENCE).await
    });
    assert_eq!((text(&outcome), stopped), (r#""done""#, true));
    assert_eq!(node.try_call_apart(&image, "1").await.unwrap_err(), RunFault::Stopping);
    assert_eq!(node.compute.instances().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn shutting_down_does_not_wait_for_ever() {
    for mode in [Mode::Auto, Mode::Off] {
        let node = Node::new(mode);
        let code = "exports.handler = async () => { for (;;); }";
        let Some(image) = node.load(&script(&[("index.js", code)])).await else { return };
        let running = node.call_apart(&image, "1");
        let (outcome, stopped) = tokio::join!(running, async {
            while !node.compute.instances().iter().any(|instance| instance.activity == Activity::Busy) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            node.compute.shut_down(Duration::from_millis(50)).await
        });
        assert!(!stopped);
        assert!(text(&outcome).contains("Runtime exited with error: signal: killed"), "{}", text(&outcome));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_is_not_there_is_named() {
    let node = Node::new(Mode::Auto);
    let Some(image) = node
        .load_with(&script(&[("index.js", "")]), |settings| {
            settings.code = compute::CodeId::of(b"never prepared");
        })
        .await
    else {
        return;
    };
    let code = compute::CodeId::of(b"never prepared").to_string();
    assert_eq!(node.try_call_apart(&image, "1").await.unwrap_err(), RunFault::CodeMissing { code });
}
