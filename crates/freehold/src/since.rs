//! From when on: `10m`, `2h30m`, `3d`, or a moment such as `2026-11-21T10:00:00Z`.

use jiff::tz::TimeZone;
use jiff::{SpanRelativeTo, Timestamp, Unit};

/// A moment, or a span of time before now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// Milliseconds before now.
    Ago(i64),
    /// A moment.
    At(Timestamp),
}

impl Since {
    /// Milliseconds since the Unix epoch, never before it.
    pub(crate) fn epoch_ms(self, now_ms: i64) -> i64 {
        match self {
            Self::Ago(ms) => now_ms.saturating_sub(ms).max(0),
            Self::At(moment) => moment.as_millisecond().max(0),
        }
    }
}

impl std::str::FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Ok(Self::At(moment));
        }
        // A date, or date and time without a zone, is UTC: what the log shows is UTC too.
        if let Ok(local) = text.parse::<jiff::civil::DateTime>()
            && let Ok(zoned) = local.to_zoned(TimeZone::UTC)
        {
            return Ok(Self::At(zoned.timestamp()));
        }
        let span = text
            .parse::<jiff::Span>()
            .ok()
            .and_then(|span| span.total((Unit::Millisecond, SpanRelativeTo::days_are_24_hours())).ok())
            .filter(|ms| *ms >= 0.0);
        match span {
            Some(ms) => Ok(Self::Ago(ms as i64)),
            None => {
                Err("write how long ago, such as 30s, 10m, 2h or 3d, or a moment such as 2026-11-21T10:00:00Z"
                    .to_owned())
            }
        }
    }
}

/// How long ago something was, in one unit: `12 s ago`, `3 min ago`.
pub(crate) fn ago(then_ms: i64, now_ms: i64) -> String {
    let seconds = now_ms.saturating_sub(then_ms).max(0) / 1000;
    match seconds {
        0..=1 => "just now".to_owned(),
        2..60 => format!("{seconds} s ago"),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_moments_are_read() {
        let now = 1_000_000_000_000;
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(text.parse::<Since>().ok().map(|since| since.epoch_ms(now)), expected, "{text}");
        };
        check("10m", Some(now - 600_000));
        check("30s", Some(now - 30_000));
        check("2h30m", Some(now - 9_000_000));
        check("1d", Some(now - 86_400_000));
        check("1w", Some(now - 604_800_000));
        check("500ms", Some(now - 500));
        check("2001-09-09T01:46:40Z", Some(now));
        check("2001-09-09T03:46:40+02:00", Some(now));
        check("2001-09-09 01:46:40", Some(now));
        check("2001-09-09", Some(now - 6_400_000));
        check("99999w", Some(0));
        for wrong in ["", "10", "m", "-10m", "yesterday", "2026-13-01"] {
            check(wrong, None);
        }
    }

    #[test]
    fn the_past_has_one_unit() {
        for (seconds, expected) in [
            (-5, "just now"),
            (0, "just now"),
            (12, "12 s ago"),
            (119, "1 min ago"),
            (7_300, "2 h ago"),
            (200_000, "2 days ago"),
        ] {
            assert_eq!(ago(0, seconds * 1000), expected);
        }
    }
}
