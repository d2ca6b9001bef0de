//! Counts and durations of calls, and the registry that all parts of the node put their metrics in.
//!
//! The handles of an operation are made when it is registered; a call touches only atomics.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::{Cause, Fault, OperationId};
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

/// The node's metrics. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Mutex<Registry>,
    calls: Family<CallLabels, Counter>,
    seconds: Family<OperationLabels, Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    service: &'static str,
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    service: &'static str,
    operation: &'static str,
}

impl Metrics {
    /// An empty registry, with the families of calls in it.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("freehold");
        let (calls, seconds) = (Family::default(), Family::default());
        registry.register("calls", "Calls by operation and outcome", calls.clone());
        registry.register_with_unit("calls", "Duration of calls by operation", Unit::Seconds, seconds.clone());
        Self(Arc::new(Inner { registry: Mutex::new(registry), calls, seconds }))
    }

    /// Puts further metrics in; names get the prefix `freehold_`.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.0.registry.lock().expect("nothing panics while it holds this lock"));
    }

    /// All of it, as OpenMetrics text (`application/openmetrics-text; version=1.0.0; charset=utf-8`).
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let registry = self.0.registry.lock().expect("nothing panics while it holds this lock");
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("a String takes everything");
        text
    }

    pub(crate) fn operation(&self, id: OperationId) -> OperationMetrics {
        let counter = |outcome: Outcome| {
            let labels = CallLabels { service: id.service, operation: id.name, outcome: outcome.as_str() };
            self.0.calls.get_or_create(&labels).clone()
        };
        let labels = OperationLabels { service: id.service, operation: id.name };
        OperationMetrics { outcomes: Outcome::ALL.map(counter), seconds: self.0.seconds.get_or_create(&labels).clone() }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// How a call ended, as counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Ok,
    /// Refused for the caller's doing: bad input, something missing, a conflict.
    Refused,
    /// Refused because the caller may not.
    Denied,
    /// Refused because there are too many.
    Throttled,
    /// The time was over.
    TimedOut,
    /// Our doing.
    Failed,
    /// The caller hung up before a read was done.
    Abandoned,
}

impl Outcome {
    const ALL: [Self; 7] =
        [Self::Ok, Self::Refused, Self::Denied, Self::Throttled, Self::TimedOut, Self::Failed, Self::Abandoned];

    /// As labels and audit lines name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Denied => "denied",
            Self::Throttled => "throttled",
            Self::TimedOut => "timed_out",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }
}

impl From<&Fault> for Outcome {
    fn from(fault: &Fault) -> Self {
        match fault.cause {
            Cause::Invalid | Cause::NotFound | Cause::Conflict | Cause::TooLarge | Cause::Unserved => Self::Refused,
            Cause::Unauthenticated | Cause::Denied => Self::Denied,
            Cause::Throttled => Self::Throttled,
            Cause::TimedOut => Self::TimedOut,
            Cause::Unavailable | Cause::Internal => Self::Failed,
        }
    }
}

/// What one operation counts with.
#[derive(Debug)]
pub(crate) struct OperationMetrics {
    outcomes: [Counter; Outcome::ALL.len()],
    seconds: Histogram,
}

impl OperationMetrics {
    pub(crate) fn count(&self, outcome: Outcome, took: Duration) {
        self.outcomes[outcome as usize].inc();
        self.seconds.observe(took);
    }
}

/// Durations in buckets of doubling width from 62.5 µs to 16 s. Only atomics: it never makes a call wait for another. Cheap to
/// clone; clones count together.
#[derive(Clone, Debug, Default)]
pub struct Histogram(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    buckets: [AtomicU64; BUCKETS + 1],
    nanoseconds: AtomicU64,
}

const BUCKETS: usize = 19;
const FIRST_NS: u64 = 62_500;

impl Histogram {
    /// Counts a duration.
    pub fn observe(&self, took: Duration) {
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let doublings = ns.div_ceil(FIRST_NS).max(1).next_power_of_two().ilog2() as usize;
        self.0.buckets[doublings.min(BUCKETS)].fetch_add(1, Ordering::Relaxed);
        self.0.nanoseconds.fetch_add(ns, Ordering::Relaxed);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.0.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let mut count = 0;
        let buckets: Vec<(f64, u64)> = self
            .0
            .buckets
            .iter()
            .enumerate()
            .map(|(index, bucket)| {
                let ceiling = match index {
                    BUCKETS => f64::INFINITY,
                    _ => (FIRST_NS << index) as f64 / 1e9,
                };
                let here = bucket.load(Ordering::Relaxed);
                count += here;
                (ceiling, here)
            })
            .collect();
        let sum = self.0.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

impl prometheus_client::metrics::TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

/// A gauge that shows a number which something else keeps.
#[derive(Debug)]
pub(crate) struct Shown(pub(crate) Arc<AtomicUsize>);

impl EncodeMetric for Shown {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_gauge(&(self.0.load(Ordering::Relaxed) as i64))
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_their_bucket() {
        for (ns, bucket) in [
            (0, 0),
            (62_500, 0),
            (62_501, 1),
            (125_000, 1),
            (125_001, 2),
            (1_000_000, 4),
            (16_384_000_000, 18),
            (16_384_000_001, 19),
            (u64::MAX, 19),
        ] {
            let histogram = Histogram::default();
            histogram.observe(Duration::from_nanos(ns));
            let found = histogram.0.buckets.iter().position(|bucket| bucket.load(Ordering::Relaxed) == 1);
            assert_eq!(found, Some(bucket), "{ns} ns");
        }
    }

    #[test]
    fn what_was_counted_is_written() {
        let metrics = Metrics::new();
        let operation = metrics.operation(OperationId { service: "lambda", name: "Invoke" });
        operation.count(Outcome::Ok, Duration::from_millis(1));
        operation.count(Outcome::Throttled, Duration::from_millis(3));
        let text = metrics.encode();
        for line in [
            r#"freehold_calls_total{service="lambda",operation="Invoke",outcome="ok"} 1"#,
            r#"freehold_calls_total{service="lambda",operation="Invoke",outcome="throttled"} 1"#,
            r#"freehold_calls_seconds_count{service="lambda",operation="Invoke"} 2"#,
            r#"freehold_calls_seconds_sum{service="lambda",operation="Invoke"} 0.004"#,
            r#"freehold_calls_seconds_bucket{le="0.001",service="lambda",operation="Invoke"} 1"#,
            r#"freehold_calls_seconds_bucket{le="+Inf",service="lambda",operation="Invoke"} 2"#,
        ] {
            assert!(text.contains(line), "{line} is not in:\n{text}");
        }
    }
}
