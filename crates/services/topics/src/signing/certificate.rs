//! A certificate that vouches for itself, X.509 version 3.

use super::Broken;
use super::der::{BIT_STRING, INTEGER, NULL, OBJECT, SEQUENCE, SET, TEXT, TIME, all, value};

/// 1.2.840.113549.1.1.11: RSA with SHA-256.
const SHA256_WITH_RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
/// 1.2.840.113549.1.1.1: RSA.
const RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 2.5.4.3: the common name.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
/// What AWS's certificates are issued to.
const SUBJECT: &str = "sns.amazonaws.com";
/// How long it is good. Messages are checked when they come; nobody renews by hand what nobody looks at.
const YEARS: i64 = 30;

/// The certificate of a public key (an `RSAPublicKey`), signed by `sign` with SHA-256.
pub(super) fn self_signed(
    public: &[u8],
    now_ms: i64,
    serial: u64,
    sign: impl Fn(&[u8]) -> Result<Vec<u8>, Broken>,
) -> Result<Vec<u8>, Broken> {
    const YEAR_MS: i64 = 365 * 24 * 3_600 * 1_000;
    let algorithm = |id: &[u8]| all(SEQUENCE, &[value(OBJECT, id), value(NULL, &[])]);
    let name_part = all(SEQUENCE, &[value(OBJECT, &COMMON_NAME), value(TEXT, SUBJECT.as_bytes())]);
    let name = all(SEQUENCE, &[all(SET, &[name_part])]);
    // Positive, and not zero.
    let mut number = vec![1];
    number.extend_from_slice(&serial.to_be_bytes());
    let key = all(SEQUENCE, &[algorithm(&RSA), value(BIT_STRING, &[&[0], public].concat())]);
    let body = all(
        SEQUENCE,
        &[
            value(0xa0, &value(INTEGER, &[2])),
            value(INTEGER, &number),
            algorithm(&SHA256_WITH_RSA),
            name.clone(),
            all(SEQUENCE, &[time(now_ms)?, time(now_ms + YEARS * YEAR_MS)?]),
            name,
            key,
        ],
    );
    let signature = [&[0], sign(&body)?.as_slice()].concat();
    Ok(all(SEQUENCE, &[body, algorithm(&SHA256_WITH_RSA), value(BIT_STRING, &signature)]))
}

/// Seconds in UTC. Years before 2050 should be written with two digits, which all readers understand.
fn time(ms: i64) -> Result<Vec<u8>, Broken> {
    const SHORT_TIME: u8 = 0x17;
    let time = jiff::Timestamp::from_millisecond(ms).map_err(|_| Broken)?;
    let text = time.strftime("%Y%m%d%H%M%SZ").to_string();
    Ok(match text.as_str() < "2050" {
        true => value(SHORT_TIME, &text.as_bytes()[2..]),
        false => value(TIME, text.as_bytes()),
    })
}
