//! Publishing: who gets what, and in which form.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::*;

#[tokio::test]
async fn queues_get_an_envelope_or_the_message_as_it_is() {
    let bench = Bench::new().await;
    let topic = bench.create("news", &[("SignatureVersion", "2")]).await;
    let arn = bench.subscribe(&topic, "sqs", &format!("{QUEUE}-1"), &[]).await;
    bench.subscribe(&topic, "sqs", &format!("{QUEUE}-2"), &[("RawMessageDelivery", "true")]).await;
    let published = bench
        .try_publish(aws::PublishInput {
            subject: Some("Hello".into()),
            message_attributes: Some([("colour".to_owned(), text("red"))].into()),
            ..to(&topic, "hi")
        })
        .await
        .unwrap();
    let mut calls = bench.delivered(2).await;
    calls.sort_by_key(|(_, input)| input["QueueUrl"].to_string());
    let envelope: Value = serde_json::from_str(calls[0].1["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!(envelope["MessageId"], json!(published.message_id));
    assert_eq!(envelope["Subject"], "Hello");
    assert_eq!(envelope["SignatureVersion"], "2");
    assert_eq!(
        envelope["UnsubscribeURL"],
        format!("http://localhost:4566/_sns/?Action=Unsubscribe&SubscriptionArn={arn}")
    );
    assert_eq!(envelope["MessageAttributes"]["colour"], json!({ "Type": "String", "Value": "red" }));
    let path = envelope["SigningCertURL"].as_str().unwrap().strip_prefix("http://localhost:4566").unwrap();
    assert!(bench.topics.certificate(path).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(bench.topics.certificate("/_sns/x.pem"), None);
    assert_eq!(calls[1].1["MessageBody"], "hi");
    assert_eq!(calls[1].1["MessageAttributes"]["colour"], json!({ "DataType": "String", "StringValue": "red" }));
    // The key outlives the node.
    let bench = bench.again().await;
    assert!(bench.topics.certificate(path).is_some());
}

#[tokio::test]
async fn functions_get_a_record() {
    let bench = Bench::new().await;
    let topic = bench.create("news", &[]).await;
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let arn = bench.subscribe(&topic, "lambda", function, &[]).await;
    let message = r#"{"default":"all","lambda":"for functions"}"#;
    let input = aws::PublishInput { message_structure: Some("json".into()), ..to(&topic, message) };
    bench.try_publish(input).await.unwrap();
    let calls = bench.delivered(1).await;
    let (operation, input) = &calls[0];
    assert_eq!((operation.as_str(), &input["FunctionName"]), ("lambda:Invoke", &json!(function)));
    assert_eq!(input["InvocationType"], "Event");
    let event = STANDARD.decode(input["Payload"].as_str().unwrap()).unwrap();
    let event: Value = serde_json::from_slice(&event).unwrap();
    let record = &event["Records"][0];
    assert_eq!((&record["EventSubscriptionArn"], &record["EventSource"]), (&json!(arn), &json!("aws:sns")));
    assert_eq!((&record["Sns"]["Message"], &record["Sns"]["Subject"]), (&json!("for functions"), &Value::Null));
    assert_eq!(record["Sns"]["Timestamp"], "2026-11-21T12:00:00.000Z");
}

#[tokio::test]
async fn only_those_get_it_whose_filter_wants_it() {
    let bench = Bench::new().await;
    let topic = bench.create("news", &[]).await;
    let by_attributes = [("FilterPolicy", r#"{"colour":["red"]}"#)];
    bench.subscribe(&topic, "sqs", &format!("{QUEUE}-attributes"), &by_attributes).await;
    let by_body = [("FilterPolicy", r#"{"shop":{"colour":["red"]}}"#), ("FilterPolicyScope", "MessageBody")];
    bench.subscribe(&topic, "sqs", &format!("{QUEUE}-body"), &by_body).await;
    bench.publish(&topic, "nobody").await;
    bench.publish(&topic, r#"{"shop":{"colour":"red"}}"#).await;
    let attributes = Some([("colour".to_owned(), text("red"))].into());
    bench.try_publish(aws::PublishInput { message_attributes: attributes, ..to(&topic, "x") }).await.unwrap();
    let calls = bench.delivered(2).await;
    let mut queues: Vec<&str> = calls.iter().map(|(_, input)| input["QueueUrl"].as_str().unwrap()).collect();
    queues.sort_unstable();
    assert_eq!(queues, [format!("{QUEUE}-attributes"), format!("{QUEUE}-body")]);
}

#[tokio::test]
async fn a_batch_fails_in_parts() {
    let bench = Bench::new().await;
    let topic = bench.create("news", &[]).await;
    bench.subscribe(&topic, "sqs", QUEUE, &[("RawMessageDelivery", "true")]).await;
    let entry = |id: &str, message: &str| aws::PublishBatchRequestEntry {
        id: id.into(),
        message: message.into(),
        ..Default::default()
    };
    let batch = |entries: Vec<aws::PublishBatchRequestEntry>| aws::PublishBatchInput {
        topic_arn: topic.clone(),
        publish_batch_request_entries: entries,
    };
    let answer = bench.call::<aws::PublishBatch>(batch(vec![entry("a", "1"), entry("b", "")])).await.unwrap();
    assert_eq!(answer.successful.unwrap().len(), 1);
    let failed = answer.failed.unwrap();
    assert_eq!(
        (failed[0].id.as_str(), failed[0].code.as_str(), failed[0].sender_fault),
        ("b", "InvalidParameter", true)
    );
    assert_eq!(failed[0].message.as_deref(), Some("Invalid parameter: Empty message"));
    assert_eq!(bench.delivered(1).await[0].1["MessageBody"], "1");
    for (entries, expected) in [
        (vec![], "EmptyBatchRequestException: The batch request doesn't contain any entries."),
        (
            vec![entry("a", "1"), entry("a", "2")],
            "BatchEntryIdsNotDistinctException: Two or more batch entries in the request have the same Id.",
        ),
        (
            vec![entry("a b", "1")],
            "InvalidBatchEntryIdException: The Id of a batch entry in a batch request doesn't abide by the specification.",
        ),
        (
            (0..11).map(|id| entry(&id.to_string(), "1")).collect(),
            "TooManyEntriesInBatchRequestException: The batch request contains more entries than permissible.",
        ),
        (
            vec![entry("a", &"x".repeat(200 << 10)), entry("b", &"x".repeat(200 << 10))],
            "BatchRequestTooLongException: The length of all the messages put together is more than the limit.",
        ),
    ] {
        assert_eq!(refused(bench.call::<aws::PublishBatch>(batch(entries)).await), expected);
    }
}

#[tokio::test]
async fn more_deliveries_than_a_transaction_takes_are_several() {
    let bench = Bench::new().await;
    let topic = bench.create("news", &[]).await;
    for number in 0..40 {
        bench.subscribe(&topic, "sqs", &format!("{QUEUE}{number}"), &[("RawMessageDelivery", "true")]).await;
    }
    // 40 times 250 KiB are 10 MB: more than one transaction.
    bench.publish(&topic, &"x".repeat(250 << 10)).await;
    let mut queues: Vec<String> =
        bench.delivered(40).await.iter().map(|(_, input)| input["QueueUrl"].to_string()).collect();
    queues.sort();
    queues.dedup();
    assert_eq!(queues.len(), 40);
}

#[tokio::test]
async fn publications_are_refused_in_awss_words() {
    let bench = Bench::new().await;
    let topic = bench.create("news", &[]).await;
    let check = async |input: aws::PublishInput, expected: &str| {
        assert_eq!(refused(bench.try_publish(input).await), expected);
    };
    let nowhere = aws::PublishInput { message: "x".into(), ..Default::default() };
    check(
        nowhere.clone(),
        "InvalidParameterException: Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter",
    )
    .await;
    check(
        to("x", "x"),
        "InvalidParameterException: Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1",
    )
    .await;
    check(to(&topic, ""), "InvalidParameterException: Invalid parameter: Empty message").await;
    let phone = aws::PublishInput { phone_number: Some("abc".into()), ..nowhere };
    check(phone, "InvalidParameterException: Invalid parameter: PhoneNumber Reason: abc is not valid to publish to")
        .await;
    let deduplicated = aws::PublishInput { message_deduplication_id: Some("1".into()), ..to(&topic, "x") };
    check(
        deduplicated,
        "InvalidParameterException: Invalid parameter: MessageDeduplicationId Reason: The request includes \
         MessageDeduplicationId parameter that is not valid for this topic type",
    )
    .await;
    let odd =
        aws::MessageAttributeValue { data_type: "Date".into(), string_value: Some("x".into()), binary_value: None };
    let odd = aws::PublishInput { message_attributes: Some([("a".to_owned(), odd)].into()), ..to(&topic, "x") };
    check(
        odd,
        "InvalidParameterValueException: The message attribute 'a' has an invalid message attribute type, the set of \
         supported type prefixes is Binary, Number, and String.",
    )
    .await;
}
