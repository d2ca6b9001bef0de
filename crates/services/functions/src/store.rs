//! Where functions are kept: keys, records and what belongs together. The only file of this crate (with its room `store/`)
//! that touches the store.
//!
//! All keys begin with `functions`, account, region, kind and function name:
//!
//! | kind | then | record |
//! |---|---|---|
//! | `function` | | the function with its `$LATEST` |
//! | `version` | number | a published version |
//! | `alias` | name | an alias |
//! | `url` | qualifier, or nothing | a function URL |
//! | `policy` | qualifier, or nothing | a resource policy |
//! | `event-invoke` | qualifier | what becomes of asynchronous invocations |
//! | `provision` | qualifier | what is provisioned of a version or an alias |
//!
//! What always holds: versions, aliases, URLs, policies and provisions exist only beside their function, and go with it in one transaction.
//! Every code package that a record names is retained by that record in the blobs (see [`::store::Blobs::retain`]).

pub(crate) mod layers;
pub(crate) mod mapping;
mod record;
mod refusal;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;

use ::store::{Blobs, Key, Page, Range, Record, Scan, Snapshot, Transaction};
use contract::{AccountId, Region};

use crate::model::{Alias, EventInvoke, Function, Policy, Provision, UrlConfig, Version};
use crate::name::{FunctionName, Qualifier, Scope};
pub(crate) use refusal::Refusal;

const EVENT_INVOKE: &str = "event-invoke";

/// The prefix of everything that this service keeps.
pub(crate) fn root() -> Key {
    Key::new("functions")
}

/// A function with everything that belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bundle {
    pub(crate) function: Function,
    pub(crate) versions: BTreeMap<u64, Version>,
    pub(crate) aliases: BTreeMap<String, Alias>,
    /// By alias; `None` is the function's own.
    pub(crate) urls: BTreeMap<Option<Qualifier>, UrlConfig>,
    /// By qualifier; `None` is the function's own.
    pub(crate) policies: BTreeMap<Option<Qualifier>, Policy>,
    pub(crate) event_invokes: BTreeMap<Qualifier, EventInvoke>,
    /// By version or alias.
    pub(crate) provisions: BTreeMap<Qualifier, Provision>,
}

impl Bundle {
    /// A function with nothing but its `$LATEST`.
    fn new(function: Function) -> Self {
        Self {
            function,
            versions: BTreeMap::new(),
            aliases: BTreeMap::new(),
            urls: BTreeMap::new(),
            policies: BTreeMap::new(),
            event_invokes: BTreeMap::new(),
            provisions: BTreeMap::new(),
        }
    }
}

/// What snapshots and transactions have in common.
pub(crate) trait Read: Sync {
    fn record<R: Record>(&self, key: &Key) -> impl Future<Output = Result<Option<R>, ::store::Error>> + Send;
    fn page(&self, range: Range, scan: Scan) -> impl Future<Output = Result<Page, ::store::Error>> + Send;
}

impl Read for Snapshot {
    fn record<R: Record>(&self, key: &Key) -> impl Future<Output = Result<Option<R>, ::store::Error>> + Send {
        self.get_record(key)
    }

    fn page(&self, range: Range, scan: Scan) -> impl Future<Output = Result<Page, ::store::Error>> + Send {
        self.scan(range, scan)
    }
}

impl Read for Transaction {
    fn record<R: Record>(&self, key: &Key) -> impl Future<Output = Result<Option<R>, ::store::Error>> + Send {
        self.get_record(key)
    }

    fn page(&self, range: Range, scan: Scan) -> impl Future<Output = Result<Page, ::store::Error>> + Send {
        self.scan(range, scan)
    }
}

/// The place of one function.
#[derive(Clone, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) name: &'a FunctionName,
}

impl<'a> Place<'a> {
    pub(crate) fn new(scope: &'a Scope, name: &'a FunctionName) -> Self {
        Self { scope, name }
    }

