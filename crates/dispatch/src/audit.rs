//! The audit line: who asked for what, of what, and how it ended. Fields, not sentences; target `audit`.

use std::time::Duration;

use contract::{Arn, Call, Fault, OperationId, Origin, Principal};

use crate::metrics::Outcome;

/// How a call ended.
pub(crate) struct Ended<'a> {
    pub(crate) operation: OperationId,
    pub(crate) call: &'a Call,
    pub(crate) resource: Option<&'a Arn>,
    pub(crate) outcome: Outcome,
    pub(crate) fault: Option<&'a Fault>,
    pub(crate) took: Duration,
}

/// Writes the line; costs nothing where nobody listens.
pub(crate) fn write(ended: &Ended<'_>) {
    if !tracing::enabled!(target: "audit", tracing::Level::INFO) {
        return;
    }
    let Ended { operation, call, resource, outcome, fault, took } = ended;
    let access_key = match &call.principal {
        Principal::Open { access_key } => access_key.as_deref(),
        Principal::Root | Principal::Role { .. } | Principal::Service { .. } | Principal::Anonymous => None,
    };
    let (source, user_agent) = match &call.origin {
        Origin::Door { peer, user_agent, .. } => (peer.to_string(), &**user_agent),
        Origin::Inside { part, .. } => ((*part).to_owned(), ""),
    };
    tracing::info!(
        target: "audit",
        request = %call.id,
        trace = %call.trace,
        service = operation.service,
        operation = operation.name,
        principal = call.principal.arn(call.account),
        access_key,
        account = %call.account,
        region = %call.region,
        resource = resource.map(tracing::field::display),
        outcome = outcome.as_str(),
        fault = fault.map(|fault| fault.code.as_str()),
        took_us = took.as_micros() as u64,
        source,
        user_agent,
        hops = call.hops,
    );
}
