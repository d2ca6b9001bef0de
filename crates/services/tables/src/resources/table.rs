//! `AWS::DynamoDB::Table`.
//!
//! A change of the name, the key or the local indexes is a new table; everything else is changed where it is. Of global indexes one
//! is made or removed by each `UpdateTable`, as the operation has it.

use contract::properties::{Field, Form, TagChange, optional, read, required, tags};
use contract::{Attributes, Change, Document, Naming, Operation, PropertyFault, ResourceType, Step};
use serde_json::{Map, Value, json};
use wire::dynamodb::{
    CreateTable, DeleteResourcePolicy, DeleteTable, DescribeTable, DisableKinesisStreamingDestination,
    EnableKinesisStreamingDestination, PutResourcePolicy, TagResource, UntagResource, UpdateContinuousBackups,
    UpdateContributorInsights, UpdateTable, UpdateTimeToLive,
};

use super::import;

pub(super) const NAME_MAX: usize = 255;
const GONE: &[&str] = &["ResourceNotFoundException"];

const UNITS: Form =
    Form::Fields(&[required("ReadCapacityUnits", Form::Whole), required("WriteCapacityUnits", Form::Whole)]);
const MOST_UNITS: Form =
    Form::Fields(&[optional("MaxReadRequestUnits", Form::Whole), optional("MaxWriteRequestUnits", Form::Whole)]);
const WARM_UNITS: Form =
    Form::Fields(&[optional("ReadUnitsPerSecond", Form::Whole), optional("WriteUnitsPerSecond", Form::Whole)]);
const INSIGHTS: Form = Form::Fields(&[required("Enabled", Form::Flag), optional("Mode", Form::Text)]);
const KEYS: Form =
    Form::ListOf(&Form::Fields(&[required("AttributeName", Form::Text), required("KeyType", Form::Text)]));
const PROJECTION: Form =
    Form::Fields(&[optional("NonKeyAttributes", Form::ListOf(&Form::Text)), optional("ProjectionType", Form::Text)]);
const POLICY: Form = Form::Fields(&[required("PolicyDocument", Form::Anything)]);

const FIELDS: &[Field] = &[
    optional(
        "AttributeDefinitions",
        Form::ListOf(&Form::Fields(&[required("AttributeName", Form::Text), required("AttributeType", Form::Text)])),
    ),
    optional("BillingMode", Form::Text),
    optional("ContributorInsightsSpecification", INSIGHTS),
    optional("DeletionProtectionEnabled", Form::Flag),
    optional(
        "GlobalSecondaryIndexes",
        Form::ListOf(&Form::Fields(&[
            optional("ContributorInsightsSpecification", INSIGHTS),
            required("IndexName", Form::Text),
            required("KeySchema", KEYS),
            optional("OnDemandThroughput", MOST_UNITS),
            required("Projection", PROJECTION),
            optional("ProvisionedThroughput", UNITS),
            optional("WarmThroughput", WARM_UNITS),
        ])),
    ),
    optional("ImportSourceSpecification", import::SOURCE),
    required("KeySchema", KEYS),
    optional(
        "KinesisStreamSpecification",
        Form::Fields(&[
            optional("ApproximateCreationDateTimePrecision", Form::Text),
            required("StreamArn", Form::Text),
        ]),
    ),
    optional(
        "LocalSecondaryIndexes",
        Form::ListOf(&Form::Fields(&[
            required("IndexName", Form::Text),
            required("KeySchema", KEYS),
            required("Projection", PROJECTION),
        ])),
    ),
    optional("OnDemandThroughput", MOST_UNITS),
    optional(
        "PointInTimeRecoverySpecification",
        Form::Fields(&[
            optional("PointInTimeRecoveryEnabled", Form::Flag),
            optional("RecoveryPeriodInDays", Form::Whole),
        ]),
    ),
    optional("ProvisionedThroughput", UNITS),
    optional("ResourcePolicy", POLICY),
    optional(
        "SSESpecification",
        Form::Fields(&[
            optional("KMSMasterKeyId", Form::Text),
            required("SSEEnabled", Form::Flag),
            optional("SSEType", Form::Text),
        ]),
    ),
    optional(
        "StreamSpecification",
        Form::Fields(&[optional("ResourcePolicy", POLICY), required("StreamViewType", Form::Text)]),
    ),
    optional("TableClass", Form::Text),
    optional("TableName", Form::Text),
    optional("Tags", Form::Anything),
    optional(
        "TimeToLiveSpecification",
        Form::Fields(&[optional("AttributeName", Form::Text), required("Enabled", Form::Flag)]),
    ),
    optional("WarmThroughput", WARM_UNITS),
];

