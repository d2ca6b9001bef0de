//! Encryption at rest: every body is sealed in frames, so that a stretch of it can be read without the rest, with a key of its own that
//! is made from the node's key, or the one that the request brought, and the body's salt.
//!
//! AES-256-GCM; the frame's number is the nonce, which a key never sees twice because every body has a key of its own. Frames cannot be
//! changed or swapped unnoticed, and a body cannot be cut, for its length is in its record.

use std::sync::Arc;

use ::store::BlobStream;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use checksum::Algorithm;
use contract::Fault;
use futures_util::{StreamExt, TryStreamExt};
use wire::ByteStream;

use crate::error::{Error, access_denied, invalid_argument, invalid_request, refused};
use crate::model::{Sealed, SealedBy};

/// So much of a body is sealed at once.
const FRAME: u64 = 64 << 10;
/// What sealing adds to a frame.
const TAG: u64 = 16;

/// A key that a request brought.
#[derive(Clone)]
pub(crate) struct Customer {
    key: Vec<u8>,
    pub(crate) md5: String,
}

/// How a new body is to be sealed.
#[derive(Clone)]
pub(crate) enum Sealing {
    /// With the node's key.
    Node,
    /// With the node's key, which stands for that one.
    Kms(String),
    /// With the request's.
    Customer(Customer),
}

impl Sealing {
    /// What stands in the record.
    pub(crate) fn by(&self) -> SealedBy {
        match self {
            Self::Node => SealedBy::Node,
            Self::Kms(key) => SealedBy::Kms(key.clone()),
            Self::Customer(customer) => SealedBy::Customer(customer.md5.clone()),
        }
    }
}

impl Customer {
    /// Reads the three headers that bring a key; nothing where none of them is there.
    pub(crate) fn read(algorithm: Option<&str>, key: Option<&str>, md5: Option<&str>) -> Result<Option<Self>, Fault> {
        const NAME: &str = "x-amz-server-side-encryption";
        let (algorithm, key, md5) = match (algorithm, key, md5) {
            (None, None, None) => return Ok(None),
            (Some(algorithm), Some(key), Some(md5)) => (algorithm, key, md5),
            _ => {
                let message = "Requests specifying Server Side Encryption with Customer provided keys must provide an \
                               appropriate secret key.";
                return Err(invalid_argument(message, NAME, "null"));
            }
        };
        if algorithm != "AES256" {
            let message = "The Encryption request you specified is not valid. Supported value: AES256.";
            return Err(refused(400, "InvalidEncryptionAlgorithmError", message));
        }
        let bytes =
            STANDARD.decode(key).ok().filter(|key| key.len() == 32).ok_or_else(|| {
                invalid_argument("The secret key was invalid for the specified algorithm.", NAME, "null")
            })?;
        if Algorithm::Md5.decode(md5) != Some(checksum::of(Algorithm::Md5, &bytes)) {
            let message = "The calculated MD5 hash of the key did not match the hash that was provided.";
            return Err(invalid_argument(message, NAME, "null"));
        }
        Ok(Some(Self { key: bytes, md5: md5.to_owned() }))
    }
}

/// Whether a reader has brought what it takes, and no more.
pub(crate) fn check_reader(by: Option<&SealedBy>, customer: Option<&Customer>) -> Result<(), Fault> {
    match (by, customer) {
        (Some(SealedBy::Customer(_)), None) => Err(invalid_request(
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve \
             the object.",
        )),
        (Some(SealedBy::Customer(md5)), Some(customer)) if *md5 != customer.md5 => Err(access_denied()),
        (Some(SealedBy::Customer(_)), Some(_)) | (_, None) => Ok(()),
        (_, Some(_)) => Err(invalid_request("The encryption parameters are not applicable to this object.")),
    }
}

/// A body's own key.
#[derive(Clone)]
pub(crate) struct Cipher(Arc<LessSafeKey>);

