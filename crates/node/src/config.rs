//! What a node is told before it starts.

use std::net::SocketAddr;
use std::path::PathBuf;

/// The settings of a node. Make them with [`Config::new`] and change what should differ.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where AWS's tools, function URLs and the command line reach the node. Port 0 takes any free one.
    pub listen: SocketAddr,
    /// A second address that serves nothing but functions.
    pub public: Option<SocketAddr>,
    /// Where everything is kept.
    pub data: Data,
    /// The bucket that large bytes lie in, such as `s3://BUCKET/PREFIX`. `None`: they lie beside the rest.
    pub blobs: Option<String>,
    /// Whether callers must prove who they are. `None`: not on a loopback address, and always on any other.
    pub auth: Option<Auth>,
    /// How much isolation functions get.
    pub sandbox: sandbox::Mode,
    /// What functions reach that do not say it themselves.
    pub network: sandbox::Network,
    /// Further names under which the node may be reached.
    pub hosts: Vec<String>,
    /// Web origins whose pages may call the node, such as `http://localhost:3000`.
    pub origins: Vec<String>,
    /// The server that takes topics' mail, such as `smtp://USER:PASSWORD@HOST:587?tls=required&from=news@example.com`. `None`: mail
    /// stays in the outbox.
    pub smtp: Option<String>,
    /// Folders whose insides callers may name as functions' code, which is then read again when it changes.
    pub hot_reload: Vec<PathBuf>,
}

impl Config {
    /// A node on the usual address, `127.0.0.1:4566`.
    pub fn new(data: Data) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 4566)),
            public: None,
            data,
            hot_reload: Vec::new(),
            blobs: None,
            auth: None,
            sandbox: sandbox::Mode::Auto,
            network: sandbox::Network::Full,
            hosts: Vec::new(),
            origins: Vec::new(),
            smtp: None,
        }
    }

    /// How callers are treated, once the address has its say.
    ///
    /// # Errors
    /// Open mode on an address that others can reach: there is no way to do that.
    pub fn auth(&self) -> Result<Auth, OpenToTheWorld> {
        match (self.auth, self.listen.ip().is_loopback()) {
            (None | Some(Auth::Open), true) => Ok(Auth::Open),
            (None, false) | (Some(Auth::Iam), _) => Ok(Auth::Iam),
            (Some(Auth::Open), false) => Err(OpenToTheWorld { listen: self.listen }),
        }
    }
}

/// Somebody asked for open mode on an address that others can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{listen} can be reached from other machines, and in open mode anybody who reaches it could do everything. Use --auth iam, or \
     listen on 127.0.0.1"
)]
pub struct OpenToTheWorld {
    /// The address.
    pub listen: SocketAddr,
}

/// Where everything is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// In this folder, which is made if it is missing.
    Folder {
        /// The folder.
        path: PathBuf,
        /// What keeps it.
        engine: Engine,
    },
    /// In memory, and gone when the node stops. Code is unpacked into a temporary folder.
    Memory,
}

/// What keeps the data in a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// The default: a log-structured tree behind one writer.
    #[default]
    Embedded,
    /// An SQLite database.
    Sqlite,
}

/// How callers are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Whoever reaches the door may do everything; any credentials are accepted.
    Open,
    /// Every call is signed with a known key, and policies decide.
    Iam,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_mode_needs_a_loopback_address() {
        for (listen, auth, expected) in [
            ("127.0.0.1:0", None, Ok(Auth::Open)),
            ("[::1]:0", None, Ok(Auth::Open)),
            ("127.0.0.1:0", Some(Auth::Iam), Ok(Auth::Iam)),
            ("0.0.0.0:0", None, Ok(Auth::Iam)),
            ("192.0.2.1:80", Some(Auth::Iam), Ok(Auth::Iam)),
            ("0.0.0.0:0", Some(Auth::Open), Err(())),
        ] {
            let listen = listen.parse().expect("an address");
            let config = Config { listen, auth, ..Config::new(Data::Memory) };
            assert_eq!(config.auth().map_err(drop), expected, "{listen} {auth:?}");
        }
    }
}
