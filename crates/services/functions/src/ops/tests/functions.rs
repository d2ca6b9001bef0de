//! Create, read, list, update, delete.

use wire::lambda as op;

use super::world::{ROLE, World, arn, creation, package};

#[tokio::test]
async fn a_new_function_shows_every_field_as_aws_does() {
    let world = World::new().await;
    let made = world.create("greet").await;
    assert_eq!(made.function_name.as_deref(), Some("greet"));
    assert_eq!(made.function_arn, Some(arn("greet")));
    assert_eq!(made.role.as_deref(), Some(ROLE));
    assert_eq!((made.timeout, made.memory_size), (Some(3), Some(128)));
    assert_eq!(made.description.as_deref(), Some(""));
    assert_eq!(made.version.as_deref(), Some("$LATEST"));
    assert_eq!(made.state, Some(op::State::Active));
    assert_eq!(made.last_update_status, Some(op::LastUpdateStatus::Successful));
    assert_eq!(made.package_type, Some(op::PackageType::Zip));
    assert_eq!(made.ephemeral_storage.as_ref().map(|storage| storage.size), Some(512));
    assert_eq!(made.code_size, Some(package("exit 1").len() as i64));
    assert_eq!(made.code_sha256.as_ref().map(String::len), Some(44));
    assert_eq!(made.environment, None);
    assert_eq!(made.vpc_config, None);
    let logging = made.logging_config.clone().expect("it has one");
    assert_eq!(logging.log_group.as_deref(), Some("/aws/lambda/greet"));
    assert_eq!(logging.log_format, Some(op::LogFormat::Text));
    let snap = made.snap_start.clone().expect("it has one");
    assert_eq!(
        (snap.apply_on, snap.optimization_status),
        (Some(op::SnapStartApplyOn::None), Some(op::SnapStartOptimizationStatus::Off))
    );
    assert!(made.last_modified.as_ref().is_some_and(|text| text.len() == 28 && text.ends_with("+0000")));
    assert_eq!(world.configuration("greet").await, Ok(made));
}

#[tokio::test]
async fn code_is_ready_to_run_before_anybody_calls() {
    let world = World::new().await;
    let mut made = Vec::new();
    let mut is_ready = |when: &str| {
        let active = world.functions.table.get(&world.scope(), "greet").expect("it is there");
        let codes = active.codes();
        assert!(codes.iter().all(|code| world.functions.compute.has_code(code)), "{when}");
        made.extend(codes);
    };
    world.create("greet").await;
    is_ready("it was made");
    world.change_code("greet", "exit 2").await;
    is_ready("it was changed");
    made.dedup();
    assert_eq!(made.len(), 2, "each time it was other code");
}

#[tokio::test]
async fn get_function_leads_to_the_code_itself() {
    let world = World::new().await;
    let mut input = creation("greet");
    input.tags = Some([("team".to_owned(), "a".to_owned())].into());
    world.ask::<op::CreateFunction>(input).await.expect("it is made");
    let get = op::GetFunctionRequest { function_name: arn("greet"), qualifier: None };
    let found = world.ask::<op::GetFunction>(get).await.expect("it is there");
    assert_eq!(found.tags, Some([("team".to_owned(), "a".to_owned())].into()));
    let code = found.code.expect("it has code");
    assert_eq!(code.repository_type.as_deref(), Some("S3"));
    let location = code.location.expect("it has a link");
    let (path, query) = location
        .strip_prefix("http://localhost:4566/_code/")
        .and_then(|rest| rest.split_once('?'))
        .expect("the link is one of ours");
    let package_out = world.functions.package(path, query).await.expect("the link is good");
    assert_eq!(package_out.bytes, package("exit 1").len() as u64);
    let pieces: Vec<_> = futures_util::StreamExt::collect(package_out.content).await;
    let bytes: Vec<u8> = pieces.into_iter().flat_map(|piece| piece.expect("it is read").to_vec()).collect();
    assert_eq!(bytes, package("exit 1"));
    for (path, query, expected) in [
        (path, "", "incomplete"),
        (path, &*query.replace("expires=1", "expires=2"), "was not made by this node"),
        (&*"0".repeat(64), query, "was not made by this node"),
        (path, "expires=x&signature=00", "no number"),
    ] {
        let fault = world.functions.package(path, query).await.err().expect("it is refused");
        assert_eq!((fault.code.as_str(), fault.status), ("AccessDenied", Some(403)));
        assert!(fault.message.contains(expected), "{}", fault.message);
    }
}

