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

/// All that a statement reads, in pages of so many, and how many pages that were.
async fn in_pages(bench: &Bench, statement: &str, limit: usize) -> (Vec<String>, usize) {
    let (mut found, mut pages) = (Vec::new(), 0);
    let mut input = json!({"Statement": statement, "Limit": limit});
    loop {
        let page = bench.call::<aws::ExecuteStatement>(input.clone()).await;
        let key = |item: &Value| format!("{}{}", item["pk"]["S"].as_str().unwrap(), item["sk"]["N"].as_str().unwrap());
        found.extend(page["Items"].as_array().unwrap().iter().map(key));
        pages += 1;
        match &page["NextToken"] {
            Value::Null => return (found, pages),
            token => input["NextToken"] = token.clone(),
        }
    }
}

/// A starting key of such an index is a hash key alone, as the beginning of a partition is elsewhere.
#[tokio::test]
async fn an_index_with_the_key_of_its_table_is_read_to_its_end() {
    let bench = Bench::new().await;
    let keys = json!([{"AttributeName": "pk", "KeyType": "HASH"}]);
    bench
        .call::<aws::CreateTable>(json!({
            "TableName": "plain", "KeySchema": keys, "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "GlobalSecondaryIndexes": [{"IndexName": "same", "KeySchema": keys, "Projection": {"ProjectionType": "ALL"}}],
        }))
        .await;
    for pk in ["a", "b", "c"] {
        bench.say(&format!("INSERT INTO plain VALUE {{'pk': '{pk}'}}")).await;
    }
    for source in ["plain", "plain.same"] {
        for (clauses, expected) in [("pk = 'a'", "a"), ("pk IN ['c', 'x', 'a', 'b']", "c a b")] {
            let mut input = json!({"Statement": format!("SELECT * FROM {source} WHERE {clauses}"), "Limit": 1});
            let (mut found, mut pages) = (Vec::new(), 0);
            loop {
                let page = bench.call::<aws::ExecuteStatement>(input.clone()).await;
                let items = page["Items"].as_array().unwrap().iter();
                found.extend(items.map(|item| item["pk"]["S"].as_str().unwrap().to_owned()));
                pages += 1;
                assert!(pages <= 5, "{source}, {clauses}: there is an end");
                match &page["NextToken"] {
                    Value::Null => break,
                    token => input["NextToken"] = token.clone(),
                }
            }
            assert_eq!(found.join(" "), expected, "{source}, {clauses}");
        }
    }
}

