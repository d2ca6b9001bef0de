//! DynamoDB's numbers: decimals of at most 38 significant digits, exact, from 1E-130 to 9.99…E+125.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Neg;
use std::str::FromStr;

use crate::Refusal;

/// A decimal. Two that are equal are the same, however they were written: `1.0` is `1`, `-0` is `0`.
///
/// It is `digits × 10^exponent`, where `digits` does not end in a zero, and zero has the exponent zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Number {
    negative: bool,
    exponent: i16,
    digits: u128,
}

impl Number {
    /// Most significant digits.
    pub const DIGITS_MAX: u32 = 38;
    /// Zero.
    pub const ZERO: Self = Self { negative: false, exponent: 0, digits: 0 };

    /// The power of ten of the first digit: at most this, …
    pub(crate) const POWER_MAX: i32 = 125;
    /// … and at least this.
    pub(crate) const POWER_MIN: i32 = -130;

    /// `digits × 10^exponent`, if that is a number that DynamoDB stores.
    pub fn new(negative: bool, mut digits: u128, exponent: i32) -> Result<Self, Refusal> {
        if digits == 0 {
            return Ok(Self::ZERO);
        }
        let mut exponent = i64::from(exponent);
        while digits.is_multiple_of(10) {
            digits /= 10;
            exponent += 1;
        }
        check_power(exponent + i64::from(digits.ilog10()))?;
        if digits.ilog10() >= Self::DIGITS_MAX {
            return Err(Refusal::NumberDigits);
        }
        let exponent = i16::try_from(exponent).expect("between -167 and 125, as the power and the digits are");
        Ok(Self { negative, exponent, digits })
    }

    /// Whether it is below zero.
    pub fn is_negative(self) -> bool {
        self.negative
    }

    /// Whether it is zero.
    pub fn is_zero(self) -> bool {
        self.digits == 0
    }

    /// How many significant digits it has; zero has one.
    pub fn digits(self) -> u32 {
        self.digits.checked_ilog10().unwrap_or(0) + 1
    }

    /// The power of ten of its first digit; zero for zero.
    pub(crate) fn power(self) -> i32 {
        i32::from(self.exponent) + self.digits.checked_ilog10().unwrap_or(0) as i32
    }

    /// Its significant digits as a whole number, which does not end in a zero.
    pub(crate) fn significant(self) -> u128 {
        self.digits
    }

    /// Its significant digits, moved up until there are exactly [`Number::DIGITS_MAX`] of them.
    pub(crate) fn aligned(self) -> u128 {
        self.digits * 10u128.pow(Self::DIGITS_MAX - self.digits())
    }

    /// The value as a whole number, if it is one and fits.
    pub fn to_i64(self) -> Option<i64> {
        let places = u32::try_from(self.exponent).ok()?;
        let size = self.digits.checked_mul(10u128.checked_pow(places)?)?;
        let size = i128::try_from(size).ok()?;
        i64::try_from(if self.negative { -size } else { size }).ok()
    }

    /// The sum. Refused when it is not exact in [`Number::DIGITS_MAX`] digits, or too large.
    pub fn checked_add(self, other: Self) -> Result<Self, Refusal> {
        if self.is_zero() {
            return Ok(other);
        }
        if other.is_zero() {
            return Ok(self);
        }
        let (high, low) = if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        let places = u32::from(high.exponent.abs_diff(low.exponent));
        // What does not fit 128 bits here has 39 digits or more also after the other is taken from it, and its last one is
        // the other's, which is no zero.
        let raised = 10u128.checked_pow(places).and_then(|power| high.digits.checked_mul(power));
        let raised = raised.ok_or(Refusal::NumberDigits)?;
        let exponent = i32::from(low.exponent);
        if high.negative == low.negative {
            return Self::new(high.negative, raised.checked_add(low.digits).ok_or(Refusal::NumberDigits)?, exponent);
        }
        match raised.cmp(&low.digits) {
            Ordering::Equal => Ok(Self::ZERO),
            Ordering::Greater => Self::new(high.negative, raised - low.digits, exponent),
            Ordering::Less => Self::new(low.negative, low.digits - raised, exponent),
        }
    }

    /// The difference, with [`Number::checked_add`]'s refusals.
    pub fn checked_sub(self, other: Self) -> Result<Self, Refusal> {
        self.checked_add(-other)
    }
}