#[tokio::test]
async fn code_comes_from_a_bucket_as_it_comes_with_a_request() {
    let world = World::new().await;
    let object = |version: Option<&str>| op::FunctionCode {
        s3_bucket: Some("mine".into()),
        s3_key: Some("code.zip".into()),
        s3_object_version: version.map(Into::into),
        ..Default::default()
    };
    let wanted = op::CreateFunctionRequest { code: object(None), ..creation("stored") };
    let made = world.ask::<op::CreateFunction>(wanted).await.expect("it is made");
    let sent = world.change_code("stored", "exit 2").await;
    assert_eq!((made.code_sha256.as_ref(), made.code_size), (sent.code_sha256.as_ref(), sent.code_size));
    let old = op::UpdateFunctionCodeRequest {
        function_name: "stored".into(),
        s3_bucket: Some("mine".into()),
        s3_key: Some("code.zip".into()),
        s3_object_version: Some("old".into()),
        ..Default::default()
    };
    let changed = world.ask::<op::UpdateFunctionCode>(old).await.expect("it is changed");
    assert_ne!(changed.code_sha256, made.code_sha256);
    let layer = op::PublishLayerVersionRequest {
        layer_name: "tools".into(),
        content: op::LayerVersionContentInput {
            s3_bucket: Some("mine".into()),
            s3_key: Some("code.zip".into()),
            ..Default::default()
        },
        ..Default::default()
    };
    let layer = world.ask::<op::PublishLayerVersion>(layer).await.expect("it is published");
    assert_eq!(layer.content.and_then(|content| content.code_sha256), made.code_sha256);
    let nowhere = op::FunctionCode { s3_bucket: Some("other".into()), ..object(None) };
    let nowhere =
        world.refusal::<op::CreateFunction>(op::CreateFunctionRequest { code: nowhere, ..creation("b") }).await;
    let told = "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist";
    assert_eq!((nowhere.0.as_str(), nowhere.1.as_str()), ("InvalidParameterValueException", told));
}

#[tokio::test]
async fn a_package_that_is_longer_than_one_read_is_read_again() {
    let world = World::new().await;
    let long = bytes::Bytes::from(vec![7; ::store::Blobs::READ_MAX.bytes() as usize + 1]);
    let stored = world.functions.blobs.put(long.clone()).await.expect("it is kept");
    assert!(world.functions.kept(stored.id).await.expect("it is read") == long);
}

