//! Steps become calls: retried where the node was too busy, bounded in time, waited for until what they made is settled.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base::{Backoff, Clock, Random};
use contract::{AccountId, Call, Caller, Cause, Document, Fault, Origin, Principal, Region, ResourceType, Step, Trace};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::model::Owner;

/// How long one call may take.
const CALL_MAX: Duration = Duration::from_secs(120);
/// How often a call is tried that the node was too busy for.
const TRIES_MAX: u32 = 8;
/// How long something may take until it is settled.
const SETTLE_MAX: Duration = Duration::from_secs(600);

/// Makes calls in the name of whoever asked for the operation.
pub(crate) struct Steps {
    pub(crate) caller: Arc<dyn Caller>,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) owner: Owner,
    pub(crate) base_url: Arc<str>,
    pub(crate) stopping: CancellationToken,
}

/// Why a step did not succeed.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It was refused, and nothing happened.
    Refused(String),
    /// It failed, and what it did is not known.
    Unknown(String),
    /// The node stops.
    Stopping,
}

/// What `Ref` and `Fn::GetAtt` give.
pub(crate) struct Known {
    pub(crate) reference: Value,
    pub(crate) attributes: BTreeMap<String, Value>,
}

impl Steps {
    /// Makes one call; `null` where it was refused in a way that the step tolerates.
    pub(crate) async fn call(&self, step: &Step) -> Result<Document, Trouble> {
        match self.attempt(step).await? {
            Ok(answer) => Ok(answer),
            Err(fault) if step.tolerate.contains(&fault.code.as_str()) => Ok(Value::Null),
            Err(fault) => Err(trouble(&fault)),
        }
    }

    /// Makes one call that deletes: what is not there any more is deleted.
    pub(crate) async fn call_deleting(&self, step: &Step) -> Result<(), Trouble> {
        match self.attempt(step).await? {
            Ok(_) => Ok(()),
            Err(fault) if fault.cause == Cause::NotFound || step.tolerate.contains(&fault.code.as_str()) => Ok(()),
            Err(fault) => Err(trouble(&fault)),
        }
    }

    /// Whether something is there already under a physical id; `false` where nobody can tell. What is read and not settled may be
    /// nothing at all, such as an empty list; then the service refuses the creation if something is there after all.
    pub(crate) async fn is_there(
        &self,
        kind: &dyn ResourceType,
        id: &str,
        properties: &Value,
    ) -> Result<bool, Trouble> {
        let Some(step) = kind.read(id, properties) else { return Ok(false) };
        match self.attempt(&step).await? {
            Ok(answer) => Ok(kind.settled(&answer) == Ok(true)),
            Err(fault) if fault.cause == Cause::NotFound => Ok(false),
            Err(fault) => Err(trouble(&fault)),
        }
    }

    /// Waits until something is settled with all that belongs to it, and tells what it is known by.
    pub(crate) async fn settle(&self, kind: &dyn ResourceType, id: &str, properties: &Value) -> Result<Known, Trouble> {
        let answer = self.settle_itself(kind, id, properties).await?;
        if let Some(step) = kind.awaits(id, properties) {
            self.settled(kind, id, &step).await?;
        }
        let attributes = kind.attributes(id, properties, &answer);
        let named = attributes.named.into_iter().chain(kind.addresses(id, &self.base_url));
        Ok(Known {
            reference: attributes.reference.into(),
            attributes: named.map(|(name, value)| (name.to_owned(), value)).collect(),
        })
    }

    /// Waits until something itself is settled: between two steps, when what belongs to it may not be there yet.
    pub(crate) async fn settle_itself(
        &self,
        kind: &dyn ResourceType,
        id: &str,
        properties: &Value,
    ) -> Result<Value, Trouble> {
        match kind.read(id, properties) {
            Some(step) => self.settled(kind, id, &step).await,
            None => Ok(Value::Null),
        }
    }

    async fn settled(&self, kind: &dyn ResourceType, id: &str, step: &Step) -> Result<Value, Trouble> {
        let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(2));
        let until = self.clock.elapsed() + SETTLE_MAX;
        loop {
            let answer = self.call(step).await?;
            match kind.settled(&answer) {
                Ok(true) => return Ok(answer),
                Ok(false) if self.clock.elapsed() > until => {
                    return Err(Trouble::Unknown(format!(
                        "{id} did not settle within {} seconds",
                        SETTLE_MAX.as_secs()
                    )));
                }
                Ok(false) => self.wait(backoff.next(&self.random)).await?,
                Err(reason) => return Err(Trouble::Unknown(reason)),
            }
        }
    }

    /// Runs steps that change what is there; between two of them it must settle, or services refuse the second.
    pub(crate) async fn change(
        &self,
        kind: &dyn ResourceType,
        id: &str,
        properties: &Value,
        steps: &[Step],
    ) -> Result<Known, Trouble> {
        for (index, step) in steps.iter().enumerate() {
            if index > 0 {
                self.settle_itself(kind, id, properties).await.map_err(Trouble::after_something)?;
            }
            self.call(step).await.map_err(|trouble| if index > 0 { trouble.after_something() } else { trouble })?;
        }
        self.settle(kind, id, properties).await.map_err(Trouble::after_something)
    }

    async fn attempt(&self, step: &Step) -> Result<Result<Document, Fault>, Trouble> {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            let call = self.new_call();
            match self.caller.call(step.operation, &call, step.input.clone()).await {
                // Refused before anything happened, so it can be tried again.
                Err(fault)
                    if matches!(fault.cause, Cause::Throttled | Cause::Unavailable) && backoff.tries() < TRIES_MAX =>
                {
                    self.wait(backoff.next(&self.random)).await?;
                }
                answer => return Ok(answer),
            }
        }
    }

    async fn wait(&self, duration: Duration) -> Result<(), Trouble> {
        tokio::select! {
            () = self.clock.sleep(duration) => Ok(()),
            () = self.stopping.cancelled() => Err(Trouble::Stopping),
        }
    }

    fn new_call(&self) -> Call {
        let principal = match &self.owner {
            Owner::Open => Principal::Open { access_key: None },
            Owner::Root => Principal::Root,
            Owner::Role { role, session } => {
                Principal::Role { role: role.as_str().into(), session: session.as_str().into() }
            }
        };
        Call {
            id: self.random.uuid(),
            principal,
            account: self.account,
            region: self.region.clone(),
            deadline: self.clock.elapsed() + CALL_MAX,
            trace: Trace::start(&self.clock, &self.random),
            hops: 0,
            origin: Origin::Inside { part: "stacks", base_url: Arc::clone(&self.base_url) },
        }
    }
}

impl Trouble {
    /// The same, where an earlier step has changed something already.
    pub(crate) fn after_something(self) -> Self {
        match self {
            Self::Refused(reason) | Self::Unknown(reason) => Self::Unknown(reason),
            Self::Stopping => Self::Stopping,
        }
    }
}

fn trouble(fault: &Fault) -> Trouble {
    let reason = format!("{} ({})", fault.message, fault.code);
    match fault.cause {
        Cause::TimedOut | Cause::Unavailable | Cause::Internal => Trouble::Unknown(reason),
        Cause::Invalid
        | Cause::Unauthenticated
        | Cause::Denied
        | Cause::NotFound
        | Cause::Conflict
        | Cause::TooLarge
        | Cause::Throttled
        | Cause::Unserved => Trouble::Refused(reason),
    }
}
