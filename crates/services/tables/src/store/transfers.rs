//! Exports and imports as they lie in the store, which are kept alike.
//!
//! Of class record, under `tables`: `export ACCOUNT REGION TABLE ID` is an export, and `export-token ACCOUNT REGION TOKEN` names the one that
//! a token was given for; and so of imports.

use std::marker::PhantomData;

use ::store::{Key, Range, Record, Scan, Transaction};
use contract::{AccountId, Region};
use serde::{Deserialize, Serialize};

use super::{Cellar, keys};
use crate::error::Error;
use crate::model::Scope;
use crate::model::export::Export;
use crate::model::import::Import;

/// An export or an import.
pub(crate) trait Transfer: Record {
    /// What keys of them begin with.
    const ROOT: &'static str;
    /// What keys of their tokens begin with.
    const TOKEN_ROOT: &'static str;
    /// What a record of a token is called.
    const TOKEN_KIND: &'static str;

    /// The table's name.
    fn table(&self) -> &str;
    /// What tells it from others of its table.
    fn id(&self) -> &str;
    /// What its caller gave, so as not to begin it twice.
    fn token(&self) -> Option<&str>;
}

impl Record for Export {
    const KIND: &'static str = "table-export";
    const VERSION: u16 = 1;
}

impl Transfer for Export {
    const ROOT: &'static str = "export";
    const TOKEN_ROOT: &'static str = "export-token";
    const TOKEN_KIND: &'static str = "table-export-token";

    fn table(&self) -> &str {
        &self.table.name
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }
}

impl Record for Import {
    const KIND: &'static str = "table-import";
    const VERSION: u16 = 1;
}

impl Transfer for Import {
    const ROOT: &'static str = "import";
    const TOKEN_ROOT: &'static str = "import-token";
    const TOKEN_KIND: &'static str = "table-import-token";

    fn table(&self) -> &str {
        &self.table
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }
}

/// The one that a token was given for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "")]
struct Token<T> {
    table: String,
    id: String,
    #[serde(skip)]
    of: PhantomData<T>,
}

impl<T: Transfer> Record for Token<T> {
    const KIND: &'static str = T::TOKEN_KIND;
    const VERSION: u16 = 1;
}

fn all<T: Transfer>() -> Key {
    keys::root().with(T::ROOT)
}

fn of_scope<T: Transfer>(scope: &Scope) -> Key {
    all::<T>().with(scope.account.to_string()).with(scope.region.as_str())
}

fn key<T: Transfer>(scope: &Scope, table: &str, id: &str) -> Key {
    of_scope::<T>(scope).with(table).with(id)
}

fn token<T: Transfer>(scope: &Scope, token: &str) -> Key {
    let of_scope = keys::root().with(T::TOKEN_ROOT).with(scope.account.to_string()).with(scope.region.as_str());
    of_scope.with_digest(token, 256)
}

fn read_scope<T: Transfer>(key: &Key) -> Result<Scope, Error> {
    let mut parts = key.parts_after(&all::<T>())?;
    let account = AccountId::parse(&parts.text()?).ok_or(Error::Internal)?;
    let region = Region::parse(&parts.text()?).ok_or(Error::Internal)?;
    Ok(Scope { account, region })
}

/// Writes what it is now.
pub(crate) fn put<T: Transfer>(tx: &Transaction, scope: &Scope, transfer: &T) {
    tx.put_record(key::<T>(scope, transfer.table(), transfer.id()), transfer);
    if let Some(given) = transfer.token() {
        let (table, id) = (transfer.table().to_owned(), transfer.id().to_owned());
        tx.put_record(token::<T>(scope, given), &Token::<T> { table, id, of: PhantomData });
    }
}

impl Cellar {
    /// One of them.
    pub(crate) async fn transfer<T: Transfer>(&self, scope: &Scope, table: &str, id: &str) -> Result<Option<T>, Error> {
        Ok(self.store.snapshot().get_record(&key::<T>(scope, table, id)).await?)
    }

    /// The one that a token was given for.
    pub(crate) async fn transfer_of_token<T: Transfer>(&self, scope: &Scope, given: &str) -> Result<Option<T>, Error> {
        let found: Option<Token<T>> = self.store.snapshot().get_record(&token::<T>(scope, given)).await?;
        match found {
            Some(found) => self.transfer(scope, &found.table, &found.id).await,
            None => Ok(None),
        }
    }

    /// A scope's behind one, of one table or of all, at most so many.
    pub(crate) async fn transfers<T: Transfer>(
        &self,
        scope: &Scope,
        table: Option<&str>,
        after: Option<(&str, &str)>,
        limit: usize,
    ) -> Result<Vec<T>, Error> {
        let root = table.map_or(of_scope::<T>(scope), |table| of_scope::<T>(scope).with(table));
        let range = Range::prefix(&root);
        let range = after.map_or(range.clone(), |(table, id)| range.after(&key::<T>(scope, table, id)));
        let page = self.store.snapshot().scan(range, Scan::first(limit)).await?;
        page.items.iter().map(|(_, value)| Ok(::store::record::decode(value)?)).collect()
    }

    /// All of the node, behind a key that an earlier page ended with.
    pub(crate) async fn all_transfers<T: Transfer>(
        &self,
        after: Option<&Key>,
    ) -> Result<(Vec<(Scope, T)>, Option<Key>), Error> {
        const PAGE: usize = 200;
        let range = Range::prefix(&all::<T>());
        let range = after.map_or(range.clone(), |after| range.after(after));
        let page = self.store.snapshot().scan(range, Scan::first(PAGE)).await?;
        let last = page.rest.and(page.items.last().map(|(key, _)| key.clone()));
        let read = |(key, value): &(Key, bytes::Bytes)| Ok((read_scope::<T>(key)?, ::store::record::decode(value)?));
        Ok((page.items.iter().map(read).collect::<Result<_, Error>>()?, last))
    }

    /// Writes what it is now.
    pub(crate) async fn save_transfer<T: Transfer + Sync>(&self, scope: &Scope, transfer: &T) -> Result<(), Error> {
        let write = |tx: Transaction| {
            put(&tx, scope, transfer);
            std::future::ready(Ok::<_, Error>(()))
        };
        self.store.transact(write).await
    }

    /// Forgets one that ended long ago; neither its table nor what it wrote.
    pub(crate) async fn forget_transfer<T: Transfer + Sync>(&self, scope: &Scope, transfer: &T) -> Result<(), Error> {
        let write = |tx: Transaction| {
            tx.delete(key::<T>(scope, transfer.table(), transfer.id()));
            if let Some(given) = transfer.token() {
                tx.delete(token::<T>(scope, given));
            }
            std::future::ready(Ok::<_, Error>(()))
        };
        self.store.transact(write).await
    }
}