#[tokio::test]
async fn what_cannot_be_a_function_is_refused_and_leaves_nothing() {
    let world = World::new().await;
    let bad_zip = op::FunctionCode { zip_file: Some("no zip".into()), ..Default::default() };
    let bucket = op::FunctionCode { s3_bucket: Some("mine".into()), s3_key: Some("k".into()), ..Default::default() };
    let asset = |key: &str| op::FunctionCode {
        s3_bucket: Some("_assets".into()),
        s3_key: Some(key.into()),
        ..Default::default()
    };
    let both = op::FunctionCode { zip_file: Some(package("")), ..bucket.clone() };
    type Change = Box<dyn Fn(&mut op::CreateFunctionRequest) + Send>;
    let cases: Vec<(Change, &str, &str)> = vec![
        (
            Box::new(move |i| i.code = bad_zip.clone()),
            "InvalidParameterValueException",
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
        (
            Box::new(move |i| i.code = bucket.clone()),
            "InvalidParameterValueException",
            "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.",
        ),
        (Box::new(move |i| i.code = asset("abc")), "InvalidParameterValueException", "NoSuchKey"),
        (Box::new(move |i| i.code = asset(&"0".repeat(64))), "InvalidParameterValueException", "NoSuchKey"),
        (
            Box::new(move |i| i.code = both.clone()),
            "InvalidParameterValueException",
            "Please do not provide other FunctionCode parameters when providing a ZipFile.",
        ),
        (
            Box::new(|i| i.code = op::FunctionCode::default()),
            "InvalidParameterValueException",
            "Please provide a source for function code.",
        ),
        (
            Box::new(|i| i.runtime = None),
            "InvalidParameterValueException",
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        ),
        (Box::new(|i| i.runtime = Some("java21".into())), "InvalidParameterValueException", "java21"),
        (Box::new(|i| i.role = "me".into()), "ValidationException", "at 'role' failed to satisfy constraint"),
        (Box::new(|i| i.timeout = Some(901)), "ValidationException", "less than or equal to 900"),
        (
            Box::new(|i| i.function_name = "n".repeat(65)),
            "InvalidParameterValueException",
            "Member must have length less than or equal to 64",
        ),
        (Box::new(|i| i.function_name = "a b".into()), "ValidationException", "at 'functionName'"),
    ];
    for (change, code, message) in cases {
        let mut input = creation("greet");
        change(&mut input);
        let (found_code, found_message) = world.refusal::<op::CreateFunction>(input).await;
        assert_eq!(found_code, code, "{found_message}");
        assert!(found_message.contains(message), "{found_message}");
    }
    let listed = world.ask::<op::ListFunctions>(Default::default()).await.expect("it lists");
    assert_eq!(listed.functions.map(|functions| functions.len()), Some(0));
}

#[tokio::test]
async fn code_comes_from_the_nodes_own_code_store_too() {
    let world = World::new().await;
    let stored = world.functions.blobs.put(package("exit 2")).await.expect("it is kept");
    let mut input = creation("greet");
    input.code = op::FunctionCode {
        s3_bucket: Some("_assets".into()),
        s3_key: Some(stored.id.to_string()),
        ..Default::default()
    };
    let made = world.ask::<op::CreateFunction>(input).await.expect("it is made");
    let from_bytes = world.change_code("greet", "exit 2").await;
    assert_eq!(made.code_sha256, from_bytes.code_sha256);
}

#[tokio::test]
async fn a_name_is_taken_once_and_free_again_after_deletion() {
    let world = World::new().await;
    let first = world.create("greet").await;
    let again = world.refusal::<op::CreateFunction>(creation("greet")).await;
    assert_eq!(again, ("ResourceConflictException".into(), "Function already exist: greet".into()));
    let delete = || op::DeleteFunctionRequest { function_name: "greet".into(), qualifier: None };
    let gone = world.ask::<op::DeleteFunction>(delete()).await.expect("it is deleted");
    assert_eq!(gone.status_code, Some(204));
    let missing = format!("Function not found: {}", arn("greet"));
    assert_eq!(
        world.refusal::<op::DeleteFunction>(delete()).await,
        ("ResourceNotFoundException".into(), missing.clone())
    );
    let fault = world.configuration("greet").await.expect_err("it is gone");
    assert_eq!((fault.status, fault.message), (Some(404), missing));
    assert_ne!(world.create("greet").await.revision_id, first.revision_id);
}

#[tokio::test]
async fn of_many_creations_of_one_name_one_wins() {
    let world = &World::new().await;
    let made = futures_util::future::join_all((0..8).map(|_| world.ask::<op::CreateFunction>(creation("greet")))).await;
    assert_eq!(made.iter().filter(|answer| answer.is_ok()).count(), 1);
    let refused = made.iter().filter_map(|answer| answer.as_ref().err());
    assert!(refused.into_iter().all(|fault| fault.message == "Function already exist: greet"));
}

#[tokio::test]
async fn settings_that_are_not_named_stay() {
    let world = World::new().await;
    let mut input = creation("greet");
    input.environment = Some(op::Environment { variables: Some([("KEY".to_owned(), "value".to_owned())].into()) });
    input.description = Some("first".into());
    let made = world.ask::<op::CreateFunction>(input).await.expect("it is made");
    let update = op::UpdateFunctionConfigurationRequest {
        function_name: "greet".into(),
        timeout: Some(10),
        ..Default::default()
    };
    let updated = world.ask::<op::UpdateFunctionConfiguration>(update.clone()).await.expect("it is updated");
    assert_eq!(updated.timeout, Some(10));
    assert_ne!(updated.revision_id, made.revision_id);
    let same = op::FunctionConfiguration {
        timeout: made.timeout,
        revision_id: made.revision_id.clone(),
        last_modified: made.last_modified.clone(),
        ..updated.clone()
    };
    assert_eq!(same, made);
    let none = op::UpdateFunctionConfigurationRequest {
        environment: Some(op::Environment { variables: Some(Default::default()) }),
        ..update
    };
    let updated = world.ask::<op::UpdateFunctionConfiguration>(none).await.expect("it is updated");
    assert_eq!(updated.environment, None);
}

#[tokio::test]
async fn an_old_revision_is_refused_and_of_two_with_one_revision_one_wins() {
    let world = &World::new().await;
    let made = world.create("greet").await;
    let update = |timeout: i32, revision: Option<String>| op::UpdateFunctionConfigurationRequest {
        function_name: "greet".into(),
        timeout: Some(timeout),
        revision_id: revision,
        ..Default::default()
    };
    let racers = (1..=8).map(|n| world.ask::<op::UpdateFunctionConfiguration>(update(n, made.revision_id.clone())));
    let ended = futures_util::future::join_all(racers).await;
    assert_eq!(ended.iter().filter(|answer| answer.is_ok()).count(), 1);
    let stale =
        world.ask::<op::UpdateFunctionConfiguration>(update(9, made.revision_id.clone())).await.expect_err("stale");
    assert_eq!((stale.code.as_str(), stale.status), ("PreconditionFailedException", Some(412)));
    assert_eq!(
        stale.message,
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the \
         latest Revision Id"
    );
    let code = op::UpdateFunctionCodeRequest {
        function_name: "greet".into(),
        zip_file: Some(package("exit 2")),
        revision_id: made.revision_id,
        ..Default::default()
    };
    assert_eq!(world.refusal::<op::UpdateFunctionCode>(code).await.0, "PreconditionFailedException");
}

#[tokio::test]
async fn new_code_is_taken_tried_or_published() {
    let world = World::new().await;
    let made = world.create("greet").await;
    let update = |text: &str| op::UpdateFunctionCodeRequest {
        function_name: "greet".into(),
        zip_file: Some(package(text)),
        ..Default::default()
    };
    let dry = op::UpdateFunctionCodeRequest { dry_run: Some(true), publish: Some(true), ..update("exit 2") };
    let tried = world.ask::<op::UpdateFunctionCode>(dry).await.expect("it would do");
    assert_ne!(tried.code_sha256, made.code_sha256);
    assert_eq!(world.configuration("greet").await.map(|now| now.code_sha256), Ok(made.code_sha256));
    let publish = op::UpdateFunctionCodeRequest { publish: Some(true), ..update("exit 2") };
    let published = world.ask::<op::UpdateFunctionCode>(publish).await.expect("it is published");
    assert_eq!(published.version.as_deref(), Some("1"));
    assert_eq!(published.function_arn, Some(arn("greet:1")));
    assert_eq!(published.code_sha256, tried.code_sha256);
    let missing = op::UpdateFunctionCodeRequest { function_name: "nobody".into(), ..update("exit 2") };
    assert_eq!(
        world.refusal::<op::UpdateFunctionCode>(missing).await,
        ("ResourceNotFoundException".into(), format!("Function not found: {}", arn("nobody")))
    );
}

#[tokio::test]
async fn lists_come_in_pages_by_name() {
    let world = World::new().await;
    for number in 0..7 {
        world.create(&format!("f{number}")).await;
    }
    world.publish("f3").await;
    for (every, expected) in [(None, 7), (Some(op::FunctionVersion::All), 8)] {
        let (mut names, mut marker) = (Vec::new(), None);
        loop {
            let input = op::ListFunctionsRequest {
                function_version: every.clone(),
                marker: marker.take(),
                max_items: Some(3),
                ..Default::default()
            };
            let page = world.ask::<op::ListFunctions>(input).await.expect("it lists");
            let functions = page.functions.expect("there is a list");
            assert!(functions.len() <= 3);
            assert!(
                functions.iter().all(|function| function.state.is_none() && function.runtime_version_config.is_none())
            );
            names.extend(functions.into_iter().filter_map(|function| function.function_arn));
            match page.next_marker {
                Some(next) => marker = Some(next),
                None => break,
            }
        }
        assert_eq!(names.len(), expected);
        assert!(names.is_sorted_by_key(|name| name.replace("$LATEST", "0")));
    }
    let far = contract::Call { region: contract::Region::parse("eu-west-1").expect("a region"), ..world.call() };
    let elsewhere = world.dispatch.call::<op::ListFunctions>(&far, Default::default()).await.expect("it lists");
    assert_eq!(elsewhere.functions.map(|functions| functions.len()), Some(0));
}

/// Fifty tags of AWS's length are more bytes than a record holds where letters take four each.
#[tokio::test]
async fn what_is_too_long_together_is_refused_with_the_reason() {
    let world = World::new().await;
    let before = world.create("greet").await;
    let tags = (0..50).map(|n| (format!("{n:02}{}", "𝒜".repeat(126)), "𝒜".repeat(256))).collect();
    let (code, message) =
        world.refusal::<op::TagResource>(op::TagResourceRequest { resource: arn("greet"), tags }).await;
    assert_eq!(code, "InvalidParameterValueException");
    assert!(message.contains("and 65536 can be kept together"), "{message}");
    assert_eq!(world.configuration("greet").await, Ok(before));
}

#[tokio::test]
async fn tags_are_added_changed_and_taken_off() {
    let world = World::new().await;
    world.create("greet").await;
    let tags = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let tag = |pairs: &[(&str, &str)]| op::TagResourceRequest { resource: arn("greet"), tags: tags(pairs) };
    world.ask::<op::TagResource>(tag(&[("a", "1"), ("b", "2")])).await.expect("it is tagged");
    world.ask::<op::TagResource>(tag(&[("a", "3")])).await.expect("it is tagged");
    let untag = op::UntagResourceRequest { resource: arn("greet"), tag_keys: vec!["b".into(), "none".into()] };
    world.ask::<op::UntagResource>(untag).await.expect("it is untagged");
    let list = op::ListTagsRequest { resource: arn("greet") };
    let listed = world.ask::<op::ListTags>(list).await.expect("it lists");
    assert_eq!(listed.tags, Some(tags(&[("a", "3")])));
    for (input, expected) in [
        (tag(&[]), "An error occurred and the request cannot be processed."),
        (
            op::TagResourceRequest { resource: arn("greet:1"), tags: tags(&[("a", "1")]) },
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        ),
        (
            op::TagResourceRequest { resource: arn("nobody"), tags: tags(&[("a", "1")]) },
            &*format!("Function not found: {}", arn("nobody")),
        ),
    ] {
        assert_eq!(world.refusal::<op::TagResource>(input).await.1, expected);
    }
}

#[tokio::test]
async fn tools_find_what_they_ask_for_besides() {
    let world = World::new().await;
    world.create("greet").await;
    let name = || "greet".to_owned();
    let signing = op::GetFunctionCodeSigningConfigRequest { function_name: name() };
    let signing = world.ask::<op::GetFunctionCodeSigningConfig>(signing).await.expect("it answers");
    assert_eq!((signing.function_name.as_str(), signing.code_signing_config_arn.as_str()), ("greet", ""));
    let put = op::PutFunctionRecursionConfigRequest { function_name: name(), recursive_loop: op::RecursiveLoop::Allow };
    world.ask::<op::PutFunctionRecursionConfig>(put).await.expect("it is set");
    let get = op::GetFunctionRecursionConfigRequest { function_name: name() };
    let recursion = world.ask::<op::GetFunctionRecursionConfig>(get).await.expect("it answers");
    assert_eq!(recursion.recursive_loop, Some(op::RecursiveLoop::Allow));
    let put = |update| op::PutRuntimeManagementConfigRequest {
        function_name: name(),
        update_runtime_on: update,
        ..Default::default()
    };
    let set = world.ask::<op::PutRuntimeManagementConfig>(put(op::UpdateRuntimeOn::FunctionUpdate)).await.expect("set");
    assert_eq!(set.function_arn, arn("greet:$LATEST"));
    let get = op::GetRuntimeManagementConfigRequest { function_name: name(), qualifier: None };
    let found = world.ask::<op::GetRuntimeManagementConfig>(get).await.expect("it answers");
    assert_eq!(found.update_runtime_on, Some(op::UpdateRuntimeOn::FunctionUpdate));
    let manual = world.refusal::<op::PutRuntimeManagementConfig>(put(op::UpdateRuntimeOn::Manual)).await;
    assert!(manual.1.contains("cannot be honoured"), "{}", manual.1);
    let account = world.ask::<op::GetAccountSettings>(Default::default()).await.expect("it answers");
    let (limit, usage) = (account.account_limit.expect("limits"), account.account_usage.expect("usage"));
    assert_eq!(limit.total_code_size, Some(80_530_636_800));
    assert_eq!((limit.code_size_unzipped, limit.code_size_zipped), (Some(262_144_000), Some(52_428_800)));
    assert_eq!((usage.function_count, usage.total_code_size), (Some(1), Some(package("exit 1").len() as i64)));
}
