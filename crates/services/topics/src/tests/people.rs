//! Phones, devices, and the outbox.

use super::*;

#[tokio::test]
async fn short_messages_lie_in_the_outbox() {
    let bench = Bench::new().await;
    let topic = bench.create("news", &[]).await;
    bench.subscribe(&topic, "sms", "+4930123456", &[]).await;
    bench.publish(&topic, "by topic").await;
    let direct =
        aws::PublishInput { phone_number: Some("+491701".into()), message: "direct".into(), ..Default::default() };
    bench.try_publish(direct).await.unwrap();
    let letters = bench.letters().await;
    let told: Vec<(&str, &str)> = letters.iter().map(|letter| (letter.to.as_str(), letter.body.as_str())).collect();
    assert_eq!(told, [("+491701", "direct"), ("+4930123456", "by topic")]);
    // Long ones are whole too, and pages follow each other.
    let long = "ä".repeat(100_000);
    bench.publish(&topic, &long).await;
    let page = bench.topics.outbox(None, 1).await.unwrap();
    assert_eq!((page.letters.len(), page.letters[0].body == long), (1, true));
    let page = bench.topics.outbox(page.next.as_deref(), 2).await.unwrap();
    assert_eq!(page.letters, letters);
    assert!(bench.topics.outbox(Some("zz"), 1).await.is_err());
}

#[tokio::test]
async fn devices_get_pushes_while_they_are_enabled() {
    let bench = Bench::new().await;
    let input = aws::CreatePlatformApplicationInput {
        name: "shop".into(),
        platform: "GCM".into(),
        attributes: map(&[("PlatformCredential", "secret")]),
    };
    let app = bench.call::<aws::CreatePlatformApplication>(input).await.unwrap().platform_application_arn.unwrap();
    let create = |user_data: Option<&str>| aws::CreatePlatformEndpointInput {
        platform_application_arn: app.clone(),
        token: "device".into(),
        custom_user_data: user_data.map(str::to_owned),
        attributes: None,
    };
    let endpoint = bench.call::<aws::CreatePlatformEndpoint>(create(None)).await.unwrap().endpoint_arn.unwrap();
    let again = bench.call::<aws::CreatePlatformEndpoint>(create(None)).await.unwrap().endpoint_arn.unwrap();
    assert_eq!(again, endpoint);
    assert!(
        refused(bench.call::<aws::CreatePlatformEndpoint>(create(Some("x"))).await)
            .contains("already exists with the same Token")
    );
    let shown = aws::GetPlatformApplicationAttributesInput { platform_application_arn: app.clone() };
    let shown = bench.call::<aws::GetPlatformApplicationAttributes>(shown).await.unwrap().attributes.unwrap();
    assert_eq!(shown, map(&[("Enabled", "true")]));
    let push = || aws::PublishInput {
        target_arn: Some(endpoint.clone()),
        message: r#"{"default":"all","GCM":"{\"notification\":1}"}"#.into(),
        message_structure: Some("json".into()),
        ..Default::default()
    };
    bench.try_publish(push()).await.unwrap();
    assert_eq!(bench.letters().await[0].body, "{\"notification\":1}");
    let disable =
        aws::SetEndpointAttributesInput { endpoint_arn: endpoint.clone(), attributes: map(&[("Enabled", "false")]) };
    bench.call::<aws::SetEndpointAttributes>(disable).await.unwrap();
    assert_eq!(refused(bench.try_publish(push()).await), "EndpointDisabledException: Endpoint is disabled");
    let list = aws::ListEndpointsByPlatformApplicationInput { platform_application_arn: app.clone(), next_token: None };
    let listed = bench.call::<aws::ListEndpointsByPlatformApplication>(list).await.unwrap().endpoints.unwrap();
    assert_eq!(listed[0].attributes.as_ref().unwrap()["Enabled"], "false");
    let delete = aws::DeletePlatformApplicationInput { platform_application_arn: app };
    bench.call::<aws::DeletePlatformApplication>(delete).await.unwrap();
    assert!(refused(bench.try_publish(push()).await).contains("No endpoint found for the target arn specified"));
}

#[tokio::test]
async fn phones_of_the_sandbox_are_verified_by_what_lies_in_the_outbox() {
    let bench = Bench::new().await;
    let phone = "+4930123456";
    let create = aws::CreateSMSSandboxPhoneNumberInput { phone_number: phone.into(), language_code: None };
    bench.call::<aws::CreateSMSSandboxPhoneNumber>(create).await.unwrap();
    let digits: String = bench.letters().await[0].body.chars().filter(char::is_ascii_digit).collect();
    let verify = |password: &str| aws::VerifySMSSandboxPhoneNumberInput {
        phone_number: phone.into(),
        one_time_password: password.into(),
    };
    assert!(bench.call::<aws::VerifySMSSandboxPhoneNumber>(verify("0")).await.is_err());
    bench.call::<aws::VerifySMSSandboxPhoneNumber>(verify(&digits)).await.unwrap();
    let list = aws::ListSMSSandboxPhoneNumbersInput::default();
    let listed = bench.call::<aws::ListSMSSandboxPhoneNumbers>(list).await.unwrap().phone_numbers;
    assert_eq!(listed[0].status.as_ref().map(|status| status.as_str()), Some("Verified"));
}
