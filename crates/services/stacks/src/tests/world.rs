//! A toy service and its resource types: things with names, tickets with numbers that only the service knows, and a world that a test
//! can stop at any point, break, and look at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::task::Tasks;
use base::{Clock, ManualClock, Random};
use contract::{
    AccountId, Attributes, BoxFuture, Call, Caller, Cause, Change, Document, Expansion, Extension, Fault, Naming,
    OperationId, Origin, Principal, PropertyFault, Region, ResourceMacro, ResourceType, Step, Trace,
};
use serde_json::{Value, json};
use store::Store;
use tokio::sync::watch;

use crate::{Deps, Engine, Types, Wish};

/// Counts the points at which the world may stop, and stops it at one of them.
pub(crate) struct Halt {
    left: AtomicI64,
    passed: AtomicUsize,
    stopped: watch::Sender<bool>,
}

impl Default for Halt {
    fn default() -> Self {
        Self::after(i64::MAX)
    }
}

impl Halt {
    /// Stops at the point after so many.
    pub(crate) fn after(points: i64) -> Self {
        Self { left: AtomicI64::new(points), passed: AtomicUsize::new(0), stopped: watch::Sender::new(false) }
    }

    pub(crate) fn passed(&self) -> usize {
        self.passed.load(Ordering::SeqCst)
    }

    /// Returns, or never does.
    pub(crate) async fn point(&self) {
        if self.left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            self.stopped.send_replace(true);
            std::future::pending::<()>().await;
        }
        self.passed.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) async fn stopped(&self) {
        self.stopped.subscribe().wait_for(|stopped| *stopped).await.expect("the sender is in self");
    }
}

/// What the toy service has.
#[derive(Default)]
pub(crate) struct World {
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    /// Things by name, and their values.
    pub(crate) things: BTreeMap<String, Value>,
    /// Tickets by token, and their numbers.
    pub(crate) tickets: BTreeMap<String, u64>,
    /// Every call that changed something, as `Create name`.
    pub(crate) log: Vec<String>,
    /// Calls that fail, as `Create Value`, once for each.
    pub(crate) broken: BTreeSet<String>,
    /// During the next call that changes something the machine sleeps for a minute.
    pub(crate) sleepy: Option<Arc<ManualClock>>,
    /// Of a hundred calls that change something, how many fail.
    pub(crate) failing_percent: u64,
    numbers: u64,
    working: usize,
    /// The most calls at a time.
    pub(crate) working_max: usize,
}

impl World {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names and values of all things and tickets: what there is.
    pub(crate) fn contents(&self) -> BTreeMap<String, Value> {
        let state = self.state();
        let tickets = state.tickets.values().map(|number| (format!("ticket-{number}"), Value::Null));
        state.things.clone().into_iter().chain(tickets).collect()
    }

    pub(crate) fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.state().log)
    }
}

const SERVICE: &str = "toy";
const CREATE: OperationId = OperationId { service: SERVICE, name: "Create" };
const UPDATE: OperationId = OperationId { service: SERVICE, name: "Update" };
const DELETE: OperationId = OperationId { service: SERVICE, name: "Delete" };
const READ: OperationId = OperationId { service: SERVICE, name: "Read" };
const DRAW: OperationId = OperationId { service: SERVICE, name: "Draw" };
const TEAR: OperationId = OperationId { service: SERVICE, name: "Tear" };

/// One node's way to the toy service.
pub(crate) struct ToyCaller {
    pub(crate) world: Arc<World>,
    pub(crate) halt: Arc<Halt>,
    pub(crate) random: Random,
}

