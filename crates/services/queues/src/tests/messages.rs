//! Messages of queues without order: sent, received, hidden, delayed, waited for, deleted, too old.

use wire::sqs as aws;

use super::{Bench, message, receive, refused, until};

#[tokio::test]
async fn a_message_is_hidden_while_it_is_handled_and_gone_when_it_was() {
    let bench = Bench::new().await;
    let url = bench.create("jobs", &[("VisibilityTimeout", "10")]).await;
    let sent = bench.send(&url, "hello").await;
    assert_eq!(sent.md5_of_message_body.as_deref(), Some("5d41402abc4b2a76b9719d911017c592"));
    assert_eq!(bench.counts(&url).await, [1, 0, 0]);
    let [first] = &bench.receive(&url, 10).await[..] else { panic!("one message") };
    assert_eq!((first.message_id.clone(), first.body.as_deref()), (sent.message_id, Some("hello")));
    let told = first.attributes.clone().unwrap();
    assert_eq!(told["ApproximateReceiveCount"], "1");
    assert_eq!(told["SentTimestamp"], super::NOW.to_string());
    assert_eq!(told["SenderId"], "arn:aws:iam::000000000000:root");
    assert_eq!(bench.counts(&url).await, [0, 1, 0]);
    assert!(bench.receive(&url, 10).await.is_empty());
    bench.pass(10);
    let [second] = &bench.receive(&url, 10).await[..] else { panic!("it is back") };
    assert_eq!(second.attributes.clone().unwrap()["ApproximateReceiveCount"], "2");
    assert_ne!(first.receipt_handle, second.receipt_handle);
    bench.delete(&url, first).await.unwrap();
    bench.delete(&url, second).await.unwrap();
    bench.pass(60);
    assert!(bench.receive(&url, 10).await.is_empty());
    assert_eq!(bench.counts(&url).await, [0, 0, 0]);
    assert!(!bench.keys().await.iter().any(|key| key.contains("/m/") || key.contains("/s/")));
}

#[tokio::test]
async fn hiding_is_changed_and_given_up() {
    let bench = Bench::new().await;
    let url = bench.create("jobs", &[]).await;
    bench.send(&url, "one").await;
    let held = bench.receive(&url, 1).await.remove(0);
    bench.hide(&url, &held, 100).await.unwrap();
    bench.pass(99);
    assert!(bench.receive(&url, 1).await.is_empty());
    bench.hide(&url, &held, 0).await.unwrap();
    assert_eq!(refused(bench.hide(&url, &held, 5).await), "MessageNotInflight: ");
    let again = bench.receive(&url, 1).await.remove(0);
    let old = refused(bench.hide(&url, &held, 5).await);
    assert!(old.ends_with("Message does not exist or is not available for visibility timeout change."), "{old}");
    bench.pass(20);
    let long = refused(bench.hide(&url, &again, 43_200).await);
    assert!(long.ends_with("Total VisibilityTimeout for the message is beyond the limit [43200 seconds]"), "{long}");
    let wrong = refused(bench.hide(&url, &again, 43_201).await);
    assert!(wrong.ends_with("Reason: VisibilityTimeout must be an integer between 0 and 43200."), "{wrong}");
    bench.delete(&url, &again).await.unwrap();
    let gone = refused(bench.hide(&url, &again, 5).await);
    assert!(gone.starts_with("InvalidParameterValueException: Value "), "{gone}");
    let other = bench.create("other", &[]).await;
    let strange = refused(bench.delete(&other, &again).await);
    assert!(strange.starts_with("ReceiptHandleIsInvalid: The input receipt handle \""), "{strange}");
}

