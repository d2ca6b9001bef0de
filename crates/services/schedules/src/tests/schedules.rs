//! Schedules are made, shown, changed, listed and deleted, and refused in AWS's words.

use super::*;

#[tokio::test]
async fn a_schedule_is_shown_as_it_was_made() {
    let bench = Bench::at("2025-01-01T00:00:00Z").await;
    let arn = bench.create(schedule("nightly", "cron(0 3 * * ? *)")).await.unwrap();
    assert_eq!(arn, "arn:aws:scheduler:us-east-1:000000000000:schedule/default/nightly");
    let shown = bench.get("nightly").await.unwrap();
    assert_eq!(shown.arn.as_deref(), Some(arn.as_str()));
    assert_eq!(shown.schedule_expression_timezone.as_deref(), Some("UTC"));
    assert_eq!(shown.state, Some(aws::ScheduleState::Enabled));
    assert_eq!(shown.action_after_completion, Some(aws::ActionAfterCompletion::None));
    let retry = shown.target.unwrap().retry_policy.unwrap();
    assert_eq!((retry.maximum_event_age_in_seconds, retry.maximum_retry_attempts), (Some(86_400), Some(185)));

    let long = "x".repeat(200 << 10);
    let mut input = schedule("long", "rate(1 hour)");
    input.target.input = Some(long.clone());
    input.target.sqs_parameters = Some(aws::SqsParameters { message_group_id: None });
    input.flexible_time_window =
        aws::FlexibleTimeWindow { mode: aws::FlexibleTimeWindowMode::Flexible, maximum_window_in_minutes: Some(5) };
    bench.create(input).await.unwrap();
    let shown = bench.get("long").await.unwrap();
    assert_eq!(shown.flexible_time_window.unwrap().maximum_window_in_minutes, Some(5));
    let target = shown.target.unwrap();
    assert_eq!(target.input, Some(long));
    assert_eq!(target.sqs_parameters, Some(aws::SqsParameters { message_group_id: None }));
}

