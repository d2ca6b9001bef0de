//! Leases: what must have one owner at a time is held for a while, with a token that only grows.
//!
//! A lease alone cannot stop an owner that was asleep while it ran out. So every write of an owner carries the token
//! ([`crate::Transaction::fence`]), and the store refuses a token that is not the newest or whose time is over.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::record::Record;
use crate::{Error, Key, Store, Transaction};

/// A lease that was held when it was handed out.
#[derive(Clone, Debug)]
pub struct Lease {
    store: Store,
    name: String,
    owner: String,
    token: u64,
    until_ms: i64,
}

impl Lease {
    /// What is held.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who holds it.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Larger than every token of this lease before.
    pub fn token(&self) -> u64 {
        self.token
    }

    /// When it runs out unless it is renewed, in milliseconds since the epoch by the store's clock.
    pub fn until_ms(&self) -> i64 {
        self.until_ms
    }

    /// Holds it for `ttl` from now. Fails with [`Error::LeaseLost`] if it ran out or went to another.
    pub async fn renew(&mut self, ttl: Duration) -> Result<(), Error> {
        let until_ms = until(&self.store, ttl);
        self.change(until_ms).await?;
        self.until_ms = until_ms;
        Ok(())
    }

    /// Gives it back, so that another need not wait for its end. A lease that is lost already is no error.
    pub async fn release(self) -> Result<(), Error> {
        match self.change(0).await {
            Err(Error::LeaseLost { .. }) => Ok(()),
            other => other,
        }
    }

    async fn change(&self, until_ms: i64) -> Result<(), Error> {
        let now_ms = self.store.clock().now_ms();
        self.store
            .transact(|tx| async move {
                let mut held = check_held(&tx, self.name.clone(), self.token, now_ms).await?;
                held.until_ms = until_ms;
                tx.put_record(key(&self.name), &held);
                Ok(())
            })
            .await
    }
}

/// Takes the lease, if nobody else holds it. An owner who asks again gets a new token, and so shuts out its former self.
pub(crate) async fn acquire(store: &Store, name: &str, owner: &str, ttl: Duration) -> Result<Option<Lease>, Error> {
    let now_ms = store.clock().now_ms();
    let until_ms = until(store, ttl);
    let token = store
        .transact(|tx| async move {
            let before: Option<Held> = tx.get_record(&key(name)).await?;
            if before.as_ref().is_some_and(|held| held.until_ms > now_ms && held.owner != owner) {
                return Ok::<_, Error>(None);
            }
            let token = before.map_or(0, |held| held.token) + 1;
            tx.put_record(key(name), &Held { owner: owner.to_owned(), token, until_ms });
            Ok(Some(token))
        })
        .await?;
    Ok(token.map(|token| Lease {
        store: store.clone(),
        name: name.to_owned(),
        owner: owner.to_owned(),
        token,
        until_ms,
    }))
}

/// Fails unless the lease is held with this token. The read makes a takeover before the commit a conflict.
pub(crate) async fn check_held(tx: &Transaction, name: String, token: u64, now_ms: i64) -> Result<Held, Error> {
    match tx.get_record::<Held>(&key(&name)).await? {
        Some(held) if held.token == token && held.until_ms > now_ms => Ok(held),
        _ => Err(Error::LeaseLost { name, token }),
    }
}

/// The record of a lease; it stays when the lease is given back, so that tokens go on growing.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Held {
    owner: String,
    token: u64,
    until_ms: i64,
}

impl Record for Held {
    const KIND: &'static str = "lease";
    const VERSION: u16 = 1;
}

fn key(name: &str) -> Key {
    Key::new("_lease").with(name)
}

fn until(store: &Store, ttl: Duration) -> i64 {
    store.clock().now_ms().saturating_add(i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX))
}
