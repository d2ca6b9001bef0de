//! What all batches have in common: their bounds, their ids, and the faults of single entries.

use std::collections::HashSet;

use contract::{Cause, Fault};
use wire::sqs::BatchResultErrorEntry;

use crate::error::Error;

const ENTRIES_MAX: usize = 10;
const ID_CHARS_MAX: usize = 80;

/// Checks a batch as a whole. `kind` is the name of its entries.
pub(super) fn check<'a>(kind: &'static str, ids: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let ids: Vec<&str> = ids.collect();
    if ids.is_empty() {
        return Err(Error::EmptyBatch(kind));
    }
    if ids.len() > ENTRIES_MAX {
        return Err(Error::TooManyEntries(ids.len()));
    }
    let mut seen = HashSet::new();
    for id in ids {
        if !crate::model::name::is_word(id) || id.len() > ID_CHARS_MAX {
            return Err(Error::IdInvalid);
        }
        if !seen.insert(id) {
            return Err(Error::IdRepeated(id.to_owned()));
        }
    }
    Ok(())
}

/// The fault of one entry.
pub(super) fn failed(id: String, error: Error) -> BatchResultErrorEntry {
    let fault = Fault::from(error);
    let sender_fault = match fault.cause {
        Cause::Throttled | Cause::TimedOut | Cause::Unavailable | Cause::Internal => false,
        Cause::Invalid
        | Cause::Unauthenticated
        | Cause::Denied
        | Cause::NotFound
        | Cause::Conflict
        | Cause::TooLarge
        | Cause::Unserved => true,
    };
    // Entries are named as query clients know them.
    let known = wire::sqs::SERVICE.exception(&fault.code);
    let code = known.map_or(fault.code, |exception| exception.query_code.to_owned());
    BatchResultErrorEntry { id, sender_fault, code, message: Some(fault.message) }
}
