//! Shards against a toy stream: whatever fails and whenever the reader dies, every record is handled, in order, and the checkpoint never
//! runs ahead.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{Clock, Random};
use mapping::stream::{Attempt, Checkpoint, Ending, Reason, Record, Settings, Shard, Window};
use proptest::prelude::*;
use serde_json::{Value, json};
use store::{Key, Range, Scan, Store, Transaction};

fn settings() -> Settings {
    Settings {
        batch: 10,
        window: Duration::ZERO,
        lanes: 1,
        bisects: false,
        retries_max: None,
        age_max: None,
        tumbling: None,
    }
}

fn record(sequence: u128, partition: &str, arrived_ms: i64) -> Record {
    Record { sequence, partition: partition.to_owned(), arrived_ms, document: json!(sequence.to_string()), bytes: 8 }
}

fn records(count: u128) -> Vec<Record> {
    (0..count).map(|number| record(number * 3 + 1, &format!("key-{}", number % 5), number as i64)).collect()
}

fn done() -> Ending {
    Ending::Done { state: Value::Null }
}

fn sequences(attempt: &Attempt) -> Vec<u128> {
    attempt.records.iter().map(|record| record.sequence).collect()
}

/// The one attempt that there is now.
fn only(shard: &mut Shard, now_ms: i64) -> Attempt {
    let (mut attempts, discards) = shard.next(now_ms);
    assert!(discards.is_empty() && attempts.len() == 1, "{attempts:?} {discards:?}");
    attempts.remove(0)
}

#[test]
fn batches_wait_for_their_window_and_the_checkpoint_for_the_batch() {
    let mut shard =
        Shard::new(Settings { window: Duration::from_secs(5), batch: 3, ..settings() }, Checkpoint::default());
    shard.feed(records(2), 1_000);
    assert_eq!((shard.next(5_999).0, shard.due_ms()), (vec![], Some(6_000)));
    let attempt = only(&mut shard, 6_000);
    assert_eq!(sequences(&attempt), [1, 4]);
    assert_eq!(shard.next(9_000).0, [], "one batch of a lane at a time");
    assert_eq!(shard.checkpoint().after, None);
    shard.end(attempt, done());
    assert_eq!(shard.checkpoint().after, Some(4));
    shard.feed(records(6), 7_000);
    assert_eq!(
        sequences(&only(&mut shard, 7_000)),
        [7, 10, 13],
        "what was taken in before is left out; full batches do not wait"
    );
}

#[test]
fn failures_are_tried_again_cut_into_halves_and_given_up() {
    let wanted = Settings { bisects: true, retries_max: Some(1), ..settings() };
    let mut shard = Shard::new(wanted, Checkpoint::default());
    shard.feed(records(4), 0);
    let mut tried = Vec::new();
    let mut given_up = Vec::new();
    while !shard.is_idle() {
        let attempt = only(&mut shard, 0);
        tried.push(sequences(&attempt));
        let ending = if sequences(&attempt).contains(&7) { Ending::Failed } else { done() };
        given_up.extend(shard.end(attempt, ending));
    }
    assert_eq!(tried, [vec![1, 4, 7, 10], vec![1, 4], vec![7, 10], vec![7], vec![7], vec![10]]);
    assert_eq!(given_up.len(), 1);
    assert_eq!((given_up[0].tries, given_up[0].reason), (2, Reason::Retries));
    assert_eq!(shard.checkpoint().after, Some(10));
}

#[test]
fn partial_answers_go_on_from_the_first_failure() {
    let mut shard = Shard::new(settings(), Checkpoint::default());
    shard.feed(records(3), 0);
    let attempt = only(&mut shard, 0);
    shard.end(attempt, Ending::UpTo { sequence: 4, state: None });
    assert_eq!(shard.checkpoint().after, Some(1));
    assert_eq!(sequences(&only(&mut shard, 0)), [4, 7]);
}

#[test]
fn what_is_too_old_is_given_up() {
    let mut shard =
        Shard::new(Settings { age_max: Some(Duration::from_secs(60)), ..settings() }, Checkpoint::default());
    shard.feed(vec![record(1, "a", 0), record(2, "a", 1_000), record(3, "a", 50_000)], 50_000);
    let (attempts, discards) = shard.next(62_000);
    assert_eq!((sequences(&attempts[0]), discards.len()), (vec![3], 1));
    assert_eq!((discards[0].records.len(), discards[0].reason), (2, Reason::Age));
    assert_eq!(shard.checkpoint().after, Some(2));
}

