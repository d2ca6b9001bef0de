//! Readers over a toy stream: a child's records come after its parent's, what fails comes again, and who starts anew goes on from what
//! was kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::task::Tasks;
use base::{Clock, ManualClock, Random};
use contract::caller::BoxFuture;
use contract::{AccountId, Arn, Call, Caller, Cause, Document, Fault, OperationId, Principal, Region};
use mapping::readers::Lost;
use mapping::stream::{Attempt, Checkpoint, Ending, Settings};
use mapping::{Filters, Progress, Readers, Reading, ShardSink, Tools, Tried};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// Machines are noisy.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone)]
struct World(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    came: Notify,
    clock: Clock,
    hand: Arc<ManualClock>,
}

#[derive(Default)]
struct State {
    /// By shard: its parent, its records, and whether it has ended.
    shards: BTreeMap<String, (Option<String>, Vec<u64>, bool)>,
    handed: Vec<Vec<u64>>,
    /// Fails while it is in a batch.
    bad: Option<u64>,
    kept: BTreeMap<String, Checkpoint>,
    lost: Vec<u64>,
    reasons: BTreeSet<&'static str>,
    /// The most discards that came in one step.
    lost_at_once: usize,
    /// So many more times something can be kept; none is any number.
    keeps_left: Option<u32>,
    keeps_refused: u32,
}

