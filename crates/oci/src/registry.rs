//! Images in registries: the distribution API, version 2, as far as reading goes.
//!
//! A registry is believed nothing that can be checked: every document and every layer is held against its digest, every answer is
//! bounded, and credentials go to the registry and to whom it names for giving out tokens, never to where it redirects.
//!
//! Registries on this machine are asked over plain HTTP, all others over TLS.

pub(crate) mod challenge;
mod connection;
mod download;
mod token;

use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use serde::Deserialize;

use crate::error::Asker;
use crate::limits::{DOCUMENT_BYTES_MAX, INDEX_DEPTH_MAX};
use crate::load::{At, Blob, Found, check};
use crate::manifest::{self, ACCEPTED, Descriptor, Document, Manifest};
use crate::{Digest, Error, Layers, LoadOptions, Reference};
pub(crate) use connection::Registry;
use connection::{Ask, read_body};

/// How many tags are told of an image that lacks the one that was asked for.
const TAGS_SHOWN: usize = 20;

/// How long to wait for a registry, and how often to try again.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Tries in a row without a single new byte, before it is given up.
    pub tries: u32,
    /// The first wait between tries is at most this long; later ones are longer.
    pub first_wait: Duration,
    /// No wait is longer.
    pub longest_wait: Duration,
    /// How long a connection and an answer's first byte may take.
    pub answer: Duration,
    /// How long nothing may come of an answer that has begun.
    pub stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            tries: 6,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(15),
            answer: Duration::from_secs(30),
            stall: Duration::from_secs(30),
        }
    }
}

/// Finds out what an image is made of.
pub(crate) async fn find(reference: &Reference, layers: &Layers, options: &LoadOptions) -> Result<Found, Error> {
    let registry = Arc::new(Registry::new(reference, layers, options).await?);
    let name = reference.to_string();
    let mut version = reference.version();
    let mut expected: Option<Descriptor> = None;
    for _ in 0..=INDEX_DEPTH_MAX {
        let (digest, media_type, bytes) = registry.manifest(&version).await?;
        if let Some(expected) = &expected {
            check("manifest", expected, &bytes)?;
        }
        match manifest::read_document(&format!("the manifest of {name}"), &bytes, &media_type)? {
            Document::Index(listed) => {
                let chosen = manifest::choose(&name, &listed, &options.platform)?.clone();
                version = chosen.digest.to_string();
                expected = Some(chosen);
            }
            Document::Manifest(manifest) => return whole(&registry, name, digest, manifest).await,
        }
    }
    Err(Error::Document { what: name, why: "its indexes lie too deep in each other".to_owned() })
}

async fn whole(registry: &Arc<Registry>, name: String, digest: Digest, manifest: Manifest) -> Result<Found, Error> {
    let bytes = registry.document(&manifest.config).await?;
    let what = format!("configuration {}", manifest.config.digest);
    let configuration = manifest::read_configuration(&what, &bytes)?;
    let layers = manifest.layers.into_iter().map(|layer| Blob {
        digest: Some(layer.digest),
        size: layer.size,
        at: At::Registry(Arc::clone(registry)),
    });
    Ok(Found { name, digest, configuration, layers: layers.collect(), scratch: None })
}

impl Registry {
    /// A manifest or an index: what it is, its media type, and its bytes.
    async fn manifest(&self, version: &str) -> Result<(Digest, String, Vec<u8>), Error> {
        let ask = Ask {
            what: format!("the manifest of {} ({version})", self.repository()),
            path: format!("/v2/{}/manifests/{version}", self.repository()),
            accept: ACCEPTED,
            from: 0,
        };
        let response = match self.get(&ask).await {
            Err(Error::Refused { status: 404, .. }) => return Err(self.no_such(version).await),
            other => other?,
        };
        let said = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let media_type = said(CONTENT_TYPE).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim().to_owned();
        let named = said(http::HeaderName::from_static("docker-content-digest")).and_then(|text| text.parse().ok());
        let bytes = self.body(&ask.what, response, DOCUMENT_BYTES_MAX).await?;
        // The name that was asked for counts; a tag's is what the registry says, and else what came.
        let expected: Option<Digest> = version.parse().ok().or(named);
        let digest = expected.as_ref().map_or_else(|| Digest::of(&bytes), |expected| expected.same_of(&bytes));
        match expected.filter(|expected| *expected != digest) {
            None => Ok((digest, media_type, bytes)),
            Some(expected) => Err(Error::DigestMismatch { what: ask.what, expected, found: digest }),
        }
    }

    /// A blob that is a document.
    async fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        let ask = Ask {
            what: format!("blob {}", descriptor.digest),
            path: format!("/v2/{}/blobs/{}", self.repository(), descriptor.digest),
            accept: "*/*",
            from: 0,
        };
        let response = self.get(&ask).await?;
        let bytes = self.body(&ask.what, response, DOCUMENT_BYTES_MAX).await?;
        check("blob", descriptor, &bytes)?;
        Ok(bytes)
    }

    /// Why an image is not there: with the tags that are, if the registry tells.
    async fn no_such(&self, version: &str) -> Error {
        #[derive(Deserialize)]
        struct TagsShape {
            tags: Option<Vec<String>>,
        }
        let path = format!("/v2/{}/tags/list?n={TAGS_SHOWN}", self.repository());
        let ask = Ask { what: "the list of tags".to_owned(), path, accept: "application/json", from: 0 };
        let tags = match self.get(&ask).await {
            Ok(response) => read_body(response, DOCUMENT_BYTES_MAX, self.patience().stall).await.ok(),
            Err(_) => None,
        };
        let tags = tags.and_then(|bytes| serde_json::from_slice::<TagsShape>(&bytes).ok()).and_then(|shape| shape.tags);
        let mut tags = tags.unwrap_or_default();
        tags.truncate(TAGS_SHOWN);
        let kind = if version.contains(':') { "the digest" } else { "the tag" };
        Error::NoSuchImage {
            registry: self.name().to_owned(),
            repository: self.repository().to_owned(),
            version: format!("{kind} {version}"),
            tags,
        }
    }

    /// That the registry does not let this asker read.
    fn denied(&self, said: String) -> Error {
        let who = if self.has_credentials() { Asker::Owner } else { Asker::Anybody };
        let (registry, repository) = (self.name().to_owned(), self.repository().to_owned());
        Error::Authentication { registry, repository, who, said }
    }
}
