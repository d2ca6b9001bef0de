//! Names of bytes: an algorithm and what it makes of them. Whoever fetches something by its digest can tell whether it came whole.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256, SHA512};

use crate::Error;

/// A name such as `sha256:9f86d0…`. Only well-formed ones can be made, so one may be part of a path or an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Algorithm {
    Sha256,
    Sha512,
}

impl Algorithm {
    const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

impl Digest {
    /// The SHA-256 of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(bytes);
        hasher.finish()
    }

    /// From the 64 digits of a SHA-256 alone.
    pub(crate) fn from_sha256_hex(hex: &str) -> Option<Self> {
        let fits = hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        fits.then(|| Self { algorithm: Algorithm::Sha256, hex: hex.to_owned() })
    }

    /// The digest of some bytes, by the same algorithm.
    pub(crate) fn same_of(&self, bytes: &[u8]) -> Self {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Begins a digest of the same algorithm.
    pub(crate) fn hasher(&self) -> Hasher {
        Hasher::new(self.algorithm)
    }

    /// As a file's name: `sha256-9f86d0…`.
    pub(crate) fn file_name(&self) -> String {
        format!("{}-{}", self.algorithm.name(), self.hex)
    }

    /// Where an image layout keeps the bytes: `blobs/sha256/9f86d0…`.
    pub(crate) fn blob_path(&self) -> String {
        format!("blobs/{}/{}", self.algorithm.name(), self.hex)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex)
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::NotADigest { text: text.chars().take(200).collect() };
        let (name, hex) = text.split_once(':').ok_or_else(wrong)?;
        let algorithm = Algorithm::ALL.into_iter().find(|one| one.name() == name).ok_or_else(wrong)?;
        let fits = hex.len() == algorithm.digits() && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        fits.then(|| Self { algorithm, hex: hex.to_owned() }).ok_or_else(wrong)
    }
}

/// A digest on its way.
#[derive(Clone)]
pub(crate) struct Hasher {
    algorithm: Algorithm,
    context: Context,
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Self {
        let context = Context::new(match algorithm {
            Algorithm::Sha256 => &SHA256,
            Algorithm::Sha512 => &SHA512,
        });
        Self { algorithm, context }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    pub(crate) fn finish(self) -> Digest {
        Digest { algorithm: self.algorithm, hex: hex::encode(self.context.finish()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_strictly() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let long = format!("sha512:{}", "0a".repeat(64));
        for (text, expected) in [
            (empty, true),
            (&long, true),
            ("", false),
            ("sha256:", false),
            ("sha256:../../etc/passwd", false),
            (&empty.to_uppercase(), false),
            (&empty.replace("sha256", "md5"), false),
            (&empty[..70], false),
            (&format!("{empty}0"), false),
            (&format!(" {empty}"), false),
        ] {
            let read = text.parse::<Digest>();
            assert_eq!(read.is_ok(), expected, "{text}");
            if let Ok(digest) = read {
                assert_eq!(digest.to_string(), text);
                assert_eq!(digest.file_name().replacen('-', ":", 1), text);
            }
        }
        assert_eq!(Digest::of(b"").to_string(), empty);
        let long: Digest = long.parse().unwrap();
        assert_eq!(long.same_of(b"").to_string().len(), "sha512:".len() + 128);
    }
}