impl World {
    fn new() -> Self {
        let (clock, hand) = Clock::manual("2026-01-01T00:00:00Z".parse().expect("it is a time"));
        Self(Arc::new(Inner { state: Mutex::default(), came: Notify::new(), clock, hand }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shard(&self, id: &str, parent: Option<&str>, records: &[u64], ended: bool) {
        let shard = (parent.map(str::to_owned), records.to_vec(), ended);
        self.state().shards.insert(id.to_owned(), shard);
        self.0.came.notify_waiters();
    }

    fn start(&self, settings: Settings, filters: Filters) -> Readers {
        let tools = Tools {
            caller: Arc::new(self.clone()),
            clock: self.0.clock.clone(),
            random: Random::seeded(7),
            tasks: Tasks::new(),
            base_url: "http://localhost:4566".into(),
        };
        let (account, region) = (AccountId::ONLY, Region::default_one());
        let stream = Arn::new("dynamodb", &region, account, "table/t/stream/now");
        Readers::start(
            Reading { stream, account, region, settings, filters },
            Arc::new(self.clone()),
            &tools,
            Vec::new(),
        )
    }

    fn handed(&self) -> Vec<u64> {
        self.state().handed.concat()
    }

    /// Waits for a state, while time goes by.
    async fn until(&self, what: &str, mut there: impl FnMut(&State) -> bool) {
        let reached = async {
            while !there(&self.state()) {
                self.0.hand.advance(Duration::from_millis(50));
                tokio::task::yield_now().await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, reached).await.is_ok(), "it never came to this: {what}");
    }

    /// Records after a number, as soon as there is one; none and an end where the shard has ended.
    async fn records(&self, shard: &str, after: u64) -> (Vec<u64>, bool) {
        loop {
            let came = self.0.came.notified();
            {
                let state = self.state();
                let (_, records, ended) = &state.shards[shard];
                let found: Vec<u64> = records.iter().copied().filter(|number| *number > after).collect();
                if !found.is_empty() || *ended {
                    return (found, *ended);
                }
            }
            came.await;
        }
    }
}

impl Caller for World {
    fn call<'a>(
        &'a self,
        operation: OperationId,
        _call: &'a Call,
        input: Document,
    ) -> BoxFuture<'a, Result<Document, Fault>> {
        Box::pin(async move {
            let text = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
            match operation.name {
                "DescribeStream" => {
                    let state = self.state();
                    let shown = |(id, (parent, ..)): (&String, &(Option<String>, Vec<u64>, bool))| json!({ "ShardId": id, "ParentShardId": parent });
                    let shards: Vec<Value> = state.shards.iter().map(shown).collect();
                    Ok(json!({ "StreamDescription": { "Shards": shards } }))
                }
                "GetShardIterator" => {
                    let after =
                        if input["SequenceNumber"].is_string() { text("SequenceNumber") } else { "0".to_owned() };
                    Ok(json!({ "ShardIterator": format!("{}|{after}", text("ShardId")) }))
                }
                "GetRecords" => {
                    let iterator = text("ShardIterator");
                    let (shard, after) = iterator.split_once('|').expect("it is one of ours");
                    let (found, ended) = self.records(shard, after.parse().expect("it is a number")).await;
                    let next = found.last().map_or(after.to_owned(), u64::to_string);
                    let shown = |number: &u64| {
                        json!({ "eventName": if number.is_multiple_of(2) { "MODIFY" } else { "INSERT" }, "dynamodb": {
                            "SequenceNumber": number.to_string(), "Keys": { "id": { "N": (number % 3).to_string() } },
                            "ApproximateCreationDateTime": self.0.clock.now_ms() / 1_000,
                        } })
                    };
                    let records: Vec<Value> = found.iter().map(shown).collect();
                    let next = (!ended).then(|| format!("{shard}|{next}"));
                    Ok(json!({ "Records": records, "NextShardIterator": next }))
                }
                other => Err(Fault::new(Cause::Unserved, "UnknownOperation", other)),
            }
        })
    }

    fn find(&self, _service: &str, name: &str) -> Result<OperationId, Fault> {
        Err(Fault::new(Cause::Unserved, "UnknownOperation", name))
    }
}

impl ShardSink for World {
    fn hand<'a>(&'a self, _shard: &'a str, attempt: &'a Attempt) -> BoxFuture<'a, Tried> {
        Box::pin(async move {
            let numbers: Vec<u64> = attempt.records.iter().map(|record| record.sequence as u64).collect();
            let mut state = self.state();
            let is_bad = state.bad.is_some_and(|bad| numbers.contains(&bad));
            state.handed.push(numbers);
            let (ending, problem) = match is_bad {
                true => (Ending::Failed, Some("it is bad".to_owned())),
                false => (Ending::Done { state: Value::Null }, None),
            };
            Tried::Ended { ending, request_id: "call".to_owned(), problem }
        })
    }

    fn principal(&self) -> Principal {
        Principal::Root
    }

    fn checkpoints(&self) -> BoxFuture<'_, Result<BTreeMap<String, Checkpoint>, Fault>> {
        Box::pin(async { Ok(self.state().kept.clone()) })
    }

    fn keep<'a>(
        &'a self,
        shard: &'a str,
        checkpoint: &'a Checkpoint,
        lost: Lost<'a>,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let mut state = self.state();
            match &mut state.keeps_left {
                Some(0) => {
                    state.keeps_refused += 1;
                    return Err(Fault::new(Cause::Unavailable, "Closed", "the store is gone"));
                }
                Some(left) => *left -= 1,
                None => {}
            }
            state.kept.insert(shard.to_owned(), checkpoint.clone());
            state.lost_at_once = state.lost_at_once.max(lost.discards.len());
            for discard in lost.discards {
                assert_eq!(lost.request_id, if state.handed.is_empty() { "" } else { "call" });
                state.lost.extend(discard.records.iter().map(|record| record.sequence as u64));
                state.reasons.insert(discard.reason.condition());
            }
            Ok(())
        })
    }

    fn forget<'a>(&'a self, shard: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            self.state().kept.remove(shard);
            Ok(())
        })
    }
}

fn settings() -> Settings {
    Settings {
        batch: 4,
        window: Duration::ZERO,
        lanes: 1,
        bisects: false,
        retries_max: None,
        age_max: None,
        tumbling: None,
    }
}

fn kept(state: &State, shard: &str) -> Option<u128> {
    state.kept.get(shard).and_then(|checkpoint| checkpoint.after)
}