#[tokio::test]
async fn a_repeated_create_makes_nothing_twice() {
    let bench = Bench::at("2025-01-01T00:00:00Z").await;
    let with = |token: Option<&str>, expression| {
        let mut input = schedule("a", expression);
        input.client_token = token.map(str::to_owned);
        input
    };
    let first = bench.create(with(Some("t1"), "rate(1 hour)")).await.unwrap();
    assert_eq!(bench.create(with(Some("t1"), "rate(1 hour)")).await.unwrap(), first);
    for again in [with(Some("t2"), "rate(1 hour)"), with(Some("t1"), "rate(2 hours)"), with(None, "rate(1 hour)")] {
        refused(bench.create(again).await, "ConflictException", "Schedule a already exists.");
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_words() {
    let bench = Bench::at("2025-01-01T00:00:00Z").await;
    type Change = fn(&mut aws::CreateScheduleInput);
    let cases: [(Change, &str); 14] = [
        (|it| it.schedule_expression = "cron(0 3 * * *)".into(), "Invalid Schedule Expression cron(0 3 * * *)."),
        (|it| it.schedule_expression_timezone = Some("Mars".into()), "Invalid Schedule Expression Timezone Mars."),
        (
            |it| it.start_date = Some("2024-12-31T23:54:00Z".parse().unwrap()),
            "The StartDate you specify cannot be earlier than 5 minutes ago.",
        ),
        (
            |it| it.end_date = Some("2024-12-31T23:59:00Z".parse().unwrap()),
            "The EndDate you specify cannot be in the past.",
        ),
        (
            |it| it.flexible_time_window.mode = aws::FlexibleTimeWindowMode::Flexible,
            "MaximumWindowInMinutes must be provided when FlexibleTimeWindow Mode is FLEXIBLE.",
        ),
        (
            |it| it.flexible_time_window.maximum_window_in_minutes = Some(3),
            "MaximumWindowInMinutes must not be provided when FlexibleTimeWindow Mode is OFF.",
        ),
        (|it| it.target.arn = "jobs".into(), "Provided Arn is not in correct format: jobs"),
        (
            |it| it.target.arn = "arn:aws:ecs:us-east-1:000000000000:cluster/a".into(),
            "ecs is not a supported service for a target.",
        ),
        (
            |it| it.target.arn = "arn:aws:scheduler:::aws-sdk:backup:startReportJob".into(),
            "backup is not a supported service for a target.",
        ),
        (
            |it| it.target.arn = "arn:aws:scheduler:::aws-sdk:sqs:receiveMessage".into(),
            "receiveMessage is not a supported API action for a target: it only reads.",
        ),
        (
            |it| it.target.arn = "arn:aws:scheduler:::aws-sdk:lambda:createCodeSigningConfig".into(),
            "createCodeSigningConfig is not a supported API action for a target: Freehold does not serve the operation \
             CreateCodeSigningConfig of lambda yet.",
        ),
        (
            |it| it.target.arn = "arn:aws:lambda:us-east-1:000000000000:function:f".into(),
            "The Input of the target arn:aws:lambda:us-east-1:000000000000:function:f must be JSON: expected value at line 1 \
             column 1",
        ),
        (
            |it| it.target.arn = "arn:aws:sqs:us-east-1:000000000000:jobs.fifo".into(),
            "SqsParameters.MessageGroupId must be specified for the target arn:aws:sqs:us-east-1:000000000000:jobs.fifo.",
        ),
        (
            |it| it.target.input = Some("x".repeat((256 << 10) + 1)),
            "The Input has 262145 bytes, and may have at most 262144.",
        ),
    ];
    for (change, message) in cases {
        let mut input = schedule("xyz", "rate(1 hour)");
        change(&mut input);
        refused(bench.create(input).await, "ValidationException", message);
    }
    refused(bench.get("xyz").await, "ResourceNotFoundException", "Schedule xyz does not exist.");
    let mut input = schedule("a", "rate(1 hour)");
    input.group_name = Some("none".into());
    refused(bench.create(input).await, "ResourceNotFoundException", "Schedule group none does not exist.");
}

#[tokio::test]
async fn an_update_says_everything_anew_and_keeps_the_times_that_it_does_not_change() {
    let bench = Bench::at("2025-01-01T00:00:00Z").await;
    let mut input = schedule("a", "rate(1 hour)");
    input.description = Some("d".into());
    bench.create(input).await.unwrap();
    assert_eq!(bench.fire().await, Some(ms("2025-01-01T01:00:00Z")));
    bench.hand.advance(Duration::from_secs(600));
    let update = |change: fn(&mut aws::CreateScheduleInput)| {
        let mut input = schedule("a", "rate(1 hour)");
        change(&mut input);
        bench.ask::<aws::UpdateSchedule>(aws::UpdateScheduleInput {
            name: input.name,
            schedule_expression: input.schedule_expression,
            flexible_time_window: input.flexible_time_window,
            target: input.target,
            state: input.state,
            ..Default::default()
        })
    };
    update(|_| ()).await.unwrap();
    assert_eq!(bench.get("a").await.unwrap().description, None);
    assert_eq!(bench.fire().await, Some(ms("2025-01-01T01:00:00Z")), "the times stay");
    update(|it| it.state = Some(aws::ScheduleState::Disabled)).await.unwrap();
    assert_eq!(bench.fire().await, None, "it rests");
    update(|_| ()).await.unwrap();
    assert_eq!(bench.fire().await, Some(ms("2025-01-01T01:00:00Z")), "it goes on as if it had not rested");
    update(|it| it.schedule_expression = "rate(30 minutes)".into()).await.unwrap();
    assert_eq!(bench.fire().await, Some(ms("2025-01-01T00:40:00Z")), "new times begin now");
    assert_eq!(bench.bodies(2).await, ["a 2025-01-01T00:00:00Z", "a 2025-01-01T00:10:00Z"]);
    let unknown = aws::UpdateScheduleInput { name: "b".into(), ..Default::default() };
    refused(bench.ask::<aws::UpdateSchedule>(unknown).await, "ResourceNotFoundException", "Schedule b does not exist.");
}

#[tokio::test]
async fn schedules_are_listed_page_by_page() {
    let bench = Bench::at("2025-01-01T00:00:00Z").await;
    let group = aws::CreateScheduleGroupInput { name: "g".into(), ..Default::default() };
    bench.ask::<aws::CreateScheduleGroup>(group).await.unwrap();
    for (number, group) in [(1, None), (2, None), (3, Some("g")), (4, Some("g")), (5, Some("g"))] {
        let mut input = schedule(&format!("s{number}"), "rate(1 hour)");
        input.group_name = group.map(str::to_owned);
        input.state = (number == 4).then_some(aws::ScheduleState::Disabled);
        bench.create(input).await.unwrap();
    }
    let list = async |input: aws::ListSchedulesInput| {
        let mut found = Vec::new();
        let mut input = input;
        loop {
            let page = bench.ask::<aws::ListSchedules>(input.clone()).await.unwrap();
            assert!(page.schedules.len() <= input.max_results.unwrap_or(100) as usize);
            found.extend(page.schedules.into_iter().filter_map(|schedule| schedule.name));
            match page.next_token {
                Some(token) => input.next_token = Some(token),
                None => return found,
            }
        }
    };
    let asked = aws::ListSchedulesInput::default;
    assert_eq!(list(aws::ListSchedulesInput { max_results: Some(2), ..asked() }).await, ["s1", "s2", "s3", "s4", "s5"]);
    let in_group = || aws::ListSchedulesInput { group_name: Some("g".into()), max_results: Some(1), ..asked() };
    assert_eq!(list(in_group()).await, ["s3", "s4", "s5"]);
    let enabled = aws::ListSchedulesInput { state: Some(aws::ScheduleState::Enabled), ..in_group() };
    assert_eq!(list(enabled).await, ["s3", "s5"]);
    assert_eq!(list(aws::ListSchedulesInput { name_prefix: Some("s5".into()), ..asked() }).await, ["s5"]);
    let wrong = aws::ListSchedulesInput { next_token: Some("?".into()), ..asked() };
    refused(
        bench.ask::<aws::ListSchedules>(wrong).await,
        "ValidationException",
        "The pagination token provided is invalid.",
    );
    let gone = aws::DeleteScheduleInput { name: "s1".into(), ..Default::default() };
    bench.ask::<aws::DeleteSchedule>(gone.clone()).await.unwrap();
    refused(bench.ask::<aws::DeleteSchedule>(gone).await, "ResourceNotFoundException", "Schedule s1 does not exist.");
    let listed = bench.schedules.listed(&bench.call).await.unwrap();
    let next: Vec<_> = listed.iter().map(|listed| (listed.name.as_str(), listed.next_ms.is_some())).collect();
    assert_eq!(next, [("s2", true), ("s3", true), ("s4", false), ("s5", true)]);
}
