//! Function URLs.

use wire::lambda as op;

use super::world::{World, arn, creation};
use crate::model::url::AuthType;
use crate::name::Scope;

fn create(name: &str, qualifier: Option<&str>) -> op::CreateFunctionUrlConfigRequest {
    op::CreateFunctionUrlConfigRequest {
        function_name: name.into(),
        qualifier: qualifier.map(Into::into),
        auth_type: op::FunctionUrlAuthType::None,
        cors: Some(op::Cors { allow_origins: Some(vec!["*".into()]), ..Default::default() }),
        invoke_mode: None,
    }
}

fn get(name: &str) -> op::GetFunctionUrlConfigRequest {
    op::GetFunctionUrlConfigRequest { function_name: name.into(), qualifier: None }
}

#[tokio::test]
async fn a_url_is_made_found_changed_and_deleted() {
    let world = World::new().await;
    world.create("greet").await;
    let made = world.ask::<op::CreateFunctionUrlConfig>(create("greet", None)).await.expect("it is made");
    let id = made
        .function_url
        .strip_prefix("http://")
        .and_then(|rest| rest.strip_suffix(".lambda-url.us-east-1.localhost:4566/"))
        .expect("the address is one of ours");
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{id}");
    assert_eq!(made.function_arn, arn("greet"));
    let target = world.functions.resolve_url(id).expect("the address leads somewhere");
    assert_eq!(target.arn(), arn("greet"));
    assert_eq!(target.url().map(|url| url.auth), Some(AuthType::None));
    let named = world.functions.resolve_name(&Scope::of(&world.call()), "greet").expect("the name does too");
    assert_eq!(named.url(), target.url());
    assert!(world.functions.resolve_anywhere("greet").is_some());

    let again = world.refusal::<op::CreateFunctionUrlConfig>(create("greet", None)).await;
    assert_eq!(
        again,
        (
            "ResourceConflictException".into(),
            format!(
                "Failed to create function url config for [functionArn = {}]. Error message:  FunctionUrlConfig exists for \
                 this Lambda function",
                arn("greet")
            )
        )
    );
    let update = op::UpdateFunctionUrlConfigRequest {
        function_name: "greet".into(),
        auth_type: Some(op::FunctionUrlAuthType::AwsIam),
        ..Default::default()
    };
    let updated = world.ask::<op::UpdateFunctionUrlConfig>(update.clone()).await.expect("it is updated");
    assert_eq!((&updated.function_url, &updated.cors), (&made.function_url, &made.cors));
    assert_eq!(updated.auth_type, op::FunctionUrlAuthType::AwsIam);
    let without = op::UpdateFunctionUrlConfigRequest { cors: Some(op::Cors::default()), ..update };
    assert_eq!(world.ask::<op::UpdateFunctionUrlConfig>(without).await.expect("it is updated").cors, None);
    let found = world.ask::<op::GetFunctionUrlConfig>(get("greet")).await.expect("it is there");
    assert_eq!((found.function_url.as_str(), found.cors), (made.function_url.as_str(), None));
    let delete = op::DeleteFunctionUrlConfigRequest { function_name: "greet".into(), qualifier: None };
    world.ask::<op::DeleteFunctionUrlConfig>(delete.clone()).await.expect("it is deleted");
    assert!(world.functions.resolve_url(id).is_none());
    let gone = ("ResourceNotFoundException".to_owned(), "The resource you requested does not exist.".to_owned());
    assert_eq!(world.refusal::<op::GetFunctionUrlConfig>(get("greet")).await, gone);
    assert_eq!(world.refusal::<op::DeleteFunctionUrlConfig>(delete).await, gone);
    assert_eq!(world.refusal::<op::CreateFunctionUrlConfig>(create("nobody", None)).await, gone);
    let anew = world.ask::<op::CreateFunctionUrlConfig>(create("greet", None)).await.expect("it is made again");
    assert_eq!(anew.function_url, made.function_url, "an address stays what it was");
}

