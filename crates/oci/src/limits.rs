//! How much an image may have of anything. What is over is refused with the limit in its words.

use base::ByteSize;

/// The limits of a folder of layers.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// All layers of an image together, unpacked. Default: 10 GiB, as on Lambda.
    pub image_bytes: ByteSize,
    /// Entries of one layer's archive. Default: a million, some times what the largest real ones have.
    pub layer_entries: u64,
    /// Layers of an image. Default: 127, as with most builders.
    pub layers: usize,
    /// What stays free on the disk when archives are taken in. Default: 256 MiB, so that all else goes on.
    pub reserve: ByteSize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { image_bytes: ByteSize::gib(10), layer_entries: 1_000_000, layers: 127, reserve: ByteSize::mib(256) }
    }
}

/// The longest manifest, index or configuration: registries take no longer ones.
pub(crate) const DOCUMENT_BYTES_MAX: u64 = 4 << 20;
/// How deep indexes may lie in each other.
pub(crate) const INDEX_DEPTH_MAX: usize = 4;
/// The longest path in a layer: what the system takes.
pub(crate) const PATH_BYTES_MAX: usize = 4095;
/// How deep folders may lie in a layer. Walking one takes a descriptor for each level.
pub(crate) const FOLDER_DEPTH_MAX: usize = 128;
/// How many links may be followed on one path: the system's own limit.
pub(crate) const LINKS_MAX: usize = 40;
/// What a layer's list of folders and whiteouts may take in memory.
pub(crate) const LIST_BYTES_MAX: usize = 64 << 20;
/// Images of one name in an archive, each for another platform: the configuration of each is read to choose.
pub(crate) const IMAGES_MAX: usize = 64;
/// Entries of an archive of images: blobs and documents.
pub(crate) const ARCHIVE_ENTRIES_MAX: usize = 10_000;
