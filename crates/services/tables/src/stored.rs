//! An item as it lies in the store: how many bytes DynamoDB says that it has, then the packed item. So pages and capacity are counted
//! without looking inside.

use bytes::{BufMut, Bytes, BytesMut};
use item::{Item, Packed, packed, size};

use crate::error::Error;

const SIZE_BYTES: usize = 4;

/// An item as it lies in the store. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored(Bytes);

impl Stored {
    /// How an item will lie there.
    pub(crate) fn new(item: &Item) -> Self {
        let packed = packed::pack(item);
        let mut bytes = BytesMut::with_capacity(SIZE_BYTES + packed.len());
        bytes.put_u32_le(u32::try_from(size::item(item)).expect("items are bounded far below 4 GB"));
        bytes.put_slice(&packed);
        Self(bytes.freeze())
    }

    /// What the store holds.
    pub(crate) fn of_bytes(bytes: Bytes) -> Result<Self, Error> {
        match bytes.len() {
            short if short < SIZE_BYTES => Err(packed::Damaged::Cut.into()),
            _ => Ok(Self(bytes)),
        }
    }

    /// What the store is to hold.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes DynamoDB says that it has.
    pub(crate) fn size(&self) -> usize {
        self.0.first_chunk().map_or(0, |size| u32::from_le_bytes(*size) as usize)
    }

    /// The packed item.
    pub(crate) fn packed(&self) -> Result<Packed<'_>, Error> {
        Ok(Packed::new(&self.0[SIZE_BYTES..])?)
    }

    /// The item.
    pub(crate) fn item(&self) -> Result<Item, Error> {
        Ok(self.packed()?.unpack()?)
    }
}
