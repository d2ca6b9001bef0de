//! Resource policies, and what dispatch makes of them.

use contract::{Call, Principal};
use wire::lambda as op;

use super::world::{World, arn};

fn add(sid: &str, principal: &str) -> op::AddPermissionRequest {
    op::AddPermissionRequest {
        function_name: "greet".into(),
        statement_id: sid.into(),
        action: "lambda:InvokeFunction".into(),
        principal: principal.into(),
        ..Default::default()
    }
}

fn get() -> op::GetPolicyRequest {
    op::GetPolicyRequest { function_name: "greet".into(), qualifier: None }
}

fn remove(sid: &str) -> op::RemovePermissionRequest {
    op::RemovePermissionRequest { function_name: "greet".into(), statement_id: sid.into(), ..Default::default() }
}

#[tokio::test]
async fn statements_are_added_shown_and_removed() {
    let world = World::new().await;
    world.create("greet").await;
    let nothing = ("ResourceNotFoundException".to_owned(), "The resource you requested does not exist.".to_owned());
    assert_eq!(world.refusal::<op::GetPolicy>(get()).await, nothing);
    let no_policy = world.refusal::<op::RemovePermission>(remove("one")).await;
    assert_eq!(no_policy.1, "No policy is associated with the given resource.");
    let input = op::AddPermissionRequest {
        source_arn: Some("arn:aws:s3:::bucket".into()),
        source_account: Some("123456789012".into()),
        ..add("one", "s3.amazonaws.com")
    };
    let added = world.ask::<op::AddPermission>(input).await.expect("it is added").statement.expect("it is shown");
    let statement: serde_json::Value = serde_json::from_str(&added).expect("it is JSON");
    assert_eq!(statement["Resource"], arn("greet"));
    assert_eq!(statement["Condition"]["ArnLike"]["AWS:SourceArn"], "arn:aws:s3:::bucket");
    let found = world.ask::<op::GetPolicy>(get()).await.expect("it is there");
    let document: serde_json::Value = serde_json::from_str(&found.policy.expect("a document")).expect("it is JSON");
    assert_eq!(document["Statement"][0], statement);
    assert_eq!(found.revision_id, world.configuration("greet").await.expect("it is there").revision_id);

    let stale = op::AddPermissionRequest { revision_id: Some("old".into()), ..add("two", "*") };
    let refused = world.refusal::<op::AddPermission>(stale).await;
    assert_eq!(refused.0, "PreconditionFailedException");
    assert!(refused.1.contains("Call the GetPolicy API"), "{}", refused.1);
    let current = op::AddPermissionRequest { revision_id: found.revision_id, ..add("two", "*") };
    world.ask::<op::AddPermission>(current).await.expect("it is added");
    assert_eq!(
        world.refusal::<op::RemovePermission>(remove("three")).await.1,
        "Statement three is not found in resource policy."
    );
    for sid in ["one", "two"] {
        world.ask::<op::RemovePermission>(remove(sid)).await.expect("it is removed");
    }
    assert_eq!(world.refusal::<op::GetPolicy>(get()).await, nothing);
}

#[tokio::test]
async fn statements_that_cannot_be_are_refused() {
    let world = World::new().await;
    world.create("greet").await;
    world.ask::<op::AddPermission>(add("one", "*")).await.expect("it is added");
    for (input, code, message) in [
        (
            add("one", "*"),
            "ResourceConflictException",
            "The statement id (one) provided already exists. Please provide a new statement id, or remove the existing \
             statement.",
        ),
        (
            add("two", "somebody"),
            "InvalidParameterValueException",
            "The provided principal was invalid. Please check the principal and try again.",
        ),
        (
            op::AddPermissionRequest { qualifier: Some("$LATEST".into()), ..add("two", "*") },
            "InvalidParameterValueException",
            "We currently do not support adding policies for $LATEST.",
        ),
        (
            op::AddPermissionRequest { qualifier: Some("9".into()), ..add("two", "*") },
            "ResourceNotFoundException",
            &*format!("Function not found: {}", arn("greet:9")),
        ),
    ] {
        assert_eq!(world.refusal::<op::AddPermission>(input).await, (code.into(), message.into()));
    }
}

#[tokio::test]
async fn dispatch_lets_through_whom_the_policy_names() {
    let world = World::new().await;
    world.create("greet").await;
    let service = || Call {
        principal: Principal::Service { name: "s3.amazonaws.com", source: Some("arn:aws:s3:::bucket".into()) },
        ..world.call()
    };
    let dry = || op::InvocationRequest {
        function_name: "greet".into(),
        invocation_type: Some(op::InvocationType::DryRun),
        ..Default::default()
    };
    let denied = world.dispatch.call::<op::Invoke>(&service(), dry()).await.expect_err("nobody allowed it");
    assert_eq!(denied.code, "AccessDeniedException");
    let other =
        op::AddPermissionRequest { source_arn: Some("arn:aws:s3:::other".into()), ..add("one", "s3.amazonaws.com") };
    world.ask::<op::AddPermission>(other).await.expect("it is added");
    assert!(world.dispatch.call::<op::Invoke>(&service(), dry()).await.is_err(), "another bucket was allowed");
    world.ask::<op::AddPermission>(add("two", "s3.amazonaws.com")).await.expect("it is added");
    let let_through = world.dispatch.call::<op::Invoke>(&service(), dry()).await.expect("it is allowed now");
    assert_eq!(let_through.status_code, Some(204));
    world.ask::<op::RemovePermission>(remove("two")).await.expect("it is removed");
    assert!(world.dispatch.call::<op::Invoke>(&service(), dry()).await.is_err(), "it was taken away again");
}