#[tokio::test]
async fn delays_of_message_and_queue() {
    let bench = Bench::new().await;
    let url = bench.create("jobs", &[("DelaySeconds", "10")]).await;
    bench.send(&url, "ten").await;
    bench.try_send(aws::SendMessageRequest { delay_seconds: Some(0), ..message(&url, "none") }).await.unwrap();
    bench.try_send(aws::SendMessageRequest { delay_seconds: Some(900), ..message(&url, "long") }).await.unwrap();
    assert_eq!(bench.counts(&url).await, [1, 0, 2]);
    assert_eq!(bench.bodies(&url, 10).await, ["none"]);
    bench.pass(10);
    assert_eq!(bench.bodies(&url, 10).await, ["ten"]);
    let bench = bench.again().await;
    assert!(bench.receive(&url, 10).await.is_empty());
    bench.pass(889);
    assert!(!bench.bodies(&url, 10).await.contains(&"long".to_owned()));
    bench.pass(1);
    assert_eq!(bench.bodies(&url, 10).await, ["long"]);
}

#[tokio::test]
async fn a_receiver_that_waits_is_woken_by_what_it_waits_for() {
    let bench = Bench::new().await;
    let url = bench.create("jobs", &[("VisibilityTimeout", "5")]).await;
    let waiting = || bench.try_receive(aws::ReceiveMessageRequest { wait_time_seconds: Some(20), ..receive(&url, 10) });
    // By a message.
    let (found, _) = tokio::join!(waiting(), bench.send(&url, "one"));
    assert_eq!(found.unwrap().len(), 1);
    // Counting comes behind the receive in the mailbox, so the receiver is in line before time passes.
    let pass = async |seconds| {
        bench.counts(&url).await;
        bench.pass(seconds);
    };
    // By the end of a hiding.
    let (found, ()) = tokio::join!(biased; waiting(), pass(5));
    let found = found.unwrap();
    assert_eq!(found.len(), 1);
    // By nothing: it goes home when its time is over.
    bench.delete(&url, &found[0]).await.unwrap();
    let (found, ()) = tokio::join!(biased; waiting(), pass(20));
    assert!(found.unwrap().is_empty());
    // By the end of a delay.
    let delayed = aws::SendMessageRequest { delay_seconds: Some(3), ..message(&url, "late") };
    bench.try_send(delayed).await.unwrap();
    let (found, ()) = tokio::join!(biased; waiting(), pass(3));
    assert_eq!(found.unwrap().len(), 1);
    // By the end of the node.
    let url = bench.create("empty", &[]).await;
    let forever = bench.try_receive(aws::ReceiveMessageRequest { wait_time_seconds: Some(20), ..receive(&url, 10) });
    let hurry = async {
        bench.counts(&url).await;
        bench.queues.hurry();
    };
    let (found, ()) = tokio::join!(biased; forever, hurry);
    assert!(found.unwrap().is_empty());
}

#[tokio::test]
async fn a_receiver_that_went_takes_nothing_along() {
    let bench = Bench::new().await;
    let url = bench.create("jobs", &[]).await;
    {
        let waiting =
            bench.try_receive(aws::ReceiveMessageRequest { wait_time_seconds: Some(20), ..receive(&url, 10) });
        let mut waiting = std::pin::pin!(waiting);
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        assert_eq!(bench.counts(&url).await, [0, 0, 0], "the receiver is in line");
    }
    bench.send(&url, "one").await;
    assert_eq!(bench.bodies(&url, 10).await, ["one"]);
}

#[tokio::test]
async fn old_messages_are_taken_away() {
    let bench = Bench::new().await;
    let url = bench.create("jobs", &[("MessageRetentionPeriod", "60")]).await;
    bench.send(&url, "old").await;
    bench.send(&url, "held").await;
    bench.receive(&url, 1).await;
    bench.pass(59);
    bench.send(&url, "new").await;
    bench.pass(1);
    assert_eq!(bench.bodies(&url, 10).await, ["new"]);
    until("the old ones are gone", async || bench.keys().await.iter().filter(|key| key.contains("/m/")).count() == 1)
        .await;
    bench.pass(60);
    until("the rest is gone without anybody asking", async || {
        !bench.keys().await.iter().any(|key| key.contains("/m/") || key.contains("/s/"))
    })
    .await;
}

