//! What invocations need, in memory: every function with its versions, aliases, URLs and policies, ready to run.
//!
//! The table follows the store and never leads it: after a commit the function is read again, whole, one reader at a time, so
//! that the last reader has seen the last commit. Entries are immutable and shared; an invocation clones an `Arc` and is not
//! disturbed by what happens to the entry afterwards.

mod provide;
mod runner;
mod target;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use ::store::Sequence;
use compute::CodeId;
use contract::Fault;
use uuid::Uuid;

use crate::model::alias::Target as AliasTarget;
use crate::model::{Alias, EventInvoke, Recursion, UrlConfig, Version, provision};
use crate::name::{FunctionName, Qualifier, Scope};
use crate::store::{Bundle, Place, bundles};
use crate::{Functions, faults};
pub(crate) use provide::Provided;
pub(crate) use runner::Runner;
pub use target::Target;

/// The most invocations at a time in an account and region.
pub(crate) const CONCURRENCY_MAX: u32 = 1000;
/// What must be left to functions without a number of their own.
pub(crate) const UNRESERVED_MIN: u32 = 100;

/// All functions of the node.
#[derive(Default)]
pub(crate) struct Table {
    scopes: RwLock<HashMap<Scope, Arc<ScopeTable>>>,
    /// By the id in the host name.
    urls: RwLock<HashMap<String, UrlPlace>>,
    /// Held while a function is read again.
    refreshing: tokio::sync::Mutex<()>,
}

/// The functions of one account and region, and how their concurrency is divided.
#[derive(Default)]
pub(crate) struct ScopeTable {
    functions: RwLock<HashMap<String, Arc<Active>>>,
    unreserved: Arc<AtomicU32>,
    reserved_total: AtomicU32,
    code_bytes: AtomicU64,
}

#[derive(Clone)]
struct UrlPlace {
    scope: Scope,
    name: FunctionName,
    qualifier: Option<Qualifier>,
}

/// One function, as it was at some commit.
pub(crate) struct Active {
    pub(crate) scope: Scope,
    pub(crate) name: FunctionName,
    /// Without a qualifier.
    pub(crate) arn: String,
    id: Uuid,
    sequence: Sequence,
    latest: Arc<Runner>,
    versions: HashMap<u64, Arc<Runner>>,
    aliases: HashMap<String, Alias>,
    urls: BTreeMap<Option<Qualifier>, Arc<UrlConfig>>,
    policies: BTreeMap<Option<Qualifier>, Arc<policy::Policy>>,
    event_invokes: BTreeMap<Qualifier, EventInvoke>,
    /// By version.
    provisions: HashMap<u64, Provision>,
    reserved: Option<u32>,
    recursion: Recursion,
    /// Invocations in flight beyond what is provisioned, where the function has a number of its own. Outlives the entry.
    in_flight: Arc<AtomicU32>,
    code_bytes: u64,
}

/// What is provisioned of one version: its calls take these places first.
struct Provision {
    wanted: u32,
    /// Outlives the entry.
    in_flight: Arc<AtomicU32>,
}

/// A place among the invocations in flight; given back when dropped, at the end of the attempt.
#[derive(Debug)]
pub(crate) struct Permit(Arc<AtomicU32>);

