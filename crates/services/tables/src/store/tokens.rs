//! Transactions that were done, by the token that their caller gave them: for ten minutes, so that one who asks again is told so.

use ::store::{Key, Range, Record, Scan, Transaction};
use serde::{Deserialize, Serialize};

use super::{Cellar, keys};
use crate::error::Error;
use crate::model::Scope;

/// For so long a token means the same transaction.
const KEPT_MS: i64 = 600_000;
/// So many are looked at in one transaction.
const SWEPT: usize = 1_000;

#[derive(Debug, Serialize, Deserialize)]
struct Done {
    digest: String,
    at_ms: i64,
}

impl Record for Done {
    const KIND: &'static str = "table-transaction";
    const VERSION: u16 = 1;
}

impl Cellar {
    /// What was asked for under that token in the last ten minutes.
    pub(crate) async fn done_before(
        &self,
        tx: &Transaction,
        scope: &Scope,
        token: &str,
        now_ms: i64,
    ) -> Result<Option<[u8; 32]>, Error> {
        let done: Option<Done> = tx.get_record(&keys::token(scope, token)).await?;
        let Some(done) = done.filter(|done| done.at_ms + KEPT_MS > now_ms) else { return Ok(None) };
        let mut digest = [0; 32];
        hex::decode_to_slice(&done.digest, &mut digest).map_err(|_| Error::Internal)?;
        Ok(Some(digest))
    }

    /// Notes that it was done.
    pub(crate) fn note_done(&self, tx: &Transaction, scope: &Scope, token: &str, digest: &[u8; 32], now_ms: i64) {
        let done = Done { digest: hex::encode(digest), at_ms: now_ms };
        tx.put_record(keys::token(scope, token), &done);
    }

    /// Takes away those that mean nothing any more.
    pub(crate) async fn sweep_tokens(&self, now_ms: i64) -> Result<(), Error> {
        let snapshot = self.store.snapshot();
        let mut rest = Some(Range::prefix(&keys::tokens()));
        while let Some(range) = rest.take() {
            let page = snapshot.scan(range, Scan::first(SWEPT)).await?;
            let mut old: Vec<Key> = Vec::new();
            for (key, value) in page.items {
                let done: Done = ::store::record::decode(&value)?;
                if done.at_ms + KEPT_MS <= now_ms {
                    old.push(key);
                }
            }
            if !old.is_empty() {
                let old = &old;
                let write = |tx: Transaction| {
                    old.iter().for_each(|key| tx.delete(key.clone()));
                    std::future::ready(Ok::<_, Error>(()))
                };
                self.store.transact(write).await?;
            }
            rest = page.rest;
        }
        Ok(())
    }
}
