//! What is to run and inside which walls: the whole of it as one value, decided before anything is forked.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One guest. It crosses to the helper as one message, so all of it together stays under [`Plan::BYTES_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The program, as the guest sees the path.
    pub program: PathBuf,
    /// Its arguments, without the program's own name.
    pub arguments: Vec<String>,
    /// Its whole environment: nothing is inherited.
    pub environment: Vec<(String, String)>,
    /// Its working directory, as the guest sees the path.
    pub directory: PathBuf,
    /// What it sees beside the system's own folders. Unused without namespaces.
    pub mounts: Vec<Mount>,
    /// Symbolic links in its view: where, and to what. Unused without namespaces.
    pub links: Vec<(PathBuf, PathBuf)>,
    /// The size of its private `/tmp`.
    pub tmp_bytes: u64,
    /// The most memory that it may take, `/tmp` not counted.
    pub memory_bytes: u64,
    /// The most processes and threads that it may have.
    pub processes_max: u32,
    /// The most descriptors that one of its processes may have open.
    pub files_max: u32,
    /// What it may reach.
    pub network: Network,
}

impl Plan {
    /// The most that an encoded plan may take: under the smallest default send buffer of a local socket.
    pub const BYTES_MAX: usize = 128 * 1024;
}

/// A file or folder of the host in the guest's view: always read-only, without set-user-id and without devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// On the host.
    pub source: PathBuf,
    /// In the guest's view. Parents are made.
    pub target: PathBuf,
}

/// What a guest reaches over the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// The host's network: the outside world as on Lambda, and the host's loopback too.
    #[default]
    Full,
    /// An empty network of its own with a loopback: nobody, not even the node.
    None,
}
