//! The documents of an image, as registries, layouts and archives have them: read, checked, and turned into what is needed of them.
//!
//! An *index* lists manifests for several platforms, a *manifest* lists a configuration and layers, a *configuration* says how to run
//! it and what the layers unpack to. Two families of media types name the same things.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::image::Config;
use crate::{Digest, Error, Platform};

/// Media types of manifests that can be read, as a registry is told.
pub(crate) const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

const KNOWN_MANIFESTS: &str = "what can be read are OCI image manifests and indexes, and Docker's of version 2; make the image anew with a current tool";
const KNOWN_LAYERS: &str = "layers are tar archives, plain or packed with gzip or zstd";

/// What a document refers to.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    #[serde(deserialize_with = "digest")]
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    #[serde(default)]
    platform: Option<PlatformShape>,
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// The platform that it is for, as far as it says.
    pub(crate) fn platform(&self) -> Option<Platform> {
        self.platform.clone().map(Platform::from)
    }

    /// True for what lies beside images in an index and is none: statements on how they were built.
    fn is_attestation(&self) -> bool {
        self.annotations.get("vnd.docker.reference.type").is_some_and(|kind| kind == "attestation-manifest")
    }
}

#[derive(Clone, Debug, Deserialize)]
struct PlatformShape {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: String,
}

impl From<PlatformShape> for Platform {
    fn from(shape: PlatformShape) -> Self {
        Self { os: shape.os, architecture: shape.architecture, variant: shape.variant }
    }
}

fn digest<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}

fn digests<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Digest>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| text.parse().map_err(serde::de::Error::custom)).collect()
}

/// Any document that a manifest's name can lead to.
#[derive(Debug)]
pub(crate) enum Document {
    Index(Vec<Descriptor>),
    Manifest(Manifest),
}

/// A configuration and layers.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DocumentShape {
    #[serde(default)]
    schema_version: Option<u32>,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
}

/// Reads an index or a manifest. `media_type` is what its bearer says of it; the document's own word counts more.
pub(crate) fn read_document(what: &str, bytes: &[u8], media_type: &str) -> Result<Document, Error> {
    let shape: DocumentShape = json(what, bytes)?;
    let said = if shape.media_type.is_empty() { media_type } else { &shape.media_type };
    let unknown = || Error::MediaType { what: what.to_owned(), media_type: said.to_owned(), known: KNOWN_MANIFESTS };
    let why = |why: &str| Error::Document { what: what.to_owned(), why: why.to_owned() };
    let is = |kind: &str| said.starts_with("application/vnd.") && said.ends_with(kind);
    if said.contains("manifest.v1+prettyjws") || shape.schema_version == Some(1) {
        return Err(unknown());
    }
    // A document that is both would be one image to one reader and another to the next.
    match (shape.manifests, shape.config, shape.layers) {
        (Some(manifests), None, None) if !is("image.manifest.v1+json") && !is("manifest.v2+json") => {
            Ok(Document::Index(manifests))
        }
        (None, Some(config), Some(layers)) if !is("image.index.v1+json") && !is("manifest.list.v2+json") => {
            check_types(what, &config, &layers)?;
            Ok(Document::Manifest(Manifest { config, layers }))
        }
        (None, None, None) if !said.is_empty() && !said.ends_with("json") => Err(unknown()),
        (None, None, None) => Err(why("it lists neither manifests nor layers")),
        (Some(_), _, _) => Err(why("it says to be an index and a manifest at once")),
        (None, _, _) => Err(why("it lacks a configuration or layers, or says to be an index")),
    }
}

