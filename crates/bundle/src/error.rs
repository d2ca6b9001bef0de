//! Why a folder cannot be deployed, and what to do.

use std::path::PathBuf;

use base::ByteSize;

/// Why a folder cannot be deployed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such file or folder.
    #[error("{} does not exist", .path.display())]
    Missing {
        /// What was asked for.
        path: PathBuf,
    },
    /// A template points to something that is not there.
    #[error("{resource}: {property} is '{value}', and {} does not exist{}", .path.display(), line_of(.line))]
    AssetMissing {
        /// The resource's logical id, or `Globals`.
        resource: String,
        /// The property.
        property: &'static str,
        /// What it says.
        value: String,
        /// Where that leads.
        path: PathBuf,
        /// Its line.
        line: u32,
    },
    /// A function's image would have to be built.
    #[error(
        "{resource}: its image must be built first, and Freehold has no builder{}. Build and save it: \
         docker build -t {} -f {} {} && docker save {} -o image.tar (podman and buildah do the same), then write into the \
         function's properties: ImageUri: file:./image.tar",
        line_of(.line), image_name(resource), .dockerfile.display(), .context.display(), image_name(resource)
    )]
    ImageToBuild {
        /// The resource's logical id.
        resource: String,
        /// What it would be built by.
        dockerfile: PathBuf,
        /// What it would be built from.
        context: PathBuf,
        /// Its line.
        line: u32,
    },
    /// Nothing in it looks like a function or an application.
    #[error(
        "{} is neither a function nor an application: it has none of template.yaml, bootstrap, Procfile, server.py, \
         server.mjs, server.js, server.cjs, index.mjs, index.js, index.cjs, package.json with a main file or a start script, \
         lambda_function.py, app.py, main.py, handler.py, a single WebAssembly binary (*.wasm), and no folder in it has one{hint}",
        .path.display()
    )]
    Nothing {
        /// The folder.
        path: PathBuf,
        /// What may help.
        hint: &'static str,
    },
    /// Source that nobody has compiled.
    #[error("{} is no function yet: {advice}", .path.display())]
    Source {
        /// The folder.
        path: PathBuf,
        /// How it becomes one.
        advice: &'static str,
    },
    /// A `bootstrap` that cannot be run.
    #[error("{0} is not executable; run: chmod +x {0}", .path.display())]
    NotExecutable {
        /// The file.
        path: PathBuf,
    },
    /// The template is wrong.
    #[error("{}: {why}", .path.display())]
    Template {
        /// The template's file.
        path: PathBuf,
        /// What is wrong.
        why: template::Error,
    },
    /// Too much code.
    #[error(
        "{} has more than {limit} of code, which is the most that a function may have unpacked; take out what it does not need at run time",
        .path.display()
    )]
    TooLarge {
        /// The folder.
        path: PathBuf,
        /// The limit.
        limit: ByteSize,
    },
    /// Too many files.
    #[error("{} has more than {limit} files; take out what the function does not need at run time", .path.display())]
    TooManyFiles {
        /// The folder.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// Folders in folders in folders.
    #[error("{} lies more than {limit} folders deep", .path.display())]
    TooDeep {
        /// The folder.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// A link leads back to a folder that it lies in.
    #[error("{} is a link to a folder that it lies in", .path.display())]
    Circle {
        /// The link.
        path: PathBuf,
    },
    /// A name that no archive can hold.
    #[error("the name of {} is not UTF-8; rename it", .path.display())]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// Two functions would have one name.
    #[error("{} and {} would make two functions of the name '{name}'; rename one of the folders", .first.display(), .second.display())]
    SameName {
        /// The name.
        name: String,
        /// One folder.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// The file system.
    #[error("{} cannot be read: {why}", .path.display())]
    Read {
        /// What was read.
        path: PathBuf,
        /// The system's words.
        why: std::io::Error,
    },
    /// Packing failed.
    #[error("{} cannot be packed: {why}", .path.display())]
    Pack {
        /// The folder.
        path: PathBuf,
        /// The packer's words.
        why: String,
    },
}

fn line_of(line: &u32) -> String {
    if *line > 0 { format!(" (line {line})") } else { String::new() }
}

/// A name for the image of a function.
fn image_name(resource: &str) -> String {
    resource.to_lowercase()
}
