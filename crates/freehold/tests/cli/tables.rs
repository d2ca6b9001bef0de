//! `freehold tables` on a node with a table.

use serde_json::{Value, json};

use crate::support::{DEADLINE, Node};

fn call(node: &Node, operation: &str, input: &Value) -> Value {
    let (status, answer) = node.post(&format!("/_call/dynamodb/{operation}"), &input.to_string());
    assert_eq!(status, 200, "{operation}: {answer}");
    serde_json::from_str(&answer).unwrap()
}

fn node_with_orders() -> Node {
    let node = Node::start(&["--memory"]);
    call(
        &node,
        "CreateTable",
        &json!({
            "TableName": "orders", "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [
                { "AttributeName": "customer", "KeyType": "HASH" }, { "AttributeName": "number", "KeyType": "RANGE" },
            ],
            "AttributeDefinitions": [
                { "AttributeName": "customer", "AttributeType": "S" }, { "AttributeName": "number", "AttributeType": "N" },
                { "AttributeName": "state", "AttributeType": "S" },
            ],
            "GlobalSecondaryIndexes": [{
                "IndexName": "by-state", "KeySchema": [{ "AttributeName": "state", "KeyType": "HASH" }],
                "Projection": { "ProjectionType": "ALL" },
            }],
        }),
    );
    let started = std::time::Instant::now();
    while call(&node, "DescribeTable", &json!({ "TableName": "orders" }))["Table"]["TableStatus"] != "ACTIVE" {
        assert!(started.elapsed() < DEADLINE, "the table does not become active");
    }
    for number in -1..5 {
        let state = if number % 2 == 0 { "open" } else { "paid" };
        let item = json!({
            "customer": { "S": "ada" }, "number": { "N": number.to_string() }, "state": { "S": state },
        });
        call(&node, "PutItem", &json!({ "TableName": "orders", "Item": item }));
    }
    node
}

#[test]
fn tables_are_listed_peeked_into_and_asked() {
    let node = node_with_orders();
    let listed = node.run(&["tables"]).json();
    assert_eq!(listed["tables"][0]["TableName"], "orders", "{listed:#}");
    assert_eq!(node.run(&["tables", "list", "--json"]).json()["tables"].as_array().map(Vec::len), Some(1));

    let check = |line: &str, numbers: &[i32], more: bool| {
        let arguments: Vec<&str> = line.split(' ').collect();
        let found = node.run(&arguments);
        assert_eq!(found.code, Some(0), "{line}: {found:?}");
        let found = found.json();
        let items = found["items"].as_array().unwrap();
        let found_numbers: Vec<i32> =
            items.iter().map(|item| item["number"]["N"].as_str().unwrap().parse().unwrap()).collect();
        assert_eq!((found_numbers.as_slice(), &found["more"]), (numbers, &json!(more)), "{line}");
    };
    check("tables peek orders", &[-1, 0, 1, 2, 3, 4], false);
    check("tables peek orders --limit 6", &[-1, 0, 1, 2, 3, 4], false);
    check("tables peek orders --limit 2", &[-1, 0], true);
    check("tables query orders ada", &[-1, 0, 1, 2, 3, 4], false);
    check("tables query orders ada -1", &[-1], false);
    check("tables query orders ada --from 1 --to 3", &[1, 2, 3], false);
    check("tables query orders ada --from 3", &[3, 4], false);
    check("tables query orders ada --to -1", &[-1], false);
    check("tables query orders ada --reverse --limit 2", &[4, 3], true);
    check("tables query orders bob", &[], false);
    let found = node.run(&["tables", "query", "orders", "open", "--index", "by-state"]).json();
    assert_eq!(found["items"].as_array().map(Vec::len), Some(3), "{found:#}");
}

#[test]
fn what_is_not_there_gets_suggestions() {
    let node = node_with_orders();
    let check = |line: &str, code: i32, said: &[&str]| {
        let arguments: Vec<&str> = line.split(' ').collect();
        let done = node.run(&arguments);
        assert_eq!(done.code, Some(code), "{line}: {done:?}");
        assert_eq!(done.stdout, "", "{line}");
        for part in said {
            assert!(done.stderr.contains(part), "{line} says {part}: {done:?}");
        }
    };
    check("tables peek order", 1, &["There is no table 'order'", "Did you mean 'orders'?"]);
    // Names that no table can have are no names of tables.
    check("tables peek x", 1, &["There is no table 'x'", "See which there are with: freehold tables"]);
    check("tables query no/such/table x", 1, &["There is no table 'no/such/table'"]);
    check("tables query orders x --index by-stat", 1, &["has no index 'by-stat'", "Did you mean 'by-state'?"]);
    check("tables query orders ada 1 2", 2, &["has no key number 3: its keys are customer, number."]);
    check("tables query orders ada one", 2, &["The key 'number' is a number, and 'one' is none."]);
}
