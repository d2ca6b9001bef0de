//! Starting and stopping a node.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base::task::{Kind, Tasks};
use base::{Clock, Random};
use compute::{Compute, LanguageStatus};
use contract::{AccountId, Call, Origin, Principal, Region, Trace};
use delivery::{Deliveries, Reach};
use dispatch::{Authority, Dispatch, LenientAuthority, Metrics, OpenAuthority, Registry};
use door::guard::Guard;
use door::{Bound, Door, Face, Mount};
use events::Events;
use functions::Functions;
use gateway::Gateway;
use identity::{Identity, RootKey};
use logs::Logs;
use objects::Objects;
use pipes::Pipes;
use queues::Queues;
use schedules::Schedules;
use stacks::Engine;
use store::Store;
use tables::Tables;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use topics::Topics;

use crate::blob_metrics::BlobMetrics;
use crate::catalog::Services;
use crate::config::{Auth, Config, Data};
use crate::delivery_metrics::DeliveryMetrics;
use crate::function_metrics::FunctionMetrics;
use crate::function_urls::Urls;
use crate::health::Readiness;
use crate::keys::{Keys, role_credentials};
use crate::log_sink::Sink;
use crate::mounts;
use crate::start_error::StartError;
use crate::storage::Storage;
use crate::sweep;

/// The longest that anything asked of the node may take: a function's fifteen minutes, and some time to start.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(960);

/// A running node. Stop it with [`Node::shut_down`]; one that is dropped is as one that was killed: what was acknowledged is on disk.
pub struct Node {
    clock: Clock,
    random: Random,
    tasks: Tasks,
    auth: Auth,
    address: SocketAddr,
    public: Option<SocketAddr>,
    store: Store,
    compute: Compute,
    services: Services,
    dispatch: Dispatch,
    stacks: Engine,
    deliveries: Deliveries,
    door: Door,
    readiness: Arc<Readiness>,
    closing: CancellationToken,
    _temporary: Option<TempDir>,
}

impl Node {
    /// Starts a node. When this returns, it answers.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let (clock, random, tasks) = (Clock::system(), Random::system(), Tasks::new());
        let auth = config.auth()?;
        // Addresses first: a port that is taken is told before any data is touched.
        let bound = door::bind(config.listen, Face::Whole).await?;
        let public = match config.public {
            Some(public) => Some(door::bind(public, Face::Public).await?),
            None => None,
        };
        let Storage { store, blobs, root, seal, code, temporary } =
            Storage::open(&config.data, config.blobs.as_deref(), &clock, &random).await?;

