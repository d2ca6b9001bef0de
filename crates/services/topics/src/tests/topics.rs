//! Topics: made, shown, changed, deleted.

use super::*;

#[tokio::test]
async fn a_topic_from_create_to_delete() {
    let bench = Bench::new().await;
    let arn = bench.create("news", &[("DisplayName", "News")]).await;
    assert_eq!(arn, "arn:aws:sns:us-east-1:000000000000:news");
    assert_eq!(bench.create("news", &[("DisplayName", "News")]).await, arn);
    assert_eq!(bench.create("news", &[]).await, arn);
    assert_eq!(
        refused(bench.try_create("news", &[("DisplayName", "Other")]).await),
        "InvalidParameterException: Invalid parameter: Attributes Reason: Topic already exists with different attributes"
    );
    let set = aws::SetTopicAttributesInput {
        topic_arn: arn.clone(),
        attribute_name: "DisplayName".into(),
        attribute_value: Some("Olds".into()),
    };
    bench.call::<aws::SetTopicAttributes>(set).await.unwrap();
    let shown = bench.topic_attributes(&arn).await;
    assert_eq!((shown["DisplayName"].as_str(), shown["Owner"].as_str()), ("Olds", "000000000000"));
    assert!(
        shown["Policy"].contains("__default_statement_ID")
            && shown["EffectiveDeliveryPolicy"].contains("\"numRetries\":3")
    );
    bench.subscribe(&arn, "sqs", QUEUE, &[]).await;
    let bench = bench.again().await;
    assert_eq!(bench.topic_attributes(&arn).await["SubscriptionsConfirmed"], "1");
    let delete = || aws::DeleteTopicInput { topic_arn: arn.clone() };
    bench.call::<aws::DeleteTopic>(delete()).await.unwrap();
    bench.call::<aws::DeleteTopic>(delete()).await.unwrap();
    assert_eq!(refused(bench.try_publish(to(&arn, "x")).await), "NotFoundException: Topic does not exist");
    // Nothing but the key that signs is left.
    until("what it had is taken away", async || bench.keys().await.len() == 1).await;
}

#[tokio::test]
async fn topics_are_listed_by_the_hundred() {
    let bench = Bench::new().await;
    for number in 0..101 {
        bench.create(&format!("t{number:03}"), &[]).await;
    }
    let first = bench.call::<aws::ListTopics>(aws::ListTopicsInput::default()).await.unwrap();
    assert_eq!(first.topics.unwrap().len(), 100);
    let rest = bench.call::<aws::ListTopics>(aws::ListTopicsInput { next_token: first.next_token }).await.unwrap();
    let rest = rest.topics.unwrap();
    assert!(rest.len() == 1 && rest[0].topic_arn.as_ref().unwrap().ends_with(":t100"));
}

#[tokio::test]
async fn tags_are_kept() {
    let bench = Bench::new().await;
    let arn = bench.create("news", &[]).await;
    let tag = |key: &str, value: &str| aws::Tag { key: key.into(), value: value.into() };
    let tags = vec![tag("a", "1"), tag("b", "2")];
    bench.call::<aws::TagResource>(aws::TagResourceRequest { resource_arn: arn.clone(), tags }).await.unwrap();
    let gone = aws::UntagResourceRequest { resource_arn: arn.clone(), tag_keys: vec!["a".into()] };
    bench.call::<aws::UntagResource>(gone).await.unwrap();
    let list = |arn: &str| aws::ListTagsForResourceRequest { resource_arn: arn.into() };
    let shown = bench.call::<aws::ListTagsForResource>(list(&arn)).await.unwrap().tags.unwrap();
    assert_eq!(shown.iter().map(|tag| tag.key.as_str()).collect::<Vec<_>>(), ["b"]);
    let twice = vec![tag("a", "1"), tag("a", "2")];
    let twice = aws::TagResourceRequest { resource_arn: arn.clone(), tags: twice };
    assert_eq!(
        refused(bench.call::<aws::TagResource>(twice).await),
        "InvalidParameterException: Invalid parameter: Duplicated keys are not allowed."
    );
    let missing = list("arn:aws:sns:us-east-1:000000000000:none");
    assert_eq!(
        refused(bench.call::<aws::ListTagsForResource>(missing).await),
        "ResourceNotFoundException: Resource does not exist"
    );
}
