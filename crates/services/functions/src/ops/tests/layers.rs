//! Layers: published, listed, read, given away, deleted, and had by functions.

use wire::lambda as op;

use super::world::{World, creation};
use crate::model::package::tests::zip_of;

fn content(files: &[(&str, &[u8])]) -> op::LayerVersionContentInput {
    op::LayerVersionContentInput { zip_file: Some(zip_of(files).into()), ..Default::default() }
}

async fn publish(world: &World, name: &str, text: &str) -> op::PublishLayerVersionResponse {
    let input = op::PublishLayerVersionRequest {
        layer_name: name.into(),
        content: content(&[("python/own.py", text.as_bytes())]),
        description: Some(text.into()),
        compatible_runtimes: Some(vec!["python3.13".into()]),
        license_info: Some("MIT".into()),
        ..Default::default()
    };
    world.ask::<op::PublishLayerVersion>(input).await.expect("it is published")
}

fn layer(name: &str) -> String {
    format!("arn:aws:lambda:us-east-1:000000000000:layer:{name}")
}

fn get(name: &str, version_number: i64) -> op::GetLayerVersionRequest {
    op::GetLayerVersionRequest { layer_name: name.into(), version_number }
}

fn delete(name: &str, version_number: i64) -> op::DeleteLayerVersionRequest {
    op::DeleteLayerVersionRequest { layer_name: name.into(), version_number }
}

#[tokio::test]
async fn versions_are_numbered_and_never_twice() {
    let world = World::new().await;
    let first = publish(&world, "tools", "one").await;
    assert_eq!((first.version, first.layer_version_arn), (Some(1), Some(layer("tools:1"))));
    let second = publish(&world, "tools", "two").await;
    assert_eq!((second.version, second.layer_arn), (Some(2), Some(layer("tools"))));
    let found = world.ask::<op::GetLayerVersion>(get(&layer("tools"), 2)).await.expect("it is there");
    assert_eq!(found.description.as_deref(), Some("two"));
    assert_eq!(
        found.content.clone().and_then(|content| content.code_sha256),
        second.content.and_then(|one| one.code_sha256)
    );
    let by_arn = op::GetLayerVersionByArnRequest { arn: layer("tools:2") };
    assert_eq!(world.ask::<op::GetLayerVersionByArn>(by_arn).await.expect("it is there").version, Some(2));
    let location = found.content.and_then(|content| content.location).expect("it has a link");
    assert!(location.starts_with("http://localhost:4566/_code/"), "{location}");
    // Deleting is done once or twice, and numbers go on.
    for _ in 0..2 {
        world.ask::<op::DeleteLayerVersion>(delete("tools", 2)).await.expect("it is gone");
    }
    let (code, message) = world.refusal::<op::GetLayerVersion>(get("tools", 2)).await;
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("ResourceNotFoundException", "The resource you requested does not exist.")
    );
    assert_eq!(publish(&world, "tools", "three").await.version, Some(3));
    assert_eq!(world.refusal::<op::GetLayerVersion>(get("tools", 0)).await.0, "InvalidParameterValueException");
    assert_eq!(world.refusal::<op::GetLayerVersion>(get("a b", 1)).await.0, "ValidationException");
    let bad = op::PublishLayerVersionRequest {
        layer_name: "tools".into(),
        content: op::LayerVersionContentInput { zip_file: Some("no zip".into()), ..Default::default() },
        ..Default::default()
    };
    assert!(world.refusal::<op::PublishLayerVersion>(bad).await.1.starts_with("Could not unzip uploaded file."));
    assert_eq!(publish(&world, "tools", "four").await.version, Some(4), "what was refused took no number");
}

