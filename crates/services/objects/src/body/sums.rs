//! Checksums: which ones a request asks for, what it says that they are, and what they turn out to be.

use checksum::{Algorithm, Hasher};
use contract::Fault;
use wire::Trailers;

use crate::error::{bad_digest, invalid_request, refused};
use crate::model::Checksum;

/// The ten members of a shape that carry checksums, as the request gave them.
macro_rules! given {
    ($input:expr) => {
        [
            (checksum::Algorithm::Crc32, &$input.checksum_crc32),
            (checksum::Algorithm::Crc32c, &$input.checksum_crc32_c),
            (checksum::Algorithm::Crc64Nvme, &$input.checksum_crc64_nvme),
            (checksum::Algorithm::Sha1, &$input.checksum_sha1),
            (checksum::Algorithm::Sha256, &$input.checksum_sha256),
            (checksum::Algorithm::Sha512, &$input.checksum_sha512),
            (checksum::Algorithm::Md5, &$input.checksum_md5),
            (checksum::Algorithm::Xxhash64, &$input.checksum_xxhash64),
            (checksum::Algorithm::Xxhash3, &$input.checksum_xxhash3),
            (checksum::Algorithm::Xxhash128, &$input.checksum_xxhash128),
        ]
    };
}

/// Sets the member that carries the checksum.
macro_rules! show {
    ($output:expr, $checksum:expr) => {
        if let Some(checksum) = $checksum {
            let value = Some(checksum.value.clone());
            match checksum.algorithm() {
                Some(checksum::Algorithm::Crc32) => $output.checksum_crc32 = value,
                Some(checksum::Algorithm::Crc32c) => $output.checksum_crc32_c = value,
                Some(checksum::Algorithm::Crc64Nvme) => $output.checksum_crc64_nvme = value,
                Some(checksum::Algorithm::Sha1) => $output.checksum_sha1 = value,
                Some(checksum::Algorithm::Sha256) => $output.checksum_sha256 = value,
                Some(checksum::Algorithm::Sha512) => $output.checksum_sha512 = value,
                Some(checksum::Algorithm::Md5) => $output.checksum_md5 = value,
                Some(checksum::Algorithm::Xxhash64) => $output.checksum_xxhash64 = value,
                Some(checksum::Algorithm::Xxhash3) => $output.checksum_xxhash3 = value,
                Some(checksum::Algorithm::Xxhash128) => $output.checksum_xxhash128 = value,
                None => {}
            }
        }
    };
}

pub(crate) use {given, show};

/// What a request says of its body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// The checksum that is kept.
    algorithm: Option<Algorithm>,
    /// What it must be, where the head says it.
    value: Option<Vec<u8>>,
    /// What the MD5 must be.
    md5: Option<Vec<u8>>,
    /// Whether a trailer will say what it must be.
    announced: bool,
}

impl Wanted {
    /// Reads what the head says: an MD5, one checksum, or the name of an algorithm. `default` is kept where nothing is asked for.
    pub(crate) fn read(
        md5: Option<&str>,
        given: [(Algorithm, &Option<String>); 10],
        named: Option<&str>,
        default: Option<Algorithm>,
    ) -> Result<Self, Fault> {
        let md5 = md5.map(|text| {
            let wrong = || {
                refused(400, "InvalidDigest", "The Content-MD5 you specified was invalid.").with("Content-MD5", text)
            };
            Algorithm::Md5.decode(text).ok_or_else(wrong)
        });
        let named = named.map(named_algorithm);
        let mut given = given.into_iter().filter_map(|(algorithm, value)| Some((algorithm, value.as_deref()?)));
        let first = given.next();
        if given.next().is_some() {
            return Err(invalid_request(
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            ));
        }
        let named = named.transpose()?;
        let (algorithm, value) = match first {
            Some((algorithm, value)) => {
                let wrong = || invalid_request(format!("Value for {} header is invalid.", algorithm.header()));
                (Some(algorithm), Some(algorithm.decode(value).ok_or_else(wrong)?))
            }
            None => (named.or(default), None),
        };
        Ok(Self { algorithm, value, md5: md5.transpose()?, announced: false })
    }

    /// Nothing is said; that checksum is made.
    pub(crate) fn only(algorithm: Option<Algorithm>) -> Self {
        Self { algorithm, ..Self::default() }
    }

    /// Keeps that checksum where nothing was asked for.
    pub(crate) fn or(mut self, default: Option<Algorithm>) -> Self {
        self.algorithm = self.algorithm.or(default);
        self
    }

