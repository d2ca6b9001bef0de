//! The list of what a node can do. Built at start, one line per operation, and sealed: nothing is looked for at run time
//! but a name in a table.
//!
//! A handler is typed; the door and documents are not. The types are erased here, once per operation, so that nobody else
//! has to know how.

use std::any::{Any, TypeId};
use std::collections::HashMap;
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
    pub fn add<Op, H>(&mut self, service: &Arc<H>)
    where
        Op: Operation,
        Op::Input: StaticShape,
        Op::Output: StaticShape,
        H: Handle<Op>,
    {
        let typed: Arc<dyn Typed<Op>> = Arc::new(Handler(Arc::clone(service)));
        let action = match H::ACTION {
            Some(action) => action.into(),
            None => format!("{}:{}", Op::ID.service, Op::ID.name).into(),
        };
        let entry = Entry {
            id: Op::ID,
            effect: H::EFFECT,
            action,
            always_allowed: H::ALWAYS_ALLOWED,
            metrics: self.parts.metrics.operation(Op::ID),
            attachments: None,
            typed: Box::new(Arc::clone(&typed)),
            erased: Box::new(Eraser(typed)),
        };
        let twice = self.entries.insert(Op::ID, entry);
        assert!(twice.is_none(), "{} is registered twice", Op::ID);
        self.types.insert(TypeId::of::<Op>(), Op::ID);
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

/// One operation, as the road needs it.
pub(crate) struct Entry {
    pub(crate) id: OperationId,
    pub(crate) effect: Effect,
    pub(crate) action: Box<str>,
    /// Policies are not asked.
    pub(crate) always_allowed: bool,
    pub(crate) metrics: OperationMetrics,
    pub(crate) attachments: Option<Arc<dyn Attachments>>,
    /// An `Arc<dyn Typed<Op>>`.
    typed: Box<dyn Any + Send + Sync>,
    pub(crate) erased: Box<dyn Erased>,
}

impl Entry {
    pub(crate) fn typed<Op: Operation>(&self) -> Arc<dyn Typed<Op>> {
        let typed: &Arc<dyn Typed<Op>> =
            self.typed.downcast_ref().expect("the table of types leads to this type's entry");
        Arc::clone(typed)
    }
}

/// A handler whose service is forgotten, but not its operation.
pub(crate) trait Typed<Op: Operation>: Send + Sync {
    fn resource(&self, call: &Call, input: &Op::Input) -> Arn;
    fn handle<'a>(&'a self, call: &'a Call, input: Op::Input) -> BoxFuture<'a, Result<Op::Output, Fault>>;
}

struct Handler<H>(Arc<H>);

impl<Op: Operation, H: Handle<Op>> Typed<Op> for Handler<H> {
    fn resource(&self, call: &Call, input: &Op::Input) -> Arn {
        self.0.resource(call, input)
    }

    fn handle<'a>(&'a self, call: &'a Call, input: Op::Input) -> BoxFuture<'a, Result<Op::Output, Fault>> {
        Box::pin(self.0.handle(call, input))
    }
}

/// Fills a blank input; refuses what cannot be read.
pub(crate) type Fill<'a> = &'a mut (dyn FnMut(&mut dyn Shape) -> Result<(), Fault> + Send);

/// A handler whose operation is forgotten too.
pub(crate) trait Erased: Send + Sync {
    /// The input is filled before the future is made, so that the future borrows nothing of the request.
    fn travel<'a>(
        &self,
        inner: &'a Arc<Inner>,
        entry: &'a Arc<Entry>,
        call: &'a Call,
        fill: Fill<'_>,
    ) -> BoxFuture<'a, Result<Box<dyn Shape>, Fault>>;
}

struct Eraser<Op: Operation>(Arc<dyn Typed<Op>>);

impl<Op> Erased for Eraser<Op>
where
    Op: Operation,
    Op::Input: StaticShape,
    Op::Output: StaticShape,
{
    fn travel<'a>(
        &self,
        inner: &'a Arc<Inner>,
        entry: &'a Arc<Entry>,
        call: &'a Call,
        fill: Fill<'_>,
    ) -> BoxFuture<'a, Result<Box<dyn Shape>, Fault>> {
        let mut input = Op::Input::default();
        let input = fill(&mut input).map(|()| input);
        let typed = Arc::clone(&self.0);
        Box::pin(async move {
            let output = inner.travel::<Op>(entry, typed, call, input).await?;
            Ok(Box::new(output) as Box<dyn Shape>)
        })
    }
}