impl Permit {
    /// One of so many, if one is free.
    fn take(counter: &Arc<AtomicU32>, limit: u32) -> Option<Self> {
        let taken = counter.fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| (now < limit).then_some(now + 1));
        taken.ok().map(|_| Self(Arc::clone(counter)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Active {
    /// The version that a call goes to. `draw` decides where an alias is divided.
    pub(crate) fn runner(&self, qualifier: Option<&Qualifier>, draw: impl FnOnce() -> u64) -> Option<&Arc<Runner>> {
        match qualifier {
            None | Some(Qualifier::Latest) => Some(&self.latest),
            Some(Qualifier::Version(number)) => self.versions.get(number),
            Some(Qualifier::Alias(alias)) => match self.aliases.get(alias)?.choose(draw()) {
                AliasTarget::Latest => Some(&self.latest),
                AliasTarget::Version(number) => self.versions.get(&number),
            },
        }
    }

    /// The resource policy of the function, a version or an alias.
    pub(crate) fn policy(&self, qualifier: Option<&Qualifier>) -> Option<&Arc<policy::Policy>> {
        self.policies.get(&qualifier.cloned())
    }

    /// An alias, by its name.
    pub(crate) fn alias(&self, name: &str) -> Option<&Alias> {
        self.aliases.get(name)
    }

    /// What is provisioned of all versions together.
    pub(crate) fn provisioned_total(&self) -> u32 {
        self.provisions.values().map(|provision| provision.wanted).sum()
    }

    /// What the function has for itself of the account's concurrency.
    pub(crate) fn claimed(&self) -> u32 {
        self.reserved.unwrap_or_else(|| self.provisioned_total())
    }

    /// Whether nothing of it may run: none of the invocations at a time are left to it.
    pub(crate) fn is_paused(&self) -> bool {
        self.reserved == Some(0)
    }

    /// What becomes of events that a function, version or alias is sent.
    pub(crate) fn event_invoke(&self, qualifier: Option<&Qualifier>) -> Option<&EventInvoke> {
        self.event_invokes.get(qualifier.unwrap_or(&Qualifier::Latest))
    }

    /// Where events go that are given up: the dead-letter target of the version that they are for.
    pub(crate) fn dead_letter(&self, qualifier: Option<&Qualifier>) -> Option<&str> {
        self.runner(qualifier, || u64::MAX)?.dead_letter.as_deref()
    }

    /// The role of the version that a call goes to.
    pub(crate) fn role(&self, qualifier: Option<&Qualifier>) -> String {
        self.runner(qualifier, || u64::MAX).map(|runner| runner.role.to_string()).unwrap_or_default()
    }

    /// What becomes of loops through the function.
    pub(crate) fn recursion(&self) -> Recursion {
        self.recursion
    }

    /// The most invocations at a time, if the function has a number of its own.
    pub(crate) fn concurrency(&self) -> Option<u32> {
        self.reserved
    }

    /// The code of all versions, with their layers.
    pub(crate) fn codes(&self) -> Vec<CodeId> {
        let of = |runner: &Arc<Runner>| {
            let compute::Settings { code, layers, .. } = &runner.settings;
            let together = CodeId::of_layers(layers);
            std::iter::once(code).chain(layers).cloned().chain(together).collect::<Vec<_>>()
        };
        self.runners().flat_map(of).collect()
    }

    /// The container images of all versions.
    pub(crate) fn containers(&self) -> Vec<Arc<compute::Container>> {
        self.runners().filter_map(|runner| runner.settings.container.clone()).collect()
    }

    pub(crate) fn runners(&self) -> impl Iterator<Item = &Arc<Runner>> {
        std::iter::once(&self.latest).chain(self.versions.values())
    }
}

impl Table {
    pub(crate) fn get(&self, scope: &Scope, name: &str) -> Option<Arc<Active>> {
        let scopes = self.scopes.read().unwrap_or_else(PoisonError::into_inner);
        let functions = scopes.get(scope)?.functions.read().unwrap_or_else(PoisonError::into_inner);
        functions.get(name).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Active>> {
        let scopes = self.scopes.read().unwrap_or_else(PoisonError::into_inner);
        let of = |table: &Arc<ScopeTable>| {
            table.functions.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect::<Vec<_>>()
        };
        scopes.values().flat_map(of).collect()
    }

    /// The sums of an account and region.
    pub(crate) fn scope(&self, scope: &Scope) -> Arc<ScopeTable> {
        if let Some(found) = self.scopes.read().unwrap_or_else(PoisonError::into_inner).get(scope) {
            return Arc::clone(found);
        }
        let mut scopes = self.scopes.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(scopes.entry(scope.clone()).or_default())
    }

    fn url(&self, id: &str) -> Option<UrlPlace> {
        self.urls.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Puts a function's new state, or none, into the place of its old one.
    fn replace(&self, scope: &Scope, name: &FunctionName, new: Option<Arc<Active>>) {
        let table = self.scope(scope);
        let old = {
            let mut functions = table.functions.write().unwrap_or_else(PoisonError::into_inner);
            match &new {
                Some(active) => functions.insert(name.as_str().to_owned(), Arc::clone(active)),
                None => functions.remove(name.as_str()),
            }
        };
        let reserved = |active: &Option<Arc<Active>>| active.as_ref().map_or(0, |active| active.claimed());
        let code = |active: &Option<Arc<Active>>| active.as_ref().map_or(0, |active| active.code_bytes);
        // One refresh at a time, so these sums are not raced for.
        let sum = table.reserved_total.load(Ordering::Acquire) + reserved(&new) - reserved(&old);
        table.reserved_total.store(sum, Ordering::Release);
        let sum = table.code_bytes.load(Ordering::Acquire) + code(&new) - code(&old);
        table.code_bytes.store(sum, Ordering::Release);
        let mut urls = self.urls.write().unwrap_or_else(PoisonError::into_inner);
        for url in old.iter().flat_map(|active| active.urls.values()) {
            urls.remove(&url.id);
        }
        for (qualifier, url) in new.iter().flat_map(|active| &active.urls) {
            let place = UrlPlace { scope: scope.clone(), name: name.clone(), qualifier: qualifier.clone() };
            urls.insert(url.id.clone(), place);
        }
    }
}

impl ScopeTable {
    /// Reserved by all functions together, and provisioned of those that reserve nothing.
    pub(crate) fn reserved_total(&self) -> u32 {
        self.reserved_total.load(Ordering::Acquire)
    }

    /// All packages of all versions together.
    pub(crate) fn code_bytes(&self) -> u64 {
        self.code_bytes.load(Ordering::Acquire)
    }

    pub(crate) fn function_count(&self) -> usize {
        self.functions.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Takes a place for one invocation of a version: one that is provisioned, else one of the function's own, or one of those that
    /// nobody reserved.
    pub(crate) fn admit(&self, active: &Active, version: Option<u64>) -> Result<Permit, Fault> {
        let provision = version.and_then(|number| active.provisions.get(&number));
        if let Some(permit) = provision.and_then(|provision| Permit::take(&provision.in_flight, provision.wanted)) {
            return Ok(permit);
        }
        let (counter, limit, reason) = match active.reserved {
            Some(limit) => {
                // What is provisioned is part of what is reserved.
                let limit = limit.saturating_sub(active.provisioned_total());
                (&active.in_flight, limit, "ReservedFunctionConcurrentInvocationLimitExceeded")
            }
            None => {
                let limit = CONCURRENCY_MAX.saturating_sub(self.reserved_total());
                (&self.unreserved, limit, "ConcurrentInvocationLimitExceeded")
            }
        };
        Permit::take(counter, limit).ok_or_else(|| faults::throttled(reason))
    }
}

impl Functions {
    /// Reads a function again, after something about it was committed, and readies what the next call will want.
    pub(crate) async fn refresh(&self, scope: &Scope, name: &FunctionName) -> Result<(), ::store::Error> {
        if let Some(latest) = self.reread(scope, name).await?
            && !latest.image.initialized()
            && let Err(fault) = self.image(&latest).await
        {
            // It is tried again, and told to the caller, when the function is called.
            tracing::warn!(function = %latest.settings.arn, %fault, "a function is not ready");
        }
        self.provide(scope, name).await;
        Ok(())
    }

    /// Puts what the store says of a function into the table; its `$LATEST`, if there is one.
    async fn reread(&self, scope: &Scope, name: &FunctionName) -> Result<Option<Arc<Runner>>, ::store::Error> {
        let _one_at_a_time = self.table.refreshing.lock().await;
        let snapshot = self.store.snapshot();
        let bundle = Place::new(scope, name).bundle(&snapshot).await?;
        Ok(self.enter(scope, name, bundle, snapshot.sequence()))
    }

    /// Puts one function's state into the table, while nobody else does.
    fn enter(
        &self,
        scope: &Scope,
        name: &FunctionName,
        bundle: Option<Bundle>,
        sequence: Sequence,
    ) -> Option<Arc<Runner>> {
        let old = self.table.get(scope, name.as_str());
        let new = bundle.map(|bundle| Arc::new(self.activate(scope, name, bundle, sequence, old.as_deref())));
        let latest = new.as_ref().map(|active| Arc::clone(&active.latest));
        if let (Some(old), None) = (&old, &new) {
            self.compute.retire(&old.arn);
        }
        self.table.replace(scope, name, new);
        latest
    }

    /// The same, unless the table has seen that commit already.
    pub(crate) async fn refresh_since(
        &self,
        scope: &Scope,
        name: &FunctionName,
        sequence: Sequence,
    ) -> Result<(), ::store::Error> {
        match self.table.get(scope, name.as_str()) {
            Some(active) if active.sequence >= sequence => Ok(()),
            Some(_) | None => self.refresh(scope, name).await,
        }
    }

    /// Reads everything again: at the start, when too much happened at once to be told one by one, and after a reset. One scan,
    /// so that a node with a thousand functions starts as fast as one with ten.
    pub async fn resync(&self) -> Result<(), ::store::Error> {
        self.resync_mappings().await?;
        let _one_at_a_time = self.table.refreshing.lock().await;
        let snapshot = self.store.snapshot();
        let mut bundles = bundles(&snapshot).await?;
        for gone in self.table.all() {
            let place = (gone.scope.clone(), gone.name.clone());
            if !bundles.contains_key(&place) {
                self.enter(&place.0, &place.1, None, snapshot.sequence());
            }
        }
        for ((scope, name), bundle) in std::mem::take(&mut bundles) {
            self.enter(&scope, &name, Some(bundle), snapshot.sequence());
        }
        let (compute, all) = (self.compute.clone(), self.table.all());
        // What is installed may have to be found out first, which blocks.
        tokio::task::spawn_blocking(move || all.iter().for_each(|active| compute.expect(&active.latest.settings)));
        Ok(())
    }

    fn activate(
        &self,
        scope: &Scope,
        name: &FunctionName,
        bundle: Bundle,
        sequence: Sequence,
        old: Option<&Active>,
    ) -> Active {
        let Bundle { function, versions, aliases, urls, policies, event_invokes, provisions } = bundle;
        // What did not change keeps its runner, and with it the image and the instances that are warm.
        let same = old.filter(|old| old.id == function.id);
        let keep = |number: Option<u64>, version: &Version| {
            let known = same.and_then(|old| match number {
                None => Some(&old.latest),
                Some(number) => old.versions.get(&number),
            });
            match known.filter(|known| known.content == version.content) {
                Some(known) => Arc::clone(known),
                None => Arc::new(self.runner(scope, name, (function.id, sequence.number()), number, version)),
            }
        };
        let code_bytes =
            function.latest.code.bytes() + versions.values().map(|version| version.code.bytes()).sum::<u64>();
        let arn = scope.arn(name);
        let compiled = policies.into_iter().filter_map(|(qualifier, policy)| {
            let resource = qualifier.as_ref().map_or_else(|| arn.clone(), |qualifier| format!("{arn}:{qualifier}"));
            match policy::Policy::parse(&policy.document(&resource), policy::Kind::Resource) {
                Ok(compiled) => Some((qualifier, Arc::new(compiled))),
                Err(error) => {
                    // Fails closed: a policy that cannot be read allows nobody.
                    tracing::error!(function = %arn, %error, "a stored resource policy cannot be read");
                    None
                }
            }
        });
        let provisions = provision::by_version(&provisions, &aliases).into_iter().map(|(number, wanted)| {
            let known = same.and_then(|old| old.provisions.get(&number));
            let in_flight = known.map_or_else(Arc::default, |known| Arc::clone(&known.in_flight));
            (number, Provision { wanted, in_flight })
        });
        Active {
            provisions: provisions.collect(),
            policies: compiled.collect(),
            event_invokes,
            scope: scope.clone(),
            name: name.clone(),
            id: function.id,
            sequence,
            latest: keep(None, &function.latest),
            versions: versions.iter().map(|(number, version)| (*number, keep(Some(*number), version))).collect(),
            aliases: aliases.into_iter().collect(),
            urls: urls.into_iter().map(|(qualifier, url)| (qualifier, Arc::new(url))).collect(),
            reserved: function.concurrency_reserved,
            recursion: function.recursion,
            in_flight: same.map_or_else(Arc::default, |old| Arc::clone(&old.in_flight)),
            code_bytes,
            arn,
        }
    }
}