impl Cipher {
    /// The key of a body, from the node's or the customer's key and the body's salt.
    pub(crate) fn new(root: &[u8; 32], sealed: &Sealed, customer: Option<&Customer>) -> Result<Self, Error> {
        let root = match (&sealed.by, customer) {
            (SealedBy::Node | SealedBy::Kms(_), _) => root.as_slice(),
            (SealedBy::Customer(_), Some(customer)) => &customer.key,
            (SealedBy::Customer(_), None) => return Err(access_denied().into()),
        };
        let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, root), format!("object {}", sealed.salt).as_bytes());
        let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| Error::Internal)?;
        Ok(Self(Arc::new(LessSafeKey::new(key))))
    }

    fn nonce(number: u64) -> Nonce {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&number.to_be_bytes());
        Nonce::assume_unique_for_key(nonce)
    }

    /// Seals a frame where it lies; gives what belongs behind it.
    fn seal(&self, number: u64, frame: &mut [u8]) -> Result<Tag, Fault> {
        self.0.seal_in_place_separate_tag(Self::nonce(number), Aad::empty(), frame).map_err(|_| Fault::internal())
    }

    fn open(&self, number: u64, mut sealed: BytesMut) -> Result<Bytes, Error> {
        match self.0.open_in_place(Self::nonce(number), Aad::empty(), &mut sealed) {
            Ok(frame) => {
                let length = frame.len();
                sealed.truncate(length);
                Ok(sealed.freeze())
            }
            Err(_) => {
                tracing::error!("a sealed body is not what was put: it was damaged, or the node's key is another");
                Err(Error::Internal)
            }
        }
    }

    /// Seals a short body.
    pub(crate) fn seal_whole(&self, body: &[u8]) -> Result<Bytes, Fault> {
        let frames = body.chunks(FRAME as usize);
        let mut sealed = BytesMut::with_capacity(body.len() + frames.len() * TAG as usize);
        for (number, frame) in frames.enumerate() {
            let start = sealed.len();
            sealed.extend_from_slice(frame);
            let tag = self.seal(number as u64, &mut sealed[start..])?;
            sealed.extend_from_slice(tag.as_ref());
        }
        Ok(sealed.freeze())
    }

    /// Opens a short body.
    pub(crate) fn open_whole(&self, sealed: &[u8]) -> Result<Bytes, Error> {
        let mut body = BytesMut::new();
        for (number, frame) in sealed.chunks((FRAME + TAG) as usize).enumerate() {
            body.extend_from_slice(&self.open(number as u64, BytesMut::from(frame))?);
        }
        Ok(body.freeze())
    }

    /// Seals a body as it comes.
    pub(crate) fn sealing(self, source: ByteStream) -> ByteStream {
        let state = (source, BytesMut::new(), 0_u64, self, false);
        let frames =
            futures_util::stream::try_unfold(state, |(mut source, mut held, number, cipher, mut over)| async move {
                while !over && held.len() < FRAME as usize {
                    match source.next().await.transpose()? {
                        Some(piece) => held.extend_from_slice(&piece),
                        None => over = true,
                    }
                }
                if held.is_empty() {
                    return Ok::<_, Fault>(None);
                }
                let mut frame = held.split_to(held.len().min(FRAME as usize));
                let tag = Bytes::copy_from_slice(cipher.seal(number, &mut frame)?.as_ref());
                Ok(Some(([frame.freeze(), tag], (source, held, number + 1, cipher, over))))
            });
        Box::pin(frames.map_ok(|pieces| futures_util::stream::iter(pieces.map(Ok))).try_flatten())
    }

    /// Opens the stretch of a body from `start` up to `end`; `source` gives the frames that it lies in.
    pub(crate) fn opening(self, source: BlobStream, start: u64, end: u64) -> ByteStream {
        let source = source.map_err(|error| Fault::from(Error::from(error))).fuse();
        let state = (source, Unopened::default(), start / FRAME, self);
        Box::pin(futures_util::stream::try_unfold(
            state,
            move |(mut source, mut unopened, number, cipher)| async move {
                let sealed = loop {
                    if let Some(sealed) = unopened.frame() {
                        break sealed;
                    }
                    match source.next().await.transpose()? {
                        Some(piece) => unopened.add(piece),
                        None if unopened.begun.is_empty() => return Ok(None),
                        None => break std::mem::take(&mut unopened.begun),
                    }
                };
                let frame = cipher.open(number, sealed).map_err(Fault::from)?;
                let at = number * FRAME;
                let from = start.saturating_sub(at).min(frame.len() as u64) as usize;
                let to = end.saturating_sub(at).min(frame.len() as u64) as usize;
                Ok(Some((frame.slice(from..to), (source, unopened, number + 1, cipher))))
            },
        ))
    }
}

/// Sealed frames on their way to be opened, where they lie: only what two pieces share of one is copied, and pieces that others hold too,
/// as those of buckets are.
#[derive(Default)]
struct Unopened {
    /// Less than a frame.
    begun: BytesMut,
    /// What is behind it.
    piece: BytesMut,
}

impl Unopened {
    /// The next piece, when there is no whole frame any more.
    fn add(&mut self, piece: Bytes) {
        // Whoever holds it as well wants it as it is.
        self.piece = piece.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    }

