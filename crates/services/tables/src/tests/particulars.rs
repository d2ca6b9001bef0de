//! What calls say of themselves to policies, by DynamoDB's own condition keys.

use std::sync::Arc;

use contract::{Arn, Fault, Operation};
use dispatch::{Asked, Attachments, Identity};
use policy::{Context, Kind, Policy};
use serde_json::{Value, json};
use wire::StaticShape;

use super::{Bench, aws};

const TABLE: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/notes";
const INDEX: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/notes/index/by-day";

/// A table whose items have an owner (`S`) and a number (`N`), with an index by day and number.
async fn bench() -> Bench {
    let bench = Bench::new().await;
    let attribute = |name: &str, kind: &str| json!({"AttributeName": name, "AttributeType": kind});
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    bench
        .call::<aws::CreateTable>(json!({
            "TableName": "notes",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [attribute("owner", "S"), attribute("nr", "N"), attribute("day", "N")],
            "KeySchema": [key("owner", "HASH"), key("nr", "RANGE")],
            "GlobalSecondaryIndexes": [{
                "IndexName": "by-day",
                "KeySchema": [key("day", "HASH"), key("nr", "RANGE")],
                "Projection": {"ProjectionType": "ALL"},
            }],
        }))
        .await;
    bench
}

fn identity() -> Identity {
    let text = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "*", "Resource": "*",
        "Condition": {"Null": {"dynamodb:LeadingKeys": "false"}},
    }]});
    let policy = Policy::parse(&text.to_string(), Kind::Identity).unwrap();
    Identity { policies: vec![Arc::new(policy)], ..Identity::default() }
}

/// The keys that are told of what the call does to a resource, as `Key=value`.
async fn told<Op: Operation>(bench: &Bench, action: &str, resource: &str, input: Value) -> Result<Vec<String>, Fault>
where
    Op::Input: StaticShape,
{
    let mut shape = Op::Input::default();
    wire::document::read_into(&mut shape, input).expect("the test's input is of the operation's shape");
    let (identity, context, resource) = (identity(), Context::new(), Arn::parse(resource).unwrap());
    let (call, actions) = (&bench.call, &[action] as &[&str]);
    let asked =
        Asked { call, actions, resource: &resource, input: Some(&shape), context: &context, identity: &identity };
    let keys = bench.tables.told(asked).await?.keys;
    Ok(keys.iter().map(|(key, value)| format!("{}={value}", key.trim_start_matches("dynamodb:"))).collect())
}

async fn check<Op: Operation>(bench: &Bench, action: &str, input: Value, expected: &str)
where
    Op::Input: StaticShape,
{
    let resource = if input.get("IndexName").is_some() { INDEX } else { TABLE };
    let keys = told::<Op>(bench, action, resource, input.clone()).await.unwrap();
    assert_eq!(keys.join(" "), expected, "{action} {input}");
}

fn key() -> Value {
    json!({"owner": {"S": "ann"}, "nr": {"N": "1"}})
}

fn with(mut input: Value, more: Value) -> Value {
    let (Value::Object(input_members), Value::Object(more)) = (&mut input, more) else { panic!("two objects") };
    input_members.extend(more);
    input_members.entry("TableName").or_insert(json!("notes"));
    input
}

