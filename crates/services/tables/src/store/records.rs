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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_the_first_version_keeps_its_changes_from_now_on() {
        let stored = br#"table/1 {"number":7,"id":"5e0f","name":"orders","created_ms":1795262400000,
            "keys":{"hash":{"name":"id","kind":"S"},"range":null},"attributes":[{"name":"id","kind":"S"}],
            "mode":"PerRequest","on_demand_since_ms":1795262400000,
            "throughput":{"read":0,"write":0,"raised_ms":null,"lowered_ms":null,"lowered_today":0},
            "on_demand_max":null,"warm":null,"locals":[],"globals":[],"indexes_made":0,"stream":null,"former_streams":[],
            "encryption":null,"class":null,"protected":false,"tags":{},"policies":{},"expiry":null,
            "recovery":{"since_ms":1795262400000,"days":35},"restored":null,"destinations":{},"insights":{},
            "state":"Active"}"#;
        let table: Table = store::record::decode(stored).unwrap();
        assert_eq!((table.number, table.holds.len()), (7, 0));
        assert_eq!(table.recovery, Some(Recovery { since_ms: Recovery::SINCE_OPENED, days: 35 }));
    }
}
