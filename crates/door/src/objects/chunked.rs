//! Bodies of type `aws-chunked`: a body inside a body, in chunks that may be signed, with trailers that may be.
//!
//! Bytes are handed on while their chunk comes, before its signature is checked: a chunk that does not fit ends the body with a
//! fault, and nothing that was read of it counts. A chunk's head and the trailers are bounded; its data is never held.

use aws_lc_rs::digest;
use bytes::{Buf, Bytes, BytesMut};
use contract::{Cause, Fault};
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use signature::Chunks;
use wire::{ByteStream, Trailers};

/// The longest line: a chunk's head, a trailer.
const LINE_BYTES_MAX: usize = 4 << 10;
/// The most lines after the last chunk.
const TRAILERS_MAX: usize = 16;

/// How a body is taken apart.
pub(super) struct Decoder {
    source: ByteStream,
    buffer: BytesMut,
    /// Where chunks are signed.
    chunks: Option<Chunks>,
    trailers: Trailers,
    state: State,
}

enum State {
    Head,
    Data { left: u64, hash: Option<(digest::Context, String)> },
    Trailers { seen: usize, hash: Option<digest::Context> },
    Done,
}

impl Decoder {
    /// The body inside `source`. With `chunks`, signatures are asked for.
    pub(super) fn stream(source: ByteStream, chunks: Option<Chunks>, trailers: Trailers) -> ByteStream {
        let decoder = Self { source, buffer: BytesMut::new(), chunks, trailers, state: State::Head };
        let pieces = futures_util::stream::try_unfold(decoder, |mut decoder| async move {
            Ok(decoder.next().await?.map(|piece| (piece, decoder)))
        });
        Box::pin(pieces)
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Head => self.state = self.head().await?,
                State::Data { left: 0, hash } => {
                    if let (Some((context, signature)), Some(chunks)) = (hash, &mut self.chunks)
                        && !chunks.check(&signature, &hex::encode(context.finish()))
                    {
                        return Err(not_signed());
                    }
                    if !self.line().await?.is_empty() {
                        return Err(malformed());
                    }
                    self.state = State::Head;
                }
                State::Data { left, mut hash } => {
                    if self.buffer.is_empty() && !self.more().await? {
                        return Err(incomplete());
                    }
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
                    let piece = self.buffer.split_to(take).freeze();
                    if let Some((context, _)) = &mut hash {
                        context.update(&piece);
                    }
                    self.state = State::Data { left: left - take as u64, hash };
                    return Ok(Some(piece));
                }
                State::Trailers { seen, hash } => self.state = self.trailer(seen, hash).await?,
                State::Done => return Ok(None),
            }
        }
    }

    async fn head(&mut self) -> Result<State, Fault> {
        let line = self.line().await?;
        let (size, rest) = line.split_once(';').unwrap_or((&line, ""));
        let left = u64::from_str_radix(size.trim(), 16).map_err(|_| malformed())?;
        let signature = rest.trim().strip_prefix("chunk-signature=").unwrap_or_default().to_owned();
        let hash = || digest::Context::new(&digest::SHA256);
        match (left, &mut self.chunks) {
            (0, Some(chunks)) => {
                if !chunks.check(&signature, &hex::encode(hash().finish())) {
                    return Err(not_signed());
                }
                Ok(State::Trailers { seen: 0, hash: Some(hash()) })
            }
            (0, None) => Ok(State::Trailers { seen: 0, hash: None }),
            (left, Some(_)) => Ok(State::Data { left, hash: Some((hash(), signature)) }),
            (left, None) => Ok(State::Data { left, hash: None }),
        }
    }

    async fn trailer(&mut self, seen: usize, mut hash: Option<digest::Context>) -> Result<State, Fault> {
        // Some clients end with the last trailer, without an empty line.
        let over = self.buffer.is_empty() && !self.more().await?;
        let line = if over { String::new() } else { self.line().await? };
        if line.is_empty() {
            // Where chunks are signed, trailers are too, and the signature takes the hash with it.
            return if hash.is_some() && seen > 0 { Err(not_signed()) } else { Ok(State::Done) };
        }
        if seen >= TRAILERS_MAX {
            return Err(malformed());
        }
        let (name, value) = line.split_once(':').ok_or_else(malformed)?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if name == "x-amz-trailer-signature" {
            if let (Some(context), Some(chunks)) = (hash.take(), &mut self.chunks)
                && !chunks.check_trailer(value, &hex::encode(context.finish()))
            {
                return Err(not_signed());
            }
        } else {
            if let Some(context) = &mut hash {
                context.update(format!("{name}:{value}\n").as_bytes());
            }
            self.trailers.add(name, value.to_owned());
        }
        Ok(State::Trailers { seen: seen + 1, hash })
    }

    /// A line without its end.
    async fn line(&mut self) -> Result<String, Fault> {
        loop {
            let end = self.buffer.iter().position(|byte| *byte == b'\n');
            // However much came at once.
            if end.unwrap_or(self.buffer.len()) > LINE_BYTES_MAX {
                return Err(malformed());
            }
            if let Some(end) = end {
                let line = self.buffer.split_to(end);
                self.buffer.advance(1);
                let line = line.strip_suffix(b"\r").unwrap_or(&line);
                return String::from_utf8(line.to_vec()).map_err(|_| malformed());
            }
            if !self.more().await? {
                return Err(incomplete());
            }
        }
    }

    /// Whether there was more.
    async fn more(&mut self) -> Result<bool, Fault> {
        while let Some(piece) = self.source.next().await {
            let piece = piece?;
            if piece.is_empty() {
                continue;
            }
            // A piece that comes when nothing waits is not copied.
            match self.buffer.is_empty() {
                true => self.buffer = piece.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..])),
                false => self.buffer.extend_from_slice(&piece),
            }
            return Ok(true);
        }
        Ok(false)
    }
}

