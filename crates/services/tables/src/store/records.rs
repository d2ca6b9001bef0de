//! What lies on disk beside items.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::Record;

use crate::model::Table;

/// How much lies in a table (none) and in its indexes: items and bytes.
pub(crate) type Counts = BTreeMap<Option<u16>, (i64, i64)>;

/// Counts the tables that were ever made.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Made {
    pub(super) tables: u64,
}

impl Record for Made {
    const KIND: &'static str = "tables-made";
    const VERSION: u16 = 1;
}

/// A deleted table whose items are to be taken away.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Gone {}

impl Record for Gone {
    const KIND: &'static str = "table-gone";
    const VERSION: u16 = 1;
}

impl Record for Table {
    const KIND: &'static str = "table";
    const VERSION: u16 = 1;
}

/// [`Counts`], as pairs: JSON has no keys but text.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct CountsRecord {
    pub(super) of: Vec<(Option<u16>, i64, i64)>,
}

impl Record for CountsRecord {
    const KIND: &'static str = "table-counts";
    const VERSION: u16 = 1;
}
