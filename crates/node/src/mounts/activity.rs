//! `GET /_activity`: what functions have done since the node started, and all instances, at this moment. `freehold top` shows it.

use std::time::Duration;

use compute::{Activity as Doing, Compute, FunctionState, InstanceState};
use dispatch::BoxFuture;
use door::{Audience, Body, Mount, RequestBody, Visit};
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};

use super::document;

/// See the file.
pub(crate) struct Activity(pub(crate) Compute);

impl Mount for Activity {
    fn wants(&self, _host: &str, path: &str) -> bool {
        path == "/_activity"
    }

    fn audience(&self) -> Audience {
        Audience::Owner
    }

    fn handle<'a>(&'a self, _request: Request<RequestBody>, _visit: &'a Visit) -> BoxFuture<'a, Response<Body>> {
        let functions: Vec<Value> = self.0.functions().iter().map(function).collect();
        let instances: Vec<Value> = self.0.instances().iter().map(instance).collect();
        let ahead = self.0.booted_ahead();
        let report = json!({
            "functions": functions,
            "instances": instances,
            "starting": self.0.starting(),
            "bootedAhead": { "ready": ahead.ready, "taken": ahead.taken, "memoryBytes": ahead.memory_bytes },
            "inProcessBytes": self.0.in_process_bytes(),
        });
        Box::pin(std::future::ready(document(StatusCode::OK, &report)))
    }
}

fn function(state: &FunctionState) -> Value {
    let counts = &state.counts;
    json!({
        "arn": state.arn,
        "inFlight": counts.in_flight,
        "calls": counts.calls,
        "errors": counts.errors,
        "coldStarts": counts.cold,
        "throttles": counts.throttled,
        "billedMbMs": counts.billed_mb_ms,
        "durations": counts.durations,
    })
}

fn instance(state: &InstanceState) -> Value {
    json!({
        "arn": state.arn,
        "version": state.version,
        "logStream": state.log_stream,
        "state": word(state.activity),
        "pid": state.pid,
        "memoryMb": state.memory_mb,
        "memoryBytes": state.memory_bytes,
        "ageMs": milliseconds(state.age),
        "attempts": state.attempts,
    })
}

/// What an instance does, in a word.
pub(crate) fn word(activity: Doing) -> &'static str {
    match activity {
        Doing::Busy => "busy",
        Doing::Idle => "idle",
        Doing::Frozen => "frozen",
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
