//! Archives keep events, and replays bring them again.

use super::*;

#[tokio::test]
async fn archived_events_are_replayed_to_the_rules_that_are_there_then() {
    let bench = Bench::new().await;
    let bus = "arn:aws:events:us-east-1:000000000000:event-bus/default".to_owned();
    let create = aws::CreateArchiveRequest {
        archive_name: "a".into(),
        event_source_arn: bus.clone(),
        event_pattern: Some(r#"{"detail": {"keep": [true]}}"#.into()),
        retention_days: Some(1),
        ..Default::default()
    };
    bench.call::<aws::CreateArchive>(create.clone()).await.unwrap();
    assert!(refused(bench.call::<aws::CreateArchive>(create).await).starts_with("ResourceAlreadyExistsException"));
    let large = "x".repeat(200_000);
    for n in 0..5 {
        bench.put(vec![entry(&json!({"keep": true, "n": n, "text": large})), entry(&json!({"keep": false}))]).await;
    }
    let describe = || aws::DescribeArchiveRequest { archive_name: "a".into() };
    let described = bench.call::<aws::DescribeArchive>(describe()).await.unwrap();
    assert_eq!(described.event_count, Some(5));
    assert!(described.size_bytes.unwrap() > 1_000_000);
    bench.rule("r", &json!({"replay-name": ["again"]}), &[json!({"Id": "q", "Arn": queue("q")})]).await;
    bench.rule("other", &json!({"source": ["shop"]}), &[json!({"Id": "q", "Arn": queue("other")})]).await;
    let start = aws::StartReplayRequest {
        replay_name: "again".into(),
        event_source_arn: "arn:aws:events:us-east-1:000000000000:archive/a".into(),
        event_start_time: Timestamp::from_millisecond(NOW - 1_000).unwrap(),
        event_end_time: Timestamp::from_millisecond(NOW + 1_000).unwrap(),
        destination: aws::ReplayDestination {
            arn: bus,
            filter_arns: Some(vec!["arn:aws:events:us-east-1:000000000000:rule/r".into()]),
        },
        ..Default::default()
    };
    bench.call::<aws::StartReplay>(start).await.unwrap();
    let delivered = bench.delivered(5).await;
    assert!(delivered.iter().all(|(_, input)| {
        input["QueueUrl"] == queue("q") && input["MessageBody"].as_str().unwrap().contains("\"replay-name\":\"again\"")
    }));
    let state = async || {
        let input = aws::DescribeReplayRequest { replay_name: "again".into() };
        bench.call::<aws::DescribeReplay>(input).await.unwrap().state.unwrap()
    };
    until("the replay is over", async || state().await == aws::ReplayState::Completed).await;
    let cancel = aws::CancelReplayRequest { replay_name: "again".into() };
    assert!(refused(bench.call::<aws::CancelReplay>(cancel).await).starts_with("IllegalStatusException"));
    // A day later they are gone.
    bench.hand.advance(Duration::from_secs(25 * 3_600));
    until("the archive is empty", async || {
        bench.call::<aws::DescribeArchive>(describe()).await.unwrap().event_count == Some(0)
    })
    .await;
    bench.call::<aws::DeleteArchive>(aws::DeleteArchiveRequest { archive_name: "a".into() }).await.unwrap();
    assert!(refused(bench.call::<aws::DescribeArchive>(describe()).await).starts_with("ResourceNotFoundException"));
}
