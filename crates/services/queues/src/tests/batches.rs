//! Batches, attributes and their sums.

use std::collections::BTreeMap;

use wire::sqs as aws;

use super::{Bench, message, receive, refused};

fn entry(id: &str, body: &str) -> aws::SendMessageBatchRequestEntry {
    aws::SendMessageBatchRequestEntry { id: id.into(), message_body: body.into(), ..Default::default() }
}

fn text(data_type: &str, value: &str) -> aws::MessageAttributeValue {
    aws::MessageAttributeValue { data_type: data_type.into(), string_value: Some(value.into()), ..Default::default() }
}

#[tokio::test]
async fn entries_succeed_and_fail_by_themselves() {
    let bench = Bench::new().await;
    let url = bench.create("jobs", &[]).await;
    let late = aws::SendMessageBatchRequestEntry { delay_seconds: Some(1_000), ..entry("late", "x") };
    let input = aws::SendMessageBatchRequest {
        queue_url: url.clone(),
        entries: vec![entry("a", "one"), entry("bad", "\u{0}"), late, entry("b", "two")],
    };
    let answer = bench.call::<aws::SendMessageBatch>(input).await.unwrap();
    let good: Vec<&str> = answer.successful.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(good, ["a", "b"]);
    let bad: Vec<(&str, &str, bool)> =
        answer.failed.iter().map(|entry| (entry.id.as_str(), entry.code.as_str(), entry.sender_fault)).collect();
    assert_eq!(bad, [("bad", "InvalidMessageContents", true), ("late", "InvalidParameterValue", true)]);
    let found = bench.receive(&url, 10).await;
    assert_eq!(found.iter().filter_map(|message| message.body.as_deref()).collect::<Vec<_>>(), ["one", "two"]);

    let handles = |index: usize| found[index].receipt_handle.clone().unwrap();
    let hide = |id: &str, receipt_handle, seconds| aws::ChangeMessageVisibilityBatchRequestEntry {
        id: id.into(),
        receipt_handle,
        visibility_timeout: Some(seconds),
    };
    let input = aws::ChangeMessageVisibilityBatchRequest {
        queue_url: url.clone(),
        entries: vec![hide("a", handles(0), 0), hide("b", handles(1), 43_201), hide("c", "x".into(), 1)],
    };
    let answer = bench.call::<aws::ChangeMessageVisibilityBatch>(input).await.unwrap();
    assert_eq!(answer.successful.len(), 1);
    let codes: Vec<&str> = answer.failed.iter().map(|entry| entry.code.as_str()).collect();
    assert_eq!(codes, ["InvalidParameterValue", "ReceiptHandleIsInvalid"]);
    assert_eq!(bench.bodies(&url, 10).await, ["one"]);

    let delete = |id: &str, receipt_handle| aws::DeleteMessageBatchRequestEntry { id: id.into(), receipt_handle };
    let input = aws::DeleteMessageBatchRequest {
        queue_url: url.clone(),
        entries: vec![delete("a", handles(0)), delete("b", handles(1)), delete("c", "x".into())],
    };
    let answer = bench.call::<aws::DeleteMessageBatch>(input).await.unwrap();
    assert_eq!((answer.successful.len(), answer.failed.len()), (2, 1));
    assert_eq!(bench.counts(&url).await, [0, 0, 0]);
}

#[tokio::test]
async fn batches_are_checked_as_a_whole() {
    let bench = Bench::new().await;
    let url = bench.create("jobs", &[]).await;
    let many: Vec<_> = (0..11).map(|number| entry(&number.to_string(), "x")).collect();
    for (entries, expected) in [
        (vec![], "EmptyBatchRequest: There should be at least one SendMessageBatchRequestEntry in the request."),
        (many, "TooManyEntriesInBatchRequest: Maximum number of entries per request are 10. You have sent 11."),
        (vec![entry("a", "x"), entry("a", "y")], "BatchEntryIdsNotDistinct: Id a repeated."),
        (
            vec![entry("a b", "x")],
            "InvalidBatchEntryId: A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be \
             at most 80 letters long.",
        ),
        (
            vec![entry("a", &"x".repeat(600_000)), entry("b", &"x".repeat(600_000))],
            "BatchRequestTooLong: Batch requests cannot be longer than 1048576 bytes. You have sent 1200000 bytes.",
        ),
    ] {
        let input = aws::SendMessageBatchRequest { queue_url: url.clone(), entries };
        assert_eq!(refused(bench.call::<aws::SendMessageBatch>(input).await), expected);
    }
    let nothing = aws::DeleteMessageBatchRequest { queue_url: url.clone(), entries: vec![] };
    assert_eq!(
        refused(bench.call::<aws::DeleteMessageBatch>(nothing).await),
        "EmptyBatchRequest: There should be at least one DeleteMessageBatchRequestEntry in the request."
    );
    assert_eq!(bench.counts(&url).await, [0, 0, 0]);
}

