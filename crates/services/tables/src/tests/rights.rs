//! Who may touch which of several tables in one call.

use std::sync::Arc;

use contract::{Arn, Fault, Principal};
use dispatch::{Asked, Attachments, Identity};
use policy::{Context, Kind, Policy};
use serde_json::{Value, json};

use super::{Bench, aws};

/// Tables `one`, `two` and `secret`, each with an item, and a caller in a role.
async fn bench() -> Bench {
    let mut bench = Bench::new().await;
    for name in ["one", "two", "secret"] {
        let keys = json!([{"AttributeName": "id", "KeyType": "HASH"}]);
        let attributes = json!([{"AttributeName": "id", "AttributeType": "S"}]);
        let table = json!({
            "TableName": name, "KeySchema": keys, "AttributeDefinitions": attributes, "BillingMode": "PAY_PER_REQUEST",
        });
        bench.call::<aws::CreateTable>(table).await;
        bench.call::<aws::PutItem>(json!({"TableName": name, "Item": {"id": {"S": "x"}}})).await;
    }
    bench.call.principal = Principal::Role { role: "arn:aws:iam::000000000000:role/app".into(), session: "now".into() };
    bench
}

impl Bench {
    fn may(&self, statements: &Value) {
        let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        *self.shelf.rights.lock().unwrap() = vec![Arc::new(Policy::parse(&text, Kind::Identity).unwrap())];
    }
}

fn arn(table: &str) -> String {
    format!("arn:aws:dynamodb:us-east-1:000000000000:table/{table}")
}

fn key() -> Value {
    json!({"id": {"S": "x"}})
}

fn denied(tried: Result<Value, Fault>) -> bool {
    match tried {
        Ok(_) => false,
        Err(fault) => {
            assert_eq!(fault.code, "AccessDeniedException", "{fault}");
            true
        }
    }
}

/// What each operation that may touch several tables says to two of them.
async fn all_denied(bench: &Bench, first: &str, second: &str) -> Vec<(&'static str, bool)> {
    let both = |request: Value| {
        let mut items = json!({});
        (items[first], items[second]) = (request.clone(), request);
        json!({"RequestItems": items})
    };
    let get = |table: &str| json!({"Get": {"TableName": table, "Key": key()}});
    let check = |table: &str| json!({"ConditionCheck": {"TableName": table, "Key": key(), "ConditionExpression": "attribute_exists(id)"}});
    let select = |table: &str| json!({"Statement": format!("SELECT * FROM {table} WHERE id = 'x'")});
    let write = both(json!([{"PutRequest": {"Item": key()}}]));
    let gets = json!({"TransactItems": [get(first), get(second)]});
    let checks = json!({"TransactItems": [check(first), check(second)]});
    let selects = json!({"TransactStatements": [select(first), select(second)]});
    vec![
        ("BatchGetItem", denied(bench.try_call::<aws::BatchGetItem>(both(json!({"Keys": [key()]}))).await)),
        ("BatchWriteItem", denied(bench.try_call::<aws::BatchWriteItem>(write).await)),
        ("TransactGetItems", denied(bench.try_call::<aws::TransactGetItems>(gets).await)),
        ("TransactWriteItems", denied(bench.try_call::<aws::TransactWriteItems>(checks).await)),
        ("ExecuteTransaction", denied(bench.try_call::<aws::ExecuteTransaction>(selects).await)),
    ]
}

#[tokio::test]
async fn each_of_several_tables_is_asked_about() {
    let bench = bench().await;
    let actions = json!([
        "dynamodb:BatchGetItem",
        "dynamodb:BatchWriteItem",
        "dynamodb:GetItem",
        "dynamodb:ConditionCheckItem",
        "dynamodb:PartiQLSelect",
    ]);
    let every = |is: bool| {
        ["BatchGetItem", "BatchWriteItem", "TransactGetItems", "TransactWriteItems", "ExecuteTransaction"]
            .map(|name| (name, is))
    };
    // Exactly these two, which is how templates have it.
    bench.may(&json!([{"Effect": "Allow", "Action": actions, "Resource": [arn("one"), arn("two")]}]));
    assert_eq!(all_denied(&bench, "one", "two").await, every(false));
    assert_eq!(all_denied(&bench, "one", "secret").await, every(true));
    assert_eq!(all_denied(&bench, "secret", "one").await, every(true));
    // All but one.
    bench.may(&json!([
        {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "dynamodb:*", "Resource": arn("secret")},
    ]));
    assert_eq!(all_denied(&bench, "one", "two").await, every(false));
    assert_eq!(all_denied(&bench, "one", "secret").await, every(true));
}