#[tokio::test]
async fn lists_tell_the_newest_first_and_page() {
    let world = World::new().await;
    for (name, count) in [("a", 3), ("b", 1), ("c", 1)] {
        for number in 0..count {
            publish(&world, name, &format!("{name}{number}")).await;
        }
    }
    world.ask::<op::DeleteLayerVersion>(delete("b", 1)).await.expect("it is gone");
    let names = |answer: &op::ListLayersResponse| -> Vec<(String, i64)> {
        let one = |layer: &op::LayersListItem| {
            let newest = layer.latest_matching_version.as_ref().and_then(|version| version.version);
            Some((layer.layer_name.clone()?, newest?))
        };
        answer.layers.iter().flatten().filter_map(one).collect()
    };
    let all = world.ask::<op::ListLayers>(op::ListLayersRequest::default()).await.expect("a list");
    assert_eq!(names(&all), [("a".to_owned(), 3), ("c".to_owned(), 1)]);
    let page = |marker: Option<String>| op::ListLayersRequest { marker, max_items: Some(1), ..Default::default() };
    let first = world.ask::<op::ListLayers>(page(None)).await.expect("a page");
    assert_eq!(names(&first), [("a".to_owned(), 3)]);
    let second = world.ask::<op::ListLayers>(page(first.next_marker)).await.expect("a page");
    assert_eq!((names(&second), second.next_marker), (vec![("c".to_owned(), 1)], None));
    let other = op::ListLayersRequest { compatible_runtime: Some("nodejs22.x".into()), ..Default::default() };
    assert_eq!(names(&world.ask::<op::ListLayers>(other).await.expect("a list")), []);
    let versions = |marker: Option<String>| op::ListLayerVersionsRequest {
        layer_name: "a".into(),
        marker,
        max_items: Some(2),
        ..Default::default()
    };
    let first = world.ask::<op::ListLayerVersions>(versions(None)).await.expect("a page");
    let numbers = |answer: &op::ListLayerVersionsResponse| -> Vec<i64> {
        answer.layer_versions.iter().flatten().filter_map(|version| version.version).collect()
    };
    assert_eq!(numbers(&first), [3, 2]);
    let second = world.ask::<op::ListLayerVersions>(versions(first.next_marker.clone())).await.expect("a page");
    assert_eq!((numbers(&second), second.next_marker), (vec![1], None));
}

#[tokio::test]
async fn who_else_may_read_a_version_is_its_policy() {
    let world = World::new().await;
    publish(&world, "tools", "one").await;
    let policy = || op::GetLayerVersionPolicyRequest { layer_name: "tools".into(), version_number: 1 };
    let none = "No policy is associated with the given resource.".to_owned();
    assert_eq!(world.refusal::<op::GetLayerVersionPolicy>(policy()).await.1, none);
    let add = |sid: &str, version_number: i64, revision_id: Option<&str>| op::AddLayerVersionPermissionRequest {
        layer_name: "tools".into(),
        version_number,
        statement_id: sid.into(),
        action: "lambda:GetLayerVersion".into(),
        principal: "*".into(),
        organization_id: Some("o-1234567890".into()),
        revision_id: revision_id.map(Into::into),
    };
    let added = world.ask::<op::AddLayerVersionPermission>(add("all", 1, None)).await.expect("it is added");
    assert_eq!(
        world.refusal::<op::AddLayerVersionPermission>(add("all", 1, None)).await.0,
        "ResourceConflictException"
    );
    assert_eq!(
        world.refusal::<op::AddLayerVersionPermission>(add("more", 9, None)).await.1,
        format!("Layer version {} does not exist.", layer("tools:9"))
    );
    assert_eq!(
        world.refusal::<op::AddLayerVersionPermission>(add("more", 1, Some("old"))).await.0,
        "PreconditionFailedException"
    );
    let found = world.ask::<op::GetLayerVersionPolicy>(policy()).await.expect("it has one");
    assert_eq!(found.revision_id, added.revision_id);
    let document = found.policy.expect("it has a document");
    assert!(document.contains(&layer("tools:1")) && document.contains("o-1234567890"), "{document}");
    let remove = |sid: &str| op::RemoveLayerVersionPermissionRequest {
        layer_name: "tools".into(),
        version_number: 1,
        statement_id: sid.into(),
        revision_id: None,
    };
    world.ask::<op::RemoveLayerVersionPermission>(remove("all")).await.expect("it is removed");
    assert_eq!(world.refusal::<op::RemoveLayerVersionPermission>(remove("all")).await.0, "ResourceNotFoundException");
    assert_eq!(world.refusal::<op::GetLayerVersionPolicy>(policy()).await.1, none);
}

