//! Expressions as AWS documents them, and what it refuses.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use jiff::Timestamp;
use timetable::{Dialect, Expression, Timetable, Zone};

fn ms(time: &str) -> i64 {
    time.parse::<Timestamp>().unwrap().as_millisecond()
}

/// The first times of an expression after a moment, as text in UTC.
#[track_caller]
fn check(expression: &str, zone: &str, now: &str, expected: &[&str]) {
    let parsed = Expression::parse(expression, Dialect::Scheduler).unwrap();
    let timetable = Timetable::new(parsed, Zone::parse(zone).unwrap(), ms("2025-01-01T00:00:00Z"));
    let due: Vec<String> = timetable
        .upcoming(ms(now))
        .take(expected.len().max(1))
        .map(|due| Timestamp::from_millisecond(due).unwrap().to_string())
        .collect();
    assert_eq!(due, expected, "{expression} in {zone} after {now}");
}

#[test]
fn documented_expressions_are_due_when_aws_says() {
    // 2025-01-01 is a Wednesday.
    let now = "2025-01-01T00:00:00Z";
    check("cron(0 10 * * ? *)", "UTC", now, &["2025-01-01T10:00:00Z", "2025-01-02T10:00:00Z"]);
    check("cron(15 12 * * ? *)", "UTC", now, &["2025-01-01T12:15:00Z", "2025-01-02T12:15:00Z"]);
    check("cron(0 18 ? * MON-FRI *)", "UTC", "2025-01-03T00:00:00Z", &["2025-01-03T18:00:00Z", "2025-01-06T18:00:00Z"]);
    check("cron(0 8 1 * ? *)", "UTC", now, &["2025-01-01T08:00:00Z", "2025-02-01T08:00:00Z"]);
    check("cron(0/15 * * * ? *)", "UTC", now, &["2025-01-01T00:15:00Z", "2025-01-01T00:30:00Z"]);
    check(
        "cron(0/10 * ? * MON-FRI *)",
        "UTC",
        "2025-01-03T23:45:00Z",
        &["2025-01-03T23:50:00Z", "2025-01-06T00:00:00Z"],
    );
    check(
        "cron(0/5 8-17 ? * MON-FRI *)",
        "UTC",
        "2025-01-03T17:50:00Z",
        &["2025-01-03T17:55:00Z", "2025-01-06T08:00:00Z"],
    );
    check(
        "cron(0/30 20-2 ? * MON-FRI *)",
        "UTC",
        "2025-01-01T02:15:00Z",
        &["2025-01-01T02:30:00Z", "2025-01-01T20:00:00Z", "2025-01-01T20:30:00Z"],
    );
    check(
        "cron(15 10 ? * 6L 2022-2026)",
        "UTC",
        "2026-11-01T00:00:00Z",
        &["2026-11-27T10:15:00Z", "2026-12-25T10:15:00Z"],
    );
    check("cron(15 10 ? * 6L 2019-2024)", "UTC", now, &[]);
    check("cron(0 0 L * ? *)", "UTC", now, &["2025-01-31T00:00:00Z", "2025-02-28T00:00:00Z"]);
    check("cron(0 0 ? * L *)", "UTC", now, &["2025-01-04T00:00:00Z", "2025-01-11T00:00:00Z"]);
    check("cron(0 9 ? * 2#1 *)", "UTC", now, &["2025-01-06T09:00:00Z", "2025-02-03T09:00:00Z"]);
    check("cron(0 9 ? * TUE#5 *)", "UTC", now, &["2025-04-29T09:00:00Z", "2025-07-29T09:00:00Z"]);
    check("cron(0 9 LW * ? *)", "UTC", now, &["2025-01-31T09:00:00Z", "2025-02-28T09:00:00Z", "2025-03-31T09:00:00Z"]);
    check("cron(0 9 LW 5,8 ? *)", "UTC", now, &["2025-05-30T09:00:00Z", "2025-08-29T09:00:00Z"]);
    check("cron(0 9 3W * ? *)", "UTC", now, &["2025-01-03T09:00:00Z", "2025-02-03T09:00:00Z"]);
    check("cron(0 9 1W * ? *)", "UTC", now, &["2025-01-01T09:00:00Z", "2025-02-03T09:00:00Z", "2025-03-03T09:00:00Z"]);
    check("cron(0 9 31W 8,2 ? *)", "UTC", now, &["2025-08-29T09:00:00Z", "2026-08-31T09:00:00Z"]);
    check("cron(0 0 29 2 ? *)", "UTC", now, &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]);
    check("cron(0 0 30 FEB ? *)", "UTC", now, &[]);
    check("cron(59 23 31 12 ? 2199)", "UTC", now, &["2199-12-31T23:59:00Z"]);
    check("cron(0 0 1 jan-mar/2 ? *)", "UTC", now, &["2025-03-01T00:00:00Z", "2026-01-01T00:00:00Z"]);
    check("cron(0/5, 9-18, ?, *, MON-FRI, *)", "UTC", now, &["2025-01-01T09:00:00Z"]);
    check("cron(0 12 ? * MON-SUN *)", "UTC", now, &["2025-01-01T12:00:00Z", "2025-01-02T12:00:00Z"]);
    check("rate(5 minutes)", "UTC", "2025-01-01T00:07:00Z", &["2025-01-01T00:10:00Z", "2025-01-01T00:15:00Z"]);
    check("rate(1 hours)", "UTC", now, &["2025-01-01T01:00:00Z"]);
    check("rate(1 day)", "UTC", "2024-01-01T00:00:00Z", &["2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z"]);
    check("at(2025-11-20T13:00:00)", "UTC", now, &["2025-11-20T13:00:00Z"]);
    check("at(2025-11-20T13:00:07)", "Asia/Tokyo", now, &["2025-11-20T04:00:07Z"]);
    check("at(2025-01-01T00:00:00)", "UTC", now, &[]);
}

