//! Groups: made, described, retained, deleted; and every refusal on the way.

use super::*;

fn create(name: &str) -> aws::CreateLogGroupRequest {
    aws::CreateLogGroupRequest { log_group_name: name.into(), ..Default::default() }
}

async fn names(bench: &Bench, input: aws::DescribeLogGroupsRequest) -> (Vec<String>, Option<String>) {
    let answer = bench.call::<aws::DescribeLogGroups>(input).await.unwrap();
    let names = answer.log_groups.unwrap().into_iter().map(|group| group.log_group_name.unwrap()).collect();
    (names, answer.next_token)
}

#[tokio::test]
async fn a_group_is_described_as_it_was_made() {
    let bench = Bench::new();
    bench.group("/aws/lambda/greet").await;
    let answer = bench.call::<aws::DescribeLogGroups>(Default::default()).await.unwrap();
    assert_eq!(
        answer.log_groups.unwrap(),
        [aws::LogGroup {
            log_group_name: Some("/aws/lambda/greet".into()),
            creation_time: Some(NOW),
            metric_filter_count: Some(0),
            arn: Some("arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/greet:*".into()),
            stored_bytes: Some(0),
            log_group_class: Some(aws::LogGroupClass::Standard),
            log_group_arn: Some("arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/greet".into()),
            deletion_protection_enabled: Some(false),
            ..Default::default()
        }]
    );
    // What is found by pattern has no size.
    let by_pattern =
        aws::DescribeLogGroupsRequest { log_group_name_pattern: Some("gree".into()), ..Default::default() };
    let found = bench.call::<aws::DescribeLogGroups>(by_pattern).await.unwrap().log_groups.unwrap();
    assert_eq!((found.len(), found[0].stored_bytes, found[0].deletion_protection_enabled), (1, None, None));
}

