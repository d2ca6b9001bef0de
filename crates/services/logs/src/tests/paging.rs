//! Every event is seen once, in both directions, whatever the events, the batches and the pages are.

use proptest::prelude::*;

use super::*;

/// (time in ms before now, size) of events, in batches; each batch goes to one of three streams.
fn batches() -> impl Strategy<Value = Vec<(usize, Vec<(i64, usize)>)>> {
    let time = prop_oneof![3 => 0i64..50, 2 => 0i64..200_000, 1 => 0i64..80_000_000];
    let size = prop_oneof![8 => 1usize..200, 1 => 2_000usize..9_000];
    let batch = prop::collection::vec((time, size), 1..25);
    prop::collection::vec((0usize..3, batch), 1..14)
}

const STREAMS: [&str; 3] = ["a", "b", "c"];

async fn check(batches: Vec<(usize, Vec<(i64, usize)>)>, limit: i32) {
    let bench = Bench::new();
    bench.group("g").await;
    for stream in STREAMS {
        bench.stream("g", stream).await;
    }
    // What is expected, in the order of ingestion: stream, time, message.
    let mut expected: Vec<(usize, i64, String)> = Vec::new();
    for (stream, mut events) in batches {
        events.sort_by_key(|(ago, _)| std::cmp::Reverse(*ago));
        let batch: Vec<(i64, String)> =
            events.iter().map(|(ago, size)| (-ago, format!("{} {}", expected.len(), "z".repeat(*size)))).collect();
        let borrowed: Vec<(i64, &str)> = batch.iter().map(|(time, message)| (*time, message.as_str())).collect();
        bench.put("g", STREAMS[stream], &borrowed).await;
        expected.extend(batch.into_iter().map(|(time, message)| (stream, time, message)));
    }
    // Stable: among equal times, ingestion decides.
    expected.sort_by_key(|(_, time, _)| *time);
    let of = |wanted: &dyn Fn(usize) -> bool| -> Vec<String> {
        expected.iter().filter(|(stream, ..)| wanted(*stream)).map(|(.., message)| message.clone()).collect()
    };
    for (number, name) in STREAMS.iter().enumerate() {
        let all = of(&|stream| stream == number);
        assert_eq!(walk(&bench, name, true, limit).await, all, "forward");
        assert_eq!(walk(&bench, name, false, limit).await, all, "backward");
    }
    let filter =
        aws::FilterLogEventsRequest { log_group_name: Some("g".into()), limit: Some(limit), ..Default::default() };
    let two = aws::FilterLogEventsRequest { log_stream_names: Some(vec!["a".into(), "c".into()]), ..filter.clone() };
    for (input, all) in [(filter, of(&|_| true)), (two, of(&|stream| stream != 1))] {
        let found: Vec<String> = bench.filter(input).await.into_iter().map(|event| event.message.unwrap()).collect();
        assert_eq!(found, all, "filter");
    }
    let bytes: usize = expected.iter().map(|(.., message)| message.len() + 26).sum();
    assert_eq!(bench.stored_bytes("g").await, bytes as i64);
}

/// All events of a stream, from one end to the other.
async fn walk(bench: &Bench, stream: &str, forward: bool, limit: i32) -> Vec<String> {
    let (mut pages, mut token) = (Vec::new(), None);
    loop {
        let input = aws::GetLogEventsRequest {
            log_group_name: Some("g".into()),
            log_stream_name: stream.into(),
            start_from_head: Some(forward),
            limit: Some(limit),
            next_token: token.clone(),
            ..Default::default()
        };
        let answer = bench.call::<aws::GetLogEvents>(input).await.unwrap();
        let next = if forward { answer.next_forward_token } else { answer.next_backward_token };
        pages.push(answer.events.unwrap().into_iter().map(|event| event.message.unwrap()).collect::<Vec<_>>());
        if next == token {
            break;
        }
        token = next;
    }
    if !forward {
        pages.reverse();
    }
    pages.concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn every_event_is_seen_once(batches in batches(), limit in 1i32..40) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(batches, limit));
    }
}
