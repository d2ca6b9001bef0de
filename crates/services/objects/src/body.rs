//! Bytes on their way in and out.

mod intake;
mod outlet;
mod seal;
mod sums;

pub(crate) use self::intake::{Intake, Taken, sum_up};
pub(crate) use self::seal::{Customer, Sealing, check_reader};
pub(crate) use self::sums::{Wanted, given, named_algorithm, show};

/// The longest body that lies in its version's own record.
pub const INLINE_BYTES_MAX: usize = 4 << 10;
/// The longest that lies in a record beside it; what is longer is a blob.
pub const BESIDE_BYTES_MAX: usize = 32 << 10;
