//! Queues: made, found, listed, changed, tagged, purged, deleted.

use wire::sqs as aws;

use super::{Bench, refused, until};

#[tokio::test]
async fn a_queue_from_create_to_delete() {
    let bench = Bench::new().await;
    let url = bench.create("jobs", &[("DelaySeconds", "0")]).await;
    assert_eq!(url, "http://localhost:4566/000000000000/jobs");
    assert_eq!(bench.create("jobs", &[]).await, url, "the same again");
    assert_eq!(
        refused(bench.try_create("jobs", &[("VisibilityTimeout", "7")]).await),
        "QueueNameExists: A queue already exists with the same name and a different value for attribute VisibilityTimeout"
    );
    let found = bench
        .call::<aws::GetQueueUrl>(aws::GetQueueUrlRequest { queue_name: "jobs".into(), ..Default::default() })
        .await
        .unwrap();
    assert_eq!(found.queue_url.as_deref(), Some(url.as_str()));
    assert_eq!(bench.attribute(&url, "QueueArn").await.unwrap(), "arn:aws:sqs:us-east-1:000000000000:jobs");
    bench.send(&url, "one").await;
    bench.call::<aws::DeleteQueue>(aws::DeleteQueueRequest { queue_url: url.clone() }).await.unwrap();
    let missing = "QueueDoesNotExist: The specified queue does not exist.";
    assert_eq!(refused(bench.try_send(super::message(&url, "two")).await), missing);
    assert_eq!(refused(bench.set(&url, "DelaySeconds", "1").await), missing);
    let again = bench.create("jobs", &[]).await;
    assert!(bench.receive(&again, 10).await.is_empty(), "a new queue has nothing of the old one");
    until("the old messages are gone", async || {
        bench.keys().await.iter().filter(|key| key.contains("/m/")).count() == 0
    })
    .await;
}

#[tokio::test]
async fn names_and_attributes_are_checked() {
    let bench = Bench::new().await;
    let standard = "InvalidParameterValueException: Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 \
                    in length";
    let fifo = "InvalidParameterValueException: The name of a FIFO queue can only include alphanumeric characters, hyphens, or \
                underscores, must end with .fifo suffix and be 1 to 80 in length";
    for (name, attributes, expected) in [
        ("a b", vec![], standard),
        ("", vec![], standard),
        ("a.fifo", vec![], standard),
        ("a", vec![("FifoQueue", "true")], fifo),
        ("a", vec![("FifoQueue", "false")], "InvalidAttributeName: Unknown Attribute FifoQueue."),
        ("a", vec![("Colour", "red")], "InvalidAttributeName: Unknown Attribute Colour."),
        ("a", vec![("DelaySeconds", "901")], "InvalidAttributeValue: Invalid value for the parameter DelaySeconds."),
    ] {
        assert_eq!(refused(bench.try_create(name, &attributes).await), expected, "{name}");
    }
    let url = bench.create("a", &[]).await;
    let input = aws::GetQueueAttributesRequest { queue_url: url.clone(), attribute_names: Some(vec!["Colour".into()]) };
    let unknown = refused(bench.call::<aws::GetQueueAttributes>(input).await);
    assert_eq!(unknown, "InvalidAttributeName: Unknown Attribute Colour.");
    let all = aws::GetQueueAttributesRequest { queue_url: url, attribute_names: Some(vec!["All".into()]) };
    let shown = bench.call::<aws::GetQueueAttributes>(all).await.unwrap().attributes.unwrap();
    assert_eq!(shown["VisibilityTimeout"], "30");
    assert_eq!(shown["MaximumMessageSize"], "1048576");
    assert_eq!(shown["CreatedTimestamp"], "1795262400");
    assert!(!shown.contains_key("FifoQueue") && !shown.contains_key("RedrivePolicy"));
}

#[tokio::test]
async fn queues_are_listed_page_by_page() {
    let bench = Bench::new().await;
    let list = async |prefix: Option<&str>, max_results, next_token| {
        let queue_name_prefix = prefix.map(str::to_owned);
        let input = aws::ListQueuesRequest { queue_name_prefix, max_results, next_token };
        bench.call::<aws::ListQueues>(input).await.unwrap()
    };
    assert_eq!(list(None, None, None).await, aws::ListQueuesResult::default());
    for name in ["a1", "a2", "a3", "b1"] {
        bench.create(name, &[]).await;
    }
    assert_eq!(list(None, None, None).await.queue_urls.unwrap().len(), 4);
    let first = list(Some("a"), Some(2), None).await;
    assert!(first.queue_urls.unwrap()[1].ends_with("/a2"));
    let second = list(Some("a"), Some(2), first.next_token).await;
    assert!(second.queue_urls.unwrap()[0].ends_with("/a3"));
    assert_eq!(second.next_token, None);
}

#[tokio::test]
async fn queues_and_tags_outlive_the_service() {
    let bench = Bench::new().await;
    let url = bench.create("jobs", &[("VisibilityTimeout", "7")]).await;
    let tags = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())].into();
    bench.call::<aws::TagQueue>(aws::TagQueueRequest { queue_url: url.clone(), tags }).await.unwrap();
    let untag = aws::UntagQueueRequest { queue_url: url.clone(), tag_keys: vec!["a".into(), "z".into()] };
    bench.call::<aws::UntagQueue>(untag).await.unwrap();
    let bench = bench.again().await;
    assert_eq!(bench.attribute(&url, "VisibilityTimeout").await.unwrap(), "7");
    let listed = bench.call::<aws::ListQueueTags>(aws::ListQueueTagsRequest { queue_url: url }).await.unwrap();
    assert_eq!(listed.tags, Some([("b".to_owned(), "2".to_owned())].into()));
}

#[tokio::test]
async fn a_purge_takes_everything_once_a_minute() {
    let bench = Bench::new().await;
    let url = bench.create("jobs", &[]).await;
    for body in ["one", "two", "three"] {
        bench.send(&url, body).await;
    }
    let held = bench.receive(&url, 1).await;
    let purge = || bench.call::<aws::PurgeQueue>(aws::PurgeQueueRequest { queue_url: url.clone() });
    purge().await.unwrap();
    assert_eq!(bench.counts(&url).await, [0, 0, 0]);
    assert_eq!(
        refused(purge().await),
        "PurgeQueueInProgress: Only one PurgeQueue operation on jobs is allowed every 60 seconds."
    );
    bench.delete(&url, &held[0]).await.unwrap();
    bench.send(&url, "four").await;
    assert_eq!(bench.bodies(&url, 10).await, ["four"]);
    until("what was purged is gone", async || bench.keys().await.iter().filter(|key| key.contains("/m/")).count() == 1)
        .await;
    bench.pass(61);
    purge().await.unwrap();
    let bench = bench.again().await;
    assert_eq!(bench.counts(&url).await, [0, 0, 0]);
    bench.send(&url, "five").await;
    assert_eq!(bench.bodies(&url, 10).await, ["five"]);
}
