//! The list of services. To add one: its folder, its shapes, and its lines here.

use std::sync::Arc;

use delivery::{Carrier, Reach};
use dispatch::Registry;
use events::Events;
use events::destination::{self, Destinations};
use functions::{Functions, Invocations};
use identity::Identity;
use logs::Logs;
use objects::Objects;
use pipes::Pipes;
use queues::Queues;
use schedules::Schedules;
use stacks::Types;
use tables::Tables;
use topics::Topics;
use topics::mail::{self, Mail};

/// The services of a node.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) events: Arc<Events>,
    pub(crate) functions: Arc<Functions>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) logs: Arc<Logs>,
    pub(crate) objects: Arc<Objects>,
    pub(crate) pipes: Arc<Pipes>,
    pub(crate) queues: Arc<Queues>,
    pub(crate) schedules: Arc<Schedules>,
    pub(crate) tables: Arc<Tables>,
    pub(crate) topics: Arc<Topics>,
    /// The server that takes mail, if there is one.
    pub(crate) mail: Option<Arc<Mail>>,
}

impl Services {
    /// What each can do.
    pub(crate) fn register(&self, registry: &mut Registry) {
        events::register(registry, &self.events);
        registry.attach("events", Arc::clone(&self.events) as _);
        functions::register(registry, &self.functions);
        registry.attach("lambda", Arc::clone(&self.functions) as _);
        identity::register(registry, &self.identity);
        logs::register(registry, &self.logs);
        objects::register(registry, &self.objects);
        registry.attach("s3", Arc::clone(&self.objects) as _);
        pipes::register(registry, &self.pipes);
        queues::register(registry, &self.queues);
        registry.attach("sqs", Arc::clone(&self.queues) as _);
        schedules::register(registry, &self.schedules);
        tables::register(registry, &self.tables);
        registry.attach("dynamodb", Arc::clone(&self.tables) as _);
        registry.attach("dynamodbstreams", Arc::clone(&self.tables) as _);
        topics::register(registry, &self.topics);
        registry.attach("sns", Arc::clone(&self.topics) as _);
    }

    /// Who carries what is delivered otherwise than by a call or a request.
    pub(crate) fn carriers(&self, reach: Reach) -> Vec<(&'static str, Arc<dyn Carrier>)> {
        let mail = self.mail.clone().map(|mail| (mail::NAME, mail as Arc<dyn Carrier>));
        let destinations = (destination::NAME, Arc::new(Destinations::new(&self.events, reach)) as Arc<dyn Carrier>);
        let invocations = Arc::new(Invocations(Arc::clone(&self.functions))) as Arc<dyn Carrier>;
        [(functions::CARRIER, invocations), self.schedules.carrier(), destinations].into_iter().chain(mail).collect()
    }

    /// What templates can make of them.
    pub(crate) fn template_types() -> Types {
        let types = [
            events::resources::resource_types(),
            functions::resources::types(),
            logs::resources::resource_types(),
            objects::resources::resource_types(),
            pipes::resources::resource_types(),
            queues::resources::resource_types(),
            schedules::resources::resource_types(),
            tables::resources::resource_types(),
            topics::resources::resource_types(),
        ]
        .concat();
        Types::new(&types, &[functions::resources::macros(), tables::resources::macros()].concat())
    }
}
