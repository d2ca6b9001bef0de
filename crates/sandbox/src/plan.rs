//! What is to run and inside which walls: the whole of it as values, decided before anything is forked.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One guest. It crosses to the helper as one message, so all of it together stays under [`Plan::BYTES_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The program, as the guest sees the path. In a [`Boot`] it may be empty: then nothing runs before [`Placement::program`].
    pub program: PathBuf,
    /// Its arguments, without the program's own name.
    pub arguments: Vec<String>,
    /// Its whole environment: nothing is inherited.
    pub environment: Vec<(String, String)>,
    /// Its working directory, as the guest sees the path.
    pub directory: PathBuf,
    /// A folder of the host, such as a container image's files, whose contents are the guest's root in the place of the system's own
    /// folders: read-only, with at most [`Plan::ROOT_ENTRIES_MAX`] entries in it and its `/etc`. Its `/proc`, `/sys`, `/dev` and `/tmp`
    /// are not looked at, and neither is an `/etc` that is a link. Nothing can be mounted into its folders. Needs namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<PathBuf>,
    /// What it sees beside the system's own folders. Unused without namespaces.
    pub mounts: Vec<Mount>,
    /// Symbolic links in its view: where, and to what. Unused without namespaces.
    pub links: Vec<(PathBuf, PathBuf)>,
    /// The size of its private `/tmp`.
    pub tmp_bytes: u64,
    /// The most memory that it may take, `/tmp` not counted. Its share of the processors is in proportion to this, as on Lambda.
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
    /// The most entries of [`Plan::root`]: each is a mount.
    pub const ROOT_ENTRIES_MAX: usize = 2000;
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
    /// The outside world, as on Lambda: from a network of its own and by way of the node, without the machine's own addresses
    /// ([`crate::Outside`]). Where that cannot be had, and for guests that were not booted, the host's network with its loopback.
    #[default]
    Full,
    /// A network of its own in which there are the ports of its [`Boot`] and nothing else: the platform's among them.
    Platform,
    /// A network of its own with a loopback, and the ports of its [`Boot`] if it has any: the node comes to the guest, and nobody else.
    None,
}

/// A guest that is started before it is known whose it will be, or that finds the platform on ports of its own network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Boot {
    /// What runs, and the limits that it begins with.
    pub plan: Plan,
    /// Where the platform listens inside the guest's own network, `127.0.0.1:9001` say: at most [`Boot::PORTS_MAX`]. They are open
    /// before the program's first instruction.
    pub ports: Vec<SocketAddr>,
}

impl Boot {
    /// The most ports.
    pub const PORTS_MAX: usize = 8;
}

/// What makes a guest that was started ahead into somebody's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// What comes into its view, in this order. A target that is there already is covered, one that is not is made.
    pub mounts: Vec<Mount>,
    /// The new size of its `/tmp`.
    pub tmp_bytes: Option<u64>,
    /// The new limit on its memory, and with that its share of the processors.
    pub memory_bytes: Option<u64>,
    /// The new limit on processes and threads.
    pub processes_max: Option<u32>,
    /// What to run, if the guest was started without a program.
    pub program: Option<Program>,
}

/// What a guest executes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The program, as the guest sees the path.
    pub program: PathBuf,
    /// Its arguments, without the program's own name.
    pub arguments: Vec<String>,
    /// Its whole environment.
    pub environment: Vec<(String, String)>,
    /// Its working directory, as the guest sees the path.
    pub directory: PathBuf,
}

impl Plan {
    /// What is to be executed at once, if anything.
    pub(crate) fn program(&self) -> Option<Program> {
        (!self.program.as_os_str().is_empty()).then(|| Program {
            program: self.program.clone(),
            arguments: self.arguments.clone(),
            environment: self.environment.clone(),
            directory: self.directory.clone(),
        })
    }
}
