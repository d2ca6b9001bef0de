//! Hashes, and the key that a signature is made with.

use aws_lc_rs::{constant_time, digest, hmac};

use crate::Scope;

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

fn hmac_sha256(key: &[u8], text: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text)
}

/// The signature, in hex, of a string to sign.
pub(crate) fn signature(secret: &str, scope: &Scope, string_to_sign: &str) -> String {
    Narrowed::new(secret, scope).sign(string_to_sign)
}

/// A secret that was narrowed to a day, a region, a service.
#[derive(Clone)]
pub(crate) struct Narrowed(hmac::Key);

impl Narrowed {
    pub(crate) fn new(secret: &str, scope: &Scope) -> Self {
        let mut tag = hmac_sha256(format!("AWS4{secret}").as_bytes(), scope.date.as_bytes());
        for narrowed in [&*scope.region, &*scope.service, "aws4_request"] {
            tag = hmac_sha256(tag.as_ref(), narrowed.as_bytes());
        }
        Self(hmac::Key::new(hmac::HMAC_SHA256, tag.as_ref()))
    }

    pub(crate) fn sign(&self, text: &str) -> String {
        hex::encode(hmac::sign(&self.0, text.as_bytes()))
    }
}

impl std::fmt::Debug for Narrowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Narrowed")
    }
}

/// Compares in a time that tells nothing but the lengths.
pub(crate) fn same(one: &str, two: &str) -> bool {
    constant_time::verify_slices_are_equal(one.as_bytes(), two.as_bytes()).is_ok()
}
