//! Records that lie on people's disks are read as ever, and what cannot be one is refused.

use store::record::{decode, encode};

use super::*;
use crate::model::settings::tests::good;

/// What is on people's disks. A line here is never changed: a new version of a record gets a new line, and this one must
/// still be read.
const FUNCTION_1: &str = r#"lambda-function/1 {"id":"00000000-0000-0000-0000-000000000001","latest":{"code":"0707070707070707070707070707070707070707070707070707070707070707","code_bytes":9,"content":3,"revision":"00000000-0000-0000-0000-000000000002","modified_ms":5,"runtime_update":"function-update","runtime":"nodejs22.x","role":"arn:aws:iam::000000000000:role/any","handler":"index.handler","description":"","timeout_s":3,"memory_mb":128,"tmp_mb":512,"environment":{"KEY":"value"},"architecture":"arm64","tracing":"active","snap_start":"published-versions","log_group":"/aws/lambda/greet","log_format":"text","log_level_application":null,"log_level_system":null},"version_next":4,"tags":{"a":"1"},"concurrency_reserved":7,"recursion":"allow"}"#;
const ALIAS_1: &str = r#"lambda-alias/1 {"version":1,"second":{"version":2,"weight":0.25},"description":"d","revision":"00000000-0000-0000-0000-000000000002"}"#;
const URL_1: &str = r#"lambda-url/1 {"id":"abc","auth":"aws-iam","cors":{"allow_credentials":true,"allow_headers":null,"allow_methods":["GET"],"allow_origins":["*"],"expose_headers":[],"max_age_s":60},"mode":"response-stream","created_ms":1,"modified_ms":2}"#;
const POLICY_1: &str = r#"lambda-policy/1 {"statements":[{"sid":"one","action":"lambda:InvokeFunction","principal":{"service":"s3.amazonaws.com"},"source_arn":"arn:aws:s3:::b","source_account":null,"principal_org_id":null,"event_source_token":null,"function_url_auth_type":null,"invoked_via_function_url":true},{"sid":"two","action":"lambda:*","principal":"everybody","source_arn":null,"source_account":null,"principal_org_id":null,"event_source_token":null,"function_url_auth_type":"NONE","invoked_via_function_url":null}]}"#;

const PROVISION_1: &str = r#"lambda-provision/1 {"wanted":3,"modified_ms":5}"#;

fn function() -> model::Function {
    let settings = model::Settings {
        environment: [("KEY".to_owned(), "value".to_owned())].into(),
        architecture: Architecture::Arm64,
        tracing: Tracing::Active,
        snap_start: SnapStart::PublishedVersions,
        ..good()
    };
    let latest = model::Version {
        code: Code::Zip(Archive { sha256: [7; 32], bytes: 9 }),
        settings,
        content: 3,
        revision: Uuid::from_u128(2),
        modified_ms: 5,
        runtime_update: RuntimeUpdate::FunctionUpdate,
    };
    model::Function {
        id: Uuid::from_u128(1),
        latest,
        version_next: 4,
        tags: [("a".to_owned(), "1".to_owned())].into(),
        concurrency_reserved: Some(7),
        recursion: Recursion::Allow,
    }
}

#[test]
fn functions_are_written_and_read_as_ever() {
    let written = encode(&Function::from(&function())).unwrap();
    assert_eq!(String::from_utf8_lossy(&written), FUNCTION_1);
    assert_eq!(model::Function::try_from(decode::<Function>(FUNCTION_1.as_bytes()).unwrap()).unwrap(), function());
}

#[test]
fn what_belongs_to_functions_is_written_and_read_as_ever() {
    let alias = model::Alias::from(decode::<Alias>(ALIAS_1.as_bytes()).unwrap());
    assert_eq!(alias.routing, Some(Routing { version: 2, weight: 0.25 }));
    assert_eq!(encode(&Alias::from(&alias)).unwrap(), ALIAS_1);
    let url = model::UrlConfig::from(decode::<Url>(URL_1.as_bytes()).unwrap());
    assert_eq!((url.auth, url.mode), (AuthType::AwsIam, InvokeMode::ResponseStream));
    assert_eq!(encode(&Url::from(&url)).unwrap(), URL_1);
    let policy = model::Policy::from(decode::<Policy>(POLICY_1.as_bytes()).unwrap());
    assert_eq!(policy.statements.len(), 2);
    assert_eq!(encode(&Policy::from(&policy)).unwrap(), POLICY_1);
    let provision = model::Provision::from(decode::<Provision>(PROVISION_1.as_bytes()).unwrap());
    assert_eq!(provision, model::Provision { wanted: 3, modified_ms: 5 });
    assert_eq!(encode(&Provision::from(&provision)).unwrap(), PROVISION_1);
}

#[test]
fn images_and_layers_are_written_and_read() {
    let id = |byte: u8| compute::CodeId::from_hex(&hex::encode([byte; 32])).unwrap();
    let container = compute::Container {
        digest: id(7),
        source: "registry.example.com/app@sha256:07".into(),
        layers: vec![id(1), id(2)],
        entrypoint: vec!["/run".into()],
        command: vec!["a".into()],
        environment: vec![("A".into(), "1".into())],
        directory: Some("/app".into()),
        adapted: true,
    };
    let mut image = function();
    image.latest.code = Code::Image(Pinned { uri: "app:1".into(), container: Arc::new(container) });
    image.latest.settings.image_config.command = Some(vec!["b".into()]);
    let mut layered = function();
    layered.latest.settings.layers = vec![
        Layer { arn: "arn:one".into(), archive: Some(Archive { sha256: [1; 32], bytes: 5 }) },
        Layer { arn: "arn:two".into(), archive: None },
    ];
    for function in [image, layered] {
        let written = encode(&Function::from(&function)).unwrap();
        assert_eq!(model::Function::try_from(decode::<Function>(&written).unwrap()).unwrap(), function);
    }
    // As it was written when all layers were built in.
    let before = FUNCTION_1.replace(r#""log_level_system":null"#, r#""log_level_system":null,"layers":["arn:two"]"#);
    let read = model::Function::try_from(decode::<Function>(before.as_bytes()).unwrap()).unwrap();
    assert_eq!(read.latest.settings.layers, [Layer { arn: "arn:two".into(), archive: None }]);
}

#[test]
fn a_record_that_cannot_be_a_function_is_refused() {
    let broken = FUNCTION_1.replace("\"timeout_s\":3", "\"timeout_s\":0");
    let error = model::Function::try_from(decode::<Function>(broken.as_bytes()).unwrap()).unwrap_err();
    assert!(error.to_string().contains("no time"), "{error}");
    assert!(decode::<Function>(FUNCTION_1.replace("/1 ", "/2 ").as_bytes()).is_err());
}