#[tokio::test]
async fn long_messages_lie_in_parts_and_come_back_whole() {
    let bench = Bench::new().await;
    let url = bench.create("jobs", &[]).await;
    let long = "ä\n".repeat(349_525);
    assert_eq!(long.len(), 1_048_575);
    bench.send(&url, &long).await;
    assert_eq!(bench.bodies(&url, 1).await, std::slice::from_ref(&long));
    let bench = bench.again().await;
    bench.pass(30);
    let back = bench.receive(&url, 1).await.remove(0);
    assert_eq!(back.body.as_deref(), Some(long.as_str()));
    bench.delete(&url, &back).await.unwrap();
    assert!(!bench.keys().await.iter().any(|key| key.contains("/b/") || key.contains("/m/")));
    let refused = refused(bench.try_send(message(&url, &"a".repeat(1_048_577))).await);
    let expected = "InvalidParameterValueException: One or more parameters are invalid. Reason: Message must be shorter than \
                    1048576 bytes.";
    assert_eq!(refused, expected);
}

#[tokio::test]
async fn a_backlog_is_read_page_by_page_and_survives() {
    let bench = Bench::new().await;
    let url = bench.create("jobs", &[]).await;
    let body = "x".repeat(40_000);
    for number in 0..600 {
        bench.send(&url, &format!("{number} {body}")).await;
    }
    assert_eq!(bench.counts(&url).await, [600, 0, 0]);
    let bench = bench.again().await;
    assert_eq!(bench.counts(&url).await, [600, 0, 0]);
    let mut seen = Vec::new();
    loop {
        let found = bench.receive(&url, 10).await;
        if found.is_empty() {
            break;
        }
        for message in found {
            seen.push(message.body.clone().unwrap().split(' ').next().unwrap().parse::<u32>().unwrap());
            bench.delete(&url, &message).await.unwrap();
        }
    }
    assert_eq!(seen, (0..600).collect::<Vec<_>>());
    let left = bench.keys().await;
    assert!(!left.iter().any(|key| key.contains("/m/") || key.contains("/b/")), "{left:?}");
}

#[tokio::test]
async fn parameters_are_checked() {
    let bench = Bench::new().await;
    let url = bench.create("jobs", &[]).await;
    let value = "InvalidParameterValueException: ";
    for (change, expected) in [
        (
            aws::ReceiveMessageRequest { max_number_of_messages: Some(11), ..receive(&url, 1) },
            "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
        ),
        (
            aws::ReceiveMessageRequest { wait_time_seconds: Some(21), ..receive(&url, 1) },
            "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.",
        ),
        (
            aws::ReceiveMessageRequest { visibility_timeout: Some(-1), ..receive(&url, 1) },
            "Value -1 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.",
        ),
    ] {
        assert_eq!(refused(bench.try_receive(change).await), format!("{value}{expected}"));
    }
    for (change, expected) in [
        (
            aws::SendMessageRequest { delay_seconds: Some(901), ..message(&url, "a") },
            "InvalidParameterValueException: Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 \
             and <= 900.",
        ),
        (message(&url, ""), "MissingRequiredParameterException: The request must contain the parameter MessageBody."),
        (
            message(&url, "a\u{1}"),
            "InvalidMessageContents: Invalid binary character '#x1' was found in the message body, the set of allowed characters \
             is #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
        ),
        (
            aws::SendMessageRequest { message_deduplication_id: Some("d".into()), ..message(&url, "a") },
            "InvalidParameterValueException: Value d for parameter MessageDeduplicationId is invalid. Reason: The request \
             includes a parameter that is not valid for this queue type.",
        ),
    ] {
        assert_eq!(refused(bench.try_send(change).await), expected);
    }
    let fair = aws::SendMessageRequest { message_group_id: Some("tenant".into()), ..message(&url, "fair") };
    bench.try_send(fair).await.unwrap();
    assert_eq!(bench.receive(&url, 1).await[0].attributes.clone().unwrap()["MessageGroupId"], "tenant");
}