        let base_url: Arc<str> = url(bound.address()).into();
        let identity =
            Identity::open(identity::Deps { store: store.clone(), clock: clock.clone(), random: random.clone(), root })
                .await?;
        let logs = Logs::new(logs::Deps { store: store.clone(), clock: clock.clone(), tasks: tasks.clone() });
        let compute = Compute::new(compute::Options {
            sandbox: config.sandbox,
            network: config.network,
            clock: clock.clone(),
            random: random.clone(),
            endpoint_url: Some(base_url.to_string()),
            ..compute::Options::new(code, Arc::new(Sink(Arc::clone(&logs))))
        })?;
        let metrics = Metrics::new();
        let mut registry = Registry::new(dispatch::Parts {
            clock: clock.clone(),
            random: random.clone(),
            tasks: tasks.clone(),
            metrics: metrics.clone(),
            // There are no roles' policies yet: a role's session may do what resources' own policies allow.
            authority: match auth {
                Auth::Open => Arc::new(LenientAuthority) as Arc<dyn Authority>,
                Auth::Iam => Arc::new(OpenAuthority),
            },
            limits: dispatch::Limits::default(),
        });
        let functions = Functions::open(functions::Deps {
            store: store.clone(),
            blobs: blobs.clone(),
            compute: compute.clone(),
            clock: clock.clone(),
            random: random.clone(),
            credentials: role_credentials(Arc::clone(&identity)),
            dispatch: registry.dispatch(),
            images: match auth {
                Auth::Open => compute::Reach::Everywhere,
                Auth::Iam => compute::Reach::Elsewhere,
            },
            live: config.hot_reload.clone(),
        })
        .await?;
        functions.start(&tasks);
        tasks.spawn(
            Kind::Work,
            "blobs-sweep",
            sweep::blobs(blobs.clone(), store.clone(), clock.clone(), tasks.stopping()),
        );
        tasks.spawn(
            Kind::Work,
            "blobs-scrub",
            sweep::scrub(blobs.clone(), store.clone(), clock.clone(), tasks.stopping()),
        );
        let queues = Queues::open(queues::Deps { store: store.clone(), clock: clock.clone(), random: random.clone() });
        let tables = Tables::open(tables::Deps {
            store: store.clone(),
            blobs: blobs.clone(),
            dispatch: registry.dispatch().within(),
            clock: clock.clone(),
            random: random.clone(),
        });
        let mail = config.smtp.as_deref().map(topics::mail::Mail::new).transpose()?.map(Arc::new);
        let topics = Topics::open(topics::Deps {
            store: store.clone(),
            clock: clock.clone(),
            random: random.clone(),
            mail: mail.as_ref().map(|_| topics::mail::NAME),
        })
        .await?;
        topics.start();
        let events = Events::open(events::Deps {
            store: store.clone(),
            clock: clock.clone(),
            random: random.clone(),
            base_url: Arc::clone(&base_url),
        })
        .await?;
        events.start(&tasks);
        let pipes = Pipes::open(pipes::Deps { store: store.clone(), clock: clock.clone() }).await?;
        metrics.register(|registry| registry.register_collector(Box::new(FunctionMetrics(compute.clone()))));
        metrics.register(|registry| registry.register_collector(Box::new(BlobMetrics(blobs.clone()))));
        let schedules = Schedules::open(schedules::Deps {
            store: store.clone(),
            clock: clock.clone(),
            random: random.clone(),
            caller: Arc::new(registry.dispatch().within()),
            base_url: Arc::clone(&base_url),
        });
        let objects = Objects::new(objects::Deps {
            store: store.clone(),
            blobs: blobs.clone(),
            clock: clock.clone(),
            random: random.clone(),
            key: seal,
            dispatch: registry.dispatch(),
            announcer: Arc::clone(&events) as _,
            base_url: Arc::clone(&base_url),
        });
        let services = Services {
            events,
            functions,
            identity,
            logs,
            objects,
            pipes,
            queues: queues.await?,
            schedules,
            tables: tables.await?,
            topics,
            mail,
        };
        services.register(&mut registry);
        let dispatch = registry.open();
        let polling = mapping::Tools {
            caller: Arc::new(dispatch.within()),
            clock: clock.clone(),
            random: random.clone(),
            tasks: tasks.clone(),
            base_url: Arc::clone(&base_url),
        };
        services.functions.poll(polling.clone());
        services.pipes.flow(polling);
        let stacks = Engine::new(stacks::Deps {
            store: store.clone(),
            caller: Arc::new(dispatch.clone()),
            types: Services::template_types(),
            clock: clock.clone(),
            random: random.clone(),
            tasks: tasks.clone(),
            node: "only".to_owned(),
            base_url: Arc::clone(&base_url),
        });
        stacks.resume().await?;
        let reach = match bound.address().ip().is_loopback() && public.is_none() {
            true => Reach::Everything,
            false => Reach::World,
        };
        let deliveries = Deliveries::start(delivery::Deps {
            store: store.clone(),
            caller: Arc::new(dispatch.within()),
            clock: clock.clone(),
            random: random.clone(),
            limits: delivery::Limits::default(),
            reach,
            carriers: services.carriers(reach),
        })
        .await?;
        metrics.register(|registry| registry.register_collector(Box::new(DeliveryMetrics(deliveries.clone()))));
        services.schedules.start(&tasks);

