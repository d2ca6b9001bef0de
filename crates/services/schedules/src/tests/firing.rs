//! Schedules fire at their times, and what they call is what was asked for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

#[tokio::test]
async fn a_year_passes() {
    let bench = Bench::at("2025-01-01T00:00:00Z").await;
    for (name, expression, zone) in [
        ("daily", "cron(30 2 * * ? *)", "Europe/Berlin"),
        ("last", "cron(0 0 L * ? *)", "UTC"),
        ("friday", "cron(0 12 ? * FRI *)", "America/New_York"),
        ("rate", "rate(1 days)", "America/New_York"),
        ("once", "at(2025-11-02T01:30:00)", "America/New_York"),
    ] {
        let mut input = schedule(name, expression);
        input.schedule_expression_timezone = Some(zone.into());
        bench.create(input).await.unwrap();
    }
    bench.run_until("2025-12-31T23:59:59Z").await;
    let fired = bench.bodies(364 + 12 + 52 + 365 + 1).await;
    let count = |name: &str| fired.iter().filter(|body| body.starts_with(name)).count();
    // On 30 March there is no half past two in Berlin; on 26 October there are two of them, of which the first counts.
    assert_eq!(count("daily"), 364);
    assert!(!fired.iter().any(|body| body.starts_with("daily 2025-03-30")));
    assert_eq!(
        fired.iter().filter(|body| body.starts_with("daily 2025-10-26")).collect::<Vec<_>>(),
        ["daily 2025-10-26T00:30:00Z"]
    );
    assert_eq!(count("last"), 12);
    assert_eq!(count("friday"), 52);
    assert_eq!(count("rate"), 365);
    assert!(fired.iter().filter(|body| body.starts_with("rate")).all(|body| body.ends_with("T00:00:00Z")));
    assert_eq!(fired.iter().filter(|body| body.starts_with("once")).collect::<Vec<_>>(), ["once 2025-11-02T05:30:00Z"]);
    assert_eq!(fired.len(), 794);
}

#[tokio::test]
async fn dates_bound_what_is_due_and_completed_schedules_go_away() {
    let bench = Bench::at("2025-01-01T00:00:00Z").await;
    let mut bounded = schedule("bounded", "rate(1 hour)");
    bounded.start_date = Some("2025-01-01T10:30:00Z".parse().unwrap());
    bounded.end_date = Some("2025-01-01T12:30:00Z".parse().unwrap());
    bounded.action_after_completion = Some(aws::ActionAfterCompletion::Delete);
    bench.create(bounded).await.unwrap();
    let mut once = schedule("once", "at(2025-01-01T11:00:00)");
    // Dates mean nothing to it.
    once.end_date = Some("2024-01-01T00:00:00Z".parse().unwrap());
    once.action_after_completion = Some(aws::ActionAfterCompletion::Delete);
    bench.create(once).await.unwrap();
    bench.create(schedule("kept", "at(2025-01-01T11:00:00)")).await.unwrap();
    bench.create(schedule("past", "at(2024-12-31T23:58:59)")).await.unwrap();
    bench.create(schedule("now", "at(2024-12-31T23:59:30)")).await.unwrap();
    bench.run_until("2025-01-02T00:00:00Z").await;
    assert_eq!(
        bench.bodies(6).await,
        [
            "bounded 2025-01-01T10:30:00Z",
            "bounded 2025-01-01T11:30:00Z",
            "bounded 2025-01-01T12:30:00Z",
            "kept 2025-01-01T11:00:00Z",
            "now 2024-12-31T23:59:30Z",
            "once 2025-01-01T11:00:00Z",
        ]
    );
    assert!(bench.get("bounded").await.is_err());
    assert!(bench.get("once").await.is_err());
    assert!(bench.get("kept").await.is_ok());
    assert!(bench.get("past").await.is_ok());
}

