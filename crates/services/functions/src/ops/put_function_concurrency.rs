//! `PutFunctionConcurrency`: a number of invocations at a time that is the function's own; 0 stops it.
//!
//! Limits: 1,000 in an account and region, of which 100 stay for functions without a number.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{Concurrency, PutFunctionConcurrency, PutFunctionConcurrencyRequest};

use super::lookup;
use super::view::{signed, unsigned};
use crate::active::{CONCURRENCY_MAX, UNRESERVED_MIN};
use crate::name::{FunctionName, Reference, Scope};
use crate::store::{Place, Refusal};
use crate::{Functions, faults};

impl Handle<PutFunctionConcurrency> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &PutFunctionConcurrencyRequest) -> Arn {
        Self::arn(call, &input.function_name, None)
    }

    async fn handle(&self, call: &Call, input: PutFunctionConcurrencyRequest) -> Result<Concurrency, Fault> {
        let scope = &Scope::of(call);
        let name = Reference::parse_unqualified(scope, &input.function_name)?;
        let wanted = unsigned("reservedConcurrentExecutions", input.reserved_concurrent_executions)?;
        // The sum of all functions is in the table and not in a record, which every function's writers would fight for. So
        // those who change it go one by one, on one node; nodes on a shared store may exceed it between two refreshes.
        let _one_at_a_time = self.dividing.lock().await;
        let current = lookup::function(&self.store.snapshot(), &Place::new(scope, &name)).await?;
        let active = self.table.get(scope, name.as_str());
        let provisioned = active.as_ref().map_or(0, |active| active.provisioned_total());
        if wanted < provisioned {
            // AWS's own words, spaces and all.
            return Err(faults::invalid(format!(
                " ReservedConcurrentExecutions  {wanted} should not be lower than function's total provisioned concurrency \
                 [{provisioned}]."
            )));
        }
        // What another node gave the function may not be in the sum yet.
        let own = active.map_or(current.concurrency_reserved.unwrap_or(0), |active| active.claimed());
        let others = self.table.scope(scope).reserved_total().saturating_sub(own);
        if wanted > 0 && others.saturating_add(wanted) > CONCURRENCY_MAX - UNRESERVED_MIN {
            return Err(faults::invalid(format!(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
                 below its minimum value of [{UNRESERVED_MIN}]."
            )));
        }
        self.set_reserved(scope, &name, Some(wanted)).await?;
        Ok(Concurrency { reserved_concurrent_executions: Some(signed(wanted)) })
    }
}

impl Functions {
    /// Sets or clears the function's own number.
    pub(super) async fn set_reserved(
        &self,
        scope: &Scope,
        name: &FunctionName,
        reserved: Option<u32>,
    ) -> Result<(), Fault> {
        let place = &Place::new(scope, name);
        let committed = self
            .store
            .transact(|tx| async move {
                let mut function = lookup::function(&tx, place).await?;
                function.concurrency_reserved = reserved;
                let before = function.latest.clone();
                place.put_function(&tx, &self.blobs, Some(&before), &function).await?;
                Ok::<_, Refusal>(())
            })
            .await;
        self.settle(scope, name, committed).await
    }
}