/// What is inside a body that has come already, in these pieces, and the names of its trailers' values that were asked for.
pub(crate) fn decode_now(pieces: &[&[u8]], trailer: &str) -> Result<(Vec<u8>, Option<String>), Fault> {
    let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let trailers = Trailers::default();
    let stream = Decoder::stream(Box::pin(futures_util::stream::iter(pieces)), None, trailers.clone());
    let whole = stream.try_fold(Vec::new(), async |mut whole: Vec<u8>, piece| {
        whole.extend_from_slice(&piece);
        Ok(whole)
    });
    let whole = whole.now_or_never().expect("nothing is waited for: all pieces are there")?;
    Ok((whole, trailers.get(trailer)))
}

fn not_signed() -> Fault {
    let message = "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
    Fault { status: Some(403), ..Fault::new(Cause::Denied, "SignatureDoesNotMatch", message) }
}

fn malformed() -> Fault {
    let message = "The chunks of the body are not as aws-chunked has them.";
    Fault { status: Some(400), ..Fault::new(Cause::Invalid, "InvalidRequest", message) }
}

fn incomplete() -> Fault {
    let message = "The request body terminated unexpectedly";
    Fault { status: Some(400), ..Fault::new(Cause::Invalid, "IncompleteBody", message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(pieces: &[&[u8]]) -> Result<(Vec<u8>, Option<String>), String> {
        decode_now(pieces, "x-amz-checksum-crc32").map_err(|fault| fault.code)
    }

    #[test]
    fn bodies_are_taken_apart() {
        let good = b"5\r\nhello\r\n1;chunk-signature=ab\r\n!\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
        let expected = Ok((b"hello!".to_vec(), Some("AAAAAA==".to_owned())));
        assert_eq!(decode(&[good]), expected);
        for cut in 1..good.len() {
            assert_eq!(decode(&[&good[..cut], &good[cut..]]), expected, "cut at {cut}");
        }
        let singles: Vec<&[u8]> = good.chunks(1).collect();
        assert_eq!(decode(&singles), expected);
        assert_eq!(decode(&[b"0\r\n\r\n"]), Ok((Vec::new(), None)));
        for (bad, code) in [
            (&b"5\r\nhell"[..], "IncompleteBody"),
            (b"", "IncompleteBody"),
            (b"x\r\n", "InvalidRequest"),
            (b"5\r\nhelloX\r\n", "InvalidRequest"),
            (b"0\r\nno colon\r\n\r\n", "InvalidRequest"),
            (b"ffffffffffffffffff\r\n", "InvalidRequest"),
        ] {
            assert_eq!(decode(&[bad]), Err(code.to_owned()), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn trailers_are_signed_where_chunks_are() {
        for (rest, expected) in [
            (&b"\r\n"[..], Ok(())),
            (b"", Ok(())),
            (b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n", Err("SignatureDoesNotMatch")),
            (b"x-amz-checksum-crc32:AAAAAA==\r\n", Err("SignatureDoesNotMatch")),
        ] {
            let mut decoder = Decoder {
                source: Box::pin(futures_util::stream::iter([Ok(Bytes::from_static(rest))])),
                buffer: BytesMut::new(),
                chunks: None,
                trailers: Trailers::default(),
                state: State::Trailers { seen: 0, hash: Some(digest::Context::new(&digest::SHA256)) },
            };
            let ended = decoder.next().now_or_never().expect("nothing is waited for");
            let ended = ended.map(|piece| assert!(piece.is_none())).map_err(|fault| fault.code);
            assert_eq!(ended, expected.map_err(str::to_owned), "{}", String::from_utf8_lossy(rest));
        }
    }

    #[test]
    fn whatever_comes_is_answered() {
        let random = base::Random::seeded(8);
        let good = b"5;chunk-signature=00\r\nhello\r\n0\r\na:b\r\n\r\n";
        for _ in 0..5_000 {
            let mut bytes = good.to_vec();
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len() as u64) as usize;
                bytes[at] = random.below(256) as u8;
            }
            crate::fuzzing::chunked(&bytes);
        }
    }
}