impl Neg for Number {
    type Output = Self;

    fn neg(self) -> Self {
        Self { negative: !self.negative && !self.is_zero(), ..self }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.is_zero(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let size = |number: &Self| (number.power(), number.aligned());
        match (sign(self), sign(other)) {
            (1, 1) => size(self).cmp(&size(other)),
            (-1, -1) => size(other).cmp(&size(self)),
            (left, right) => left.cmp(&right),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::new(false, u128::from(value), 0).expect("20 digits fit")
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        let size = Self::from(value.unsigned_abs());
        if value < 0 { -size } else { size }
    }
}

/// Reads `-12`, `1.50`, `.5`, `1e3`, `1E-3`.
impl FromStr for Number {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let parts = Parts::read(text.as_bytes()).ok_or_else(|| Refusal::NumberSyntax(text.to_owned()))?;
        parts.number()
    }
}

/// A number's text, taken apart.
struct Parts<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Parts<'a> {
    fn read(text: &'a [u8]) -> Option<Self> {
        let (negative, text) = sign(text);
        let (whole, rest) = digits(text);
        let (fraction, rest) = match rest.split_first() {
            Some((b'.', rest)) => digits(rest),
            _ => (&rest[..0], rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = match rest.split_first() {
            None => 0,
            Some((b'e' | b'E', rest)) => {
                let (down, rest) = sign(rest);
                let (power, rest) = digits(rest);
                if power.is_empty() || !rest.is_empty() {
                    return None;
                }
                // DynamoDB reads exponents of 64 bits, and calls what has more no number.
                let power = power
                    .iter()
                    .try_fold(0i64, |power, digit| power.checked_mul(10)?.checked_add(i64::from(digit - b'0')))?;
                if down { -power } else { power }
            }
            Some(_) => return None,
        };
        Some(Self { negative, whole, fraction, exponent })
    }

    fn digit(&self, place: usize) -> u8 {
        match place.checked_sub(self.whole.len()) {
            Some(place) => self.fraction[place],
            None => self.whole[place],
        }
    }

    fn number(&self) -> Result<Number, Refusal> {
        let all = || self.whole.iter().chain(self.fraction).map(|digit| digit - b'0');
        let Some(first) = all().position(|digit| digit != 0) else {
            // Also a zero is held to the range, by the exponent that it is written with.
            return check_power(self.exponent).map(|()| Number::ZERO);
        };
        let count = self.whole.len() + self.fraction.len();
        let last = (first..count).rev().find(|place| self.digit(*place) != b'0').unwrap_or(first);
        // The power of ten of the digit at that place.
        let power = |place: usize| (self.whole.len() as i64 - 1 - place as i64).saturating_add(self.exponent);
        check_power(power(first))?;
        if last - first >= Number::DIGITS_MAX as usize {
            return Err(Refusal::NumberDigits);
        }
        let digits = all().skip(first).take(last - first + 1).fold(0, |sum, digit| sum * 10 + u128::from(digit));
        let exponent = i16::try_from(power(last)).expect("at most 37 below the first digit's, which was checked");
        Ok(Number { negative: self.negative, exponent, digits })
    }
}

/// Whether the first digit may stand there.
fn check_power(power: i64) -> Result<(), Refusal> {
    if power > i64::from(Number::POWER_MAX) {
        Err(Refusal::NumberOverflow)
    } else if power < i64::from(Number::POWER_MIN) {
        Err(Refusal::NumberUnderflow)
    } else {
        Ok(())
    }
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    }
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// As DynamoDB prints it: all digits, never an exponent.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ZEROS: &str = "00000000000000000000000000000000000000000000000000000000000000000000000000000000\
                             00000000000000000000000000000000000000000000000000000000000000000000000000000000";
        if self.negative {
            f.write_str("-")?;
        }
        let digits = self.digits();
        let places = usize::from(self.exponent.unsigned_abs());
        if self.exponent >= 0 {
            return write!(f, "{}{}", self.digits, &ZEROS[..places]);
        }
        if places >= digits as usize {
            return write!(f, "0.{}{}", &ZEROS[..places - digits as usize], self.digits);
        }
        let power = 10u128.pow(u32::from(self.exponent.unsigned_abs()));
        write!(f, "{}.{:0places$}", self.digits / power, self.digits % power)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
