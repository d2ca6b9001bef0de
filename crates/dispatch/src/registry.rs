//! The list of what a node can do. Built at start, one line per operation, and sealed: nothing is looked for at run time
//! but a name in a table.
//!
//! A handler is typed; the door and documents are not. The types are erased here, once per operation, so that nobody else
//! has to know how.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use contract::{Arn, Call, Effect, Fault, Handle, Operation, OperationId};
use wire::{Shape, StaticShape};

use crate::BoxFuture;
use crate::authority::Attachments;
use crate::metrics::OperationMetrics;
use crate::road::{Dispatch, Inner, Parts};

/// The operations of a node, while it is being put together.
pub struct Registry {
    parts: Parts,
    dispatch: Dispatch,
    entries: HashMap<OperationId, Entry>,
    types: HashMap<TypeId, OperationId>,
    attachments: HashMap<&'static str, Arc<dyn Attachments>>,
}

/// What is known of an operation beside its shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub id: OperationId,
    /// What it may change.
    pub effect: Effect,
}

impl Registry {
    /// No operations yet.
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            dispatch: Dispatch::default(),
            entries: HashMap::new(),
            types: HashMap::new(),
            attachments: HashMap::new(),
        }
    }

    /// Serves an operation: `registry.add::<CreateFunction, _>(service)`.
    ///
    /// Inlined, so that a service's lines are one small piece of code: as functions of their own they lay all over the program, and a
    /// start had the kernel bring in half of it to run them.
    #[inline(always)]
    pub fn add<Op, H>(&mut self, service: &Arc<H>)
    where
        Op: Operation,
        Op::Input: StaticShape,
        Op::Output: StaticShape,
        H: Handle<Op>,
    {
        let handler = Handler::<Op, H> { service: Arc::clone(service), operation: PhantomData };
        let manners = Manners { effect: H::EFFECT, action: H::ACTION, always_allowed: H::ALWAYS_ALLOWED };
        self.enter(Op::ID, TypeId::of::<Op>(), manners, Box::new(handler));
    }

    fn enter(&mut self, id: OperationId, operation: TypeId, manners: Manners, handler: Box<dyn Erased>) {
        let action = match manners.action {
            Some(action) => action.into(),
            None => format!("{}:{}", id.service, id.name).into(),
        };
        let entry = Entry {
            id,
            effect: manners.effect,
            action,
            always_allowed: manners.always_allowed,
            metrics: self.parts.metrics.operation(id),
            attachments: None,
            handler,
        };
        let twice = self.entries.insert(id, entry);
        assert!(twice.is_none(), "{id} is registered twice");
        self.types.insert(operation, id);
    }

    /// Asks `attachments` for the policies of the service's resources. `service` is the name in [`OperationId::service`].
    pub fn attach(&mut self, service: &'static str, attachments: Arc<dyn Attachments>) {
        self.attachments.insert(service, attachments);
    }

    /// The way in, for parts that must hold it before everybody is registered; until [`Registry::open`] every call through it
    /// is refused as `ServiceUnavailable`.
    pub fn dispatch(&self) -> Dispatch {
        self.dispatch.clone()
    }

    /// Ends the list and opens the road.
    pub fn open(self) -> Dispatch {
        let mut entries: HashMap<OperationId, Arc<Entry>> = HashMap::with_capacity(self.entries.len());
        for (id, mut entry) in self.entries {
            entry.attachments = self.attachments.get(id.service).cloned();
            entries.insert(id, Arc::new(entry));
        }
        let types = self.types.iter().map(|(type_id, id)| (*type_id, Arc::clone(&entries[id]))).collect();
        self.dispatch.open(Inner::new(self.parts, entries, types, self.attachments));
        self.dispatch
    }
}

/// What a handler says of its operation.
struct Manners {
    effect: Effect,
    action: Option<&'static str>,
    always_allowed: bool,
}

/// One operation, as the road needs it.
pub(crate) struct Entry {
    pub(crate) id: OperationId,
    pub(crate) effect: Effect,
    pub(crate) action: Box<str>,
    /// Policies are not asked.
    pub(crate) always_allowed: bool,
    pub(crate) metrics: OperationMetrics,
    pub(crate) attachments: Option<Arc<dyn Attachments>>,
    pub(crate) handler: Box<dyn Erased>,
}

