//! Requests signed by botocore's own signer (vectors.py) are accepted, and every change to one is refused.

use std::sync::Arc;
use std::time::Duration;

use base::Random;
use contract::{Cause, Principal};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::Value;
use signature::{Claim, Credential, Family, Form, Head, Payload, Refusal, Signer};

/// One request, as vectors.json has it.
#[derive(Clone)]
struct Request {
    kind: String,
    service: String,
    method: String,
    host: String,
    path: String,
    query: String,
    headers: HeaderMap,
    body: String,
}

impl Request {
    fn read(value: &Value) -> Self {
        let text = |name: &str| value[name].as_str().expect("text").to_owned();
        let mut headers = HeaderMap::new();
        for pair in value["headers"].as_array().expect("a list") {
            let name = HeaderName::try_from(pair[0].as_str().expect("a name")).expect("a name");
            headers.append(name, HeaderValue::from_str(pair[1].as_str().expect("a value")).expect("a value"));
        }
        Self {
            kind: text("kind"),
            service: text("service"),
            method: text("method"),
            host: text("host"),
            path: text("path"),
            query: text("query"),
            headers,
            body: text("body"),
        }
    }

    fn head(&self) -> Head<'_> {
        let Self { method, path, query, host, headers, .. } = self;
        Head { method, path, query, host, headers }
    }

    fn check(&self, credential: &Credential, now: Timestamp) -> Result<Claim, Refusal> {
        let claim = Claim::read(&self.head())?.ok_or(Refusal::Missing)?;
        claim.check_time(now)?;
        claim.check_token(credential, now)?;
        claim.check_signature(&self.head(), Payload::Bytes(self.body.as_bytes()), &credential.secret)?;
        Ok(claim)
    }
}

struct Vectors {
    requests: Vec<Request>,
    now: Timestamp,
    credential: Credential,
}

fn vectors() -> Vectors {
    let file: Value = serde_json::from_str(include_str!("vectors.json")).expect("JSON");
    let credential = Credential {
        secret: file["secret"].as_str().expect("text").into(),
        session_token: file["token"].as_str().map(Arc::from),
        expires: None,
        principal: Principal::Root,
    };
    let requests = file["requests"].as_array().expect("a list").iter().map(Request::read).collect();
    Vectors { requests, now: file["now"].as_str().expect("text").parse().expect("a time"), credential }
}

impl Vectors {
    /// The credential that a request was signed with: half of them have no session token.
    fn credential_of(&self, request: &Request) -> Credential {
        let tokened =
            request.headers.contains_key("x-amz-security-token") || request.query.contains("X-Amz-Security-Token");
        match tokened {
            true => self.credential.clone(),
            false => Credential { session_token: None, ..self.credential.clone() },
        }
    }
}

#[test]
fn what_botocore_signs_is_accepted() {
    let vectors = vectors();
    assert_eq!(vectors.requests.len(), 104);
    for request in &vectors.requests {
        let credential = vectors.credential_of(request);
        let claim = request.check(&credential, vectors.now);
        let claim =
            claim.unwrap_or_else(|refusal| panic!("{} {} {}: {refusal}", request.kind, request.path, request.query));
        assert_eq!(claim.access_key, "AKIAFREEHOLDTEST");
        assert_eq!((claim.scope.region.as_str(), &claim.scope.service), ("eu-central-1", &request.service));
        assert_eq!(matches!(claim.form, Form::Header), request.kind == "header");
    }
}

#[test]
fn any_change_is_refused() {
    let vectors = vectors();
    for request in &vectors.requests {
        let credential = vectors.credential_of(request);
        let check = |what: &str, changed: Request| {
            let outcome = changed.check(&credential, vectors.now);
            let refused = matches!(outcome, Err(Refusal::Mismatch { .. } | Refusal::Invalid(_)));
            assert!(refused, "{what} of {} {} {}: {outcome:?}", request.kind, request.path, request.query);
        };
        check("method", Request { method: "DELETE".into(), ..request.clone() });
        check("host", Request { host: "elsewhere".into(), ..request.clone() });
        check("path", Request { path: format!("{}/more", request.path), ..request.clone() });
        check("query", Request { query: format!("{}&more=1", request.query), ..request.clone() });
        let mut headers = request.headers.clone();
        headers.insert("x-amz-target", HeaderValue::from_static("Logs_20140328.DeleteLogGroup"));
        check("header", Request { headers, ..request.clone() });
        // S3 does not look at the body of a presigned request.
        if (request.kind.as_str(), request.service.as_str()) != ("query", "s3") {
            check("body", Request { body: request.body.clone() + "!", ..request.clone() });
        }
        let stranger = Credential { secret: "another".into(), ..credential.clone() };
        let outcome = request.check(&stranger, vectors.now);
        assert!(matches!(outcome, Err(Refusal::Mismatch { .. })), "{outcome:?}");
    }
}