#[tokio::test]
async fn one_item() {
    let bench = bench().await;
    let keyed = |more: Value| with(json!({"Key": key()}), more);
    let item = json!({"Item": {"owner": {"S": "ann"}, "nr": {"N": "1"}, "text": {"S": "t"}}});
    let own = "Attributes=nr Attributes=owner";
    let get = async |more: Value, expected: &str| {
        check::<aws::GetItem>(&bench, "dynamodb:GetItem", keyed(more), expected).await;
    };
    let plain = "LeadingKeys=ann ReturnConsumedCapacity=NONE";
    get(json!({}), &format!("{own} {plain} Select=ALL_ATTRIBUTES")).await;
    get(
        json!({"ProjectionExpression": "#t.deep, nr", "ExpressionAttributeNames": {"#t": "text"}}),
        &format!("{own} Attributes=text {plain} Select=SPECIFIC_ATTRIBUTES"),
    )
    .await;
    get(
        json!({"AttributesToGet": ["text"], "ReturnConsumedCapacity": "TOTAL"}),
        &format!("{own} Attributes=text LeadingKeys=ann ReturnConsumedCapacity=TOTAL Select=SPECIFIC_ATTRIBUTES"),
    )
    .await;
    let put = async |more: Value, expected: &str| {
        check::<aws::PutItem>(&bench, "dynamodb:PutItem", with(item.clone(), more), expected).await;
    };
    put(json!({}), &format!("{own} Attributes=text {plain} ReturnValues=NONE")).await;
    put(
        json!({"ConditionExpression": "attribute_not_exists(secret)", "ReturnValues": "ALL_OLD"}),
        &format!("{own} Attributes=secret Attributes=text {plain} ReturnValues=ALL_OLD"),
    )
    .await;
    let update = async |more: Value, expected: &str| {
        check::<aws::UpdateItem>(&bench, "dynamodb:UpdateItem", keyed(more), expected).await;
    };
    update(
        json!({"UpdateExpression": "SET a.b = c REMOVE d", "ReturnValues": "UPDATED_NEW"}),
        &format!("Attributes=a Attributes=c Attributes=d {own} {plain} ReturnValues=UPDATED_NEW"),
    )
    .await;
    update(
        json!({"AttributeUpdates": {"a": {"Action": "DELETE"}}, "Expected": {"b": {"Exists": false}}}),
        &format!("Attributes=a Attributes=b {own} {plain} ReturnValues=NONE"),
    )
    .await;
    // What a failure shows is returned too.
    check::<aws::DeleteItem>(
        &bench,
        "dynamodb:DeleteItem",
        keyed(json!({"ConditionExpression": "attribute_exists(a)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"})),
        &format!("Attributes=a {own} {plain} ReturnValues=ALL_OLD ReturnValues=NONE"),
    )
    .await;
}

#[tokio::test]
async fn pages() {
    let bench = bench().await;
    let query = async |more: Value, expected: &str| {
        let values = json!({":o": {"S": "ann"}, ":n": {"N": "7.0"}});
        let input = with(json!({"ExpressionAttributeValues": values}), more);
        check::<aws::Query>(&bench, "dynamodb:Query", input, expected).await;
    };
    query(
        json!({"KeyConditionExpression": "#o = :o AND nr > :n", "ExpressionAttributeNames": {"#o": "owner"}}),
        "Attributes=nr Attributes=owner LeadingKeys=ann ReturnConsumedCapacity=NONE Select=ALL_ATTRIBUTES",
    )
    .await;
    // Of an index its own hash key leads, a number in the form in which it is kept.
    let words = json!({"#d": "day", "#o": "owner"});
    query(
        json!({
            "IndexName": "by-day", "KeyConditionExpression": "#d = :n", "FilterExpression": "#o = :o",
            "ExpressionAttributeNames": words, "Select": "COUNT",
        }),
        "Attributes=day Attributes=owner LeadingKeys=7 ReturnConsumedCapacity=NONE Select=COUNT",
    )
    .await;
    let scan = async |more: Value, expected: &str| {
        check::<aws::Scan>(&bench, "dynamodb:Scan", with(json!({}), more), expected).await;
    };
    scan(json!({}), "ReturnConsumedCapacity=NONE Select=ALL_ATTRIBUTES").await;
    scan(json!({"IndexName": "by-day"}), "ReturnConsumedCapacity=NONE Select=ALL_PROJECTED_ATTRIBUTES").await;
    scan(
        json!({"FilterExpression": "size(a) > b", "ProjectionExpression": "c"}),
        "Attributes=a Attributes=b Attributes=c ReturnConsumedCapacity=NONE Select=SPECIFIC_ATTRIBUTES",
    )
    .await;
}

