//! An item as one row of bytes: small, self-describing, and readable in part.
//!
//! A version, then the attributes in the order of their names. Every value says how long it is, so that what is not wanted is
//! stepped over; every value has exactly one form, so that equal values have equal bytes. Numbers and texts lie there as their
//! keys ([`crate::key`]), so that their order is the order of their bytes.
//!
//! ```text
//! item    = version map
//! map     = count (name-bytes name value)*        counts and lengths are LEB128
//! value   = tag payload
//! payload = S, B: bytes, content | N: bytes (1), key | BOOL: 0 or 1 | NULL: nothing
//!         | M: bytes (4), map | L: bytes (4), count, value* | SS, NS, BS: bytes (4), count, (bytes, content)*
//! ```

mod read;
mod write;

pub use read::{Damaged, Entries, Items, Members, Packed, View};
pub use write::{pack, pack_value};

use crate::Kind;

/// The form that is written. Readers refuse what is newer.
pub const VERSION: u8 = 1;

fn tag(kind: Kind) -> u8 {
    match kind {
        Kind::S => 1,
        Kind::N => 2,
        Kind::B => 3,
        Kind::Bool => 4,
        Kind::Null => 5,
        Kind::M => 6,
        Kind::L => 7,
        Kind::Ss => 8,
        Kind::Ns => 9,
        Kind::Bs => 10,
    }
}

fn kind(tag: u8) -> Option<Kind> {
    Some(match tag {
        1 => Kind::S,
        2 => Kind::N,
        3 => Kind::B,
        4 => Kind::Bool,
        5 => Kind::Null,
        6 => Kind::M,
        7 => Kind::L,
        8 => Kind::Ss,
        9 => Kind::Ns,
        10 => Kind::Bs,
        _ => return None,
    })
}
