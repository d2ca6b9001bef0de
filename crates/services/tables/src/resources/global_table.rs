//! `AWS::DynamoDB::GlobalTable`: a table with replicas, of which there can be one, in the stack's own region. It becomes what a
//! [`Table`](super::table::Table) with the same settings becomes.

use contract::properties::fault;
use contract::{Attributes, Change, Document, Naming, PropertyFault, ResourceType, Step};
use serde_json::{Map, Value, json};

use super::table::{self, Table};

/// A table with one replica.
#[derive(Debug)]
pub struct GlobalTable;

/// What a table calls the same.
const SAME: [&str; 9] = [
    "AttributeDefinitions",
    "BillingMode",
    "KeySchema",
    "LocalSecondaryIndexes",
    "SSESpecification",
    "StreamSpecification",
    "TableName",
    "TimeToLiveSpecification",
    "WarmThroughput",
];

/// What a replica says of its table.
const OF_REPLICA: [&str; 7] = [
    "ContributorInsightsSpecification",
    "DeletionProtectionEnabled",
    "KinesisStreamSpecification",
    "PointInTimeRecoverySpecification",
    "ResourcePolicy",
    "TableClass",
    "Tags",
];

impl ResourceType for GlobalTable {
    fn name(&self) -> &'static str {
        "AWS::DynamoDB::GlobalTable"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        Table.check(&as_table(properties)?)
    }

    fn physical_id(&self, properties: &Document, naming: &Naming) -> Option<String> {
        Some(table::table_name(properties, naming))
    }

    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        check_region(properties, naming)?;
        Table.create(&as_table(properties)?, naming)
    }

    fn update(
        &self,
        physical_id: &str,
        naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        check_region(new, naming)?;
        Table.update(physical_id, naming, &as_table(old)?, &as_table(new)?)
    }

    fn delete(&self, physical_id: &str, properties: &Document) -> Vec<Step> {
        Table.delete(physical_id, properties)
    }

    fn read(&self, physical_id: &str, properties: &Document) -> Option<Step> {
        Table.read(physical_id, properties)
    }

    fn settled(&self, answer: &Document) -> Result<bool, String> {
        Table.settled(answer)
    }

    fn attributes(&self, physical_id: &str, properties: &Document, answer: &Document) -> Attributes {
        Table.attributes(physical_id, properties, answer)
    }
}

/// The properties of the table that this is.
fn as_table(properties: &Document) -> Result<Document, PropertyFault> {
    let Some(given) = properties.as_object() else { return Err(fault("Properties", "must be an object")) };
    let further =
        ["GlobalSecondaryIndexes", "Replicas", "WriteOnDemandThroughputSettings", "WriteProvisionedThroughputSettings"];
    let known = |name: &str| SAME.contains(&name) || further.contains(&name);
    if let Some(unknown) = given.keys().find(|name| !known(name)) {
        return Err(fault(unknown.as_str(), "there is no such property, or it needs more than one region"));
    }
    let replica = replica(properties)?;
    let mut table = Map::new();
    let mut copy = |from: &Value, names: &[&str]| {
        table.extend(names.iter().filter_map(|name| Some(((*name).to_owned(), from.get(*name)?.clone()))));
    };
    copy(properties, &SAME);
    copy(replica, &OF_REPLICA);
    if let Some(units) = units(properties, replica) {
        table.insert("ProvisionedThroughput".to_owned(), units);
    }
    if let Some(indexes) = properties["GlobalSecondaryIndexes"].as_array() {
        let indexes: Vec<Value> = indexes.iter().map(|index| as_index(index, replica)).collect();
        table.insert("GlobalSecondaryIndexes".to_owned(), indexes.into());
    }
    let most = &properties["WriteOnDemandThroughputSettings"]["MaxWriteRequestUnits"];
    let most_reads = &replica["ReadOnDemandThroughputSettings"]["MaxReadRequestUnits"];
    if !most.is_null() || !most_reads.is_null() {
        let named = [("MaxReadRequestUnits", most_reads), ("MaxWriteRequestUnits", most)];
        let there = named.into_iter().filter(|(_, units)| !units.is_null());
        let limits: Map<String, Value> = there.map(|(name, units)| (name.to_owned(), units.clone())).collect();
        table.insert("OnDemandThroughput".to_owned(), Value::Object(limits));
    }
    Ok(Value::Object(table))
}

