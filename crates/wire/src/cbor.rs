//! CBOR bodies (RFC 8949, the part that rpc-v2 uses): [`CborSource`] pulls shapes out of bytes, [`CborWriter`] puts them in.

mod read;
mod write;

pub use read::CborSource;
pub use write::CborWriter;

/// The major types.
mod major {
    pub(super) const UNSIGNED: u8 = 0;
    pub(super) const NEGATIVE: u8 = 1;
    pub(super) const BYTES: u8 = 2;
    pub(super) const TEXT: u8 = 3;
    pub(super) const ARRAY: u8 = 4;
    pub(super) const MAP: u8 = 5;
    pub(super) const TAG: u8 = 6;
    pub(super) const SIMPLE: u8 = 7;
}

/// The end of something whose length was not given.
const BREAK: u8 = 0xFF;
/// The tag of a timestamp: seconds since 1970.
const TAG_EPOCH: u64 = 1;
