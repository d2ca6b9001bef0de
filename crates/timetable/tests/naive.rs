//! Cron held against a walker that looks at every minute and knows no shortcuts, and texts damaged at random.
#![expect(clippy::unwrap_used, reason = "the walker is a test in all its parts")]

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;
use timetable::{Dialect, Expression, Timetable, Zone};

const MINUTE_MS: i64 = 60_000;
const NAMES: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A part of a list, as its meaning.
#[derive(Debug, Clone)]
enum Part {
    All,
    One(i64),
    Range(i64, i64),
    Steps(i64, i64),
    AllSteps(i64),
    RangeSteps(i64, i64, i64),
}

#[derive(Debug, Clone)]
enum Day {
    Month(Part),
    Last,
    LastWeekday,
    Nearest(i64),
    Week(Part),
    Named(usize),
    LastOf(i64),
    Nth(i64, i64),
}

#[derive(Debug, Clone)]
struct Spec {
    minutes: Vec<Part>,
    hours: Vec<Part>,
    days: Vec<Day>,
    months: Vec<Part>,
}

fn part(min: i64, max: i64) -> impl Strategy<Value = Part> {
    prop_oneof![
        Just(Part::All),
        (min..=max).prop_map(Part::One),
        (min..=max, min..=max).prop_map(|(a, b)| Part::Range(a, b)),
        (min..=max, 1..=max.min(12)).prop_map(|(a, step)| Part::Steps(a, step)),
        (1..=max.min(12)).prop_map(Part::AllSteps),
        (min..=max, min..=max, 1..=max.min(12)).prop_map(|(a, b, step)| Part::RangeSteps(a, b, step)),
    ]
}

fn spec() -> impl Strategy<Value = Spec> {
    let of_month = prop_oneof![
        part(1, 31).prop_map(Day::Month),
        Just(Day::Last),
        Just(Day::LastWeekday),
        (1_i64..=31).prop_map(Day::Nearest),
    ];
    let of_week = prop_oneof![
        part(1, 7).prop_map(Day::Week),
        (0_usize..7).prop_map(Day::Named),
        (1_i64..=7).prop_map(Day::LastOf),
    ];
    let days = prop_oneof![
        prop::collection::vec(of_month, 1..3),
        prop::collection::vec(of_week, 1..3),
        (1_i64..=7, 1_i64..=5).prop_map(|(day, nth)| vec![Day::Nth(day, nth)]),
    ];
    let list = |min, max| prop::collection::vec(part(min, max), 1..3);
    (list(0, 59), list(0, 23), days, list(1, 12)).prop_map(|(minutes, hours, days, months)| Spec {
        minutes,
        hours,
        days,
        months,
    })
}

impl Part {
    fn text(&self) -> String {
        match self {
            Self::All => "*".into(),
            Self::One(value) => value.to_string(),
            Self::Range(a, b) => format!("{a}-{b}"),
            Self::Steps(a, step) => format!("{a}/{step}"),
            Self::AllSteps(step) => format!("*/{step}"),
            Self::RangeSteps(a, b, step) => format!("{a}-{b}/{step}"),
        }
    }

    /// By counting through the field as one would on paper.
    fn has(&self, value: i64, min: i64, max: i64) -> bool {
        let (first, last, step) = match *self {
            Self::All => (min, max, 1),
            Self::One(only) => (only, only, 1),
            Self::Range(a, b) => (a, b, 1),
            Self::Steps(a, step) => (a, max, step),
            Self::AllSteps(step) => (min, max, step),
            Self::RangeSteps(a, b, step) => (a, b, step),
        };
        let mut at = first;
        let mut count = 0;
        loop {
            if at == value && count % step == 0 {
                return true;
            }
            if at == last {
                return false;
            }
            at = if at == max { min } else { at + 1 };
            count += 1;
        }
    }
}

