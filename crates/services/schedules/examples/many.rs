//! How a node fares with very many schedules: what they cost in memory, and how late one of them fires among all the others.
//!
//!     cargo run --release -p schedules --example many -- 1000000
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base::task::Tasks;
use base::{Clock, Random};
use contract::{
    AccountId, BoxFuture, Call, Caller, Document, Fault, Handle, OperationId, Origin, Principal, Region, Trace,
};
use schedules::{Deps, Schedules};
use serde_json::json;
use store::{Location, Options, Store};
use wire::scheduler as aws;

/// Notes when it is called.
#[derive(Default)]
struct Clocked(Mutex<Vec<i64>>, Option<Clock>);

impl Caller for Clocked {
    fn call<'a>(&'a self, _: OperationId, _: &'a Call, _: Document) -> BoxFuture<'a, Result<Document, Fault>> {
        self.0.lock().unwrap().push(self.1.as_ref().unwrap().now_ms());
        Box::pin(async { Ok(json!({})) })
    }

    fn find(&self, service: &str, name: &str) -> Result<OperationId, Fault> {
        let found = wire::service(service).and_then(|service| service.operation(name));
        found.map(|found| found.id).ok_or_else(|| Fault::unserved(service, name))
    }
}

#[tokio::main]
async fn main() {
    let count: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(100_000);
    let folder = tempfile::tempdir().unwrap();
    let (clock, random, tasks) = (Clock::system(), Random::system(), Tasks::new());
    let store = Store::open(Options::new(Location::Embedded(folder.path().into()), clock.clone())).unwrap();
    let caller = Arc::new(Clocked(Mutex::default(), Some(clock.clone())));
    let deps = Deps {
        store: store.clone(),
        clock: clock.clone(),
        random: random.clone(),
        caller: Arc::clone(&caller) as _,
        base_url: "http://localhost:4566".into(),
    };
    let schedules = Schedules::open(deps);
    let deliveries = delivery::Deliveries::start(delivery::Deps {
        store: store.clone(),
        caller: Arc::clone(&caller) as _,
        clock: clock.clone(),
        random: random.clone(),
        limits: delivery::Limits::default(),
        reach: delivery::Reach::Everything,
        carriers: vec![schedules.carrier()],
    })
    .await
    .unwrap();
    schedules.start(&tasks);
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
    let create = async |name: String, expression: String| {
        let input = aws::CreateScheduleInput {
            name,
            schedule_expression: expression,
            flexible_time_window: aws::FlexibleTimeWindow {
                mode: aws::FlexibleTimeWindowMode::Off,
                maximum_window_in_minutes: None,
            },
            target: aws::Target {
                arn: "arn:aws:sqs:us-east-1:000000000000:jobs".into(),
                role_arn: "arn:aws:iam::000000000000:role/any".into(),
                input: Some("{}".into()),
                ..Default::default()
            },
            ..Default::default()
        };
        Handle::<aws::CreateSchedule>::handle(&*schedules, &call, input).await.unwrap();
    };
    let (before, began) = (resident_mib(), Instant::now());
    let at_once = 64;
    for first in (0..count).step_by(at_once) {
        let some =
            (first..count.min(first + at_once)).map(|number| create(format!("s{number}"), "cron(0 3 * * ? *)".into()));
        futures_util::future::join_all(some).await;
    }
    let made = began.elapsed();
    println!(
        "{count} schedules made in {:.1} s ({:.0}/s); {} MiB resident, {before} MiB before",
        made.as_secs_f64(),
        count as f64 / made.as_secs_f64(),
        resident_mib()
    );
    let mut late = Vec::new();
    for round in 0..5 {
        let then = clock.now() + Duration::from_secs(2);
        let due_ms = then.as_second() * 1_000;
        create(format!("one-{round}"), then.strftime("at(%Y-%m-%dT%H:%M:%S)").to_string()).await;
        while caller.0.lock().unwrap().len() <= round {
            clock.sleep(Duration::from_micros(200)).await;
        }
        late.push(caller.0.lock().unwrap()[round] - due_ms);
    }
    late.sort_unstable();
    println!("one among them called {} ms after its time (median of 5; all: {late:?})", late[2]);
    tasks.shut_down(Duration::from_secs(10)).await;
    deliveries.shut_down(Duration::from_secs(10)).await;
    store.close().await;
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}