/// Fills a blank input; refuses what cannot be read.
pub(crate) type Fill<'a> = &'a mut (dyn FnMut(&mut dyn Shape) -> Result<(), Fault> + Send);

/// A handler whose service and operation are forgotten: it makes errands.
pub(crate) trait Erased: Send + Sync {
    /// With the input that `fill` reads.
    fn read(&self, fill: Fill<'_>) -> Result<Box<dyn Errand>, Fault>;

    /// With an input of the operation's own type.
    fn take(&self, input: Box<dyn Any + Send>) -> Box<dyn Errand>;
}

/// One call with all that is its operation's own: the input, the handler and what it answers. The road knows nothing but this, so
/// that there is one road, not one per operation; a node has hundreds.
pub(crate) trait Errand: Send {
    /// What it touches. Asked before it runs.
    fn resource(&self, call: &Call) -> Arn;

    /// What it was given. Asked before it runs.
    fn input(&self) -> &dyn Shape;

    /// Runs the handler, once.
    fn run<'a>(&'a mut self, call: &'a Call) -> BoxFuture<'a, Result<(), Fault>>;

    /// What the handler answered, once it ran without a fault.
    fn output(self: Box<Self>) -> Box<dyn Shape>;

    /// The same, of the operation's own type.
    fn output_typed(self: Box<Self>) -> Box<dyn Any + Send>;
}

struct Handler<Op, H> {
    service: Arc<H>,
    operation: PhantomData<fn() -> Op>,
}

impl<Op, H> Handler<Op, H>
where
    Op: Operation,
    Op::Input: StaticShape,
    Op::Output: StaticShape,
    H: Handle<Op>,
{
    fn errand(&self, input: Op::Input) -> Box<dyn Errand> {
        Box::new(Typed::<Op, H> { service: Arc::clone(&self.service), input: Some(input), output: None })
    }
}

impl<Op, H> Erased for Handler<Op, H>
where
    Op: Operation,
    Op::Input: StaticShape,
    Op::Output: StaticShape,
    H: Handle<Op>,
{
    fn read(&self, fill: Fill<'_>) -> Result<Box<dyn Errand>, Fault> {
        let mut input = Op::Input::default();
        fill(&mut input)?;
        Ok(self.errand(input))
    }

    fn take(&self, input: Box<dyn Any + Send>) -> Box<dyn Errand> {
        self.errand(*input.downcast().expect("the table of types leads to the operation whose input it is"))
    }
}

struct Typed<Op: Operation, H> {
    service: Arc<H>,
    /// Until it runs.
    input: Option<Op::Input>,
    /// Once it ran.
    output: Option<Box<Op::Output>>,
}

impl<Op, H> Typed<Op, H>
where
    Op: Operation,
{
    fn answered(self) -> Box<Op::Output> {
        self.output.expect("only an errand that ended well is asked for its output")
    }
}

impl<Op, H> Errand for Typed<Op, H>
where
    Op: Operation,
    Op::Input: StaticShape,
    Op::Output: StaticShape,
    H: Handle<Op>,
{
    fn resource(&self, call: &Call) -> Arn {
        self.service.resource(call, self.input.as_ref().expect("an errand is asked before it runs"))
    }

    fn input(&self) -> &dyn Shape {
        self.input.as_ref().expect("an errand is asked before it runs")
    }

    fn run<'a>(&'a mut self, call: &'a Call) -> BoxFuture<'a, Result<(), Fault>> {
        let input = self.input.take().expect("an errand runs once");
        let running = self.service.handle(call, input);
        let output = &mut self.output;
        Box::pin(async move {
            *output = Some(Box::new(running.await?));
            Ok(())
        })
    }

    fn output(self: Box<Self>) -> Box<dyn Shape> {
        self.answered()
    }

    fn output_typed(self: Box<Self>) -> Box<dyn Any + Send> {
        self.answered()
    }
}