#[tokio::test]
async fn windows_spread_what_is_due_at_one_time() {
    let bench = Bench::at("2025-01-01T00:00:00Z").await;
    for number in 0..40 {
        let mut input = schedule(&format!("s{number}"), "cron(0 3 * * ? *)");
        input.flexible_time_window = aws::FlexibleTimeWindow {
            mode: aws::FlexibleTimeWindowMode::Flexible,
            maximum_window_in_minutes: Some(60),
        };
        bench.create(input).await.unwrap();
    }
    let places = async || {
        let listed = bench.schedules.listed(&bench.call).await.unwrap();
        listed.into_iter().map(|listed| listed.next_ms.unwrap()).collect::<Vec<_>>()
    };
    let (first, last) = (ms("2025-01-01T03:00:00Z"), ms("2025-01-01T04:00:00Z"));
    let today = places().await;
    assert!(today.iter().all(|place| (first..last).contains(place)));
    let quarters: std::collections::BTreeSet<_> = today.iter().map(|place| (place - first) / 900_000).collect();
    assert_eq!(quarters.len(), 4, "each quarter of the window has some");
    bench.run_until("2025-01-01T12:00:00Z").await;
    assert!(
        bench.bodies(40).await.iter().all(|body| body.ends_with("2025-01-01T03:00:00Z")),
        "they tell the time itself"
    );
    let tomorrow: Vec<_> = today.iter().map(|place| place + 86_400_000).collect();
    assert_eq!(places().await, tomorrow, "each has its place");
}