/// A table.
#[derive(Debug)]
pub struct Table;

impl ResourceType for Table {
    fn name(&self) -> &'static str {
        "AWS::DynamoDB::Table"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        tags(properties)?;
        read(properties, FIELDS).map(drop)
    }

    fn physical_id(&self, properties: &Document, naming: &Naming) -> Option<String> {
        Some(table_name(properties, naming))
    }

    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        let wanted = read(properties, FIELDS)?;
        let name = table_name(properties, naming);
        let mut input = settings(&wanted);
        input.insert("TableName".to_owned(), json!(name));
        for same in ["KeySchema", "LocalSecondaryIndexes"] {
            input.extend(wanted.get(same).map(|value| (same.to_owned(), value.clone())));
        }
        if let Some(indexes) = globals(&wanted) {
            input.insert("GlobalSecondaryIndexes".to_owned(), indexes);
        }
        if let Some(stream) = stream(&wanted) {
            input.insert("StreamSpecification".to_owned(), stream);
        }
        let tags: Vec<Value> =
            tags(properties)?.into_iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
        if !tags.is_empty() {
            input.insert("Tags".to_owned(), tags.into());
        }
        let mut steps = match wanted.get("ImportSourceSpecification") {
            Some(source) => import::steps(input, source, naming)?,
            None => vec![Step::new(CreateTable::ID, Value::Object(input))],
        };
        steps.extend(beside(&name, naming, &Map::new(), &wanted));
        Ok(steps)
    }

    fn update(
        &self,
        physical_id: &str,
        naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        let (before, after) = (read(old, FIELDS)?, read(new, FIELDS)?);
        let fixed = ["ImportSourceSpecification", "KeySchema", "LocalSecondaryIndexes"];
        if table_name(new, naming) != physical_id || fixed.iter().any(|name| before.get(*name) != after.get(*name)) {
            return Ok(Change::Replace);
        }
        let mut steps = Vec::new();
        steps.extend(update(physical_id, changed_settings(&before, &after)));
        for input in stream_changes(&before, &after) {
            steps.extend(update(physical_id, input));
        }
        for change in index_changes(&before, &after) {
            let mut input = Map::from_iter([("GlobalSecondaryIndexUpdates".to_owned(), json!([change]))]);
            if let Some(attributes) = after.get("AttributeDefinitions") {
                input.insert("AttributeDefinitions".to_owned(), attributes.clone());
            }
            steps.extend(update(physical_id, input));
        }
        steps.extend(beside(physical_id, naming, &before, &after));
        let TagChange { gone, set } = TagChange::between(old, new)?;
        let arn = arn(physical_id, naming);
        if !gone.is_empty() {
            steps.push(Step::new(UntagResource::ID, json!({ "ResourceArn": arn, "TagKeys": gone })));
        }
        if !set.is_empty() {
            let set: Vec<Value> = set.into_iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
            steps.push(Step::new(TagResource::ID, json!({ "ResourceArn": arn, "Tags": set })));
        }
        Ok(Change::InPlace(steps))
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        vec![Step::new(DeleteTable::ID, json!({ "TableName": physical_id })).tolerating(GONE)]
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        Some(Step::new(DescribeTable::ID, json!({ "TableName": physical_id })))
    }

    fn settled(&self, answer: &Document) -> Result<bool, String> {
        let table = &answer["Table"];
        let mut indexes = table["GlobalSecondaryIndexes"].as_array().into_iter().flatten();
        Ok(table["TableStatus"] == "ACTIVE" && indexes.all(|index| index["IndexStatus"] == "ACTIVE"))
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, answer: &Document) -> Attributes {
        let table = &answer["Table"];
        Attributes {
            reference: physical_id.to_owned(),
            named: vec![
                ("Arn", table["TableArn"].clone()),
                ("StreamArn", table["LatestStreamArn"].clone()),
                ("TableId", table["TableId"].clone()),
            ],
        }
    }
}

