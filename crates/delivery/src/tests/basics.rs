//! One thing at a time: order, independence, retries, dead letters, what fails, bounds.

use std::time::Duration;

use contract::{Cause, Fault, Principal};
use serde_json::json;

use super::{Bench, retry};
use crate::{Acting, DeadLetter, Delivery, LaneId, Limits, Order, Task};

#[tokio::test]
async fn what_is_put_arrives_whatever_its_size() {
    let bench = Bench::memory().await;
    let texts: Vec<String> = [0, 1, 1_024, 1_025, 65_536, 1 << 20, Delivery::PARCEL_BYTES_MAX]
        .map(|bytes| "x".repeat(bytes))
        .into_iter()
        .collect();
    let lane = LaneId::in_order("rule", "a");
    for text in &texts {
        bench.put(&[bench.delivery(lane.clone(), text.clone())]).await;
    }
    bench.toy.until("all arrived", |state| state.arrived.get("a").is_some_and(|all| all.len() == texts.len())).await;
    assert_eq!(bench.arrived("a"), texts);
    bench.until_idle().await;
    let left = bench.store.snapshot().scan(store::Range::all(), store::Scan::first(10)).await.unwrap();
    assert_eq!(left.items, [], "nothing stays in the store");

    let too_large = bench.delivery(lane, "x".repeat(Delivery::PARCEL_BYTES_MAX + 1));
    let refused = bench.store.transact(|tx| {
        let too_large = too_large.clone();
        async move {
            crate::put(&tx, &too_large);
            Ok::<_, store::Error>(())
        }
    });
    assert!(matches!(refused.await, Err(store::Error::ValueTooLong { .. })));
}

#[tokio::test]
async fn a_dead_target_holds_back_no_other_lane() {
    let bench = Bench::with(Limits { carried_max: 8, ..Limits::default() }, None).await;
    for lane in 0..10 {
        bench.toy.state().dead.insert(format!("dead-{lane}"));
    }
    for number in 0..100 {
        let lane = LaneId::any("rule", format!("dead-{}", number % 10));
        bench.put(&[bench.delivery(lane, "never")]).await;
    }
    let many: Vec<Delivery> =
        (0..50).map(|number| bench.delivery(LaneId::any("rule", "alive"), number.to_string())).collect();
    bench.put(&many).await;
    bench.toy.until("all arrived", |state| state.arrived.get("alive").is_some_and(|all| all.len() == 50)).await;
    let dead = bench.engine().lanes().into_iter().filter(|lane| lane.lane.name().starts_with("dead"));
    assert!(dead.clone().all(|lane| lane.in_flight >= 1 && lane.waiting + lane.in_flight == 10), "{dead:?}");
}

