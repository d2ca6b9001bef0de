//! Transactions under contention stay serialisable: many people move money between few accounts at once, and whoever looks at all of
//! them in one transaction always sees the same sum. Histories are recorded: every balance that was seen must be the one that the
//! transfers before it leave.

use std::sync::Arc;

use base::Random;
use serde_json::{Value, json};

use super::{Bench, aws};

const ACCOUNTS: usize = 5;
const PEOPLE: u64 = 8;
const TRANSFERS: usize = 30;
const START: i64 = 100;

/// A transfer that was done: how often each of its accounts had been changed before it, and what was in them then.
#[derive(Clone, Debug)]
struct Done {
    from: (usize, i64, i64),
    to: (usize, i64, i64),
    amount: i64,
}

fn key(account: usize) -> Value {
    json!({"id": {"S": format!("account-{account}")}})
}

async fn look(bench: &Bench) -> Vec<(i64, i64)> {
    let gets: Vec<Value> =
        (0..ACCOUNTS).map(|account| json!({"Get": {"TableName": "bank", "Key": key(account)}})).collect();
    let read = bench.call::<aws::TransactGetItems>(json!({"TransactItems": gets})).await;
    let number = |item: &Value, name: &str| item["Item"][name]["N"].as_str().unwrap().parse::<i64>().unwrap();
    read["Responses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (number(item, "changes"), number(item, "balance")))
        .collect()
}

fn change(account: usize, seen: (i64, i64), amount: i64) -> Value {
    json!({"Update": {
        "TableName": "bank", "Key": key(account),
        "UpdateExpression": "SET balance = balance + :a, changes = changes + :one",
        // What the other person saw must still be so.
        "ConditionExpression": "changes = :seen AND balance = :balance",
        "ExpressionAttributeValues": {
            ":a": {"N": amount.to_string()}, ":one": {"N": "1"}, ":seen": {"N": seen.0.to_string()},
            ":balance": {"N": seen.1.to_string()},
        },
    }})
}

async fn person(bench: Arc<Bench>, seed: u64) -> Vec<Done> {
    let random = Random::seeded(seed);
    let mut history = Vec::new();
    while history.len() < TRANSFERS {
        let accounts = look(&bench).await;
        assert_eq!(accounts.iter().map(|(_, balance)| balance).sum::<i64>(), START * ACCOUNTS as i64, "seed {seed}");
        let from = random.below(ACCOUNTS as u64) as usize;
        let to = (from + 1 + random.below(ACCOUNTS as u64 - 1) as usize) % ACCOUNTS;
        let amount = random.below(10) as i64;
        let input = json!({"TransactItems": [change(from, accounts[from], -amount), change(to, accounts[to], amount)]});
        match bench.try_call::<aws::TransactWriteItems>(input).await {
            Ok(_) => history.push(Done {
                from: (from, accounts[from].0, accounts[from].1),
                to: (to, accounts[to].0, accounts[to].1),
                amount,
            }),
            Err(fault) => assert_eq!(fault.code, "TransactionCanceledException", "{fault}"),
        }
    }
    history
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn transfers_under_contention_are_serialisable() {
    let bench = Arc::new(Bench::new().await);
    bench
        .call::<aws::CreateTable>(json!({
            "TableName": "bank", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], "BillingMode": "PAY_PER_REQUEST",
        }))
        .await;
    for account in 0..ACCOUNTS {
        let mut item = key(account);
        item["balance"] = json!({"N": START.to_string()});
        item["changes"] = json!({"N": "0"});
        bench.call::<aws::PutItem>(json!({"TableName": "bank", "Item": item})).await;
    }
    let mut people = tokio::task::JoinSet::new();
    for seed in 0..PEOPLE {
        people.spawn(person(Arc::clone(&bench), seed));
    }
    let mut history: Vec<Done> = people.join_all().await.into_iter().flatten().collect();
    let last = look(&bench).await;
    // Each change of an account saw what the one before left: so there is one order of all of them.
    let mut accounts = [(0, START); ACCOUNTS];
    while !history.is_empty() {
        let next = history.iter().position(|done| {
            accounts[done.from.0] == (done.from.1, done.from.2) && accounts[done.to.0] == (done.to.1, done.to.2)
        });
        let done = history.swap_remove(next.expect("some transfer is the next one in the serial order"));
        accounts[done.from.0] = (done.from.1 + 1, done.from.2 - done.amount);
        accounts[done.to.0] = (done.to.1 + 1, done.to.2 + done.amount);
    }
    assert_eq!(accounts.to_vec(), last);
}