impl Caller for ToyCaller {
    fn call<'a>(
        &'a self,
        operation: OperationId,
        _: &'a Call,
        input: Document,
    ) -> BoxFuture<'a, Result<Document, Fault>> {
        Box::pin(async move {
            if operation == READ {
                return read(&self.world, &input);
            }
            self.halt.point().await;
            {
                let mut state = self.world.state();
                state.working += 1;
                state.working_max = state.working_max.max(state.working);
            }
            if let Some(clock) = { self.world.state().sleepy.take() } {
                clock.advance(std::time::Duration::from_secs(60));
            }
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            let answer = self.change(operation, &input);
            self.world.state().working -= 1;
            self.halt.point().await;
            answer
        })
    }

    fn find(&self, service: &str, name: &str) -> Result<OperationId, Fault> {
        let known = [CREATE, UPDATE, DELETE, READ, DRAW, TEAR].into_iter().find(|known| known.name == name);
        known.filter(|known| known.service == service).ok_or_else(|| Fault::unserved(service, name))
    }
}

impl ToyCaller {
    fn change(&self, operation: OperationId, input: &Value) -> Result<Value, Fault> {
        let mut state = self.world.state();
        let name = input["Name"].as_str().unwrap_or_default().to_owned();
        let what = format!("{} {}", operation.name, input["Value"].as_str().unwrap_or(&name));
        if state.broken.remove(&what) || self.random.below(100) < state.failing_percent {
            return Err(Fault::new(Cause::Invalid, "Broken", format!("{what} is broken")));
        }
        let missing = || Fault::new(Cause::NotFound, "Missing", format!("{name} is not there"));
        state.log.push(format!("{} {name}", operation.name));
        match operation {
            CREATE if state.things.contains_key(&name) => {
                Err(Fault::new(Cause::Conflict, "Exists", format!("{name} is there already")))
            }
            CREATE => {
                state.things.insert(name, input["Value"].clone());
                Ok(json!({}))
            }
            UPDATE => {
                *state.things.get_mut(&name).ok_or_else(missing)? = input["Value"].clone();
                Ok(json!({}))
            }
            DELETE => state.things.remove(&name).map(|_| json!({})).ok_or_else(missing),
            DRAW => {
                state.numbers += 1;
                let next = state.numbers;
                let number = *state.tickets.entry(name).or_insert(next);
                Ok(json!({ "Number": number }))
            }
            TEAR => {
                let number = input["Number"].as_u64();
                let before = state.tickets.len();
                state.tickets.retain(|_, ticket| Some(*ticket) != number);
                if state.tickets.len() < before { Ok(json!({})) } else { Err(missing()) }
            }
            _ => Err(Fault::unserved(SERVICE, operation.name)),
        }
    }
}

fn read(world: &World, input: &Value) -> Result<Value, Fault> {
    let name = input["Name"].as_str().unwrap_or_default();
    match world.state().things.get(name) {
        Some(value) => Ok(json!({ "Name": name, "Value": value })),
        None => Err(Fault::new(Cause::NotFound, "Missing", format!("{name} is not there"))),
    }
}

/// `Toy::Thing`: a `Name` (or one that is made up), a `Value`, something `Fixed` that only a new thing can have, anything that it
/// `Needs`, and a `Seal`, which is its value once it is complete. `Ref` is the name, and `Value` an attribute.
struct Thing;

