//! Publishing, listing and deleting versions.

use wire::lambda as op;

use super::world::{World, arn, creation};

fn at(name: &str, qualifier: &str) -> op::GetFunctionConfigurationRequest {
    op::GetFunctionConfigurationRequest { function_name: name.into(), qualifier: Some(qualifier.into()) }
}

#[tokio::test]
async fn a_version_is_made_only_when_something_changed() {
    let world = World::new().await;
    world.create("greet").await;
    assert_eq!(world.publish("greet").await.version.as_deref(), Some("1"));
    assert_eq!(world.publish("greet").await.version.as_deref(), Some("1"));
    world.change_code("greet", "exit 1").await;
    assert_eq!(world.publish("greet").await.version.as_deref(), Some("1"), "the same code again is no change");
    world.change_code("greet", "exit 2").await;
    let second = world.publish("greet").await;
    assert_eq!(second.version.as_deref(), Some("2"));
    assert_eq!(second.function_arn, Some(arn("greet:2")));
    let first = world.ask::<op::GetFunctionConfiguration>(at("greet", "1")).await.expect("it is there");
    assert_ne!(first.code_sha256, second.code_sha256);
    assert_eq!(first.function_arn, Some(arn("greet:1")));
}

#[tokio::test]
async fn publishing_checks_what_it_is_told_to_expect() {
    let world = World::new().await;
    let made = world.create("greet").await;
    let publish = |sha: Option<&str>, revision: Option<&str>| op::PublishVersionRequest {
        function_name: "greet".into(),
        code_sha256: sha.map(Into::into),
        revision_id: revision.map(Into::into),
        description: Some("mine".into()),
        ..Default::default()
    };
    let current = made.code_sha256.as_deref();
    let (code, message) = world.refusal::<op::PublishVersion>(publish(Some("other"), None)).await;
    assert_eq!(code, "InvalidParameterValueException");
    assert_eq!(
        message,
        format!(
            "CodeSHA256 (other) is different from current CodeSHA256 in $LATEST ({0}). Please try again with the CodeSHA256 in \
             $LATEST.",
            current.expect("it has one")
        )
    );
    assert_eq!(world.refusal::<op::PublishVersion>(publish(None, Some("x"))).await.0, "PreconditionFailedException");
    let published = world.ask::<op::PublishVersion>(publish(current, made.revision_id.as_deref())).await.expect("good");
    assert_eq!(published.description.as_deref(), Some("mine"));
    assert_eq!(world.configuration("greet").await.map(|latest| latest.description), Ok(Some(String::new())));
}

#[tokio::test]
async fn a_function_can_be_published_as_it_is_made() {
    let world = World::new().await;
    let input = op::CreateFunctionRequest { publish: Some(true), ..creation("greet") };
    let made = world.ask::<op::CreateFunction>(input).await.expect("it is made");
    assert_eq!((made.version.as_deref(), made.function_arn), (Some("1"), Some(arn("greet:1"))));
    let list = op::ListVersionsByFunctionRequest { function_name: "greet".into(), ..Default::default() };
    let listed = world.ask::<op::ListVersionsByFunction>(list).await.expect("it lists").versions.expect("a list");
    let versions: Vec<_> = listed.iter().filter_map(|version| version.version.as_deref()).collect();
    assert_eq!(versions, ["$LATEST", "1"]);
    assert_eq!(listed[0].function_arn, Some(arn("greet:$LATEST")));
}

#[tokio::test]
async fn versions_are_listed_in_pages_by_number() {
    let world = World::new().await;
    world.create("greet").await;
    for number in 0..12 {
        world.change_code("greet", &format!("exit {}", 100 + number)).await;
        world.publish("greet").await;
    }
    let (mut seen, mut marker) = (Vec::new(), None);
    loop {
        let list = op::ListVersionsByFunctionRequest {
            function_name: "greet".into(),
            marker: marker.take(),
            max_items: Some(5),
        };
        let page = world.ask::<op::ListVersionsByFunction>(list).await.expect("it lists");
        seen.extend(page.versions.into_iter().flatten().filter_map(|version| version.version));
        match page.next_marker {
            Some(next) => marker = Some(next),
            None => break,
        }
    }
    let expected: Vec<String> =
        std::iter::once("$LATEST".to_owned()).chain((1..=12).map(|number| number.to_string())).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn versions_go_one_by_one_and_numbers_do_not_come_back() {
    let world = World::new().await;
    world.create("greet").await;
    world.publish("greet").await;
    let delete = |qualifier: &str| op::DeleteFunctionRequest {
        function_name: "greet".into(),
        qualifier: Some(qualifier.into()),
    };
    for (qualifier, message) in [
        ("$LATEST", "$LATEST version cannot be deleted without deleting the function."),
        ("live", "Deletion of aliases is not currently supported."),
    ] {
        let refused = world.refusal::<op::DeleteFunction>(delete(qualifier)).await;
        assert_eq!(refused, ("InvalidParameterValueException".into(), message.into()));
    }
    world.ask::<op::DeleteFunction>(delete("1")).await.expect("it is deleted");
    world.ask::<op::DeleteFunction>(delete("1")).await.expect("it is deleted already");
    let gone = world.refusal::<op::GetFunctionConfiguration>(at("greet", "1")).await;
    assert_eq!(gone, ("ResourceNotFoundException".into(), format!("Function not found: {}", arn("greet:1"))));
    assert_eq!(world.publish("greet").await.version.as_deref(), Some("2"));
}