impl Spec {
    fn text(&self) -> String {
        let list = |parts: &[Part]| parts.iter().map(Part::text).collect::<Vec<_>>().join(",");
        let days: Vec<String> = self.days.iter().map(Day::text).collect();
        let is_week = matches!(self.days.first(), Some(Day::Week(_) | Day::Named(_) | Day::LastOf(_) | Day::Nth(..)));
        let (of_month, of_week) = if is_week { ("?".into(), days.join(",")) } else { (days.join(","), "?".into()) };
        format!("cron({} {} {of_month} {} {of_week} *)", list(&self.minutes), list(&self.hours), list(&self.months))
    }

    fn has(&self, local: DateTime) -> bool {
        self.minutes.iter().any(|part| part.has(local.minute().into(), 0, 59))
            && self.hours.iter().any(|part| part.has(local.hour().into(), 0, 23))
            && self.months.iter().any(|part| part.has(local.month().into(), 1, 12))
            && self.days.iter().any(|day| day.has(local.date()))
    }
}

impl Day {
    fn text(&self) -> String {
        match self {
            Self::Month(part) | Self::Week(part) => part.text(),
            Self::Last => "L".into(),
            Self::LastWeekday => "LW".into(),
            Self::Nearest(day) => format!("{day}W"),
            Self::Named(day) => NAMES[*day].into(),
            Self::LastOf(day) => format!("{day}L"),
            Self::Nth(day, nth) => format!("{day}#{nth}"),
        }
    }

    fn has(&self, date: Date) -> bool {
        let month: Vec<Date> = (1..=date.days_in_month()).map(|day| date.with().day(day).build().unwrap()).collect();
        let works = |date: &&Date| !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        let number = |date: Date| i64::from(date.weekday().to_sunday_one_offset());
        match self {
            Self::Month(part) => part.has(date.day().into(), 1, 31),
            Self::Week(part) => part.has(number(date), 1, 7),
            Self::Named(day) => number(date) == *day as i64 + 1,
            Self::Last => month.last() == Some(&date),
            Self::LastWeekday => month.iter().rev().find(works) == Some(&date),
            Self::LastOf(day) => month.iter().rev().find(|other| number(**other) == *day) == Some(&date),
            Self::Nth(day, nth) => {
                month.iter().filter(|other| number(**other) == *day).nth(*nth as usize - 1) == Some(&date)
            }
            // The nearest in the month; no two weekdays are equally near to a day of a weekend.
            Self::Nearest(day) => {
                i64::from(date.days_in_month()) >= *day
                    && month.iter().filter(works).min_by_key(|other| (i64::from(other.day()) - day).abs())
                        == Some(&date)
            }
        }
    }
}