#[tokio::test]
async fn children_follow_their_parents_and_a_new_reader_goes_on() {
    let world = World::new();
    world.shard("a", None, &[1, 2, 3, 4, 5], true);
    world.shard("b", Some("a"), &[11, 12], false);
    world.shard("c", Some("long-gone"), &[], false);
    let readers = world.start(settings(), Filters::default());
    world.until("all is handled", |state| kept(state, "b") == Some(12)).await;
    assert_eq!(world.handed(), [1, 2, 3, 4, 5, 11, 12]);
    assert_eq!(readers.progress(), Progress::Fine);
    readers.stop();
    world.until("they stop", |_| readers.has_stopped()).await;

    world.shard("b", Some("a"), &[11, 12, 13], false);
    let readers = world.start(settings(), Filters::default());
    world.until("the new one is handled", |state| kept(state, "b") == Some(13)).await;
    assert_eq!(world.handed(), [1, 2, 3, 4, 5, 11, 12, 13], "nothing twice");
    world.state().shards.remove("a");
    world.until("the shard that is gone is forgotten", |state| !state.kept.contains_key("a")).await;
    readers.stop();
}

#[tokio::test]
async fn a_bad_record_is_looked_for_and_given_up_and_the_others_are_handled() {
    let world = World::new();
    world.state().bad = Some(3);
    world.shard("a", None, &[1, 2, 3, 4, 5], false);
    let readers = world.start(Settings { bisects: true, retries_max: Some(2), ..settings() }, Filters::default());
    world.until("all is handled or given up", |state| kept(state, "a") == Some(5)).await;
    let state = world.state();
    assert_eq!(state.lost, [3]);
    assert_eq!(state.handed, [vec![1, 2, 3, 4], vec![1, 2], vec![3, 4], vec![3], vec![3], vec![3], vec![4], vec![5]]);
    drop(state);
    readers.stop();
}

/// Records of several lanes become too old at the same moment: whenever the node dies, all of them are told of.
#[tokio::test]
async fn what_becomes_too_old_in_several_lanes_is_told_of_whole() {
    let aged = Settings {
        lanes: 10,
        batch: 100,
        window: Duration::from_secs(300),
        age_max: Some(Duration::from_secs(60)),
        ..settings()
    };
    for keeps in 0..3 {
        let world = World::new();
        world.shard("a", None, &[1, 2, 3, 4, 5, 6], false);
        world.state().keeps_left = Some(keeps);
        let readers = world.start(aged.clone(), Filters::default());
        let is_told_or_stuck = |state: &State| state.keeps_refused > 0 || kept(state, "a") == Some(6);
        world.until("they are told of, or cannot be", is_told_or_stuck).await;
        readers.stop();
        world.until("they stop", |_| readers.has_stopped()).await;

        // The next one finds what was kept. What was not kept is told again.
        world.state().keeps_left = None;
        let readers = world.start(aged.clone(), Filters::default());
        world.until("all are told of", |state| kept(state, "a") == Some(6)).await;
        let state = world.state();
        assert_eq!(state.lost.iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from([1, 2, 3, 4, 5, 6]), "{keeps}");
        assert!(state.lost_at_once > 1, "the records lie in several lanes");
        assert_eq!(state.reasons, BTreeSet::from(["RecordAgeExceeded"]));
        assert!(state.handed.is_empty());
        drop(state);
        readers.stop();
    }
}

#[tokio::test]
async fn the_checkpoint_passes_what_the_filter_does_not_want() {
    let world = World::new();
    world.shard("a", None, &[1, 2, 3, 4], false);
    let filters = Filters::read([r#"{"eventName":["INSERT"]}"#]).unwrap();
    let readers = world.start(settings(), filters);
    world.until("the last is passed", |state| kept(state, "a") == Some(4)).await;
    assert_eq!(world.handed(), [1, 3]);
    readers.stop();
}
