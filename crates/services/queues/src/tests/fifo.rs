//! Queues that keep order: groups, duplicates, attempts.

use wire::sqs as aws;

use super::{Bench, message, receive, refused};

async fn orderly(bench: &Bench) -> String {
    bench.create("jobs.fifo", &[("FifoQueue", "true"), ("VisibilityTimeout", "10")]).await
}

#[tokio::test]
async fn a_group_is_given_in_order_and_shut_while_something_of_it_is_in_flight() {
    let bench = Bench::new().await;
    let url = orderly(&bench).await;
    let mut numbers = Vec::new();
    for (index, (group, body)) in
        [("a", "a1"), ("b", "b1"), ("a", "a2"), ("a", "a3"), ("b", "b2")].into_iter().enumerate()
    {
        numbers.push(bench.send_to(&url, group, body, &index.to_string()).await.sequence_number.unwrap());
    }
    assert!(numbers.is_sorted() && numbers.iter().all(|number| number.len() == 20), "{numbers:?}");
    let first = bench.receive(&url, 2).await;
    assert_eq!(first.iter().map(|message| message.body.clone().unwrap()).collect::<Vec<_>>(), ["a1", "a2"]);
    assert_eq!(first[0].attributes.clone().unwrap()["SequenceNumber"], numbers[0]);
    assert_eq!(bench.bodies(&url, 1).await, ["b1"]);
    assert!(bench.receive(&url, 10).await.is_empty(), "both groups are shut");
    bench.delete(&url, &first[0]).await.unwrap();
    assert!(bench.receive(&url, 10).await.is_empty(), "a2 is still in flight");
    bench.delete(&url, &first[1]).await.unwrap();
    let bench = bench.again().await;
    assert_eq!(bench.bodies(&url, 10).await, ["a3"], "b1 is still in flight after a restart");
    bench.pass(10);
    assert_eq!(bench.bodies(&url, 10).await, ["b1", "b2", "a3"]);
}

#[tokio::test]
async fn a_message_that_comes_back_comes_before_those_behind_it() {
    let bench = Bench::new().await;
    let url = orderly(&bench).await;
    for (id, body) in [("1", "one"), ("2", "two"), ("3", "three")] {
        bench.send_to(&url, "g", body, id).await;
    }
    let held = bench.receive(&url, 1).await.remove(0);
    bench.hide(&url, &held, 0).await.unwrap();
    let expired = refused(bench.delete(&url, &held).await);
    assert!(
        expired.ends_with("for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."),
        "{expired}"
    );
    assert_eq!(bench.bodies(&url, 10).await, ["one", "two", "three"]);
    bench.pass(10);
    assert_eq!(bench.bodies(&url, 2).await, ["one", "two"]);
}

#[tokio::test]
async fn duplicates_are_accepted_and_not_delivered_for_five_minutes() {
    let bench = Bench::new().await;
    let url = orderly(&bench).await;
    let first = bench.send_to(&url, "g", "one", "same").await;
    let again = bench.send_to(&url, "other", "two", "same").await;
    assert_eq!((&again.message_id, &again.sequence_number), (&first.message_id, &first.sequence_number));
    assert_eq!(bench.counts(&url).await, [1, 0, 0]);
    let held = bench.receive(&url, 10).await.remove(0);
    bench.delete(&url, &held).await.unwrap();
    let bench = bench.again().await;
    bench.pass(299);
    bench.send_to(&url, "g", "three", "same").await;
    assert!(bench.receive(&url, 10).await.is_empty(), "deleted or not, before or after a restart");
    bench.pass(1);
    bench.send_to(&url, "g", "four", "same").await;
    assert_eq!(bench.bodies(&url, 10).await, ["four"]);
    bench.pass(300);
    super::until("old ids are forgotten", async || !bench.keys().await.iter().any(|key| key.contains("/d/"))).await;
}

