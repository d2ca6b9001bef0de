//! How long the wire takes: `cargo run --release -p wire --example measure`.
//!
//! Reads, checks and answers a CreateFunction of 1 KiB of settings and code of 64 KiB, an Invoke of 2 KiB, and a PutLogEvents of
//! 1,000 events of 100 bytes, and prints the time of each part.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use contract::Operation;
use http::{HeaderMap, Method};
use wire::{Protocol, Request, Route, Router, SERVICES, StaticShape, client, lambda, logs, server};

fn main() {
    let code = lambda::FunctionCode { zip_file: Some(Bytes::from(vec![0x5A; 64 << 10])), ..Default::default() };
    let variables = (0..16).map(|number| (format!("SETTING_{number}"), "a value of some length".to_owned())).collect();
    let create = lambda::CreateFunctionRequest {
        function_name: "greet".into(),
        runtime: Some("nodejs24.x".into()),
        role: "arn:aws:iam::000000000000:role/service-role/any".into(),
        handler: Some("index.handler".into()),
        code,
        description: Some("Says hello to whoever asks.".into()),
        timeout: Some(30),
        memory_size: Some(512),
        environment: Some(lambda::Environment { variables: Some(variables) }),
        tags: Some([("team".to_owned(), "ours".to_owned())].into()),
        ..Default::default()
    };
    let created = lambda::FunctionConfiguration {
        function_name: Some("greet".into()),
        function_arn: Some("arn:aws:lambda:us-east-1:000000000000:function:greet".into()),
        role: Some(create.role.clone()),
        ..Default::default()
    };
    measure::<lambda::CreateFunction>("CreateFunction, 64 KiB of code", Protocol::RestJson, &create, &created);

    let payload = Some(Bytes::from(format!("{{\"text\":\"{}\"}}", "x".repeat(2048))));
    let invoke =
        lambda::InvocationRequest { function_name: "greet".into(), payload: payload.clone(), ..Default::default() };
    let answer = lambda::InvocationResponse { status_code: Some(200), payload, ..Default::default() };
    measure::<lambda::Invoke>("Invoke, 2 KiB", Protocol::RestJson, &invoke, &answer);

    let event = |number: i64| logs::InputLogEvent { timestamp: 1_760_000_000_000 + number, message: "x".repeat(100) };
    let put = logs::PutLogEventsRequest {
        log_group_name: "/aws/lambda/greet".into(),
        log_stream_name: "2026/11/21/[$LATEST]0123456789abcdef".into(),
        log_events: (0..1000).map(event).collect(),
        ..Default::default()
    };
    let done = logs::PutLogEventsResponse { next_sequence_token: Some("1".into()), ..Default::default() };
    measure::<logs::PutLogEvents>("PutLogEvents, 1,000 events", Protocol::Json11, &put, &done);
}

fn measure<Op: Operation>(what: &str, protocol: Protocol, input: &Op::Input, output: &Op::Output)
where
    Op::Input: StaticShape,
    Op::Output: StaticShape,
{
    let service = wire::service(Op::ID.service).expect("the service is built in");
    let operation = service.operation(Op::ID.name).expect("the model has it");
    let written = client::write_input(Route { service, operation, protocol }, input);
    let router = Router::new(SERVICES);
    let headers: HeaderMap = written.headers().clone();
    let method: Method = written.method().clone();
    let request = Request {
        method: &method,
        path: written.uri().path(),
        query: written.uri().query().unwrap_or_default(),
        headers: &headers,
        body: written.body(),
    };
    let wire::Routed::Served(route) = router.route(&request, None) else { panic!("{what} is served") };
    let routing = time(|| {
        black_box(router.route(&request, None));
    });
    let reading = time(|| drop(black_box(server::decode(&mut Op::Input::default(), route, &request))));
    let checking = time(|| drop(black_box(wire::check(input))));
    let writing = time(|| drop(black_box(server::write_output(route, output, "00000000-0000-4000-8000-000000000000"))));
    let size = written.body().len();
    let rate = size as f64 / reading.as_secs_f64() / 1e6;
    println!(
        "{what}: {size} bytes; route {routing:.2?}, read {reading:.2?} ({rate:.0} MB/s), check {checking:.2?}, answer {writing:.2?}"
    );
}

/// The time of one call, averaged over as many as fit into a tenth of a second; the median of five such.
fn time(mut call: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..5)
        .map(|_| {
            let (start, mut calls) = (Instant::now(), 0);
            while start.elapsed() < Duration::from_millis(100) {
                (0..16).for_each(|_| call());
                calls += 16;
            }
            start.elapsed() / calls
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}