#[test]
fn tumbling_windows_carry_their_state_and_end() {
    let wanted = Settings { tumbling: Some(Duration::from_secs(10)), batch: 2, ..settings() };
    let mut shard = Shard::new(wanted.clone(), Checkpoint::default());
    let inside: Vec<Record> =
        [1_000, 2_000, 3_000].iter().zip(1..).map(|(at, number)| record(number, "a", *at)).collect();
    shard.feed([inside, vec![record(9, "a", 12_000)]].concat(), 12_000);
    let first = only(&mut shard, 12_000);
    let window = first.window.clone().expect("it lies in one");
    assert_eq!((sequences(&first), window.start_ms, window.end_ms, &window.state), (vec![1, 2], 0, 10_000, &json!({})));
    shard.end(first, Ending::Done { state: json!({ "sum": 3 }) });
    // The reader dies, and another one goes on with the state that was kept.
    let mut shard = Shard::new(wanted, shard.checkpoint().clone());
    shard.feed(vec![record(3, "a", 3_000), record(9, "a", 12_000)], 12_000);
    let second = only(&mut shard, 12_000);
    assert_eq!((sequences(&second), &second.window.as_ref().expect("the same").state), (vec![3], &json!({ "sum": 3 })));
    shard.end(second, Ending::Done { state: json!({ "sum": 6 }) });
    let last = only(&mut shard, 12_000);
    assert!(last.last_of_window && last.records.is_empty());
    assert_eq!(last.window.as_ref().expect("the same").state, json!({ "sum": 6 }));
    shard.end(last, done());
    let next = only(&mut shard, 12_000);
    assert_eq!((sequences(&next), next.window.expect("a new one").start_ms), (vec![9], 10_000));
}

#[test]
fn a_window_whose_state_is_too_long_ends_early_and_goes_on_with_none() {
    let wanted = Settings { tumbling: Some(Duration::from_secs(10)), batch: 2, retries_max: Some(1), ..settings() };
    let stream: Vec<Record> = (1..=6).map(|number| record(number, "a", 1_000 * number as i64)).collect();
    let long = |bytes: usize| json!({ "x": "x".repeat(bytes) });
    let around = json!({ "x": "" }).to_string().len();
    let mut shard = Shard::new(wanted.clone(), Checkpoint::default());
    shard.feed(stream.clone(), 9_000);
    let first = only(&mut shard, 9_000);
    shard.end(first, Ending::Done { state: long(Window::STATE_BYTES_MAX - around) });
    let second = only(&mut shard, 9_000);
    assert_eq!((sequences(&second), second.ended_early), (vec![3, 4], false), "that is not too long");
    // Half of it is done, and with it the state has become too long.
    shard.end(second, Ending::UpTo { sequence: 4, state: Some(long(Window::STATE_BYTES_MAX - around + 1)) });
    for tries in 0..2 {
        // The reader dies, and another one goes on with what was kept.
        let mut other = Shard::new(wanted.clone(), shard.checkpoint().clone());
        other.feed(stream.clone(), 9_000);
        for (shard, tries) in [(&mut shard, tries), (&mut other, 0)] {
            let early = only(shard, 9_000);
            assert_eq!((sequences(&early), early.tries), (vec![], tries));
            assert!(early.ended_early && early.last_of_window);
            let state = &early.window.as_ref().expect("it is of a window").state;
            assert_eq!(state.to_string().len(), Window::STATE_BYTES_MAX + 1);
            // Tried once more; then what it has aggregated is given up.
            shard.end(early, Ending::Failed);
        }
    }
    let third = only(&mut shard, 9_000);
    let window = third.window.clone().expect("the same goes on");
    assert_eq!((sequences(&third), window.start_ms, window.state), (vec![4], 0, json!({})));
    shard.end(third, Ending::Done { state: json!({ "sum": 1 }) });
    let fourth = only(&mut shard, 9_000);
    shard.end(fourth, Ending::Done { state: json!({ "sum": 2 }) });
    let last = only(&mut shard, 10_000);
    assert!(last.last_of_window && !last.ended_early);
    assert_eq!(last.window.as_ref().expect("the same").state, json!({ "sum": 2 }));
    shard.end(last, done());
    assert!(shard.is_idle());
}