    fn kind(&self, kind: &str) -> Key {
        scope_key(self.scope).with(kind).with(self.name.as_str())
    }

    pub(crate) async fn function(&self, read: &impl Read) -> Result<Option<Function>, ::store::Error> {
        read.record::<record::Function>(&self.kind("function")).await?.map(Function::try_from).transpose()
    }

    pub(crate) async fn version(&self, read: &impl Read, number: u64) -> Result<Option<Version>, ::store::Error> {
        read.record::<record::Version>(&self.kind("version").with(number)).await?.map(Version::try_from).transpose()
    }

    pub(crate) async fn versions(&self, read: &impl Read) -> Result<BTreeMap<u64, Version>, ::store::Error> {
        let prefix = self.kind("version");
        let mut versions = BTreeMap::new();
        for (key, value) in all(read, Range::prefix(&prefix)).await? {
            let version = ::store::record::decode::<record::Version>(&value)?;
            versions.insert(key.parts_after(&prefix)?.number()?, version.try_into()?);
        }
        Ok(versions)
    }

    pub(crate) async fn alias(&self, read: &impl Read, alias: &str) -> Result<Option<Alias>, ::store::Error> {
        Ok(read.record::<record::Alias>(&self.kind("alias").with(alias)).await?.map(Alias::from))
    }

    pub(crate) async fn aliases(&self, read: &impl Read) -> Result<BTreeMap<String, Alias>, ::store::Error> {
        let prefix = self.kind("alias");
        let mut aliases = BTreeMap::new();
        for (key, value) in all(read, Range::prefix(&prefix)).await? {
            let alias = ::store::record::decode::<record::Alias>(&value)?;
            aliases.insert(key.parts_after(&prefix)?.text()?, alias.into());
        }
        Ok(aliases)
    }

    pub(crate) async fn url(
        &self,
        read: &impl Read,
        qualifier: Option<&Qualifier>,
    ) -> Result<Option<UrlConfig>, ::store::Error> {
        let key = self.kind("url").with(qualifier_text(qualifier));
        Ok(read.record::<record::Url>(&key).await?.map(UrlConfig::from))
    }

    pub(crate) async fn urls(
        &self,
        read: &impl Read,
    ) -> Result<BTreeMap<Option<Qualifier>, UrlConfig>, ::store::Error> {
        let prefix = self.kind("url");
        let mut urls = BTreeMap::new();
        for (key, value) in all(read, Range::prefix(&prefix)).await? {
            let url = ::store::record::decode::<record::Url>(&value)?;
            urls.insert(Qualifier::parse(&key.parts_after(&prefix)?.text()?), url.into());
        }
        Ok(urls)
    }

    pub(crate) async fn policy(
        &self,
        read: &impl Read,
        qualifier: Option<&Qualifier>,
    ) -> Result<Option<Policy>, ::store::Error> {
        let key = self.kind("policy").with(qualifier_text(qualifier));
        Ok(read.record::<record::Policy>(&key).await?.map(Policy::from))
    }

    async fn policies(&self, read: &impl Read) -> Result<BTreeMap<Option<Qualifier>, Policy>, ::store::Error> {
        let prefix = self.kind("policy");
        let mut policies = BTreeMap::new();
        for (key, value) in all(read, Range::prefix(&prefix)).await? {
            let policy = ::store::record::decode::<record::Policy>(&value)?;
            policies.insert(Qualifier::parse(&key.parts_after(&prefix)?.text()?), policy.into());
        }
        Ok(policies)
    }

    pub(crate) async fn provision(
        &self,
        read: &impl Read,
        qualifier: &Qualifier,
    ) -> Result<Option<Provision>, ::store::Error> {
        let key = self.kind("provision").with(qualifier_text(Some(qualifier)));
        Ok(read.record::<record::Provision>(&key).await?.map(Provision::from))
    }

