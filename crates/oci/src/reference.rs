//! How people name an image in a registry: `python`, `ghcr.io/owner/app:1.2`, `localhost:5000/app@sha256:…`.

use std::fmt;
use std::str::FromStr;

use crate::{Digest, Error};

/// The registry that a name without one means.
const HUB: &str = "docker.io";
/// Where that registry answers.
const HUB_ADDRESS: &str = "registry-1.docker.io";
/// The most that a name may have, as registries have it.
const NAME_BYTES_MAX: usize = 255;

/// An image in a registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// The registry's host, and its port if one was given: `docker.io` where the name has none.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The name within the registry: `library/python`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag: `latest` where the name has neither tag nor digest.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if the name pins one. It counts more than the tag.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same image, as it is now for ever.
    pub fn pinned(&self, digest: &Digest) -> Self {
        Self { digest: Some(digest.clone()), ..self.clone() }
    }

    /// What a registry is asked for: the digest, or the tag.
    pub(crate) fn version(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }

    /// Where requests go: host and port.
    pub(crate) fn address(&self) -> &str {
        if self.registry == HUB { HUB_ADDRESS } else { &self.registry }
    }

    /// True for this machine's own registries, which have no certificates.
    pub(crate) fn is_plain(&self) -> bool {
        is_loopback(host_of(&self.registry))
    }
}

/// The host of `HOST:PORT` or `HOST`.
pub(crate) fn host_of(authority: &str) -> &str {
    let port = authority.rfind(':').filter(|at| authority[at + 1..].bytes().all(|byte| byte.is_ascii_digit()));
    port.map_or(authority, |at| &authority[..at])
}

/// True for names and numbers of this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let number = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost"
        || host.ends_with(".localhost")
        || number.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why| Error::NotAReference { text: text.chars().take(300).collect(), why };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                (rest, Some(digest.parse().map_err(|_| wrong("what follows '@' is not a sha256 digest"))?))
            }
            None => (text, None),
        };
        // A colon after the last slash begins a tag; before it, a port.
        let name_from = rest.rfind('/').map_or(0, |at| at + 1);
        let (name, tag) = match rest[name_from..].find(':') {
            Some(at) => (&rest[..name_from + at], Some(&rest[name_from + at + 1..])),
            None => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(wrong(
                "a tag has up to 128 letters, digits, '_', '.' and '-', and begins with none of the last two",
            ));
        }
        let (registry, repository) = match name.split_once('/') {
            Some((first, rest)) if first == "localhost" || first.contains(['.', ':']) => (first, rest.to_owned()),
            Some(_) => (HUB, name.to_owned()),
            None => (HUB, format!("library/{name}")),
        };
        let registry = match registry {
            "index.docker.io" | HUB_ADDRESS => HUB,
            other => other,
        };
        if !is_authority(registry) {
            return Err(wrong("the registry is no host name with an optional port"));
        }
        if repository.len() > NAME_BYTES_MAX || !repository.split('/').all(is_component) {
            return Err(wrong(
                "a name has lower-case letters and digits, between them '.', '_', '__' or '-', in parts divided by '/'",
            ));
        }
        let tag = tag.map(str::to_owned).or_else(|| digest.is_none().then(|| "latest".to_owned()));
        Ok(Self { registry: registry.to_owned(), repository, tag, digest })
    }
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=128).contains(&tag.len())
        && tag.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
        && tag.bytes().next().is_some_and(word)
}

/// Letters and digits, with single dots, one or two underscores, or any number of hyphens between them.
fn is_component(part: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    let ends = bytes.first().copied().is_some_and(letter) && bytes.last().copied().is_some_and(letter);
    let between =
        part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()).filter(|between| !between.is_empty());
    let mut between = between;
    ends && between.all(|between| matches!(between, "." | "_" | "__") || between.bytes().all(|byte| byte == b'-'))
}

fn is_authority(authority: &str) -> bool {
    let host = host_of(authority);
    let port = authority[host.len()..].strip_prefix(':');
    let port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match v6 {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.len() <= 253 && host.split('.').all(label),
    };
    host && port
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn names_are_completed() {
        for (text, expected) in [
            ("python", "docker.io/library/python:latest"),
            ("python:3.13-slim", "docker.io/library/python:3.13-slim"),
            ("owner/app", "docker.io/owner/app:latest"),
            ("index.docker.io/owner/app", "docker.io/owner/app:latest"),
            ("ghcr.io/owner/app/part:v1", "ghcr.io/owner/app/part:v1"),
            ("localhost/app", "localhost/app:latest"),
            ("localhost:5000/a__b.c-d--e:X_1", "localhost:5000/a__b.c-d--e:X_1"),
            ("[::1]:5000/app", "[::1]:5000/app:latest"),
            (
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1",
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1",
            ),
            (&format!("app@{SHA}"), &format!("docker.io/library/app@{SHA}")),
            (&format!("host:1/app:2@{SHA}"), &format!("host:1/app:2@{SHA}")),
        ] {
            let read: Reference = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(read.to_string(), expected);
            assert_eq!(read.to_string().parse::<Reference>().unwrap(), read, "reads as it is written");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            ":",
            "/",
            "a//b",
            "App",
            "a..b",
            "a___b",
            "-a",
            "a-",
            "a/",
            "/a",
            "a:b:c",
            "a: b",
            "a b",
            "a:",
            "host:99999/a",
            "host:0/a",
            "ho_st.x/a",
            "a@sha256:12",
            "a?x=1",
            "../a",
            "host.x/../a",
            "a\n",
            "[::1/a",
            "http://host/a",
            &"a/".repeat(200),
            &format!("a:{}", "x".repeat(129)),
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_this_machines_registries_go_without_tls() {
        for (text, expected) in [
            ("localhost/a", true),
            ("localhost:5000/a", true),
            ("127.0.0.1:5000/a", true),
            ("127.8.0.1/a", true),
            ("[::1]:5000/a", true),
            ("registry.localhost:80/a", true),
            ("localhost.example.com/a", false),
            ("10.0.0.1:5000/a", false),
            ("python", false),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().is_plain(), expected, "{text}");
        }
    }
}
