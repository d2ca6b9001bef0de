//! Transactions that were done, by the token that their caller gave them: for ten minutes, so that one who asks again is told so.

use std::sync::atomic::Ordering;

use ::store::{Key, Range, Record, Scan, Transaction};
use bytes::Bytes;
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
        let key = keys::token(scope, token);
        tx.put(keys::tokens_done(second(now_ms)).with(key.as_bytes()), Bytes::new());
        tx.put_record(key, &done);
    }

    /// Takes away those that mean nothing any more, oldest first. Nothing else is looked at, and what was taken away before is not
    /// walked over again.
    pub(crate) async fn sweep_tokens(&self, now_ms: i64) -> Result<(), Error> {
        let end = second(now_ms - KEPT_MS);
        let begin = self.tokens_swept.load(Ordering::Acquire).min(end);
        let mut rest = Some(Range::between(&keys::tokens_done(begin), &keys::tokens_done(end)));
        while let Some(range) = rest.take() {
            let page = self.store.snapshot().scan(range, Scan::first(SWEPT)).await?;
            let notes: &Vec<Key> = &page.items.into_iter().map(|(key, _)| key).collect();
            let sweep = |tx: Transaction| async move {
                for note in notes {
                    tx.delete(note.clone());
                    let token = keys::read_token_done(note)?;
                    // One that was used again is noted under a later second too.
                    let done: Option<Done> = tx.get_record(&token).await?;
                    if done.is_some_and(|done| done.at_ms + KEPT_MS <= now_ms) {
                        tx.delete(token);
                    }
                }
                Ok::<_, Error>(())
            };
            if !notes.is_empty() {
                self.store.transact(sweep).await?;
            }
            rest = page.rest;
        }
        self.tokens_swept.store(end, Ordering::Release);
        Ok(())
    }
}

fn second(ms: i64) -> u64 {
    u64::try_from(ms / 1_000).unwrap_or_default()
}
