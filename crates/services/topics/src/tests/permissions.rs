//! The policies of topics, as dispatch sees them.

use contract::Arn;
use dispatch::{Attached, Attachments};

use super::*;

#[tokio::test]
async fn permissions_are_statements_of_the_policy() {
    let bench = Bench::new().await;
    let topic = bench.create("news", &[]).await;
    let attached = async || {
        let arn = Arn::parse(&topic).unwrap();
        matches!(bench.topics.attached(&bench.call, &arn).await.unwrap(), Attached::Grants(_))
    };
    assert!(!attached().await);
    let add = |label: &str, action: &str| aws::AddPermissionInput {
        topic_arn: topic.clone(),
        label: label.into(),
        aws_account_id: vec!["111111111111".into()],
        action_name: vec![action.into()],
    };
    bench.call::<aws::AddPermission>(add("mine", "Publish")).await.unwrap();
    assert!(attached().await);
    assert_eq!(
        refused(bench.call::<aws::AddPermission>(add("mine", "Publish")).await),
        "InvalidParameterException: Invalid parameter: Statement already exists"
    );
    assert_eq!(
        refused(bench.call::<aws::AddPermission>(add("other", "Fly")).await),
        "InvalidParameterException: Invalid parameter: Policy statement action out of service scope!"
    );
    let policy: Value = serde_json::from_str(&bench.topic_attributes(&topic).await["Policy"]).unwrap();
    assert_eq!(policy["Statement"][1]["Principal"]["AWS"], "arn:aws:iam::111111111111:root");
    assert_eq!(policy["Statement"][1]["Action"], "SNS:Publish");
    for label in ["mine", "mine", "__default_statement_ID"] {
        let input = aws::RemovePermissionInput { topic_arn: topic.clone(), label: label.into() };
        bench.call::<aws::RemovePermission>(input).await.unwrap();
    }
    assert!(!attached().await);
}
