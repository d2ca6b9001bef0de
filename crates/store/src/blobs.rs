//! Blobs: large, immutable byte strings, named by their content.

mod id;

pub use id::BlobId;
