//! Subscriptions: made, confirmed, listed, ended.

use super::*;

#[tokio::test]
async fn the_same_endpoint_is_the_same_subscription() {
    let bench = Bench::new().await;
    let topic = bench.create("news", &[]).await;
    let arn = bench.subscribe(&topic, "sqs", QUEUE, &[("RawMessageDelivery", "true")]).await;
    assert_eq!(bench.subscribe(&topic, "sqs", QUEUE, &[("RawMessageDelivery", "true")]).await, arn);
    assert_eq!(
        refused(bench.try_subscribe(&topic, "sqs", QUEUE, &[]).await),
        "InvalidParameterException: Invalid parameter: Attributes Reason: Subscription already exists with different \
         attributes"
    );
    let attributes = aws::GetSubscriptionAttributesInput { subscription_arn: arn.clone() };
    let shown = bench.call::<aws::GetSubscriptionAttributes>(attributes).await.unwrap().attributes.unwrap();
    assert_eq!((shown["RawMessageDelivery"].as_str(), shown["PendingConfirmation"].as_str()), ("true", "false"));
    let set = |name: &str, value: &str| aws::SetSubscriptionAttributesInput {
        subscription_arn: arn.clone(),
        attribute_name: name.into(),
        attribute_value: Some(value.into()),
    };
    bench.call::<aws::SetSubscriptionAttributes>(set("FilterPolicy", r#"{"a":["b"]}"#)).await.unwrap();
    assert_eq!(
        refused(bench.call::<aws::SetSubscriptionAttributes>(set("FilterPolicy", r#"{"a":{"b":["c"]}}"#)).await),
        "InvalidParameterException: Invalid parameter: Filter policy scope MessageAttributes does not support nested filter \
         policy"
    );
    bench.call::<aws::Unsubscribe>(aws::UnsubscribeInput { subscription_arn: arn.clone() }).await.unwrap();
    bench.call::<aws::Unsubscribe>(aws::UnsubscribeInput { subscription_arn: arn }).await.unwrap();
    let shown = bench.topic_attributes(&topic).await;
    assert_eq!((shown["SubscriptionsConfirmed"].as_str(), shown["SubscriptionsDeleted"].as_str()), ("0", "1"));
}

#[tokio::test]
async fn people_are_asked_first_and_told_of_the_end() {
    let bench = Bench::new().await;
    let topic = bench.create("news", &[]).await;
    let input = aws::SubscribeInput {
        topic_arn: topic.clone(),
        protocol: "email".into(),
        endpoint: Some("a@example.com".into()),
        ..Default::default()
    };
    let answer = bench.call::<aws::Subscribe>(input).await.unwrap();
    assert_eq!(answer.subscription_arn.as_deref(), Some("pending confirmation"));
    bench.publish(&topic, "too early").await;
    let asked = bench.letters().await;
    assert_eq!(asked.len(), 1);
    let token = |letter: &crate::Letter| letter.body.split("Token=").nth(1).unwrap().trim().to_owned();
    let confirm = |token: &str| aws::ConfirmSubscriptionInput {
        topic_arn: topic.clone(),
        token: token.into(),
        authenticate_on_unsubscribe: None,
    };
    assert_eq!(
        refused(bench.call::<aws::ConfirmSubscription>(confirm("x")).await),
        "InvalidParameterException: Invalid parameter: Token"
    );
    let confirmed = bench.call::<aws::ConfirmSubscription>(confirm(&token(&asked[0]))).await.unwrap();
    let arn = confirmed.subscription_arn.unwrap();
    bench.publish(&topic, "hello").await;
    let letters = bench.letters().await;
    assert!(
        letters.len() == 2 && letters[0].body.starts_with("hello\n") && letters[0].body.contains("Action=Unsubscribe")
    );
    // Whoever has the address may end it, and take that back.
    let nobody = Call { principal: Principal::Anonymous, ..bench.call.clone() };
    let end = aws::UnsubscribeInput { subscription_arn: arn.clone() };
    Handle::<aws::Unsubscribe>::handle(&*bench.topics, &nobody, end).await.unwrap();
    bench.publish(&topic, "not any more").await;
    let letters = bench.letters().await;
    assert!(letters.len() == 3 && letters[0].body.contains("deactivate"));
    let back = bench.call::<aws::ConfirmSubscription>(confirm(&token(&letters[0]))).await.unwrap();
    assert_eq!(back.subscription_arn, Some(arn));
    bench.publish(&topic, "again").await;
    assert_eq!(bench.letters().await.len(), 4);
}

#[tokio::test]
async fn who_does_not_answer_is_forgotten() {
    let bench = Bench::new().await;
    let topic = bench.create("news", &[]).await;
    let arn = bench.subscribe(&topic, "email", "a@example.com", &[]).await;
    assert_eq!(bench.topic_attributes(&topic).await["SubscriptionsPending"], "1");
    bench.pass(3 * 24 * 3_600);
    bench.topics.expire().await.unwrap();
    assert_eq!(bench.topic_attributes(&topic).await["SubscriptionsPending"], "0");
    let gone = aws::GetSubscriptionAttributesInput { subscription_arn: arn };
    assert_eq!(
        refused(bench.call::<aws::GetSubscriptionAttributes>(gone).await),
        "NotFoundException: Subscription does not exist"
    );
}

#[tokio::test]
async fn subscriptions_are_listed_by_the_hundred_over_all_topics() {
    let bench = Bench::new().await;
    for topic in ["a", "b"] {
        let topic = bench.create(topic, &[]).await;
        for number in 0..75 {
            bench.subscribe(&topic, "sqs", &format!("{QUEUE}{number}"), &[]).await;
        }
    }
    let mut found = Vec::new();
    let mut next_token = None;
    loop {
        let page = bench.call::<aws::ListSubscriptions>(aws::ListSubscriptionsInput { next_token }).await.unwrap();
        let subscriptions = page.subscriptions.unwrap();
        assert!(subscriptions.len() <= 100);
        found.extend(subscriptions.into_iter().map(|one| one.subscription_arn.unwrap()));
        next_token = page.next_token;
        if next_token.is_none() {
            break;
        }
    }
    assert_eq!(found.len(), 150);
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 150);
    let topic_arn = "arn:aws:sns:us-east-1:000000000000:b".to_owned();
    let of_one = aws::ListSubscriptionsByTopicInput { topic_arn, next_token: None };
    assert_eq!(bench.call::<aws::ListSubscriptionsByTopic>(of_one).await.unwrap().subscriptions.unwrap().len(), 75);
}

#[tokio::test]
async fn impossible_subscriptions_are_refused() {
    let bench = Bench::new().await;
    let topic = bench.create("news", &[]).await;
    for (protocol, endpoint, expected) in [
        ("pigeon", "x", "Invalid parameter: Amazon SNS does not support this protocol string: pigeon"),
        ("sqs", "x", "Invalid parameter: SQS endpoint ARN"),
        ("sqs", "", "Invalid parameter: Endpoint"),
        ("http", "https://x", "Invalid parameter: Endpoint must match the specified protocol"),
    ] {
        let answer = bench.try_subscribe(&topic, protocol, endpoint, &[]).await;
        assert_eq!(refused(answer), format!("InvalidParameterException: {expected}"));
    }
    for (policy, expected) in [
        ("[]", "Filter policy must be a JSON object"),
        (r#"{"a":[{"numeric":["<",1,">",2]}]}"#, "Too many elements in numeric expression"),
        (r#"{"a":[1],"b":[1],"c":[1],"d":[1],"e":[1],"f":[1]}"#, "Filter policy can not have more than 5 keys"),
    ] {
        let answer = bench.try_subscribe(&topic, "sqs", QUEUE, &[("FilterPolicy", policy)]).await;
        let expected = format!("Invalid parameter: Attributes Reason: FilterPolicy: {expected}");
        assert_eq!(refused(answer), format!("InvalidParameterException: {expected}"));
    }
    assert_eq!(bench.topic_attributes(&topic).await["SubscriptionsConfirmed"], "0");
}
