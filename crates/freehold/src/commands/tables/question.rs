//! What was typed as keys, as DynamoDB's question. Here is told which key is too many, and which is no number though it should be one:
//! the node would name it by a mark of the question, which nobody typed. All else about values is the node's to say.

use serde_json::{Map, Value, json};

/// What a table or an index is asked by.
#[derive(Debug)]
pub(super) struct Keys {
    table: String,
    index: Option<String>,
    /// Names and types (`S`, `N`, `B`), the partition key first.
    attributes: Vec<(String, String)>,
}

/// What is wanted.
#[derive(Debug)]
pub(super) struct Question<'a> {
    /// The first keys, exactly.
    pub(super) keys: &'a [String],
    /// What the key after them may be.
    pub(super) rest: Rest<'a>,
    /// The last first.
    pub(super) reverse: bool,
}

/// What a sort key may be.
#[derive(Debug)]
pub(super) enum Rest<'a> {
    /// Anything.
    All,
    /// It begins so.
    Begins(&'a str),
    /// It is this or more.
    From(&'a str),
    /// It is this or less.
    To(&'a str),
    /// It is one of these or between them.
    Between(&'a str, &'a str),
}

impl Keys {
    /// From a table's description. None if it has no such index.
    pub(super) fn read(table: &Value, index: Option<&str>) -> Option<Self> {
        let schema = match index {
            None => &table["KeySchema"],
            Some(name) => &super::indexes(table).find(|one| one["IndexName"] == name)?["KeySchema"],
        };
        let kind = |name: &str| {
            let defined = table["AttributeDefinitions"].as_array()?;
            defined.iter().find(|one| one["AttributeName"] == name)?["AttributeType"].as_str()
        };
        let attributes = schema.as_array()?.iter().filter_map(|part| {
            let name = part["AttributeName"].as_str()?;
            Some((name.to_owned(), kind(name).unwrap_or("S").to_owned()))
        });
        let table_name = table["TableName"].as_str().unwrap_or_default().to_owned();
        Some(Self { table: table_name, index: index.map(ToOwned::to_owned), attributes: attributes.collect() })
    }

    /// The names of the keys.
    pub(super) fn names(&self) -> Vec<&str> {
        self.attributes.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The input that asks for everything.
    pub(super) fn whole(&self) -> Value {
        let mut input = json!({ "TableName": self.table });
        if let Some(index) = &self.index {
            input["IndexName"] = json!(index);
        }
        input
    }

    /// The input of a query, or what is wrong with the keys.
    pub(super) fn query(&self, question: &Question<'_>) -> Result<Value, String> {
        let mut conditions = Vec::new();
        let mut names = Map::new();
        let mut values = Map::new();
        let mut parts = self.attributes.iter().enumerate();
        let mut name = |place: usize, attribute: &str| {
            names.insert(format!("#k{place}"), json!(attribute));
        };
        let mut value = |mark: String, kind: &str, text: &str| {
            values.insert(mark, json!({ kind: text }));
        };
        for key in question.keys {
            let (place, (attribute, kind)) = parts.next().ok_or_else(|| self.too_many(question.keys.len()))?;
            name(place, attribute);
            fits(attribute, kind, key)?;
            value(format!(":k{place}"), kind, key);
            conditions.push(format!("#k{place} = :k{place}"));
        }
        let bounds = match question.rest {
            Rest::All => None,
            Rest::Begins(begin) => Some(("begins_with(#k, :a)", begin, None)),
            Rest::From(from) => Some(("#k >= :a", from, None)),
            Rest::To(to) => Some(("#k <= :a", to, None)),
            Rest::Between(from, to) => Some(("#k BETWEEN :a AND :b", from, Some(to))),
        };
        if let Some((condition, first, second)) = bounds {
            let (place, (attribute, kind)) = parts.next().ok_or_else(|| self.too_many(question.keys.len() + 1))?;
            name(place, attribute);
            fits(attribute, kind, first)?;
            value(":a".to_owned(), kind, first);
            if let Some(second) = second {
                fits(attribute, kind, second)?;
                value(":b".to_owned(), kind, second);
            }
            conditions.push(condition.replace("#k", &format!("#k{place}")));
        }
        let mut input = self.whole();
        input["KeyConditionExpression"] = json!(conditions.join(" AND "));
        input["ExpressionAttributeNames"] = names.into();
        input["ExpressionAttributeValues"] = values.into();
        input["ScanIndexForward"] = json!(!question.reverse);
        Ok(input)
    }

    fn too_many(&self, given: usize) -> String {
        let what =
            self.index.as_ref().map_or_else(|| format!("table '{}'", self.table), |name| format!("index '{name}'"));
        format!("The {what} has no key number {given}: its keys are {}.", self.names().join(", "))
    }
}

/// Whether a text can be a key of this type.
fn fits(attribute: &str, kind: &str, text: &str) -> Result<(), String> {
    // Rust reads `inf` and `nan` as numbers, DynamoDB does not.
    let number = text.parse::<f64>().is_ok() && text.bytes().all(|byte| b"0123456789+-.eE".contains(&byte));
    match kind == "N" && !number {
        true => Err(format!("The key '{attribute}' is a number, and '{text}' is none.")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Value {
        json!({
            "TableName": "orders",
            "KeySchema": [{ "AttributeName": "customer" }, { "AttributeName": "number" }],
            "AttributeDefinitions": [
                { "AttributeName": "customer", "AttributeType": "S" },
                { "AttributeName": "number", "AttributeType": "N" },
            ],
            "GlobalSecondaryIndexes": [{ "IndexName": "by-number", "KeySchema": [{ "AttributeName": "number" }] }],
        })
    }

    #[test]
    fn keys_become_conditions() {
        let check = |keys: &[&str], rest: Rest<'_>, condition: &str, values: Value| {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            let orders = Keys::read(&table(), None).expect("it is a table");
            let input = orders.query(&Question { keys: &keys, rest, reverse: false }).expect("the keys fit");
            assert_eq!(input["KeyConditionExpression"], condition);
            assert_eq!(input["ExpressionAttributeValues"], values);
        };
        let ada = json!({ "S": "ada" });
        check(&["ada"], Rest::All, "#k0 = :k0", json!({ ":k0": ada }));
        check(&["ada", "-7"], Rest::All, "#k0 = :k0 AND #k1 = :k1", json!({ ":k0": ada, ":k1": { "N": "-7" } }));
        let one = json!({ ":k0": ada, ":a": { "N": "1" } });
        check(&["ada"], Rest::Begins("1"), "#k0 = :k0 AND begins_with(#k1, :a)", one.clone());
        check(&["ada"], Rest::From("1"), "#k0 = :k0 AND #k1 >= :a", one.clone());
        check(&["ada"], Rest::To("1"), "#k0 = :k0 AND #k1 <= :a", one);
        let two = json!({ ":k0": ada, ":a": { "N": "1" }, ":b": { "N": "2" } });
        check(&["ada"], Rest::Between("1", "2"), "#k0 = :k0 AND #k1 BETWEEN :a AND :b", two);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let keys = ["1".to_owned(), "2".to_owned()];
        let index = Keys::read(&table(), Some("by-number")).expect("there is one");
        assert_eq!(index.whole(), json!({ "TableName": "orders", "IndexName": "by-number" }));
        let refused = index.query(&Question { keys: &keys, rest: Rest::All, reverse: true });
        assert_eq!(refused, Err("The index 'by-number' has no key number 2: its keys are number.".to_owned()));
        let orders = Keys::read(&table(), None).expect("it is a table");
        let refused = orders.query(&Question { keys: &keys, rest: Rest::To("3"), reverse: true });
        assert_eq!(refused, Err("The table 'orders' has no key number 3: its keys are customer, number.".to_owned()));
        assert!(Keys::read(&table(), Some("by-time")).is_none());
    }

    #[test]
    fn a_key_that_is_no_number_is_told_by_its_name() {
        let orders = Keys::read(&table(), None).expect("it is a table");
        let check = |keys: &[&str], rest: Rest<'_>, wrong: Option<&str>| {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            let answer = orders.query(&Question { keys: &keys, rest, reverse: false }).map(|_| ());
            let expected = wrong.map(|text| format!("The key 'number' is a number, and '{text}' is none."));
            assert_eq!(answer.err(), expected);
        };
        for good in ["0", "-7", "+7", "1.5", ".5", "1e10", "-1.5E-130", "12345678901234567890123456789012345678"] {
            check(&["ada", good], Rest::All, None);
        }
        for bad in ["x", "", "inf", "nan", "1,5", "0x10"] {
            check(&["ada", bad], Rest::All, Some(bad));
        }
        check(&["x", "1"], Rest::All, None);
        check(&["ada"], Rest::From("x"), Some("x"));
        check(&["ada"], Rest::Between("1", "y"), Some("y"));
    }
}
