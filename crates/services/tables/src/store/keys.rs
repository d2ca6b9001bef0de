//! The keys, see `store.rs`.

use contract::{AccountId, Region};
use store::Key;

use crate::error::Error;
use crate::model::Scope;

pub(super) fn root() -> Key {
    Key::new("tables")
}

pub(super) fn made() -> Key {
    root().with("made")
}

pub(super) fn tables() -> Key {
    root().with("table")
}

pub(super) fn table(scope: &Scope, name: &str) -> Key {
    tables().with(scope.account.to_string()).with(scope.region.as_str()).with(name)
}

/// The scope of a table, from its key.
pub(super) fn read_table(key: &Key) -> Result<Scope, Error> {
    let mut parts = key.parts_after(&tables())?;
    let account = AccountId::parse(&parts.text()?).ok_or(Error::Internal)?;
    let region = Region::parse(&parts.text()?).ok_or(Error::Internal)?;
    Ok(Scope { account, region })
}

pub(super) fn counts(table: u64) -> Key {
    root().with("counts").with(table)
}

pub(super) fn all_gone() -> Key {
    root().with("gone")
}

pub(super) fn gone(table: u64) -> Key {
    all_gone().with(table)
}

pub(super) fn read_gone(key: &Key) -> Result<u64, Error> {
    Ok(key.parts_after(&all_gone())?.number()?)
}

/// All deleted tables whose streams are kept.
pub(super) fn all_left() -> Key {
    root().with("left")
}

/// Under this lies a deleted table, if its streams are kept.
pub(super) fn any_left(table: u64) -> Key {
    all_left().with(table)
}

pub(super) fn left(scope: &Scope, table: u64) -> Key {
    any_left(table).with(scope.account.to_string()).with(scope.region.as_str())
}

/// The scope of a deleted table, from its key.
pub(super) fn read_left(key: &Key) -> Result<Scope, Error> {
    let mut parts = key.parts_after(&all_left())?;
    parts.number()?;
    let account = AccountId::parse(&parts.text()?).ok_or(Error::Internal)?;
    let region = Region::parse(&parts.text()?).ok_or(Error::Internal)?;
    Ok(Scope { account, region })
}

/// All items of a table.
pub(crate) fn items(table: u64) -> Key {
    root().with("i").with(table)
}

/// All entries of all indexes of a table.
pub(crate) fn all_entries(table: u64) -> Key {
    root().with("x").with(table)
}

/// All entries of an index.
pub(crate) fn entries(table: u64, index: u16) -> Key {
    all_entries(table).with(index)
}

/// All expiries of a table.
pub(crate) fn all_expiries(table: u64) -> Key {
    root().with("e").with(table)
}

/// All expiries of one setting.
pub(crate) fn expiries(table: u64, setting: u16) -> Key {
    all_expiries(table).with(setting)
}

/// A transaction that was done.
pub(crate) fn token(scope: &Scope, token: &str) -> Key {
    tokens().with(scope.account.to_string()).with(scope.region.as_str()).with(token)
}

fn tokens() -> Key {
    root().with("token")
}

fn all_tokens_done() -> Key {
    root().with("done")
}

/// The key of the token that such a note is of.
pub(crate) fn read_token_done(note: &Key) -> Result<Key, Error> {
    let mut parts = note.parts_after(&all_tokens_done())?;
    parts.number()?;
    Ok(Key::from_bytes(parts.bytes()?)?)
}

/// Notes of the tokens of transactions that were done in a second.
pub(crate) fn tokens_done(second: u64) -> Key {
    all_tokens_done().with(second)
}
