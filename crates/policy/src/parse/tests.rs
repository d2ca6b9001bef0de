//! Documents that break the grammar, and the faults they get; documents that do not.

use super::*;

#[test]
fn broken_documents_get_their_fault() {
    for (kind, document, expected) in [
        (Kind::Identity, "", None),
        (Kind::Identity, "[]", None),
        (Kind::Identity, "{}", Some(M::Missing("Statement"))),
        (Kind::Identity, r#"{"Version":"2012-10-18","Statement":[]}"#, Some(M::Version)),
        (Kind::Identity, r#"{"Statement":[{}]}"#, Some(M::Missing("Effect"))),
        (Kind::Identity, r#"{"Statement":[{"Effect":"allow"}]}"#, Some(M::EffectUnknown("allow".into()))),
        (Kind::Identity, r#"{"Statement":[{"Effect":"Allow"}]}"#, Some(M::NoActions)),
        (Kind::Identity, r#"{"Statement":[{"Effect":"Allow","Action":"a:b"}]}"#, Some(M::NoResources)),
        (Kind::Identity, r#"{"Statement":[{"Effect":"Allow","Action":"b","Resource":"*"}]}"#, Some(M::NoVendor)),
        (Kind::Identity, r#"{"Statement":[{"Effect":"Allow","Action":"a:b:c","Resource":"*"}]}"#, Some(M::TwoColons)),
        (
            Kind::Identity,
            r#"{"Statement":[{"Effect":"Allow","Action":"a*:b","Resource":"*"}]}"#,
            Some(M::VendorUnknown("a*".into())),
        ),
        (
            Kind::Identity,
            r#"{"Statement":[{"Effect":"Allow","Action":"a:b","Resource":"bucket"}]}"#,
            Some(M::ResourceForm("bucket".into())),
        ),
        (
            Kind::Identity,
            r#"{"Statement":[{"Effect":"Allow","Action":"a:b","Resource":"arn:gcp:s3:::b"}]}"#,
            Some(M::Partition { partition: "gcp".into(), resource: "arn:gcp:s3:::b".into() }),
        ),
        (
            Kind::Identity,
            r#"{"Statement":[{"Effect":"Allow","Action":"a:b","Resource":"*","Principal":"*"}]}"#,
            Some(M::PrincipalProhibited),
        ),
        (
            Kind::Identity,
            r#"{"Statement":[{"Sid":"a b","Effect":"Allow","Action":"a:b","Resource":"*"}]}"#,
            Some(M::SidForm),
        ),
        (
            Kind::Identity,
            r#"{"Statement":[{"Sid":"a","Effect":"Allow","Action":"a:b","Resource":"*"},
                             {"Sid":"a","Effect":"Deny","Action":"a:b","Resource":"*"}]}"#,
            Some(M::SidTwice),
        ),
        (
            Kind::Identity,
            r#"{"Statement":[{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"Is":{"k":"v"}}}]}"#,
            Some(M::OperatorUnknown("Is".into())),
        ),
        (
            Kind::Identity,
            r#"{"Statement":[{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"Bool":{"k":"v"}}}]}"#,
            Some(M::ConditionValue { operator: "Bool".into(), key: "k".into(), value: "v".into() }),
        ),
        (Kind::Resource, r#"{"Statement":[{"Effect":"Allow","Action":"a:b"}]}"#, Some(M::Missing("Principal"))),
        (
            Kind::Resource,
            r#"{"Statement":[{"Effect":"Allow","Action":"a:b","Principal":{"AWS":"ada"}}]}"#,
            Some(M::PrincipalUnknown { kind: "AWS".into(), value: "ada".into() }),
        ),
        (Kind::Resource, r#"{"Statement":[{"Effect":"Allow","Action":"a:b","NotPrincipal":"*"}]}"#, None),
        (Kind::Resource, r#"{"Statement":[{"Effect":"Allow","Action":[],"Principal":"*"}]}"#, None),
        (Kind::Resource, r#"{"Statement":[{"Effect":"Allow","Acton":"a:b","Principal":"*"}]}"#, None),
        (Kind::Resource, r#"{"Statement":"x"}"#, None),
        (Kind::Trust, r#"{"Statement":[{"Effect":"Allow","Action":"a:b","Principal":"*"}]}"#, Some(M::TrustAction)),
        (
            Kind::Trust,
            r#"{"Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*","Resource":"*"}]}"#,
            Some(M::Prohibited("Resource")),
        ),
    ] {
        let fault = Policy::parse(document, kind).expect_err(document);
        match expected {
            Some(expected) => assert_eq!(fault, expected, "{document}"),
            None => assert!(matches!(fault, M::Syntax(_)), "{document}: {fault:?}"),
        }
    }
    let long = " ".repeat(Policy::BYTES_MAX + 1);
    assert_eq!(Policy::parse(&long, Kind::Identity), Err(M::TooLong { bytes: long.len() }));
}

#[test]
fn whole_documents_are_read() {
    for (kind, document, statements) in [
        (Kind::Identity, r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#, 1),
        (
            Kind::Resource,
            r#"{"Version":"2012-10-17","Id":"default","Statement":[{"Sid":"url-public","Effect":"Allow","Principal":"*",
                "Action":"lambda:InvokeFunctionUrl","Resource":"arn:aws:lambda:us-east-1:000000000000:function:greet",
                "Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}}]}"#,
            1,
        ),
        (Kind::Resource, r#"{"Version":"2012-10-17","Statement":[]}"#, 0),
        (
            Kind::Trust,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},
                "Action":["sts:AssumeRole","sts:TagSession"]}]}"#,
            1,
        ),
        (
            Kind::Identity,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotAction":["iam:*"],"NotResource":["arn:aws:s3:::b"],
                "Condition":{"NumericLessThan":{"s3:max-keys":10},"Bool":{"aws:SecureTransport":true}}}]}"#,
            1,
        ),
    ] {
        assert_eq!(Policy::parse(document, kind).map(|policy| policy.len()), Ok(statements), "{document}");
    }
}

#[test]
fn mutated_documents_never_panic() {
    let random = base::Random::seeded(11);
    let seed = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"s3:*",
        "Resource":"arn:aws:s3:::home/${aws:username, 'x'}/*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}]}"#;
    for _ in 0..20_000 {
        let mut bytes = seed.as_bytes().to_vec();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(3) {
                0 => bytes[at] = b"{}[]\":,$*?0/ae\\"[random.below(15) as usize],
                1 => {
                    bytes.remove(at);
                }
                _ => bytes.insert(at, random.below(128) as u8),
            }
        }
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let first = Policy::parse(text, Kind::Resource);
            assert_eq!(first, Policy::parse(text, Kind::Resource));
            crate::fuzzing::document(text.as_bytes());
        }
    }
}
