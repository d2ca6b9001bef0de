//! A schedule in lists.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::client::{Client, Error};

/// What is known of a schedule.
#[derive(Debug)]
pub(crate) struct Schedule {
    name: String,
    group: String,
    expression: String,
    zone: String,
    target: String,
    next_ms: Option<i64>,
}

impl Schedule {
    /// The heads of a row.
    pub(crate) const HEADER: [&str; 5] = ["SCHEDULE", "GROUP", "WHEN", "NEXT", "TARGET"];

    /// A row of the table.
    pub(crate) fn row(&self) -> Vec<String> {
        let expression = match self.zone.as_str() {
            "UTC" => self.expression.clone(),
            zone => format!("{} {zone}", self.expression),
        };
        let next = self.next().unwrap_or_else(|| "never".to_owned());
        vec![self.name.clone(), self.group.clone(), expression, next, self.target.clone()]
    }

    /// For programs.
    pub(crate) fn document(&self) -> Value {
        json!({
            "name": self.name,
            "group": self.group,
            "expression": self.expression,
            "timezone": self.zone,
            "next": self.next(),
            "target": self.target,
        })
    }

    /// To the second, in UTC.
    fn next(&self) -> Option<String> {
        let next = Timestamp::from_millisecond(self.next_ms?).ok()?;
        Some(next.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
    }

    fn read(row: &Value) -> Self {
        let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            name: text("name"),
            group: text("group"),
            expression: text("expression"),
            zone: text("timezone"),
            target: text("target"),
            next_ms: row.get("nextMs").and_then(Value::as_i64),
        }
    }
}

/// The node's schedules, in order of groups and names.
pub(crate) async fn list(client: &Client) -> Result<Vec<Schedule>, Error> {
    let listed = client.get("/_schedules").await?;
    let rows = listed.get("schedules").and_then(Value::as_array);
    Ok(rows.into_iter().flatten().map(Schedule::read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_tells_when_it_fires_next() {
        let row = json!({
            "name": "nightly", "group": "default", "expression": "cron(0 3 * * ? *)", "timezone": "Europe/Berlin",
            "target": "arn", "nextMs": 1_735_700_400_000_i64,
        });
        let schedule = Schedule::read(&row);
        let expected = ["nightly", "default", "cron(0 3 * * ? *) Europe/Berlin", "2025-01-01T03:00:00Z", "arn"];
        assert_eq!(schedule.row(), expected);
        assert_eq!(schedule.document()["next"], "2025-01-01T03:00:00Z");
        assert_eq!(Schedule::read(&json!({ "timezone": "UTC" })).row()[3], "never");
    }
}
