//! Events come in, and reach the targets of the rules that want them.

use super::*;

#[tokio::test]
async fn an_event_reaches_the_targets_of_the_rules_that_want_it() {
    let bench = Bench::new().await;
    bench
        .rule(
            "big",
            &json!({"detail": {"total": [{"numeric": [">", 100]}]}}),
            &[json!({"Id": "q", "Arn": queue("big")})],
        )
        .await;
    bench.rule("other", &json!({"source": ["mill"]}), &[json!({"Id": "q", "Arn": queue("other")})]).await;
    let answer = bench.put(vec![entry(&json!({"total": 200})), entry(&json!({"total": 5}))]).await;
    assert_eq!(answer.failed_entry_count, Some(0));
    let id = answer.entries.unwrap()[0].event_id.clone().unwrap();
    let delivered = bench.delivered(1).await;
    assert_eq!(
        (delivered[0].0.as_str(), delivered[0].1["QueueUrl"].as_str().unwrap()),
        ("SendMessage", queue("big").as_str())
    );
    let event: Value = serde_json::from_str(delivered[0].1["MessageBody"].as_str().unwrap()).unwrap();
    let expected = json!({
        "version": "0", "id": id, "detail-type": "Order", "source": "shop", "account": "000000000000",
        "time": "2026-11-21T12:00:00Z", "region": "us-east-1", "resources": [], "detail": {"total": 200},
    });
    assert_eq!(event, expected);
}

