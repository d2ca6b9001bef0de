//! Container images as folders that a sandbox can have as its root.
//!
//! [`load`] takes an image from where it is (an OCI image layout, what `docker save` made, a registry), unpacks each of its layers once
//! into a folder of [`Layers`], and says how the image wants to be run. [`Root`] then gives the layers as a list of folders for an
//! overlay, or as one flat folder. Nothing here runs anything, mounts anything, or knows what a function is.
//!
//! What always holds:
//! - Everything is named by what it is, and checked against its name before anybody uses it. A layer is there whole or not at all.
//! - An image is hostile: no entry of a layer reaches out of it, and everything is bounded. What owners and permissions become is
//!   told in `layer/tree.rs`.
//! - Layers are streams: one of many gigabytes takes no more memory than a small one.
//! - A load that was broken off, by whatever, goes on from what came.
//!
//! Start reading at `load.rs`, then `layer.rs`.
//!
//! ```no_run
//! # async fn example() -> Result<(), oci::Error> {
//! use oci::{Layers, LoadOptions, Options, Source};
//!
//! let layers = Layers::open("/var/lib/images".as_ref(), Options::default())?;
//! let source: Source = "localhost:5000/app:1.2".parse()?;
//! let image = oci::load(&source, &layers, &LoadOptions::default()).await?;
//! let folders = image.root.overlay()?.lower;
//! # Ok(())
//! # }
//! ```

mod credentials;
mod digest;
mod error;
pub mod fuzzing;
mod image;
mod layer;
mod layers;
mod limits;
mod load;
mod local;
mod manifest;
mod platform;
mod progress;
mod received;
mod reference;
mod registry;
mod source;
mod tar;

pub use credentials::{Credentials, Kept};
pub use digest::Digest;
pub use error::{ArchiveFault, Asker, Blame, Error, LayerFault};
pub use image::{Config, Image};
pub use layers::{Layers, Options, Overlay, Root, Swept};
pub use limits::Limits;
pub use load::{LoadOptions, load};
pub use platform::Platform;
pub use progress::{Progress, Stage, Watcher};
pub use received::{Received, Receiving};
pub use reference::Reference;
pub use registry::Patience;
pub use source::Source;