pub(super) fn table_name(properties: &Document, naming: &Naming) -> String {
    properties["TableName"].as_str().map_or_else(|| naming.physical(NAME_MAX), str::to_owned)
}

pub(super) fn arn(name: &str, naming: &Naming) -> String {
    format!("arn:aws:dynamodb:{}:{}:table/{name}", naming.region, naming.account)
}

fn update(name: &str, mut input: Map<String, Value>) -> Option<Step> {
    if input.is_empty() {
        return None;
    }
    input.insert("TableName".to_owned(), json!(name));
    Some(Step::new(UpdateTable::ID, Value::Object(input)))
}

/// What `CreateTable` and `UpdateTable` call the same.
const SETTINGS: [&str; 7] = [
    "AttributeDefinitions",
    "BillingMode",
    "DeletionProtectionEnabled",
    "OnDemandThroughput",
    "ProvisionedThroughput",
    "TableClass",
    "WarmThroughput",
];

fn settings(wanted: &Map<String, Value>) -> Map<String, Value> {
    let mut input: Map<String, Value> =
        SETTINGS.iter().filter_map(|name| Some(((*name).to_owned(), wanted.get(*name)?.clone()))).collect();
    if let Some(encryption) = wanted.get("SSESpecification") {
        let mut encryption = encryption.clone();
        if let Some(members) = encryption.as_object_mut()
            && let Some(enabled) = members.remove("SSEEnabled")
        {
            members.insert("Enabled".to_owned(), enabled);
        }
        input.insert("SSESpecification".to_owned(), encryption);
    }
    input
}

/// Settings that are to be others, or to be what they are where nobody says anything.
fn changed_settings(before: &Map<String, Value>, after: &Map<String, Value>) -> Map<String, Value> {
    let (was, mut is) = (settings(before), settings(after));
    let defaults = [
        ("BillingMode", json!("PROVISIONED")),
        ("DeletionProtectionEnabled", json!(false)),
        ("SSESpecification", json!({ "Enabled": false })),
        ("TableClass", json!("STANDARD")),
    ];
    for (name, default) in defaults {
        if was.contains_key(name) {
            is.entry(name).or_insert(default);
        }
    }
    is.retain(|name, value| was.get(name) != Some(value));
    // Attributes are told with what needs them: the indexes.
    is.remove("AttributeDefinitions");
    is
}

fn stream(wanted: &Map<String, Value>) -> Option<Value> {
    let view = wanted.get("StreamSpecification")?.get("StreamViewType")?;
    Some(json!({ "StreamEnabled": true, "StreamViewType": view }))
}

/// A stream's view cannot be changed: one ends, and another begins.
fn stream_changes(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Map<String, Value>> {
    let (was, is) = (stream(before), stream(after));
    if was == is {
        return Vec::new();
    }
    let off = was.map(|_| json!({ "StreamEnabled": false }));
    let inputs = off.into_iter().chain(is);
    inputs.map(|stream| Map::from_iter([("StreamSpecification".to_owned(), stream)])).collect()
}

/// The global indexes without what `CreateTable` does not know of them.
fn globals(wanted: &Map<String, Value>) -> Option<Value> {
    let mut indexes = wanted.get("GlobalSecondaryIndexes")?.clone();
    for index in indexes.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        index.remove("ContributorInsightsSpecification");
    }
    Some(indexes)
}

