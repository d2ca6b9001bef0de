//! What is asked for, and what comes back.

use serde_json::{Value, json};

use crate::house::{Client, House, create_group, get, request};

fn parsed(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

#[tokio::test]
async fn each_protocol_finds_its_operation() {
    let house = House::open().await;
    let created = house.create_group("a").await;
    assert_eq!((created.status, created.body.as_str()), (200, "{}"));
    assert_eq!(created.header("content-type"), "application/x-amz-json-1.1");
    let form = "Action=GetCallerIdentity&Version=2011-06-15";
    let headers = "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n";
    let identity = house.ask(&request("POST /", headers, form)).await;
    assert_eq!(identity.status, 200, "{}", identity.body);
    assert!(identity.body.contains("<Arn>arn:aws:iam::000000000000:root</Arn>"), "{}", identity.body);
    let identity = house.ask(&get(&format!("/?{form}"))).await;
    assert_eq!(identity.status, 200, "the same from the query string: {}", identity.body);
    let invoked = house.ask(&request("POST /2015-03-31/functions/greet/invocations", "", r#"{"a":1}"#)).await;
    assert_eq!((invoked.status, invoked.body.as_str()), (200, r#"{"a":1}"#));
}

#[tokio::test]
async fn region_and_address_are_the_clients() {
    let house = House::open().await;
    let form = "Action=GetCallerIdentity&Version=2011-06-15";
    let scope = |region: &str| {
        format!(
            "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20261121/{region}/sts/aws4_request, SignedHeaders=host, \
             Signature=0\r\nX-Amz-Date: 20261121T024011Z\r\n"
        )
    };
    for (headers, expected) in [
        (String::new(), "us-east-1 http://localhost"),
        (scope("eu-central-1"), "eu-central-1 http://localhost"),
        (scope("NOT A REGION"), "us-east-1 http://localhost"),
        ("Host: sts.eu-west-3.localhost:4566\r\n".into(), "eu-west-3 http://sts.eu-west-3.localhost:4566"),
        ("Host: sts.ap-south-1.amazonaws.com\r\n".into(), "ap-south-1 http://sts.ap-south-1.amazonaws.com"),
        ("Authorization: nonsense\r\n".into(), "us-east-1 http://localhost"),
    ] {
        let headers = format!("{headers}Content-Type: application/x-www-form-urlencoded\r\n");
        let answer = house.ask(&request("POST /", &headers, form)).await;
        assert!(answer.body.contains(&format!("<UserId>{expected}</UserId>")), "{headers}: {}", answer.body);
    }
}

#[tokio::test]
async fn faults_are_written_as_each_protocol_writes_them() {
    let house = House::open().await;
    let scoped = |service: &str| {
        format!(
            "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20261121/us-east-1/{service}/aws4_request, SignedHeaders=host, \
             Signature=0\r\nX-Amz-Date: 20261121T024011Z\r\n"
        )
    };
    let target = |name: &str| format!("X-Amz-Target: {name}\r\nContent-Type: application/x-amz-json-1.1\r\n");
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    for (line, headers, body, status, told) in [
        ("POST /", target("Logs_20140328.CreateLogGroup"), r#"{"logGroupName":"there"}"#, 400, "ResourceAlreadyExists"),
        (
            "POST /",
            target("Logs_20140328.CreateLogGroup"),
            r#"{"logGroupName":""}"#,
            400,
            "2 validation errors detected",
        ),
        ("POST /", target("Logs_20140328.CreateLogGroup"), "{", 400, "SerializationException"),
        ("POST /", target("Logs_20140328.CreateLogGroup"), r#"{"logGroupName":"panic"}"#, 500, "InternalFailure"),
        (
            "POST /",
            target("Logs_20140328.StartQuery"),
            "{}",
            501,
            "does not serve the operation StartQuery of logs yet",
        ),
        ("POST /", target("Logs_20140328.Dance"), "{}", 400, "UnknownOperationException"),
        ("POST /", target("Moon_1969.Land"), "{}", 400, "UnknownOperationException"),
        ("POST /", scoped("kinesis") + &target("Kinesis_20131202.ListStreams"), "{}", 501, "service kinesis yet"),
        ("GET /bucket/key", scoped("s3"), "", 501, "<Code>NotImplemented</Code>"),
        // Without a signature too, where the path can be a bucket's.
        ("GET /bucket/key", String::new(), "", 501, "<Code>NotImplemented</Code>"),
        ("POST /", form.into(), "Action=AssumeRoleWithSAML&Version=2011-06-15", 501, "AssumeRoleWithSAML of sts yet"),
        ("POST /", form.into(), "Action=Dance&Version=2011-06-15", 400, "InvalidAction"),
        ("GET /2015-03-31/event-source-mappings/", String::new(), "", 501, "of lambda yet"),
        ("GET /2015-03-31/nonsense", scoped("lambda"), "", 403, "Unable to determine service/operation name"),
        ("GET /Nonsense", String::new(), "", 404, "is no operation of a service that Freehold serves"),
        ("POST /2015-03-31/functions/busy/invocations", String::new(), "{}", 429, "Rate Exceeded."),
    ] {
        let answer = house.ask(&request(line, &headers, body)).await;
        assert_eq!(answer.status, status, "{line} {headers} {body}: {}", answer.body);
        assert!(answer.body.contains(told), "{line} {headers} {body}: {}", answer.body);
        assert_eq!(answer.header("x-amzn-requestid").len(), 36, "{line}");
        assert!(answer.header("x-amzn-trace-id").starts_with("Root=1-"), "{line}");
        assert_eq!(answer.header("retry-after"), if status == 429 { "1" } else { "" });
    }
    assert_eq!(house.create_group("after").await.status, 200, "nobody was harmed");
}

#[tokio::test]
async fn traces_go_on_and_ids_differ() {
    let house = House::open().await;
    let root = "Root=1-67891233-abcdef012345678912345678";
    let answer =
        house.ask(&request("GET /_health", &format!("X-Amzn-Trace-Id: {root};Parent=53995c3f42cd8ad8\r\n"), "")).await;
    assert!(answer.header("x-amzn-trace-id").starts_with(root));
    let parent = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
    let traced = house.ask(&request("GET /_health", parent, "")).await;
    assert!(traced.header("x-amzn-trace-id").starts_with("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;"));
    assert_ne!(answer.header("x-amzn-requestid"), traced.header("x-amzn-requestid"));
}

#[tokio::test]
async fn bodies_are_limited_by_operation() {
    let house = House::open().await;
    let announced =
        |line: &str, length: usize| format!("{line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    for (line, length, operation) in [
        ("POST /2015-03-31/functions/greet/invocations", (6 << 20) + 1, "InvokeFunction"),
        ("POST /2015-03-31/functions", 70_167_212, "CreateFunction"),
        ("POST /_call/lambda/Invoke", 20 << 20, "Invoke"),
    ] {
        let answer = house.ask(&announced(line, length)).await;
        assert_eq!(answer.status, 413, "{}", answer.body);
        assert!(answer.body.contains(&format!("bytes for the {operation} operation")), "{}", answer.body);
    }
    let mut unannounced = house.connect().await;
    let head = "POST /2015-03-31/functions/greet/invocations HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    unannounced.send(head.as_bytes()).await;
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(1 << 20));
    for _ in 0..7 {
        unannounced.send(chunk.as_bytes()).await;
    }
    assert_eq!(unannounced.answer().await.status, 413);
    let large = format!("\"{}\"", "x".repeat(5 << 20));
    let answer = house.ask(&request("POST /2015-03-31/functions/greet/invocations", "", &large)).await;
    assert_eq!((answer.status, answer.body.len()), (200, large.len()));
}

#[tokio::test]
async fn the_nodes_own_paths_answer() {
    let house = House::open().await;
    let health = house.ask(&get("/_health")).await;
    assert_eq!((health.status, parsed(&health.body)), (200, json!({"status": "ready", "version": "0"})));
    house.create_group("counted").await;
    let metrics = house.ask(&get("/_metrics")).await;
    assert!(metrics.body.contains(r#"freehold_calls_total{service="logs",operation="CreateLogGroup",outcome="ok"} 1"#));
    assert!(metrics.body.ends_with("# EOF\n"));
    let hello = house.ask(&get("/")).await;
    assert!(hello.status == 200 && hello.body.contains("AWS_ENDPOINT_URL=http://localhost "), "{}", hello.body);
    let hello = house.ask(&request("GET /", "Accept: text/html,*/*\r\n", "")).await;
    assert!(hello.body.contains("<h1>Freehold is up</h1>") && hello.header("content-type").starts_with("text/html"));
    let lost = house.ask(&get("/_nonsense")).await;
    assert!(lost.status == 404 && lost.body.contains("/_call/SERVICE/OPERATION"), "{}", lost.body);
    let mounted = house.ask(&request("POST /_fn/greet/", "", "hi")).await;
    assert_eq!(mounted.body, "/_fn/ hi ");
}

#[tokio::test]
async fn documents_are_called() {
    let house = House::open().await;
    let ask = |path: &str, body: &str| {
        let sent = request(&format!("POST {path}"), "", body);
        let house = &house;
        async move { house.ask(&sent).await }
    };
    let created = ask("/_call/logs/CreateLogGroup", r#"{"logGroupName":"a"}"#).await;
    assert_eq!((created.status, created.body.as_str()), (200, "{}"));
    let identity = ask("/_call/sts/GetCallerIdentity?region=eu-north-1", "").await;
    assert_eq!(parsed(&identity.body)["UserId"], "eu-north-1 http://localhost");
    let invoked = ask("/_call/lambda/Invoke", r#"{"FunctionName":"greet","Payload":"e30="}"#).await;
    assert_eq!(parsed(&invoked.body), json!({"StatusCode": 200, "Payload": "e30="}));
    for (path, body, status, code) in [
        ("/_call/logs/CreateLogGroup", r#"{"logGroupName":"there"}"#, 409, "ResourceAlreadyExistsException"),
        ("/_call/logs/CreateLogGroup", "{", 400, "SerializationException"),
        ("/_call/logs/CreateLogGroup", "{}", 400, "InvalidParameterException"),
        ("/_call/logs/StartQuery", "{}", 501, "NotImplementedException"),
        ("/_call/logs/Dance", "{}", 404, "UnknownOperationException"),
        ("/_call/logs", "{}", 404, "UnknownOperationException"),
        ("/_call/sts/GetCallerIdentity?region=!", "{}", 400, "ValidationException"),
    ] {
        let answer = ask(path, body).await;
        assert_eq!((answer.status, parsed(&answer.body)["__type"].as_str()), (status, Some(code)), "{path} {body}");
    }
    assert_eq!(house.ask(&get("/_call/sts/GetCallerIdentity")).await.status, 405);
}

#[tokio::test]
async fn web_pages_cannot_drive_an_open_node() {
    let house = House::open().await;
    let with = |extra: &str| create_group("a").replacen("Host: localhost\r\n", extra, 1);
    for (headers, status) in [
        ("Host: localhost\r\nOrigin: https://evil.example\r\n", 403),
        ("Host: localhost\r\nOrigin: null\r\n", 403),
        ("Host: localhost\r\nSec-Fetch-Site: cross-site\r\n", 403),
        ("Host: evil.example\r\n", 403),
        ("Host: \r\n", 400),
        ("Host: a b\r\n", 400),
        ("Host: user@localhost\r\n", 400),
        ("Host: localhost:port\r\n", 400),
        ("", 400),
        ("Host: localhost\r\nHost: localhost\r\n", 400),
        ("Host: localhost\r\nOrigin: http://localhost\r\n", 200),
        ("Host: localhost\r\nOrigin: http://localhost:3000\r\n", 200),
        ("Host: 127.0.0.1\r\n", 200),
    ] {
        let answer = house.ask(&with(headers)).await;
        assert_eq!(answer.status, status, "{headers}: {}", answer.body);
        let readable = if headers.contains(":3000") { "http://localhost:3000" } else { "" };
        assert_eq!(answer.header("access-control-allow-origin"), readable, "{headers}");
    }
    let advice = house.ask(&with("Host: evil.example\r\n")).await;
    assert!(advice.body.contains("start with --host evil.example"), "{}", advice.body);
    let asked = "Origin: http://localhost:3000\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-a\r\n";
    let preflight = house.ask(&request("OPTIONS /", asked, "")).await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-headers")), (204, "x-a"));
    let linked = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n";
    assert_eq!(
        house.ask(&request("GET /", linked, "")).await.status,
        200,
        "a link may lead to the page about the node"
    );
    let form = "/?Action=GetCallerIdentity&Version=2011-06-15";
    assert_eq!(house.ask(&request(&format!("GET {form}"), linked, "")).await.status, 403, "and not to an operation");
}

#[tokio::test]
async fn functions_urls_have_rules_of_their_own() {
    let house = House::open().await;
    let scope = "Credential=AKIA/20261121/us-east-1/lambda/aws4_request";
    let signed = format!(
        "Authorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0\r\nX-Amz-Date: 20261121T024011Z\r\n"
    );
    let (page, foreign) = ("Origin: http://localhost:3000\r\n", "Host: any.example\r\nOrigin: https://any.example\r\n");
    for (headers, status) in [
        (foreign.to_owned(), 200),
        (page.to_owned(), 200),
        // A signature that nobody checks is no protection from a page, which can write one too.
        (foreign.to_owned() + &signed, 403),
        (format!("Origin: https://evil.example\r\n{signed}"), 403),
        (page.to_owned() + &signed, 200),
        (signed.clone(), 200),
    ] {
        let answer = house.ask(&request("POST /_fn/greet/", &headers, "")).await;
        assert_eq!(answer.status, status, "{headers}: {}", answer.body);
        let said = if status == 200 { "" } else { answer.header("access-control-allow-origin") };
        assert_eq!(answer.header("access-control-allow-origin"), said, "{headers}: the door adds nothing");
    }
    let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F20261121%2Fus-east-1%2Flambda%2Faws4_request\
                 &X-Amz-Signature=0&X-Amz-SignedHeaders=host&X-Amz-Date=20261121T024011Z&X-Amz-Expires=9";
    let image = request(&format!("GET /_fn/greet/?{query}"), "Sec-Fetch-Site: cross-site\r\n", "");
    assert_eq!(house.ask(&image).await.status, 403, "an image's address may hold one as well");
}

#[tokio::test]
async fn the_door_is_no_proxy() {
    let house = House::open().await;
    let connect = "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n";
    assert_eq!(house.ask(connect).await.status, 405);
    let absolute = "GET http://evil.example/_health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = house.ask(absolute).await;
    assert!(
        answer.status == 403 && answer.body.contains("'evil.example'"),
        "the target's host counts: {}",
        answer.body
    );
}

#[tokio::test]
async fn the_public_address_serves_functions_only() {
    let house = House::open().await;
    for (path, status) in [("/_fn/greet/", 200), ("/_health", 404), ("/_metrics", 404), ("/", 404), ("/_call/a/b", 404)]
    {
        let mut client = Client::to(house.public).await;
        client.send(get(path).as_bytes()).await;
        assert_eq!(client.answer().await.status, status, "{path}");
    }
    let mut client = Client::to(house.public).await;
    client.send(create_group("a").as_bytes()).await;
    assert_eq!(client.answer().await.status, 404);
}
