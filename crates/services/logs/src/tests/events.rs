//! Events: put, got, filtered.

use super::*;

fn of(stream: &str) -> aws::GetLogEventsRequest {
    aws::GetLogEventsRequest { log_group_name: Some("g".into()), log_stream_name: stream.into(), ..Default::default() }
}

fn messages(answer: &aws::GetLogEventsResponse) -> Vec<&str> {
    answer.events.as_ref().unwrap().iter().map(|event| event.message.as_deref().unwrap()).collect()
}

async fn bench() -> Bench {
    let bench = Bench::new();
    bench.group("g").await;
    bench.stream("g", "s").await;
    bench
}

#[tokio::test]
async fn events_come_back_in_order_of_time() {
    let bench = bench().await;
    bench.put("g", "s", &[(-10, "two"), (0, "four")]).await;
    bench.hand.advance(Duration::from_millis(5));
    bench.put("g", "s", &[(-20, "one"), (-5, "three"), (0, "five"), (0, "🙀 日本語")]).await;
    let answer = bench.call::<aws::GetLogEvents>(of("s")).await.unwrap();
    assert_eq!(messages(&answer), ["one", "two", "three", "four", "five", "🙀 日本語"]);
    let events = answer.events.unwrap();
    assert_eq!((events[0].timestamp, events[0].ingestion_time), (Some(NOW - 20), Some(NOW + 5)));
    assert_eq!((events[3].timestamp, events[3].ingestion_time), (Some(NOW), Some(NOW)));
}