#[test]
fn time_is_checked() {
    let vectors = vectors();
    let minutes = |count: i64| vectors.now + jiff::SignedDuration::from_mins(count);
    for request in vectors.requests.iter().filter(|request| request.path == "/2015-03-31/functions") {
        let credential = vectors.credential_of(request);
        for (at, good) in [(-16, false), (-15, true), (14, true), (15, true), (16, false)] {
            let outcome = request.check(&credential, minutes(at));
            assert_eq!(outcome.is_ok(), good, "{} at {at} minutes: {outcome:?}", request.kind);
        }
    }
    let header = &vectors.requests[0];
    let refusal = header.check(&vectors.credential_of(header), minutes(16)).expect_err("too late");
    let text = "Signature expired: 20261121T024011Z is now earlier than 20261121T024111Z (20261121T025611Z - 15 min.)";
    assert_eq!(refusal.to_string(), text);
    let refusal = header.check(&vectors.credential_of(header), minutes(-16)).expect_err("too early");
    let text =
        "Signature not yet current: 20261121T024011Z is still later than 20261121T023911Z (20261121T022411Z + 15 min.)";
    assert_eq!(refusal.to_string(), text);
}

#[test]
fn session_tokens_are_checked() {
    let vectors = vectors();
    let plain = &vectors.requests[0];
    let tokened = vectors.requests.iter().find(|r| r.headers.contains_key("x-amz-security-token")).expect("one");
    let ended = Credential { expires: Some(vectors.now), ..vectors.credential.clone() };
    let other = Credential { session_token: Some("other".into()), ..vectors.credential.clone() };
    let none = Credential { session_token: None, ..vectors.credential.clone() };
    for (request, credential, expected) in [
        (plain, &none, None),
        (plain, &vectors.credential, Some(Refusal::UnknownKey)),
        (tokened, &vectors.credential, None),
        (tokened, &none, Some(Refusal::UnknownKey)),
        (tokened, &other, Some(Refusal::UnknownKey)),
        (tokened, &ended, Some(Refusal::ExpiredToken)),
    ] {
        assert_eq!(request.check(credential, vectors.now).err(), expected);
    }
}

