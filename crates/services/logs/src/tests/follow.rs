//! Following: every event once, as soon as it is there.

use std::pin::pin;

use futures_util::StreamExt;

use super::*;
use crate::pattern::Pattern;
use crate::{Follow, FollowRequest};

fn request(bench: &Bench, since_ms: Option<u64>, pattern: &str) -> FollowRequest {
    FollowRequest {
        scope: bench.scope(),
        group: "g".into(),
        stream_prefix: String::new(),
        pattern: Pattern::parse(pattern).unwrap(),
        since_ms,
    }
}

async fn take(follow: &mut Follow, count: usize) -> Vec<String> {
    let mut found = Vec::new();
    while found.len() < count {
        let next = tokio::time::timeout(PATIENCE, follow.next()).await.expect("an event comes").unwrap().unwrap();
        found.extend(next.into_iter().map(|followed| format!("{}:{}", followed.stream, followed.event.message)));
    }
    found
}

#[tokio::test]
async fn a_follower_sees_what_was_there_and_what_comes() {
    let bench = Bench::new();
    bench.ingest("g", "s", &[(-20, "before"), (0, "past")]).await;
    bench.logs.flush().await;
    let mut all = bench.logs.follow(request(&bench, Some(NOW as u64 - 10), ""));
    let mut new = bench.logs.follow(request(&bench, None, "-skip"));
    assert_eq!(take(&mut all, 1).await, ["s:past"]);
    let mut waiting = Box::pin(new.next());
    assert!(futures_util::poll!(&mut waiting).is_pending());
    // Late by its timestamp, and into the chunk that is there already.
    bench.ingest("g", "s", &[(-5, "late"), (3, "skip"), (4, "now")]).await;
    bench.ingest("g", "t", &[(4, "other")]).await;
    let first = tokio::time::timeout(PATIENCE, &mut waiting).await.expect("an event comes").unwrap().unwrap();
    drop(waiting);
    assert_eq!(first[0].event.message, "late");
    let mut seen: Vec<String> = first.into_iter().map(|followed| followed.event.message).collect();
    let rest = take(&mut new, 3 - seen.len()).await;
    seen.extend(rest.into_iter().map(|text| text[2..].to_owned()));
    assert_eq!(seen, ["late", "now", "other"]);
    let mut found = take(&mut all, 4).await;
    found.sort_unstable();
    assert_eq!(found, ["s:late", "s:now", "s:skip", "t:other"]);
}

#[tokio::test]
async fn a_group_is_waited_for_and_followed_when_it_is_made_again() {
    let bench = Bench::new();
    let mut follow = bench.logs.follow(request(&bench, None, ""));
    let mut other = bench.logs.follow(request(&bench, None, ""));
    assert!(futures_util::poll!(pin!(follow.next())).is_pending());
    assert!(futures_util::poll!(pin!(other.next())).is_pending());
    bench.group("g").await;
    bench.stream("g", "s").await;
    assert!(futures_util::poll!(pin!(follow.next())).is_pending());
    bench.put("g", "s", &[(0, "one")]).await;
    assert_eq!(take(&mut follow, 1).await, ["s:one"]);
    // Looked for the group only now: what came with it is new all the same.
    assert_eq!(take(&mut other, 1).await, ["s:one"]);
    let delete = aws::DeleteLogGroupRequest { log_group_name: "g".into() };
    bench.call::<aws::DeleteLogGroup>(delete).await.unwrap();
    bench.ingest("g", "s", &[(0, "two")]).await;
    bench.logs.flush().await;
    assert_eq!(take(&mut follow, 1).await, ["s:two"]);
}

#[tokio::test]
async fn a_slow_follower_misses_nothing() {
    let bench = Bench::new();
    bench.group("g").await;
    for stream in 0..7 {
        bench.stream("g", &format!("s{stream}")).await;
    }
    let mut follow = bench.logs.follow(request(&bench, None, ""));
    bench.put("g", "s0", &[(0, "first")]).await;
    assert!(futures_util::poll!(pin!(follow.next())).is_pending());
    // More commits than the feed keeps, in times that go back and forth.
    let count = store::Watch::COMMITS_MAX + 500;
    for number in 0..count {
        let time = (number as i64 * 7_919) % 600_000 - 600_000;
        let message = format!("{number}");
        bench.put("g", &format!("s{}", number % 7), &[(time, &message)]).await;
    }
    let found = take(&mut follow, count).await;
    let numbers: std::collections::BTreeSet<usize> =
        found.iter().map(|text| text.split_once(':').unwrap().1.parse().unwrap()).collect();
    assert_eq!((found.len(), numbers.len()), (count, count));
    bench.put("g", "s3", &[(1, "last")]).await;
    assert_eq!(take(&mut follow, 1).await, ["s3:last"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_among_writers_sees_each_event_once() {
    let bench = Bench::new();
    let mut follow = bench.logs.follow(request(&bench, Some(0), ""));
    let logs = Arc::clone(&bench.logs);
    base::task::spawn(base::task::Kind::Work, "writer", async move {
        for number in 0..3_000i64 {
            let message = number.to_string();
            logs.ingest(output("g", &format!("s{}", number % 5), &[(number % 977, &message)])).await.unwrap();
        }
    });
    let mut numbers: Vec<u32> =
        take(&mut follow, 3_000).await.iter().map(|text| text.split_once(':').unwrap().1.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..3_000).collect::<Vec<u32>>());
}

#[tokio::test]
async fn what_is_expired_is_not_seen_and_what_is_damaged_is_passed_over() {
    let bench = Bench::new();
    bench.group("g").await;
    bench.stream("g", "s").await;
    let day = 86_400_000;
    bench.put("g", "s", &[(-2 * day, "expired")]).await;
    bench.put("g", "s", &[(-5, "kept")]).await;
    bench.tasks.shut_down(PATIENCE).await;
    let retain = aws::PutRetentionPolicyRequest { log_group_name: "g".into(), retention_in_days: 1 };
    bench.call::<aws::PutRetentionPolicy>(retain).await.unwrap();
    let mut follow = bench.logs.follow(request(&bench, Some(0), ""));
    assert_eq!(take(&mut follow, 1).await, ["s:kept"]);

    // A new chunk is damaged before the follower reads it.
    assert!(futures_util::poll!(pin!(follow.next())).is_pending());
    bench.put("g", "s", &[(3_600_000, "damaged")]).await;
    let chunks = store::Key::journal("logs").with("000000000000").with("us-east-1").with(1u64).with("c");
    damage(&bench, &chunks).await;
    bench.put("g", "s", &[(7_200_000, "after")]).await;
    assert_eq!(take(&mut follow, 1).await, ["s:after"]);
}

#[tokio::test]
async fn a_body_is_lines_of_json() {
    let bench = Bench::new();
    bench.ingest("g", "s", &[(0, "a\n\"b\"")]).await;
    bench.logs.flush().await;
    let mut body = pin!(bench.logs.follow_lines(request(&bench, Some(0), "")));
    let line = tokio::time::timeout(PATIENCE, body.next()).await.expect("a line comes").unwrap().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
    assert!(line.ends_with(b"}\n"));
    assert_eq!((&value["logStreamName"], &value["message"]), (&"s".into(), &"a\n\"b\"".into()));
    assert_eq!((&value["timestamp"], &value["ingestionTime"]), (&NOW.into(), &NOW.into()));
    assert_eq!(value["eventId"].as_str().unwrap().len(), 56);
}
