//! Groups: the default one, tags, and what becomes of a group's schedules.

use super::*;

fn group(name: &str) -> aws::CreateScheduleGroupInput {
    aws::CreateScheduleGroupInput { name: name.into(), ..Default::default() }
}

async fn names(bench: &Bench, max_results: Option<i32>, prefix: Option<&str>) -> Vec<String> {
    let mut input =
        aws::ListScheduleGroupsInput { max_results, name_prefix: prefix.map(str::to_owned), ..Default::default() };
    let mut found = Vec::new();
    loop {
        let page = bench.ask::<aws::ListScheduleGroups>(input.clone()).await.unwrap();
        found.extend(page.schedule_groups.into_iter().filter_map(|group| group.name));
        match page.next_token {
            Some(token) => input.next_token = Some(token),
            None => return found,
        }
    }
}

#[tokio::test]
async fn the_default_group_is_always_there() {
    let bench = Bench::at("2025-01-01T00:00:00Z").await;
    assert_eq!(names(&bench, None, None).await, ["default"]);
    for name in ["a", "dd", "z", "d"] {
        bench.ask::<aws::CreateScheduleGroup>(group(name)).await.unwrap();
    }
    for length in 1..6 {
        assert_eq!(names(&bench, Some(length), None).await, ["a", "d", "dd", "default", "z"], "{length}");
    }
    assert_eq!(names(&bench, None, Some("d")).await, ["d", "dd", "default"]);
    let default = aws::GetScheduleGroupInput { name: "default".into() };
    assert_eq!(bench.ask::<aws::GetScheduleGroup>(default).await.unwrap().state, Some(aws::ScheduleGroupState::Active));
    let gone = aws::DeleteScheduleGroupInput { name: "default".into(), client_token: None };
    refused(
        bench.ask::<aws::DeleteScheduleGroup>(gone).await,
        "ValidationException",
        "The default schedule group cannot be deleted.",
    );
    refused(
        bench.ask::<aws::CreateScheduleGroup>(group("a")).await,
        "ConflictException",
        "Schedule group a already exists.",
    );
}

#[tokio::test]
async fn a_deleted_group_takes_its_schedules_with_it() {
    let bench = Bench::at("2025-01-01T00:00:00Z").await;
    bench.ask::<aws::CreateScheduleGroup>(group("g")).await.unwrap();
    for number in 0..5 {
        let mut input = schedule(&format!("s{number}"), "rate(1 hour)");
        input.group_name = Some("g".into());
        bench.create(input).await.unwrap();
    }
    bench.create(schedule("other", "cron(0 3 * * ? *)")).await.unwrap();
    let gone = aws::DeleteScheduleGroupInput { name: "g".into(), client_token: None };
    bench.ask::<aws::DeleteScheduleGroup>(gone).await.unwrap();
    let get = || bench.ask::<aws::GetScheduleGroup>(aws::GetScheduleGroupInput { name: "g".into() });
    assert_eq!(get().await.unwrap().state, Some(aws::ScheduleGroupState::Deleting));
    let mut late = schedule("late", "rate(1 hour)");
    late.group_name = Some("g".into());
    refused(bench.create(late).await, "ConflictException", "Schedule group g is being deleted.");
    while bench.schedules.sweep_some().await.unwrap() {}
    refused(get().await, "ResourceNotFoundException", "Schedule group g does not exist.");
    assert_eq!(bench.fire().await, Some(ms("2025-01-01T03:00:00Z")), "only the other one is left");
    assert_eq!(bench.schedules.listed(&bench.call).await.unwrap().len(), 1);
}

#[tokio::test]
async fn groups_have_tags() {
    let bench = Bench::at("2025-01-01T00:00:00Z").await;
    let tag = |key: &str, value: &str| aws::Tag { key: key.into(), value: value.into() };
    let made = aws::CreateScheduleGroupInput { tags: Some(vec![tag("a", "1")]), ..group("g") };
    let arn = bench.ask::<aws::CreateScheduleGroup>(made).await.unwrap().schedule_group_arn;
    let add = aws::TagResourceInput { resource_arn: arn.clone(), tags: vec![tag("b", "2"), tag("a", "3")] };
    bench.ask::<aws::TagResource>(add).await.unwrap();
    let take = aws::UntagResourceInput { resource_arn: arn.clone(), tag_keys: vec!["b".into()] };
    bench.ask::<aws::UntagResource>(take).await.unwrap();
    let asked = aws::ListTagsForResourceInput { resource_arn: arn.clone() };
    assert!(bench.ask::<aws::ListTagsForResource>(asked).await.unwrap().tags == Some(vec![tag("a", "3")]));
    let too_many = (0..51).map(|number| tag(&number.to_string(), "")).collect();
    let add = aws::TagResourceInput { resource_arn: arn, tags: too_many };
    refused(
        bench.ask::<aws::TagResource>(add).await,
        "ValidationException",
        "A schedule group has at most 50 tags, and this makes 52.",
    );
}
