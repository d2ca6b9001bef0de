//! Local paths in a template become assets, and the template names those instead.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use bytes::Bytes;
use template::{Entry, Node, Value};

use crate::{ASSETS_BUCKET, Asset, Error, archive, folder};

/// Where templates have local paths, and how they name an object in a bucket there.
struct Spot {
    kind: &'static str,
    property: &'static str,
    bucket: &'static str,
    key: &'static str,
}

const SPOTS: [Spot; 4] = [
    Spot { kind: "AWS::Serverless::Function", property: "CodeUri", bucket: "Bucket", key: "Key" },
    Spot { kind: "AWS::Serverless::LayerVersion", property: "ContentUri", bucket: "Bucket", key: "Key" },
    Spot { kind: "AWS::Lambda::Function", property: "Code", bucket: "S3Bucket", key: "S3Key" },
    Spot { kind: "AWS::Lambda::LayerVersion", property: "Content", bucket: "S3Bucket", key: "S3Key" },
];

/// What a template refers to.
#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) assets: Vec<Asset>,
    pub(crate) sources: Vec<PathBuf>,
    /// The assets of paths that were packed already.
    packed: BTreeMap<PathBuf, String>,
}

/// Packs every local path of the template, relative to `base`, and puts the asset in its place.
pub(crate) fn collect(template: &mut Node, base: &Path) -> Result<Collected, Error> {
    let mut collected = Collected::default();
    let function = &SPOTS[0];
    let defaults = template.get("Globals").and_then(|globals| globals.get("Function")).cloned();
    if let Some(section) = template.get_mut("Globals").and_then(|globals| globals.get_mut("Function")) {
        collected.place(section, "Globals", function, base)?;
    }
    let Some(Node { value: Value::Map(resources), .. }) = template.get_mut("Resources") else { return Ok(collected) };
    for Entry { key: id, value: resource, .. } in resources {
        let kind = resource.get("Type").and_then(Node::as_text).unwrap_or_default().to_owned();
        image(resource, &kind, id, defaults.as_ref(), base)?;
        let Some(spot) = SPOTS.iter().find(|spot| spot.kind == kind) else { continue };
        let Some(properties) = resource.get_mut("Properties") else { continue };
        let path = collected.place(properties, id, spot, base)?;
        if let (Some(path), "AWS::Serverless::Function") = (path, spot.kind) {
            configure(properties, defaults.as_ref(), &path)?;
        }
    }
    Ok(collected)
}

/// A container image on this machine is named by its whole path from here on: it is not sent, the node reads it where it lies. One that
/// would have to be built first is refused with the command that builds it.
fn image(resource: &mut Node, kind: &str, id: &str, defaults: Option<&Node>, base: &Path) -> Result<(), Error> {
    let line = resource.line;
    let dockerfile = resource.get("Metadata").and_then(|metadata| metadata.get("Dockerfile")).and_then(Node::as_text);
    let context = resource.get("Metadata").and_then(|metadata| metadata.get("DockerContext")).and_then(Node::as_text);
    let build = dockerfile.map(|dockerfile| {
        let context = base.join(context.unwrap_or("."));
        (context.join(dockerfile), context)
    });
    let said = |node: &Node| {
        let said = |name: &str| node.get(name).or_else(|| defaults.and_then(|defaults| defaults.get(name)));
        (said("PackageType").and_then(Node::as_text) == Some("Image"), said("ImageUri").is_some())
    };
    let Some(properties) = resource.get_mut("Properties") else { return Ok(()) };
    let uri = match kind {
        "AWS::Serverless::Function" => {
            if let (Some((dockerfile, context)), (true, false)) = (build, said(properties)) {
                return Err(Error::ImageToBuild { resource: id.to_owned(), dockerfile, context, line });
            }
            properties.get_mut("ImageUri")
        }
        "AWS::Lambda::Function" => properties.get_mut("Code").and_then(|code| code.get_mut("ImageUri")),
        _ => None,
    };
    let Some(uri) = uri else { return Ok(()) };
    let local = uri.as_text().and_then(|text| text.strip_prefix("file:").or(text.starts_with('.').then_some(text)));
    let Some(text) = local.filter(|text| !text.starts_with('/')).map(str::to_owned) else { return Ok(()) };
    // What follows a '#' is the image's name in an archive of several.
    let (path, name) = text.split_once('#').map_or((text.as_str(), None), |(path, name)| (path, Some(name)));
    let path = base.join(path);
    if !path.exists() {
        let (resource, property, line) = (id.to_owned(), "ImageUri", uri.line);
        return Err(Error::AssetMissing { resource, property, value: text.clone(), path, line });
    }
    let path = path.canonicalize().map_err(|why| Error::Read { path: path.clone(), why })?;
    let whole = format!("file:{}{}", path.display(), name.map(|name| format!("#{name}")).unwrap_or_default());
    *uri = Node::text(uri.line, &whole);
    Ok(())
}