#[test]
fn a_batch_leaves_room_for_the_state() {
    let wanted = Settings { tumbling: Some(Duration::from_secs(10)), ..settings() };
    let mut shard = Shard::new(wanted, Checkpoint::default());
    let stream: Vec<Record> =
        (1..=12).map(|number| Record { bytes: 1 << 20, ..record(number, "a", 1_000 + number as i64) }).collect();
    shard.feed(stream, 9_000);
    let first = only(&mut shard, 9_000);
    assert_eq!(first.records.len(), 5);
    shard.end(first, Ending::Done { state: json!({ "x": "x".repeat(1_040_000) }) });
    assert_eq!(only(&mut shard, 9_000).records.len(), 4);
}

#[test]
fn what_is_tried_again_leaves_room_for_a_state_that_has_grown() {
    let wanted = Settings { tumbling: Some(Duration::from_secs(10)), ..settings() };
    let mut shard = Shard::new(wanted, Checkpoint::default());
    let stream: Vec<Record> =
        (1..=6).map(|number| Record { bytes: 1_000_000, ..record(number, "a", 1_000 + number as i64) }).collect();
    shard.feed(stream, 9_000);
    let first = only(&mut shard, 9_000);
    assert_eq!(sequences(&first), [1, 2, 3, 4, 5, 6]);
    let grown = json!({ "x": "x".repeat(Window::STATE_BYTES_MAX - 10) });
    shard.end(first, Ending::UpTo { sequence: 1, state: Some(grown) });
    let again = only(&mut shard, 9_000);
    assert_eq!((sequences(&again), again.tries), (vec![1, 2, 3, 4, 5], 1));
    shard.end(again, Ending::Done { state: json!({}) });
    assert_eq!(sequences(&only(&mut shard, 9_000)), [6]);
}

#[tokio::test]
async fn checkpoints_are_kept() {
    let store = Store::memory(Clock::system());
    let load = async || Checkpoint::load(&store, "reader", "shard").await.expect("it is read");
    let all = async || {
        let read = store.transact(|tx| async move { Checkpoint::all(&tx, "reader").await });
        read.await.expect("they are read")
    };
    let keys = async || {
        let mut count = 0;
        for kind in ["stream-checkpoints", "stream-states"] {
            let page = store.snapshot().scan(Range::prefix(&Key::new(kind)), Scan::first(1_000)).await;
            count += page.expect("it is read").items.len();
        }
        count
    };
    assert_eq!(load().await, Checkpoint::default());
    let window = |bytes: usize| Window { start_ms: 0, end_ms: 9, state: json!({ "é": "x".repeat(bytes) }) };
    // One after the other over each other: longer, shorter, none.
    for (window, pieces) in [
        (None, 0),
        (Some(window(10)), 0),
        (Some(window(100_000)), 2),
        (Some(window(3_000_000)), 49),
        (Some(window(70_000)), 2),
        (None, 0),
        (Some(window(20_000)), 1),
    ] {
        let checkpoint = &Checkpoint { after: Some(u128::MAX), start: Some("it".to_owned()), window };
        store.transact(|tx| async move { checkpoint.save(&tx, "reader", "shard").await }).await.expect("it is kept");
        assert_eq!(load().await, *checkpoint);
        assert_eq!(all().await, BTreeMap::from([("shard".to_owned(), checkpoint.clone())]));
        assert_eq!(keys().await, 1 + pieces);
    }
    store
        .transact(|tx| async move { Checkpoint::forget(&tx, "reader", "shard").await })
        .await
        .expect("it is forgotten");
    assert_eq!((load().await, keys().await), (Checkpoint::default(), 0));
    let long = &Checkpoint { window: Some(window(100_000)), ..Checkpoint::default() };
    let put = |tx: Transaction| async move {
        long.save(&tx, "reader", "one").await?;
        long.save(&tx, "reader", "two").await?;
        long.save(&tx, "another", "one").await
    };
    store.transact(put).await.expect("they are kept");
    store.transact(|tx| async move { Checkpoint::forget_all(&tx, "reader").await }).await.expect("they are forgotten");
    assert_eq!((all().await.len(), keys().await), (0, 3), "another's are left");
    // As it was kept before states could lie in pieces.
    let former =
        r#"stream-checkpoint/1 {"after":100000000000000000001,"window":{"start_ms":0,"end_ms":9,"state":{"n":1}}}"#;
    let key = Key::new("stream-checkpoints").with("reader").with("shard");
    let key = &key;
    let put = |tx: Transaction| async move {
        tx.put(key.clone(), former);
        Ok::<_, store::Error>(())
    };
    store.transact(put).await.expect("it is kept");
    let window = Window { start_ms: 0, end_ms: 9, state: json!({ "n": 1 }) };
    let expected = Checkpoint { after: Some(100_000_000_000_000_000_001), start: None, window: Some(window) };
    assert_eq!(load().await, expected, "numbers of 21 digits are kept whole");
}

