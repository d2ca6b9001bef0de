//! A layer's bytes on their way to the disk. What came stays when the connection breaks, this process included, and the next try asks
//! for the rest.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_RANGE;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::connection::{Ask, Failure, Registry, causes};
use crate::digest::Hasher;
use crate::load::blocking;
use crate::{Digest, Error};

/// So many bytes are gathered before they are written: each step on the disk costs a change of threads.
const PIECE: usize = 1 << 20;

/// A file that grows, and its sum so far.
struct Part {
    path: PathBuf,
    file: File,
    hasher: Hasher,
    len: u64,
    /// True if some of it came over another connection: what is wrong with it then may be how it was put together.
    resumed: bool,
}

impl Registry {
    /// Brings a blob to `path`, whole and checked; goes on from what is there already.
    pub(crate) async fn download(
        &self,
        digest: &Digest,
        size: u64,
        path: &Path,
        told: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), Error> {
        let mut part = Part::open(path, digest, size).await?;
        let mut tries = self.tries();
        loop {
            let before = part.len;
            if part.len < size {
                let ask = Ask {
                    what: format!("blob {digest}"),
                    path: format!("/v2/{}/blobs/{digest}", self.repository()),
                    accept: "*/*",
                    from: part.len,
                };
                let (back, outcome) = self.fetch_rest(&ask, part, digest, size, told).await?;
                part = back;
                if part.len > before {
                    tries.reset();
                }
                if let Err(failure) = outcome {
                    part.resumed |= part.len > 0;
                    tries.after(failure).await?;
                    continue;
                }
            }
            let found = part.hasher.clone().finish();
            if found == *digest {
                // It need not be on the disk for good: the layer that comes of it will.
                return Ok(());
            }
            let resumed = part.resumed;
            part = part.restart(digest).await?;
            if !resumed {
                return Err(Error::DigestMismatch { what: format!("blob {digest}"), expected: digest.clone(), found });
            }
        }
    }

    /// Asks for what is missing, and writes what comes. Gives the part back whatever happened to the connection.
    async fn fetch_rest(
        &self,
        ask: &Ask,
        part: Part,
        digest: &Digest,
        size: u64,
        told: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(Part, Result<(), Failure>), Error> {
        let response = match self.get_once(ask).await {
            Ok(response) => response,
            // What is here does not fit what is there.
            Err(Failure::Final(Error::Refused { status: 416, .. })) if part.len > 0 => {
                let part = part.restart(digest).await?;
                return Ok((
                    part,
                    Err(Failure::Again { why: "it has fewer bytes than came before".to_owned(), pause: None }),
                ));
            }
            Err(failure) => return Ok((part, Err(failure))),
        };
        let part = if continues(&response, part.len) { part } else { part.restart(digest).await? };
        self.take_in(ask, response, part, size, told).await
    }

    async fn take_in(
        &self,
        ask: &Ask,
        response: Response<Incoming>,
        mut part: Part,
        size: u64,
        told: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(Part, Result<(), Failure>), Error> {
        let stall = self.patience().stall;
        let mut body = response.into_body();
        let mut piece = BytesMut::new();
        let outcome = loop {
            let frame = match tokio::time::timeout(stall, body.frame()).await {
                Err(_) => break Err(Failure::Again { why: format!("nothing came for {stall:?}"), pause: None }),
                Ok(None) if part.len + piece.len() as u64 == size => break Ok(()),
                Ok(None) => break Err(Failure::Again { why: "the answer was too short".to_owned(), pause: None }),
                Ok(Some(Err(error))) => break Err(Failure::Again { why: causes(&error), pause: None }),
                Ok(Some(Ok(frame))) => frame,
            };
            let Ok(data) = frame.into_data() else { continue };
            piece.extend_from_slice(&data);
            let len = part.len + piece.len() as u64;
            if len > size {
                let error = Error::SizeMismatch { what: ask.what.clone(), expected: size, found: len };
                part.discard().await?;
                return Err(error);
            }
            if piece.len() >= PIECE {
                part = part.write(piece.split().freeze()).await?;
                told(part.len);
            }
        };
        part = part.write(piece.freeze()).await?;
        told(part.len);
        Ok((part, outcome))
    }
}

/// True if an answer goes on from so many bytes, rather than beginning anew.
fn continues(response: &Response<Incoming>, from: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let begins = range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.trim().parse::<u64>().ok());
    match response.status() {
        StatusCode::PARTIAL_CONTENT => begins == Some(from),
        _ => from == 0,
    }
}

impl Part {
    /// Opens what came before, or begins.
    async fn open(path: &Path, digest: &Digest, size: u64) -> Result<Self, Error> {
        let (path, mut hasher) = (path.to_owned(), digest.hasher());
        blocking(move || {
            let (file, len) = open(&path, size, &mut hasher).map_err(|error| Error::disk("writing", &path, error))?;
            Ok(Self { path, file, hasher, len, resumed: len > 0 })
        })
        .await
    }

    async fn write(mut self, piece: Bytes) -> Result<Self, Error> {
        blocking(move || {
            self.file.write_all(&piece).map_err(|error| Error::disk("writing", &self.path, error))?;
            self.hasher.update(&piece);
            self.len += piece.len() as u64;
            Ok(self)
        })
        .await
    }

    /// Forgets what came.
    async fn restart(mut self, digest: &Digest) -> Result<Self, Error> {
        let hasher = digest.hasher();
        blocking(move || {
            let cut = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
            cut.map_err(|error| Error::disk("writing", &self.path, error))?;
            Ok(Self { hasher, len: 0, resumed: false, ..self })
        })
        .await
    }

    /// Removes the file.
    async fn discard(self) -> Result<(), Error> {
        blocking(move || std::fs::remove_file(&self.path).map_err(|error| Error::disk("removing", &self.path, error)))
            .await
    }
}

/// Opens a file, and sums what is in it. What has more than the whole is begun anew.
fn open(path: &Path, size: u64, hasher: &mut Hasher) -> io::Result<(File, u64)> {
    let mut file = File::options().create(true).truncate(false).read(true).write(true).open(path)?;
    if file.metadata()?.len() > size {
        file.set_len(0)?;
    }
    let mut buffer = vec![0; PIECE];
    let mut len = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((file, len)),
            read => {
                hasher.update(&buffer[..read]);
                len += read as u64;
            }
        }
    }
}