fn check_types(what: &str, config: &Descriptor, layers: &[Descriptor]) -> Result<(), Error> {
    match config.media_type.as_str() {
        "application/vnd.oci.image.config.v1+json" | "application/vnd.docker.container.image.v1+json" | "" => {}
        other => {
            return Err(Error::MediaType {
                what: format!("the configuration of {what}"),
                media_type: other.to_owned(),
                known: "this is something else than a container image",
            });
        }
    }
    for layer in layers {
        let known = matches!(
            layer.media_type.as_str(),
            "" | "application/vnd.oci.image.layer.v1.tar"
                | "application/vnd.oci.image.layer.v1.tar+gzip"
                | "application/vnd.oci.image.layer.v1.tar+zstd"
                | "application/vnd.oci.image.layer.nondistributable.v1.tar"
                | "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
                | "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"
                | "application/vnd.docker.image.rootfs.diff.tar"
                | "application/vnd.docker.image.rootfs.diff.tar.gzip"
                | "application/vnd.docker.image.rootfs.diff.tar.zstd"
                | "application/vnd.docker.image.rootfs.foreign.diff.tar"
                | "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
        );
        if !known {
            return Err(Error::MediaType {
                what: format!("layer {} of {what}", layer.digest),
                media_type: layer.media_type.clone(),
                known: KNOWN_LAYERS,
            });
        }
    }
    Ok(())
}

/// Chooses from an index what fits the wanted platform best; of equals, the first.
pub(crate) fn choose<'a>(
    image: &str,
    manifests: impl IntoIterator<Item = &'a Descriptor>,
    wanted: &Platform,
) -> Result<&'a Descriptor, Error> {
    let images: Vec<&Descriptor> = manifests.into_iter().filter(|one| !one.is_attestation()).collect();
    let fits = |one: &Descriptor| one.platform().map_or(Some(0), |offered| wanted.fit(&offered));
    let mut best: Option<(u32, &Descriptor)> = None;
    for one in &images {
        match (fits(one), best) {
            (Some(fit), None) => best = Some((fit, one)),
            (Some(fit), Some((most, _))) if fit > most => best = Some((fit, one)),
            (Some(_) | None, _) => {}
        }
    }
    if images.is_empty() {
        return Err(Error::Document { what: image.to_owned(), why: "its index lists no image".to_owned() });
    }
    best.map(|(_, one)| one).ok_or_else(|| Error::WrongPlatform {
        image: image.to_owned(),
        wanted: wanted.clone(),
        found: images.iter().filter_map(|one| one.platform()).filter(|one| one.os != "unknown").collect(),
    })
}

/// What a configuration says.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub(crate) platform: Platform,
    pub(crate) config: Config,
    /// What the layers are, unpacked: the lowest first.
    pub(crate) layers: Vec<Digest>,
}

#[derive(Deserialize)]
struct ConfigurationShape {
    #[serde(flatten)]
    platform: PlatformShape,
    #[serde(default)]
    config: Option<RunShape>,
    rootfs: RootShape,
}

#[derive(Deserialize)]
struct RootShape {
    #[serde(default, deserialize_with = "digests")]
    diff_ids: Vec<Digest>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RunShape {
    #[serde(default)]
    entrypoint: Option<Vec<String>>,
    #[serde(default)]
    cmd: Option<Vec<String>>,
    #[serde(default)]
    env: Option<Vec<String>>,
    #[serde(default)]
    working_dir: Option<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    exposed_ports: Option<BTreeMap<String, serde::de::IgnoredAny>>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    stop_signal: Option<String>,
}

/// Reads a configuration.
pub(crate) fn read_configuration(what: &str, bytes: &[u8]) -> Result<Configuration, Error> {
    let shape: ConfigurationShape = json(what, bytes)?;
    let run = shape.config.unwrap_or_default();
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    // A variable without a value is one that the builder passed on; here there is nothing to pass on.
    let env = run.env.unwrap_or_default();
    let env = env.iter().map(|one| one.split_once('=').unwrap_or((one, "")));
    let config = Config {
        entrypoint: run.entrypoint.unwrap_or_default(),
        cmd: run.cmd.unwrap_or_default(),
        env: env
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        workdir: some(run.working_dir),
        user: some(run.user),
        ports: run.exposed_ports.unwrap_or_default().into_keys().collect(),
        labels: run.labels.unwrap_or_default(),
        stop_signal: some(run.stop_signal),
    };
    Ok(Configuration { platform: shape.platform.into(), config, layers: shape.rootfs.diff_ids })
}

/// Reads any JSON document of an image.
pub(crate) fn json<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes)
        .map_err(|error| Error::Document { what: what.to_owned(), why: format!("it is not as it should be: {error}") })
}