/// What is done to one table says nothing of another.
#[tokio::test]
async fn each_of_several_tables_is_asked_about_by_what_is_done_to_it() {
    let bench = bench().await;
    let with_key = |table: &str, key: &str| {
        let condition = json!({"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [key]}, "Null": {"dynamodb:LeadingKeys": "false"}});
        json!({"Effect": "Allow", "Action": "dynamodb:*", "Resource": arn(table), "Condition": condition})
    };
    for (keys, is_denied) in [(("x", "x"), false), (("x", "y"), true), (("y", "x"), true)] {
        bench.may(&json!([with_key("one", keys.0), with_key("two", keys.1)]));
        for (name, found) in all_denied(&bench, "one", "two").await {
            assert_eq!(found, is_denied, "{name} {keys:?}");
        }
    }
}

#[tokio::test]
async fn what_a_call_does_is_what_it_needs_the_right_for() {
    let bench = bench().await;
    bench.may(&json!([
        {"Effect": "Allow", "Action": ["dynamodb:PutItem", "dynamodb:PartiQLSelect"], "Resource": arn("one")},
    ]));
    let put = json!({"Put": {"TableName": "one", "Item": key()}});
    let delete = json!({"Delete": {"TableName": "one", "Key": {"id": {"S": "y"}}}});
    let write = async |actions: Value| {
        denied(bench.try_call::<aws::TransactWriteItems>(json!({"TransactItems": actions})).await)
    };
    assert!(!write(json!([put])).await);
    assert!(write(json!([put, delete])).await);
    for (statement, is_denied) in [
        ("SELECT * FROM one WHERE id = 'x'", false),
        ("INSERT INTO one VALUE {'id': 'z'}", true),
        ("UPDATE one SET n = 1 WHERE id = 'x'", true),
        ("DELETE FROM one WHERE id = 'x'", true),
        ("SELECT * FROM secret WHERE id = 'x'", true),
    ] {
        let input = json!({"Statement": statement});
        assert_eq!(denied(bench.try_call::<aws::ExecuteStatement>(input).await), is_denied, "{statement}");
    }
    let select = |table: &str| json!({"Statement": format!("SELECT * FROM {table} WHERE id = 'x'")});
    let batch = json!({"Statements": [select("one"), select("secret")]});
    let responses = bench.call::<aws::BatchExecuteStatement>(batch).await["Responses"].clone();
    assert_eq!((&responses[0]["Item"], &responses[1]["Item"]), (&key(), &Value::Null));
    assert_eq!(responses[1]["Error"]["Code"], "AccessDenied");
}

/// A condition that cannot be looked at must not let anybody through.
#[tokio::test]
async fn who_is_under_a_condition_that_is_not_told_is_refused() {
    let mut bench = bench().await;
    let policy = |condition: &Value, kind| {
        let mut statement =
            json!({"Effect": "Allow", "Action": "dynamodb:*", "Resource": arn("one"), "Condition": condition});
        if kind == Kind::Resource {
            statement["Principal"] = json!("*");
        }
        json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
    };
    let resource = Arn::parse(&arn("one")).unwrap();
    let told = async |bench: &Bench, policies: Vec<Arc<Policy>>| {
        let (context, identity) = (Context::new(), Identity { policies, ..Identity::default() });
        let (call, actions) = (&bench.call, &["dynamodb:GetItem"] as &[&str]);
        let asked = Asked { call, actions, resource: &resource, input: None, context: &context, identity: &identity };
        denied(bench.tables.told(asked).await.map(|_| Value::Null))
    };
    let unknown = json!({"ForAllValues:StringEquals": {"dynamodb:FirstPartitionKeyValues": ["somebody"]}});
    for (condition, is_denied) in [
        (&unknown, true),
        (&json!({"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["x"], "DynamoDB:Invented": ["x"]}}), true),
        (&json!({"ForAllValues:StringEquals": {"dynamodb:leadingkeys": ["x"]}}), false),
        (&json!({"StringEquals": {"aws:PrincipalAccount": "000000000000"}}), false),
    ] {
        let own = Arc::new(Policy::parse(&policy(condition, Kind::Identity), Kind::Identity).unwrap());
        assert_eq!(told(&bench, vec![own]).await, is_denied, "{condition}");
    }
    assert!(!told(&bench, Vec::new()).await);
    let role = std::mem::replace(&mut bench.call.principal, Principal::Root);
    let put = json!({"ResourceArn": arn("one"), "Policy": policy(&unknown, Kind::Resource)});
    bench.call::<aws::PutResourcePolicy>(put).await;
    // Whoever owns the table is never locked out of it.
    assert!(!told(&bench, Vec::new()).await);
    bench.call.principal = role;
    assert!(told(&bench, Vec::new()).await);
}