impl ResourceType for Thing {
    fn name(&self) -> &'static str {
        "Toy::Thing"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        let unknown = properties.as_object().and_then(|map| {
            map.keys().find(|key| !["Name", "Value", "Fixed", "Needs", "Seal"].contains(&key.as_str())).cloned()
        });
        match unknown {
            Some(path) => Err(PropertyFault { path, message: "a thing has no such property".to_owned() }),
            None if properties["Value"].as_str().is_some_and(|value| value.len() > 20) => {
                Err(PropertyFault { path: "Value".to_owned(), message: "it is too long".to_owned() })
            }
            None => Ok(()),
        }
    }

    fn physical_id(&self, properties: &Document, naming: &Naming) -> Option<String> {
        Some(properties["Name"].as_str().map_or_else(|| naming.physical(64), str::to_owned))
    }

    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        let name = self.physical_id(properties, naming);
        // Two steps, so that there is a state between them.
        Ok(vec![
            Step::new(CREATE, json!({ "Name": name, "Value": properties["Value"] })),
            Step::new(UPDATE, json!({ "Name": name, "Value": properties["Value"] })),
        ])
    }

    fn complete(&self, id: &str, properties: &Document) -> Vec<Step> {
        let seal = properties.get("Seal");
        seal.map(|seal| Step::new(UPDATE, json!({ "Name": id, "Value": seal }))).into_iter().collect()
    }

    fn awaits(&self, id: &str, properties: &Document) -> Option<Step> {
        properties.get("Seal").and_then(|_| self.read(id, properties))
    }

    fn update(&self, id: &str, naming: &Naming, old: &Document, new: &Document) -> Result<Change, PropertyFault> {
        if old["Fixed"] != new["Fixed"] || self.physical_id(new, naming).as_deref() != Some(id) {
            return Ok(Change::Replace);
        }
        Ok(Change::InPlace(match old["Value"] == new["Value"] {
            true => vec![],
            false => vec![Step::new(UPDATE, json!({ "Name": id, "Value": new["Value"] }))],
        }))
    }

    fn delete(&self, id: &str, _: &Document) -> Vec<Step> {
        vec![Step::new(DELETE, json!({ "Name": id }))]
    }

    fn read(&self, id: &str, _: &Document) -> Option<Step> {
        Some(Step::new(READ, json!({ "Name": id })))
    }

    fn attributes(&self, id: &str, _: &Document, answer: &Document) -> Attributes {
        Attributes { reference: id.to_owned(), named: vec![("Value", answer["Value"].clone())] }
    }
}

/// `Toy::Ticket`: its physical id is a number that the service makes up; drawing again with one token gives the same number. The
/// token is the template's, or made up.
struct Ticket;

impl ResourceType for Ticket {
    fn name(&self) -> &'static str {
        "Toy::Ticket"
    }

    fn check(&self, _: &Document) -> Result<(), PropertyFault> {
        Ok(())
    }

    fn physical_id(&self, _: &Document, _: &Naming) -> Option<String> {
        None
    }

    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        let token = properties["Token"].as_str().unwrap_or(&naming.suffix);
        Ok(vec![Step::new(DRAW, json!({ "Name": token }))])
    }

    fn identify(&self, answers: &[Document]) -> Option<String> {
        answers.first()?["Number"].as_u64().map(|number| number.to_string())
    }

    fn update(&self, _: &str, _: &Naming, _: &Document, _: &Document) -> Result<Change, PropertyFault> {
        Ok(Change::Replace)
    }

    fn delete(&self, id: &str, _: &Document) -> Vec<Step> {
        vec![Step::new(TEAR, json!({ "Number": id.parse::<u64>().unwrap_or(0) }))]
    }

    fn read(&self, _: &str, _: &Document) -> Option<Step> {
        None
    }

    fn attributes(&self, id: &str, _: &Document, _: &Document) -> Attributes {
        Attributes { reference: id.to_owned(), named: vec![] }
    }
}

/// `Toy::Leaf`: a thing whose name is its `Tree`'s own: other trees may have leaves of the same name.
struct Leaf;

impl Leaf {
    fn path(id: &str, properties: &Document) -> String {
        format!("{}/{id}", properties["Tree"].as_str().unwrap_or_default())
    }
}

impl ResourceType for Leaf {
    fn name(&self) -> &'static str {
        "Toy::Leaf"
    }

    fn check(&self, _: &Document) -> Result<(), PropertyFault> {
        Ok(())
    }

    fn physical_id(&self, properties: &Document, _: &Naming) -> Option<String> {
        Some(properties["Name"].as_str().unwrap_or("leaf").to_owned())
    }

    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        let id = self.physical_id(properties, naming).unwrap_or_default();
        Ok(vec![Step::new(CREATE, json!({ "Name": Self::path(&id, properties) }))])
    }

    fn update(&self, _: &str, _: &Naming, _: &Document, _: &Document) -> Result<Change, PropertyFault> {
        Ok(Change::Replace)
    }

    fn delete(&self, id: &str, properties: &Document) -> Vec<Step> {
        vec![Step::new(DELETE, json!({ "Name": Self::path(id, properties) }))]
    }

    fn read(&self, id: &str, properties: &Document) -> Option<Step> {
        Some(Step::new(READ, json!({ "Name": Self::path(id, properties) })))
    }

    fn attributes(&self, id: &str, _: &Document, _: &Document) -> Attributes {
        Attributes { reference: id.to_owned(), named: vec![] }
    }
}

