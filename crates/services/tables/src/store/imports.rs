//! Imports as they lie in the store.
//!
//! Of class record, under `tables`: `import ACCOUNT REGION TABLE ID` is an import, and `import-token ACCOUNT REGION TOKEN` names the one
//! that a token was given for.

use ::store::{Key, Range, Record, Scan, Transaction};
use contract::{AccountId, Region};
use serde::{Deserialize, Serialize};

use super::{Cellar, keys};
use crate::error::Error;
use crate::model::Scope;
use crate::model::import::Import;

impl Record for Import {
    const KIND: &'static str = "table-import";
    const VERSION: u16 = 1;
}

/// The import that a token was given for.
#[derive(Debug, Serialize, Deserialize)]
struct Token {
    table: String,
    id: String,
}

impl Record for Token {
    const KIND: &'static str = "table-import-token";
    const VERSION: u16 = 1;
}

fn all() -> Key {
    keys::root().with("import")
}

fn of_scope(scope: &Scope) -> Key {
    all().with(scope.account.to_string()).with(scope.region.as_str())
}

fn key(scope: &Scope, table: &str, id: &str) -> Key {
    of_scope(scope).with(table).with(id)
}

fn token(scope: &Scope, token: &str) -> Key {
    let of_scope = keys::root().with("import-token").with(scope.account.to_string()).with(scope.region.as_str());
    of_scope.with_digest(token, 256)
}

fn read_scope(key: &Key) -> Result<Scope, Error> {
    let mut parts = key.parts_after(&all())?;
    let account = AccountId::parse(&parts.text()?).ok_or(Error::Internal)?;
    let region = Region::parse(&parts.text()?).ok_or(Error::Internal)?;
    Ok(Scope { account, region })
}

/// Writes what an import is now.
pub(crate) fn put(tx: &Transaction, scope: &Scope, import: &Import) {
    tx.put_record(key(scope, &import.table, &import.id), import);
    if let Some(given) = &import.token {
        tx.put_record(token(scope, given), &Token { table: import.table.clone(), id: import.id.clone() });
    }
}

impl Cellar {
    /// An import.
    pub(crate) async fn import(&self, scope: &Scope, table: &str, id: &str) -> Result<Option<Import>, Error> {
        Ok(self.store.snapshot().get_record(&key(scope, table, id)).await?)
    }

    /// The import that a token was given for.
    pub(crate) async fn import_of_token(&self, scope: &Scope, given: &str) -> Result<Option<Import>, Error> {
        let found: Option<Token> = self.store.snapshot().get_record(&token(scope, given)).await?;
        match found {
            Some(found) => self.import(scope, &found.table, &found.id).await,
            None => Ok(None),
        }
    }

    /// A scope's imports behind one, of one table or of all, at most so many.
    pub(crate) async fn imports(
        &self,
        scope: &Scope,
        table: Option<&str>,
        after: Option<(&str, &str)>,
        limit: usize,
    ) -> Result<Vec<Import>, Error> {
        let root = table.map_or(of_scope(scope), |table| of_scope(scope).with(table));
        let range = Range::prefix(&root);
        let range = after.map_or(range.clone(), |(table, id)| range.after(&key(scope, table, id)));
        let page = self.store.snapshot().scan(range, Scan::first(limit)).await?;
        page.items.iter().map(|(_, value)| Ok(::store::record::decode(value)?)).collect()
    }

    /// All imports of the node, behind a key that an earlier page ended with.
    pub(crate) async fn all_imports(&self, after: Option<&Key>) -> Result<(Vec<(Scope, Import)>, Option<Key>), Error> {
        const PAGE: usize = 200;
        let range = Range::prefix(&all());
        let range = after.map_or(range.clone(), |after| range.after(after));
        let page = self.store.snapshot().scan(range, Scan::first(PAGE)).await?;
        let last = page.rest.and(page.items.last().map(|(key, _)| key.clone()));
        let read = |(key, value): &(Key, bytes::Bytes)| Ok((read_scope(key)?, ::store::record::decode(value)?));
        Ok((page.items.iter().map(read).collect::<Result<_, Error>>()?, last))
    }

    /// Writes what an import is now.
    pub(crate) async fn save_import(&self, scope: &Scope, import: &Import) -> Result<(), Error> {
        let write = |tx: Transaction| {
            put(&tx, scope, import);
            std::future::ready(Ok::<_, Error>(()))
        };
        self.store.transact(write).await
    }

    /// Forgets an import that ended long ago; not its table.
    pub(crate) async fn forget_import(&self, scope: &Scope, import: &Import) -> Result<(), Error> {
        let write = |tx: Transaction| {
            tx.delete(key(scope, &import.table, &import.id));
            if let Some(given) = &import.token {
                tx.delete(token(scope, given));
            }
            std::future::ready(Ok::<_, Error>(()))
        };
        self.store.transact(write).await
    }
}