fn replica(properties: &Document) -> Result<&Value, PropertyFault> {
    match properties["Replicas"].as_array().map(Vec::as_slice) {
        Some([replica]) => Ok(replica),
        Some(_) => Err(fault("Replicas", "must be one: this is one node in one region")),
        None => Err(fault("Replicas", "is required")),
    }
}

fn check_region(properties: &Document, naming: &Naming) -> Result<(), PropertyFault> {
    match replica(properties)?["Region"].as_str() {
        Some(region) if region != naming.region => {
            Err(fault("Replicas[0].Region", format!("must be {}, where the stack is", naming.region)))
        }
        Some(_) => Ok(()),
        None => Err(fault("Replicas[0].Region", "is required")),
    }
}

/// An index without what replicas say of it, and with the units that they do.
fn as_index(index: &Value, replica: &Value) -> Value {
    let mut index = index.clone();
    let of_replica = replica["GlobalSecondaryIndexes"].as_array().into_iter().flatten();
    let reads = of_replica.into_iter().find(|other| other["IndexName"] == index["IndexName"]).unwrap_or(&Value::Null);
    let units = units(&index, reads);
    if let Some(members) = index.as_object_mut() {
        members.remove("WriteProvisionedThroughputSettings");
        members.remove("WriteOnDemandThroughputSettings");
        members.extend(units.map(|units| ("ProvisionedThroughput".to_owned(), units)));
    }
    index
}

/// Units of reading and writing, where they are provisioned: those that scaling would begin with.
fn units(writes: &Value, reads: &Value) -> Option<Value> {
    let writes = &writes["WriteProvisionedThroughputSettings"]["WriteCapacityAutoScalingSettings"];
    let reads = &reads["ReadProvisionedThroughputSettings"];
    let first = |values: [&Value; 3]| values.into_iter().find(|value| !value.is_null()).cloned();
    let scaled = &reads["ReadCapacityAutoScalingSettings"];
    let read = first([&reads["ReadCapacityUnits"], &scaled["SeedCapacity"], &scaled["MinCapacity"]]);
    let write = first([&writes["SeedCapacity"], &writes["MinCapacity"], &Value::Null])?;
    Some(json!({ "ReadCapacityUnits": read.unwrap_or(json!(1)), "WriteCapacityUnits": write }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_global_table_is_a_table_in_one_region() {
        let properties = json!({
            "AttributeDefinitions": [{ "AttributeName": "pk", "AttributeType": "S" }],
            "BillingMode": "PROVISIONED",
            "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }],
            "Replicas": [{
                "Region": "eu-west-1",
                "Tags": [{ "Key": "a", "Value": "b" }],
                "ReadProvisionedThroughputSettings": { "ReadCapacityUnits": 3 },
            }],
            "WriteProvisionedThroughputSettings": { "WriteCapacityAutoScalingSettings": { "MinCapacity": 2, "MaxCapacity": 9 } },
        });
        let table = as_table(&properties).unwrap();
        assert_eq!(table["ProvisionedThroughput"], json!({ "ReadCapacityUnits": 3, "WriteCapacityUnits": 2 }));
        assert_eq!(table["Tags"], json!([{ "Key": "a", "Value": "b" }]));
        assert_eq!(GlobalTable.check(&properties), Ok(()));
        let naming = |region: &str| Naming {
            stack: "s".into(),
            logical_id: "T".into(),
            suffix: "1".into(),
            region: region.into(),
            account: "000000000000".into(),
        };
        assert_eq!(GlobalTable.create(&properties, &naming("eu-west-1")).unwrap().len(), 1);
        let elsewhere = GlobalTable.create(&properties, &naming("us-east-1")).unwrap_err();
        assert_eq!(elsewhere.path, "Replicas[0].Region");
        let mut two = properties.clone();
        two["Replicas"] = json!([{ "Region": "eu-west-1" }, { "Region": "us-east-1" }]);
        assert_eq!(GlobalTable.check(&two).unwrap_err().path, "Replicas");
        two["MultiRegionConsistency"] = json!("STRONG");
        assert_eq!(GlobalTable.check(&two).unwrap_err().path, "MultiRegionConsistency");
    }
}
