//! The owner's key: made once for a data folder, kept in `credentials.json`, readable by the owner alone.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base::Random;
use serde::{Deserialize, Serialize};

/// One access key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RootKey {
    /// `AKIA` and 16 letters and digits.
    pub access_key_id: String,
    /// 40 characters.
    pub secret_access_key: String,
}

impl std::fmt::Debug for RootKey {
    /// The secret stays out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RootKey").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// Why the owner's key could not be had.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyError {
    /// The file cannot be read or written.
    #[error("{} cannot be used: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file has something else in it.
    #[error("{} does not hold an access key ({why}); move it away, and a new key is made", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Others may read the file.
    #[error("{} may be read by others (mode {mode:o}); run: chmod 600 {}", path.display(), path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

pub(crate) const ID_ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const SECRET_ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl RootKey {
    /// A new key, kept nowhere.
    pub fn generate(random: &Random) -> Self {
        Self {
            access_key_id: format!("AKIA{}", random.text(ID_ALPHABET, 16)),
            secret_access_key: random.text(SECRET_ALPHABET, 40),
        }
    }

    /// Reads the key from the file; makes both when there is none. Blocks.
    pub fn load_or_create(path: &Path, random: &Random) -> Result<Self, RootKeyError> {
        let io = |source| RootKeyError::Io { path: path.to_owned(), source };
        match fs::read(path) {
            Ok(bytes) => {
                let mode = fs::metadata(path).map_err(io)?.permissions().mode() & 0o777;
                if mode & 0o077 != 0 {
                    return Err(RootKeyError::Open { path: path.to_owned(), mode });
                }
                let key: Self = serde_json::from_slice(&bytes)
                    .map_err(|error| RootKeyError::Content { path: path.to_owned(), why: error.to_string() })?;
                match key.access_key_id.is_empty() || key.secret_access_key.is_empty() {
                    true => Err(RootKeyError::Content { path: path.to_owned(), why: "a half is empty".into() }),
                    false => Ok(key),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = Self::generate(random);
                key.write(path).map_err(io)?;
                Ok(key)
            }
            Err(error) => Err(io(error)),
        }
    }

    /// Written beside, synced and renamed, so that a power cut leaves no half of a key.
    fn write(&self, path: &Path) -> io::Result<()> {
        let beside = path.with_extension("new");
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(&serde_json::to_vec_pretty(self).expect("two texts always are JSON"))?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => fs::File::open(folder)?.sync_all(),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.json");
        let first = RootKey::load_or_create(&path, &Random::system()).unwrap();
        assert_eq!(RootKey::load_or_create(&path, &Random::system()).unwrap(), first);
        assert!(first.access_key_id.starts_with("AKIA") && first.access_key_id.len() == 20);
        assert_eq!(first.secret_access_key.len(), 40);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!format!("{first:?}").contains(&first.secret_access_key));
    }

    #[test]
    fn a_file_that_is_no_key_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.json");
        for (content, mode, expected) in [
            ("{}", 0o600, "does not hold an access key"),
            (r#"{"AccessKeyId":"","SecretAccessKey":""}"#, 0o600, "a half is empty"),
            ("{}", 0o644, "chmod 600"),
        ] {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = RootKey::load_or_create(&path, &Random::system()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }
}
