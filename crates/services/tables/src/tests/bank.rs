//! Transactions under contention stay serialisable: many people move money between few accounts at once, some of them sure of what they saw
//! and some blindly, and look at all accounts in one transaction. Histories are recorded and held against the table's stream, which is
//! the order of the commits: whatever somebody saw is what one point of that order left, and no point is before what had ended by then.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base::Random;
use serde_json::{Value, json};

use super::{Bench, aws};

const ACCOUNTS: usize = 5;
const PEOPLE: u64 = 8;
const DEEDS: usize = 40;
const START: i64 = 100;

/// How often each account was changed, and what is in it.
type Accounts = Vec<(i64, i64)>;

/// Something that somebody did or saw, between two ticks of a clock that all of them share.
struct Event {
    begun: u64,
    ended: u64,
    what: What,
}

enum What {
    /// A transfer, by its note.
    Transfer(String),
    /// A single change of an account, and what it left there.
    Touch(usize, (i64, i64)),
    /// All accounts at one moment.
    Look(Accounts),
}

fn key(account: usize) -> Value {
    json!({"id": {"S": format!("account-{account}")}})
}

fn number(image: &Value, name: &str) -> i64 {
    image[name]["N"].as_str().unwrap().parse().unwrap()
}

fn read(image: &Value) -> (i64, i64) {
    (number(image, "changes"), number(image, "balance"))
}

async fn look(bench: &Bench) -> Accounts {
    let gets: Vec<Value> =
        (0..ACCOUNTS).map(|account| json!({"Get": {"TableName": "bank", "Key": key(account)}})).collect();
    let found = bench.call::<aws::TransactGetItems>(json!({"TransactItems": gets})).await;
    found["Responses"].as_array().unwrap().iter().map(|one| read(&one["Item"])).collect()
}

const CHANGE: &str = "SET balance = balance + :a, changes = changes + :one";

/// A change of an account, if that still is what somebody saw.
fn change(account: usize, amount: i64, seen: Option<(i64, i64)>) -> Value {
    let mut update = json!({
        "TableName": "bank", "Key": key(account), "UpdateExpression": CHANGE,
        "ExpressionAttributeValues": {":a": {"N": amount.to_string()}, ":one": {"N": "1"}},
    });
    if let Some((changes, balance)) = seen {
        update["ConditionExpression"] = "changes = :seen AND balance = :balance".into();
        update["ExpressionAttributeValues"][":seen"] = json!({"N": changes.to_string()});
        update["ExpressionAttributeValues"][":balance"] = json!({"N": balance.to_string()});
    }
    update
}

/// Does something; nothing if others were faster.
async fn act(bench: &Bench, random: &Random, note: String) -> Option<What> {
    let from = random.below(ACCOUNTS as u64) as usize;
    let to = (from + 1 + random.below(ACCOUNTS as u64 - 1) as usize) % ACCOUNTS;
    let amount = random.below(10) as i64;
    match random.below(4) {
        0 => Some(What::Look(look(bench).await)),
        1 => {
            let mut update = change(from, 0, None);
            update["ReturnValues"] = "ALL_NEW".into();
            let done = bench.call::<aws::UpdateItem>(update).await;
            Some(What::Touch(from, read(&done["Attributes"])))
        }
        kind => {
            let seen = if kind == 2 { Some(look(bench).await) } else { None };
            let of = |account: usize| seen.as_ref().map(|seen| seen[account]);
            let actions = json!([
                {"Update": change(from, -amount, of(from))}, {"Update": change(to, amount, of(to))},
                {"Put": {"TableName": "bank", "Item": {"id": {"S": note}}}},
            ]);
            match bench.try_call::<aws::TransactWriteItems>(json!({"TransactItems": actions})).await {
                Ok(_) => Some(What::Transfer(note)),
                Err(fault) => {
                    assert_eq!(fault.code, "TransactionCanceledException", "{fault}");
                    assert!(seen.is_some(), "nothing was asked of it: {fault}");
                    None
                }
            }
        }
    }
}

async fn person(bench: Arc<Bench>, ticks: Arc<AtomicU64>, seed: u64) -> Vec<Event> {
    let random = Random::seeded(seed);
    let mut history = Vec::new();
    let mut tried = 0;
    while history.len() < DEEDS {
        tried += 1;
        let begun = ticks.fetch_add(1, Ordering::SeqCst);
        let what = act(&bench, &random, format!("note-{seed}-{tried}")).await;
        let ended = ticks.fetch_add(1, Ordering::SeqCst);
        history.extend(what.map(|what| Event { begun, ended, what }));
    }
    history
}

