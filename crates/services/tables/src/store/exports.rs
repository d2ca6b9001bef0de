//! Exports as they lie in the store.
//!
//! Of class record, under `tables`: `export ACCOUNT REGION TABLE ID` is an export, `export-file EXPORT NUMBER` a file of it that is
//! written, and `export-token ACCOUNT REGION TOKEN` names the export that a token was given for.

use ::store::{Key, Range, Record, Scan, Transaction};
use contract::{AccountId, Region};
use serde::{Deserialize, Serialize};

use super::{Cellar, keys};
use crate::error::Error;
use crate::model::Scope;
use crate::model::export::Export;

impl Record for Export {
    const KIND: &'static str = "table-export";
    const VERSION: u16 = 1;
}

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct File {
    pub(crate) items: u64,
    /// The MD5 of its bytes, in Base64.
    pub(crate) md5: String,
    pub(crate) etag: String,
    pub(crate) key: String,
}

impl Record for File {
    const KIND: &'static str = "table-export-file";
    const VERSION: u16 = 1;
}

/// The export that a token was given for.
#[derive(Debug, Serialize, Deserialize)]
struct Token {
    table: String,
    id: String,
}

impl Record for Token {
    const KIND: &'static str = "table-export-token";
    const VERSION: u16 = 1;
}

fn all() -> Key {
    keys::root().with("export")
}

fn of_scope(scope: &Scope) -> Key {
    all().with(scope.account.to_string()).with(scope.region.as_str())
}

fn key(scope: &Scope, table: &str, id: &str) -> Key {
    of_scope(scope).with(table).with(id)
}

fn files(export: u64) -> Key {
    keys::root().with("export-file").with(export)
}

fn token(scope: &Scope, token: &str) -> Key {
    let of_scope = keys::root().with("export-token").with(scope.account.to_string()).with(scope.region.as_str());
    of_scope.with_digest(token, 256)
}

fn read_scope(key: &Key) -> Result<Scope, Error> {
    let mut parts = key.parts_after(&all())?;
    let account = AccountId::parse(&parts.text()?).ok_or(Error::Internal)?;
    let region = Region::parse(&parts.text()?).ok_or(Error::Internal)?;
    Ok(Scope { account, region })
}

/// Writes what an export is now.
pub(crate) fn put(tx: &Transaction, scope: &Scope, export: &Export) {
    tx.put_record(key(scope, &export.table.name, &export.id), export);
    if let Some(given) = &export.token {
        let (table, id) = (export.table.name.clone(), export.id.clone());
        tx.put_record(token(scope, given), &Token { table, id });
    }
}

impl Cellar {
    /// An export.
    pub(crate) async fn export(&self, scope: &Scope, table: &str, id: &str) -> Result<Option<Export>, Error> {
        Ok(self.store.snapshot().get_record(&key(scope, table, id)).await?)
    }

    /// The export that a token was given for.
    pub(crate) async fn export_of_token(&self, scope: &Scope, given: &str) -> Result<Option<Export>, Error> {
        let found: Option<Token> = self.store.snapshot().get_record(&token(scope, given)).await?;
        match found {
            Some(found) => self.export(scope, &found.table, &found.id).await,
            None => Ok(None),
        }
    }

    /// A scope's exports behind one, of one table or of all, at most so many.
    pub(crate) async fn exports(
        &self,
        scope: &Scope,
        table: Option<&str>,
        after: Option<(&str, &str)>,
        limit: usize,
    ) -> Result<Vec<Export>, Error> {
        let root = table.map_or(of_scope(scope), |table| of_scope(scope).with(table));
        let range = Range::prefix(&root);
        let range = after.map_or(range.clone(), |(table, id)| range.after(&key(scope, table, id)));
        let page = self.store.snapshot().scan(range, Scan::first(limit)).await?;
        page.items.iter().map(|(_, value)| Ok(::store::record::decode(value)?)).collect()
    }

    /// All exports of the node, behind a key that an earlier page ended with.
    pub(crate) async fn all_exports(&self, after: Option<&Key>) -> Result<(Vec<(Scope, Export)>, Option<Key>), Error> {
        const PAGE: usize = 200;
        let range = Range::prefix(&all());
        let range = after.map_or(range.clone(), |after| range.after(after));
        let page = self.store.snapshot().scan(range, Scan::first(PAGE)).await?;
        let last = page.rest.and(page.items.last().map(|(key, _)| key.clone()));
        let read = |(key, value): &(Key, bytes::Bytes)| Ok((read_scope(key)?, ::store::record::decode(value)?));
        Ok((page.items.iter().map(read).collect::<Result<_, Error>>()?, last))
    }

    /// Notes that another file is written.
    pub(crate) async fn add_file(&self, scope: &Scope, export: &Export, file: &File) -> Result<(), Error> {
        let write = |tx: Transaction| {
            put(&tx, scope, export);
            tx.put_record(files(export.number).with(export.files), file);
            std::future::ready(Ok::<_, Error>(()))
        };
        self.store.transact(write).await
    }

    /// Writes what an export is now.
    pub(crate) async fn save_export(&self, scope: &Scope, export: &Export) -> Result<(), Error> {
        let write = |tx: Transaction| {
            put(&tx, scope, export);
            std::future::ready(Ok::<_, Error>(()))
        };
        self.store.transact(write).await
    }

    /// Some files of an export behind one, in order.
    pub(crate) async fn files(&self, export: u64, after: u64) -> Result<Vec<File>, Error> {
        const PAGE: usize = 1_000;
        let root = files(export);
        let range = Range::prefix(&root).after(&root.with(after));
        let page = self.store.snapshot().scan(range, Scan::first(PAGE)).await?;
        page.items.iter().map(|(_, value)| Ok(::store::record::decode(value)?)).collect()
    }

    /// Forgets an export that ended long ago, and its files' names; not the files.
    pub(crate) async fn forget_export(&self, scope: &Scope, export: &Export) -> Result<(), Error> {
        while self.clear(&files(export.number)).await? {}
        let write = |tx: Transaction| {
            tx.delete(key(scope, &export.table.name, &export.id));
            if let Some(given) = &export.token {
                tx.delete(token(scope, given));
            }
            std::future::ready(Ok::<_, Error>(()))
        };
        self.store.transact(write).await
    }
}
