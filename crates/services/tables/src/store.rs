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
//! | `left NUMBER ACCOUNT REGION` | what a deleted table was, for as long as its streams can be read |
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
pub(crate) mod items;
pub(crate) mod keys;
pub(crate) mod past;
mod records;
pub(crate) mod restores;
pub(crate) mod tables;
mod tokens;
pub(crate) mod transfers;
pub(crate) mod versions;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use ::store::{Error as StoreError, Store, Transaction};

pub(crate) use records::Counts;

/// All tables of a node. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Cellar {
    pub(crate) store: Store,
    /// No token is noted before this second.
    tokens_swept: Arc<AtomicU64>,
    /// Held by the one transaction that may be wide.
    wide: Arc<tokio::sync::Mutex<()>>,
}

/// Why a transaction was not done.
enum Undone<E> {
    Store(StoreError),
    Own(E),
}

impl<E> From<StoreError> for Undone<E> {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Cellar {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, tokens_swept: Arc::default(), wide: Arc::default() }
    }

    /// Does something in one transaction. Nothing is done, and none is the answer, where that would hold too much.
    pub(crate) async fn transact_if_it_fits<T, E, F, Fut>(&self, act: F) -> Result<Option<T>, E>
    where
        F: Fn(Transaction) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, E>> + Send,
        E: From<StoreError> + Send,
        T: Send,
    {
        let once = |tx: Transaction| {
            let done = act(tx);
            async move { done.await.map_err(Undone::Own) }
        };
        match self.store.transact(once).await {
            Ok(done) => Ok(Some(done)),
            Err(Undone::Store(StoreError::TransactionTooLarge { .. })) => Ok(None),
            Err(Undone::Store(error)) => Err(error.into()),
            Err(Undone::Own(error)) => Err(error),
        }
    }

    /// Does something in one transaction, which may hold more than others where it must: of such there is one at a time.
    pub(crate) async fn transact_wide<T, E, F, Fut>(&self, act: F) -> Result<T, E>
    where
        F: Fn(Transaction) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, E>> + Send,
        E: From<StoreError> + Send,
        T: Send,
    {
        if let Some(done) = self.transact_if_it_fits(&act).await? {
            return Ok(done);
        }
        let _one_at_a_time = self.wide.lock().await;
        let wide = |tx: Transaction| {
            tx.widen();
            act(tx)
        };
        self.store.transact(wide).await
    }
}
