//! Streams: made, described in both orders, deleted.

use super::*;

async fn names(bench: &Bench, input: aws::DescribeLogStreamsRequest) -> Vec<String> {
    let (mut found, mut next_token) = (Vec::new(), None);
    loop {
        let page = aws::DescribeLogStreamsRequest { next_token, ..input.clone() };
        let answer = bench.call::<aws::DescribeLogStreams>(page).await.unwrap();
        found.extend(answer.log_streams.unwrap().into_iter().map(|stream| stream.log_stream_name.unwrap()));
        next_token = answer.next_token;
        if next_token.is_none() {
            return found;
        }
    }
}

fn of(group: &str) -> aws::DescribeLogStreamsRequest {
    aws::DescribeLogStreamsRequest { log_group_name: Some(group.into()), ..Default::default() }
}

#[tokio::test]
async fn a_stream_is_described_with_its_events() {
    let bench = Bench::new();
    bench.group("g").await;
    bench.stream("g", "s").await;
    let described = async || {
        let answer = bench.call::<aws::DescribeLogStreams>(of("g")).await.unwrap();
        answer.log_streams.unwrap().remove(0)
    };
    let fresh = aws::LogStream {
        log_stream_name: Some("s".into()),
        creation_time: Some(NOW),
        arn: Some("arn:aws:logs:us-east-1:000000000000:log-group:g:log-stream:s".into()),
        stored_bytes: Some(0),
        ..Default::default()
    };
    assert_eq!(described().await, fresh);
    bench.put("g", "s", &[(-5_000, "a"), (-1_000, "b")]).await;
    bench.hand.advance(Duration::from_secs(3));
    bench.put("g", "s", &[(-3_000, "c")]).await;
    let stream = described().await;
    assert_eq!(stream.first_event_timestamp, Some(NOW - 5_000));
    assert_eq!(stream.last_event_timestamp, Some(NOW - 1_000));
    assert_eq!(stream.last_ingestion_time, Some(NOW + 3_000));
    assert_eq!(stream.upload_sequence_token.unwrap().len(), 56);
    assert_eq!(stream.stored_bytes, Some(0));
    assert_eq!(bench.stored_bytes("g").await, 3 * 27);
}

#[tokio::test]
async fn streams_are_listed_in_both_orders_in_pages() {
    let bench = Bench::new();
    bench.group("g").await;
    for (name, time) in [("b/1", Some(-10)), ("a", Some(-30)), ("b", None), ("c", Some(-20)), ("b/2", Some(-20))] {
        bench.stream("g", name).await;
        if let Some(time) = time {
            bench.put("g", name, &[(time, "x")]).await;
        }
    }
    for limit in [1, 2, 50] {
        let by_name = aws::DescribeLogStreamsRequest { limit: Some(limit), ..of("g") };
        let by_time = aws::DescribeLogStreamsRequest { order_by: Some(aws::OrderBy::LastEventTime), ..by_name.clone() };
        let down = |input: &aws::DescribeLogStreamsRequest| aws::DescribeLogStreamsRequest {
            descending: Some(true),
            ..input.clone()
        };
        assert_eq!(names(&bench, down(&by_name)).await, ["c", "b/2", "b/1", "b", "a"]);
        assert_eq!(names(&bench, down(&by_time)).await, ["b/1", "c", "b/2", "a", "b"]);
        assert_eq!(names(&bench, by_time).await, ["b", "a", "b/2", "c", "b/1"]);
        let prefixed = aws::DescribeLogStreamsRequest { log_stream_name_prefix: Some("b/".into()), ..by_name.clone() };
        assert_eq!(names(&bench, prefixed).await, ["b/1", "b/2"]);
        assert_eq!(names(&bench, by_name).await, ["a", "b", "b/1", "b/2", "c"]);
    }
    for identifier in ["g", "arn:aws:logs:us-east-1:000000000000:log-group:g"] {
        let input = aws::DescribeLogStreamsRequest {
            log_group_name: None,
            log_group_identifier: Some(identifier.into()),
            ..of("")
        };
        assert_eq!(names(&bench, input).await.len(), 5);
    }
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused() {
    let bench = Bench::new();
    bench.group("g").await;
    bench.stream("g", "s").await;
    let create =
        |group: &str| aws::CreateLogStreamRequest { log_group_name: group.into(), log_stream_name: "s".into() };
    let delete = |group: &str, stream: &str| aws::DeleteLogStreamRequest {
        log_group_name: group.into(),
        log_stream_name: stream.into(),
    };
    let no_group = "ResourceNotFoundException: The specified log group does not exist.";
    let no_stream = "ResourceNotFoundException: The specified log stream does not exist.";
    let exists = "ResourceAlreadyExistsException: The specified log stream already exists";
    assert_eq!(Bench::refused(bench.call::<aws::CreateLogStream>(create("none")).await), no_group);
    assert_eq!(Bench::refused(bench.call::<aws::CreateLogStream>(create("g")).await), exists);
    assert_eq!(Bench::refused(bench.call::<aws::DeleteLogStream>(delete("none", "s")).await), no_group);
    assert_eq!(Bench::refused(bench.call::<aws::DeleteLogStream>(delete("g", "none")).await), no_stream);
    let base = of("g");
    let both = Some("g".to_owned());
    for (input, expected) in [
        (of("none"), no_group),
        (
            aws::DescribeLogStreamsRequest { log_group_identifier: both, ..base.clone() },
            "ValidationException: LogGroup name and LogGroup ARN are mutually exclusive parameters.",
        ),
        (
            aws::DescribeLogStreamsRequest { log_group_name: None, ..base.clone() },
            "ValidationException: Either LogGroup name or LogGroup ARN must be specified.",
        ),
        (
            aws::DescribeLogStreamsRequest {
                order_by: Some(aws::OrderBy::LastEventTime),
                log_stream_name_prefix: Some("s".into()),
                ..base.clone()
            },
            "InvalidParameterException: Cannot order by LastEventTime with a logStreamNamePrefix.",
        ),
        (
            aws::DescribeLogStreamsRequest { next_token: Some("bm90IG91cnM".into()), ..base.clone() },
            "InvalidParameterException: The specified nextToken is invalid.",
        ),
        (
            aws::DescribeLogStreamsRequest {
                log_group_name: None,
                log_group_identifier: Some("arn:aws:logs:eu-west-1:000000000000:log-group:g".into()),
                ..base.clone()
            },
            no_group,
        ),
    ] {
        assert_eq!(Bench::refused(bench.call::<aws::DescribeLogStreams>(input).await), expected);
    }
}

#[tokio::test]
async fn a_deleted_stream_is_gone_and_can_be_made_again() {
    let bench = Bench::new();
    bench.group("g").await;
    for stream in ["s", "t"] {
        bench.stream("g", stream).await;
        bench.put("g", stream, &[(0, stream)]).await;
    }
    let delete = aws::DeleteLogStreamRequest { log_group_name: "g".into(), log_stream_name: "s".into() };
    bench.call::<aws::DeleteLogStream>(delete).await.unwrap();
    assert_eq!(bench.filter_messages("g", "").await, ["t"]);
    bench.stream("g", "s").await;
    assert!(bench.get("g", "s").await.is_empty());
    bench.put("g", "s", &[(1, "new")]).await;
    assert_eq!(bench.filter_messages("g", "").await, ["t", "new"]);
}
