//! Folders become templates and assets: what a person has on disk, ready to be deployed. There is one path, *folder → template → stack*:
//! a folder without a template gets one.
//!
//! It reads folders and does nothing else: no network, no store, no running of anything. Equal contents give equal bytes, wherever they
//! lie and whenever they were written, so that what has not changed is not deployed again.
//!
//! ```no_run
//! let bundle = bundle::bundle(std::path::Path::new("examples/hello"))?;
//! for asset in &bundle.assets {
//!     println!("PUT /_assets/{} ({} bytes)", asset.sha256, asset.bytes.len());
//! }
//! println!("{}", bundle.template.to_json());
//! # Ok::<(), bundle::Error>(())
//! ```

pub mod archive;
mod assets;
mod compiled;
mod error;
mod folder;
mod foreign;
mod names;
mod source;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use template::Template;

pub use error::Error;
pub use folder::{Found, Function, find};
pub use template::Node;

/// The bucket's name that stands for the node's own code store.
pub const ASSETS_BUCKET: &str = "_assets";

/// What is to be deployed.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// A name for the stack, made from the folder's.
    pub name: String,
    /// The template; local paths in it are names of assets now.
    pub template: Node,
    /// What the template refers to, each once.
    pub assets: Vec<Asset>,
    /// The template's file, if a person wrote one: the lines of the template's nodes are its lines.
    pub file: Option<PathBuf>,
    /// The files and folders that it was made from: a change in one of them is a reason to deploy again.
    pub sources: Vec<PathBuf>,
    /// What was left out, and what to do about it: a sentence each.
    pub warnings: Vec<String>,
}

/// Bytes, under the name that their content gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// The SHA-256 of the bytes in hexadecimal digits: the key under [`ASSETS_BUCKET`].
    pub sha256: String,
    /// The bytes: a zip archive.
    pub bytes: Bytes,
    /// Where they come from.
    pub source: PathBuf,
}

/// Makes a bundle of a folder (an application with a template, a function, or a folder of functions), a template's file, or a single
/// file of code. Blocks while it reads and packs.
pub fn bundle(path: &Path) -> Result<Bundle, Error> {
    let path = std::path::absolute(path).map_err(|why| Error::Read { path: path.to_owned(), why })?;
    let (mut node, base, file, warnings) = match folder::find(&path)? {
        Found::Application(template) => {
            let node = read_template(&template)?;
            let base = template.parent().map_or_else(|| path.clone(), Path::to_path_buf);
            (node, base, Some(template), Vec::new())
        }
        Found::Functions(functions, left_out) => {
            let base = if path.is_dir() { path.clone() } else { path.parent().unwrap_or(&path).to_owned() };
            (folder::template_for(&functions), base, None, left_out)
        }
    };
    let collected = assets::collect(&mut node, &base)?;
    let sources = file.iter().cloned().chain(collected.sources).collect();
    Ok(Bundle { name: names::stack(&path), template: node, assets: collected.assets, file, sources, warnings })
}

/// Reads a template's file, and checks what can be checked here: only here are the lines known.
fn read_template(path: &Path) -> Result<Node, Error> {
    let text = std::fs::read_to_string(path).map_err(|why| Error::Read { path: path.to_owned(), why })?;
    let wrong = |why| Error::Template { path: path.to_owned(), why };
    let node = template::read(&text).map_err(wrong)?;
    Template::from_node(&node).map_err(wrong)?;
    Ok(node)
}
