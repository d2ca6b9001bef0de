//! Bytes of texts, numbers and bytes that sort as DynamoDB sorts their values.
//!
//! Texts sort by their UTF-8 and bytes by themselves: both are their own key. A number becomes its sign, the power of ten of its
//! first digit, and its digits in pairs; below zero all of that is turned round and closed by a byte above all pairs, so that
//! −1.5 sorts before −1. Only values of one type are compared: a key says nothing of its type.
//!
//! Where keys have several parts each part must end by itself: the store's own `bytes` part does that.

use std::ops::Deref;

use bytes::Bytes;

use crate::{Kind, Number, Value};

const BELOW_ZERO: u8 = 0x7f;
const ZERO: u8 = 0x80;
const ABOVE_ZERO: u8 = 0x81;
/// Ends a number below zero. Pairs are 1 to 100, and 154 to 254 turned round.
const END: u8 = 0xff;

/// The most bytes of a number: sign, power, 19 pairs, end.
const NUMBER_BYTES_MAX: usize = 22;

/// Bytes that are no key of the wanted type. Only damage, or bytes from elsewhere, can be the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the key of a value of type {kind}: {bytes} bytes")]
pub struct NoKey {
    /// The wanted type.
    pub kind: Kind,
    /// How many bytes there were.
    pub bytes: usize,
}

/// The bytes of a value that can be a key. Nothing is allocated for it.
#[derive(Clone, Debug)]
pub enum KeyBytes<'a> {
    /// Those of a text or of bytes.
    Own(&'a [u8]),
    /// Those of a number.
    Number(NumberBytes),
}

impl Deref for KeyBytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Number(bytes) => bytes,
        }
    }
}

/// The bytes of a value; none if its type has no order.
pub fn encode(value: &Value) -> Option<KeyBytes<'_>> {
    match value {
        Value::S(text) => Some(KeyBytes::Own(text.as_bytes())),
        Value::B(bytes) => Some(KeyBytes::Own(bytes)),
        Value::N(number) => Some(KeyBytes::Number(encode_number(*number))),
        Value::Bool(_) | Value::Null | Value::M(_) | Value::L(_) | Value::Ss(_) | Value::Ns(_) | Value::Bs(_) => None,
    }
}

/// The value of that type whose bytes these are.
pub fn decode(kind: Kind, bytes: &[u8]) -> Result<Value, NoKey> {
    let value = match kind {
        Kind::S => std::str::from_utf8(bytes).ok().map(Value::from),
        Kind::B => Some(Value::B(Bytes::copy_from_slice(bytes))),
        Kind::N => decode_number(bytes).map(Value::N),
        Kind::Bool | Kind::Null | Kind::M | Kind::L | Kind::Ss | Kind::Ns | Kind::Bs => None,
    };
    value.ok_or(NoKey { kind, bytes: bytes.len() })
}

/// The bytes of a number.
#[derive(Clone, Copy, Debug)]
pub struct NumberBytes {
    bytes: [u8; NUMBER_BYTES_MAX],
    length: u8,
}

impl NumberBytes {
    fn push(&mut self, byte: u8) {
        self.bytes[usize::from(self.length)] = byte;
        self.length += 1;
    }
}

impl Deref for NumberBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// The bytes of a number.
pub fn encode_number(number: Number) -> NumberBytes {
    let mut out = NumberBytes { bytes: [0; NUMBER_BYTES_MAX], length: 0 };
    if number.is_zero() {
        out.push(ZERO);
        return out;
    }
    let turn = if number.is_negative() { 0xff } else { 0 };
    out.push(if number.is_negative() { BELOW_ZERO } else { ABOVE_ZERO });
    let power = u8::try_from(number.power() - Number::POWER_MIN).expect("256 powers fit a byte");
    out.push(power ^ turn);
    // The first pair begins with the first digit.
    let mut digits = number.significant();
    let mut pairs = number.digits().div_ceil(2);
    if !number.digits().is_multiple_of(2) {
        digits *= 10;
    }
    let start = usize::from(out.length);
    out.length += pairs as u8;
    while pairs > 0 {
        pairs -= 1;
        // In steps of 64 bits, which are much faster to divide, once the rest fits.
        let pair = match u64::try_from(digits) {
            Ok(short) => {
                digits = u128::from(short / 100);
                (short % 100) as u8
            }
            Err(_) => {
                let pair = (digits % 100) as u8;
                digits /= 100;
                pair
            }
        };
        out.bytes[start + pairs as usize] = (pair + 1) ^ turn;
    }
    if number.is_negative() {
        out.push(END);
    }
    out
}

/// The number whose bytes these are, and none if they are not exactly those of a number.
pub fn decode_number(bytes: &[u8]) -> Option<Number> {
    let (sign, rest) = bytes.split_first()?;
    let (turn, rest) = match *sign {
        ZERO => return rest.is_empty().then_some(Number::ZERO),
        ABOVE_ZERO => (0, rest),
        BELOW_ZERO => (0xff, rest.strip_suffix(&[END])?),
        _ => return None,
    };
    let (power, pairs) = rest.split_first()?;
    if pairs.is_empty() || pairs.len() > NUMBER_BYTES_MAX - 3 {
        return None;
    }
    let mut digits = 0u128;
    for pair in pairs {
        let pair = (pair ^ turn).checked_sub(1).filter(|pair| *pair < 100)?;
        digits = digits * 100 + u128::from(pair);
    }
    let count = i32::try_from(pairs.len()).ok()? * 2;
    let power = i32::from(power ^ turn) + Number::POWER_MIN;
    let number = Number::new(sign == &BELOW_ZERO, digits, power - (count - 1)).ok()?;
    // One number has one form: another would be equal and sort elsewhere.
    (*encode_number(number) == *bytes).then_some(number)
}
