//! What can go wrong between an image's name and its folders. Each says what is wrong and what can be done about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use base::ByteSize;

use crate::{Digest, Platform};

/// Why an image could not be had. Whatever it is, no layer is half there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A text is no image reference.
    #[error("'{text}' is no image reference: {why}. Write NAME, NAME:TAG or HOST/NAME@sha256:DIGEST")]
    NotAReference {
        /// What was read.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A text is no digest.
    #[error("'{text}' is no digest: one is 'sha256:' and 64 lower-case hexadecimal digits")]
    NotADigest {
        /// What was read.
        text: String,
    },
    /// A path leads to no image.
    #[error("{} is no container image: {why}", path.display())]
    NotAnImage {
        /// The path.
        path: PathBuf,
        /// What was found instead.
        why: String,
    },
    /// An archive or layout has several images and none was chosen, or none has the chosen name.
    #[error("{}", which(path, wanted.as_deref(), names))]
    WhichImage {
        /// The archive or layout.
        path: PathBuf,
        /// The name that was asked for.
        wanted: Option<String>,
        /// The names that are there.
        names: Vec<String>,
    },
    /// The registry has no such image.
    #[error("{registry} has no image '{repository}' with {version}{}", listed(&"; its tags include ", tags))]
    NoSuchImage {
        /// The registry.
        registry: String,
        /// The image's name there.
        repository: String,
        /// The tag or digest.
        version: String,
        /// Some tags that are there.
        tags: Vec<String>,
    },
    /// The image is not for this machine.
    #[error("{image} has nothing for {wanted}: it is for {}", listed(&"", found))]
    WrongPlatform {
        /// The image.
        image: String,
        /// What was wanted.
        wanted: Platform,
        /// What there is.
        found: Vec<Platform>,
    },
    /// Something is of a kind that this cannot read.
    #[error("{what} is of the media type '{media_type}', which is not understood: {known}")]
    MediaType {
        /// What it is of.
        what: String,
        /// The media type.
        media_type: String,
        /// What would be.
        known: &'static str,
    },
    /// One of the image's documents does not say what it must.
    #[error("{what} cannot be read: {why}")]
    Document {
        /// Which: `the manifest sha256:…`.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// Bytes are not those that their name says.
    #[error("{what} came damaged: it should be {expected}, and is {found}. Fetch or make it again")]
    DigestMismatch {
        /// Which bytes.
        what: String,
        /// Their name.
        expected: Digest,
        /// What they are.
        found: Digest,
    },
    /// Bytes are fewer or more than announced.
    #[error("{what} has {found} bytes instead of {expected}. Fetch or make it again")]
    SizeMismatch {
        /// Which bytes.
        what: String,
        /// How many were announced.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// There is more of something than is allowed.
    #[error("the image has more than {limit} {what}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
    /// A layer cannot be unpacked.
    #[error("layer {layer} cannot be unpacked: {fault}")]
    Layer {
        /// The layer, by the digest of its content.
        layer: Digest,
        /// What is wrong with it.
        fault: LayerFault,
    },
    /// Layers were asked for that were never unpacked, or were removed since.
    #[error("{} of the image's layers are not here (the first is {first}): load the image again", count)]
    LayersMissing {
        /// How many.
        count: usize,
        /// The first of them.
        first: Digest,
    },
    /// The registry wants to know who asks, or does not like the answer.
    #[error("{registry} does not let {who} read '{repository}': {said}. {}", advice(*who))]
    Authentication {
        /// The registry.
        registry: String,
        /// The image's name there.
        repository: String,
        /// Who asked.
        who: Asker,
        /// The registry's words.
        said: String,
    },
    /// A file with credentials cannot be used.
    #[error("the credentials in {} cannot be read: {why}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The registry answered with something else than was asked for.
    #[error("{registry} answered {status} when asked for {what}{}", said(words))]
    Refused {
        /// The registry.
        registry: String,
        /// What was asked for.
        what: String,
        /// The answer's status.
        status: u16,
        /// The registry's words, if it had any.
        words: String,
    },
    /// The registry cannot be reached, or broke off each time.
    #[error("{registry} cannot be reached: {why}")]
    Unreachable {
        /// The registry, or whom it refers to.
        registry: String,
        /// What happened last.
        why: String,
    },
    /// The certificates to trust are not there.
    #[error(
        "no certificates to trust {registry} by: {why}. Install the system's (ca-certificates), or name a file with them"
    )]
    Certificates {
        /// The registry.
        registry: String,
        /// What was tried.
        why: String,
    },
    /// There is no room.
    #[error("the disk under {} is full: {free} are free{}. Make room and try again; what came so far is kept", path.display(), needed(*needs))]
    DiskFull {
        /// The folder.
        path: PathBuf,
        /// What is free.
        free: ByteSize,
        /// What is needed at least, where that is known.
        needs: Option<ByteSize>,
    },
    /// The disk refused.
    #[error("{doing} failed: {source}")]
    Disk {
        /// What was being done.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has the folder of layers.
    #[error("{} is in use by another process: each needs a folder of its own", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The folder of layers cannot be laid over each other as they are.
    #[error("these layers cannot be overlaid: {why}. Use the flat form")]
    NoOverlay {
        /// Why.
        why: String,
    },
}

/// Who asked a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// Nobody in particular: no credentials were given.
    Anybody,
    /// The owner of the credentials that were given.
    Owner,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Who asked: another name, platform or credential would do.
    Asker,
    /// The image: trying again changes nothing.
    Image,
    /// The registry or the way there: trying again later may help.
    Elsewhere,
    /// This machine.
    Machine,
}

