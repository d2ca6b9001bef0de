//! The name of a blob: the SHA-256 of its bytes.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;

use crate::key::{Encoder, Part};

/// A blob's name, which follows from its content. Shown in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId([u8; 32]);

impl BlobId {
    /// The id of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_digest(&digest::digest(&digest::SHA256, bytes))
    }

    /// The SHA-256.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn from_digest(digest: &digest::Digest) -> Self {
        Self(digest.as_ref().try_into().expect("a SHA-256 has 32 bytes"))
    }
}

impl From<[u8; 32]> for BlobId {
    fn from(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BlobId {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut sha256 = [0; 32];
        hex::decode_to_slice(text, &mut sha256)?;
        Ok(Self(sha256))
    }
}

impl Part for BlobId {
    fn encode(&self, encoder: &mut Encoder) {
        encoder.bytes(&self.0);
    }
}

impl serde::Serialize for BlobId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for BlobId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
