//! Random work on a queue, held against a list.

use std::collections::BTreeMap;

use proptest::prelude::*;
use wire::sqs as aws;

use super::{Bench, message};

/// One thing that somebody does.
#[derive(Clone, Debug)]
enum Step {
    Send { group: u8, delay_s: u8 },
    Receive { most: u8, hide_s: u8 },
    Delete { which: usize },
    Hide { which: usize, seconds: u8 },
    Pass { seconds: u8 },
    Restart,
}

/// A message as the list has it.
#[derive(Clone, Debug)]
struct Kept {
    group: u8,
    visible_at: u64,
    in_flight: bool,
    receive: u32,
}

#[derive(Default)]
struct Naive {
    now: u64,
    messages: BTreeMap<u32, Kept>,
}

impl Naive {
    fn wake(&mut self) {
        let now = self.now;
        for kept in self.messages.values_mut().filter(|kept| kept.visible_at <= now) {
            kept.in_flight = false;
        }
    }

    /// What may be received, at most so many, in order where there is one.
    fn ready(&self, fifo: bool, most: usize) -> Vec<u32> {
        let is_visible = |kept: &Kept| kept.visible_at <= self.now;
        if !fifo {
            let mut ready: Vec<_> = self.messages.iter().filter(|(_, kept)| is_visible(kept)).collect();
            ready.sort_by_key(|(number, kept)| (kept.visible_at, **number));
            return ready.into_iter().take(most).map(|(number, _)| *number).collect();
        }
        let mut groups: BTreeMap<u8, Vec<(u32, &Kept)>> = BTreeMap::new();
        for (number, kept) in &self.messages {
            groups.entry(kept.group).or_default().push((*number, kept));
        }
        let mut open: Vec<Vec<u32>> = groups
            .into_values()
            .filter(|group| !group.iter().any(|(_, kept)| kept.in_flight))
            .map(|group| group.into_iter().take_while(|(_, kept)| is_visible(kept)).map(|(number, _)| number).collect())
            .filter(|group: &Vec<u32>| !group.is_empty())
            .collect();
        open.sort_unstable();
        open.into_iter().flatten().take(most).collect()
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..3_u8, prop_oneof![3 => Just(0_u8), 1 => 1..20_u8]).prop_map(|(group, delay_s)| Step::Send { group, delay_s }),
        5 => (1..=10_u8, 0..15_u8).prop_map(|(most, hide_s)| Step::Receive { most, hide_s }),
        3 => (0..40_usize).prop_map(|which| Step::Delete { which }),
        2 => (0..40_usize, 0..15_u8).prop_map(|(which, seconds)| Step::Hide { which, seconds }),
        3 => (1..12_u8).prop_map(|seconds| Step::Pass { seconds }),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..60)
}

async fn run(fifo: bool, steps: Vec<Step>) {
    let mut bench = Bench::new().await;
    let (name, attributes): (_, &[(&str, &str)]) = if fifo { ("q.fifo", &[("FifoQueue", "true")]) } else { ("q", &[]) };
    let url = bench.create(name, attributes).await;
    let mut naive = Naive::default();
    let mut held: Vec<(u32, u32, aws::Message)> = Vec::new();
    let mut next = 0;
    for step in steps {
        naive.wake();
        match step {
            Step::Send { group, delay_s } => {
                let mut input = message(&url, &next.to_string());
                input.message_group_id = Some(group.to_string());
                if fifo {
                    input.message_deduplication_id = Some(next.to_string());
                } else {
                    input.delay_seconds = Some(i32::from(delay_s));
                }
                bench.try_send(input).await.unwrap();
                let visible_at = naive.now + if fifo { 0 } else { u64::from(delay_s) };
                naive.messages.insert(next, Kept { group, visible_at, in_flight: false, receive: 0 });
                next += 1;
            }
            Step::Receive { most, hide_s } => {
                let expected = naive.ready(fifo, usize::from(most));
                let input = aws::ReceiveMessageRequest {
                    visibility_timeout: Some(i32::from(hide_s)),
                    ..super::receive(&url, i32::from(most))
                };
                let found = bench.try_receive(input).await.unwrap();
                let numbers: Vec<u32> =
                    found.iter().map(|message| message.body.as_deref().unwrap().parse().unwrap()).collect();
                let (mut given, mut wanted) = (numbers.clone(), expected.clone());
                if !fifo {
                    // After a restart messages are come by in another order.
                    assert_eq!(given.len(), wanted.len());
                    let ready = naive.ready(false, usize::MAX);
                    assert!(given.iter().all(|number| ready.contains(number)), "{given:?} of {ready:?}");
                    given.clear();
                    wanted.clear();
                }
                assert_eq!(given, wanted);
                for (number, message) in numbers.into_iter().zip(found) {
                    let kept = naive.messages.get_mut(&number).unwrap();
                    kept.visible_at = naive.now + u64::from(hide_s);
                    kept.in_flight = hide_s > 0;
                    kept.receive += 1;
                    let told = message.attributes.clone().unwrap();
                    assert_eq!(told["ApproximateReceiveCount"], kept.receive.to_string());
                    held.push((number, kept.receive, message));
                }
            }
            Step::Delete { which } if !held.is_empty() => {
                let (number, receive, message) = held[which % held.len()].clone();
                let holds = naive.messages.get(&number).is_none_or(|kept| kept.in_flight && kept.receive == receive);
                assert_eq!(bench.delete(&url, &message).await.is_ok(), holds || !fifo);
                if holds || !fifo {
                    naive.messages.remove(&number);
                }
            }
            Step::Hide { which, seconds } if !held.is_empty() => {
                let (number, receive, message) = held[which % held.len()].clone();
                let now = naive.now;
                let kept = naive.messages.get_mut(&number).filter(|kept| kept.in_flight && kept.receive == receive);
                assert_eq!(bench.hide(&url, &message, i32::from(seconds)).await.is_ok(), kept.is_some());
                if let Some(kept) = kept {
                    kept.visible_at = now + u64::from(seconds);
                    kept.in_flight = seconds > 0;
                }
            }
            Step::Pass { seconds } => {
                naive.now += u64::from(seconds);
                bench.pass(u64::from(seconds));
            }
            Step::Restart => bench = bench.again().await,
            Step::Delete { .. } | Step::Hide { .. } => {}
        }
        naive.wake();
        let count = |wanted: &dyn Fn(&Kept) -> bool| naive.messages.values().filter(|kept| wanted(kept)).count() as u64;
        let visible = count(&|kept| kept.visible_at <= naive.now);
        let in_flight = count(&|kept| kept.in_flight);
        let delayed = naive.messages.len() as u64 - visible - in_flight;
        assert_eq!(bench.counts(&url).await, [visible, in_flight, delayed]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_queue_does_what_a_list_does(fifo: bool, steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(fifo, steps));
    }
}
