//! Names that buckets and objects can have.

use contract::Fault;

use crate::error::refused;

/// The longest key, in bytes of UTF-8.
const KEY_BYTES_MAX: usize = 1024;

/// Whether a bucket can have that name.
pub fn check_bucket_name(name: &str) -> Result<(), Fault> {
    let invalid = || refused(400, "InvalidBucketName", "The specified bucket is not valid.").with("BucketName", name);
    let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let plain = name.bytes().all(|b| letters(b) || b == b'-' || b == b'.');
    let ends = [name.bytes().next(), name.bytes().last()].into_iter().all(|end| end.is_some_and(letters));
    let dots = !name.contains("..") && !name.contains(".-") && !name.contains("-.");
    let address = name.split('.').count() == 4 && name.split('.').all(|part| part.bytes().all(|b| b.is_ascii_digit()));
    let reserved = ["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|start| name.starts_with(start))
        || ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].iter().any(|end| name.ends_with(end));
    let good = (3..=63).contains(&name.len()) && plain && ends && dots && !address && !reserved;
    if good { Ok(()) } else { Err(invalid()) }
}

/// Whether an object can have that key.
pub fn check_key(key: &str) -> Result<(), Fault> {
    match key.len() {
        size if size > KEY_BYTES_MAX => Err(refused(400, "KeyTooLongError", "Your key is too long")
            .with("Size", size.to_string())
            .with("MaxSizeAllowed", KEY_BYTES_MAX.to_string())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for (name, good) in [
            ("abc", true),
            ("a-b.c1", true),
            (&*"x".repeat(63), true),
            ("ab", false),
            (&*"x".repeat(64), false),
            ("Abc", false),
            ("-abc", false),
            ("abc-", false),
            ("a..b", false),
            ("a.-b", false),
            ("192.168.5.4", false),
            ("xn--abc", false),
            ("abc-s3alias", false),
            ("a_b", false),
            ("", false),
        ] {
            assert_eq!(check_bucket_name(name).is_ok(), good, "{name}");
        }
        assert!(check_key(&"é".repeat(512)).is_ok() && check_key(&"é".repeat(513)).is_err());
    }
}
