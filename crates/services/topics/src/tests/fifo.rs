//! Topics with order: places, groups, duplicates.

use super::*;

fn grouped(topic: &str, message: &str, group: &str, id: Option<&str>) -> aws::PublishInput {
    aws::PublishInput {
        message_group_id: Some(group.into()),
        message_deduplication_id: id.map(str::to_owned),
        ..to(topic, message)
    }
}

#[tokio::test]
async fn groups_keep_their_order() {
    let bench = Bench::new().await;
    let topic = bench.create("news.fifo", &[("FifoTopic", "true"), ("ContentBasedDeduplication", "true")]).await;
    bench.subscribe(&topic, "sqs", &format!("{QUEUE}.fifo"), &[("RawMessageDelivery", "true")]).await;
    let mut places = Vec::new();
    for number in 0..20 {
        let group = if number % 2 == 0 { "even" } else { "odd" };
        let published = bench.try_publish(grouped(&topic, &number.to_string(), group, None)).await.unwrap();
        places.push(published.sequence_number.unwrap());
    }
    assert!(places.is_sorted() && places[0] == "10000000000000001000");
    let calls = bench.delivered(20).await;
    for (group, rest) in [("even", 0), ("odd", 1)] {
        let of_group = calls.iter().filter(|(_, input)| input["MessageGroupId"] == group);
        let bodies: Vec<u32> =
            of_group.map(|(_, input)| input["MessageBody"].as_str().unwrap().parse().unwrap()).collect();
        assert_eq!(bodies, (0..10).map(|number| number * 2 + rest).collect::<Vec<_>>());
    }
    assert!(calls.iter().all(|(_, input)| input["MessageDeduplicationId"].as_str().unwrap().len() == 64));
}

#[tokio::test]
async fn duplicates_are_known_for_five_minutes_and_over_a_restart() {
    let bench = Bench::new().await;
    let topic = bench.create("news.fifo", &[("FifoTopic", "true")]).await;
    bench.subscribe(&topic, "sqs", &format!("{QUEUE}.fifo"), &[]).await;
    let first = bench.try_publish(grouped(&topic, "one", "g", Some("1"))).await.unwrap();
    let again = bench.try_publish(grouped(&topic, "two", "other", Some("1"))).await.unwrap();
    assert_eq!(again, first);
    bench.delivered(1).await;
    let bench = bench.again().await;
    assert_eq!(bench.try_publish(grouped(&topic, "three", "g", Some("1"))).await.unwrap(), first);
    bench.pass(301);
    let later = bench.try_publish(grouped(&topic, "four", "g", Some("1"))).await.unwrap();
    assert_ne!(later.message_id, first.message_id);
    assert!(later.sequence_number > first.sequence_number);
    let calls = bench.delivered(1).await;
    let envelope: Value = serde_json::from_str(calls[0].1["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!((envelope["Message"].as_str(), envelope.get("Signature")), (Some("four"), None));
    assert_eq!(envelope["SequenceNumber"].as_str(), later.sequence_number.as_deref());
}

#[tokio::test]
async fn many_publishers_get_places_of_their_own() {
    let bench = Bench::new().await;
    let topic = bench.create("news.fifo", &[("FifoTopic", "true"), ("ContentBasedDeduplication", "true")]).await;
    let publish = |number: usize| bench.try_publish(grouped(&topic, &number.to_string(), "g", None));
    let published = futures_util::future::join_all((0..300).map(publish)).await;
    let mut places: Vec<String> = published.into_iter().map(|one| one.unwrap().sequence_number.unwrap()).collect();
    places.sort();
    places.dedup();
    assert_eq!(places.len(), 300);
}

#[tokio::test]
async fn the_scope_of_duplicates_may_be_the_group() {
    let bench = Bench::new().await;
    let topic = bench.create("news.fifo", &[("FifoTopic", "true"), ("FifoThroughputScope", "MessageGroup")]).await;
    let one = bench.try_publish(grouped(&topic, "x", "a", Some("1"))).await.unwrap();
    assert_eq!(bench.try_publish(grouped(&topic, "x", "a", Some("1"))).await.unwrap(), one);
    assert_ne!(bench.try_publish(grouped(&topic, "x", "b", Some("1"))).await.unwrap(), one);
    assert_eq!(
        refused(bench.try_publish(to(&topic, "x")).await),
        "InvalidParameterException: Invalid parameter: The MessageGroupId parameter is required for FIFO topics"
    );
    assert_eq!(
        refused(bench.try_publish(grouped(&topic, "x", "a", None)).await),
        "InvalidParameterException: Invalid parameter: The topic should either have ContentBasedDeduplication enabled or \
         MessageDeduplicationId provided explicitly"
    );
}
