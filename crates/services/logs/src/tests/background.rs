//! Retention and deletion: out of sight at once, off the disk in time.

use super::*;

const DAY: i64 = 86_400_000;

#[tokio::test]
async fn retention_takes_whole_chunks_as_days_pass() {
    let bench = Bench::new();
    bench.group("g").await;
    bench.group("for-ever").await;
    for group in ["g", "for-ever"] {
        bench.stream(group, "s").await;
        for day in 0..7 {
            // At midnight, half a day from where retention cuts.
            let time = (day - 7) * DAY + DAY / 2;
            bench.put(group, "s", &[(time, &format!("day {day}")), (time + 1, "more")]).await;
        }
    }
    let all = bench.stored_bytes("g").await;
    let retain = aws::PutRetentionPolicyRequest { log_group_name: "g".into(), retention_in_days: 3 };
    bench.call::<aws::PutRetentionPolicy>(retain).await.unwrap();
    // Out of sight at once.
    assert_eq!(bench.get("g", "s").await, ["day 4", "more", "day 5", "more", "day 6", "more"]);
    assert_eq!(bench.filter_messages("g", "day").await, ["day 4", "day 5", "day 6"]);
    // Off the disk soon.
    let pass_time = async |until_bytes: i64| {
        // A few passes, far from half a day in all, in case that one began before what it should see.
        let (mut rounds, mut passes) = (0, 0);
        until("retention has worked", async || {
            if rounds % 200 == 0 && passes < 10 {
                passes += 1;
                bench.hand.advance(crate::background::EXPIRE_EVERY);
            }
            rounds += 1;
            bench.stored_bytes("g").await == until_bytes
        })
        .await;
    };
    pass_time(all / 7 * 3).await;
    assert_eq!(bench.get("g", "s").await.len(), 6);
    bench.hand.advance(Duration::from_secs(86_400));
    pass_time(all / 7 * 2).await;
    assert_eq!(bench.filter_messages("g", "day").await, ["day 5", "day 6"]);
    // An older event than all that were taken away is found again, if retention allows it.
    let retain = aws::PutRetentionPolicyRequest { log_group_name: "g".into(), retention_in_days: 30 };
    bench.call::<aws::PutRetentionPolicy>(retain).await.unwrap();
    bench.put("g", "s", &[(-9 * DAY, "older")]).await;
    assert_eq!(bench.filter_messages("g", "").await[0], "older");
    bench.hand.advance(Duration::from_secs(40 * 86_400));
    pass_time(0).await;
    assert!(bench.get("g", "s").await.is_empty());
    assert_eq!(bench.get("for-ever", "s").await.len(), 14);
    // The stream goes on.
    bench.hand.advance(Duration::from_secs(1));
    let log_events = vec![aws::InputLogEvent { timestamp: bench.clock.now_ms(), message: "new".into() }];
    let (log_group_name, log_stream_name) = ("g".into(), "s".into());
    let input = aws::PutLogEventsRequest { log_group_name, log_stream_name, log_events, ..Default::default() };
    bench.call::<aws::PutLogEvents>(input).await.unwrap();
    assert_eq!(bench.get("g", "s").await, ["new"]);
}

#[tokio::test]
async fn a_deleted_group_is_gone_at_once_and_leaves_nothing_behind() {
    let bench = Bench::new();
    bench.group("stays").await;
    let before = bench.keys().await;
    for stream in 0..20 {
        let line = "x".repeat(500);
        // An hour apart, so that each is a chunk.
        let lines: Vec<(i64, &str)> = (0..200).map(|number| (number * 3_600_000, line.as_str())).collect();
        bench.ingest("g", &format!("s{stream}"), &lines).await;
    }
    bench.logs.flush().await;
    assert!(bench.keys().await > 20 * 200 * 3);
    let delete = aws::DeleteLogGroupRequest { log_group_name: "g".into() };
    bench.call::<aws::DeleteLogGroup>(delete).await.unwrap();
    bench.group("g").await;
    bench.stream("g", "s1").await;
    assert_eq!((bench.stored_bytes("g").await, bench.get("g", "s1").await), (0, Vec::new()));
    let delete = aws::DeleteLogGroupRequest { log_group_name: "g".into() };
    bench.call::<aws::DeleteLogGroup>(delete).await.unwrap();
    // The number of groups ever made is there too, but was before.
    until("everything of the group is off the disk", async || bench.keys().await == before).await;
}

#[tokio::test]
async fn a_deleted_stream_gives_its_room_back() {
    let bench = Bench::new();
    bench.group("g").await;
    let before = bench.keys().await;
    let lines: Vec<(i64, String)> = (0..1_500).map(|hour| (hour * 3_600_000, format!("hour {hour}"))).collect();
    let lines: Vec<(i64, &str)> = lines.iter().map(|(time, message)| (*time, message.as_str())).collect();
    for stream in ["s", "t"] {
        bench.ingest("g", stream, &lines).await;
    }
    bench.logs.flush().await;
    let all = bench.stored_bytes("g").await;
    for (stream, left) in [("s", all / 2), ("t", 0)] {
        let delete = aws::DeleteLogStreamRequest { log_group_name: "g".into(), log_stream_name: stream.into() };
        bench.call::<aws::DeleteLogStream>(delete).await.unwrap();
        until("the stream's room is back", async || bench.stored_bytes("g").await == left).await;
    }
    until("nothing of the streams is left", async || bench.keys().await == before).await;
}

#[tokio::test]
async fn what_was_deleted_before_a_stop_is_taken_away_after_it() {
    let (clock, hand) = base::Clock::manual(Timestamp::from_millisecond(NOW).unwrap());
    let store = Store::memory(clock.clone());
    let bench = Bench::over(store.clone(), clock.clone(), Arc::clone(&hand));
    bench.group("other").await;
    let before = bench.keys().await;
    bench.group("g").await;
    bench.stream("g", "s").await;
    bench.put("g", "s", &[(0, "x")]).await;
    assert!(bench.tasks.shut_down(PATIENCE).await);
    let delete = aws::DeleteLogGroupRequest { log_group_name: "g".into() };
    bench.call::<aws::DeleteLogGroup>(delete).await.unwrap();
    assert!(bench.keys().await > before);
    let again = Bench::over(store, clock, hand);
    until("the next run takes it away", async || again.keys().await == before).await;
}

#[tokio::test]
async fn what_cannot_be_taken_away_holds_up_nothing_else() {
    let bench = Bench::new();
    for name in ["bad", "good"] {
        bench.group(name).await;
        bench.stream(name, "s").await;
        bench.put(name, "s", &[(0, "x")]).await;
    }
    // Of the first group, the index of its only stream.
    let index = store::Key::journal("logs").with("000000000000").with("us-east-1").with(1u64).with("s");
    damage(&bench, &index).await;
    for name in ["bad", "good"] {
        let delete = aws::DeleteLogStreamRequest { log_group_name: name.into(), log_stream_name: "s".into() };
        bench.call::<aws::DeleteLogStream>(delete).await.unwrap();
    }
    until("the other stream's room is back", async || bench.stored_bytes("good").await == 0).await;
    assert_ne!(bench.stored_bytes("bad").await, 0);
}
