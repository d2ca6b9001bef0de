//! Who we are to the node: the key in the environment, or the root key that a node wrote into its data folder, or
//! `test`/`test`, which an open node takes and any other refuses with a fault that says so.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::problem::Problem;

/// The file in the data folder.
const FILE: &str = "credentials.json";

/// A key pair.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub(crate) key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub(crate) secret: String,
    /// `AWS_SESSION_TOKEN`, with temporary keys.
    pub(crate) token: Option<String>,
    /// Where they come from.
    pub(crate) source: Source,
}

/// Where a key pair was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// `AWS_ACCESS_KEY_ID` and its companions.
    Environment,
    /// The data folder's root key.
    DataFolder(PathBuf),
    /// Nowhere.
    Placeholder,
}

/// A secret never ends up in a log.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("key_id", &self.key_id)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// The file as the node writes it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct File {
    access_key_id: String,
    secret_access_key: String,
}

impl Credentials {
    /// `test`/`test`: what every local tool's guide says.
    pub(crate) fn placeholder() -> Self {
        Self { key_id: "test".to_owned(), secret: "test".to_owned(), token: None, source: Source::Placeholder }
    }

    /// The environment's, the data folder's, or the placeholder, in this order.
    pub(crate) fn find(data: &Path, environment: impl Fn(&str) -> Option<String>) -> Result<Self, Problem> {
        let variable = |name: &str| environment(name).filter(|value| !value.is_empty());
        match (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
            (Some(key_id), Some(secret)) => {
                Ok(Self { key_id, secret, token: variable("AWS_SESSION_TOKEN"), source: Source::Environment })
            }
            (None, None) => Ok(Self::of_data_folder(data)?.unwrap_or_else(Self::placeholder)),
            (Some(_), None) => Err(half("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
            (None, Some(_)) => Err(half("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")),
        }
    }

    /// The root key of the node whose data lies there; nothing if there is none, or none that we may read.
    pub(crate) fn of_data_folder(data: &Path) -> Result<Option<Self>, Problem> {
        let path = data.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => match error.kind() {
                std::io::ErrorKind::NotFound
                | std::io::ErrorKind::PermissionDenied
                | std::io::ErrorKind::NotADirectory => {
                    return Ok(None);
                }
                _ => return Err(Problem::new(format!("{} cannot be read: {error}.", path.display()))),
            },
        };
        let file: File = serde_json::from_str(&text).map_err(|error| {
            Problem::new(format!("{} is damaged: {error}.", path.display()))
                .advise("Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or restore the file from a backup.")
        })?;
        Ok(Some(Self {
            key_id: file.access_key_id,
            secret: file.secret_access_key,
            token: None,
            source: Source::DataFolder(path),
        }))
    }
}

fn half(there: &str, missing: &str) -> Problem {
    Problem::usage(format!("{there} is set, and {missing} is not.")).advise("Set both, or neither.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(data: &Path, variables: &[(&str, &str)]) -> Result<Credentials, Problem> {
        Credentials::find(data, |name| {
            variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_comes_first_then_the_data_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(find(folder.path(), &[]), Ok(Credentials::placeholder()));
        std::fs::write(folder.path().join(FILE), r#"{"AccessKeyId":"AKIAROOT","SecretAccessKey":"s3cret"}"#).unwrap();
        let root = find(folder.path(), &[("AWS_ACCESS_KEY_ID", "")]).unwrap();
        assert_eq!((root.key_id.as_str(), root.secret.as_str()), ("AKIAROOT", "s3cret"));
        assert!(!format!("{root:?}").contains("s3cret"), "a secret must not be printed");
        let variables =
            [("AWS_ACCESS_KEY_ID", "AKIAME"), ("AWS_SECRET_ACCESS_KEY", "mine"), ("AWS_SESSION_TOKEN", "token")];
        let mine = find(folder.path(), &variables).unwrap();
        assert_eq!((mine.key_id.as_str(), mine.token.as_deref()), ("AKIAME", Some("token")));
        assert_eq!(mine.source, Source::Environment);
    }

    #[test]
    fn half_a_key_and_a_damaged_file_are_said() {
        let folder = tempfile::tempdir().unwrap();
        let half = find(folder.path(), &[("AWS_ACCESS_KEY_ID", "a")]).unwrap_err();
        assert_eq!(half.exit(), crate::problem::Exit::Usage);
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(find(folder.path(), &[]).unwrap_err().to_string().contains("credentials.json is damaged"));
    }
}
