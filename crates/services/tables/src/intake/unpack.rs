//! Takes the packing off an object.

use std::io::{self, BufRead, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::model::import::Packing;

/// Bytes without their packing.
pub(super) enum Unpacked<R> {
    Plain(R),
    Gzip(Box<MultiGzDecoder<R>>),
    Zstd(Box<Zstd<R>>),
}

impl<R: BufRead> Unpacked<R> {
    pub(super) fn new(input: R, packing: Packing) -> Self {
        match packing {
            Packing::None => Self::Plain(input),
            Packing::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(input))),
            Packing::Zstd => Self::Zstd(Box::new(Zstd { input, decoder: FrameDecoder::new(), begun: false })),
        }
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

/// Zstd's frames, one after the other. The decoder bounds what a frame keeps in memory.
pub(super) struct Zstd<R> {
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
