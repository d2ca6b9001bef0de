//! `ImportSourceSpecification` of `AWS::DynamoDB::Table`: the table is made by `ImportTable`, and what that operation does not know of is set
//! when the items are there.

use contract::properties::{Form, fault, optional, required};
use contract::{Naming, Operation, PropertyFault, Step};
use serde_json::{Map, Value, json};
use wire::dynamodb::{ImportTable, TagResource, UpdateTable};

use super::table;

const CSV: Form = Form::Fields(&[optional("Delimiter", Form::Text), optional("HeaderList", Form::ListOf(&Form::Text))]);

/// Where the items come from.
pub(super) const SOURCE: Form = Form::Fields(&[
    optional("InputCompressionType", Form::Text),
    required("InputFormat", Form::Text),
    optional("InputFormatOptions", Form::Fields(&[optional("Csv", CSV)])),
    required(
        "S3BucketSource",
        Form::Fields(&[
            required("S3Bucket", Form::Text),
            optional("S3BucketOwner", Form::Text),
            optional("S3KeyPrefix", Form::Text),
        ]),
    ),
]);

/// What `ImportTable` knows of a table.
const PARAMETERS: [&str; 8] = [
    "AttributeDefinitions",
    "BillingMode",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "OnDemandThroughput",
    "ProvisionedThroughput",
    "SSESpecification",
    "TableName",
];

/// The steps that make a table of which this is what `CreateTable` would be asked for.
pub(super) fn steps(
    mut wanted: Map<String, Value>,
    source: &Value,
    naming: &Naming,
) -> Result<Vec<Step>, PropertyFault> {
    if wanted.contains_key("LocalSecondaryIndexes") {
        return Err(fault(
            "LocalSecondaryIndexes",
            "a table that is imported cannot have local indexes: leave them out",
        ));
    }
    let name = wanted["TableName"].clone();
    let known = PARAMETERS.iter().filter_map(|name| Some(((*name).to_owned(), wanted.remove(*name)?)));
    let parameters: Map<String, Value> = known.collect();
    let tags = wanted.remove("Tags");
    let mut input = source.clone();
    input["TableCreationParameters"] = Value::Object(parameters);
    // A step that is repeated after a crash finds what it began.
    input["ClientToken"] = naming.physical(table::NAME_MAX).into();
    let mut steps = vec![Step::new(ImportTable::ID, input)];
    // One at a time, as the operation has it.
    steps.extend(wanted.into_iter().map(|(setting, value)| {
        let input = Map::from_iter([("TableName".to_owned(), name.clone()), (setting, value)]);
        Step::new(UpdateTable::ID, Value::Object(input))
    }));
    if let (Some(tags), Some(name)) = (tags, name.as_str()) {
        let input = json!({ "ResourceArn": table::arn(name, naming), "Tags": tags });
        steps.push(Step::new(TagResource::ID, input));
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use contract::ResourceType;

    use super::super::table::Table;
    use super::*;

    fn naming() -> Naming {
        Naming {
            stack: "shop".into(),
            logical_id: "Orders".into(),
            suffix: "1A2B".into(),
            region: "eu-west-1".into(),
            account: "000000000000".into(),
        }
    }

    #[test]
    fn a_table_is_imported_and_then_set_up() {
        let source = json!({
            "InputFormat": "CSV", "InputFormatOptions": { "Csv": { "Delimiter": ";" } },
            "S3BucketSource": { "S3Bucket": "mine", "S3KeyPrefix": "in/" },
        });
        let mut properties = json!({
            "TableName": "orders", "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }],
            "AttributeDefinitions": [{ "AttributeName": "pk", "AttributeType": "S" }],
            "StreamSpecification": { "StreamViewType": "NEW_IMAGE" },
            "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": true, "RecoveryPeriodInDays": 7 },
            "Tags": [{ "Key": "team", "Value": "blue" }],
            "ImportSourceSpecification": source,
        });
        let steps = Table.create(&properties, &naming()).unwrap();
        let names: Vec<&str> = steps.iter().map(|step| step.operation.name).collect();
        assert_eq!(names, ["ImportTable", "UpdateTable", "TagResource", "UpdateContinuousBackups"]);
        let expected = json!({
            "InputFormat": "CSV", "InputFormatOptions": source["InputFormatOptions"],
            "S3BucketSource": source["S3BucketSource"], "ClientToken": "shop-Orders-1A2B",
            "TableCreationParameters": {
                "AttributeDefinitions": properties["AttributeDefinitions"], "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": properties["KeySchema"], "TableName": "orders",
            },
        });
        assert_eq!(steps[0].input, expected);
        assert_eq!(steps[3].input["PointInTimeRecoverySpecification"]["RecoveryPeriodInDays"], 7);
        properties["LocalSecondaryIndexes"] = json!([]);
        assert_eq!(Table.create(&properties, &naming()).unwrap_err().path, "LocalSecondaryIndexes");
    }
}