    /// The name of the checksum that is kept.
    pub(crate) fn named(&self) -> Option<&'static str> {
        self.algorithm.map(Algorithm::name)
    }

    /// What a trailer was announced for, which only the trailers say.
    pub(crate) fn or_announced(mut self, trailers: &Trailers) -> Self {
        let announced = trailers.get("x-amz-trailer").and_then(|name| {
            Algorithm::ALL.into_iter().find(|algorithm| algorithm.header() == name.trim().to_ascii_lowercase())
        });
        if self.value.is_none() && announced.is_some() {
            self.algorithm = announced;
            self.announced = true;
        }
        self
    }

    /// Whether the client says what the body must be, so that one that came damaged is refused.
    pub(crate) fn is_said(&self) -> bool {
        self.value.is_some() || self.md5.is_some() || self.announced
    }

    /// Makers of all that is needed.
    pub(super) fn hashers(&self) -> Hashers {
        Hashers {
            md5: Hasher::new(Algorithm::Md5),
            other: self.algorithm.map(|algorithm| (algorithm, Hasher::new(algorithm))),
        }
    }

    /// Whether the body is what was said, once all of it was seen.
    pub(super) fn check(&self, hashers: Hashers, trailers: &Trailers) -> Result<Sums, Fault> {
        let md5 = hashers.md5.finish();
        if self.md5.as_ref().is_some_and(|wanted| *wanted != md5) {
            return Err(bad_digest("Content-MD5"));
        }
        let Some((algorithm, hasher)) = hashers.other else { return Ok(Sums { md5, checksum: None }) };
        let value = hasher.finish();
        let said = match &self.value {
            Some(said) => Some(said.clone()),
            None => trailers
                .get(algorithm.header())
                .map(|text| {
                    let wrong =
                        || invalid_request(format!("Value for {} trailing header is invalid.", algorithm.header()));
                    algorithm.decode(&text).ok_or_else(wrong)
                })
                .transpose()?,
        };
        if said.is_none() && self.announced {
            let message = "The request contained trailing data that was not well-formed or did not conform to our published schema.";
            return Err(refused(400, "MalformedTrailerError", message));
        }
        if said.is_some_and(|said| said != value) {
            return Err(bad_digest(algorithm.name()));
        }
        let checksum =
            Checksum { algorithm: algorithm.name().into(), value: checksum::encode(&value), composite: false };
        Ok(Sums { md5, checksum: Some(checksum) })
    }
}

/// The algorithm that a request names.
pub(crate) fn named_algorithm(name: &str) -> Result<Algorithm, Fault> {
    Algorithm::parse(&name.to_ascii_uppercase()).ok_or_else(|| {
        invalid_request(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, \
             CRC64NVME, SHA1, SHA256]",
        )
    })
}

/// Checksums that are being made.
pub(super) struct Hashers {
    md5: Hasher,
    other: Option<(Algorithm, Hasher)>,
}

impl Hashers {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        if let Some((_, hasher)) = &mut self.other {
            hasher.update(bytes);
        }
    }
}

/// What they are.
#[derive(Clone, Debug)]
pub(crate) struct Sums {
    pub(crate) md5: Vec<u8>,
    pub(crate) checksum: Option<Checksum>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What taking `hello` in comes to, where a trailer is announced and another one comes.
    fn taken(announced: Option<&str>, trailer: Option<(&str, &str)>) -> Result<Option<String>, String> {
        let trailers = Trailers::default();
        if let Some(name) = announced {
            trailers.add("x-amz-trailer".into(), name.into());
        }
        let wanted = Wanted::only(Some(Algorithm::Crc64Nvme)).or_announced(&trailers);
        let mut hashers = wanted.hashers();
        hashers.update(b"hello");
        if let Some((name, value)) = trailer {
            trailers.add(name.into(), value.into());
        }
        let sums = wanted.check(hashers, &trailers).map_err(|fault| fault.code)?;
        Ok(sums.checksum.map(|checksum| checksum.algorithm))
    }

    #[test]
    fn what_is_announced_is_checked_when_it_comes() {
        const NAME: &str = "x-amz-checksum-crc32";
        let good = checksum::encode(&checksum::of(Algorithm::Crc32, b"hello"));
        let crc32 = Some("CRC32".to_owned());
        assert_eq!(taken(None, None), Ok(Some("CRC64NVME".into())));
        assert_eq!(taken(Some(NAME), Some((NAME, &good))), Ok(crc32.clone()));
        assert_eq!(taken(Some("X-Amz-Checksum-CRC32"), Some((NAME, &good))), Ok(crc32));
        assert_eq!(taken(Some(NAME), Some((NAME, "AAAAAA=="))), Err("BadDigest".into()));
        assert_eq!(taken(Some(NAME), Some((NAME, "no sum"))), Err("InvalidRequest".into()));
        assert_eq!(taken(Some(NAME), None), Err("MalformedTrailerError".into()));
        assert_eq!(taken(Some("x-other"), None), Ok(Some("CRC64NVME".into())));
    }
}
