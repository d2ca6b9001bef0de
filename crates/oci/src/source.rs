//! Where an image comes from.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::{Error, Reference};

/// Where an image comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// On this machine: an OCI image layout, or what `docker save` made; a folder, or a tar archive, which may be packed with gzip or
    /// zstd. Links in a folder are followed: whoever names one must be trusted to read it.
    Local {
        /// The folder or archive.
        path: PathBuf,
        /// Which of its images, if it has several: a tag, or a whole name.
        image: Option<String>,
    },
    /// From a registry.
    Registry(Reference),
}

impl FromStr for Source {
    type Err = Error;

    /// What begins with `/`, `.` or `file:` is a path, and what follows a `#` in it the image's name: `./app.tar#app:1.2`. All else is
    /// a name in a registry.
    fn from_str(text: &str) -> Result<Self, Error> {
        let path = match text.strip_prefix("file:") {
            Some(path) => path,
            None if text.starts_with(['/', '.']) => text,
            None => return Ok(Self::Registry(text.parse()?)),
        };
        let (path, image) = match path.rsplit_once('#') {
            Some((path, image)) if !image.is_empty() => (path, Some(image)),
            Some(_) | None => (path, None),
        };
        Ok(Self::Local { path: PathBuf::from(path), image: image.map(str::to_owned) })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local { path, image: None } => write!(f, "{}", path.display()),
            Self::Local { path, image: Some(image) } => write!(f, "{}#{image}", path.display()),
            Self::Registry(reference) => write!(f, "{reference}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_names_are_told_apart() {
        let local = |path: &str, image: Option<&str>| Source::Local {
            path: PathBuf::from(path),
            image: image.map(str::to_owned),
        };
        for (text, expected) in [
            ("./app.tar", local("./app.tar", None)),
            ("../layout", local("../layout", None)),
            ("/images/app.tar#app:1.2", local("/images/app.tar", Some("app:1.2"))),
            ("file:app.tar", local("app.tar", None)),
            ("./a#b#c", local("./a#b", Some("c"))),
            ("./a#", local("./a#", None)),
            ("python:3.13", Source::Registry("python:3.13".parse().unwrap())),
            ("app.tar", Source::Registry("docker.io/library/app.tar:latest".parse().unwrap())),
        ] {
            assert_eq!(text.parse::<Source>().unwrap(), expected, "{text}");
        }
    }
}
