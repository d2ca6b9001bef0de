//! Aliases, and what they hold in place.

use wire::lambda as op;

use super::world::{World, arn};

async fn world() -> World {
    let world = World::new().await;
    world.create("greet").await;
    world.publish("greet").await;
    world.change_code("greet", "exit 2").await;
    world.publish("greet").await;
    world
}

fn create(name: &str, version: &str) -> op::CreateAliasRequest {
    op::CreateAliasRequest {
        function_name: "greet".into(),
        name: name.into(),
        function_version: version.into(),
        ..Default::default()
    }
}

fn weights(pairs: &[(&str, f64)]) -> Option<op::AliasRoutingConfiguration> {
    let weights = pairs.iter().map(|(version, weight)| ((*version).to_owned(), *weight)).collect();
    Some(op::AliasRoutingConfiguration { additional_version_weights: Some(weights) })
}

#[tokio::test]
async fn an_alias_is_made_read_moved_and_deleted() {
    let world = world().await;
    let made = world.ask::<op::CreateAlias>(create("live", "1")).await.expect("it is made");
    assert_eq!(made.alias_arn, Some(arn("greet:live")));
    assert_eq!(made.function_version.as_deref(), Some("1"));
    let get = || op::GetAliasRequest { function_name: "greet".into(), name: "live".into() };
    assert_eq!(world.ask::<op::GetAlias>(get()).await, Ok(made.clone()));
    let through = op::GetFunctionConfigurationRequest { function_name: "greet:live".into(), qualifier: None };
    let through = world.ask::<op::GetFunctionConfiguration>(through).await.expect("it leads to a version");
    assert_eq!((through.version.as_deref(), through.function_arn), (Some("1"), Some(arn("greet:live"))));
    let update = op::UpdateAliasRequest {
        function_name: "greet".into(),
        name: "live".into(),
        function_version: Some("2".into()),
        routing_config: weights(&[("1", 0.25)]),
        revision_id: made.revision_id.clone(),
        ..Default::default()
    };
    let moved = world.ask::<op::UpdateAlias>(update.clone()).await.expect("it is moved");
    assert_eq!(moved.function_version.as_deref(), Some("2"));
    assert_eq!(moved.routing_config, weights(&[("1", 0.25)]));
    assert_eq!(world.refusal::<op::UpdateAlias>(update.clone()).await.0, "PreconditionFailedException");
    let whole = op::UpdateAliasRequest { routing_config: weights(&[]), revision_id: None, ..update };
    assert_eq!(world.ask::<op::UpdateAlias>(whole).await.expect("it is whole again").routing_config, None);
    let delete = || op::DeleteAliasRequest { function_name: "greet".into(), name: "live".into() };
    world.ask::<op::DeleteAlias>(delete()).await.expect("it is deleted");
    world.ask::<op::DeleteAlias>(delete()).await.expect("it is deleted already");
    let gone = world.refusal::<op::GetAlias>(get()).await;
    assert_eq!(gone, ("ResourceNotFoundException".into(), format!("Cannot find alias arn: {}", arn("greet:live"))));
}

#[tokio::test]
async fn aliases_that_cannot_be_are_refused() {
    let world = world().await;
    world.ask::<op::CreateAlias>(create("live", "1")).await.expect("it is made");
    let with = |name: &str, version: &str, pairs: &[(&str, f64)]| op::CreateAliasRequest {
        routing_config: weights(pairs),
        ..create(name, version)
    };
    for (input, code, message) in [
        (create("live", "2"), "ResourceConflictException", &*format!("Alias already exists: {}", arn("greet:live"))),
        (create("next", "9"), "ResourceNotFoundException", &*format!("Function not found: {}", arn("greet:9"))),
        (create("123", "1"), "ValidationException", "at 'name' failed to satisfy constraint"),
        (create("next", "live"), "ValidationException", "at 'functionVersion' failed to satisfy constraint"),
        (
            with("next", "1", &[("9", 0.5)]),
            "ResourceNotFoundException",
            &*format!("Function not found: {}", arn("greet:9")),
        ),
        (
            with("next", "1", &[("1", 0.5)]),
            "InvalidParameterValueException",
            "Invalid function version 1. Function version 1 is already included in routing configuration.",
        ),
        (
            with("next", "$LATEST", &[("1", 0.5)]),
            "InvalidParameterValueException",
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ),
    ] {
        let (found_code, found_message) = world.refusal::<op::CreateAlias>(input).await;
        assert_eq!(found_code, code, "{found_message}");
        assert!(found_message.contains(message), "{found_message}");
    }
    let update = op::UpdateAliasRequest { function_name: "greet".into(), name: "none".into(), ..Default::default() };
    assert_eq!(world.refusal::<op::UpdateAlias>(update).await.1, format!("Alias not found: {}", arn("greet:none")));
}

#[tokio::test]
async fn a_version_that_an_alias_needs_stays() {
    let world = world().await;
    world.ask::<op::CreateAlias>(create("live", "1")).await.expect("it is made");
    let routed = op::CreateAliasRequest { routing_config: weights(&[("1", 0.5)]), ..create("next", "2") };
    world.ask::<op::CreateAlias>(routed).await.expect("it is made");
    let delete = || op::DeleteFunctionRequest { function_name: "greet".into(), qualifier: Some("1".into()) };
    let refused = world.refusal::<op::DeleteFunction>(delete()).await;
    assert_eq!(
        refused,
        (
            "ResourceConflictException".into(),
            "Unable to delete version because the following aliases reference it: [live, next]".into()
        )
    );
    let list = |version: Option<&str>| op::ListAliasesRequest {
        function_name: "greet".into(),
        function_version: version.map(Into::into),
        ..Default::default()
    };
    for (version, expected) in [(None, 2), (Some("1"), 2), (Some("2"), 1), (Some("$LATEST"), 0)] {
        let listed = world.ask::<op::ListAliases>(list(version)).await.expect("it lists");
        assert_eq!(listed.aliases.map(|aliases| aliases.len()), Some(expected), "{version:?}");
    }
}