#[tokio::test]
async fn groups_are_listed_by_name_in_pages() {
    let bench = Bench::new();
    for name in ["b", "a/2", "a/1", "a", "B", "a-b"] {
        bench.group(name).await;
    }
    let all = |input: aws::DescribeLogGroupsRequest| {
        let bench = &bench;
        async move {
            let (mut found, mut next_token) = (Vec::new(), None);
            loop {
                let (page, next) = names(bench, aws::DescribeLogGroupsRequest { next_token, ..input.clone() }).await;
                found.extend(page);
                next_token = next;
                if next_token.is_none() {
                    return found;
                }
            }
        }
    };
    let by = |prefix: Option<&str>, pattern: Option<&str>, limit| aws::DescribeLogGroupsRequest {
        log_group_name_prefix: prefix.map(Into::into),
        log_group_name_pattern: pattern.map(Into::into),
        limit: Some(limit),
        ..Default::default()
    };
    assert_eq!(all(by(None, None, 50)).await, ["B", "a", "a-b", "a/1", "a/2", "b"]);
    assert_eq!(all(by(None, None, 1)).await, ["B", "a", "a-b", "a/1", "a/2", "b"]);
    assert_eq!(all(by(Some("a/"), None, 1)).await, ["a/1", "a/2"]);
    assert_eq!(all(by(None, Some("b"), 1)).await, ["a-b", "b"]);
    assert_eq!(all(by(None, Some(""), 50)).await.len(), 6);
    let named = |identifiers: &[&str]| aws::DescribeLogGroupsRequest {
        log_group_identifiers: Some(identifiers.iter().map(|name| (*name).into()).collect()),
        ..Default::default()
    };
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:a/1";
    assert_eq!(names(&bench, named(&["b", arn, "none"])).await.0, ["a/1", "b"]);
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused() {
    let bench = Bench::new();
    bench.group("taken").await;
    for (input, expected) in [
        (create("taken"), "ResourceAlreadyExistsException: The specified log group already exists"),
        (create("aws/x"), "InvalidParameterException: Log groups starting with AWS/ are reserved for AWS."),
        (create("AWS/x"), "InvalidParameterException: Log groups starting with AWS/ are reserved for AWS."),
        (
            aws::CreateLogGroupRequest { kms_key_id: Some("key".into()), ..create("k") },
            "InvalidParameterException: The specified KMS key does not exist or is not allowed to be used with LogGroup \
             'arn:aws:logs:us-east-1:000000000000:log-group:k'",
        ),
    ] {
        assert_eq!(Bench::refused(bench.call::<aws::CreateLogGroup>(input).await), expected);
    }
    let describe = |input: aws::DescribeLogGroupsRequest| bench.call::<aws::DescribeLogGroups>(input);
    let both = aws::DescribeLogGroupsRequest {
        log_group_name_prefix: Some("a".into()),
        log_group_name_pattern: Some("b".into()),
        ..Default::default()
    };
    assert_eq!(
        Bench::refused(describe(both).await),
        "InvalidParameterException: LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
    );
    for token in ["!", "AAAA\u{e9}", "_w"] {
        let input = aws::DescribeLogGroupsRequest { next_token: Some(token.into()), ..Default::default() };
        let refused = Bench::refused(describe(input).await);
        assert_eq!(refused, "InvalidParameterException: The specified nextToken is invalid.");
    }
    let missing = "ResourceNotFoundException: The specified log group does not exist.";
    let delete = aws::DeleteLogGroupRequest { log_group_name: "none".into() };
    assert_eq!(Bench::refused(bench.call::<aws::DeleteLogGroup>(delete).await), missing);
    let retain = aws::PutRetentionPolicyRequest { log_group_name: "none".into(), retention_in_days: 7 };
    assert_eq!(Bench::refused(bench.call::<aws::PutRetentionPolicy>(retain).await), missing);
    let retain = aws::DeleteRetentionPolicyRequest { log_group_name: "none".into() };
    assert_eq!(Bench::refused(bench.call::<aws::DeleteRetentionPolicy>(retain).await), missing);
    let retain = aws::PutRetentionPolicyRequest { log_group_name: "taken".into(), retention_in_days: 2 };
    let refused = Bench::refused(bench.call::<aws::PutRetentionPolicy>(retain).await);
    assert!(
        refused.starts_with(
            "InvalidParameterException: 1 validation error detected: Value '2' at 'retentionInDays' failed to satisfy \
             constraint: Member must satisfy enum value set: [1, 3, 5, 7, "
        ),
        "{refused}"
    );
}

#[tokio::test]
async fn a_group_is_kept_apart_by_region_and_its_class_and_protection_are_kept() {
    let mut bench = Bench::new();
    let input = aws::CreateLogGroupRequest {
        log_group_class: Some(aws::LogGroupClass::InfrequentAccess),
        deletion_protection_enabled: Some(true),
        ..create("safe")
    };
    bench.call::<aws::CreateLogGroup>(input).await.unwrap();
    let by_class = |class| aws::DescribeLogGroupsRequest { log_group_class: Some(class), ..Default::default() };
    assert_eq!(names(&bench, by_class(aws::LogGroupClass::InfrequentAccess)).await.0, ["safe"]);
    assert!(names(&bench, by_class(aws::LogGroupClass::Standard)).await.0.is_empty());
    let delete = aws::DeleteLogGroupRequest { log_group_name: "safe".into() };
    let refused = Bench::refused(bench.call::<aws::DeleteLogGroup>(delete).await);
    assert!(refused.starts_with("ValidationException: Log group safe cannot be deleted"), "{refused}");
    bench.call.region = Region::parse("eu-west-1").unwrap();
    assert!(names(&bench, Default::default()).await.0.is_empty());
    bench.group("safe").await;
}

#[tokio::test]
async fn retention_is_set_and_taken_back() {
    let bench = Bench::new();
    bench.group("g").await;
    let days = async || {
        let answer = bench.call::<aws::DescribeLogGroups>(Default::default()).await.unwrap();
        answer.log_groups.unwrap()[0].retention_in_days
    };
    assert_eq!(days().await, None);
    for retention_in_days in crate::model::RETENTION_DAYS {
        let retention_in_days = retention_in_days as i32;
        let input = aws::PutRetentionPolicyRequest { log_group_name: "g".into(), retention_in_days };
        bench.call::<aws::PutRetentionPolicy>(input).await.unwrap();
        assert_eq!(days().await, Some(retention_in_days));
    }
    for _ in 0..2 {
        let input = aws::DeleteRetentionPolicyRequest { log_group_name: "g".into() };
        bench.call::<aws::DeleteRetentionPolicy>(input).await.unwrap();
        assert_eq!(days().await, None);
    }
}