#[tokio::test]
async fn functions_have_layers_and_keep_them() {
    let world = World::new().await;
    let published = publish(&world, "tools", "one").await;
    publish(&world, "tools", "two").await;
    let size = published.content.and_then(|content| content.code_size);
    let with = |layers: &[&str]| op::CreateFunctionRequest {
        layers: Some(layers.iter().map(|arn| (*arn).to_owned()).collect()),
        ..creation("greet")
    };
    let (one, two, none) = (layer("tools:1"), layer("tools:2"), layer("tools:7"));
    for (layers, expected) in [
        (&[none.as_str()][..], format!("Layer version {none} does not exist.")),
        (&[&one, &two], format!("Two different versions of the same layer are not allowed to be referenced in the same function. {one} and {two} are versions of the same layer.")),
        (&[one.as_str(); 6], "Cannot reference more than 5 layers.".to_owned()),
        (&["arn:aws:lambda:eu-west-1:000000000000:layer:tools:1"], "Layer version arn:aws:lambda:eu-west-1:000000000000:layer:tools:1 does not exist here: this node has the layers of the function's own account and region.".to_owned()),
    ] {
        assert_eq!(world.refusal::<op::CreateFunction>(with(layers)).await.1, expected);
    }
    assert!(world.refusal::<op::CreateFunction>(with(&["tools"])).await.1.contains("at 'layers' failed to satisfy"));
    let made = world.ask::<op::CreateFunction>(with(&[&one])).await.expect("it is made");
    let shown = made.layers.expect("it has layers");
    assert_eq!((shown[0].arn.as_deref(), shown[0].code_size), (Some(one.as_str()), size));
    // It stays the function's when nobody can name it any more, and goes when the function lets go of it.
    world.ask::<op::DeleteLayerVersion>(delete("tools", 1)).await.expect("it is gone");
    world.publish("greet").await;
    let update = |layers: Vec<String>| op::UpdateFunctionConfigurationRequest {
        function_name: "greet".into(),
        layers: Some(layers),
        ..Default::default()
    };
    let (_, message) = world.refusal::<op::UpdateFunctionConfiguration>(update(vec![one.clone()])).await;
    assert_eq!(message, format!("Layer version {one} does not exist."));
    let updated = world.ask::<op::UpdateFunctionConfiguration>(update(vec![two.clone()])).await.expect("it is updated");
    assert_eq!(updated.layers.expect("it has layers")[0].arn.as_deref(), Some(two.as_str()));
    let bare = world.ask::<op::UpdateFunctionConfiguration>(update(Vec::new())).await.expect("it is updated");
    assert_eq!(bare.layers, None);
    let version = op::GetFunctionConfigurationRequest { function_name: "greet".into(), qualifier: Some("1".into()) };
    let version = world.ask::<op::GetFunctionConfiguration>(version).await.expect("it is there");
    assert_eq!(version.layers.expect("it keeps them")[0].arn.as_deref(), Some(one.as_str()));
}

#[tokio::test]
async fn what_unpacks_to_too_much_together_is_refused() {
    let world = World::new().await;
    let half = vec![0; 140 << 20];
    for name in ["a", "b"] {
        let input = op::PublishLayerVersionRequest {
            layer_name: name.into(),
            content: content(&[(name, &half)]),
            ..Default::default()
        };
        world.ask::<op::PublishLayerVersion>(input).await.expect("each is small enough");
    }
    let layers = Some(vec![layer("a:1"), layer("b:1")]);
    let input = op::CreateFunctionRequest { layers, ..creation("greet") };
    let (code, message) = world.refusal::<op::CreateFunction>(input).await;
    assert_eq!(code, "InvalidParameterValueException");
    assert!(message.starts_with("Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. The actual size is 2936"), "{message}");
}
