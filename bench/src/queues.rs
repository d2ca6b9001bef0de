//! Messages in and out of one queue at sixteen clients, ours on disk before each answer, against an emulator that holds everything in
//! memory; and the same again over a backlog.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::api::{Api, Protocol, json_request};
use crate::peer::Peer;
use crate::table::{machine, median, print};

const CLIENTS: usize = 16;
const BODY_BYTES: usize = 500;
const ROUNDS: usize = 3;
const ROUND_TIME: Duration = Duration::from_secs(2);
/// How many messages lie in the queue when everything is measured again; `BENCH_BACKLOG` overrides it.
const BACKLOG: usize = 1_000_000;
const EMULATOR_PORT: u16 = 4599;

/// What the clients do, and what ours must reach, in messages a second.
const WORK: [(Work, &str, f64); 3] = [
    (Work::Send, "SendMessage", 12_000.0),
    (Work::SendBatch, "SendMessageBatch", 60_000.0),
    (Work::Take, "ReceiveMessage(10) + DeleteMessageBatch", 30_000.0),
];

#[derive(Clone, Copy)]
enum Work {
    Send,
    SendBatch,
    Take,
}

/// Runs it, prints the table and the ratios.
pub async fn run(root: &Path) -> Result<()> {
    println!("\nOne queue, {CLIENTS} clients, messages of {BODY_BYTES} bytes; {}", machine());
    println!("medians of {ROUNDS} rounds of {ROUND_TIME:?}, rounds alternate; messages/s\n");
    let data = tempfile::tempdir()?;
    let freehold = Peer::freehold(root, data.path(), None)?;
    let port = EMULATOR_PORT.to_string();
    let emulator = Peer::python(root, "moto[server]", "moto_server", &["-p", &port], EMULATOR_PORT).await?;
    let ours = Queue::make(&freehold).await?;
    let mut theirs = match &emulator {
        Some(emulator) => Some(Queue::make(emulator).await?),
        None => None,
    };
    let mut rows = Vec::new();
    let mut alone = Vec::new();
    for (work, name, target) in WORK {
        let (mut our_rates, mut their_rates) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            our_rates.push(ours.round(work).await?);
            if let Some(queue) = &theirs {
                match queue.round(work).await {
                    Ok(rate) => their_rates.push(rate),
                    Err(why) => {
                        eprintln!("moto gave up at {name}, so that the rest is without it: {why}");
                        theirs = None;
                    }
                }
            }
        }
        rows.push(vec![
            name.to_owned(),
            format!("{:.0}", median(&our_rates)),
            format!("{target:.0}"),
            format!("{:.0}", median(&their_rates)),
            format!("{:.0}", median(&our_rates) / median(&their_rates)),
        ]);
        alone.push(median(&our_rates));
    }
    print(&["", "freehold", "target", "moto", "ratio"], &rows);
    drop(emulator);
    over_a_backlog(&ours, &alone).await
}

async fn over_a_backlog(queue: &Queue, alone: &[f64]) -> Result<()> {
    let backlog = std::env::var("BENCH_BACKLOG").ok().map_or(Ok(BACKLOG), |text| text.parse())?;
    let filled = queue.fill(backlog).await?;
    println!("\nwith {backlog} more messages in the queue (sent at {filled:.0}/s)\n");
    let mut rows = Vec::new();
    for ((work, name, _), alone) in WORK.iter().zip(alone) {
        let mut rates = Vec::new();
        for _ in 0..ROUNDS {
            rates.push(queue.round(*work).await?);
        }
        rows.push(vec![(*name).to_owned(), format!("{:.0}", median(&rates)), format!("{:.2}", median(&rates) / alone)]);
    }
    print(&["", "freehold", "of the rate without"], &rows);
    Ok(())
}

/// A queue of a server.
struct Queue {
    address: String,
    url: String,
}