#[tokio::test]
async fn several_partitions_are_read_and_no_others() {
    let bench = bench().await;
    for pk in ["a", "b", "c"] {
        for sk in 1..=3 {
            bench.say(&format!("INSERT INTO things VALUE {{'pk': '{pk}', 'sk': {sk}}}")).await;
        }
    }
    for (clauses, expected) in [
        ("pk IN ['c', 'a']", "c1 c2 c3 a1 a2 a3"),
        ("pk = 'b' OR pk = 'a' OR pk = 'b'", "b1 b2 b3 a1 a2 a3"),
        ("pk IN ['c', 'x', 'a'] AND sk >= 2", "c2 c3 a2 a3"),
        ("pk IN ['c', 'a'] AND sk = 2", "c2 a2"),
        ("pk = 'a' ORDER BY sk", "a1 a2 a3"),
        ("pk = 'a' ORDER BY sk DESC", "a3 a2 a1"),
        ("pk = 'a' ORDER BY pk", "a3 a2 a1"),
        ("pk IN ['c', 'a'] ORDER BY pk, sk", "a1 a2 a3 c1 c2 c3"),
        ("pk IN ['a', 'c'] ORDER BY pk DESC", "c3 c2 c1 a3 a2 a1"),
    ] {
        let statement = format!("SELECT * FROM things WHERE {clauses}");
        for limit in [1, 2, 3, 4, 100] {
            let (found, pages) = in_pages(&bench, &statement, limit).await;
            assert_eq!(found.join(" "), expected, "{clauses}, {limit} a page");
            assert!(pages <= found.len() / limit + 2, "{pages} pages");
        }
    }
    // What the key cannot answer is asked of each item, of its sort key too.
    for (clauses, expected) in [
        ("pk = 'a' AND sk <> 2", "a1 a3"),
        ("pk = 'a' AND NOT sk IN [1, 3]", "a2"),
        ("pk = 'a' AND sk > 1 AND (sk = 3 OR n = 1)", "a3"),
        ("pk IN ['a', 'b'] AND sk IN [1, 3]", "a1 a3 b1 b3"),
        ("pk = 'a' AND sk = 1 OR pk = 'b' AND sk = 2", "a1 b2"),
    ] {
        let (mut found, _) = in_pages(&bench, &format!("SELECT * FROM things WHERE {clauses}"), 2).await;
        found.sort_unstable();
        assert_eq!(found.join(" "), expected, "{clauses}");
    }
    assert_eq!(
        bench.refuse("SELECT * FROM things WHERE pk = 'a' AND n < TRUE").await.1,
        "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL"
    );
    let units = async |clauses: &str, kind: &str| {
        let input =
            json!({"Statement": format!("SELECT * FROM things WHERE {clauses}"), "ReturnConsumedCapacity": kind});
        bench.call::<aws::ExecuteStatement>(input).await["ConsumedCapacity"].clone()
    };
    assert_eq!(units("pk IN ['a', 'b', 'x']", "TOTAL").await, json!({"TableName": "things", "CapacityUnits": 1.5}));
    assert_eq!(units("pk IN ['a', 'b']", "INDEXES").await["Table"], json!({"CapacityUnits": 1}));
    assert_eq!(units("pk IN ['a', 'b']", "NONE").await, Value::Null);
    let (order, hash) = ("in ORDER BY clause must be part of the primary key", "when using ORDER BY clause.");
    for (clauses, expected) in [
        ("ORDER BY sk", format!("Must have WHERE clause in the statement {hash}")),
        ("WHERE pk = 'a' ORDER BY n DESC", format!("Attribute n {order}")),
        (
            "WHERE pk > 'a' ORDER BY sk",
            format!("Must have at least one non-optional hash key condition in WHERE clause {hash}"),
        ),
        (
            "WHERE pk IN ['a', 'b'] ORDER BY sk DESC",
            "Must have hash key in ORDER BY clause when more than one hash key condition specified in WHERE clause."
                .to_owned(),
        ),
    ] {
        let refused = bench.refuse(&format!("SELECT * FROM things {clauses}")).await;
        assert_eq!(refused, ("ValidationException".to_owned(), expected), "{clauses}");
    }
}

