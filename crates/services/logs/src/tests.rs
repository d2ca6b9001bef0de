//! The service as its callers see it, over a store in memory and a clock that stands until it is moved.

mod background;
mod events;
mod follow;
mod groups;
mod intake;
mod paging;
mod restart;
mod streams;
mod tags;

use std::sync::Arc;
use std::time::Duration;

use base::task::Tasks;
use base::{Clock, ManualClock, Random};
use contract::{AccountId, Call, Fault, Handle, Operation, Origin, Principal, Region, Trace};
use jiff::Timestamp;
use store::Store;
use wire::logs as aws;

use crate::{Deps, Logs, Output, Scope};

/// 2026-11-21, 12:00:00 UTC.
const NOW: i64 = 1_795_262_400_000;

/// How long a test waits for a state before it gives up. Machines are slow sometimes.
const PATIENCE: Duration = Duration::from_secs(60);

struct Bench {
    logs: Arc<Logs>,
    store: Store,
    clock: Clock,
    hand: Arc<ManualClock>,
    call: Call,
    tasks: Tasks,
}

impl Bench {
    fn new() -> Self {
        let (clock, hand) = Clock::manual(Timestamp::from_millisecond(NOW).unwrap());
        Self::over(Store::memory(clock.clone()), clock, hand)
    }

    fn over(store: Store, clock: Clock, hand: Arc<ManualClock>) -> Self {
        let tasks = Tasks::new();
        let logs = Logs::new(Deps { store: store.clone(), clock: clock.clone(), tasks: tasks.clone() });
        let random = Random::seeded(1);
        let call = Call {
            id: random.uuid(),
            principal: Principal::Root,
            account: AccountId::ONLY,
            region: Region::default_one(),
            deadline: Duration::MAX,
            trace: Trace::start(&clock, &random),
            hops: 0,
            origin: Origin::Inside { part: "test", base_url: "http://localhost:4566".into() },
        };
        Self { logs, store, clock, hand, call, tasks }
    }

    async fn call<Op: Operation>(&self, input: Op::Input) -> Result<Op::Output, Fault>
    where
        Logs: Handle<Op>,
    {
        Handle::<Op>::handle(&*self.logs, &self.call, input).await
    }

    #[track_caller]
    fn refused<T: std::fmt::Debug>(answer: Result<T, Fault>) -> String {
        let fault = answer.expect_err("this is refused");
        format!("{}: {}", fault.code, fault.message)
    }

    async fn group(&self, name: &str) {
        let input = aws::CreateLogGroupRequest { log_group_name: name.into(), ..Default::default() };
        self.call::<aws::CreateLogGroup>(input).await.unwrap();
    }

    async fn stream(&self, group: &str, name: &str) {
        let input = aws::CreateLogStreamRequest { log_group_name: group.into(), log_stream_name: name.into() };
        self.call::<aws::CreateLogStream>(input).await.unwrap();
    }

    /// Puts events at these milliseconds from [`NOW`].
    async fn put(&self, group: &str, stream: &str, events: &[(i64, &str)]) -> aws::PutLogEventsResponse {
        self.try_put(group, stream, events).await.unwrap()
    }

    async fn try_put(
        &self,
        group: &str,
        stream: &str,
        events: &[(i64, &str)],
    ) -> Result<aws::PutLogEventsResponse, Fault> {
        let log_events = events
            .iter()
            .map(|(offset, message)| aws::InputLogEvent { timestamp: NOW + offset, message: (*message).into() })
            .collect();
        let (log_group_name, log_stream_name) = (group.into(), stream.into());
        let input = aws::PutLogEventsRequest { log_group_name, log_stream_name, log_events, ..Default::default() };
        self.call::<aws::PutLogEvents>(input).await
    }

    async fn ingest(&self, group: &str, stream: &str, lines: &[(i64, &str)]) {
        self.logs.ingest(output(group, stream, lines)).await.unwrap();
    }

    async fn get(&self, group: &str, stream: &str) -> Vec<String> {
        let input = aws::GetLogEventsRequest {
            log_group_name: Some(group.into()),
            log_stream_name: stream.into(),
            start_from_head: Some(true),
            ..Default::default()
        };
        let events = self.call::<aws::GetLogEvents>(input).await.unwrap().events.unwrap();
        events.into_iter().map(|event| event.message.unwrap()).collect()
    }

    /// All that matches, page by page.
    async fn filter(&self, input: aws::FilterLogEventsRequest) -> Vec<aws::FilteredLogEvent> {
        let mut found = Vec::new();
        let mut next_token = None;
        loop {
            let page = aws::FilterLogEventsRequest { next_token, ..input.clone() };
            let answer = self.call::<aws::FilterLogEvents>(page).await.unwrap();
            found.extend(answer.events.unwrap());
            next_token = answer.next_token;
            if next_token.is_none() {
                return found;
            }
        }
    }

    async fn filter_messages(&self, group: &str, pattern: &str) -> Vec<String> {
        let input = aws::FilterLogEventsRequest {
            log_group_name: Some(group.into()),
            filter_pattern: Some(pattern.into()),
            ..Default::default()
        };
        self.filter(input).await.into_iter().map(|event| event.message.unwrap()).collect()
    }

    async fn stored_bytes(&self, group: &str) -> i64 {
        let input = aws::DescribeLogGroupsRequest { log_group_name_prefix: Some(group.into()), ..Default::default() };
        let groups = self.call::<aws::DescribeLogGroups>(input).await.unwrap().log_groups.unwrap();
        groups.iter().find(|found| found.log_group_name.as_deref() == Some(group)).unwrap().stored_bytes.unwrap()
    }

    /// How many keys there are in the whole store.
    async fn keys(&self) -> usize {
        let mut rest = Some(store::Range::all());
        let mut count = 0;
        while let Some(range) = rest.take() {
            let page = self.store.snapshot().scan(range, store::Scan::first(1_000)).await.unwrap();
            count += page.items.len();
            rest = page.rest;
        }
        count
    }

    fn scope(&self) -> Scope {
        Scope { account: AccountId::ONLY, region: Region::default_one() }
    }
}

fn output(group: &str, stream: &str, lines: &[(i64, &str)]) -> Output {
    Output {
        account: AccountId::ONLY,
        region: Region::default_one(),
        group: group.into(),
        stream: stream.into(),
        lines: lines.iter().map(|(offset, message)| ((NOW + offset) as u64, message)).collect(),
    }
}

/// Overwrites everything under a prefix with what nothing can read.
async fn damage(bench: &Bench, prefix: &store::Key) {
    let page = bench.store.snapshot().scan(store::Range::prefix(prefix), store::Scan::first(1_000)).await.unwrap();
    assert!(!page.items.is_empty(), "there is something to damage");
    let keys: Vec<store::Key> = page.items.into_iter().map(|(key, _)| key).collect();
    let keys = &keys;
    let damaged = bench.store.transact(|tx| async move {
        keys.iter().for_each(|key| tx.put(key.clone(), vec![1, 9, 9]));
        Ok::<_, store::Error>(())
    });
    damaged.await.unwrap();
}

/// Asks again and again until it is so.
async fn until<F: AsyncFnMut() -> bool>(what: &str, mut is_so: F) {
    let start = std::time::Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < PATIENCE, "waited too long until {what}");
        tokio::task::yield_now().await;
    }
}
