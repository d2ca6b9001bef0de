//! Files of exports as they lie in the store.
//!
//! Of class record, under `tables`: `export-file EXPORT NUMBER` is a file that is written. Exports themselves are in `transfers.rs`.

use ::store::{Key, Range, Record, Scan, Transaction};
use serde::{Deserialize, Serialize};

use super::{Cellar, keys, transfers};
use crate::error::Error;
use crate::model::Scope;
use crate::model::export::Export;

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

fn files(export: u64) -> Key {
    keys::root().with("export-file").with(export)
}

impl Cellar {
    /// Notes that another file is written.
    pub(crate) async fn add_file(&self, scope: &Scope, export: &Export, file: &File) -> Result<(), Error> {
        let write = |tx: Transaction| {
            transfers::put(&tx, scope, export);
            tx.put_record(files(export.number).with(export.files), file);
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
        self.forget_transfer(scope, export).await
    }
}