/// The order of all commits, as the stream tells it.
#[derive(Default)]
struct Order {
    /// The accounts after each commit.
    states: Vec<Accounts>,
    /// Which commit a transfer was.
    notes: HashMap<String, usize>,
}

impl Order {
    async fn read(bench: &Bench, stream: &str) -> Self {
        let mut order = Self::default();
        let (mut accounts, mut last) = (vec![(0, 0); ACCOUNTS], None);
        for record in bench.records(stream).await {
            let told = &record["dynamodb"];
            // The last five digits say which of a commit's entries it is.
            let sequence = told["SequenceNumber"].as_str().unwrap();
            let commit = Some(sequence[..sequence.len() - 5].to_owned());
            let id = told["Keys"]["id"]["S"].as_str().unwrap();
            match id.strip_prefix("account-") {
                Some(account) => accounts[account.parse::<usize>().unwrap()] = read(&told["NewImage"]),
                None => assert_eq!(record["eventName"], "INSERT", "{id} is told of once"),
            }
            if commit != last {
                order.states.push(Vec::new());
                last = commit;
            }
            let at = order.states.len() - 1;
            order.states[at] = accounts.clone();
            if id.starts_with("note-") {
                order.notes.insert(id.to_owned(), at);
            }
        }
        order
    }

    /// At which commit something was done, or after which it was seen.
    fn place(&self, what: &What) -> usize {
        let found = match what {
            What::Transfer(note) => self.notes.get(note).copied(),
            What::Touch(account, left) => self.states.iter().position(|state| state[*account] == *left),
            What::Look(seen) => self.states.iter().position(|state| state == seen),
        };
        found.expect("all that was done or seen is what some commit left")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn transfers_under_contention_are_serialisable() {
    let bench = Arc::new(Bench::new().await);
    let made = bench
        .call::<aws::CreateTable>(json!({
            "TableName": "bank", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], "BillingMode": "PAY_PER_REQUEST",
            "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"},
        }))
        .await;
    for account in 0..ACCOUNTS {
        let mut item = key(account);
        item["balance"] = json!({"N": START.to_string()});
        item["changes"] = json!({"N": "0"});
        bench.call::<aws::PutItem>(json!({"TableName": "bank", "Item": item})).await;
    }
    let (mut people, ticks) = (tokio::task::JoinSet::new(), Arc::new(AtomicU64::new(0)));
    for seed in 0..PEOPLE {
        people.spawn(person(Arc::clone(&bench), Arc::clone(&ticks), seed));
    }
    let history: Vec<Event> = people.join_all().await.into_iter().flatten().collect();
    let stream = made["TableDescription"]["LatestStreamArn"].as_str().unwrap();
    let order = Order::read(&bench, stream).await;

    // Each commit is done whole: no money is made or lost, and only the accounts that it names are changed, once.
    for (at, pair) in order.states.windows(2).enumerate().skip(ACCOUNTS - 1) {
        let sum = |state: &Accounts| state.iter().map(|(_, balance)| balance).sum::<i64>();
        assert_eq!(sum(&pair[1]), START * ACCOUNTS as i64, "commit {at}");
        let changed = pair[0].iter().zip(&pair[1]).filter(|(before, after)| before != after);
        let expected = if order.notes.values().any(|note| *note == at + 1) { 2 } else { 1 };
        assert_eq!(changed.map(|(before, after)| after.0 - before.0).collect::<Vec<_>>(), vec![1; expected]);
    }
    assert_eq!(*order.states.last().unwrap(), look(&bench).await);

    // What had ended when something was begun comes before it.
    let placed: Vec<(&Event, usize)> = history.iter().map(|event| (event, order.place(&event.what))).collect();
    for (event, place) in &placed {
        let before = placed.iter().filter(|(other, _)| other.ended < event.begun);
        let earliest = before.map(|(_, place)| *place).max().unwrap_or_default();
        match event.what {
            What::Look(_) => assert!(*place >= earliest, "a look at {place} does not see {earliest}"),
            What::Transfer(_) | What::Touch(..) => assert!(*place > earliest, "{place} is done before {earliest}"),
        }
    }
    let transfers = history.iter().filter(|event| matches!(event.what, What::Transfer(_))).count();
    assert_eq!(transfers, order.notes.len(), "what was not acknowledged was not done");
}
