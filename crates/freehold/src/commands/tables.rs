//! `freehold tables`: which tables there are, what lies in one, and what lies under a key.

mod cells;
mod question;

use base::{ByteSize, did_you_mean};
use serde_json::{Value, json};

use self::question::{Keys, Question, Rest};
use crate::client::{Client, Error};
use crate::lookup;
use crate::problem::{Exit, Problem};
use crate::screen::Look;
use crate::session::Session;
use crate::since::ago;

const EXAMPLES: &str = "\
Examples:
  freehold tables                               which there are, and how large they are
  freehold tables peek orders                   some items
  freehold tables query orders ada              all items of a partition
  freehold tables query orders ada 17           the item of a partition and sort key
  freehold tables query orders ada --from 10 --reverse --limit 5
  freehold tables query orders open --index by-state | jq '.items[].total.N'

Keys are typed as they are: text, numbers, and bytes in base64. Items in JSON are as DynamoDB writes them, with their types.

Exit codes: 0 shown (perhaps nothing), 1 the node cannot be asked or there is no such table, 2 the command line is wrong.";

/// What the node calls a name that cannot be one.
const INVALID: &str = "ValidationException";

/// Show tables and what lies in them
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What to show [default: list]
    #[command(subcommand)]
    command: Option<Command>,

    /// Print a JSON object, on a terminal too
    #[arg(long, global = true)]
    json: bool,
}

/// What can be shown.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Which tables there are
    List,
    /// Some items of a table
    Peek(Peek),
    /// The items of a key, in the order of their sort keys
    Query(Query),
}

#[derive(Debug, clap::Args)]
struct Peek {
    /// The table
    table: String,

    /// Through this index
    #[arg(long, value_name = "INDEX")]
    index: Option<String>,

    /// How many items at most
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

#[derive(Debug, clap::Args)]
struct Query {
    /// The table
    table: String,

    /// The partition key, and perhaps the sort key
    #[arg(required = true, value_name = "KEY", allow_negative_numbers = true)]
    keys: Vec<String>,

    /// By the keys of this index
    #[arg(long, value_name = "INDEX")]
    index: Option<String>,

    /// Sort keys that begin so
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["from", "to"])]
    begins: Option<String>,

    /// Sort keys from here on
    #[arg(long, value_name = "KEY", allow_negative_numbers = true)]
    from: Option<String>,

    /// Sort keys up to here, it included
    #[arg(long, value_name = "KEY", allow_negative_numbers = true)]
    to: Option<String>,

    /// The last first
    #[arg(long)]
    reverse: bool,

    /// How many items at most
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

/// Prints tables, or items of one.
pub(crate) async fn run(args: &Args, session: &Session) -> Result<Exit, Problem> {
    let client = session.client()?;
    let look = &session.screen.out;
    let programs = args.json || !look.terminal;
    let found = match &args.command {
        None | Some(Command::List) => {
            let tables = tables(&client).await?;
            let text = match programs {
                true => format!("{:#}\n", json!({ "tables": tables })),
                false => listed(&tables, look, session.clock.now_ms()),
            };
            session.screen.print(&text)?;
            return Ok(Exit::Done);
        }
        Some(Command::Peek(peek)) => {
            let keys = keys(&client, &peek.table, peek.index.as_deref()).await?;
            Found::read(&client, "Scan", keys.whole(), keys, peek.limit).await?
        }
        Some(Command::Query(query)) => {
            let keys = keys(&client, &query.table, query.index.as_deref()).await?;
            let input = keys.query(&query.question()).map_err(Problem::usage)?;
            Found::read(&client, "Query", input, keys, query.limit).await?
        }
    };
    match programs {
        true => session.screen.print(&format!("{:#}\n", found.document()))?,
        false => {
            session.screen.print(&found.text(look))?;
            if found.more {
                session.screen.say("There are more: see them with --limit NUMBER.");
            }
        }
    }
    Ok(Exit::Done)
}

impl Query {
    fn question(&self) -> Question<'_> {
        let rest = match (self.begins.as_deref(), self.from.as_deref(), self.to.as_deref()) {
            (Some(begin), _, _) => Rest::Begins(begin),
            (None, Some(from), Some(to)) => Rest::Between(from, to),
            (None, Some(from), None) => Rest::From(from),
            (None, None, Some(to)) => Rest::To(to),
            (None, None, None) => Rest::All,
        };
        Question { keys: &self.keys, rest, reverse: self.reverse }
    }
}