    /// A whole frame, if there is one.
    fn frame(&mut self) -> Option<BytesMut> {
        const WHOLE: usize = (FRAME + TAG) as usize;
        if self.begun.is_empty() {
            if self.piece.len() >= WHOLE {
                return Some(self.piece.split_to(WHOLE));
            }
            self.begun = std::mem::take(&mut self.piece);
            return None;
        }
        let missing = WHOLE - self.begun.len();
        self.begun.reserve(missing);
        self.begun.extend_from_slice(&self.piece.split_to(missing.min(self.piece.len())));
        (self.begun.len() == WHOLE).then(|| std::mem::take(&mut self.begun))
    }
}

/// Where the frames lie that a stretch of a body of `size` bytes is in.
pub(crate) fn frames(start: u64, end: u64, size: u64) -> (u64, u64) {
    let sealed = |frames: u64| frames * (FRAME + TAG);
    let last = (size / FRAME) * (FRAME + TAG) + if !size.is_multiple_of(FRAME) { size % FRAME + TAG } else { 0 };
    (sealed(start / FRAME), sealed(end.div_ceil(FRAME)).min(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut stream: ByteStream) -> Result<Vec<u8>, Fault> {
        let mut whole = Vec::new();
        while let Some(piece) = stream.next().await {
            whole.extend_from_slice(&piece?);
        }
        Ok(whole)
    }

    #[tokio::test]
    async fn stretches_of_sealed_bodies_are_read() {
        let random = base::Random::seeded(3);
        let sealed = Sealed { salt: "salt".into(), by: SealedBy::Node };
        let cipher = Cipher::new(&[7; 32], &sealed, None).expect("a key");
        for size in [0, 1, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME, 3 * FRAME + 77] {
            let mut body = vec![0; size as usize];
            random.fill(&mut body);
            let pieces: Vec<_> = body.chunks(10_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
            let kept =
                read(cipher.clone().sealing(Box::pin(futures_util::stream::iter(pieces)))).await.expect("sealed");
            assert_eq!(kept, cipher.seal_whole(&body).expect("sealed"), "{size}");
            assert_eq!(cipher.open_whole(&kept).expect("opened"), body, "{size}");
            for _ in 0..20 {
                let start = random.below(size + 1);
                let end = start + random.below(size - start + 1);
                let (from, to) = frames(start, end, size);
                let mut part = Bytes::copy_from_slice(&kept[from.min(to) as usize..to as usize]);
                let mut pieces = Vec::new();
                while !part.is_empty() {
                    let piece = part.split_to(part.len().min(1 + random.below(3 * FRAME) as usize));
                    // Some are nobody else's, and are opened where they lie.
                    pieces.push(Ok(if random.below(2) == 0 { piece.clone() } else { Bytes::from(piece.to_vec()) }));
                }
                let source = futures_util::stream::iter(pieces).boxed();
                let got = read(cipher.clone().opening(source, start, end)).await.expect("opened");
                assert_eq!(got, &body[start as usize..end as usize], "{size}: {start}..{end}");
            }
            if let Some(byte) = kept.first() {
                let mut damaged = kept.clone();
                damaged[0] = byte ^ 1;
                assert!(cipher.open_whole(&damaged).is_err(), "{size}");
                for wrong in [&damaged[..], &kept[..kept.len() - 1]] {
                    let pieces: Vec<_> = wrong.chunks(50_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
                    let source = futures_util::stream::iter(pieces).boxed();
                    assert!(read(cipher.clone().opening(source, 0, size)).await.is_err(), "{size}");
                }
            }
        }
    }

    #[test]
    fn keys_of_customers_are_checked() {
        let key = STANDARD.encode([1_u8; 32]);
        let md5 = checksum::encode(&checksum::of(Algorithm::Md5, &[1_u8; 32]));
        let code = |algorithm, key, md5| {
            Customer::read(algorithm, key, md5).map(|customer| customer.is_some()).map_err(|fault| fault.code)
        };
        assert_eq!(code(None, None, None), Ok(false));
        assert_eq!(code(Some("AES256"), Some(&*key), Some(&*md5)), Ok(true));
        assert_eq!(code(Some("AES256"), None, None), Err("InvalidArgument".into()));
        assert_eq!(code(Some("DES"), Some(&*key), Some(&*md5)), Err("InvalidEncryptionAlgorithmError".into()));
        assert_eq!(code(Some("AES256"), Some("AAAA"), Some(&*md5)), Err("InvalidArgument".into()));
        assert_eq!(code(Some("AES256"), Some(&*key), Some("AAAAAAAAAAAAAAAAAAAAAA==")), Err("InvalidArgument".into()));
    }
}