#[tokio::test]
async fn order_is_kept_through_failures_and_nothing_overtakes() {
    let bench = Bench::memory().await;
    bench.toy.state().failures.insert("0".to_owned(), 3);
    bench.toy.state().failures.insert("4".to_owned(), 1);
    let all: Vec<Delivery> = (0..10)
        .map(|number| Delivery {
            retry: retry(5),
            ..bench.delivery(LaneId::in_order("subscription", "fifo"), number.to_string())
        })
        .collect();
    bench.put(&all[..5]).await;
    bench.put(&all[5..]).await;
    bench.until_idle().await;
    assert_eq!(bench.arrived("fifo"), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    assert_eq!(bench.engine().report().counts["subscription"].retried, 4);
}

#[tokio::test]
async fn retries_are_counted_across_restarts_and_end_in_the_dead_letter() {
    let mut bench = Bench::on_disk(Limits::default()).await;
    let lane = LaneId::any("rule", "r");
    bench.toy.state().failures.insert(r#"{"a":1}"#.to_owned(), 100);
    let acting = Acting::service("events.amazonaws.com", "arn:aws:events:us-east-1:000000000000:rule/r");
    let letter = DeadLetter::like_events("arn:aws:sqs:us-east-1:000000000000:dead", acting, &[("RULE_ARN", "r")]);
    let delivery =
        Delivery { retry: retry(3), dead_letter: Some(letter), ..bench.delivery(lane.clone(), r#"{"a":1}"#) };
    bench.put(&[delivery]).await;
    for tries in 1..=4 {
        bench.pass_until(Duration::from_secs(60), "one more try", |bench| bench.toy.state().carried >= tries).await;
        if tries < 4 {
            let noted = |bench: &Bench| bench.engine().lanes().iter().any(|lane| lane.next_ms.is_some());
            bench.toy.until("tried", |state| state.carried == tries).await;
            bench.pass_until(Duration::ZERO, "noted", noted).await;
            bench.crash().await;
        }
    }
    bench.toy.until("the dead letter", |state| !state.calls.is_empty()).await;
    bench.until_idle().await;
    assert_eq!(bench.toy.state().carried, 4);
    let (operation, call, input) = bench.toy.state().calls[0].clone();
    assert_eq!(operation.name, "SendMessage");
    assert_eq!(call.hops, 3, "one more than the sender's");
    let Principal::Service { name, source } = call.principal else { panic!("{:?}", call.principal) };
    assert_eq!(
        (name, source.as_deref()),
        ("events.amazonaws.com", Some("arn:aws:events:us-east-1:000000000000:rule/r"))
    );
    let text = |value: &str| json!({ "DataType": "String", "StringValue": value });
    assert_eq!(
        input,
        json!({
            "QueueUrl": "arn:aws:sqs:us-east-1:000000000000:dead",
            "MessageBody": r#"{"a":1}"#,
            "MessageAttributes": {
                "RULE_ARN": text("r"),
                "ERROR_CODE": text("Broken"),
                "ERROR_MESSAGE": text("told to fail"),
                "EXHAUSTED_RETRY_CONDITION": text("MaximumRetryAttempts"),
                "RETRY_ATTEMPTS": { "DataType": "Number", "StringValue": "3" },
            },
        })
    );
}

#[tokio::test]
async fn age_ends_retries_too() {
    let bench = Bench::memory().await;
    bench.toy.state().failures.insert("old".to_owned(), u32::MAX);
    let mut patience = retry(u32::MAX);
    patience.age_max = Duration::from_secs(300);
    bench.put(&[Delivery { retry: patience, ..bench.delivery(LaneId::any("rule", "r"), "old") }]).await;
    bench.until_idle().await;
    let lanes = bench.engine().lanes();
    assert_eq!((lanes[0].failed, lanes[0].failure.as_ref().unwrap().code.as_str()), (1, "Broken"));
}

#[tokio::test]
async fn what_failed_is_kept_over_a_restart_and_goes_again_when_asked() {
    let mut bench = Bench::on_disk(Limits::default()).await;
    let large = "x".repeat(200_000);
    bench.toy.state().failures.insert(large.clone(), 1);
    let lane = LaneId::any("rule", "r");
    bench.put(&[Delivery { retry: retry(0), ..bench.delivery(lane.clone(), large.clone()) }]).await;
    bench.until_idle().await;
    bench.crash().await;
    let shown = bench.engine().lanes();
    assert_eq!((shown.len(), shown[0].failed, shown[0].waiting), (1, 1, 0));
    assert_eq!(bench.engine().redrive(Some("rule/other")).await.unwrap(), 0);
    assert_eq!(bench.engine().redrive(Some("rule/r")).await.unwrap(), 1);
    bench.toy.until("arrived", |state| state.arrived.contains_key("r")).await;
    bench.until_idle().await;
    assert_eq!(bench.arrived("r"), [large]);
    assert_eq!(bench.engine().lanes(), []);
}

#[tokio::test]
async fn what_failed_is_let_go_after_its_time() {
    let bench = Bench::memory().await;
    bench.toy.state().failures.insert("x".to_owned(), 1);
    bench.put(&[Delivery { retry: retry(0), ..bench.delivery(LaneId::any("rule", "r"), "x") }]).await;
    bench
        .pass_until(Duration::ZERO, "failed", |bench| bench.engine().lanes().iter().any(|lane| lane.failed == 1))
        .await;
    bench.pass_until(Duration::from_secs(24 * 3600), "expired", |bench| bench.engine().lanes().is_empty()).await;
    let left = bench.store.snapshot().scan(store::Range::all(), store::Scan::first(10)).await.unwrap();
    assert_eq!(left.items, []);
}

#[tokio::test]
async fn faults_decide_whether_a_call_is_tried_again() {
    let bench = Bench::memory().await;
    let acting = Acting::service("sns.amazonaws.com", "arn:aws:sns:us-east-1:000000000000:t");
    let task = Task::new("sqs", "SendMessage", json!({ "QueueUrl": "q", "MessageBody": "b" }), acting);
    let fault = Fault::new(Cause::NotFound, "QueueDoesNotExist", "no");
    bench.toy.state().faults.insert("SendMessage", fault);
    bench.put(&[Delivery::call(bench.sender(), LaneId::any("subscription", "gone"), &task)]).await;
    bench.until_idle().await;
    assert_eq!(bench.toy.state().calls.len(), 1, "for good");
    bench.toy.state().faults.insert("SendMessage", Fault::new(Cause::Throttled, "Throttling", "slow down"));
    let patient =
        Delivery { retry: retry(4), ..Delivery::call(bench.sender(), LaneId::any("subscription", "busy"), &task) };
    bench.put(&[patient]).await;
    bench.until_idle().await;
    assert_eq!(bench.toy.state().calls.len(), 6, "five tries more");
    let unknown = Task { operation: "Nothing".into(), ..task };
    bench.put(&[Delivery::call(bench.sender(), LaneId::any("subscription", "unknown"), &unknown)]).await;
    bench.until_idle().await;
    let failed: u64 = bench.engine().lanes().iter().map(|lane| lane.failed).sum();
    assert_eq!(failed, 3);
}

#[tokio::test]
async fn nothing_goes_out_before_its_time() {
    let bench = Bench::memory().await;
    let due_ms = Some(bench.clock.now_ms() + 60_000);
    let lane = LaneId::new("schedule", Order::Any { at_once: 2 }, "s");
    bench.put(&[Delivery { due_ms, ..bench.delivery(lane.clone(), "later") }, bench.delivery(lane, "now")]).await;
    bench.toy.until("the other", |state| state.arrived.contains_key("s")).await;
    bench
        .pass_until(Duration::ZERO, "seen", |bench| bench.engine().lanes().iter().any(|lane| lane.next_ms == due_ms))
        .await;
    assert_eq!(bench.arrived("s"), ["now"]);
    bench.hand.advance(Duration::from_secs(60));
    bench.toy.until("its time", |state| state.arrived["s"].len() == 2).await;
}

/// `DELIVERIES_WAITING` says how many; a hundred thousand take a debug build half a minute.
#[tokio::test]
async fn memory_stays_bounded_however_many_wait() {
    let count: usize = std::env::var("DELIVERIES_WAITING").map_or(10_000, |text| text.parse().unwrap());
    let window_max = 500;
    let mut bench = Bench::with(Limits { window_max, ..Limits::default() }, None).await;
    bench.toy.state().dead.insert("slow".to_owned());
    let lane = LaneId::any("rule", "slow");
    let all: Vec<Delivery> = (0..count).map(|number| bench.delivery(lane.clone(), number.to_string())).collect();
    for some in all.chunks(10_000) {
        bench.put(some).await;
    }
    let waits = |bench: &Bench| bench.engine().lanes().iter().any(|lane| lane.waiting + lane.in_flight == count as u64);
    bench.pass_until(Duration::ZERO, "all known of", waits).await;
    assert!(bench.engine().report().known <= window_max);
    bench.toy.state().dead.clear();
    bench.crash().await;
    assert!(bench.engine().report().known <= window_max);
    bench.toy.until("all arrived", |state| state.arrived.get("slow").is_some_and(|all| all.len() >= count)).await;
    let arrived: std::collections::HashSet<String> = bench.arrived("slow").into_iter().collect();
    assert_eq!(arrived.len(), count);
}
