//! The list of operations. Each has a file of its own, but for starting and stopping, and for tags.

mod create_pipe;
mod delete_pipe;
mod describe_pipe;
mod list_pipes;
mod start_and_stop;
mod tags;
mod update_pipe;

use std::sync::Arc;

use contract::{Arn, Call, Fault};
use dispatch::Registry;
use jiff::Timestamp;
use wire::pipes as op;

use crate::model::{Pipe, Scope};
use crate::table::Seen;
use crate::{Pipes, faults, store};

/// Serves every operation of this service.
pub fn register(registry: &mut Registry, service: &Arc<Pipes>) {
    registry.add::<op::CreatePipe, _>(service);
    registry.add::<op::DescribePipe, _>(service);
    registry.add::<op::ListPipes, _>(service);
    registry.add::<op::UpdatePipe, _>(service);
    registry.add::<op::DeletePipe, _>(service);
    registry.add::<op::StartPipe, _>(service);
    registry.add::<op::StopPipe, _>(service);
    registry.add::<op::TagResource, _>(service);
    registry.add::<op::UntagResource, _>(service);
    registry.add::<op::ListTagsForResource, _>(service);
}

/// A pipe, for policies.
fn resource(call: &Call, name: &str) -> Arn {
    Scope::of(call).arn(name)
}

fn time(ms: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(ms).ok()
}

fn wanted(pipe: &Pipe) -> &'static str {
    if pipe.running { "RUNNING" } else { "STOPPED" }
}

/// The state that a pipe is in when somebody looks. Changes are done when they are answered, but for what is in hand.
fn current(seen: &Seen) -> &'static str {
    match (seen.pipe.running, seen.leaving) {
        (true, _) => "RUNNING",
        (false, true) => "STOPPING",
        (false, false) => "STOPPED",
    }
}

impl Pipes {
    fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Changes a pipe that is there, in one transaction, and lets it flow as it is to.
    async fn change(
        &self,
        scope: &Scope,
        name: &str,
        change: impl Fn(&mut Pipe) -> Result<(), Fault> + Send + Sync,
    ) -> Result<Pipe, Fault> {
        let _one_at_a_time = self.changing.lock().await;
        let change = &change;
        let changed = self
            .store
            .transact(|tx| async move {
                let mut pipe = store::get(&tx, scope, name).await?.ok_or_else(|| faults::missing(name))?;
                change(&mut pipe)?;
                pipe.course()?;
                store::put(&tx, scope, &pipe);
                Ok::<_, Refusal>(pipe)
            })
            .await
            .map_err(|refusal| refusal.0)?;
        self.table.settle(scope, name, Some(changed.clone()), self.tools.get());
        Ok(changed)
    }
}

/// Why a transaction ended without a commit.
#[derive(Debug)]
struct Refusal(Fault);

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

impl From<::store::Error> for Refusal {
    fn from(error: ::store::Error) -> Self {
        Self(match error {
            ::store::Error::ValueTooLong { bytes, limit } => faults::invalid(format!(
                "The parameters, templates and tags of this pipe come to {bytes} bytes, and {limit} can be kept together."
            )),
            error => faults::of_store(error),
        })
    }
}
