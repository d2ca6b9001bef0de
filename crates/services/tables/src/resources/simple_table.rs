//! SAM's `AWS::Serverless::SimpleTable`: a table with a key of one attribute.

use contract::properties::{Field, Form, fault, optional, read, required};
use contract::{Document, Expansion, PropertyFault, ResourceMacro};
use serde_json::{Map, Value, json};

/// A table with a key of one attribute.
#[derive(Debug)]
pub struct SimpleTable;

const FIELDS: &[Field] = &[
    optional("PointInTimeRecoverySpecification", Form::Anything),
    optional("PrimaryKey", Form::Fields(&[required("Name", Form::Text), required("Type", Form::Text)])),
    optional("ProvisionedThroughput", Form::Anything),
    optional("SSESpecification", Form::Anything),
    optional("TableName", Form::Anything),
    optional("Tags", Form::MapOf(&Form::Text)),
];

impl ResourceMacro for SimpleTable {
    fn name(&self) -> &'static str {
        "AWS::Serverless::SimpleTable"
    }

    fn globals(&self) -> Option<&'static str> {
        Some("SimpleTable")
    }

    fn expand(&self, logical_id: &str, resource: &Document) -> Result<Expansion, PropertyFault> {
        let given = read(&resource["Properties"], FIELDS)?;
        let key = given.get("PrimaryKey").cloned().unwrap_or_else(|| json!({ "Name": "id", "Type": "String" }));
        let kind = match key["Type"].as_str() {
            Some("String") => "S",
            Some("Number") => "N",
            Some("Binary") => "B",
            _ => return Err(fault("PrimaryKey.Type", "must be String, Number or Binary")),
        };
        let mut table = Map::new();
        for same in ["PointInTimeRecoverySpecification", "ProvisionedThroughput", "SSESpecification", "TableName"] {
            table.extend(given.get(same).map(|value| (same.to_owned(), value.clone())));
        }
        table.insert(
            "AttributeDefinitions".to_owned(),
            json!([{ "AttributeName": key["Name"], "AttributeType": kind }]),
        );
        table.insert("KeySchema".to_owned(), json!([{ "AttributeName": key["Name"], "KeyType": "HASH" }]));
        if !table.contains_key("ProvisionedThroughput") {
            table.insert("BillingMode".to_owned(), "PAY_PER_REQUEST".into());
        }
        if let Some(Value::Object(tags)) = given.get("Tags") {
            let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
            table.insert("Tags".to_owned(), tags.into());
        }
        let table = json!({ "Type": "AWS::DynamoDB::Table", "Properties": table });
        Ok(Expansion { resources: vec![(logical_id.to_owned(), table)], ..Expansion::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simple_table_is_a_table() {
        let expand = |properties: Value| {
            let resource = json!({ "Type": "AWS::Serverless::SimpleTable", "Properties": properties });
            SimpleTable.expand("Orders", &resource).map(|expansion| expansion.resources[0].1["Properties"].clone())
        };
        assert_eq!(
            expand(json!({ "TableName": "orders", "Tags": { "team": 7 } })),
            Ok(json!({
                "TableName": "orders",
                "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
                "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
                "BillingMode": "PAY_PER_REQUEST",
                "Tags": [{ "Key": "team", "Value": "7" }],
            }))
        );
        let made = expand(json!({
            "PrimaryKey": { "Name": "n", "Type": "Number" },
            "ProvisionedThroughput": { "ReadCapacityUnits": 1, "WriteCapacityUnits": 1 },
        }));
        let made = made.unwrap();
        assert_eq!(
            (&made["AttributeDefinitions"][0]["AttributeType"], &made["BillingMode"]),
            (&json!("N"), &Value::Null)
        );
        assert_eq!(
            expand(json!({ "PrimaryKey": { "Name": "n", "Type": "Bool" } })).unwrap_err().path,
            "PrimaryKey.Type"
        );
    }
}
