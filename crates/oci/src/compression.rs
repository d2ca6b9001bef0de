//! Takes the packing off a layer: gzip, zstd, or none. What it is, the bytes themselves say: what documents say of it is often wrong.

use std::io::{self, BufRead, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Bytes without their packing. Reads its input to the very end.
pub(crate) enum Unpacked<R> {
    Plain(R),
    Gzip(Box<MultiGzDecoder<R>>),
    Zstd(Box<Zstd<R>>),
}

impl<R: BufRead> Unpacked<R> {
    /// Looks at the first bytes.
    pub(crate) fn new(mut input: R) -> io::Result<Self> {
        let begin = input.fill_buf()?;
        if begin.starts_with(GZIP) {
            Ok(Self::Gzip(Box::new(MultiGzDecoder::new(input))))
        } else if begin.starts_with(ZSTD) || is_skippable(begin) {
            Ok(Self::Zstd(Box::new(Zstd::new(input))))
        } else {
            Ok(Self::Plain(input))
        }
    }

    /// True if there was nothing to take off.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }
}

impl<R: BufRead> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(input) => input.read(buffer),
            Self::Gzip(input) => input.read(buffer),
            Self::Zstd(input) => input.read(buffer),
        }
    }
}

/// A frame without content, which is passed over: 16 magic numbers.
fn is_skippable(begin: &[u8]) -> bool {
    matches!(begin, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// Zstd's frames, one after the other. What a frame keeps in memory is bounded by the decoder: its window is at most 128 MiB.
pub(crate) struct Zstd<R> {
    input: R,
    decoder: FrameDecoder,
    begun: bool,
}

impl<R: BufRead> Zstd<R> {
    fn new(input: R) -> Self {
        Self { input, decoder: FrameDecoder::new(), begun: false }
    }

    /// Begins the next frame; false if there is none.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            let mut magic = [0; 4];
            match read_full(&mut self.input, &mut magic)? {
                0 => return Ok(false),
                4 => {}
                _ => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
            if !is_skippable(&magic) {
                self.decoder.reset(Cursor::new(magic).chain(&mut self.input)).map_err(io::Error::other)?;
                self.begun = true;
                return Ok(true);
            }
            let mut length = [0; 4];
            self.input.read_exact(&mut length)?;
            let length = u64::from(u32::from_le_bytes(length));
            if io::copy(&mut (&mut self.input).take(length), &mut io::sink())? < length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.begun {
                while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                    let blocks = BlockDecodingStrategy::UptoBlocks(1);
                    self.decoder.decode_blocks(&mut self.input, blocks).map_err(io::Error::other)?;
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

/// Reads until the buffer is full or the input ends.
fn read_full(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
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
        let mut unpacked = Unpacked::new(BufReader::with_capacity(7, bytes))?;
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
        }
        let mut flipped = gzip(&content);
        let last = flipped.len() - 8;
        flipped[last] ^= 1;
        assert!(unpack(&flipped).is_err(), "another checksum");
    }
}