impl Collected {
    /// Replaces the path in `properties`, if there is a local one; gives where it leads.
    fn place(
        &mut self,
        properties: &mut Node,
        owner: &str,
        spot: &Spot,
        base: &Path,
    ) -> Result<Option<PathBuf>, Error> {
        let Some(node) = properties.get_mut(spot.property) else { return Ok(None) };
        let Some(text) = node.as_text().filter(|text| !text.contains("://")).map(str::to_owned) else {
            return Ok(None);
        };
        let path = base.join(&text);
        if !path.exists() {
            let (resource, property) = (owner.to_owned(), spot.property);
            return Err(Error::AssetMissing { resource, property, value: text, path, line: node.line });
        }
        let sha256 = self.asset(&path)?;
        let line = node.line;
        let entry = |key: &str, text: &str| Entry { key: key.to_owned(), line, value: Node::text(line, text) };
        node.value = Value::Map(vec![entry(spot.bucket, ASSETS_BUCKET), entry(spot.key, &sha256)]);
        Ok(Some(path))
    }

    fn asset(&mut self, path: &Path) -> Result<String, Error> {
        if let Some(sha256) = self.packed.get(path) {
            return Ok(sha256.clone());
        }
        let bytes = match path.extension().and_then(|ending| ending.to_str()) {
            // Packed by another tool already.
            Some("zip" | "jar") if path.is_file() => {
                std::fs::read(path).map_err(|why| Error::Read { path: path.to_owned(), why })?
            }
            Some(_) | None => archive::pack(path)?,
        };
        let sha256 = hex::encode(digest::digest(&digest::SHA256, &bytes));
        if !self.assets.iter().any(|asset| asset.sha256 == sha256) {
            let asset = Asset { sha256: sha256.clone(), bytes: Bytes::from(bytes), source: path.to_owned() };
            self.assets.push(asset);
        }
        self.sources.push(path.to_owned());
        self.packed.insert(path.to_owned(), sha256.clone());
        Ok(sha256)
    }
}

/// Gives a function the runtime and the handler that its folder tells, where the template does not.
fn configure(properties: &mut Node, defaults: Option<&Node>, path: &Path) -> Result<(), Error> {
    let said =
        |name: &str| properties.get(name).is_some() || defaults.is_some_and(|defaults| defaults.get(name).is_some());
    let (runtime, handler) = (said("Runtime"), said("Handler"));
    if (runtime && handler) || !path.is_dir() || said("ImageUri") {
        return Ok(());
    }
    let Some(function) = folder::function_in(path)? else { return Ok(()) };
    let line = properties.line;
    if let Value::Map(entries) = &mut properties.value {
        let mut add = |key: &str, text: &str| {
            entries.push(Entry { key: key.to_owned(), line, value: Node::text(line, text) });
        };
        if !runtime {
            add("Runtime", function.runtime);
        }
        if !handler {
            add("Handler", &function.handler);
        }
    }
    Ok(())
}