    pub(crate) async fn provisions(&self, read: &impl Read) -> Result<BTreeMap<Qualifier, Provision>, ::store::Error> {
        let prefix = self.kind("provision");
        let mut provisions = BTreeMap::new();
        for (key, value) in all(read, Range::prefix(&prefix)).await? {
            if let Some(qualifier) = Qualifier::parse(&key.parts_after(&prefix)?.text()?) {
                let provision = ::store::record::decode::<record::Provision>(&value)?;
                provisions.insert(qualifier, provision.into());
            }
        }
        Ok(provisions)
    }

    pub(crate) async fn event_invoke(
        &self,
        read: &impl Read,
        qualifier: &Qualifier,
    ) -> Result<Option<EventInvoke>, ::store::Error> {
        let key = self.kind(EVENT_INVOKE).with(qualifier.to_string());
        Ok(read.record::<record::EventInvoke>(&key).await?.map(EventInvoke::from))
    }

    pub(crate) async fn event_invokes(
        &self,
        read: &impl Read,
    ) -> Result<BTreeMap<Qualifier, EventInvoke>, ::store::Error> {
        let prefix = self.kind(EVENT_INVOKE);
        let mut configs = BTreeMap::new();
        for (key, value) in all(read, Range::prefix(&prefix)).await? {
            let config = ::store::record::decode::<record::EventInvoke>(&value)?;
            if let Some(qualifier) = Qualifier::parse(&key.parts_after(&prefix)?.text()?) {
                configs.insert(qualifier, config.into());
            }
        }
        Ok(configs)
    }

    /// Everything about the function, if there is one.
    pub(crate) async fn bundle(&self, read: &impl Read) -> Result<Option<Bundle>, ::store::Error> {
        let Some(function) = self.function(read).await? else { return Ok(None) };
        Ok(Some(Bundle {
            function,
            versions: self.versions(read).await?,
            aliases: self.aliases(read).await?,
            urls: self.urls(read).await?,
            policies: self.policies(read).await?,
            event_invokes: self.event_invokes(read).await?,
            provisions: self.provisions(read).await?,
        }))
    }

    /// Sets the function, which keeps what `$LATEST` is made of; `before` is what it was until now.
    pub(crate) async fn put_function(
        &self,
        tx: &Transaction,
        blobs: &Blobs,
        before: Option<&Version>,
        function: &Function,
    ) -> Result<(), ::store::Error> {
        let key = self.kind("function");
        let kept = before.map(hashes).unwrap_or_default();
        let wanted = hashes(&function.latest);
        for gone in kept.difference(&wanted) {
            blobs.release(tx, (*gone).into(), &key);
        }
        for new in wanted.difference(&kept) {
            blobs.retain(tx, (*new).into(), &key).await?;
        }
        tx.put_record(key, &record::Function::from(function));
        Ok(())
    }

    /// Adds a published version, which keeps its code; it is never changed but for its revision.
    pub(crate) async fn put_version(
        &self,
        tx: &Transaction,
        blobs: &Blobs,
        number: u64,
        version: &Version,
    ) -> Result<(), ::store::Error> {
        let key = self.kind("version").with(number);
        for hash in hashes(version) {
            blobs.retain(tx, hash.into(), &key).await?;
        }
        tx.put_record(key, &record::Version::from(version));
        Ok(())
    }

    /// The version, its policy and what is provisioned of it.
    pub(crate) fn delete_version(&self, tx: &Transaction, blobs: &Blobs, number: u64, version: &Version) {
        let key = self.kind("version").with(number);
        for hash in hashes(version) {
            blobs.release(tx, hash.into(), &key);
        }
        tx.delete(key);
        self.delete_policy(tx, Some(&Qualifier::Version(number)));
        self.delete_event_invoke(tx, &Qualifier::Version(number));
        self.delete_provision(tx, &Qualifier::Version(number));
    }

    pub(crate) fn put_alias(&self, tx: &Transaction, name: &str, alias: &Alias) {
        tx.put_record(self.kind("alias").with(name), &record::Alias::from(alias));
    }