#[tokio::test]
async fn aliases_have_urls_of_their_own_and_versions_have_none() {
    let world = World::new().await;
    world.create("greet").await;
    world.publish("greet").await;
    let gone = "The resource you requested does not exist.";
    assert_eq!(world.refusal::<op::CreateFunctionUrlConfig>(create("greet", Some("live"))).await.1, gone);
    let alias = op::CreateAliasRequest {
        function_name: "greet".into(),
        name: "live".into(),
        function_version: "1".into(),
        ..Default::default()
    };
    world.ask::<op::CreateAlias>(alias).await.expect("it is made");
    let own = world.ask::<op::CreateFunctionUrlConfig>(create("greet", None)).await.expect("it is made");
    let live = world.ask::<op::CreateFunctionUrlConfig>(create("greet", Some("live"))).await.expect("it is made");
    assert_ne!(own.function_url, live.function_url);
    assert_eq!(live.function_arn, arn("greet:live"));
    let list =
        op::ListFunctionUrlConfigsRequest { function_name: "greet".into(), max_items: Some(1), ..Default::default() };
    let first = world.ask::<op::ListFunctionUrlConfigs>(list.clone()).await.expect("it lists");
    let second = op::ListFunctionUrlConfigsRequest { marker: first.next_marker, ..list };
    let second = world.ask::<op::ListFunctionUrlConfigs>(second).await.expect("it lists");
    assert_eq!(first.function_url_configs[0].function_url, own.function_url);
    assert_eq!(second.function_url_configs[0].function_url, live.function_url);
    assert_eq!(second.next_marker, None);
    let streamed = op::CreateFunctionUrlConfigRequest {
        invoke_mode: Some(op::InvokeMode::ResponseStream),
        ..create("greet", None)
    };
    // Web servers stream; the layer that makes an executable one on AWS is built in.
    let adapter = "arn:aws:lambda:us-east-1:753240598075:layer:LambdaAdapterLayerX86:25";
    let server = op::CreateFunctionRequest {
        runtime: Some("provided.al2023".into()),
        layers: Some(vec![adapter.into()]),
        ..creation("server")
    };
    let made = world.ask::<op::CreateFunction>(server).await.expect("it is made");
    assert_eq!(made.layers.expect("it has layers")[0].arn.as_deref(), Some(adapter));
    let streamed = op::CreateFunctionUrlConfigRequest { function_name: "server".into(), ..streamed };
    let made = world.ask::<op::CreateFunctionUrlConfig>(streamed).await.expect("it is made");
    assert_eq!(made.invoke_mode, Some(op::InvokeMode::ResponseStream));
    let target = world.functions.resolve_anywhere("server").expect("it is there");
    assert!(target.is_server());
    assert!(!world.functions.resolve_anywhere("greet").expect("it is there").is_server());
    let update = op::UpdateFunctionUrlConfigRequest {
        function_name: "greet".into(),
        invoke_mode: Some(op::InvokeMode::ResponseStream),
        ..Default::default()
    };
    let updated = world.ask::<op::UpdateFunctionUrlConfig>(update).await.expect("any function may stream");
    assert_eq!(updated.invoke_mode, Some(op::InvokeMode::ResponseStream));
    for qualifier in ["1", "$LATEST"] {
        let refused = world.refusal::<op::CreateFunctionUrlConfig>(create("greet", Some(qualifier))).await;
        assert_eq!(refused.0, "ValidationException", "{}", refused.1);
    }
    let delete = op::DeleteAliasRequest { function_name: "greet".into(), name: "live".into() };
    world.ask::<op::DeleteAlias>(delete).await.expect("it is deleted");
    let list = op::ListFunctionUrlConfigsRequest { function_name: "greet".into(), ..Default::default() };
    let left = world.ask::<op::ListFunctionUrlConfigs>(list).await.expect("it lists");
    assert_eq!(left.function_url_configs.len(), 1, "an alias's address goes with it");
}