/// What a reader did with a stream, as its handler saw it.
#[derive(Default)]
struct Seen {
    handled: BTreeSet<u128>,
    given_up: BTreeSet<u128>,
    /// By partition key: records in the order of their first handling.
    order: BTreeMap<String, Vec<u128>>,
}

impl Seen {
    fn handle(&mut self, records: &[Record]) {
        for record in records {
            if self.handled.insert(record.sequence) {
                self.order.entry(record.partition.clone()).or_default().push(record.sequence);
            }
        }
    }

    fn settled(&self, sequence: u128) -> bool {
        self.handled.contains(&sequence) || self.given_up.contains(&sequence)
    }
}

/// Reads a stream with random failures and deaths until all is done.
fn run(seed: u64, wanted: &Settings, stream: &[Record]) -> Result<Seen, TestCaseError> {
    let chance = Random::seeded(seed);
    let (mut seen, mut kept, mut now_ms) = (Seen::default(), Checkpoint::default(), 0);
    let mut deaths = 0;
    let mut shard = Shard::new(wanted.clone(), kept.clone());
    let mut in_hand: Vec<Attempt> = Vec::new();
    while !(shard.is_idle() && kept.after == stream.last().map(|record| record.sequence)) {
        now_ms += 10;
        let rest = stream.iter().filter(|record| kept.after.is_none_or(|after| record.sequence > after));
        let fed: Vec<Record> = rest.take(shard.room().min(1 + chance.below(40) as usize)).cloned().collect();
        shard.feed(fed, now_ms);
        let (attempts, discards) = shard.next(now_ms);
        in_hand.extend(attempts);
        for discard in discards {
            seen.given_up.extend(discard.records.iter().map(|record| record.sequence));
        }
        if !in_hand.is_empty() {
            let attempt = in_hand.swap_remove(chance.below(in_hand.len() as u64) as usize);
            let ending = match chance.below(4) {
                0 => Ending::Failed,
                1 if !attempt.records.is_empty() => {
                    let first = chance.below(attempt.records.len() as u64) as usize;
                    seen.handle(&attempt.records[..first]);
                    Ending::UpTo { sequence: attempt.records[first].sequence, state: None }
                }
                _ => {
                    seen.handle(&attempt.records);
                    done()
                }
            };
            if let Some(discard) = shard.end(attempt, ending) {
                seen.given_up.extend(discard.records.iter().map(|record| record.sequence));
            }
        }
        // The checkpoint has passed nothing that was not handled or given up.
        for record in
            stream.iter().take_while(|record| shard.checkpoint().after.is_some_and(|after| record.sequence <= after))
        {
            prop_assert!(seen.settled(record.sequence), "{} was passed over", record.sequence);
        }
        // It is kept now and then, and what was not kept is lost with the reader.
        if chance.below(3) == 0 {
            kept = shard.checkpoint().clone();
        }
        if chance.below(20) == 0 && deaths < 20 {
            deaths += 1;
            in_hand.clear();
            shard = Shard::new(wanted.clone(), kept.clone());
        }
    }
    Ok(seen)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_record_is_handled_in_order_whatever_fails(
        seed in any::<u64>(),
        count in 1u128..120,
        lanes in 1usize..6,
        batch in 1usize..20,
        bisects in any::<bool>(),
        retries_max in proptest::option::of(0u32..4),
    ) {
        let stream = records(count);
        let wanted = Settings { batch, lanes, bisects, retries_max, ..settings() };
        let seen = run(seed, &wanted, &stream)?;
        for record in &stream {
            prop_assert!(seen.settled(record.sequence), "{} was lost", record.sequence);
        }
        if retries_max.is_none() {
            prop_assert_eq!(seen.handled.len(), stream.len());
        }
        for (key, order) in &seen.order {
            // What was given up may be handled after all, when a reader that died is followed by another one.
            let order: Vec<&u128> = order.iter().filter(|sequence| !seen.given_up.contains(sequence)).collect();
            prop_assert!(order.is_sorted(), "{key}: {order:?}");
        }
    }
}
