//! Nothing is lost and nothing comes twice when the node stops; what passed meanwhile is made up for once; the clerk wakes by itself.

use super::*;

#[tokio::test]
async fn what_passed_is_made_up_for_once() {
    let bench = Bench::at("2025-01-01T00:00:00Z").await;
    bench.create(schedule("minutely", "cron(* * * * ? *)")).await.unwrap();
    bench.create(schedule("once", "at(2025-01-01T05:00:00)")).await.unwrap();
    let mut ended = schedule("ended", "rate(1 hour)");
    ended.end_date = Some("2025-01-01T04:30:00Z".parse().unwrap());
    bench.create(ended).await.unwrap();
    bench.fire().await;
    assert_eq!(bench.bodies(2).await, ["ended 2025-01-01T00:00:00Z", "minutely 2025-01-01T00:00:00Z"]);
    bench.hand.advance(Duration::from_secs(10 * 3600 + 30));
    let bench = bench.again().await;
    assert_eq!(bench.fire().await, Some(ms("2025-01-01T10:01:00Z")));
    let fired = bench.bodies(5).await;
    assert_eq!(
        fired,
        [
            "ended 2025-01-01T00:00:00Z",
            "ended 2025-01-01T04:00:00Z",
            "minutely 2025-01-01T00:00:00Z",
            "minutely 2025-01-01T10:00:00Z",
            "once 2025-01-01T05:00:00Z",
        ]
    );
}

#[tokio::test]
async fn what_is_too_old_is_not_tried_and_goes_to_the_dead_letters() {
    let bench = Bench::at("2025-01-01T00:00:00Z").await;
    let mut old = schedule("old", "at(2025-01-01T05:00:00)");
    old.target.dead_letter_config =
        Some(aws::DeadLetterConfig { arn: Some("arn:aws:sqs:us-east-1:000000000000:dead".into()) });
    old.target.retry_policy =
        Some(aws::RetryPolicy { maximum_event_age_in_seconds: Some(3600), maximum_retry_attempts: None });
    bench.create(old).await.unwrap();
    bench.hand.advance(Duration::from_secs(10 * 3600));
    let bench = bench.again().await;
    bench.fire().await;
    let calls = bench.calls(1).await;
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert_eq!(calls[0].input["QueueUrl"], "arn:aws:sqs:us-east-1:000000000000:dead");
    let condition = &calls[0].input["MessageAttributes"]["EXHAUSTED_RETRY_CONDITION"]["StringValue"];
    assert_eq!(condition, "MaximumEventAgeInSeconds");
}

#[tokio::test]
async fn each_time_fires_once_however_often_the_node_stops() {
    let mut bench = Bench::at("2025-01-01T00:00:00Z").await;
    for number in 0..3 {
        bench.create(schedule(&format!("s{number}"), "rate(1 hour)")).await.unwrap();
    }
    for round in 1..=10 {
        bench.fire().await;
        bench.calls(3 * round).await;
        bench.hand.advance(Duration::from_secs(3600));
        bench = bench.again().await;
        bench.fire().await;
        bench = bench.again().await;
    }
    let fired = bench.bodies(33).await;
    let different: std::collections::BTreeSet<_> = fired.iter().collect();
    assert_eq!((fired.len(), different.len()), (33, 33));
}

#[tokio::test]
async fn the_clerk_wakes_for_what_is_due_and_for_what_is_new() {
    let bench = Bench::at("2025-01-01T00:00:00Z").await;
    let tasks = tasks();
    bench.schedules.start(&tasks);
    bench.create(schedule("late", "cron(0 3 * * ? *)")).await.unwrap();
    // It sleeps until three; what is put before that must wake it.
    bench.create(schedule("now", "at(2025-01-01T00:00:00)")).await.unwrap();
    assert_eq!(bench.bodies(1).await, ["now 2025-01-01T00:00:00Z"]);
    bench.create(schedule("soon", "at(2025-01-01T00:00:30)")).await.unwrap();
    // Whether the clerk sleeps already or has yet to look, one move of the clock is enough: it reads the clock before it lies down.
    bench.hand.advance(Duration::from_secs(30));
    bench.calls(2).await;
    bench.hand.advance(Duration::from_secs(3 * 3600));
    let fired = bench.bodies(3).await;
    assert_eq!(fired[0], "late 2025-01-01T03:00:00Z");
    assert_eq!(fired[2], "soon 2025-01-01T00:00:30Z");
    let group = aws::CreateScheduleGroupInput { name: "g".into(), ..Default::default() };
    bench.ask::<aws::CreateScheduleGroup>(group).await.unwrap();
    let gone = aws::DeleteScheduleGroupInput { name: "g".into(), client_token: None };
    bench.ask::<aws::DeleteScheduleGroup>(gone).await.unwrap();
    let wait = async {
        while bench.ask::<aws::GetScheduleGroup>(aws::GetScheduleGroupInput { name: "g".into() }).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "the group goes by itself");
    assert!(tasks.shut_down(PATIENCE).await);
}
