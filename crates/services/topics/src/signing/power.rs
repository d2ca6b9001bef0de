//! RSA signatures with SHA-1, which SNS's first signature version is and the crypto library only verifies any more. One signature is one
//! number raised to a power, so this is a fixed-width big number of 1,024 bits and Montgomery's multiplication, by the two primes.
//!
//! Nothing here branches or looks up by the key's bits. Each signature is verified by the crypto library before anybody sees it, so that a
//! wrong one, which would betray the key, is never handed out.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};

use super::der::{INTEGER, OCTET_STRING, SEQUENCE, take};

/// 64 bits each, lowest first.
const LIMBS: usize = 16;
const BYTES: usize = LIMBS * 8;
type Number = [u64; LIMBS];

const ZERO: Number = [0; LIMBS];
const ONE: Number = {
    let mut one = ZERO;
    one[0] = 1;
    one
};

/// What comes before a SHA-1 hash in what is signed.
const DIGEST_INFO: [u8; 15] =
    [0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14];

/// A private key of 2,048 bits, as its two primes.
pub(super) struct PrivateKey {
    p: Modulus,
    q: Modulus,
    power_p: Number,
    power_q: Number,
    q_inverse: Number,
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrivateKey")
    }
}

impl PrivateKey {
    /// Reads the crypto library's form. None of a key of another size.
    pub(super) fn from_pkcs8(mut pkcs8: &[u8]) -> Option<Self> {
        let mut outer = take(&mut pkcs8, SEQUENCE)?;
        take(&mut outer, INTEGER)?;
        take(&mut outer, SEQUENCE)?;
        let mut key = take(&mut outer, OCTET_STRING)?;
        let mut key = take(&mut key, SEQUENCE)?;
        // Version, modulus and both exponents are not needed.
        (0..4).try_for_each(|_| take(&mut key, INTEGER).map(drop))?;
        let mut next = || number(take(&mut key, INTEGER)?);
        let (p, q) = (Modulus::new(next()?)?, Modulus::new(next()?)?);
        Some(Self { p, q, power_p: next()?, power_q: next()?, q_inverse: next()? })
    }

    /// Signs a text. None if the signature is not good for the public key.
    pub(super) fn sign_sha1(&self, public: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        let mut padded = vec![0xff; 2 * BYTES];
        (padded[0], padded[1]) = (0, 1);
        let end = 2 * BYTES - 20;
        padded[end - DIGEST_INFO.len() - 1] = 0;
        padded[end - DIGEST_INFO.len()..end].copy_from_slice(&DIGEST_INFO);
        padded[end..].copy_from_slice(digest(&SHA1_FOR_LEGACY_USE_ONLY, text).as_ref());
        let (high, low) = (number(&padded[..BYTES])?, number(&padded[BYTES..])?);
        let of_p = self.p.power(&self.p.reduce(&high, &low), &self.power_p);
        let of_q = self.q.power(&self.q.reduce(&high, &low), &self.power_q);
        let difference = self.p.minus(&of_p, &self.p.once_less(&of_q));
        let factor = self.p.times(&difference, &self.q_inverse);
        let signature = bytes(&product_plus(&factor, &self.q.modulus, &of_q));
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, public);
        key.verify(text, &signature).ok().map(|()| signature)
    }
}

/// An odd modulus whose highest bit is set, and what Montgomery's multiplication wants to know of it.
struct Modulus {
    modulus: Number,
    /// Minus its inverse modulo 2^64.
    inverse: u64,
    /// The square of 2^1024, reduced.
    square: Number,
}

impl Modulus {
    fn new(modulus: Number) -> Option<Self> {
        if modulus[0] & 1 == 0 || modulus[LIMBS - 1] >> 63 == 0 {
            return None;
        }
        // Each step doubles the bits that are right.
        let inverse =
            (0..6).fold(1_u64, |inverse, _| inverse.wrapping_mul(2_u64.wrapping_sub(modulus[0].wrapping_mul(inverse))));
        let mut this = Self { modulus, inverse: inverse.wrapping_neg(), square: ONE };
        for _ in 0..2 * BYTES * 8 {
            this.square = this.plus(&this.square, &this.square);
        }
        Some(this)
    }

    /// `a + b`, of numbers below the modulus.
    fn plus(&self, a: &Number, b: &Number) -> Number {
        let (sum, carry) = add(a, b);
        self.less_if_needed(&sum, carry)
    }

    /// `a - b`, of numbers below the modulus.
    fn minus(&self, a: &Number, b: &Number) -> Number {
        let (difference, borrow) = subtract(a, b);
        add(&difference, &masked(&self.modulus, borrow)).0
    }

    /// A number of 1,024 bits, which is less than twice the modulus, reduced.
    fn once_less(&self, a: &Number) -> Number {
        self.less_if_needed(a, 0)
    }

    fn less_if_needed(&self, a: &Number, carry: u64) -> Number {
        let (less, borrow) = subtract(a, &self.modulus);
        // Kept only if it was too small already: no carry, and a borrow.
        let keep = borrow & (carry ^ 1);
        select(keep, a, &less)
    }

