//! What is acknowledged is there after a restart, on the embedded store.

use store::{Location, Options};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        // Set back at the second start: positions must grow all the same.
        let (clock, hand) = Clock::manual(Timestamp::from_millisecond(NOW).unwrap());
        let store = Store::open(Options::new(Location::Embedded(folder.path().into()), clock.clone())).unwrap();
        Bench::over(store, clock, hand)
    };
    let close = async |bench: Bench| {
        bench.logs.close().await;
        assert!(bench.tasks.shut_down(PATIENCE).await);
        bench.store.clone().close().await;
    };

    let bench = open();
    bench.group("g").await;
    bench.stream("g", "s").await;
    let retain = aws::PutRetentionPolicyRequest { log_group_name: "g".into(), retention_in_days: 7 };
    bench.call::<aws::PutRetentionPolicy>(retain).await.unwrap();
    bench.hand.advance(Duration::from_secs(60));
    bench.put("g", "s", &[(0, "one"), (1, "two")]).await;
    bench.ingest("/aws/lambda/f", "i", &[(0, "printed")]).await;
    let input = aws::FilterLogEventsRequest { log_group_name: Some("g".into()), ..Default::default() };
    let events = bench.filter(input.clone()).await;
    close(bench).await;

    let bench = open();
    assert_eq!(bench.filter(input.clone()).await, events, "ids and times are the same");
    assert_eq!(bench.get("/aws/lambda/f", "i").await, ["printed"]);
    bench.put("g", "s", &[(1, "three")]).await;
    assert_eq!(bench.get("g", "s").await, ["one", "two", "three"]);
    assert_eq!(bench.stored_bytes("g").await, 11 + 3 * 26);
    let answer = bench.call::<aws::DescribeLogGroups>(Default::default()).await.unwrap().log_groups.unwrap();
    assert_eq!(answer.iter().map(|group| group.retention_in_days).collect::<Vec<_>>(), [None, Some(7)]);
    close(bench).await;

    let bench = open();
    assert_eq!(bench.get("g", "s").await, ["one", "two", "three"]);
    close(bench).await;
}
