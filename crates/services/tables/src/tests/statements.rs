//! PartiQL, as callers see it.

use serde_json::{Value, json};

use super::{Bench, aws};

async fn bench() -> Bench {
    let bench = Bench::new().await;
    let keys = json!([{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]);
    let table = json!({
        "TableName": "things",
        "KeySchema": keys,
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
        ],
        "BillingMode": "PAY_PER_REQUEST",
    });
    bench.call::<aws::CreateTable>(table).await;
    bench
}

impl Bench {
    async fn say(&self, statement: &str) -> Value {
        self.call::<aws::ExecuteStatement>(json!({"Statement": statement})).await["Items"].clone()
    }

    async fn refuse(&self, statement: &str) -> (String, String) {
        self.refused::<aws::ExecuteStatement>(json!({"Statement": statement})).await
    }
}

#[tokio::test]
async fn statements_do_what_they_say() {
    let bench = bench().await;
    for sk in 1..=5 {
        bench.say(&format!("INSERT INTO things VALUE {{'pk': 'a', 'sk': {sk}, 'm': {{'x': [{sk}]}}}}")).await;
    }
    assert_eq!(
        bench.refuse("INSERT INTO things VALUE {'pk': 'a', 'sk': 1}").await,
        ("DuplicateItemException".to_owned(), "Duplicate primary key exists in table".to_owned())
    );
    let two = bench.say("SELECT sk, m.x[0] FROM \"things\" WHERE pk = 'a' AND sk > 3 ORDER BY sk DESC").await;
    assert_eq!(
        two,
        json!([
            {"sk": {"N": "5"}, "x[0]": {"N": "5"}},
            {"sk": {"N": "4"}, "x[0]": {"N": "4"}},
        ])
    );
    assert_eq!(
        bench.say("SELECT sk FROM things WHERE m.x[0] = 2 OR sk IN [4]").await.as_array().map(Vec::len),
        Some(2)
    );
    let new =
        bench.say("UPDATE things SET n = 1, s = <<'a'>> REMOVE m WHERE pk = 'a' AND sk = 1 RETURNING ALL NEW *").await;
    assert_eq!(new, json!([{"pk": {"S": "a"}, "sk": {"N": "1"}, "n": {"N": "1"}, "s": {"SS": ["a"]}}]));
    let new = bench
        .say("UPDATE things SET n = n + 2 SET s = set_add(s, <<'b'>>) WHERE pk = 'a' AND sk = 1 AND n < 5 RETURNING MODIFIED NEW *")
        .await;
    assert_eq!(new, json!([{"n": {"N": "3"}, "s": {"SS": ["a", "b"]}}]));
    for absent in [
        "UPDATE things SET n = 1 WHERE pk = 'b' AND sk = 1",
        "UPDATE things SET n = 1 WHERE pk = 'a' AND sk = 1 AND n = 9",
    ] {
        assert_eq!(bench.refuse(absent).await.0, "ConditionalCheckFailedException", "{absent}");
    }
    let old = bench.say("DELETE FROM things WHERE pk = 'a' AND sk = 2 RETURNING ALL OLD *").await;
    assert_eq!(old[0]["sk"], json!({"N": "2"}));
    assert_eq!(bench.say("DELETE FROM things WHERE pk = 'a' AND sk = 2").await, json!([]));
    for (wrong, expected) in [
        ("SELECT * FROM things.x WHERE pk = 'a'", "The table does not have the specified index"),
        (
            "DELETE FROM things WHERE pk = 'a'",
            "Where clause does not contain a mandatory equality on all key attributes",
        ),
        ("SLECT", "Statement wasn't well formed, can't be processed: Expected data manipulation"),
    ] {
        assert_eq!(bench.refuse(wrong).await, ("ValidationException".to_owned(), expected.to_owned()), "{wrong}");
    }
    assert_eq!(bench.refuse("SELECT * FROM nowhere").await.0, "ResourceNotFoundException");
}

