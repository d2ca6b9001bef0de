//! Hashes, and the key that a signature is made with.

use aws_lc_rs::{constant_time, digest, hmac};

use crate::Scope;

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

fn hmac_sha256(key: &[u8], text: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text)
}

/// The signature, in hex, of a string to sign: the secret is narrowed to a day, a region, a service.
pub(crate) fn signature(secret: &str, scope: &Scope, string_to_sign: &str) -> String {
    let mut tag = hmac_sha256(format!("AWS4{secret}").as_bytes(), scope.date.as_bytes());
    for narrowed in [&*scope.region, &*scope.service, "aws4_request"] {
        tag = hmac_sha256(tag.as_ref(), narrowed.as_bytes());
    }
    hex::encode(hmac_sha256(tag.as_ref(), string_to_sign.as_bytes()))
}

/// Compares in a time that tells nothing but the lengths.
pub(crate) fn same(one: &str, two: &str) -> bool {
    constant_time::verify_slices_are_equal(one.as_bytes(), two.as_bytes()).is_ok()
}