/// The description of every table, by name.
async fn tables(client: &Client) -> Result<Vec<Value>, Error> {
    let mut all = Vec::new();
    for name in lookup::tables(client).await? {
        match client.call("dynamodb", "DescribeTable", &json!({ "TableName": name })).await {
            Ok(mut answer) => all.extend(answer.get_mut("Table").map(Value::take)),
            // Deleted since it was listed.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// What a table, or an index of it, is asked by.
async fn keys(client: &Client, table: &str, index: Option<&str>) -> Result<Keys, Problem> {
    let described = match client.call("dynamodb", "DescribeTable", &json!({ "TableName": table })).await {
        Ok(answer) => answer,
        // A name that no table can have is refused as such: there is none of that name either.
        Err(error) if error.is_not_found() || error.fault().is_some_and(|fault| fault.code == INVALID) => {
            let problem = Problem::new(format!("There is no table '{table}' at {}.", client.endpoint()));
            // Why the list cannot be had matters less than that the table is not there.
            let names = lookup::tables(client).await.unwrap_or_default();
            let advice = did_you_mean(table, names.iter().map(String::as_str));
            return Err(
                problem.advise(advice.unwrap_or_else(|| "See which there are with: freehold tables".to_owned()))
            );
        }
        Err(error) => return Err(error.into()),
    };
    let described = &described["Table"];
    Keys::read(described, index).ok_or_else(|| {
        let index = index.unwrap_or_default();
        let problem = Problem::new(format!("The table '{table}' has no index '{index}'."));
        let names: Vec<&str> = indexes(described).filter_map(|index| index["IndexName"].as_str()).collect();
        match (did_you_mean(index, names.iter().copied()), names.as_slice()) {
            (Some(advice), _) => problem.advise(advice),
            (None, []) => problem.advise("It has none."),
            (None, names) => problem.advise(format!("It has: {}.", names.join(", "))),
        }
    })
}

/// The indexes of a table's description.
fn indexes(table: &Value) -> impl Iterator<Item = &Value> {
    ["LocalSecondaryIndexes", "GlobalSecondaryIndexes"]
        .into_iter()
        .filter_map(|member| table[member].as_array())
        .flatten()
}

const HEADER: [&str; 7] = ["TABLE", "KEY", "ITEMS", "SIZE", "INDEXES", "STATE", "MADE"];

fn listed(tables: &[Value], look: &Look, now_ms: i64) -> String {
    if tables.is_empty() {
        return format!("{}\n", look.faint("There is no table."));
    }
    let row = |table: &Value| {
        let text = |member: &str| table[member].as_str().unwrap_or_default().to_owned();
        let made_ms = table["CreationDateTime"].as_f64().map(|seconds| (seconds * 1_000.0) as i64);
        vec![
            text("TableName"),
            names(table["KeySchema"].as_array().into_iter().flatten(), "AttributeName"),
            table["ItemCount"].as_u64().unwrap_or_default().to_string(),
            ByteSize(table["TableSizeBytes"].as_u64().unwrap_or_default()).to_string(),
            names(indexes(table), "IndexName"),
            text("TableStatus"),
            made_ms.map(|then_ms| ago(then_ms, now_ms)).unwrap_or_default(),
        ]
    };
    look.table(&HEADER, &tables.iter().map(row).collect::<Vec<_>>())
}

fn names<'a>(list: impl Iterator<Item = &'a Value>, member: &str) -> String {
    list.filter_map(|one| one[member].as_str()).collect::<Vec<_>>().join(", ")
}

/// Items that were asked for.
#[derive(Debug)]
struct Found {
    keys: Keys,
    items: Vec<Value>,
    /// Whether there are more than were asked for.
    more: bool,
}

impl Found {
    /// Reads as many pages as it takes: one page is a megabyte at most. One item more than wanted tells whether there are more.
    async fn read(client: &Client, operation: &str, mut input: Value, keys: Keys, limit: u32) -> Result<Self, Error> {
        let wanted = limit as usize + 1;
        let mut items = Vec::new();
        loop {
            input["Limit"] = json!(wanted - items.len());
            let mut page = client.call("dynamodb", operation, &input).await?;
            if let Some(Value::Array(some)) = page.get_mut("Items").map(Value::take) {
                items.extend(some);
            }
            match page.get_mut("LastEvaluatedKey").map(Value::take) {
                Some(key @ Value::Object(_)) if items.len() < wanted => input["ExclusiveStartKey"] = key,
                _ => break,
            }
        }
        let more = items.len() >= wanted;
        items.truncate(limit as usize);
        Ok(Self { keys, items, more })
    }

    fn document(&self) -> Value {
        json!({ "items": self.items, "more": self.more })
    }

    fn text(&self, look: &Look) -> String {
        match self.items.is_empty() {
            true => format!("{}\n", look.faint("There is nothing.")),
            false => cells::table(&self.items, &self.keys.names(), look),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_listed_with_what_they_hold() {
        let table = json!({
            "TableName": "orders", "KeySchema": [{ "AttributeName": "customer" }, { "AttributeName": "number" }],
            "ItemCount": 3, "TableSizeBytes": 2048, "TableStatus": "ACTIVE", "CreationDateTime": 10.0,
            "GlobalSecondaryIndexes": [{ "IndexName": "by-state" }], "LocalSecondaryIndexes": [{ "IndexName": "by-time" }],
        });
        assert_eq!(
            listed(&[table], &Look::plain(), 70_000),
            "TABLE   KEY               ITEMS  SIZE   INDEXES            STATE   MADE\n\
             orders  customer, number  3      2 KiB  by-time, by-state  ACTIVE  1 min ago\n"
        );
        assert_eq!(listed(&[], &Look::plain(), 0), "There is no table.\n");
    }
}