impl Error {
    /// Whose fault it is, and so whether to try again.
    pub fn blame(&self) -> Blame {
        match self {
            Self::NotAReference { .. }
            | Self::NotADigest { .. }
            | Self::NotAnImage { .. }
            | Self::WhichImage { .. }
            | Self::NoSuchImage { .. }
            | Self::WrongPlatform { .. }
            | Self::Authentication { .. }
            | Self::Credentials { .. }
            | Self::LayersMissing { .. } => Blame::Asker,
            Self::MediaType { .. } | Self::Document { .. } | Self::TooMuch { .. } | Self::Layer { .. } => Blame::Image,
            Self::DigestMismatch { .. }
            | Self::SizeMismatch { .. }
            | Self::Refused { .. }
            | Self::Unreachable { .. } => Blame::Elsewhere,
            Self::Certificates { .. }
            | Self::DiskFull { .. }
            | Self::Disk { .. }
            | Self::Locked { .. }
            | Self::NoOverlay { .. } => Blame::Machine,
        }
    }

    /// What the disk said while something was done below `path`; a full one is told apart.
    pub(crate) fn disk(doing: &str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path: path.to_owned(), free: free_bytes(path).unwrap_or_default(), needs: None }
            }
            _ => Self::Disk { doing: format!("{doing} {}", path.display()), source },
        }
    }
}

/// What is free on the disk that has `path`.
pub(crate) fn free_bytes(path: &Path) -> Option<ByteSize> {
    rustix::fs::statvfs(path).ok().map(|disk| ByteSize(disk.f_bavail.saturating_mul(disk.f_frsize)))
}

/// What is wrong with a layer.
#[derive(Debug, thiserror::Error)]
pub enum LayerFault {
    /// Its compression is broken, or it could not be read.
    #[error("its bytes cannot be read: {reason}")]
    Unreadable {
        /// What the decoder said.
        reason: String,
    },
    /// It is no tar archive, or a broken one.
    #[error("{fault} (at byte {at})")]
    Archive {
        /// What is wrong.
        fault: ArchiveFault,
        /// Where, in the unpacked archive.
        at: u64,
    },
    /// An entry would leave the layer, or cannot be where it says.
    #[error("entry '{entry}' {why}")]
    Entry {
        /// The entry's name.
        entry: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is more of something than is allowed.
    #[error("it has more than {limit} {what}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
}

/// What is wrong with a tar archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveFault {
    /// It stops in the middle.
    #[error("the archive ends in the middle of an entry")]
    Ended,
    /// A header's sum is wrong.
    #[error("this is no tar archive, or a damaged one: a header's checksum is wrong")]
    Checksum,
    /// One empty block stands between entries, where readers differ on whether the archive ends.
    #[error("a lone empty block stands between two entries")]
    LoneZeros,
    /// A number is none.
    #[error("a header's {0} is no number")]
    Number(&'static str),
    /// A name or an extended header is longer than anything real.
    #[error("a {0} is too long")]
    Long(&'static str),
    /// An extended header is malformed.
    #[error("an extended header is malformed")]
    Extended,
    /// A sparse file's map does not fit the file.
    #[error("the map of a sparse file does not fit the file")]
    Sparse,
    /// An entry is of no known type.
    #[error("an entry has the unknown type {0:?}")]
    Type(char),
}

fn which(path: &Path, wanted: Option<&str>, names: &[String]) -> String {
    let path = path.display();
    match (wanted, names) {
        (Some(wanted), []) => format!("{path} has no image named '{wanted}': its images have no names"),
        (Some(wanted), names) => format!("{path} has no image named '{wanted}'; it has {}", listed(&"", names)),
        (None, []) => format!("{path} has several images without names: save the one that is wanted by itself"),
        (None, names) => format!("{path} has several images; say which: {}", listed(&"", names)),
    }
}

/// At most ten, and how many more there are.
fn listed(before: &dyn fmt::Display, items: &[impl fmt::Display]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = items.iter().take(10).map(ToString::to_string).collect();
    let more = items.len() - shown.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{before}{}{more}", shown.join(", "))
}

fn said(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

fn needed(needs: Option<ByteSize>) -> String {
    needs.map_or_else(String::new, |needs| format!(" and at least {needs} are needed"))
}

fn advice(who: Asker) -> &'static str {
    match who {
        Asker::Anybody => "Give credentials for it if it is private; check its name if it is not",
        Asker::Owner => "Check the credentials, and what they are allowed to read",
    }
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anybody => "anybody",
            Self::Owner => "the owner of these credentials",
        })
    }
}