        let keys: Arc<dyn signature::Credentials> = Arc::new(Keys(Arc::clone(&services.identity)));
        let gateway = Gateway::new(gateway::Parts {
            urls: Urls::new(Arc::clone(&services.functions)),
            dispatch: dispatch.clone(),
            clock: clock.clone(),
            mode: match auth {
                Auth::Open => gateway::Mode::Open,
                Auth::Iam => gateway::Mode::Verified(Arc::clone(&keys)),
            },
            metrics,
        });
        let closing = CancellationToken::new();
        let mounts: Vec<Arc<dyn Mount>> = vec![
            Arc::new(mounts::FunctionUrls(gateway)),
            Arc::new(mounts::Code(Arc::clone(&services.functions))),
            Arc::new(mounts::Activity(compute.clone())),
            Arc::new(mounts::Deliveries(deliveries.clone())),
            Arc::new(mounts::Blobs { kept: blobs.clone(), store: store.clone() }),
            Arc::new(mounts::Assets(blobs)),
            Arc::new(mounts::Schedules {
                schedules: Arc::clone(&services.schedules),
                clock: clock.clone(),
                random: random.clone(),
            }),
            Arc::new(mounts::CloudEvents { dispatch: dispatch.clone(), clock: clock.clone(), random: random.clone() }),
            Arc::new(mounts::Stacks { engine: stacks.clone(), clock: clock.clone(), random: random.clone() }),
            Arc::new(mounts::LiveLogs { logs: Arc::clone(&services.logs), closing: closing.clone() }),
            Arc::new(mounts::Outbox(Arc::clone(&services.topics))),
            Arc::new(mounts::Topics {
                topics: Arc::clone(&services.topics),
                dispatch: dispatch.clone(),
                clock: clock.clone(),
                random: random.clone(),
                is_open: auth == Auth::Open,
            }),
            Arc::new(mounts::Reset {
                store: matches!(config.data, Data::Memory).then(|| store.clone()),
                functions: Arc::clone(&services.functions),
                pipes: Arc::clone(&services.pipes),
                queues: Arc::clone(&services.queues),
                tables: Arc::clone(&services.tables),
                topics: Arc::clone(&services.topics),
                events: Arc::clone(&services.events),
                deliveries: deliveries.clone(),
            }),
        ];
        let readiness = Arc::new(Readiness::default());
        let door = Door::new(door::Parts {
            dispatch: dispatch.clone(),
            clock: clock.clone(),
            random: random.clone(),
            mode: match auth {
                Auth::Open => door::Mode::Open,
                Auth::Iam => door::Mode::Verified(keys),
            },
            limits: door::Limits::of_this_process(),
            guard: Guard { hosts: config.hosts, origins: config.origins },
            mounts,
            health: Arc::clone(&readiness) as _,
        });
        let (address, public_address) = (bound.address(), public.as_ref().map(Bound::address));
        door.open(bound)?;
        if let Some(public) = public {
            door.open(public)?;
        }
        readiness.set(true);
        Ok(Self {
            clock,
            random,
            tasks,
            auth,
            address,
            public: public_address,
            store,
            compute,
            services,
            dispatch,
            stacks,
            deliveries,
            door,
            readiness,
            closing,
            _temporary: temporary,
        })
    }

    /// Where the node listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where functions alone are served, if anywhere.
    pub fn public_address(&self) -> Option<SocketAddr> {
        self.public
    }

    /// What addresses that the node hands out begin with when nobody asked through a socket.
    pub fn base_url(&self) -> String {
        url(self.address)
    }

    /// How callers are treated.
    pub fn auth(&self) -> Auth {
        self.auth
    }

    /// The owner's key.
    pub fn root_key(&self) -> &RootKey {
        self.services.identity.root()
    }

    /// What isolation is on, and what this machine cannot give.
    pub fn isolation(&self) -> sandbox::Report {
        self.compute.isolation()
    }

    /// Which languages can run here.
    pub fn languages(&self) -> Vec<LanguageStatus> {
        self.compute.languages()
    }

    /// The way to every operation.
    pub fn dispatch(&self) -> &Dispatch {
        &self.dispatch
    }

    /// Applications.
    pub fn stacks(&self) -> &Engine {
        &self.stacks
    }

    /// What is on its way, and what could not be delivered.
    pub fn deliveries(&self) -> &Deliveries {
        &self.deliveries
    }

    /// A call by the owner, from a part of this process.
    pub fn call(&self, part: &'static str) -> Call {
        Call {
            id: self.random.uuid(),
            principal: Principal::Root,
            account: AccountId::ONLY,
            region: Region::default_one(),
            deadline: self.clock.elapsed() + WAIT_MAX,
            trace: Trace::start(&self.clock, &self.random),
            hops: 0,
            origin: Origin::Inside { part, base_url: self.base_url().into() },
        }
    }

    /// Stops in order: nothing new is accepted, what runs may end, logs and store are flushed. False if something had not ended when
    /// `patience` was over; what was acknowledged is on disk in any case.
    pub async fn shut_down(self, patience: Duration) -> bool {
        self.readiness.set(false);
        self.closing.cancel();
        self.services.queues.hurry();
        self.deliveries.hurry();
        self.services.functions.hurry();
        let until = self.clock.elapsed() + patience;
        let left = || until.saturating_sub(self.clock.elapsed());
        let closed = self.door.close(left()).await;
        // Before what carries them: what is out may end, and what does not is carried again after the restart.
        let delivered = self.deliveries.shut_down(left()).await;
        let ended = self.tasks.shut_down(left()).await;
        let calm = self.compute.shut_down(left().max(Duration::from_secs(1))).await;
        self.services.logs.close().await;
        let kept = self.services.queues.close(left().max(Duration::from_secs(1))).await
            & self.services.topics.close(left().max(Duration::from_secs(1))).await
            & self.services.tables.close(left().max(Duration::from_secs(1))).await;
        self.store.close().await;
        closed && delivered && ended && calm && kept
    }
}

/// An address that works from this machine.
fn url(address: SocketAddr) -> String {
    let host = match address.ip() {
        ip if ip.is_unspecified() && ip.is_ipv6() => "[::1]".to_owned(),
        ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
        ip if ip.is_ipv6() => format!("[{ip}]"),
        ip => ip.to_string(),
    };
    format!("http://{host}:{}", address.port())
}