#[tokio::test]
async fn a_read_goes_on_where_it_ended() {
    let bench = bench().await;
    for sk in 1..=5 {
        bench.say(&format!("INSERT INTO things VALUE {{'pk': 'a', 'sk': {sk}}}")).await;
    }
    let mut found = Vec::new();
    let mut token = Value::Null;
    loop {
        let mut input = json!({
            "Statement": "SELECT sk FROM things WHERE pk = ?",
            "Parameters": [{"S": "a"}],
            "Limit": 2,
        });
        if !token.is_null() {
            input["NextToken"] = token;
        }
        let page = bench.call::<aws::ExecuteStatement>(input).await;
        found.extend(page["Items"].as_array().unwrap().iter().map(|item| item["sk"]["N"].as_str().unwrap().to_owned()));
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(found, ["1", "2", "3", "4", "5"]);
    let wrong = json!({"Statement": "SELECT * FROM things", "NextToken": "xyz"});
    assert_eq!(bench.refused::<aws::ExecuteStatement>(wrong).await.0, "ValidationException");
}

#[tokio::test]
async fn batches_answer_each_and_transactions_all_or_none() {
    let bench = bench().await;
    let batch = |statements: &[&str]| {
        let statements: Vec<Value> = statements.iter().map(|statement| json!({"Statement": statement})).collect();
        json!({"Statements": statements})
    };
    let answers = bench
        .call::<aws::BatchExecuteStatement>(batch(&[
            "INSERT INTO things VALUE {'pk': 'a', 'sk': 1}",
            "INSERT INTO things VALUE {'pk': 'a', 'sk': 1}",
            "SELECT * FROM things WHERE pk = 'a' AND sk = 1",
            "SELECT * FROM things WHERE pk = 'a'",
            "SELECT * FROM nowhere WHERE pk = 'x'",
            "SLECT",
        ]))
        .await;
    let answers = answers["Responses"].as_array().unwrap();
    assert_eq!(answers[0], json!({"TableName": "things"}));
    assert_eq!(answers[2]["Item"], json!({"pk": {"S": "a"}, "sk": {"N": "1"}}));
    let codes: Vec<&Value> = answers.iter().map(|answer| &answer["Error"]["Code"]).collect();
    let null = Value::Null;
    assert_eq!(
        codes,
        [
            &null,
            &json!("DuplicateItem"),
            &null,
            &json!("ValidationError"),
            &json!("ResourceNotFound"),
            &json!("ValidationError")
        ]
    );

    let transaction = |statements: &[&str]| {
        let statements: Vec<Value> = statements.iter().map(|statement| json!({"Statement": statement})).collect();
        json!({"TransactStatements": statements})
    };
    let cancelled = transaction(&[
        "INSERT INTO things VALUE {'pk': 'b', 'sk': 1}",
        "INSERT INTO things VALUE {'pk': 'a', 'sk': 1}",
    ]);
    assert_eq!(bench.refused::<aws::ExecuteTransaction>(cancelled).await.0, "TransactionCanceledException");
    assert_eq!(bench.say("SELECT * FROM things WHERE pk = 'b'").await, json!([]));
    bench
        .call::<aws::ExecuteTransaction>(transaction(&[
            "EXISTS(SELECT * FROM things WHERE pk = 'a' AND sk = 1)",
            "INSERT INTO things VALUE {'pk': 'b', 'sk': 1, 'n': 7}",
        ]))
        .await;
    let read = transaction(&[
        "SELECT n FROM things WHERE pk = 'b' AND sk = 1",
        "SELECT * FROM things WHERE pk = 'z' AND sk = 1",
    ]);
    let read = bench.call::<aws::ExecuteTransaction>(read).await;
    assert_eq!(read["Responses"], json!([{"Item": {"n": {"N": "7"}}}, {}]));
    let returning = transaction(&["UPDATE things SET n = 1 WHERE pk = 'b' AND sk = 1 RETURNING ALL NEW *"]);
    assert_eq!(
        bench.refused::<aws::ExecuteTransaction>(returning).await.1,
        "Validation failed in TransactStatements[0]: RETURNING clause is not supported in ExecuteTransaction."
    );
}