#[test]
fn clocks_that_change_skip_and_do_not_repeat() {
    // New York skips 02:00 to 03:00 on 2025-03-09 and shows 01:00 to 02:00 twice on 2025-11-02.
    let zone = "America/New_York";
    check("cron(30 2 * * ? *)", zone, "2025-03-08T00:00:00Z", &["2025-03-08T07:30:00Z", "2025-03-10T06:30:00Z"]);
    check("cron(30 1 * * ? *)", zone, "2025-11-02T00:00:00Z", &["2025-11-02T05:30:00Z", "2025-11-03T06:30:00Z"]);
    check("cron(0/30 * * * ? *)", zone, "2025-11-02T05:00:00Z", &["2025-11-02T05:30:00Z", "2025-11-02T07:00:00Z"]);
    check("cron(0/30 * * * ? *)", zone, "2025-11-02T06:10:00Z", &["2025-11-02T07:00:00Z"]);
    check("cron(0/30 * * * ? *)", zone, "2025-03-09T06:00:00Z", &["2025-03-09T06:30:00Z", "2025-03-09T07:00:00Z"]);
    // A day of a rate is 24 hours.
    check("rate(1 days)", zone, "2025-03-08T00:00:00Z", &["2025-03-09T00:00:00Z", "2025-03-10T00:00:00Z"]);
    // Once is once; what is skipped comes as long after midnight as if it were there.
    check("at(2025-11-02T01:30:00)", zone, "2025-01-01T00:00:00Z", &["2025-11-02T05:30:00Z"]);
    check("at(2025-03-09T02:30:00)", zone, "2025-01-01T00:00:00Z", &["2025-03-09T07:30:00Z"]);
    // Half an hour (Lord Howe), a whole day (Apia, 2011-12-30).
    check("cron(15 2 * * ? *)", "Australia/Lord_Howe", "2025-10-03T16:00:00Z", &["2025-10-05T15:15:00Z"]);
    check("cron(0 12 ? * FRI *)", "Pacific/Apia", "2011-12-25T00:00:00Z", &["2012-01-05T22:00:00Z"]);
}

