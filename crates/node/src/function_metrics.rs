//! Functions and their instances in `/_metrics`, counted when somebody asks.

use std::collections::BTreeMap;
use std::fmt;

use compute::{Compute, Counts};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::mounts::word;

/// See the file.
pub(crate) struct FunctionMetrics(pub(crate) Compute);

/// A counter of each function: name, help, and where its number is.
type Counter = (&'static str, &'static str, fn(&Counts) -> f64);

const COUNTERS: [Counter; 5] = [
    ("function_calls", "Attempts that have ended, by function", |counts| counts.calls as f64),
    ("function_errors", "Attempts that ended in an error, by function", |counts| counts.errors as f64),
    ("function_cold_starts", "Attempts for which an instance was started, by function", |counts| counts.cold as f64),
    ("function_throttles", "Calls refused by a limit on concurrency, by function", |counts| counts.throttled as f64),
    ("function_billed_gigabyte_seconds", "Memory times billed duration, by function", |counts| {
        counts.billed_mb_ms as f64 / 1024.0 / 1000.0
    }),
];

impl fmt::Debug for FunctionMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FunctionMetrics")
    }
}

impl Collector for FunctionMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let functions = self.0.functions();
        for (name, help, number) in COUNTERS {
            let mut family = encoder.encode_descriptor(name, help, None, ConstCounter::new(0.0).metric_type())?;
            for function in &functions {
                let labels = [("function", function.arn.as_str())];
                ConstCounter::new(number(&function.counts)).encode(family.encode_family(&labels)?)?;
            }
        }
        let mut in_flight = encoder.encode_descriptor(
            "function_in_flight",
            "Attempts that run or wait, by function",
            None,
            ConstGauge::new(0i64).metric_type(),
        )?;
        for function in &functions {
            let labels = [("function", function.arn.as_str())];
            ConstGauge::new(i64::from(function.counts.in_flight)).encode(in_flight.encode_family(&labels)?)?;
        }
        let mut instances: BTreeMap<(String, &'static str), i64> = BTreeMap::new();
        for instance in self.0.instances() {
            *instances.entry((instance.arn, word(instance.activity))).or_default() += 1;
        }
        let mut family = encoder.encode_descriptor(
            "instances",
            "Instances by function and by what they do",
            None,
            ConstGauge::new(0i64).metric_type(),
        )?;
        for ((arn, state), count) in &instances {
            let labels = [("function", arn.as_str()), ("state", *state)];
            ConstGauge::new(*count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