#[tokio::test]
async fn a_put_says_what_it_did_not_take() {
    let bench = bench().await;
    let day = 86_400_000;
    let answer = bench.put("g", "s", &[(-15 * day, "old"), (0, "good"), (day, "new")]).await;
    assert_eq!(answer.next_sequence_token.unwrap().len(), 56);
    assert_eq!(
        answer.rejected_log_events_info,
        Some(aws::RejectedLogEventsInfo {
            too_new_log_event_start_index: Some(2),
            too_old_log_event_end_index: Some(1),
            expired_log_event_end_index: None,
        })
    );
    assert_eq!(bench.get("g", "s").await, ["good"]);
    let retain = aws::PutRetentionPolicyRequest { log_group_name: "g".into(), retention_in_days: 1 };
    bench.call::<aws::PutRetentionPolicy>(retain).await.unwrap();
    let answer = bench.put("g", "s", &[(-2 * day, "expired")]).await;
    assert_eq!(answer.rejected_log_events_info.unwrap().expired_log_event_end_index, Some(1));
    assert!(answer.next_sequence_token.is_some());
    assert_eq!(bench.get("g", "s").await, ["good"]);
    // A token is taken, whatever it says.
    let log_events = vec![aws::InputLogEvent { timestamp: NOW, message: "again".into() }];
    let input = aws::PutLogEventsRequest {
        log_group_name: "g".into(),
        log_stream_name: "s".into(),
        log_events,
        sequence_token: Some("nonsense".into()),
        entity: None,
    };
    assert_eq!(bench.call::<aws::PutLogEvents>(input).await.unwrap().rejected_log_events_info, None);
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_and_changes_nothing() {
    let bench = bench().await;
    let large = "x".repeat(1_048_551);
    for (group, stream, events, expected) in [
        ("none", "s", &[(0, "x")][..], "ResourceNotFoundException: The specified log group does not exist."),
        ("g", "none", &[(0, "x")][..], "ResourceNotFoundException: The specified log stream does not exist."),
        (
            "g",
            "s",
            &[(0, "x"), (-1, "y")],
            "InvalidParameterException: Log events in a single PutLogEvents request must be in chronological order.",
        ),
        (
            "g",
            "s",
            &[(-90_000_000, "x"), (0, "y")],
            "InvalidParameterException: The batch of log events in a single PutLogEvents request cannot span more than 24 \
             hours.",
        ),
        (
            "g",
            "s",
            &[(0, &large)],
            "InvalidParameterException: Log event too large: 1048577 bytes exceeds limit of 1048576",
        ),
    ] {
        assert_eq!(Bench::refused(bench.try_put(group, stream, events).await), expected);
    }
    let base = of("s");
    for (input, expected) in [
        (of("none"), "ResourceNotFoundException: The specified log stream does not exist."),
        (
            aws::GetLogEventsRequest { log_group_name: Some("none".into()), ..base.clone() },
            "ResourceNotFoundException: The specified log group does not exist.",
        ),
        (
            aws::GetLogEventsRequest { next_token: Some("invalid-token".into()), ..base.clone() },
            "InvalidParameterException: The specified nextToken is invalid.",
        ),
        (
            aws::GetLogEventsRequest { next_token: Some("f/1".into()), ..base.clone() },
            "InvalidParameterException: The specified nextToken is invalid.",
        ),
        (
            aws::GetLogEventsRequest { log_group_identifier: Some("g".into()), ..base.clone() },
            "ValidationException: LogGroup name and LogGroup ARN are mutually exclusive parameters.",
        ),
    ] {
        assert_eq!(Bench::refused(bench.call::<aws::GetLogEvents>(input).await), expected);
    }
    let base = aws::FilterLogEventsRequest { log_group_name: Some("g".into()), ..Default::default() };
    for (input, expected) in [
        (
            aws::FilterLogEventsRequest { next_token: Some("x".into()), ..base.clone() },
            "InvalidParameterException: The specified nextToken is invalid.",
        ),
        (
            aws::FilterLogEventsRequest { filter_pattern: Some("{ x }".into()), ..base.clone() },
            "InvalidParameterException: Invalid filter pattern",
        ),
        (
            aws::FilterLogEventsRequest { log_stream_names: Some(vec!["s".into(), "none".into()]), ..base.clone() },
            "ResourceNotFoundException: The specified log stream does not exist.",
        ),
        (
            aws::FilterLogEventsRequest {
                log_stream_names: Some(vec!["s".into()]),
                log_stream_name_prefix: Some("s".into()),
                ..base.clone()
            },
            "InvalidParameterException: LogStream name prefix and LogStream names are mutually exclusive parameters.",
        ),
    ] {
        assert_eq!(Bench::refused(bench.call::<aws::FilterLogEvents>(input).await), expected);
    }
    assert!(bench.get("g", "s").await.is_empty());
    assert_eq!(bench.stored_bytes("g").await, 0);
}

#[tokio::test]
async fn time_ranges_take_the_start_and_leave_the_end() {
    let bench = bench().await;
    bench.put("g", "s", &[(0, "a"), (10, "b"), (20, "c")]).await;
    for (start, end, expected) in [
        (None, None, &["a", "b", "c"][..]),
        (Some(10), None, &["b", "c"]),
        (None, Some(20), &["a", "b"]),
        (Some(10), Some(11), &["b"]),
        (Some(10), Some(10), &[]),
        (Some(30), Some(5), &[]),
    ] {
        let at = |offset: Option<i64>| offset.map(|offset| NOW + offset);
        let input = aws::GetLogEventsRequest { start_time: at(start), end_time: at(end), ..of("s") };
        assert_eq!(messages(&bench.call::<aws::GetLogEvents>(input).await.unwrap()), expected);
        // FilterLogEvents takes the end too.
        let input = aws::FilterLogEventsRequest {
            log_group_name: Some("g".into()),
            start_time: at(start),
            end_time: at(end.map(|end| end - 1)),
            ..Default::default()
        };
        let found: Vec<String> = bench.filter(input).await.into_iter().map(|event| event.message.unwrap()).collect();
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn tokens_go_both_ways_and_stand_at_the_end() {
    let bench = bench().await;
    let page = async |token: Option<&str>, from_head| {
        let input = aws::GetLogEventsRequest {
            next_token: token.map(Into::into),
            limit: Some(2),
            start_from_head: from_head,
            ..of("s")
        };
        let answer = bench.call::<aws::GetLogEvents>(input).await.unwrap();
        let messages: Vec<String> = messages(&answer).into_iter().map(Into::into).collect();
        (messages.join(""), answer.next_backward_token.unwrap(), answer.next_forward_token.unwrap())
    };
    let (none, back, forth) = page(None, None).await;
    assert!(none.is_empty() && back.starts_with("b/") && forth.starts_with("f/") && forth.len() == 58);
    bench.put("g", "s", &[(0, "a"), (1, "b"), (2, "c"), (3, "d"), (4, "e")]).await;
    // What came after an empty page comes with its forward token.
    assert_eq!(page(Some(&forth), None).await.0, "ab");
    let (latest, back, forth) = page(None, None).await;
    assert_eq!(latest, "de");
    assert_eq!(page(Some(&forth), None).await, (String::new(), page(Some(&forth), None).await.1, forth.clone()));
    let (earlier, back, _) = page(Some(&back), None).await;
    assert_eq!(earlier, "bc");
    let (earliest, back, _) = page(Some(&back), None).await;
    assert_eq!(earliest, "a");
    let (none, same, turn) = page(Some(&back), None).await;
    assert_eq!((none.as_str(), &same), ("", &back));
    // Turning around at either end sees the event at the edge again.
    assert_eq!(page(Some(&turn), None).await.0, "ab");
    let (first, _, forth) = page(None, Some(true)).await;
    assert_eq!(first, "ab");
    let (second, _, forth) = page(Some(&forth), Some(true)).await;
    assert_eq!(second, "cd");
    let (third, _, forth) = page(Some(&forth), Some(true)).await;
    assert_eq!(third, "e");
    let (none, turn, same) = page(Some(&forth), Some(true)).await;
    assert_eq!((none.as_str(), &same), ("", &forth));
    assert_eq!(page(Some(&turn), None).await.0, "de");
    // The end is not final.
    bench.put("g", "s", &[(5, "f")]).await;
    assert_eq!(page(Some(&forth), Some(true)).await.0, "f");
}

#[tokio::test]
async fn many_streams_are_interleaved() {
    let bench = bench().await;
    for stream in ["t/1", "t/2"] {
        bench.stream("g", stream).await;
    }
    bench.put("g", "s", &[(0, "ERROR a"), (30, "INFO d")]).await;
    bench.put("g", "t/1", &[(10, "ERROR b"), (40, "ERROR e")]).await;
    bench.put("g", "t/2", &[(20, "INFO c"), (50, "ERROR f")]).await;
    let base = aws::FilterLogEventsRequest { log_group_name: Some("g".into()), ..Default::default() };
    let errors = aws::FilterLogEventsRequest { filter_pattern: Some("ERROR".into()), ..base.clone() };
    let named = aws::FilterLogEventsRequest {
        log_stream_names: Some(vec!["t/2".into(), "s".into(), "s".into()]),
        ..base.clone()
    };
    let prefixed = aws::FilterLogEventsRequest { log_stream_name_prefix: Some("t/".into()), ..errors.clone() };
    for limit in [1, 2, 100] {
        for (input, expected) in [(&base, "abcdef"), (&errors, "abef"), (&named, "acdf"), (&prefixed, "bef")] {
            let input = aws::FilterLogEventsRequest { limit: Some(limit), ..input.clone() };
            let found = bench.filter(input).await;
            let letters: String =
                found.iter().map(|event| event.message.as_ref().unwrap().chars().last().unwrap()).collect();
            assert_eq!(letters, expected);
            let ids: std::collections::BTreeSet<&String> =
                found.iter().map(|event| event.event_id.as_ref().unwrap()).collect();
            assert!(ids.len() == found.len() && ids.iter().all(|id| id.len() == 56));
        }
    }
    let found = bench.filter(base).await;
    assert_eq!(found[1].log_stream_name.as_deref(), Some("t/1"));
    assert_eq!((found[1].timestamp, found[1].ingestion_time), (Some(NOW + 10), Some(NOW)));
    let answer = bench.call::<aws::FilterLogEvents>(aws::FilterLogEventsRequest {
        log_group_name: Some("g".into()),
        ..Default::default()
    });
    assert_eq!(answer.await.unwrap().searched_log_streams, Some(Vec::new()));
}

#[tokio::test]
async fn a_page_holds_a_mebibyte() {
    let bench = bench().await;
    let large = "x".repeat(400_000);
    for time in 0..5 {
        bench.put("g", "s", &[(time, &large)]).await;
    }
    bench.put("g", "s", &[(5, &"y".repeat(1_048_550))]).await;
    let input = aws::GetLogEventsRequest { start_from_head: Some(true), ..of("s") };
    assert_eq!(messages(&bench.call::<aws::GetLogEvents>(input).await.unwrap()).len(), 2);
    assert_eq!(messages(&bench.call::<aws::GetLogEvents>(of("s")).await.unwrap()).len(), 1);
    assert_eq!(bench.filter_messages("g", "").await.len(), 6);
    assert_eq!(bench.stored_bytes("g").await, 5 * 400_026 + 1_048_576);
}

#[tokio::test]
async fn a_search_that_finds_little_goes_on_page_by_page() {
    let bench = bench().await;
    let line = "x".repeat(1_000);
    let lines: Vec<(i64, &str)> = (0..30_000).map(|time| (time, line.as_str())).collect();
    for part in lines.chunks(1_000) {
        bench.ingest("g", "s", part).await;
    }
    bench.ingest("g", "s", &[(40_000, "needle")]).await;
    bench.logs.flush().await;
    let input = aws::FilterLogEventsRequest {
        log_group_name: Some("g".into()),
        filter_pattern: Some("needle".into()),
        ..Default::default()
    };
    let first = bench.call::<aws::FilterLogEvents>(input.clone()).await.unwrap();
    assert!(first.events.unwrap().is_empty() && first.next_token.is_some(), "30 MB are more than a page looks through");
    assert_eq!(bench.filter(input).await.len(), 1);
}