impl Queue {
    async fn make(server: &Peer) -> Result<Self> {
        let mut api = Api::open(&server.address).await?;
        let made = api.call(Protocol::Sqs, "CreateQueue", &json!({ "QueueName": "bench" })).await?;
        let url = made["QueueUrl"].as_str().context("a queue has an address")?.to_owned();
        let queue = Self { address: server.address.clone(), url };
        // By one client before sixteen: moto loads what it needs at the first message, and hangs where several are the first.
        Client::open(&queue).await?.send().await?;
        Ok(queue)
    }

    /// Has all clients work until the time is over; messages a second.
    async fn round(&self, work: Work) -> Result<f64> {
        let until = Instant::now() + ROUND_TIME;
        self.drive(move |client| async move {
            let mut client = client;
            let mut messages = 0;
            while Instant::now() < until {
                messages += match work {
                    Work::Send => client.send().await?,
                    Work::SendBatch => client.send_batch().await?,
                    Work::Take => client.take().await?,
                };
            }
            Ok(messages)
        })
        .await
    }

    async fn fill(&self, messages: usize) -> Result<f64> {
        self.drive(move |client| async move {
            let mut client = client;
            let mut sent = 0;
            while sent < messages / CLIENTS {
                sent += client.send_batch().await?;
            }
            Ok(sent)
        })
        .await
    }

    async fn drive<F, Fut>(&self, work: F) -> Result<f64>
    where
        F: Fn(Client) -> Fut,
        Fut: Future<Output = Result<usize>> + Send + 'static,
    {
        let start = Instant::now();
        let mut loops = JoinSet::new();
        for _ in 0..CLIENTS {
            loops.spawn(work(Client::open(self).await?));
        }
        let mut messages = 0;
        while let Some(one) = loops.join_next().await {
            messages += one??;
        }
        Ok(messages as f64 / start.elapsed().as_secs_f64())
    }
}

/// One client on a connection of its own; what it sends is made once.
struct Client {
    api: Api,
    url: String,
    send: Vec<u8>,
    send_batch: Vec<u8>,
    receive: Vec<u8>,
}

impl Client {
    async fn open(queue: &Queue) -> Result<Self> {
        let (address, url) = (queue.address.clone(), queue.url.clone());
        let body = "x".repeat(BODY_BYTES);
        let entries: Vec<Value> = (0..10).map(|id| json!({ "Id": id.to_string(), "MessageBody": body })).collect();
        let receive = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10 });
        Ok(Self {
            api: Api::open(&address).await?,
            send: json_request(
                &address,
                Protocol::Sqs,
                "SendMessage",
                &json!({ "QueueUrl": url, "MessageBody": body }),
            ),
            send_batch: json_request(
                &address,
                Protocol::Sqs,
                "SendMessageBatch",
                &json!({ "QueueUrl": url, "Entries": entries }),
            ),
            receive: json_request(&address, Protocol::Sqs, "ReceiveMessage", &receive),
            url,
        })
    }

    async fn send(&mut self) -> Result<usize> {
        self.api.exchange(&self.send).await?;
        Ok(1)
    }

    async fn send_batch(&mut self) -> Result<usize> {
        let answer = self.api.exchange(&self.send_batch).await?;
        ensure!(!contains(answer, b"\"Failed\":[{"), "not all were sent: {}", String::from_utf8_lossy(answer));
        Ok(10)
    }

    async fn take(&mut self) -> Result<usize> {
        let answer: Value = serde_json::from_slice(self.api.exchange(&self.receive).await?)?;
        let messages = answer["Messages"].as_array().map_or(&[][..], Vec::as_slice);
        let entry =
            |(id, message): (usize, &Value)| json!({ "Id": id.to_string(), "ReceiptHandle": message["ReceiptHandle"] });
        let entries: Vec<Value> = messages.iter().enumerate().map(entry).collect();
        if entries.is_empty() {
            return Ok(0);
        }
        let count = entries.len();
        let delete = json!({ "QueueUrl": self.url, "Entries": entries });
        self.api.call(Protocol::Sqs, "DeleteMessageBatch", &delete).await?;
        Ok(count)
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
