//! Takes the packing off bytes as they stream by: gzip, zstd, or none. The bytes come from strangers; what a packing may keep in memory is
//! bounded by its decoder (a window of zstd is at most 128 MiB), and what comes out of it is for the caller to bound.
//!
//! What always holds: all of the input is read, with everything that follows a first part (members of gzip, frames of zstd), and what is
//! torn, damaged or followed by something else is an error.

use std::io::{self, BufRead, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Bytes without their packing. Reads its input to the very end.
pub struct Unpacked<R>(Kind<R>);

enum Kind<R> {
    Plain(R),
    Gzip(Box<MultiGzDecoder<R>>),
    Zstd(Box<Zstd<R>>),
}

impl<R: BufRead> Unpacked<R> {
    /// Of whatever packing the first bytes show.
    pub fn seen(mut input: R) -> io::Result<Self> {
        let begin = input.fill_buf()?;
        Ok(if begin.starts_with(GZIP) {
            Self::gzip(input)
        } else if begin.starts_with(ZSTD) || is_skippable(begin) {
            Self::zstd(input)
        } else {
            Self::plain(input)
        })
    }

    /// Of none.
    pub fn plain(input: R) -> Self {
        Self(Kind::Plain(input))
    }

    /// Of gzip.
    pub fn gzip(input: R) -> Self {
        Self(Kind::Gzip(Box::new(MultiGzDecoder::new(input))))
    }

    /// Of zstd.
    pub fn zstd(input: R) -> Self {
        Self(Kind::Zstd(Box::new(Zstd { input, decoder: FrameDecoder::new(), begun: false })))
    }

    /// True if there was nothing to take off.
    pub fn is_plain(&self) -> bool {
        matches!(self.0, Kind::Plain(_))
    }
}

impl<R> std::fmt::Debug for Unpacked<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let packing = match self.0 {
            Kind::Plain(_) => "plain",
            Kind::Gzip(_) => "gzip",
            Kind::Zstd(_) => "zstd",
        };
        f.debug_tuple("Unpacked").field(&packing).finish()
    }
}

impl<R: BufRead> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::Plain(input) => input.read(buffer),
            Kind::Gzip(input) => input.read(buffer),
            Kind::Zstd(input) => input.read(buffer),
        }
    }
}

/// A frame without content, which is passed over: 16 magic numbers.
fn is_skippable(begin: &[u8]) -> bool {
    matches!(begin, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// Zstd's frames, one after the other.
struct Zstd<R> {
    input: R,
    decoder: FrameDecoder,
    begun: bool,
}

impl<R: BufRead> Zstd<R> {
    /// Begins the next frame; false if there is none. Those without content are passed over.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            if self.input.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.input) {
                Ok(()) => {
                    self.begun = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let length = u64::from(length);
                    if io::copy(&mut (&mut self.input).take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.begun {
                while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                    let block = BlockDecodingStrategy::UptoBlocks(1);
                    self.decoder.decode_blocks(&mut self.input, block).map_err(io::Error::other)?;
                }
                let read = self.decoder.read(buffer)?;
                if read > 0 || buffer.is_empty() {
                    return Ok(read);
                }
            }
            if !self.begin()? {
                return Ok(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write};

    use base::Random;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        compress_to_vec(bytes, CompressionLevel::Fastest)
    }

    fn unpack(bytes: &[u8]) -> io::Result<Vec<u8>> {
        // A buffer that cuts everything in the middle.
        let mut unpacked = Unpacked::seen(BufReader::with_capacity(7, bytes))?;
        let mut out = Vec::new();
        unpacked.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn each_packing_is_taken_off_to_the_end() {
        let mut content = vec![0; 300_000];
        Random::seeded(1).fill(&mut content[100_000..200_000]);
        let skippable = [&[0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        let (one, two) = content.split_at(123_456);
        for (name, packed) in [
            ("plain", content.clone()),
            ("gzip", gzip(&content)),
            ("two gzip members", [gzip(one), gzip(two)].concat()),
            ("zstd", zstd(&content)),
            ("two zstd frames", [zstd(one), zstd(two)].concat()),
            ("zstd among skippable frames", [&skippable, &zstd(&content)[..], &skippable].concat()),
        ] {
            assert_eq!(unpack(&packed).unwrap(), content, "{name}");
        }
        assert_eq!(unpack(&zstd(b"")).unwrap(), b"");
        assert_eq!(unpack(&gzip(b"")).unwrap(), b"");
    }

    #[test]
    fn damage_is_an_error() {
        let content = b"some content that is long enough".repeat(100);
        let whole = [gzip(&content), zstd(&content)];
        for packed in &whole {
            assert!(unpack(&packed[..packed.len() - 5]).is_err(), "torn");
            assert!(unpack(&[&packed[..], b"and more"].concat()).is_err(), "followed by something else");
            assert!(unpack(&[&packed[..], &packed[..2]].concat()).is_err(), "followed by the beginning of more");
        }
        let skippable = [0x5e, 0x2a, 0x4d, 0x18, 9, 0, 0, 0, 1, 2];
        assert!(unpack(&[&zstd(&content)[..], &skippable].concat()).is_err(), "a frame without content, torn");
        for named in [Unpacked::gzip(&b"plain"[..]), Unpacked::zstd(&b"plain"[..])] {
            let mut named = named;
            assert!(
                !named.is_plain() && named.read_to_end(&mut Vec::new()).is_err(),
                "{named:?} is what was said, not what is there"
            );
        }
        let mut flipped = gzip(&content);
        let last = flipped.len() - 8;
        flipped[last] ^= 1;
        assert!(unpack(&flipped).is_err(), "another checksum");
    }
}