#[test]
fn what_is_missing_is_named() {
    let check = |headers: &[(&'static str, &str)], query: &str, expected: &str| {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_str(value).expect("a value"));
        }
        let head = Head { method: "GET", path: "/", query, host: "localhost", headers: &map };
        let told = match Claim::read(&head) {
            Ok(None) => "nothing".to_owned(),
            Ok(Some(claim)) => {
                format!("{}", claim.check_time("2026-11-21T02:40:11Z".parse().expect("a time")).expect_err("x"))
            }
            Err(refusal) => refusal.to_string(),
        };
        assert!(told.starts_with(expected), "{headers:?} {query}: {told}");
    };
    let good = "AWS4-HMAC-SHA256 Credential=a/20261121/r/s/aws4_request, SignedHeaders=host, Signature=00";
    check(&[], "a=b", "nothing");
    check(&[("authorization", "Bearer x")], "", "Unsupported authorization type: Bearer.");
    check(&[("authorization", "AWS key:signature")], "", "Unsupported authorization type: AWS.");
    check(
        &[("authorization", "AWS4-HMAC-SHA256 SignedHeaders=host")],
        "",
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. (Hashed",
    );
    check(&[("authorization", good)], "", "Authorization header requires existence of either a 'X-Amz-Date'");
    check(
        &[("authorization", good), ("x-amz-date", "today")],
        "",
        "Date must be in ISO-8601 'basic format'. Got 'today'.",
    );
    check(
        &[("authorization", good), ("x-amz-date", "20261120T024011Z")],
        "",
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20261121' != '20261120'",
    );
    let short = good.replace("/aws4_request", "");
    check(&[("authorization", &short), ("x-amz-date", "20261121T024011Z")], "", "Credential must have exactly 5 slash");
    let end = good.replace("aws4_request", "aws4");
    let told = "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws4'.";
    check(&[("authorization", &end), ("x-amz-date", "20261121T024011Z")], "", told);
    check(&[], "X-Amz-Algorithm=AWS4-HMAC-SHA256", "AWS query-string parameters must include 'X-Amz-Credential'.");
    let presigned = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20261121%2Fr%2Fs%2Faws4_request&X-Amz-Signature=00\
                     &X-Amz-SignedHeaders=host&X-Amz-Date=20261121T024011Z&X-Amz-Expires=";
    check(&[], &format!("{presigned}604801"), "X-Amz-Expires must be less than a week");
    check(&[], &format!("{presigned}soon"), "X-Amz-Expires should be a number");
    check(&[], "X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256", "Unsupported authorization type: AWS4-ECDSA-P256-SHA256.");
    check(&[], "AWSAccessKeyId=a&Signature=b&Expires=1", "Unsupported authorization type: AWS.");
}

#[test]
fn an_unsigned_host_is_refused() {
    let headers: HeaderMap = [
        (
            http::header::AUTHORIZATION,
            HeaderValue::from_static(
                "AWS4-HMAC-SHA256 Credential=a/20261121/r/s/aws4_request, SignedHeaders=x-amz-date, Signature=00",
            ),
        ),
        (HeaderName::from_static("x-amz-date"), HeaderValue::from_static("20261121T024011Z")),
    ]
    .into_iter()
    .collect();
    let head = Head { method: "GET", path: "/", query: "", host: "localhost", headers: &headers };
    let claim = Claim::read(&head).expect("reads").expect("claims");
    let refusal = claim.check_signature(&head, Payload::Bytes(b""), "secret").expect_err("refused");
    assert_eq!(refusal.to_string(), "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
    let fault = refusal.fault(Family::Json);
    assert_eq!((fault.code.as_str(), fault.cause), ("InvalidSignatureException", Cause::Unauthenticated));
    assert_eq!(refusal.fault(Family::Xml).code, "SignatureDoesNotMatch");
}

#[test]
fn each_refusal_has_the_name_that_its_protocol_gives_it() {
    let text = || "x".to_owned();
    for (refusal, json, xml) in [
        (Refusal::Missing, "MissingAuthenticationTokenException", "MissingAuthenticationToken"),
        (Refusal::Unsupported(text()), "IncompleteSignatureException", "IncompleteSignature"),
        (Refusal::Incomplete(text()), "IncompleteSignatureException", "IncompleteSignature"),
        (Refusal::Invalid(text()), "InvalidSignatureException", "SignatureDoesNotMatch"),
        (Refusal::Expired(text()), "InvalidSignatureException", "SignatureDoesNotMatch"),
        (Refusal::UnknownKey, "UnrecognizedClientException", "InvalidClientTokenId"),
        (Refusal::ExpiredToken, "ExpiredTokenException", "ExpiredToken"),
    ] {
        assert_eq!((&*refusal.fault(Family::Json).code, &*refusal.fault(Family::Xml).code), (json, xml), "{refusal:?}");
    }
}

#[test]
fn what_is_said_of_the_body_is_a_hash_or_says_that_there_is_none() {
    let Vectors { requests, now, credential } = vectors();
    let signer = Signer {
        access_key: "AKIA",
        secret: &credential.secret,
        session_token: None,
        region: "us-east-1",
        service: "lambda",
    };
    let credential = Credential { session_token: None, ..credential.clone() };
    let right = "2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824";
    for (said, good) in [
        ("UNSIGNED-PAYLOAD", true),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", true),
        (right, true),
        (&right.to_lowercase(), true),
        (&right.replace('2', "3"), false),
        ("", false),
        ("none", false),
        ("unsigned-payload", false),
    ] {
        let mut signed = Request { headers: HeaderMap::new(), body: "hello".into(), ..requests[0].clone() };
        signed.headers.insert("x-amz-content-sha256", HeaderValue::from_str(said).expect("a value"));
        for (name, value) in signer.headers(&signed.head(), b"hello", now).expect("signs") {
            signed.headers.insert(name, value);
        }
        let outcome = signed.check(&credential, now);
        assert_eq!(outcome.is_ok(), good, "{said:?}: {outcome:?}");
        // What the network adds may be there unsigned; what only a client could mean may not.
        signed.headers.insert("x-amz-cf-id", HeaderValue::from_static("x"));
        assert_eq!(signed.check(&credential, now).is_ok(), good, "{said:?}");
        signed.headers.insert("x-amz-invocation-type", HeaderValue::from_static("Event"));
        assert!(signed.check(&credential, now).is_err(), "{said:?}");
    }
}

#[test]
fn what_we_sign_we_accept() {
    let Vectors { requests, now, credential } = vectors();
    for request in &requests {
        for service in ["lambda", "s3"] {
            let signer = Signer {
                access_key: "AKIA",
                secret: &credential.secret,
                session_token: credential.session_token.as_deref(),
                region: "us-east-1",
                service,
            };
            let bare = Request { query: "b=2&a=%20".into(), headers: HeaderMap::new(), ..request.clone() };
            let mut signed = bare.clone();
            signed.headers.insert("x-amz-meta-a", HeaderValue::from_static("  x   y "));
            let added = signer.headers(&signed.head(), signed.body.as_bytes(), now).expect("signs");
            for (name, value) in added {
                signed.headers.insert(name, value);
            }
            assert!(signed.check(&credential, now).is_ok(), "{}", request.path);
            let query = signer.presign(&bare.head(), Duration::from_secs(60), now).expect("signs");
            let presigned = Request { query, body: String::new(), ..bare };
            assert!(presigned.check(&credential, now).is_ok(), "{}", request.path);
            assert!(presigned.check(&credential, now + Duration::from_secs(61)).is_err());
        }
    }
}

#[test]
fn mutated_requests_never_panic_and_are_never_accepted() {
    let Vectors { requests, now, credential } = vectors();
    let random = Random::seeded(5);
    for round in 0..20_000 {
        let request = &requests[round % requests.len()];
        let mut changed = request.clone();
        let target = random.below(3);
        let mut bytes = match (target, changed.headers.get("authorization")) {
            (0, Some(value)) => value.as_bytes().to_vec(),
            (0 | 1, _) => changed.query.clone().into_bytes(),
            _ => changed.path.clone().into_bytes(),
        };
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len() as u64 + 1) as usize;
            bytes.insert(at, b"/=;,&%+ aA0\x7f\xc3"[random.below(13) as usize]);
        }
        match (target, changed.headers.contains_key("authorization")) {
            (0, true) => match HeaderValue::from_bytes(&bytes) {
                Ok(value) => _ = changed.headers.insert("authorization", value),
                Err(_) => continue,
            },
            (0 | 1, _) => changed.query = String::from_utf8_lossy(&bytes).into_owned(),
            _ => changed.path = String::from_utf8_lossy(&bytes).into_owned(),
        }
        let accepted = changed.check(&vectors_credential(&credential, request), now).is_ok();
        // An extra blank or separator may mean the same request; then its meaning must be the same too.
        if accepted && target == 2 && !request.path.contains("..") {
            let plain =
                |path: &str| path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(plain(&changed.path), plain(&request.path));
        }
    }
}