#[tokio::test]
async fn targets_get_what_aws_sends_them() {
    let bench = Bench::at("2025-01-01T00:00:00Z").await;
    let arn = |name: &str| format!("arn:aws:scheduler:us-east-1:000000000000:schedule/default/{name}");
    let with = |name: &str, target: &str, input: Option<&str>| {
        let mut made = schedule(name, "at(2025-01-01T00:00:00)");
        made.target.arn = target.into();
        made.target.input = input.map(str::to_owned);
        made
    };
    let one = async |input: aws::CreateScheduleInput| {
        let before = bench.world.calls.lock().unwrap().len();
        bench.create(input).await.unwrap();
        bench.fire().await;
        bench.calls(before + 1).await.pop().unwrap()
    };
    let payload = |made: &Made| {
        let bytes = STANDARD.decode(made.input["Payload"].as_str().unwrap()).unwrap();
        serde_json::from_slice::<Value>(&bytes).unwrap()
    };

    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let made = one(with(
        "f1",
        function,
        Some(r#"{"at":"<aws.scheduler.scheduled-time>","by":"<aws.scheduler.schedule-arn>"}"#),
    ))
    .await;
    assert_eq!(made.operation, "lambda:Invoke");
    assert_eq!(made.input["InvocationType"], "Event");
    assert_eq!(payload(&made), json!({ "at": "2025-01-01T00:00:00Z", "by": arn("f1") }));
    assert_eq!(made.principal, Principal::Role { role: ROLE.into(), session: "f1".into() });

    let made = one(with("f2", function, None)).await;
    let event = payload(&made);
    assert_eq!((&event["source"], &event["detail-type"]), (&json!("aws.scheduler"), &json!("Scheduled Event")));
    assert_eq!(event["resources"], json!([arn("f2")]));

    let made = one(with("f3", function, Some(r#"{"attempt":<aws.scheduler.attempt-number>}"#))).await;
    assert_eq!(payload(&made), json!({ "attempt": 1 }));

    let mut ordered = with("q", "arn:aws:sqs:us-east-1:000000000000:jobs.fifo", Some("<aws.scheduler.execution-id>"));
    ordered.target.sqs_parameters = Some(aws::SqsParameters { message_group_id: Some("g".into()) });
    let made = one(ordered).await;
    assert_eq!((made.operation.as_str(), &made.input["MessageGroupId"]), ("sqs:SendMessage", &json!("g")));
    assert_eq!(made.input["MessageDeduplicationId"], made.input["MessageBody"]);

    let universal = "arn:aws:scheduler:::aws-sdk:sqs:sendMessage";
    let made =
        one(with("u1", universal, Some(r#"{"queueUrl":"q","MessageBody":"try <aws.scheduler.attempt-number>"}"#)))
            .await;
    assert_eq!(made.operation, "sqs:SendMessage");
    assert_eq!(made.input, json!({ "QueueUrl": "q", "MessageBody": "try 1" }));

    let made =
        one(with("u2", "arn:aws:scheduler:::aws-sdk:lambda:invoke", Some(r#"{"FunctionName":"f","Payload":{"a":1}}"#)))
            .await;
    assert_eq!(made.operation, "lambda:Invoke");
    assert_eq!(payload(&made), json!({ "a": 1 }));
}

#[tokio::test]
async fn what_cannot_be_delivered_goes_to_the_dead_letters() {
    let bench = Bench::at("2025-01-01T00:00:00Z").await;
    for (name, queue, retries) in [("refused", "missing", 3), ("tried", "busy", 0)] {
        let mut input = schedule(name, "at(2025-01-01T00:00:00)");
        input.target.arn = format!("arn:aws:sqs:us-east-1:000000000000:{queue}");
        input.target.dead_letter_config =
            Some(aws::DeadLetterConfig { arn: Some("arn:aws:sqs:us-east-1:000000000000:dead".into()) });
        input.target.retry_policy =
            Some(aws::RetryPolicy { maximum_event_age_in_seconds: None, maximum_retry_attempts: Some(retries) });
        bench.create(input).await.unwrap();
    }
    bench.fire().await;
    let calls = bench.calls(4).await;
    let letter = |name: &str| {
        let dead =
            calls.iter().filter(|made| made.input["QueueUrl"].as_str().is_some_and(|url| url.ends_with(":dead")));
        let mut dead =
            dead.filter(|made| made.input["MessageBody"].as_str().is_some_and(|body| body.starts_with(name)));
        let attributes = dead.next().unwrap().input["MessageAttributes"].clone();
        move |attribute: &str| attributes[attribute]["StringValue"].as_str().map(str::to_owned)
    };
    let refused = letter("refused");
    assert_eq!(refused("ERROR_CODE").as_deref(), Some("QueueDoesNotExist"));
    assert_eq!(refused("EXHAUSTED_RETRY_CONDITION"), None);
    assert_eq!(refused("RETRY_ATTEMPTS").as_deref(), Some("0"));
    assert_eq!(refused("SCHEDULED_TIME").as_deref(), Some("2025-01-01T00:00:00Z"));
    assert_eq!(refused("IS_PAYLOAD_TRUNCATED").as_deref(), Some("false"));
    let arn = "arn:aws:scheduler:us-east-1:000000000000:schedule/default/refused";
    assert_eq!(refused("SCHEDULE_ARN").as_deref(), Some(arn));
    let tried = letter("tried");
    assert_eq!(tried("EXHAUSTED_RETRY_CONDITION").as_deref(), Some("MaximumRetryAttempts"));
    assert_eq!(tried("TARGET_ARN").as_deref(), Some("arn:aws:sqs:us-east-1:000000000000:busy"));
}

#[tokio::test]
async fn a_schedule_is_fired_by_hand_and_its_times_stay() {
    let bench = Bench::at("2025-01-01T00:00:00Z").await;
    bench.create(schedule("a", "cron(0 3 * * ? *)")).await.unwrap();
    let fired = bench.schedules.fire_now(&bench.call, None, "a").await.unwrap();
    assert_eq!(fired.target, QUEUE);
    assert_eq!(bench.bodies(1).await, ["a 2025-01-01T00:00:00Z"]);
    assert_eq!(bench.fire().await, Some(ms("2025-01-01T03:00:00Z")));
    let missing = bench.schedules.fire_now(&bench.call, Some("g"), "a").await.map_err(Fault::from);
    refused(missing, "ResourceNotFoundException", "Schedule a does not exist.");
}
