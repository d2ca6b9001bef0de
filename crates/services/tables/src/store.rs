//! Where everything of the tables lies, and (with its room `store/`) the only place that touches the store.
//!
//! Of class record, under `tables`:
//!
//! | then | record |
//! |---|---|
//! | `made` | counts the tables that were ever made, for their numbers |
//! | `table ACCOUNT REGION NAME` | what a table is |
//! | `counts NUMBER` | how much lies in it, as it was some moments ago |
//! | `gone NUMBER` | a deleted table whose items are still to be taken away |
//! | `token ACCOUNT REGION TOKEN` | a transaction that was done, for ten minutes |
//! | `done SECOND KEY` | that a token's transaction was done then |
//! | `i NUMBER HASH [SORT]` | an item |
//! | `x NUMBER INDEX HASH [SORT] ITEM` | an index's entry: the item as far as the index holds it |
//! | `e NUMBER SETTING SECOND ITEM` | when an item's time is over: the item's key |
//!
//! What belongs to streams, backups, restores and tables as they were is in the rooms of those names.
//!
//! `HASH` is the first half of the SHA-256 of the hash key, so that a scan can be cut into segments and a key of 2 KB leaves room for
//! the sort key; `SORT` is the sort key as it is ordered; `ITEM` tells items apart that an index does not.
//!
//! What always holds: an item that is longer than a value of the store may be goes on in keys behind its own, and is read with one scan.

pub(crate) mod backups;
pub(crate) mod between;
pub(crate) mod changes;
pub(crate) mod chunk;
pub(crate) mod exports;
pub(crate) mod imports;
pub(crate) mod items;
pub(crate) mod keys;
pub(crate) mod past;
mod records;
pub(crate) mod restores;
pub(crate) mod tables;
mod tokens;
pub(crate) mod versions;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use ::store::Store;

pub(crate) use records::Counts;

/// All tables of a node. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Cellar {
    pub(crate) store: Store,
    /// No token is noted before this second.
    tokens_swept: Arc<AtomicU64>,
}

impl Cellar {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, tokens_swept: Arc::default() }
    }
}
