//! Tags, in the new and in the old form.

use std::collections::BTreeMap;

use super::*;

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

async fn listed(bench: &Bench) -> BTreeMap<String, String> {
    let new = aws::ListTagsForResourceRequest { resource_arn: ARN.into() };
    let old = aws::ListTagsLogGroupRequest { log_group_name: "g".into() };
    let new = bench.call::<aws::ListTagsForResource>(new).await.unwrap().tags.unwrap();
    let old = bench.call::<aws::ListTagsLogGroup>(old).await.unwrap().tags.unwrap();
    assert_eq!(new, old);
    new
}

const ARN: &str = "arn:aws:logs:us-east-1:000000000000:log-group:g";

#[tokio::test]
async fn both_forms_change_the_same_tags() {
    let bench = Bench::new();
    let input = aws::CreateLogGroupRequest {
        log_group_name: "g".into(),
        tags: Some(tags(&[("env", "one")])),
        ..Default::default()
    };
    bench.call::<aws::CreateLogGroup>(input).await.unwrap();
    let added = tags(&[("a", "1"), ("b", "2")]);
    let new = aws::TagResourceRequest { resource_arn: ARN.into(), tags: added };
    bench.call::<aws::TagResource>(new).await.unwrap();
    let old = aws::TagLogGroupRequest { log_group_name: "g".into(), tags: tags(&[("a", "9"), ("c", "3")]) };
    bench.call::<aws::TagLogGroup>(old).await.unwrap();
    assert_eq!(listed(&bench).await, tags(&[("env", "one"), ("a", "9"), ("b", "2"), ("c", "3")]));
    let new = aws::UntagResourceRequest { resource_arn: format!("{ARN}:*"), tag_keys: vec!["env".into(), "no".into()] };
    bench.call::<aws::UntagResource>(new).await.unwrap();
    let old = aws::UntagLogGroupRequest { log_group_name: "g".into(), tags: vec!["a".into()] };
    bench.call::<aws::UntagLogGroup>(old).await.unwrap();
    assert_eq!(listed(&bench).await, tags(&[("b", "2"), ("c", "3")]));
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused() {
    let bench = Bench::new();
    bench.group("g").await;
    let many: BTreeMap<String, String> = (0..50).map(|number| (format!("t{number}"), String::new())).collect();
    bench.call::<aws::TagResource>(aws::TagResourceRequest { resource_arn: ARN.into(), tags: many }).await.unwrap();
    for (arn, name, expected) in [
        (ARN, "one-more", "TooManyTagsException: A resource can have at most 50 tags."),
        (ARN, "aws:x", "InvalidParameterException: Tag keys starting with aws: are reserved for AWS: aws:x"),
        ("g", "x", "InvalidParameterException: The specified ARN is invalid."),
        (
            "arn:aws:logs:us-east-1:000000000000:log-group:none",
            "x",
            "ResourceNotFoundException: The specified resource does not exist.",
        ),
        (
            "arn:aws:logs:us-east-1:000000000000:destination:g",
            "x",
            "ResourceNotFoundException: The specified resource does not exist.",
        ),
    ] {
        let input = aws::TagResourceRequest { resource_arn: arn.into(), tags: tags(&[(name, "")]) };
        assert_eq!(Bench::refused(bench.call::<aws::TagResource>(input).await), expected);
    }
    assert_eq!(listed(&bench).await.len(), 50);
    let missing = "ResourceNotFoundException: The specified log group does not exist.";
    let old = aws::TagLogGroupRequest { log_group_name: "none".into(), tags: tags(&[("a", "1")]) };
    assert_eq!(Bench::refused(bench.call::<aws::TagLogGroup>(old).await), missing);
    let old = aws::UntagLogGroupRequest { log_group_name: "none".into(), tags: vec!["a".into()] };
    assert_eq!(Bench::refused(bench.call::<aws::UntagLogGroup>(old).await), missing);
    let old = aws::ListTagsLogGroupRequest { log_group_name: "none".into() };
    assert_eq!(Bench::refused(bench.call::<aws::ListTagsLogGroup>(old).await), missing);
}
