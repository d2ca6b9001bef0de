//! What AWS says, word for word, to input that cannot be read or breaks a rule; and which operation a request means.

use bytes::Bytes;
use contract::{Cause, Fault, Operation};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use wire::lambda::{CreateFunctionRequest, Runtime};
use wire::{Protocol, Request, Route, Routed, Router, SERVICES, StaticShape, lambda, logs, server, sts};

/// A request with those headers.
fn send<T>(
    (method, address): (&str, &str),
    headers: &[(&'static str, &str)],
    body: &str,
    with: impl FnOnce(&Request<'_>) -> T,
) -> T {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header's value"));
    }
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let (method, body) =
        (Method::from_bytes(method.as_bytes()).expect("a method"), Bytes::copy_from_slice(body.as_bytes()));
    with(&Request { method: &method, path, query, headers: &map, body: &body })
}

fn routed(line: (&str, &str), headers: &[(&'static str, &str)], body: &str, signing_name: Option<&str>) -> String {
    send(line, headers, body, |request| match Router::new(SERVICES).route(request, signing_name) {
        Routed::Served(route) => format!("{} {:?}", route.operation.id, route.protocol),
        Routed::Unserved(route) => format!("unserved {}", route.operation.id),
        Routed::Unknown(service, protocol) => {
            format!("unknown {} {protocol:?}", service.map_or("-", |service| service.name))
        }
    })
}

#[test]
fn requests_find_their_operations() {
    let check = |line: (&str, &str), expected: &str| assert_eq!(routed(line, &[], "", None), expected, "{line:?}");
    check(("POST", "/2015-03-31/functions"), "lambda:CreateFunction RestJson");
    check(("GET", "/2015-03-31/functions/"), "lambda:ListFunctions RestJson");
    check(("GET", "/2015-03-31/functions?MaxItems=3"), "lambda:ListFunctions RestJson");
    check(("GET", "/2015-03-31/functions/f"), "lambda:GetFunction RestJson");
    check(("GET", "/2015-03-31/functions/arn%3Aaws%3Alambda"), "lambda:GetFunction RestJson");
    check(("POST", "/2015-03-31/functions/f/invocations"), "lambda:Invoke RestJson");
    check(("GET", "/2015-03-31/functions/f/configuration"), "lambda:GetFunctionConfiguration RestJson");
    check(("PUT", "/2015-03-31/functions/f/configuration"), "lambda:UpdateFunctionConfiguration RestJson");
    check(("GET", "/2017-03-31/tags/arn:aws:lambda:x:y:function:f"), "lambda:ListTags RestJson");
    check(("POST", "/2015-03-31/event-source-mappings"), "lambda:CreateEventSourceMapping RestJson");
    check(("POST", "/2020-04-22/code-signing-configs"), "unserved lambda:CreateCodeSigningConfig");
    check(("PATCH", "/2015-03-31/functions/f"), "unknown - RestJson");
    check(("GET", "/"), "unknown - RestJson");
    check(("GET", "/2015-03-31/functions/f/x/y/z"), "unknown - RestJson");
}

#[test]
fn targets_and_actions_find_their_operations() {
    let target = |target: &str, signing_name| {
        let headers = [("x-amz-target", target), ("content-type", "application/x-amz-json-1.1")];
        routed(("POST", "/"), &headers, "{}", signing_name)
    };
    assert_eq!(target("Logs_20140328.CreateLogGroup", None), "logs:CreateLogGroup Json11");
    assert_eq!(target("Logs_20140328.CreateLogGroup", Some("logs")), "logs:CreateLogGroup Json11");
    assert_eq!(target("Logs_20140328.StartQuery", None), "unserved logs:StartQuery");
    assert_eq!(target("Logs_20140328.Nonsense", None), "unknown logs Json11");
    assert_eq!(target("Kinesis_20131202.PutRecord", None), "unknown - Json11");
    assert_eq!(target("Logs_20140328.CreateLogGroup", Some("lambda")), "unknown - Json11");

    let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    let action = |body: &str, signing_name| routed(("POST", "/"), &form, body, signing_name);
    assert_eq!(action("Action=GetCallerIdentity&Version=2011-06-15", None), "sts:GetCallerIdentity Query");
    assert_eq!(action("Version=2011-06-15&Action=GetCallerIdentity", Some("sts")), "sts:GetCallerIdentity Query");
    assert_eq!(action("Action=AssumeRole&Version=2011-06-15", None), "unserved sts:AssumeRole");
    assert_eq!(action("Action=CreateQueue&Version=2012-11-05", None), "sqs:CreateQueue Query");
    assert_eq!(action("Action=CreateTopic&Version=2010-03-31", None), "sns:CreateTopic Query");
    assert_eq!(action("Action=DescribeStacks&Version=2010-05-15", None), "unknown - Query");
    let by_address = routed(("GET", "/?Action=GetCallerIdentity&Version=2011-06-15"), &[], "", None);
    assert_eq!(by_address, "sts:GetCallerIdentity Query");
}

fn route<Op: Operation>(protocol: Protocol) -> Route {
    let service = wire::service(Op::ID.service).expect("a service");
    Route { service, operation: service.operation(Op::ID.name).expect("an operation"), protocol }
}

/// Reads the input of an operation from a JSON body.
fn read<Op: Operation>(protocol: Protocol, body: &str) -> Result<Op::Input, Fault>
where
    Op::Input: StaticShape,
{
    send(("POST", "/2015-03-31/functions"), &[], body, |request| server::read_input(route::<Op>(protocol), request))
}

#[test]
fn what_cannot_be_read_is_refused_in_aws_words() {
    let check = |body: &str, expected: &str| {
        let fault = read::<lambda::CreateFunction>(Protocol::RestJson, body).expect_err(body);
        assert_eq!((fault.code.as_str(), fault.message.as_str()), ("SerializationException", expected), "{body}");
        assert_eq!((fault.cause, fault.status), (Cause::Invalid, Some(400)));
    };
    check(r#"{"FunctionName": 1}"#, "NUMBER_VALUE can not be converted to a String");
    check(r#"{"FunctionName": true}"#, "TRUE_VALUE can not be converted to a String");
    check(r#"{"FunctionName": {}}"#, "Start of structure or map found where not expected.");
    check(r#"{"FunctionName": []}"#, "Start of list found where not expected");
    check(r#"{"MemorySize": "x"}"#, "STRING_VALUE can not be converted to an Integer");
    check(r#"{"MemorySize": 1.5}"#, "1.5 can not be converted to an Integer");
    check(r#"{"MemorySize": 4294967296}"#, "4294967296 can not be converted to an Integer");
    check(r#"{"Publish": "x"}"#, "STRING_VALUE can not be converted to a Boolean");
    check(r#"{"Layers": "x"}"#, "Expected list or null");
    check(r#"{"Layers": {}}"#, "Start of structure or map found where not expected.");
    check(r#"{"Tags": "x"}"#, "Expected map or null");
    check(r#"{"Code": "x"}"#, "Expected null");
    check(r#"{"Code": {"ZipFile": "*"}}"#, "The value at 'ZipFile' is not base64.");
    check("[]", "Start of list found where not expected");
}

#[test]
fn what_breaks_rules_is_refused_in_aws_words() {
    let check = |body: Value, expected: &str| {
        let fault = read::<lambda::CreateFunction>(Protocol::RestJson, &body.to_string()).expect_err("refused");
        assert_eq!((fault.code.as_str(), fault.message.as_str()), ("ValidationException", expected));
    };
    let good = || json!({"FunctionName": "f", "Role": "arn:aws:iam::000000000000:role/r", "Code": {}});
    let with = |name: &str, value: Value| {
        let mut body = good();
        body[name] = value;
        body
    };
    assert!(read::<lambda::CreateFunction>(Protocol::RestJson, &good().to_string()).is_ok());
    check(
        json!({"FunctionName": "f", "Code": {}}),
        "1 validation error detected: Value null at 'role' failed to satisfy constraint: Member must not be null",
    );
    check(
        json!({"Timeout": 0, "FunctionName": null}),
        "4 validation errors detected: Value null at 'functionName' failed to satisfy constraint: Member must not be \
         null; Value null at 'role' failed to satisfy constraint: Member must not be null; Value null at 'code' failed \
         to satisfy constraint: Member must not be null; Value '0' at 'timeout' failed to satisfy constraint: Member \
         must have value greater than or equal to 1",
    );
    check(
        with("Description", "ä".repeat(257).into()),
        &format!(
            "1 validation error detected: Value '{}' at 'description' failed to satisfy constraint: Member must have \
             length less than or equal to 256",
            "ä".repeat(257)
        ),
    );
    check(
        with("Role", "x".into()),
        "1 validation error detected: Value 'x' at 'role' failed to satisfy constraint: Member must satisfy regular \
         expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+",
    );
    check(
        with("Architectures", json!(["sparc"])),
        "1 validation error detected: Value '[sparc]' at 'architectures' failed to satisfy constraint: Member must \
         satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]",
    );
    check(
        with("Architectures", json!(["x86_64", "arm64"])),
        "1 validation error detected: Value '[x86_64, arm64]' at 'architectures' failed to satisfy constraint: Member \
         must have length less than or equal to 1",
    );
    check(
        with("TracingConfig", json!({"Mode": "x"})),
        "1 validation error detected: Value 'x' at 'tracingConfig.mode' failed to satisfy constraint: Member must \
         satisfy enum value set: [Active, PassThrough]",
    );
    let runtime = read::<lambda::CreateFunction>(Protocol::RestJson, &with("Runtime", "cobol".into()).to_string());
    let message = runtime.expect_err("refused").message;
    assert!(
        message
            .contains("Value 'cobol' at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [")
    );
    assert!(message.contains("python3.13") && message.contains("http, wasi]"), "{message}");
}

#[test]
fn logs_say_invalid_parameter() {
    let refused = |body: Value| read::<logs::PutLogEvents>(Protocol::Json11, &body.to_string()).expect_err("refused");
    let events = json!([{"timestamp": 1, "message": "ok"}, {"timestamp": 2, "message": ""}]);
    let fault = refused(json!({"logGroupName": "g", "logStreamName": "s", "logEvents": events}));
    assert_eq!(fault.code, "InvalidParameterException");
    assert_eq!(
        fault.message,
        "1 validation error detected: Value '' at 'logEvents.2.member.message' failed to satisfy constraint: Member must \
         have length greater than or equal to 1"
    );
    let events = json!([null, {"timestamp": 2, "message": "x"}]);
    let fault = refused(json!({"logGroupName": "g", "logStreamName": "s", "logEvents": events}));
    assert_eq!(
        fault.message,
        "1 validation error detected: Value null at 'logEvents.1.member' failed to satisfy constraint: Member must not be \
         null"
    );
    let fault = refused(json!({"logGroupName": "g", "logStreamName": "s", "logEvents": []}));
    assert_eq!(
        fault.message,
        "1 validation error detected: Value '[]' at 'logEvents' failed to satisfy constraint: Member must have length \
         greater than or equal to 1"
    );
}

#[test]
fn rules_of_lists_maps_and_secrets() {
    let check = |shape: &dyn wire::Shape, expected: &str| {
        assert_eq!(wire::check(shape).expect_err("refused").to_string(), expected);
    };
    let untag = logs::UntagLogGroupRequest { log_group_name: "g".into(), tags: vec!["a".into(), String::new()] };
    let said = wire::check(&untag).expect_err("refused").to_string();
    assert!(said.contains("Value '[a, ]' at 'tags' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 128, "), "{said}");
    let tags = [(String::new(), "v".to_owned())].into();
    let tag = logs::TagLogGroupRequest { log_group_name: "g".into(), tags };
    let said = wire::check(&tag).expect_err("refused").to_string();
    assert!(
        said.contains("Value '{=v}' at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: ["),
        "{said}"
    );
    let variables = Some([("1bad".to_owned(), "secret".to_owned())].into());
    let request = CreateFunctionRequest {
        function_name: "f".into(),
        role: "arn:aws:iam::000000000000:role/r".into(),
        environment: Some(lambda::Environment { variables }),
        ..CreateFunctionRequest::default()
    };
    assert!(!format!("{request:?}").contains("secret"), "secrets are not printed: {request:?}");
    check(
        &request,
        "1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy \
         constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]",
    );
}

#[test]
fn patterns_match_the_whole_text_and_nothing_else() {
    let check = |name: &str, expected: bool| {
        let request = lambda::GetAliasRequest { function_name: "f".into(), name: name.into() };
        assert_eq!(wire::check(&request).is_ok(), expected, "{name:?}");
    };
    check("live", true);
    check("1live", true);
    check("1", false);
    check("a b", false);
    check("live\n", false);
    check("lïve", false);
}

#[test]
fn a_value_that_no_model_knows_is_kept() {
    let runtime = Runtime::from("nodejs99.x");
    assert_eq!((runtime.as_str(), &runtime), ("nodejs99.x", &Runtime::Other("nodejs99.x".into())));
    let document =
        wire::document::write(&lambda::FunctionConfiguration { runtime: Some(runtime), ..Default::default() });
    assert_eq!(document, json!({"Runtime": "nodejs99.x"}));
    let (read, _): (lambda::FunctionConfiguration, _) = wire::document::read(document).expect("a document");
    assert_eq!(read.runtime.as_ref().map(Runtime::as_str), Some("nodejs99.x"));
}

#[test]
fn faults_are_written_as_each_protocol_has_them() {
    let text = |response: &http::Response<Bytes>| String::from_utf8_lossy(response.body()).into_owned();
    let header = |response: &http::Response<Bytes>, name: &str| {
        response.headers().get(name).map(|value| value.to_str().expect("text").to_owned()).unwrap_or_default()
    };

    let fault: Fault =
        lambda::ResourceNotFoundException { message: Some("Function not found: f".into()), ..Default::default() }
            .into();
    assert_eq!((fault.cause, fault.status), (Cause::NotFound, Some(404)));
    let response = server::write_fault(Some(&lambda::SERVICE), Protocol::RestJson, &fault, 404, "an-id");
    assert_eq!(text(&response), r#"{"Type":"User","Message":"Function not found: f"}"#);
    assert_eq!(header(&response, "x-amzn-errortype"), "ResourceNotFoundException");
    assert_eq!(header(&response, "x-amzn-requestid"), "an-id");
    assert_eq!(header(&response, "content-type"), "application/json");

    let busy = lambda::TooManyRequestsException {
        retry_after_seconds: Some("3".into()),
        ..lambda::TooManyRequestsException::new("Rate exceeded")
    };
    let response = server::write_fault(Some(&lambda::SERVICE), Protocol::RestJson, &busy.into(), 429, "an-id");
    assert_eq!(header(&response, "retry-after"), "3");
    assert_eq!(text(&response), r#"{"Type":"User","message":"Rate exceeded"}"#);

    let fault = logs::ResourceAlreadyExistsException::fault("The specified log group already exists");
    assert_eq!((fault.cause, fault.status), (Cause::Conflict, Some(400)));
    let response = server::write_fault(Some(&logs::SERVICE), Protocol::Json11, &fault, 400, "an-id");
    assert_eq!(
        text(&response),
        r#"{"__type":"ResourceAlreadyExistsException","message":"The specified log group already exists"}"#
    );
    assert_eq!(header(&response, "content-type"), "application/x-amz-json-1.1");

    let fault = Fault::new(Cause::Denied, "AccessDenied", "no <you> may not");
    let response = server::write_fault(Some(&sts::SERVICE), Protocol::Query, &fault, 403, "an-id");
    assert_eq!(
        text(&response),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ErrorResponse \
         xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>AccessDenied</Code>\
         <Message>no &lt;you&gt; may not</Message></Error><RequestId>an-id</RequestId></ErrorResponse>"
    );
}

#[test]
fn answers_are_written_as_each_protocol_has_them() {
    let output = sts::GetCallerIdentityResponse {
        account: Some("000000000000".into()),
        arn: Some("arn:aws:iam::000000000000:root".into()),
        user_id: Some("000000000000".into()),
    };
    let response = server::write_output(route::<sts::GetCallerIdentity>(Protocol::Query), &output, "an-id");
    assert_eq!(
        String::from_utf8_lossy(response.body()),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<GetCallerIdentityResponse \
         xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><UserId>000000000000</UserId>\
         <Account>000000000000</Account><Arn>arn:aws:iam::000000000000:root</Arn></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>an-id</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    );
    let output = lambda::InvocationResponse {
        status_code: Some(202),
        payload: Some(Bytes::from_static(b"[1]")),
        function_error: Some("Unhandled".into()),
        ..Default::default()
    };
    let response = server::write_output(route::<lambda::Invoke>(Protocol::RestJson), &output, "an-id");
    assert_eq!((response.status().as_u16(), &response.body()[..]), (202, &b"[1]"[..]));
    assert_eq!(response.headers()["x-amz-function-error"], "Unhandled");
    assert_eq!(response.headers()["content-type"], "application/json", "bytes that Lambda knows to be JSON");
    let response = server::write_output(route::<lambda::DeleteAlias>(Protocol::RestJson), &wire::Empty, "an-id");
    assert_eq!((response.status().as_u16(), response.body().len()), (204, 0));
    let response = server::write_output(route::<logs::CreateLogGroup>(Protocol::Json11), &wire::Empty, "an-id");
    assert_eq!((response.status().as_u16(), &response.body()[..]), (200, &b"{}"[..]));
}

/// Bodies that mean no good, and what becomes of them: always an answer, soon.
#[test]
fn hostile_bodies_are_refused_at_once() {
    let deep = |open: &str, times: usize| open.repeat(times);
    let cases: &[(String, &str)] = &[
        (deep("[", 1_000_000), "Start of list"),
        (format!("{{\"x\":{}", deep("[", 1_000_000)), "nested deeper than 128"),
        (format!("{{\"x\":{}", deep("{\"a\":", 1_000_000)), "nested deeper than 128"),
        ("{\"FunctionName\":\"\\ud800\"}".into(), "not well-formed"),
        ("{\"FunctionName\":\"\\u00".into(), "not well-formed"),
        ("{\"FunctionName\":\"a\nb\"}".into(), "not well-formed"),
        ("{\"FunctionName\":\"x\"".into(), "not well-formed"),
        ("{\"FunctionName\":\"x\",}".into(), "not well-formed"),
        ("{\"FunctionName\":\"x\"} {}".into(), "not well-formed"),
        ("{\"MemorySize\":01}".into(), "not well-formed"),
        ("{\"MemorySize\":-}".into(), "not well-formed"),
        ("{\"MemorySize\":1e999}".into(), "can not be converted"),
        ("{\"MemorySize\":NaN}".into(), "not well-formed"),
        ("nul".into(), "Expected null"),
        ("{\"FunctionName\":nul}".into(), "not well-formed"),
        ("\u{feff}{}".into(), "not well-formed"),
    ];
    for (body, expected) in cases {
        let fault = read::<lambda::CreateFunction>(Protocol::Json11, body).expect_err("refused");
        let start: String = body.chars().take(40).collect();
        assert!(fault.message.contains(expected), "{start}: {}", fault.message);
    }
}

/// A form whose names are all dots says nothing, and costs nothing.
#[test]
fn a_form_of_dots_is_read_at_once() {
    let body = format!("Action=GetCallerIdentity&{}", "a.a.a.a.a.a.a.a.a.a.a.a=1&".repeat(40_000));
    let read = send(("POST", "/"), &[], &body, |request| {
        server::read_input::<sts::GetCallerIdentityRequest>(route::<sts::GetCallerIdentity>(Protocol::Query), request)
    });
    assert_eq!(read, Ok(sts::GetCallerIdentityRequest {}));
}