#[tokio::test]
async fn each_kind_of_target_gets_what_it_asked_for() {
    let bench = Bench::new().await;
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let targets = [
        json!({"Id": "1", "Arn": queue("whole.fifo"), "SqsParameters": {"MessageGroupId": "g"}}),
        json!({"Id": "2", "Arn": queue("part"), "InputPath": "$.detail.list"}),
        json!({"Id": "3", "Arn": queue("constant"), "Input": "{\"a\": 1}"}),
        json!({"Id": "4", "Arn": function, "InputTransformer": {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": "{\"n\": <n>}"}}),
        json!({"Id": "5", "Arn": "arn:aws:events:us-east-1:000000000000:event-bus/other"}),
        json!({"Id": "6", "Arn": "arn:aws:scheduler:::aws-sdk:sqs:purgeQueue", "Input": "{\"QueueUrl\": \"q\"}"}),
    ];
    bench.rule("all", &json!({"source": ["shop"]}), &targets).await;
    bench.put(vec![entry(&json!({"n": 3, "list": [1, 2]}))]).await;
    let mut delivered = bench.delivered(6).await;
    delivered.sort_by_key(|(operation, input)| (operation.clone(), input.to_string()));
    let find = |wanted: &str, part: &str| {
        let found = delivered.iter().find(|(operation, input)| operation == wanted && input.to_string().contains(part));
        found.unwrap_or_else(|| panic!("{wanted} {part}: {delivered:?}")).1.clone()
    };
    assert_eq!(find("SendMessage", "whole.fifo")["MessageGroupId"], "g");
    assert_eq!(find("SendMessage", ":part")["MessageBody"], "[1,2]");
    assert_eq!(find("SendMessage", ":constant")["MessageBody"], "{\"a\": 1}");
    // {"n": 3} in base64.
    assert_eq!(find("Invoke", "Event")["Payload"], "eyJuIjogM30=");
    let forwarded = find("PutEvents", "other");
    assert_eq!(
        (&forwarded["Entries"][0]["Source"], &forwarded["Entries"][0]["DetailType"]),
        (&json!("shop"), &json!("Order"))
    );
    assert_eq!(find("PurgeQueue", "q"), json!({"QueueUrl": "q"}));
}

#[tokio::test]
async fn each_entry_is_taken_or_refused_by_itself() {
    let bench = Bench::new().await;
    bench.rule("all", &json!({"source": [{"prefix": ""}]}), &[json!({"Id": "q", "Arn": queue("q")})]).await;
    let entries = vec![
        entry(&json!({"n": 1})),
        aws::PutEventsRequestEntry { detail: Some("{".into()), ..entry(&json!({})) },
        aws::PutEventsRequestEntry { source: None, ..entry(&json!({})) },
        aws::PutEventsRequestEntry { source: Some("aws.s3".into()), ..entry(&json!({})) },
        aws::PutEventsRequestEntry { event_bus_name: Some("nowhere".into()), ..entry(&json!({})) },
        entry(&json!({"n": 2})),
    ];
    let answer = bench.put(entries).await;
    assert_eq!(answer.failed_entry_count, Some(3));
    let codes: Vec<Option<String>> = answer.entries.unwrap().into_iter().map(|entry| entry.error_code).collect();
    let expected =
        [None, Some("MalformedDetail"), Some("InvalidArgument"), Some("NotAuthorizedForSourceException"), None, None];
    assert_eq!(codes, expected.map(|code| code.map(str::to_owned)));
    bench.delivered(2).await;
    let large = entry(&json!({"text": "x".repeat(1 << 20)}));
    let answer = bench.call::<aws::PutEvents>(aws::PutEventsRequest { entries: vec![large], endpoint_id: None }).await;
    assert_eq!(refused(answer), "ValidationException: Total size of the entries in the request is over the limit.");
}

#[tokio::test]
async fn a_large_event_goes_to_many_targets() {
    let bench = Bench::new().await;
    let targets: Vec<Value> = (0..20).map(|n| json!({"Id": n.to_string(), "Arn": queue(&format!("q{n}"))})).collect();
    bench.rule("all", &json!({"source": ["shop"]}), &targets).await;
    let answer = bench.put(vec![entry(&json!({"text": "x".repeat(1_000_000)}))]).await;
    assert_eq!(answer.failed_entry_count, Some(0));
    let delivered = bench.delivered(20).await;
    assert!(delivered.iter().all(|(_, input)| input["MessageBody"].as_str().unwrap().len() > 1_000_000));
}

#[tokio::test]
async fn what_a_target_refuses_goes_to_its_dead_letter_queue() {
    let bench = Bench::new().await;
    let function = "arn:aws:lambda:us-east-1:000000000000:function:refuse-me";
    let target = json!({"Id": "f", "Arn": function, "Input": "{}", "DeadLetterConfig": {"Arn": queue("dead")}});
    bench.rule("r", &json!({"source": ["shop"]}), &[target]).await;
    bench.put(vec![entry(&json!({"n": 1}))]).await;
    let delivered = bench.delivered(1).await;
    let (operation, input) = &delivered[0];
    assert_eq!((operation.as_str(), input["QueueUrl"].as_str().unwrap()), ("SendMessage", queue("dead").as_str()));
    assert!(input["MessageBody"].as_str().unwrap().contains("\"detail\":{\"n\":1}"), "{input}");
    let attribute =
        |name: &str| input["MessageAttributes"][name]["StringValue"].as_str().unwrap_or_default().to_owned();
    assert_eq!(attribute("RULE_ARN"), "arn:aws:events:us-east-1:000000000000:rule/r");
    assert_eq!(attribute("TARGET_ARN"), function);
    assert_eq!(attribute("ERROR_CODE"), "ResourceNotFoundException");
    assert_eq!(attribute("RETRY_ATTEMPTS"), "0");
}

#[tokio::test]
async fn what_was_answered_is_delivered_after_a_restart() {
    let bench = Bench::new().await;
    bench.rule("r", &json!({"source": ["shop"]}), &[json!({"Id": "q", "Arn": queue("q")})]).await;
    bench.deliveries.hurry();
    bench.put(vec![entry(&json!({"n": 1}))]).await;
    let bench = bench.again().await;
    bench.delivered(1).await;
    // And the rule is there.
    bench.put(vec![entry(&json!({"n": 2}))]).await;
    bench.delivered(1).await;
}

#[tokio::test]
async fn services_tell_of_what_they_do_in_their_own_transaction() {
    use delivery::{Announcer, Fact, Sender};
    let bench = Bench::new().await;
    bench.rule("r", &json!({"source": ["aws.s3"]}), &[json!({"Id": "q", "Arn": queue("q")})]).await;
    let sender = Sender::of(&bench.call, NOW);
    let (events, sender) = (&bench.events, &sender);
    let done = bench.store.transact(|tx| async move {
        let fact = Fact {
            source: "aws.s3",
            detail_type: "Object Created",
            resources: vec!["arn:aws:s3:::b".into()],
            detail: json!({"bucket": {"name": "b"}}),
        };
        events.announce(&tx, sender, fact);
        Ok::<_, store::Error>(())
    });
    done.await.unwrap();
    let delivered = bench.delivered(1).await;
    assert!(delivered[0].1["MessageBody"].as_str().unwrap().contains("\"detail-type\":\"Object Created\""));
}
