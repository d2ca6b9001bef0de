//! An image that is here: how it wants to be run, and what its root is made of.

use std::collections::BTreeMap;

use crate::{Digest, Platform, Root};

/// An image whose layers are unpacked.
#[derive(Clone, Debug)]
pub struct Image {
    /// What it is, for ever: the digest of its manifest; of its configuration, where it came from an archive without manifests.
    pub digest: Digest,
    /// What it is for.
    pub platform: Platform,
    /// How it wants to be run.
    pub config: Config,
    /// Its layers. While this is held, they stay.
    pub root: Root,
}

/// How an image wants to be run. Everything in it is the image maker's word: nothing was checked against the layers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// More arguments; the program and its arguments, where there is no entrypoint. Whoever runs it may put others in their place.
    pub cmd: Vec<String>,
    /// The environment, in the image's order. A name may come twice: the last counts.
    pub env: Vec<(String, String)>,
    /// The working directory.
    pub workdir: Option<String>,
    /// Whom it wants to be run as: a name or number, and perhaps a group after a colon. Inside a sandbox there is only one user.
    pub user: Option<String>,
    /// What it listens on: `8080/tcp`.
    pub ports: Vec<String>,
    /// What its maker says of it.
    pub labels: BTreeMap<String, String>,
    /// How it wants to be asked to end: `SIGTERM`, or a number.
    pub stop_signal: Option<String>,
}