/// All due times in a span, by looking at every minute of real time and what the clocks show then; a minute that they showed
/// before is not due again.
fn walk(spec: &Spec, zone: &TimeZone, from_ms: i64, minutes: i64) -> Vec<i64> {
    let mut due = vec![];
    let show = |at_ms: i64| zone.to_datetime(Timestamp::from_millisecond(at_ms).unwrap());
    for minute in 1..=minutes {
        let at_ms = from_ms + minute * MINUTE_MS;
        let local = show(at_ms);
        let again = spec.has(local) && {
            // Was it shown within the day before?
            let before = zone.to_offset(Timestamp::from_millisecond(at_ms - 24 * 60 * MINUTE_MS).unwrap());
            let then = before.to_timestamp(local).unwrap().as_millisecond();
            then < at_ms && show(then) == local
        };
        if spec.has(local) && !again {
            due.push(at_ms);
        }
    }
    due
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn cron_is_due_when_a_walker_by_the_minute_finds_it_so(
        spec in spec(),
        zone in prop::sample::select(vec![
            "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu",
        ]),
        // Around the changes of the clocks, and anywhere.
        start in prop_oneof![
            prop::sample::select(vec!["2025-03-08", "2025-03-29", "2025-10-25", "2025-11-01", "2025-10-04", "2025-04-05", "2018-02-16"])
                .prop_map(|day| day.parse::<Date>().unwrap()),
            (0_i64..20_000).prop_map(|day| Date::new(1990, 1, 1).unwrap().checked_add(day.days()).unwrap()),
        ],
    ) {
        let from_ms = start.to_zoned(TimeZone::UTC).unwrap().timestamp().as_millisecond();
        let minutes = 4 * 24 * 60;
        let text = spec.text();
        let timetable = Timetable::new(Expression::parse(&text, Dialect::Scheduler).unwrap(), Zone::parse(zone).unwrap(), 0);
        let found: Vec<i64> = timetable.upcoming(from_ms).take_while(|due| *due <= from_ms + minutes * MINUTE_MS).collect();
        let walked = walk(&spec, &TimeZoneDatabase::bundled().get(zone).unwrap(), from_ms, minutes);
        prop_assert_eq!(found, walked, "{} in {} from {}", text, zone, start);
    }

    #[test]
    fn the_day_found_is_the_next_that_matches(spec in spec(), day in 0_i64..20_000) {
        let from = Date::new(1990, 1, 1).unwrap().checked_add(day.days()).unwrap();
        let from_ms = from.to_zoned(TimeZone::UTC).unwrap().timestamp().as_millisecond();
        let text = spec.text();
        let timetable = Timetable::new(Expression::parse(&text, Dialect::Rule).unwrap(), Zone::UTC, 0);
        let day_of = |due: i64| TimeZone::UTC.to_datetime(Timestamp::from_millisecond(due).unwrap()).date();
        let found = timetable.next_after(from_ms - 1).map(day_of);
        // Whatever matches at all matches within nine years (29 February about 2096 to 2104 is not reached from here).
        let days = (0..9 * 366).map(|later| from.checked_add(later.days()).unwrap());
        let mut matching = days.filter(|date| {
            spec.days.iter().any(|day| day.has(*date)) && spec.months.iter().any(|part| part.has(date.month().into(), 1, 12))
        });
        prop_assert_eq!(found, matching.next(), "{} from {}", text, from);
    }
}

#[test]
fn the_youngest_that_passed_is_the_last_of_all_that_passed() {
    let first = 1_743_145_200_000;
    for expression in
        ["cron(* * * * ? *)", "cron(0/7 3,9 ? * MON-FRI *)", "cron(0 0 1 * ? *)", "rate(7 minutes)", "rate(5 days)"]
    {
        let expression = Expression::parse(expression, Dialect::Scheduler).unwrap();
        let timetable = Timetable::new(expression, Zone::parse("Europe/Berlin").unwrap(), first);
        let first = timetable.next_after(first - 1).unwrap();
        for minutes in [0, 1, 2, 3, 59, 60, 61, 1_440, 3_000, 44_000, 90_000] {
            let now = first + minutes * MINUTE_MS + 1;
            let walked = timetable.upcoming(first - 1).take_while(|due| *due <= now).last().unwrap();
            assert_eq!(timetable.last_until(now, first), walked, "{timetable:?} {minutes}");
        }
    }
}

#[test]
fn damaged_texts_do_not_panic_and_what_is_taken_can_be_asked() {
    let seeds: [&str; 6] = [
        "cron(0/15 8-17 ? JAN-DEC MON#2 2025-2030)",
        "cron(0 0 LW,15W,L * ? *)\nEurope/Berlin",
        "cron(5,10 */2 ? * 6L,SUN *)\nAmerica/New_York",
        "rate(9223372036854775807 minutes)",
        "at(2025-03-09T02:30:00)\nAmerica/New_York",
        "cron(59 23 31 12 ? 2199)\nPacific/Apia",
    ];
    let alphabet = b"0123456789*/-,?LW#() \nMONat:TZ\xff";
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for round in 0..6_000 {
        let mut bytes = seeds[round % seeds.len()].as_bytes().to_vec();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes[at] = alphabet[random(alphabet.len())],
                1 => bytes.insert(at, alphabet[random(alphabet.len())]),
                _ => drop(bytes.remove(at)),
            }
        }
        timetable::fuzzing(&bytes);
    }
}