fn vectors_credential(credential: &Credential, request: &Request) -> Credential {
    let tokened =
        request.headers.contains_key("x-amz-security-token") || request.query.contains("X-Amz-Security-Token");
    Credential { session_token: credential.session_token.clone().filter(|_| tokened), ..credential.clone() }
}

#[test]
fn requests_as_fuzzers_make_them_are_never_accepted() {
    let random = Random::seeded(12);
    let scope = "Credential=a/20261121/r/s/aws4_request, SignedHeaders=host;x-amz-date, Signature=0a";
    let seeds = [
        format!("GET\n/a\nb=c\nlocalhost\nauthorization: AWS4-HMAC-SHA256 {scope}\nx-amz-date: 20261121T024011Z\nbody"),
        "GET\n/\nX-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20261121%2Fr%2Fs%2Faws4_request&X-Amz-Signature=0\
         &X-Amz-SignedHeaders=host&X-Amz-Date=20261121T024011Z&X-Amz-Expires=9\nlocalhost\n"
            .to_owned(),
        "GET\n/b/k\nAWSAccessKeyId=a&Signature=0a%2B%3D&Expires=1795318745&acl&x-amz-meta-a=1&max-keys=2\nlocalhost\n".to_owned(),
    ];
    for round in 0..20_000 {
        let mut bytes = seeds[round % seeds.len()].clone().into_bytes();
        for _ in 0..random.below(5) {
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(2) {
                0 => bytes[at] = random.below(256) as u8,
                _ => bytes.insert(at, b"/=;,&%:\n"[random.below(8) as usize]),
            }
        }
        signature::fuzzing::request(&bytes);
    }
}