    /// The alias, its URL, its policy and what is provisioned of it.
    pub(crate) fn delete_alias(&self, tx: &Transaction, name: &str) {
        let qualifier = Qualifier::Alias(name.to_owned());
        tx.delete(self.kind("alias").with(name));
        self.delete_url(tx, Some(&qualifier));
        self.delete_policy(tx, Some(&qualifier));
        self.delete_event_invoke(tx, &qualifier);
        self.delete_provision(tx, &qualifier);
    }

    pub(crate) fn put_event_invoke(&self, tx: &Transaction, qualifier: &Qualifier, config: &EventInvoke) {
        tx.put_record(self.kind(EVENT_INVOKE).with(qualifier.to_string()), &record::EventInvoke::from(config));
    }

    pub(crate) fn delete_event_invoke(&self, tx: &Transaction, qualifier: &Qualifier) {
        tx.delete(self.kind(EVENT_INVOKE).with(qualifier.to_string()));
    }

    pub(crate) fn put_url(&self, tx: &Transaction, qualifier: Option<&Qualifier>, url: &UrlConfig) {
        tx.put_record(self.kind("url").with(qualifier_text(qualifier)), &record::Url::from(url));
    }

    pub(crate) fn delete_url(&self, tx: &Transaction, qualifier: Option<&Qualifier>) {
        tx.delete(self.kind("url").with(qualifier_text(qualifier)));
    }

    pub(crate) fn put_provision(&self, tx: &Transaction, qualifier: &Qualifier, provision: &Provision) {
        let key = self.kind("provision").with(qualifier_text(Some(qualifier)));
        tx.put_record(key, &record::Provision::from(provision));
    }

    pub(crate) fn delete_provision(&self, tx: &Transaction, qualifier: &Qualifier) {
        tx.delete(self.kind("provision").with(qualifier_text(Some(qualifier))));
    }

    /// Sets a policy; one without statements is none.
    pub(crate) fn put_policy(&self, tx: &Transaction, qualifier: Option<&Qualifier>, policy: &Policy) {
        if policy.statements.is_empty() {
            return self.delete_policy(tx, qualifier);
        }
        tx.put_record(self.kind("policy").with(qualifier_text(qualifier)), &record::Policy::from(policy));
    }

    fn delete_policy(&self, tx: &Transaction, qualifier: Option<&Qualifier>) {
        tx.delete(self.kind("policy").with(qualifier_text(qualifier)));
    }

    /// The function and everything that belongs to it.
    pub(crate) async fn delete(
        &self,
        tx: &Transaction,
        blobs: &Blobs,
        function: &Function,
    ) -> Result<(), ::store::Error> {
        for (number, version) in self.versions(tx).await? {
            self.delete_version(tx, blobs, number, &version);
        }
        let key = self.kind("function");
        for hash in hashes(&function.latest) {
            blobs.release(tx, hash.into(), &key);
        }
        tx.delete(key);
        for kind in ["alias", "url", "policy", EVENT_INVOKE, "provision"] {
            for (key, _) in all(tx, Range::prefix(&self.kind(kind))).await? {
                tx.delete(key);
            }
        }
        Ok(())
    }
}

/// The archives that a version is made of: each once, also where its code is one of its layers.
fn hashes(version: &Version) -> BTreeSet<[u8; 32]> {
    version.archives().map(|archive| archive.sha256).collect()
}