#[tokio::test]
async fn duplicates_by_content_and_by_group() {
    let bench = Bench::new().await;
    let url = bench
        .create(
            "jobs.fifo",
            &[
                ("FifoQueue", "true"),
                ("ContentBasedDeduplication", "true"),
                ("DeduplicationScope", "messageGroup"),
                ("FifoThroughputLimit", "perMessageGroupId"),
            ],
        )
        .await;
    for (group, body) in [("a", "x"), ("a", "x"), ("b", "x"), ("b", "y")] {
        let input = aws::SendMessageRequest { message_group_id: Some(group.into()), ..message(&url, body) };
        bench.try_send(input).await.unwrap();
    }
    assert_eq!(bench.bodies(&url, 10).await, ["x", "x", "y"]);
}

#[tokio::test]
async fn the_same_attempt_gets_the_same_messages() {
    let bench = Bench::new().await;
    let url = orderly(&bench).await;
    bench.send_to(&url, "g", "one", "1").await;
    let attempt = || aws::ReceiveMessageRequest { receive_request_attempt_id: Some("try".into()), ..receive(&url, 10) };
    let first = bench.try_receive(attempt()).await.unwrap();
    bench.pass(5);
    let again = bench.try_receive(attempt()).await.unwrap();
    assert_eq!(first[0].receipt_handle, again[0].receipt_handle);
    bench.pass(9);
    assert!(bench.receive(&url, 10).await.is_empty(), "the second try hid it anew");
    bench.delete(&url, &again[0]).await.unwrap();
    assert!(bench.try_receive(attempt()).await.unwrap().is_empty());
}

#[tokio::test]
async fn parameters_are_checked() {
    let bench = Bench::new().await;
    let url = orderly(&bench).await;
    let group = Some("g".to_owned());
    for (input, expected) in [
        (
            message(&url, "x"),
            "MissingRequiredParameterException: The request must contain the parameter MessageGroupId.",
        ),
        (
            aws::SendMessageRequest { message_group_id: group.clone(), ..message(&url, "x") },
            "InvalidParameterValueException: The queue should either have ContentBasedDeduplication enabled or \
             MessageDeduplicationId provided explicitly",
        ),
        (
            aws::SendMessageRequest { message_group_id: group.clone(), delay_seconds: Some(1), ..message(&url, "x") },
            "InvalidParameterValueException: Value 1 for parameter DelaySeconds is invalid. Reason: The request include \
             parameter that is not valid for this queue type.",
        ),
        (
            aws::SendMessageRequest { message_group_id: Some("g g".into()), ..message(&url, "x") },
            "InvalidParameterValueException: Value g g for parameter MessageGroupId is invalid. Reason: MessageGroupId can only \
             include alphanumeric and punctuation characters. 1 to 128 in length.",
        ),
    ] {
        assert_eq!(refused(bench.try_send(input).await), expected);
    }
}

#[tokio::test]
async fn a_change_of_the_delay_reaches_back() {
    let bench = Bench::new().await;
    let url = orderly(&bench).await;
    bench.set(&url, "DelaySeconds", "60").await.unwrap();
    bench.send_to(&url, "a", "a1", "1").await;
    bench.pass(30);
    bench.send_to(&url, "b", "b1", "2").await;
    assert_eq!(bench.counts(&url).await, [0, 0, 2]);
    bench.set(&url, "DelaySeconds", "20").await.unwrap();
    assert_eq!(bench.counts(&url).await, [1, 0, 1]);
    bench.set(&url, "DelaySeconds", "40").await.unwrap();
    assert_eq!(bench.counts(&url).await, [0, 0, 2]);
    let bench = bench.again().await;
    assert!(bench.receive(&url, 10).await.is_empty(), "the delay holds after a restart");
    bench.pass(10);
    assert_eq!(bench.bodies(&url, 10).await, ["a1"]);
    bench.set(&url, "DelaySeconds", "0").await.unwrap();
    assert_eq!(bench.bodies(&url, 10).await, ["b1"]);
}
