//! Who asks a registry, and where that is written down: the file that `docker login` and its like make.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::{Error, Reference};

/// Larger files are no such files.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A name and a password, or a token that is used like one.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// What some registries give out instead: it is exchanged for short-lived tokens.
    IdentityToken(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { user, .. } => f.debug_struct("Password").field("user", user).finish_non_exhaustive(),
            Self::IdentityToken(_) => f.write_str("IdentityToken"),
        }
    }
}

/// What a file says of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Credentials.
    Here(Credentials),
    /// That another program keeps them, which is not asked here: ask it, and hand over what it says.
    InHelper(String),
    /// Nothing.
    Nowhere,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileShape {
    #[serde(default)]
    auths: BTreeMap<String, AuthShape>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    #[serde(default)]
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
struct AuthShape {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    identitytoken: String,
}

impl Credentials {
    /// What a file such as `~/.docker/config.json` says of an image's registry. A file that is not there says nothing. Blocks.
    pub fn in_file(path: &Path, image: &Reference) -> Result<Kept, Error> {
        let wrong = |why: String| Error::Credentials { path: path.to_owned(), why };
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::Nowhere),
            Err(error) => return Err(wrong(error.to_string())),
            Ok(found) if found.len() > FILE_BYTES_MAX => {
                return Err(wrong(format!("it has more than {FILE_BYTES_MAX} bytes")));
            }
            Ok(_) => {}
        }
        let bytes = fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let file: FileShape = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        file.find(image).map_err(wrong)
    }
}

impl FileShape {
    fn find(&self, image: &Reference) -> Result<Kept, String> {
        // The entry for the longest beginning of the image's name counts: some tools keep one for each owner.
        let name = format!("{}/{}", image.registry(), image.repository());
        let fits = |key: &str| name == key || name.strip_prefix(key).is_some_and(|rest| rest.starts_with('/'));
        let auths = self.auths.iter().map(|(key, auth)| (registry_of(key), auth)).filter(|(key, _)| fits(key));
        if let Some((key, auth)) = auths.max_by_key(|(key, _)| key.len())
            && let Some(found) = auth.read().ok_or_else(|| format!("its entry for {key} is not as it should be"))?
        {
            return Ok(Kept::Here(found));
        }
        let helper =
            self.cred_helpers.iter().find(|(key, _)| registry_of(key) == image.registry()).map(|(_, helper)| helper);
        Ok(helper.or(self.creds_store.as_ref()).map_or(Kept::Nowhere, |helper| Kept::InHelper(helper.clone())))
    }
}

impl AuthShape {
    /// The credentials of an entry, if it has any; `None` if they are malformed.
    fn read(&self) -> Option<Option<Credentials>> {
        if !self.identitytoken.is_empty() {
            return Some(Some(Credentials::IdentityToken(self.identitytoken.clone())));
        }
        if !self.username.is_empty() {
            let (user, password) = (self.username.clone(), self.password.clone());
            return Some(Some(Credentials::Password { user, password }));
        }
        if self.auth.is_empty() {
            return Some(None);
        }
        let text = String::from_utf8(STANDARD.decode(self.auth.trim()).ok()?).ok()?;
        let (user, password) = text.split_once(':')?;
        // Docker itself used to write zeros behind passwords.
        let password = password.trim_end_matches('\0').to_owned();
        Some(Some(Credentials::Password { user: user.to_owned(), password }))
    }
}

/// The registry that a file's key means: `https://index.docker.io/v1/` is the oldest of many forms.
fn registry_of(key: &str) -> String {
    let bare = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let bare = bare.trim_end_matches('/');
    let bare = bare.strip_suffix("/v1").or_else(|| bare.strip_suffix("/v2")).unwrap_or(bare);
    match bare.split_once('/').unwrap_or((bare, "")) {
        ("index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com", "") => "docker.io".to_owned(),
        ("index.docker.io" | "registry-1.docker.io", rest) => format!("docker.io/{rest}"),
        _ => bare.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(file: &str, image: &str) -> Result<Kept, String> {
        serde_json::from_str::<FileShape>(file).unwrap().find(&image.parse().unwrap())
    }

    #[test]
    fn credentials_are_found_in_every_form() {
        let password = |user: &str, password: &str| {
            Ok(Kept::Here(Credentials::Password { user: user.to_owned(), password: password.to_owned() }))
        };
        for (file, image, expected) in [
            (r#"{"auths":{"ghcr.io":{"auth":"YTpiOmM="}}}"#, "ghcr.io/o/app", password("a", "b:c")),
            (r#"{"auths":{"https://index.docker.io/v1/":{"auth":"YTpi"}}}"#, "python", password("a", "b")),
            (
                r#"{"auths":{"https://localhost:5000":{"username":"u","password":"p"}}}"#,
                "localhost:5000/x",
                password("u", "p"),
            ),
            (
                r#"{"auths":{"quay.io":{"username":"u"},"quay.io/own":{"username":"v"},"quay.io/ow":{"username":"w"}}}"#,
                "quay.io/own/x",
                password("v", ""),
            ),
            (
                r#"{"auths":{"a.azurecr.io":{"auth":"MDA6","identitytoken":"t"}}}"#,
                "a.azurecr.io/x",
                Ok(Kept::Here(Credentials::IdentityToken("t".to_owned()))),
            ),
            (
                r#"{"auths":{"ghcr.io":{}},"credsStore":"desktop"}"#,
                "ghcr.io/x",
                Ok(Kept::InHelper("desktop".to_owned())),
            ),
            (
                r#"{"credHelpers":{"ghcr.io":"gh"},"credsStore":"desktop"}"#,
                "ghcr.io/x",
                Ok(Kept::InHelper("gh".to_owned())),
            ),
            (r#"{"auths":{"ghcr.io":{"auth":"YTpi"}}}"#, "ghcr.io.evil.example/x", Ok(Kept::Nowhere)),
            (r#"{"HttpHeaders":{}}"#, "python", Ok(Kept::Nowhere)),
            (
                r#"{"auths":{"ghcr.io":{"auth":"?"}}}"#,
                "ghcr.io/x",
                Err("its entry for ghcr.io is not as it should be".to_owned()),
            ),
        ] {
            assert_eq!(find(file, image), expected, "{file}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let image = "python".parse().unwrap();
        assert_eq!(Credentials::in_file(&dir.path().join("none"), &image).unwrap(), Kept::Nowhere);
        let broken = dir.path().join("config.json");
        fs::write(&broken, "{").unwrap();
        assert!(matches!(Credentials::in_file(&broken, &image), Err(Error::Credentials { .. })));
    }

    #[test]
    fn secrets_are_not_printed() {
        let password = Credentials::Password { user: "ada".to_owned(), password: "secret".to_owned() };
        assert!(!format!("{password:?} {:?}", Credentials::IdentityToken("secret".to_owned())).contains("secret"));
    }
}