#[tokio::test]
async fn attributes_travel_with_their_sums() {
    let bench = Bench::new().await;
    let url = bench.create("jobs", &[]).await;
    let bytes = aws::MessageAttributeValue {
        data_type: "Binary.png".into(),
        binary_value: Some(vec![0, 1, 2].into()),
        ..Default::default()
    };
    let attributes: BTreeMap<String, aws::MessageAttributeValue> = [
        ("colour".to_owned(), text("String", "red")),
        ("weight".to_owned(), text("Number", "1.5")),
        ("picture".to_owned(), bytes),
    ]
    .into();
    let trace = aws::MessageSystemAttributeValue {
        data_type: "String".into(),
        string_value: Some("Root=1".into()),
        ..Default::default()
    };
    let sent = bench
        .try_send(aws::SendMessageRequest {
            message_attributes: Some(attributes.clone()),
            message_system_attributes: Some([("AWSTraceHeader".to_owned(), trace)].into()),
            ..message(&url, "x")
        })
        .await
        .unwrap();
    assert!(sent.md5_of_message_system_attributes.is_some());
    let whole = bench.receive(&url, 1).await.remove(0);
    assert_eq!(whole.md5_of_message_attributes, sent.md5_of_message_attributes);
    assert_eq!(whole.message_attributes, Some(attributes));
    assert_eq!(whole.attributes.clone().unwrap()["AWSTraceHeader"], "Root=1");
    bench.hide(&url, &whole, 0).await.unwrap();
    let part = aws::ReceiveMessageRequest {
        message_attribute_names: Some(vec!["col.*".into(), "weight".into()]),
        ..receive(&url, 1)
    };
    let part = bench.try_receive(part).await.unwrap().remove(0);
    assert_eq!(part.message_attributes.unwrap().keys().collect::<Vec<_>>(), ["weight"]);
    assert_ne!(part.md5_of_message_attributes, sent.md5_of_message_attributes);
}

#[tokio::test]
async fn attributes_are_checked() {
    let bench = Bench::new().await;
    let url = bench.create("jobs", &[]).await;
    for (name, value, expected) in [
        (
            "a",
            text("Colour", "x"),
            "The message (user) attribute 'a' has an invalid message attribute type, the set of supported \
                                    type prefixes is Binary, Number, and String.",
        ),
        ("a", text("Number", "x"), "Can't cast the value of message (user) attribute 'a' to a number."),
        ("a", text("String", ""), "The message (user) attribute 'a' must contain a non-empty value of type 'String'."),
        ("a", text("", "x"), "The message (user) attribute 'a' must contain a non-empty message attribute type."),
    ] {
        let message_attributes = Some([(name.to_owned(), value)].into());
        let input = aws::SendMessageRequest { message_attributes, ..message(&url, "x") };
        assert_eq!(refused(bench.try_send(input).await), format!("InvalidParameterValueException: {expected}"));
    }
    for name in ["", "AWS.x", "amazon.x", ".a", "a.", "a..b", "a b", &"a".repeat(257)] {
        let message_attributes = Some([(name.to_owned(), text("String", "x"))].into());
        let input = aws::SendMessageRequest { message_attributes, ..message(&url, "x") };
        assert!(bench.try_send(input).await.is_err(), "{name}");
    }
    let many = (0..11).map(|number| (format!("a{number}"), text("String", "x"))).collect();
    let input = aws::SendMessageRequest { message_attributes: Some(many), ..message(&url, "x") };
    let expected =
        "InvalidParameterValueException: Number of message attributes [11] exceeds the allowed maximum [10].";
    assert_eq!(refused(bench.try_send(input).await), expected);
}