#[tokio::test]
async fn a_full_page_ends_between_two_partitions_too() {
    let bench = bench().await;
    // Two partitions fill a page, and neither does by itself.
    for (pk, sk) in [("a", 1), ("a", 2), ("b", 1), ("b", 2), ("c", 1)] {
        let item = json!({"pk": {"S": pk}, "sk": {"N": sk.to_string()}, "x": {"S": "x".repeat(300_000)}});
        bench.call::<aws::PutItem>(json!({"TableName": "things", "Item": item})).await;
    }
    let (found, pages) = in_pages(&bench, "SELECT * FROM things WHERE pk IN ['a', 'b', 'c']", 100).await;
    assert_eq!((found.join(" ").as_str(), pages), ("a1 a2 b1 b2 c1", 2));
    let first = json!({"Statement": "SELECT * FROM things WHERE pk IN ['a', 'b', 'c']"});
    let token = bench.call::<aws::ExecuteStatement>(first.clone()).await["NextToken"].clone();
    for (statement, token, expected) in [
        ("SELECT * FROM things WHERE pk IN ['a', 'b', 'c']", json!("7b7d"), "Invalid NextToken"),
        ("SELECT * FROM things WHERE pk IN ['a', 'b', 'c']", json!("nothing"), "Invalid NextToken"),
        ("SELECT * FROM things WHERE pk IN ['a', 'c']", token, "NextToken does not match request"),
    ] {
        let input = json!({"Statement": statement, "NextToken": token});
        assert_eq!(bench.refused::<aws::ExecuteStatement>(input).await.1, expected, "{statement}");
    }
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
            "UPDATE nowhere SET n = 1 WHERE pk = 'x'",
            "SLECT",
        ]))
        .await;
    let codes = |answers: &Value| -> Vec<Value> {
        answers["Responses"].as_array().unwrap().iter().map(|answer| answer["Error"]["Code"].clone()).collect()
    };
    let (null, wrong) = (Value::Null, json!("ValidationError"));
    assert_eq!(answers["Responses"][0], json!({"TableName": "things"}));
    assert_eq!(codes(&answers), [null.clone(), "DuplicateItem".into(), "ResourceNotFound".into(), wrong.clone()]);
    let answers = bench
        .call::<aws::BatchExecuteStatement>(batch(&[
            "SELECT * FROM things WHERE pk = 'a' AND sk = 1",
            "SELECT * FROM things WHERE pk = 'a'",
            "SELECT * FROM things WHERE pk = 'a' AND sk = 1 AND n = 1",
            "SELECT * FROM nowhere WHERE pk = 'x'",
        ]))
        .await;
    assert_eq!(answers["Responses"][0]["Item"], json!({"pk": {"S": "a"}, "sk": {"N": "1"}}));
    assert_eq!(codes(&answers), [null, wrong.clone(), wrong, "ResourceNotFound".into()]);
    let mixed =
        batch(&["INSERT INTO things VALUE {'pk': 'm', 'sk': 1}", "SELECT * FROM things WHERE pk = 'a' AND sk = 1"]);
    assert_eq!(bench.refused::<aws::BatchExecuteStatement>(mixed).await.0, "ValidationException");
    assert_eq!(bench.say("SELECT * FROM things WHERE pk = 'm'").await, json!([]), "nothing of it was done");

    let mut failing = batch(&["UPDATE things SET n = 1 WHERE pk = 'a' AND sk = 1 AND n = 5"; 2]);
    failing["Statements"][1]["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD".into();
    let errors = bench.call::<aws::BatchExecuteStatement>(failing).await;
    let error = |at: usize| &errors["Responses"][at]["Error"];
    assert_eq!((&error(0)["Code"], &error(1)["Code"]), (&json!("ConditionalCheckFailed"), &error(0)["Code"]));
    let there = json!({"pk": {"S": "a"}, "sk": {"N": "1"}});
    assert_eq!((&error(0)["Item"], &error(1)["Item"]), (&Value::Null, &there));

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
    let written = bench
        .call::<aws::ExecuteTransaction>(transaction(&[
            "EXISTS(SELECT * FROM things WHERE pk = 'a' AND sk = 1)",
            "INSERT INTO things VALUE {'pk': 'b', 'sk': 1, 'n': 7}",
        ]))
        .await;
    assert_eq!(written, json!({"Responses": []}));
    let read = transaction(&[
        "SELECT n FROM things WHERE pk = 'b' AND sk = 1",
        "SELECT * FROM things WHERE pk = 'z' AND sk = 1",
    ]);
    let read = bench.call::<aws::ExecuteTransaction>(read).await;
    assert_eq!(read["Responses"], json!([{"Item": {"n": {"N": "7"}}}, {}]));
    // What the key does not say is no read of a transaction: it would be answered as if it were not there.
    for more in
        ["AND sk = 1 AND owner = 'me'", "AND pk = 'a' AND sk = 1", "AND sk = 1 AND n IN [7, 8]", "AND sk > 0", ""]
    {
        let filtered = transaction(&[&format!("SELECT * FROM things WHERE pk = 'b' {more}")]);
        assert_eq!(
            bench.refused::<aws::ExecuteTransaction>(filtered).await.1,
            "Validation failed in TransactStatements[0]: Select statements within ExecuteTransaction must specify the \
             primary key in the where clause.",
            "{more}"
        );
    }
    let returning = transaction(&["UPDATE things SET n = 1 WHERE pk = 'b' AND sk = 1 RETURNING ALL NEW *"]);
    assert_eq!(
        bench.refused::<aws::ExecuteTransaction>(returning).await.1,
        "Validation failed in TransactStatements[0]: RETURNING clause is not supported in ExecuteTransaction."
    );
}
