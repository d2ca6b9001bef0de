//! How many messages a second come in and go out of one queue, with durable commits on the embedded store in a temporary folder, and
//! what a backlog costs. Run it with `cargo run --release -p queues --example send_and_receive [BACKLOG]`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base::{Clock, Random};
use contract::{AccountId, Call, Fault, Handle, Origin, Principal, Region, Trace};
use futures_util::future::try_join_all;
use queues::{Deps, Queues};
use store::{Location, Options, Store};
use wire::sqs as aws;

const CLIENTS: usize = 16;
const BODY_BYTES: usize = 500;
const ROUND: Duration = Duration::from_secs(3);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let backlog: usize = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let (clock, random) = (Clock::system(), Random::system());
    let store = Store::open(Options::new(Location::Embedded(folder.path().into()), clock.clone()))?;
    let queues = Queues::open(Deps { store: store.clone(), clock: clock.clone(), random: random.clone() }).await?;
    let call = Call {
        id: random.uuid(),
        principal: Principal::Root,
        account: AccountId::ONLY,
        region: Region::default_one(),
        deadline: Duration::MAX,
        trace: Trace::start(&clock, &random),
        hops: 0,
        origin: Origin::Inside { part: "bench", base_url: "http://localhost:4566".into() },
    };
    let made = aws::CreateQueueRequest { queue_name: "bench".into(), ..Default::default() };
    Handle::<aws::CreateQueue>::handle(&*queues, &call, made).await?;
    let bench = Arc::new(Bench { queues: Arc::clone(&queues), call });

    println!("{CLIENTS} clients, messages of {BODY_BYTES} bytes");
    rate("send", &bench, |bench| async move { bench.send_one().await }).await?;
    rate("send in batches", &bench, |bench| async move { bench.send_ten().await }).await?;
    rate("receive and delete in batches", &bench, |bench| async move { bench.receive_ten().await }).await?;
    let left = AtomicUsize::new(backlog);
    let fill = (0..CLIENTS).map(|_| async {
        while left.fetch_sub(10, Ordering::Relaxed) as isize > 10 {
            bench.send_ten().await?;
        }
        Ok::<_, Fault>(())
    });
    try_join_all(fill).await?;
    println!("with {backlog} more messages in the queue");
    rate("send", &bench, |bench| async move { bench.send_one().await }).await?;
    rate("receive and delete in batches", &bench, |bench| async move { bench.receive_ten().await }).await?;
    queues.close(Duration::from_secs(10)).await;
    let opened = Instant::now();
    let queues = Queues::open(Deps { store: store.clone(), clock, random }).await?;
    let bench = Bench { queues: Arc::clone(&queues), call: bench.call.clone() };
    bench.receive_ten().await?;
    println!("first messages after a restart: {:?}", opened.elapsed());
    queues.close(Duration::from_secs(10)).await;
    store.close().await;
    Ok(())
}

struct Bench {
    queues: Arc<Queues>,
    call: Call,
}

impl Bench {
    async fn send_one(&self) -> Result<usize, Fault> {
        let input = aws::SendMessageRequest { queue_url: "bench".into(), message_body: body(), ..Default::default() };
        Handle::<aws::SendMessage>::handle(&*self.queues, &self.call, input).await?;
        Ok(1)
    }

    async fn send_ten(&self) -> Result<usize, Fault> {
        let entry = |number: usize| aws::SendMessageBatchRequestEntry {
            id: number.to_string(),
            message_body: body(),
            ..Default::default()
        };
        let input = aws::SendMessageBatchRequest { queue_url: "bench".into(), entries: (0..10).map(entry).collect() };
        Ok(Handle::<aws::SendMessageBatch>::handle(&*self.queues, &self.call, input).await?.successful.len())
    }

    async fn receive_ten(&self) -> Result<usize, Fault> {
        let input = aws::ReceiveMessageRequest {
            queue_url: "bench".into(),
            max_number_of_messages: Some(10),
            ..Default::default()
        };
        let found = Handle::<aws::ReceiveMessage>::handle(&*self.queues, &self.call, input).await?.messages;
        let entries: Vec<_> = found
            .unwrap_or_default()
            .into_iter()
            .enumerate()
            .filter_map(|(number, message)| {
                let (id, receipt_handle) = (number.to_string(), message.receipt_handle?);
                Some(aws::DeleteMessageBatchRequestEntry { id, receipt_handle })
            })
            .collect();
        if entries.is_empty() {
            return Ok(0);
        }
        let input = aws::DeleteMessageBatchRequest { queue_url: "bench".into(), entries };
        Ok(Handle::<aws::DeleteMessageBatch>::handle(&*self.queues, &self.call, input).await?.successful.len())
    }
}

fn body() -> String {
    "x".repeat(BODY_BYTES)
}

/// Has all clients work until the time is over, or there is nothing more to do.
async fn rate<F, Fut>(what: &str, bench: &Arc<Bench>, work: F) -> Result<(), Fault>
where
    F: Fn(Arc<Bench>) -> Fut,
    Fut: Future<Output = Result<usize, Fault>>,
{
    let start = Instant::now();
    let clients = (0..CLIENTS).map(|_| async {
        let mut messages = 0;
        while start.elapsed() < ROUND {
            match work(Arc::clone(bench)).await? {
                0 => break,
                count => messages += count,
            }
        }
        Ok::<_, Fault>(messages)
    });
    let messages: usize = try_join_all(clients).await?.into_iter().sum();
    println!("  {what}: {:.0} messages/s", messages as f64 / start.elapsed().as_secs_f64());
    Ok(())
}