#[tokio::test]
async fn several_items() {
    let bench = bench().await;
    let other = json!({"owner": {"S": "bob"}, "nr": {"N": "2"}});
    let own = "Attributes=nr Attributes=owner";
    let none = "ReturnConsumedCapacity=NONE";
    let get = json!({"RequestItems": {"notes": {"Keys": [key(), other], "ProjectionExpression": "a"}}});
    check::<aws::BatchGetItem>(
        &bench,
        "dynamodb:BatchGetItem",
        get,
        &format!("Attributes=a {own} LeadingKeys=ann LeadingKeys=bob {none} Select=SPECIFIC_ATTRIBUTES"),
    )
    .await;
    let item = json!({"owner": {"S": "ann"}, "nr": {"N": "1"}, "text": {"S": "t"}});
    let write = json!({"RequestItems": {TABLE: [{"PutRequest": {"Item": item}}, {"DeleteRequest": {"Key": other}}]}});
    check::<aws::BatchWriteItem>(
        &bench,
        "dynamodb:BatchWriteItem",
        write,
        &format!("{own} Attributes=text LeadingKeys=ann LeadingKeys=bob {none}"),
    )
    .await;
    let gets = json!({"TransactItems": [{"Get": {"TableName": "notes", "Key": other}}]});
    check::<aws::TransactGetItems>(
        &bench,
        "dynamodb:GetItem",
        gets,
        &format!("{own} EnclosingOperation=TransactGetItems LeadingKeys=bob {none} Select=ALL_ATTRIBUTES"),
    )
    .await;
    // Each action is told of by itself.
    let writes = json!({"TransactItems": [
        {"Put": {"TableName": "notes", "Item": item}},
        {"Update": {"TableName": "notes", "Key": other, "UpdateExpression": "REMOVE a"}},
        {"ConditionCheck": {
            "TableName": "notes", "Key": {"owner": {"S": "eve"}, "nr": {"N": "1"}},
            "ConditionExpression": "attribute_exists(b)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }},
    ]});
    for (action, attributes, leading, returns) in [
        ("PutItem", format!("{own} Attributes=text"), "ann", "ReturnValues=NONE"),
        ("UpdateItem", format!("Attributes=a {own}"), "bob", "ReturnValues=NONE"),
        ("ConditionCheckItem", format!("Attributes=b {own}"), "eve", "ReturnValues=ALL_OLD ReturnValues=NONE"),
    ] {
        let enclosing = "EnclosingOperation=TransactWriteItems";
        let expected = format!("{attributes} {enclosing} LeadingKeys={leading} {none} {returns}");
        check::<aws::TransactWriteItems>(&bench, &format!("dynamodb:{action}"), writes.clone(), &expected).await;
    }
}

#[tokio::test]
async fn statements() {
    let bench = bench().await;
    for (action, text, expected) in [
        (
            "PartiQLSelect",
            "SELECT a.b FROM notes WHERE \"owner\" = 'ann' AND c > 1",
            "Attributes=a Attributes=c Attributes=owner FullTableScan=false LeadingKeys=ann Select=SPECIFIC_ATTRIBUTES",
        ),
        (
            "PartiQLSelect",
            "SELECT * FROM notes WHERE \"owner\" = 'ann' OR \"owner\" = 'bob'",
            "Attributes=owner FullTableScan=false LeadingKeys=ann LeadingKeys=bob Select=ALL_ATTRIBUTES",
        ),
        (
            "PartiQLSelect",
            "SELECT * FROM notes WHERE \"owner\" = 'ann' OR nr = 1",
            "Attributes=nr Attributes=owner FullTableScan=true Select=ALL_ATTRIBUTES",
        ),
        (
            "PartiQLInsert",
            "INSERT INTO notes VALUE {'owner': 'ann', 'nr': 1, 'a': 2}",
            "Attributes=a Attributes=nr Attributes=owner LeadingKeys=ann",
        ),
        (
            "PartiQLUpdate",
            "UPDATE notes SET a.b = c + 1 REMOVE d WHERE \"owner\" = 'ann' AND nr = 1 RETURNING MODIFIED NEW *",
            "Attributes=a Attributes=c Attributes=d Attributes=nr Attributes=owner LeadingKeys=ann \
             ReturnValues=UPDATED_NEW",
        ),
        (
            "PartiQLDelete",
            "DELETE FROM notes WHERE \"owner\" = 'ann' AND nr = 1 AND a IN [b, 2]",
            "Attributes=a Attributes=b Attributes=nr Attributes=owner LeadingKeys=ann ReturnValues=NONE",
        ),
    ] {
        let (action, input) = (format!("dynamodb:{action}"), json!({"Statement": text}));
        check::<aws::ExecuteStatement>(&bench, &action, input.clone(), expected).await;
        let expected = expected.replace(" FullTableScan", " EnclosingOperation=ExecuteTransaction FullTableScan");
        let expected = match expected.contains("EnclosingOperation") {
            true => expected,
            false => expected.replace(" LeadingKeys", " EnclosingOperation=ExecuteTransaction LeadingKeys"),
        };
        check::<aws::ExecuteTransaction>(&bench, &action, json!({"TransactStatements": [input]}), &expected).await;
    }
}

/// An insertion shows what is there already, where it is asked to.
#[tokio::test]
async fn what_a_refused_insertion_shows_is_told() {
    let bench = bench().await;
    let statement = json!({
        "Statement": "INSERT INTO notes VALUE {'owner': 'ann', 'nr': 1}",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    check::<aws::ExecuteTransaction>(
        &bench,
        "dynamodb:PartiQLInsert",
        json!({"TransactStatements": [statement]}),
        "Attributes=nr Attributes=owner EnclosingOperation=ExecuteTransaction LeadingKeys=ann ReturnValues=ALL_OLD \
         ReturnValues=NONE",
    )
    .await;
}

/// Nobody is let through by what could not be told.
#[tokio::test]
async fn what_cannot_be_read_is_refused() {
    let bench = bench().await;
    let refused = |told: Result<Vec<String>, Fault>| told.expect_err("refused").code;
    let no_key = with(json!({"Key": {"owner": {"S": "ann"}}}), json!({}));
    let told_of = told::<aws::GetItem>(&bench, "dynamodb:GetItem", TABLE, no_key).await;
    assert_eq!(refused(told_of), "ValidationException");
    let no_syntax = with(json!({"Key": key(), "UpdateExpression": "SET SET"}), json!({}));
    let told_of = told::<aws::UpdateItem>(&bench, "dynamodb:UpdateItem", TABLE, no_syntax).await;
    assert_eq!(refused(told_of), "ValidationException");
    // That there is no table is the operation's to say, to who may ask.
    let missing = json!({"TableName": "none", "Key": key()});
    let told_of = told::<aws::GetItem>(&bench, "dynamodb:GetItem", &TABLE.replace("notes", "none"), missing).await;
    assert_eq!(told_of.unwrap(), ["ReturnConsumedCapacity=NONE"]);
    // Without a policy that asks, nothing is read.
    let (context, identity, resource) = (Context::new(), Identity::default(), Arn::parse(TABLE).unwrap());
    let input = aws::GetItemInput::default();
    let actions: &[&str] = &["dynamodb:GetItem"];
    let (call, identity, context) = (&bench.call, &identity, &context);
    let asked = Asked { call, actions, resource: &resource, input: Some(&input), context, identity };
    assert!(bench.tables.told(asked).await.unwrap().keys.is_empty());
}
