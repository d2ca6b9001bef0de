//! Numbers as patterns compare them: 35, 35.0 and 3.5e1 are one.

use serde_json::Number;

/// What is compared. AWS compares numbers between -5e9 and 5e9, with six digits after the point; what is larger is compared as it is
/// written, and has no place in a range.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Comparable {
    /// Millionths.
    Millionths(i64),
    /// Beyond the range.
    Written(Box<str>),
}

/// The largest magnitude that ranges know, in millionths.
pub(crate) const MILLIONTHS_MAX: i64 = 5_000_000_000 * 1_000_000;

impl Comparable {
    pub(crate) fn of(number: &Number) -> Self {
        millionths(number).map_or_else(|| Self::Written(number.to_string().into()), Self::Millionths)
    }
}

/// The number in millionths, where it lies in the range.
pub(crate) fn millionths(number: &Number) -> Option<i64> {
    if let Some(whole) = number.as_i64() {
        return whole.checked_mul(1_000_000).filter(|millionths| millionths.abs() <= MILLIONTHS_MAX);
    }
    let scaled = (number.as_f64()? * 1e6).round();
    (scaled.abs() <= MILLIONTHS_MAX as f64).then_some(scaled as i64)
}