/// `Toy::Serverless::Pair`: a thing and a second one, `NAMETwin`, that needs it.
struct Pair;

impl ResourceMacro for Pair {
    fn name(&self) -> &'static str {
        "Toy::Serverless::Pair"
    }

    fn globals(&self) -> Option<&'static str> {
        Some("Function")
    }

    fn expand(&self, id: &str, resource: &Document) -> Result<Expansion, PropertyFault> {
        let value = resource["Properties"]["Value"].clone();
        if value.is_null() {
            return Err(PropertyFault { path: "Value".to_owned(), message: "it is missing".to_owned() });
        }
        Ok(Expansion {
            resources: vec![
                (
                    id.to_owned(),
                    json!({ "Type": "Toy::Thing", "Properties": { "Value": value, "Needs": resource["Properties"]["Needs"] } }),
                ),
                (
                    format!("{id}Twin"),
                    json!({ "Type": "Toy::Thing", "Properties": { "Value": { "Fn::Sub": format!("twin-${{{id}.Value}}") } } }),
                ),
            ],
            names: vec![(format!("{id}.Twin"), format!("{id}Twin"))],
            extensions: Vec::new(),
        })
    }
}

/// `Toy::Serverless::Word`: a thing, which is told to another one that the template has.
struct Word;

impl ResourceMacro for Word {
    fn name(&self) -> &'static str {
        "Toy::Serverless::Word"
    }

    fn expand(&self, id: &str, resource: &Document) -> Result<Expansion, PropertyFault> {
        let to = resource["Properties"]["To"]["Ref"].as_str().unwrap_or_default();
        Ok(Expansion {
            resources: vec![(id.to_owned(), json!({ "Type": "Toy::Thing", "Properties": { "Value": "word" } }))],
            extensions: vec![Extension {
                resource: to.to_owned(),
                kind: "Toy::Thing",
                path: &["Value", "Heard"],
                item: resource["Properties"]["Say"].clone(),
                after: id.to_owned(),
                asked_by: "To".to_owned(),
            }],
            ..Expansion::default()
        })
    }
}

/// One node over a store and a world.
pub(crate) fn engine(store: &Store, world: &Arc<World>, halt: &Arc<Halt>, seed: u64) -> Engine {
    engine_at(Clock::system(), store, world, halt, seed)
}

/// The same, with a clock of its own.
pub(crate) fn engine_at(clock: Clock, store: &Store, world: &Arc<World>, halt: &Arc<Halt>, seed: u64) -> Engine {
    let random = Random::seeded(seed);
    let caller = ToyCaller { world: Arc::clone(world), halt: Arc::clone(halt), random: Random::seeded(seed ^ 0xfeed) };
    let deps = Deps {
        store: store.clone(),
        caller: Arc::new(caller),
        types: Types::new(&[Arc::new(Thing), Arc::new(Ticket), Arc::new(Leaf)], &[Arc::new(Pair), Arc::new(Word)]),
        clock,
        random,
        tasks: Tasks::new(),
        node: "node".to_owned(),
        base_url: "http://localhost:4566".into(),
    };
    Engine::halting(deps, Arc::clone(halt))
}

pub(crate) fn call() -> Call {
    let (clock, random) = (Clock::system(), Random::system());
    Call {
        id: random.uuid(),
        principal: Principal::Root,
        account: AccountId::ONLY,
        region: Region::default_one(),
        deadline: std::time::Duration::MAX,
        trace: Trace::start(&clock, &random),
        hops: 0,
        origin: Origin::Inside { part: "test", base_url: "http://localhost:4566".into() },
    }
}

pub(crate) fn wish(template: &str) -> Wish {
    let template = template::read(template).unwrap_or_else(|error| panic!("{template}: {error}"));
    Wish { stack: "app".to_owned(), template, parameters: BTreeMap::new() }
}
