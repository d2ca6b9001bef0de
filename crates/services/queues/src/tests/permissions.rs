//! Queue policies, by label and as a whole.

use dispatch::{Attached, Attachments};
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