    /// `a * b / 2^1024`.
    fn montgomery(&self, a: &Number, b: &Number) -> Number {
        let mut sum = [0_u64; LIMBS + 2];
        for limb in a {
            let carry = add_product(&mut sum, *limb, b);
            carry_into(&mut sum, carry);
            let factor = sum[0].wrapping_mul(self.inverse);
            let carry = add_product(&mut sum, factor, &self.modulus);
            carry_into(&mut sum, carry);
            sum.copy_within(1.., 0);
            sum[LIMBS + 1] = 0;
        }
        let mut low = ZERO;
        low.copy_from_slice(&sum[..LIMBS]);
        self.less_if_needed(&low, sum[LIMBS])
    }

    /// `a * b`.
    fn times(&self, a: &Number, b: &Number) -> Number {
        self.montgomery(&self.montgomery(a, &self.square), b)
    }

    /// `high * 2^1024 + low`.
    fn reduce(&self, high: &Number, low: &Number) -> Number {
        let low = self.montgomery(&self.montgomery(low, &self.square), &ONE);
        self.plus(&self.montgomery(high, &self.square), &low)
    }

    /// `base ^ exponent`, in the same steps whatever the exponent is.
    fn power(&self, base: &Number, exponent: &Number) -> Number {
        let base = self.montgomery(base, &self.square);
        let mut result = self.montgomery(&ONE, &self.square);
        for limb in exponent.iter().rev() {
            for bit in (0..64).rev() {
                result = self.montgomery(&result, &result);
                let more = self.montgomery(&result, &base);
                result = select(limb >> bit & 1, &more, &result);
            }
        }
        self.montgomery(&result, &ONE)
    }
}

/// Adds `factor * b`; what is left to be added at the end.
fn add_product(sum: &mut [u64; LIMBS + 2], factor: u64, b: &Number) -> u64 {
    let mut carry = 0_u64;
    for (at, limb) in sum.iter_mut().zip(b) {
        let wide = u128::from(factor) * u128::from(*limb) + u128::from(*at) + u128::from(carry);
        (*at, carry) = (wide as u64, (wide >> 64) as u64);
    }
    carry
}

fn carry_into(sum: &mut [u64; LIMBS + 2], carry: u64) {
    let (low, over) = sum[LIMBS].overflowing_add(carry);
    sum[LIMBS] = low;
    sum[LIMBS + 1] += u64::from(over);
}

fn add(a: &Number, b: &Number) -> (Number, u64) {
    let (mut sum, mut carry) = (ZERO, 0);
    for (at, (a, b)) in sum.iter_mut().zip(a.iter().zip(b)) {
        let wide = u128::from(*a) + u128::from(*b) + u128::from(carry);
        (*at, carry) = (wide as u64, (wide >> 64) as u64);
    }
    (sum, carry)
}

fn subtract(a: &Number, b: &Number) -> (Number, u64) {
    let (mut difference, mut borrow) = (ZERO, 0);
    for (at, (a, b)) in difference.iter_mut().zip(a.iter().zip(b)) {
        let (less, first) = a.overflowing_sub(*b);
        let (less, second) = less.overflowing_sub(borrow);
        *at = less;
        borrow = u64::from(first | second);
    }
    (difference, borrow)
}

/// `a` if `bit` is one, else zero.
fn masked(a: &Number, bit: u64) -> Number {
    a.map(|limb| limb & bit.wrapping_neg())
}

/// `a` if `bit` is one, else `b`.
fn select(bit: u64, a: &Number, b: &Number) -> Number {
    let mask = bit.wrapping_neg();
    std::array::from_fn(|at| a[at] & mask | b[at] & !mask)
}

/// `a * b + c`.
fn product_plus(a: &Number, b: &Number, c: &Number) -> [u64; 2 * LIMBS] {
    let mut sum = [0_u64; 2 * LIMBS];
    sum[..LIMBS].copy_from_slice(c);
    for (place, factor) in a.iter().enumerate() {
        let mut carry = 0_u64;
        for (at, limb) in sum[place..].iter_mut().zip(b.iter().chain(std::iter::repeat(&0))) {
            let wide = u128::from(*factor) * u128::from(*limb) + u128::from(*at) + u128::from(carry);
            (*at, carry) = (wide as u64, (wide >> 64) as u64);
        }
    }
    sum
}

/// Big-endian bytes, of at most 1,024 bits without the zeros before them.
fn number(bytes: &[u8]) -> Option<Number> {
    let start = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = &bytes[start..];
    if bytes.len() > BYTES {
        return None;
    }
    let mut number = ZERO;
    for (at, byte) in bytes.iter().rev().enumerate() {
        number[at / 8] |= u64::from(*byte) << (at % 8 * 8);
    }
    Some(number)
}

fn bytes(number: &[u64; 2 * LIMBS]) -> Vec<u8> {
    number.iter().rev().flat_map(|limb| limb.to_be_bytes()).collect()
}
