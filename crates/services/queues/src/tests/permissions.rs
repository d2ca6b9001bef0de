//! Queue policies, by label and as a whole.

use std::sync::Arc;

use base::Random;
use base::task::Tasks;
use contract::{Call, Principal};
use dispatch::{Attached, Attachments, Dispatch, Limits, Metrics, OpenAuthority, Parts, Registry};
use wire::sqs as aws;

use super::{Bench, refused};
use crate::model::Scope;

#[tokio::test]
async fn permissions_come_and_go_by_label() {
    let bench = Bench::new().await;
    let url = bench.create("jobs", &[]).await;
    let add = |label: &str, action: &str| aws::AddPermissionRequest {
        queue_url: url.clone(),
        label: label.into(),
        aws_account_ids: vec!["111111111111".into()],
        actions: vec![action.into()],
    };
    let arn = Scope::of(&bench.call).arn("jobs");
    let attached = async || bench.queues.attached(&bench.call, &arn).await.unwrap();
    assert!(matches!(attached().await, Attached::Absent));
    bench.call::<aws::AddPermission>(add("one", "SendMessage")).await.unwrap();
    bench.call::<aws::AddPermission>(add("two", "*")).await.unwrap();
    assert_eq!(
        refused(bench.call::<aws::AddPermission>(add("one", "*")).await),
        "InvalidParameterValueException: Value one for parameter Label is invalid. Reason: Already exists."
    );
    assert_eq!(
        refused(bench.call::<aws::AddPermission>(add("three", "CreateQueue")).await),
        "InvalidParameterValueException: Value SQS:CreateQueue for parameter ActionName is invalid. Reason: Only the queue \
         owner is allowed to invoke this action."
    );
    assert!(matches!(attached().await, Attached::Grants(policy) if policy.len() == 2));
    let policy: serde_json::Value = serde_json::from_str(&bench.attribute(&url, "Policy").await.unwrap()).unwrap();
    assert_eq!(policy["Statement"][0]["Principal"]["AWS"], "arn:aws:iam::111111111111:root");
    assert_eq!(policy["Statement"][0]["Action"], "SQS:SendMessage");
    let remove = |label: &str| aws::RemovePermissionRequest { queue_url: url.clone(), label: label.into() };
    bench.call::<aws::RemovePermission>(remove("one")).await.unwrap();
    assert_eq!(
        refused(bench.call::<aws::RemovePermission>(remove("one")).await),
        "InvalidParameterValueException: Value one for parameter Label is invalid. Reason: can't find label."
    );
    bench.call::<aws::RemovePermission>(remove("two")).await.unwrap();
    assert_eq!(bench.attribute(&url, "Policy").await, None);
    assert!(matches!(attached().await, Attached::Absent));
}

fn road(bench: &Bench) -> Dispatch {
    let mut registry = Registry::new(Parts {
        clock: bench.clock.clone(),
        random: Random::system(),
        tasks: Tasks::new(),
        metrics: Metrics::new(),
        authority: Arc::new(OpenAuthority),
        limits: Limits::default(),
    });
    crate::register(&mut registry, &bench.queues);
    registry.attach("sqs", Arc::clone(&bench.queues) as _);
    registry.open()
}

#[tokio::test]
async fn a_part_of_the_node_sends_if_the_queues_policy_lets_it() {
    let bench = Bench::new().await;
    let url = bench.create("jobs", &[]).await;
    let dispatch = road(&bench);
    let rule = "arn:aws:events:us-east-1:000000000000:rule/nightly";
    let principal = Principal::Service { name: "events.amazonaws.com", source: Some(rule.into()) };
    let call: Call = bench.call.inner(&Random::system(), principal, "delivery");
    let arn = Scope::of(&bench.call).arn("jobs").to_string();
    let send = async |body: &str| dispatch.call::<aws::SendMessage>(&call, super::message(&arn, body)).await;
    let denied = refused(send("one").await);
    assert!(denied.starts_with("AccessDeniedException: "), "{denied}");
    let policy = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "events.amazonaws.com" },
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": { "ArnEquals": { "aws:SourceArn": rule } },
        }],
    });
    bench.set(&url, "Policy", &policy.to_string()).await.unwrap();
    send("two").await.unwrap();
    let found = bench.receive(&url, 10).await.remove(0);
    assert_eq!(found.body.as_deref(), Some("two"));
    assert_eq!(found.attributes.unwrap()["SenderId"], "events.amazonaws.com");
}
