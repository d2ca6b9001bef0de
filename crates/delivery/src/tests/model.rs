//! Random work, held against what must come of it: nothing is lost, order is kept where it is promised, a budget is never exceeded.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use proptest::prelude::*;

use super::{Bench, retry};
use crate::{Delivery, LaneId, Limits};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Put { lane: u8, count: u8, failures: u8 },
    Pass { seconds: u8 },
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4u8, 1..20u8, 0..6u8).prop_map(|(lane, count, failures)| Step::Put { lane, count, failures }),
        3 => (0..120u8).prop_map(|seconds| Step::Pass { seconds }),
        1 => Just(Step::Crash),
    ]
}

/// Lanes 0 and 1 are in order.
fn lane(number: u8) -> LaneId {
    match number {
        0 | 1 => LaneId::in_order("subscription", number.to_string()),
        _ => LaneId::any("rule", number.to_string()),
    }
}

const RETRIES_MAX: u32 = 3;

async fn play(steps: Vec<Step>, folder: Option<tempfile::TempDir>) {
    let limits = Limits { carried_max: 6, window_max: 8, known_max: 100 };
    let mut bench = Bench::with(limits, folder).await;
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut given_up, mut next) = (HashMap::<String, u64>::new(), 0);
    for step in steps {
        match step {
            Step::Put { lane: number, count, failures } => {
                let mut batch = Vec::new();
                for member in 0..count {
                    next += 1;
                    let text = format!("{next}");
                    // Every third one fails.
                    let fails = if member % 3 == 0 { u32::from(failures) } else { 0 };
                    bench.toy.state().failures.insert(text.clone(), fails);
                    match fails > RETRIES_MAX {
                        true => *given_up.entry(number.to_string()).or_default() += 1,
                        false => expected.entry(number.to_string()).or_default().push(text.clone()),
                    }
                    batch.push(Delivery { retry: retry(RETRIES_MAX), ..bench.delivery(lane(number), text) });
                }
                bench.put(&batch).await;
            }
            Step::Pass { seconds } => {
                bench.hand.advance(Duration::from_secs(u64::from(seconds)));
                tokio::task::yield_now().await;
            }
            Step::Crash => bench.crash().await,
        }
    }
    bench.until_idle().await;
    for (lane, wanted) in &expected {
        let mut arrived = bench.arrived(lane);
        // At least once: what a crash cut off may have come twice. The first time counts.
        let mut seen = std::collections::HashSet::new();
        arrived.retain(|text| seen.insert(text.clone()));
        if !matches!(lane.as_str(), "0" | "1") {
            arrived.sort_by_key(|text| text.parse::<u32>().unwrap());
        }
        // A failure that a crash swallowed was told to the toy and not noted: that one may arrive where it would have been given up.
        arrived.retain(|text| wanted.contains(text));
        assert_eq!(&arrived, wanted, "lane {lane}");
    }
    let failed: u64 = bench.engine().lanes().iter().map(|lane| lane.failed).sum();
    assert!(failed <= given_up.values().sum(), "more were given up than used up their retries");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_in_memory(steps in prop::collection::vec(step(), 1..40)) {
        runtime().block_on(play(steps.into_iter().filter(|step| !matches!(step, Step::Crash)).collect(), None));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_in_crashes(steps in prop::collection::vec(step(), 1..40)) {
        runtime().block_on(play(steps, Some(tempfile::tempdir().unwrap())));
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}
