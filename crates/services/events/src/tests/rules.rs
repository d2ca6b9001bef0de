//! Buses, rules, targets, permissions, tags: their lives and their refusals.

use super::*;

fn put_rule(name: &str) -> aws::PutRuleRequest {
    aws::PutRuleRequest { name: name.into(), ..Default::default() }
}

#[tokio::test]
async fn buses_live() {
    let bench = Bench::new().await;
    let create = |name: &str| aws::CreateEventBusRequest {
        name: name.into(),
        description: Some("d".into()),
        ..Default::default()
    };
    let made = bench.call::<aws::CreateEventBus>(create("orders")).await.unwrap();
    assert_eq!(made.event_bus_arn.as_deref(), Some("arn:aws:events:us-east-1:000000000000:event-bus/orders"));
    assert_eq!(
        refused(bench.call::<aws::CreateEventBus>(create("orders")).await),
        "ResourceAlreadyExistsException: Event bus orders already exists."
    );
    assert_eq!(
        refused(bench.call::<aws::CreateEventBus>(create("default")).await),
        "ResourceAlreadyExistsException: Event bus default already exists."
    );
    let list = |limit, token| aws::ListEventBusesRequest { limit, next_token: token, ..Default::default() };
    let page = bench.call::<aws::ListEventBuses>(list(Some(1), None)).await.unwrap();
    assert_eq!(page.event_buses.unwrap()[0].name.as_deref(), Some("default"));
    let page = bench.call::<aws::ListEventBuses>(list(Some(1), page.next_token)).await.unwrap();
    assert_eq!((page.event_buses.unwrap()[0].name.as_deref(), page.next_token), (Some("orders"), None));
    let rule = aws::PutRuleRequest {
        event_bus_name: Some("orders".into()),
        event_pattern: Some(r#"{"a":[1]}"#.into()),
        ..put_rule("r")
    };
    let made = bench.call::<aws::PutRule>(rule).await.unwrap();
    assert_eq!(made.rule_arn.as_deref(), Some("arn:aws:events:us-east-1:000000000000:rule/orders/r"));
    let delete = |name: &str| aws::DeleteEventBusRequest { name: name.into() };
    assert!(refused(bench.call::<aws::DeleteEventBus>(delete("orders")).await).contains("still has rules"));
    let bench = bench.again().await;
    let delete_rule = aws::DeleteRuleRequest {
        name: "r".into(),
        event_bus_name: made.rule_arn.map(|_| "orders".into()),
        force: None,
    };
    bench.call::<aws::DeleteRule>(delete_rule).await.unwrap();
    bench.call::<aws::DeleteEventBus>(delete("orders")).await.unwrap();
    bench.call::<aws::DeleteEventBus>(delete("orders")).await.unwrap();
    let described =
        bench.call::<aws::DescribeEventBus>(aws::DescribeEventBusRequest { name: Some("orders".into()) }).await;
    assert_eq!(refused(described), "ResourceNotFoundException: Event bus orders does not exist.");
    assert_eq!(
        refused(bench.call::<aws::DeleteEventBus>(delete("default")).await),
        "ValidationException: Cannot delete event bus default."
    );
}

#[tokio::test]
async fn rules_are_refused_with_a_reason() {
    let bench = Bench::new().await;
    let check = async |input: aws::PutRuleRequest, expected: &str| {
        assert_eq!(refused(bench.call::<aws::PutRule>(input).await), expected);
    };
    check(put_rule("r"), "ValidationException: Parameter(s) EventPattern or ScheduleExpression must be specified.")
        .await;
    let pattern = |text: &str| aws::PutRuleRequest { event_pattern: Some(text.into()), ..put_rule("r") };
    let source = r#"(String)"{"a": 1}"; line: 1, column: 8"#;
    check(
        pattern(r#"{"a": 1}"#),
        &format!("InvalidEventPatternException: Event pattern is not valid. Reason: \"a\" must be an object or an array\n at [Source: {source}]"),
    )
    .await;
    let schedule = |text: &str| aws::PutRuleRequest { schedule_expression: Some(text.into()), ..put_rule("r") };
    check(schedule("rate(0 minutes)"), "ValidationException: Parameter ScheduleExpression is not valid.").await;
    let elsewhere = aws::PutRuleRequest { event_bus_name: Some("b".into()), ..schedule("rate(1 minute)") };
    check(elsewhere, "ValidationException: ScheduleExpression is supported only on the default event bus.").await;
    let missing = aws::PutRuleRequest { event_bus_name: Some("b".into()), ..pattern(r#"{"a": [1]}"#) };
    check(missing, "ResourceNotFoundException: Event bus b does not exist.").await;
    let described =
        bench.call::<aws::DescribeRule>(aws::DescribeRuleRequest { name: "r".into(), event_bus_name: None }).await;
    assert_eq!(refused(described), "ResourceNotFoundException: Rule r does not exist on EventBus default.");
}

#[tokio::test]
async fn targets_are_refused_with_a_reason() {
    let bench = Bench::new().await;
    bench.rule("r", &json!({"a": [1]}), &[json!({"Id": "1", "Arn": queue("q")})]).await;
    let check = async |target: Value, expected: &str| {
        let said = refused(bench.targets("r", &[target]).await);
        assert!(said.contains(expected), "{said}");
    };
    check(json!({"Id": "1", "Arn": "q"}), "Parameter q is not valid. Reason: Provided Arn is not in correct format.")
        .await;
    check(json!({"Id": "1", "Arn": queue("q.fifo")}), "Parameter(s) SqsParameters must be specified for target: 1.")
        .await;
    check(json!({"Id": "1", "Arn": queue("q"), "Input": "{"}), "JSON syntax error in input for target 1").await;
    check(
        json!({"Id": "1", "Arn": queue("q"), "Input": "1", "InputPath": "$"}),
        "Only one of Input, InputPath, or InputTransformer",
    )
    .await;
    check(json!({"Id": "1", "Arn": "arn:aws:ecs:us-east-1:000000000000:cluster/c"}), "cannot be a target").await;
    check(json!({"Id": "1", "Arn": queue("q"), "InputPath": "detail"}), "is not a valid JSON path").await;
    let delete = || aws::DeleteRuleRequest { name: "r".into(), event_bus_name: None, force: None };
    assert!(
        refused(bench.call::<aws::DeleteRule>(delete()).await).contains("Rule can't be deleted since it has targets.")
    );
    let remove = aws::RemoveTargetsRequest {
        rule: "r".into(),
        event_bus_name: None,
        ids: vec!["1".into(), "2".into()],
        force: None,
    };
    let removed = bench.call::<aws::RemoveTargets>(remove).await.unwrap();
    assert_eq!(removed.failed_entry_count, Some(1));
    bench.call::<aws::DeleteRule>(delete()).await.unwrap();
    bench.call::<aws::DeleteRule>(delete()).await.unwrap();
}

#[tokio::test]
async fn a_rule_that_is_disabled_wants_nothing() {
    let bench = Bench::new().await;
    bench.rule("r", &json!({"source": ["shop"]}), &[json!({"Id": "1", "Arn": queue("q")})]).await;
    bench.call::<aws::DisableRule>(aws::DisableRuleRequest { name: "r".into(), event_bus_name: None }).await.unwrap();
    bench.put(vec![entry(&json!({"n": 1}))]).await;
    bench.call::<aws::EnableRule>(aws::EnableRuleRequest { name: "r".into(), event_bus_name: None }).await.unwrap();
    bench.put(vec![entry(&json!({"n": 2}))]).await;
    let delivered = bench.delivered(1).await;
    assert!(delivered[0].1["MessageBody"].as_str().unwrap().contains("\"n\":2"));
    let by_target = aws::ListRuleNamesByTargetRequest { target_arn: queue("q"), ..Default::default() };
    assert_eq!(bench.call::<aws::ListRuleNamesByTarget>(by_target).await.unwrap().rule_names, Some(vec!["r".into()]));
}

#[tokio::test]
async fn permissions_are_statements_of_a_policy() {
    let bench = Bench::new().await;
    let put = |id: &str| aws::PutPermissionRequest {
        action: Some("events:PutEvents".into()),
        principal: Some("111122223333".into()),
        statement_id: Some(id.into()),
        ..Default::default()
    };
    for id in ["one", "two", "one"] {
        bench.call::<aws::PutPermission>(put(id)).await.unwrap();
    }
    let policy = async || {
        let described = bench.call::<aws::DescribeEventBus>(aws::DescribeEventBusRequest::default()).await.unwrap();
        described.policy.map(|text| serde_json::from_str::<Value>(&text).unwrap())
    };
    let statements = policy().await.unwrap()["Statement"].clone();
    assert_eq!(statements.as_array().unwrap().len(), 2);
    assert_eq!(statements[0]["Principal"]["AWS"], "arn:aws:iam::111122223333:root");
    let remove = |id: &str| aws::RemovePermissionRequest { statement_id: Some(id.into()), ..Default::default() };
    bench.call::<aws::RemovePermission>(remove("one")).await.unwrap();
    assert!(refused(bench.call::<aws::RemovePermission>(remove("one")).await).contains("does not exist"));
    bench.call::<aws::RemovePermission>(remove("two")).await.unwrap();
    assert_eq!(policy().await, None);
    let bad = aws::PutPermissionRequest { policy: Some("{".into()), ..Default::default() };
    assert!(
        refused(bench.call::<aws::PutPermission>(bad).await)
            .starts_with("ValidationException: The policy is not valid")
    );
}

#[tokio::test]
async fn rules_and_buses_have_tags() {
    let bench = Bench::new().await;
    bench.rule("r", &json!({"a": [1]}), &[]).await;
    for arn in ["rule/r", "event-bus/default"].map(|name| format!("arn:aws:events:us-east-1:000000000000:{name}")) {
        let tag = aws::Tag { key: "k".into(), value: "v".into() };
        bench
            .call::<aws::TagResource>(aws::TagResourceRequest { resource_arn: arn.clone(), tags: vec![tag.clone()] })
            .await
            .unwrap();
        let list = || aws::ListTagsForResourceRequest { resource_arn: arn.clone() };
        assert_eq!(bench.call::<aws::ListTagsForResource>(list()).await.unwrap().tags, Some(vec![tag]));
        let untag = aws::UntagResourceRequest { resource_arn: arn.clone(), tag_keys: vec!["k".into()] };
        bench.call::<aws::UntagResource>(untag).await.unwrap();
        assert_eq!(bench.call::<aws::ListTagsForResource>(list()).await.unwrap().tags, Some(vec![]));
    }
}