#[test]
fn what_aws_refuses_is_refused() {
    let both = [
        "",
        "rate",
        "rate()",
        "rate(5)",
        "rate(0 minutes)",
        "rate(-1 minutes)",
        "rate(1.5 hours)",
        "rate(5 weeks)",
        "rate(5 seconds)",
        "rate(5 minutes",
        "Rate(5 minutes)",
        " rate(5 minutes)",
        "rate(99999999999999999999 days)",
        "rate(9999999999999999 days)",
        "cron()",
        "cron(* * * * *)",
        "cron(* * * * * * *)",
        "cron(* * * * * *)",
        "cron(* * ? * ? *)",
        "cron(60 * * * ? *)",
        "cron(* 24 * * ? *)",
        "cron(* * 0 * ? *)",
        "cron(* * 32 * ? *)",
        "cron(* * * 13 ? *)",
        "cron(* * * 0 ? *)",
        "cron(* * ? * 0 *)",
        "cron(* * ? * 8 *)",
        "cron(* * ? * -1 *)",
        "cron(* * * * ? 1969)",
        "cron(* * * * ? 2200)",
        "cron(* * * * ? 2030-2020)",
        "cron(? * * * ? *)",
        "cron(0/0 * * * ? *)",
        "cron(0/60 * * * ? *)",
        "cron(, * * * ? *)",
        "cron(1- * * * ? *)",
        "cron(-1 * * * ? *)",
        "cron(+1 * * * ? *)",
        "cron(1--2 * * * ? *)",
        "cron(* * ? * MON#6 *)",
        "cron(* * ? * MON#1,FRI#2 *)",
        "cron(* * ? * MON# *)",
        "cron(* * W * ? *)",
        "cron(* * 32W * ? *)",
        "cron(* L * * ? *)",
        "cron(* * ? * W *)",
        "cron(* * MON * ? *)",
        "cron(* * ? FOO MON *)",
        "cron(* * ?,1 * ? *)",
        "at(2025-01-01)",
        "at(2025-01-01 00:00:00)",
        "at(2025-13-01T00:00:00)",
        "at(2025-02-30T00:00:00)",
        "at(2025-01-01T24:00:00)",
        "at(2025-01-01T00:00:60)",
        "at(2025-01-01T00:00:00Z)",
        "at(2025-01-01T00:00)",
        "every day",
    ];
    for text in both {
        for dialect in [Dialect::Rule, Dialect::Scheduler] {
            assert!(Expression::parse(text, dialect).is_err(), "{text:?} is taken by {dialect:?}");
        }
    }
    let long = format!("cron(0 0 1{} * ? *)", ",1".repeat(200));
    assert!(Expression::parse(&long, Dialect::Rule).is_err());
    for zone in ["", "Europe/Atlantis", "+01:00", "Etc/Unknown", "../../etc/passwd", "EST5EDT,M3.2.0,M11.1.0"] {
        assert!(Zone::parse(zone).is_err(), "{zone:?}");
    }
}

#[test]
fn the_dialects_differ_as_the_services_do() {
    for (text, rule, scheduler) in [
        ("rate(1 minute)", true, true),
        ("rate(5 minutes)", true, true),
        ("rate(1 minutes)", false, true),
        ("rate(5 minute)", false, true),
        ("at(2030-01-01T00:00:00)", false, true),
    ] {
        assert_eq!(Expression::parse(text, Dialect::Rule).is_ok(), rule, "{text}");
        assert_eq!(Expression::parse(text, Dialect::Scheduler).is_ok(), scheduler, "{text}");
    }
    let wrong = Expression::parse("cron(1)", Dialect::Rule).unwrap_err();
    assert_eq!(wrong.fault(Dialect::Rule, "cron(1)"), "Parameter ScheduleExpression is not valid.");
    assert_eq!(wrong.fault(Dialect::Scheduler, "cron(1)"), "Invalid Schedule Expression cron(1).");
}

#[test]
fn a_rate_begins_with_its_anchor_or_one_rate_later() {
    let rate = |text| Expression::parse(text, Dialect::Rule).unwrap();
    let timetable = Timetable::new(rate("rate(1 minute)"), Zone::UTC, 1_000);
    assert_eq!(timetable.next_after(999), Some(1_000));
    assert_eq!(timetable.next_after(1_000), Some(61_000));
    assert_eq!(timetable.next_after(60_999), Some(61_000));
    assert_eq!(timetable.next_after(i64::MAX), None);
}