fn index_changes(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Value> {
    let list = |wanted: &Map<String, Value>| match globals(wanted) {
        Some(Value::Array(indexes)) => indexes,
        Some(_) | None => Vec::new(),
    };
    let (was, is) = (list(before), list(after));
    let same = |left: &Value, right: &Value| {
        ["IndexName", "KeySchema", "Projection"].iter().all(|name| left[*name] == right[*name])
    };
    let gone = was.iter().filter(|old| !is.iter().any(|new| same(old, new)));
    let mut changes: Vec<Value> = gone.map(|old| json!({ "Delete": { "IndexName": old["IndexName"] } })).collect();
    for new in &is {
        match was.iter().find(|old| same(old, new)) {
            None => changes.push(json!({ "Create": new })),
            Some(old) if old != new => {
                let mut update = new.clone();
                if let Some(members) = update.as_object_mut() {
                    members.remove("KeySchema");
                    members.remove("Projection");
                }
                changes.push(json!({ "Update": update }));
            }
            Some(_) => {}
        }
    }
    changes
}

/// What has operations of its own: expiry, recovery, insights, policies, destinations.
fn beside(name: &str, naming: &Naming, before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Step> {
    let mut steps = Vec::new();
    let (was, is) = (expiry(before), expiry(after));
    if was != is {
        let set = |attribute: &Value, enabled: bool| {
            let specification = json!({ "AttributeName": attribute, "Enabled": enabled });
            Step::new(UpdateTimeToLive::ID, json!({ "TableName": name, "TimeToLiveSpecification": specification }))
        };
        steps.extend(was.map(|attribute| set(attribute, false)));
        steps.extend(is.map(|attribute| set(attribute, true)));
    }
    let off = json!({ "PointInTimeRecoveryEnabled": false });
    if let Some(recovery) = changed("PointInTimeRecoverySpecification", before, after, &off) {
        let input = json!({ "TableName": name, "PointInTimeRecoverySpecification": recovery });
        steps.push(Step::new(UpdateContinuousBackups::ID, input));
    }
    if let Some(insights) = changed("ContributorInsightsSpecification", before, after, &json!({ "Enabled": false })) {
        let action = if insights["Enabled"] == true { "ENABLE" } else { "DISABLE" };
        let input = json!({ "TableName": name, "ContributorInsightsAction": action });
        steps.push(Step::new(UpdateContributorInsights::ID, input));
    }
    let arn = arn(name, naming);
    if let Some(policy) = changed("ResourcePolicy", before, after, &Value::Null) {
        steps.push(match policy.get("PolicyDocument") {
            Some(document) => {
                let policy = document.as_str().map_or_else(|| document.to_string(), str::to_owned);
                Step::new(PutResourcePolicy::ID, json!({ "ResourceArn": arn, "Policy": policy }))
            }
            None => Step::new(DeleteResourcePolicy::ID, json!({ "ResourceArn": arn })),
        });
    }
    if let Some(new) = changed("KinesisStreamSpecification", before, after, &Value::Null) {
        let destination = |stream: &Value| json!({ "TableName": name, "StreamArn": stream["StreamArn"] });
        let old = before.get("KinesisStreamSpecification");
        steps.extend(old.map(|old| Step::new(DisableKinesisStreamingDestination::ID, destination(old))));
        if !new.is_null() {
            steps.push(Step::new(EnableKinesisStreamingDestination::ID, destination(&new)));
        }
    }
    steps
}

/// The attribute that items expire by, if they do.
fn expiry(wanted: &Map<String, Value>) -> Option<&Value> {
    let specification = wanted.get("TimeToLiveSpecification")?;
    if specification["Enabled"] == true { specification.get("AttributeName") } else { None }
}

/// What a property is to be, if that is not what it was.
fn changed(name: &str, before: &Map<String, Value>, after: &Map<String, Value>, absent: &Value) -> Option<Value> {
    let (was, is) = (before.get(name).unwrap_or(absent), after.get(name).unwrap_or(absent));
    (was != is).then(|| is.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn naming() -> Naming {
        Naming {
            stack: "shop".into(),
            logical_id: "Orders".into(),
            suffix: "1A2B".into(),
            region: "eu-west-1".into(),
            account: "000000000000".into(),
        }
    }

    fn calls(steps: &[Step]) -> Vec<(&'static str, Value)> {
        steps.iter().map(|step| (step.operation.name, step.input.clone())).collect()
    }

    fn orders() -> Value {
        json!({
            "TableName": "orders",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                { "AttributeName": "pk", "AttributeType": "S" },
                { "AttributeName": "by", "AttributeType": "N" },
            ],
            "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }],
            "GlobalSecondaryIndexes": [{
                "IndexName": "by",
                "KeySchema": [{ "AttributeName": "by", "KeyType": "HASH" }],
                "Projection": { "ProjectionType": "KEYS_ONLY" },
            }],
            "StreamSpecification": { "StreamViewType": "NEW_IMAGE" },
            "SSESpecification": { "SSEEnabled": "true" },
            "TimeToLiveSpecification": { "AttributeName": "until", "Enabled": "true" },
            "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": true },
            "Tags": [{ "Key": "team", "Value": 7 }],
        })
    }

    #[test]
    fn a_table_is_made_with_what_the_template_says() {
        let made = calls(&Table.create(&orders(), &naming()).unwrap());
        let wanted = orders();
        let expected = json!({
            "AttributeDefinitions": wanted["AttributeDefinitions"],
            "BillingMode": "PAY_PER_REQUEST",
            "SSESpecification": { "Enabled": true },
            "TableName": "orders",
            "KeySchema": wanted["KeySchema"],
            "GlobalSecondaryIndexes": wanted["GlobalSecondaryIndexes"],
            "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" },
            "Tags": [{ "Key": "team", "Value": "7" }],
        });
        assert_eq!(made[0], ("CreateTable", expected));
        let expiry =
            json!({ "TableName": "orders", "TimeToLiveSpecification": { "AttributeName": "until", "Enabled": true } });
        assert_eq!(made[1], ("UpdateTimeToLive", expiry));
        assert_eq!(made[2].0, "UpdateContinuousBackups");
        assert_eq!(made.len(), 3);
        let unnamed = json!({ "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }] });
        assert_eq!(Table.physical_id(&unnamed, &naming()).as_deref(), Some("shop-Orders-1A2B"));
        let answer = json!({ "Table": { "TableArn": "arn", "LatestStreamArn": "stream", "TableStatus": "ACTIVE" } });
        let shown = Table.attributes("orders", &orders(), &answer);
        assert_eq!((shown.reference.as_str(), &shown.named[1]), ("orders", &("StreamArn", json!("stream"))));
        assert_eq!(Table.settled(&answer), Ok(true));
        assert_eq!(Table.settled(&json!({ "Table": { "TableStatus": "UPDATING" } })), Ok(false));
    }

    #[test]
    fn changes_are_made_where_they_can_be() {
        let change = |new: &Value| Table.update("orders", &naming(), &orders(), new).unwrap();
        let steps = |new: &Value| match change(new) {
            Change::InPlace(steps) => calls(&steps),
            Change::Replace => panic!("in place"),
        };
        assert_eq!(steps(&orders()), []);
        let mut new = orders();
        new["StreamSpecification"]["StreamViewType"] = "KEYS_ONLY".into();
        new["TimeToLiveSpecification"]["AttributeName"] = "end".into();
        new["GlobalSecondaryIndexes"][0]["Projection"]["ProjectionType"] = "ALL".into();
        new["Tags"] = json!([{ "Key": "owner", "Value": "b" }]);
        new["SSESpecification"] = Value::Null;
        let names: Vec<&str> = steps(&new).iter().map(|(name, _)| *name).collect();
        let expected = [
            "UpdateTable",
            "UpdateTable",
            "UpdateTable",
            "UpdateTable",
            "UpdateTable",
            "UpdateTimeToLive",
            "UpdateTimeToLive",
            "UntagResource",
            "TagResource",
        ];
        assert_eq!(names, expected);
        let made = steps(&new);
        assert_eq!(made[0].1, json!({ "SSESpecification": { "Enabled": false }, "TableName": "orders" }));
        assert_eq!(made[1].1["StreamSpecification"], json!({ "StreamEnabled": false }));
        assert_eq!(made[3].1["GlobalSecondaryIndexUpdates"], json!([{ "Delete": { "IndexName": "by" } }]));
        assert_eq!(made[8].1["ResourceArn"], "arn:aws:dynamodb:eu-west-1:000000000000:table/orders");
        new["KeySchema"] = json!([{ "AttributeName": "by", "KeyType": "HASH" }]);
        assert_eq!(change(&new), Change::Replace);
        let mut renamed = orders();
        renamed["TableName"] = "other".into();
        assert_eq!(change(&renamed), Change::Replace);
    }

    #[test]
    fn wrong_properties_are_named() {
        for (properties, expected) in [
            (json!({}), "KeySchema"),
            (json!({ "KeySchema": [], "BilingMode": "x" }), "BilingMode"),
            (json!({ "KeySchema": [], "TimeToLiveSpecification": {} }), "TimeToLiveSpecification.Enabled"),
        ] {
            assert_eq!(Table.check(&properties).unwrap_err().path, expected);
        }
    }
}
