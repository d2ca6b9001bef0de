//! What lies on disk beside items.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Record;

use crate::model::Table;
use crate::model::table::Recovery;

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
    const VERSION: u16 = 2;

    fn migrate(from: u16, mut body: Value) -> Result<Value, String> {
        let fields = body.as_object_mut().ok_or("not an object")?;
        match from {
            // What was kept of changes before cannot be read by item.
            1 => {
                fields.insert("holds".into(), Value::Array(Vec::new()));
                if let Some(recovery) = fields.get_mut("recovery").and_then(Value::as_object_mut) {
                    recovery.insert("since_ms".into(), Recovery::SINCE_OPENED.into());
                }
            }
            _ => return Err(format!("no version {from} was ever written")),
        }
        Ok(body)
    }
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
