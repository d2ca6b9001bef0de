//! An archive of images that somebody hands over piece by piece, as out of a bucket. It lies in the folder of layers for as long as it is
//! held, and is never there for good: what comes of it is layers.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::sync::OwnedSemaphorePermit;

use crate::layers::{Layers, Scratch};
use crate::load::blocking;
use crate::{Error, Source};

/// So many bytes are gathered before they are written: each step on the disk costs a change of threads.
const PIECE: usize = 1 << 20;

/// An archive that comes. Dropped, it is gone.
#[derive(Debug)]
pub struct Receiving {
    layers: Layers,
    file: Arc<File>,
    scratch: Scratch,
    held: BytesMut,
    len: u64,
    limit: u64,
    turn: OwnedSemaphorePermit,
}

/// An archive that is here for as long as this is held.
#[derive(Debug)]
pub struct Received {
    scratch: Scratch,
    _turn: OwnedSemaphorePermit,
}

impl Layers {
    /// Begins an archive, when the one before is gone: there is one at a time, for each may be as large as an image.
    pub async fn receive(&self) -> Result<Receiving, Error> {
        let turn = self.turn_to_receive().await;
        let (scratch, limit) = (Scratch(self.temporary()), self.limits().image_bytes.bytes());
        let path = scratch.0.clone();
        let file = blocking(move || {
            let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
            opened.map_err(|error| Error::disk("making", &path, error))
        });
        let file = Arc::new(file.await?);
        Ok(Receiving { layers: self.clone(), file, scratch, held: BytesMut::new(), len: 0, limit, turn })
    }
}

impl Receiving {
    /// Takes the next bytes. An archive may be as long as all that an image may have, unpacked.
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.len = self.len.saturating_add(piece.len() as u64);
        if self.len > self.limit {
            return Err(Error::TooMuch { what: "bytes in its archive", limit: self.limit });
        }
        self.held.extend_from_slice(piece);
        if self.held.len() >= PIECE { self.flush().await } else { Ok(()) }
    }

    /// That was all of it.
    pub async fn finish(mut self) -> Result<Received, Error> {
        self.flush().await?;
        Ok(Received { scratch: self.scratch, _turn: self.turn })
    }

    async fn flush(&mut self) -> Result<(), Error> {
        let (file, path, held) = (Arc::clone(&self.file), self.scratch.0.clone(), self.held.split());
        let layers = self.layers.clone();
        blocking(move || {
            layers.check_reserve()?;
            (&*file).write_all(&held).map_err(|error| Error::disk("writing", &path, error))
        })
        .await
    }
}

impl Received {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.scratch.0
    }

    /// The image in it; or the one of that name, if there are several.
    pub fn source(&self, image: Option<&str>) -> Source {
        Source::Local { path: self.scratch.0.clone(), image: image.map(str::to_owned) }
    }
}

#[cfg(test)]
mod tests {
    use base::ByteSize;
    use futures_util::FutureExt;

    use super::*;
    use crate::{Limits, Options};

    #[tokio::test]
    async fn what_comes_lies_there_while_it_is_held() {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits { image_bytes: ByteSize(3 << 20), ..Limits::default() };
        let layers = Layers::open(dir.path(), Options { limits, ..Options::default() }).unwrap();
        let mut receiving = layers.receive().await.unwrap();
        for piece in [&b"a"[..], &[7; PIECE], b"", b"b"] {
            receiving.write(piece).await.unwrap();
        }
        let received = receiving.finish().await.unwrap();
        let path = received.path().to_owned();
        assert_eq!(std::fs::read(&path).unwrap(), [&b"a"[..], &[7; PIECE], b"b"].concat());
        drop(received);
        assert!(!path.exists());
        let mut long = layers.receive().await.unwrap();
        long.write(&[0; 3 << 20]).await.unwrap();
        let error = long.write(&[0]).await.unwrap_err().to_string();
        assert_eq!(error, "the image has more than 3145728 bytes in its archive");
    }

    #[tokio::test]
    async fn archives_come_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let layers = Layers::open(dir.path(), Options::default()).unwrap();
        let first = layers.receive().await.unwrap();
        let mut second = Box::pin(layers.receive());
        assert!(second.as_mut().now_or_never().is_none());
        let first = first.finish().await.unwrap();
        assert!(second.as_mut().now_or_never().is_none(), "it lies there still");
        drop(first);
        drop(second.await.unwrap());
        layers.receive().await.unwrap();
    }

    #[tokio::test]
    async fn what_others_need_of_the_disk_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits { reserve: ByteSize(u64::MAX), ..Limits::default() };
        let layers = Layers::open(dir.path(), Options { limits, ..Options::default() }).unwrap();
        let mut receiving = layers.receive().await.unwrap();
        receiving.write(b"small").await.unwrap();
        let error = receiving.write(&[0; PIECE]).await.unwrap_err();
        assert!(matches!(error, Error::DiskFull { .. }), "{error}");
        drop(receiving);
        let packed = dir.path().join("packed");
        let mut packing = flate2::write::GzEncoder::new(File::create(&packed).unwrap(), flate2::Compression::fast());
        packing.write_all(&[0; 1024]).unwrap();
        packing.finish().unwrap();
        let source = Source::Local { path: packed, image: None };
        let error = crate::load(&source, &layers, &crate::LoadOptions::default()).await.map(drop).unwrap_err();
        assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    }
}