/// All functions of a scope after `after`, in order of their names, at most `limit`.
pub(crate) async fn functions(
    read: &impl Read,
    scope: &Scope,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(FunctionName, Function)>, ::store::Error> {
    let prefix = scope_key(scope).with("function");
    let mut range = Some(match after {
        Some(after) => Range::prefix(&prefix).after(&prefix.clone().with(after)),
        None => Range::prefix(&prefix),
    });
    let mut found = Vec::new();
    while let Some(next) = range.take()
        && found.len() < limit
    {
        let page = read.page(next, Scan::first(limit - found.len())).await?;
        for (key, value) in page.items {
            let name = name_part(&key.parts_after(&prefix)?.text()?)?;
            found.push((name, ::store::record::decode::<record::Function>(&value)?.try_into()?));
        }
        range = page.rest;
    }
    Ok(found)
}

/// Every function on this node, from one scan.
pub(crate) async fn bundles(read: &impl Read) -> Result<HashMap<(Scope, FunctionName), Bundle>, ::store::Error> {
    let pairs = all(read, Range::prefix(&root())).await?;
    let mut bundles = HashMap::new();
    for (key, value) in &pairs {
        if let Some((scope, name, kind)) = locate(key)?
            && kind == "function"
        {
            let function = ::store::record::decode::<record::Function>(value)?.try_into()?;
            bundles.insert((scope, name), Bundle::new(function));
        }
    }
    for (key, value) in pairs {
        if let Some((scope, name, kind)) = locate(&key)?
            && let Some(bundle) = bundles.get_mut(&(scope.clone(), name.clone()))
        {
            let mut rest = key.parts_after(&Place::new(&scope, &name).kind(&kind))?;
            match kind.as_str() {
                "version" => {
                    let version = ::store::record::decode::<record::Version>(&value)?;
                    bundle.versions.insert(rest.number()?, version.try_into()?);
                }
                "alias" => {
                    let alias = ::store::record::decode::<record::Alias>(&value)?;
                    bundle.aliases.insert(rest.text()?, alias.into());
                }
                "url" => {
                    let url = ::store::record::decode::<record::Url>(&value)?;
                    bundle.urls.insert(Qualifier::parse(&rest.text()?), url.into());
                }
                "policy" => {
                    let policy = ::store::record::decode::<record::Policy>(&value)?;
                    bundle.policies.insert(Qualifier::parse(&rest.text()?), policy.into());
                }
                "provision" => {
                    let provision = ::store::record::decode::<record::Provision>(&value)?;
                    if let Some(qualifier) = Qualifier::parse(&rest.text()?) {
                        bundle.provisions.insert(qualifier, provision.into());
                    }
                }
                EVENT_INVOKE => {
                    let config = ::store::record::decode::<record::EventInvoke>(&value)?;
                    if let Some(qualifier) = Qualifier::parse(&rest.text()?) {
                        bundle.event_invokes.insert(qualifier, config.into());
                    }
                }
                // The function itself, and kinds that a newer program may add beside it.
                _ => {}
            }
        }
    }
    Ok(bundles)
}

/// Which function a key of ours is about; none for keys that are about no function.
pub(crate) fn locate(key: &Key) -> Result<Option<(Scope, FunctionName, String)>, ::store::Error> {
    let mut parts = key.parts_after(&root())?;
    let (account, region, kind) = (parts.text()?, parts.text()?, parts.text()?);
    let (Some(account), Some(region)) = (AccountId::parse(&account), Region::parse(&region)) else { return Ok(None) };
    let name = name_part(&parts.text()?)?;
    Ok(Some((Scope { account, region }, name, kind)))
}

fn name_part(text: &str) -> Result<FunctionName, ::store::Error> {
    FunctionName::parse(text).ok_or(::store::Error::KeyPart { expected: "a function's name", found: "other text" })
}

fn scope_key(scope: &Scope) -> Key {
    root().with(scope.account.to_string()).with(scope.region.as_str())
}

fn qualifier_text(qualifier: Option<&Qualifier>) -> String {
    qualifier.map(Qualifier::to_string).unwrap_or_default()
}

/// All pairs of a range, page by page.
async fn all(read: &impl Read, range: Range) -> Result<Vec<(Key, bytes::Bytes)>, ::store::Error> {
    let mut found = Vec::new();
    let mut rest = Some(range);
    while let Some(range) = rest.take() {
        let page = read.page(range, Scan::first(Scan::PAGE_MAX)).await?;
        found.extend(page.items);
        rest = page.rest;
    }
    Ok(found)
}
