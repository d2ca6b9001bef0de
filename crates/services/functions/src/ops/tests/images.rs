//! Container images as callers name them, and what is refused. Running them is shown in `compute` and in the conformance suite.

use wire::lambda as op;

use super::world::{World, creation};

fn image(uri: &str) -> op::CreateFunctionRequest {
    op::CreateFunctionRequest {
        package_type: Some(op::PackageType::Image),
        code: op::FunctionCode { image_uri: Some(uri.into()), ..Default::default() },
        runtime: None,
        handler: None,
        ..creation("greet")
    }
}

#[tokio::test]
async fn what_cannot_be_an_image_is_refused_in_awss_words() {
    let world = World::new().await;
    let only_image =
        "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.";
    let long = "x".repeat(9000);
    let config = |command: Vec<String>, directory: Option<&str>| {
        Some(op::ImageConfig {
            command: Some(command),
            working_directory: directory.map(Into::into),
            entry_point: None,
        })
    };
    for (input, expected) in [
        (op::CreateFunctionRequest { handler: Some("a.b".into()), ..image("app") }, only_image),
        (op::CreateFunctionRequest { runtime: Some("nodejs22.x".into()), ..image("app") }, only_image),
        (
            op::CreateFunctionRequest { code: creation("x").code, ..image("app") },
            "Please provide ImageUri when updating a function with packageType Image.",
        ),
        (
            op::CreateFunctionRequest { code: image("app").code, ..creation("greet") },
            "Please don't provide ImageUri when updating a function with packageType Zip.",
        ),
        (
            op::CreateFunctionRequest { code: op::FunctionCode::default(), ..image("app") },
            "Please provide a source for function code.",
        ),
        (image("Not A Name"), "Source image Not A Name is not valid. Provide a valid source image. ("),
        (image("file:nowhere"), "Source image file:nowhere is not valid. Provide a valid source image. ("),
        // Nothing is isolated in these tests.
        (image("file:/nowhere"), "Container images cannot be run on this machine: their root needs namespaces, and "),
        (
            op::CreateFunctionRequest { image_config: config(vec![long], None), ..image("app") },
            "ImageConfig has 9001 bytes",
        ),
        (
            op::CreateFunctionRequest { image_config: config(Vec::new(), Some("app")), ..image("app") },
            "must be an absolute path",
        ),
        (
            op::CreateFunctionRequest { image_config: config(vec!["a".into()], None), ..creation("greet") },
            "Please don't provide ImageConfig when the intended function PackageType is Zip.",
        ),
    ] {
        let (code, message) = world.refusal::<op::CreateFunction>(input).await;
        assert_eq!(code, "InvalidParameterValueException", "{message}");
        assert!(message.starts_with(expected) || message.contains(expected), "{message}");
    }
    assert!(world.configuration("greet").await.is_err(), "nothing was made");
    world.create("greet").await;
    let update = op::UpdateFunctionCodeRequest {
        function_name: "greet".into(),
        image_uri: Some("app".into()),
        ..Default::default()
    };
    let (_, message) = world.refusal::<op::UpdateFunctionCode>(update).await;
    assert_eq!(message, "Please don't provide ImageUri when updating a function with packageType Zip.");
}
