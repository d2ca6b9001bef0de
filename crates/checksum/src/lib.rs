//! Checksums of bytes as they stream by: the algorithms that S3 knows, and what clients send to be held against them.
//!
//! Not for anything that must be safe: whoever means harm finds two bodies of one CRC.

use std::fmt;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use md5::Digest as _;
use xxhash_rust::xxh3::Xxh3;
use xxhash_rust::xxh64::Xxh64;

/// An algorithm, by S3's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// CRC-32 (ISO-HDLC).
    Crc32,
    /// CRC-32C (Castagnoli).
    Crc32c,
    /// CRC-64 of NVM Express.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
    /// MD5.
    Md5,
    /// XXH64.
    Xxhash64,
    /// XXH3, 64 bits.
    Xxhash3,
    /// XXH3, 128 bits.
    Xxhash128,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
        Self::Sha512,
        Self::Md5,
        Self::Xxhash64,
        Self::Xxhash3,
        Self::Xxhash128,
    ];

    /// `CRC64NVME`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
            Self::Md5 => "MD5",
            Self::Xxhash64 => "XXHASH64",
            Self::Xxhash3 => "XXHASH3",
            Self::Xxhash128 => "XXHASH128",
        }
    }

    /// The header, and the trailer, that carries it.
    pub fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
            Self::Sha512 => "x-amz-checksum-sha512",
            Self::Md5 => "x-amz-checksum-md5",
            Self::Xxhash64 => "x-amz-checksum-xxhash64",
            Self::Xxhash3 => "x-amz-checksum-xxhash3",
            Self::Xxhash128 => "x-amz-checksum-xxhash128",
        }
    }

    /// The algorithm of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The length of a checksum.
    pub fn bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme | Self::Xxhash64 | Self::Xxhash3 => 8,
            Self::Md5 | Self::Xxhash128 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// Whether the checksum of a whole follows from those of its parts.
    pub fn is_crc(self) -> bool {
        self.crc().is_some()
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 | Self::Sha512 | Self::Md5 | Self::Xxhash64 | Self::Xxhash3 | Self::Xxhash128 => {
                None
            }
        }
    }

    /// The checksum of two parts that follow each other, from theirs; nothing where it does not follow from them.
    pub fn combine(self, first: &[u8], second: &[u8], second_bytes: u64) -> Option<Vec<u8>> {
        let crc = self.crc()?;
        let (first, second) = (number(first, self.bytes())?, number(second, self.bytes())?);
        let whole = crc_fast::checksum_combine(crc, first, second, second_bytes);
        Some(whole.to_be_bytes()[8 - self.bytes()..].to_vec())
    }

    /// Takes a checksum as headers have it, in base64; nothing where it cannot be one of this algorithm.
    pub fn decode(self, text: &str) -> Option<Vec<u8>> {
        STANDARD.decode(text).ok().filter(|bytes| bytes.len() == self.bytes())
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn number(bytes: &[u8], length: usize) -> Option<u64> {
    (bytes.len() == length).then(|| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// As headers have it.
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A checksum that is being made.
pub struct Hasher(State);

enum State {
    Crc(Box<crc_fast::Digest>, usize),
    Sha(digest::Context),
    Md5(md5::Md5),
    Xxh64(Xxh64),
    Xxh3(Box<Xxh3>),
    Xxh128(Box<Xxh3>),
}

impl Hasher {
    /// Begins.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Crc32 | Algorithm::Crc32c | Algorithm::Crc64Nvme => {
                let crc = algorithm.crc().unwrap_or(CrcAlgorithm::Crc64Nvme);
                State::Crc(Box::new(crc_fast::Digest::new(crc)), algorithm.bytes())
            }
            Algorithm::Sha1 => State::Sha(digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY)),
            Algorithm::Sha256 => State::Sha(digest::Context::new(&digest::SHA256)),
            Algorithm::Sha512 => State::Sha(digest::Context::new(&digest::SHA512)),
            Algorithm::Md5 => State::Md5(md5::Md5::new()),
            Algorithm::Xxhash64 => State::Xxh64(Xxh64::new(0)),
            Algorithm::Xxhash3 => State::Xxh3(Box::new(Xxh3::new())),
            Algorithm::Xxhash128 => State::Xxh128(Box::new(Xxh3::new())),
        })
    }

    /// Takes some bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Crc(crc, _) => crc.update(bytes),
            State::Sha(sha) => sha.update(bytes),
            State::Md5(md5) => md5.update(bytes),
            State::Xxh64(xxh) => xxh.update(bytes),
            State::Xxh3(xxh) | State::Xxh128(xxh) => xxh.update(bytes),
        }
    }

    /// Ends, and tells.
    pub fn finish(self) -> Vec<u8> {
        match self.0 {
            State::Crc(crc, bytes) => crc.finalize().to_be_bytes()[8 - bytes..].to_vec(),
            State::Sha(sha) => sha.finish().as_ref().to_vec(),
            State::Md5(md5) => md5.finalize().to_vec(),
            State::Xxh64(xxh) => xxh.digest().to_be_bytes().to_vec(),
            State::Xxh3(xxh) => xxh.digest().to_be_bytes().to_vec(),
            State::Xxh128(xxh) => xxh.digest128().to_be_bytes().to_vec(),
        }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

/// The checksum of bytes that are there.
pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Vec<u8> {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_the_published_ones() {
        for (algorithm, expected) in [
            (Algorithm::Crc32, "cbf43926"),
            (Algorithm::Crc32c, "e3069283"),
            (Algorithm::Crc64Nvme, "ae8b14860a799888"),
            (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (Algorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
            (Algorithm::Md5, "25f9e794323b453885f5181f1b624d0b"),
        ] {
            assert_eq!(hex::encode(of(algorithm, b"123456789")), expected, "{algorithm}");
        }
        for (algorithm, expected) in [
            (Algorithm::Xxhash64, "ef46db3751d8e999"),
            (Algorithm::Xxhash3, "2d06800538d394c2"),
            (Algorithm::Xxhash128, "99aa06d3014798d86001c324468d497f"),
        ] {
            assert_eq!(hex::encode(of(algorithm, b"")), expected, "{algorithm}");
        }
    }

    #[test]
    fn parts_give_the_whole() {
        let (first, second) = (vec![7_u8; 70_000], b"the rest".to_vec());
        let whole = [first.clone(), second.clone()].concat();
        for algorithm in Algorithm::ALL {
            let combined = algorithm.combine(&of(algorithm, &first), &of(algorithm, &second), second.len() as u64);
            let expected = algorithm.is_crc().then(|| of(algorithm, &whole));
            assert_eq!(combined, expected, "{algorithm}");
            assert_eq!(of(algorithm, &whole).len(), algorithm.bytes(), "{algorithm}");
            assert_eq!(algorithm.decode(&encode(&of(algorithm, &whole))), Some(of(algorithm, &whole)));
            assert_eq!(Algorithm::parse(algorithm.name()), Some(algorithm));
        }
    }
}
