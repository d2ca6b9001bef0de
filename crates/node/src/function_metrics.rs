//! Functions and their instances in `/_metrics`, counted when somebody asks.

use std::collections::BTreeMap;
use std::fmt;

use compute::{Compute, Counts, InstanceState};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

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
        let help = "Duration of attempts, by function; the sum is estimated from the buckets";
        let mut family =
            encoder.encode_descriptor("function_duration", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for function in &functions {
            let labels = [("function", function.arn.as_str())];
            let durations = Durations::of(&function.counts.durations);
            let Durations { sum, count, buckets } = &durations;
            family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(*sum, *count, buckets, None)?;
        }
        let in_flight: BTreeMap<Vec<Label>, u64> = functions
            .iter()
            .map(|function| (vec![("function", function.arn.clone())], u64::from(function.counts.in_flight)))
            .collect();
        gauges(&mut encoder, "function_in_flight", "Attempts that run or wait, by function", &in_flight)?;

        let (mut instances, mut memory) = (BTreeMap::new(), BTreeMap::new());
        for InstanceState { arn, activity, memory_bytes, .. } in self.0.instances() {
            let state = ("state", word(activity).to_owned());
            *instances.entry(vec![("function", arn.clone()), state]).or_default() += 1;
            *memory.entry(vec![("function", arn)]).or_default() += memory_bytes;
        }
        gauges(&mut encoder, "instances", "Instances by function and by what they do", &instances)?;
        let help = "What the processes of a function's instances have in memory";
        gauges(&mut encoder, "instance_memory_bytes", help, &memory)?;

        let ahead = self.0.booted_ahead();
        for (name, help, number) in [
            ("instances_starting", "Instances that are starting", u64::from(self.0.starting())),
            ("booted_ahead", "Guests that are booted and nobody's yet", ahead.ready as u64),
            ("booted_ahead_memory_bytes", "What guests that are nobody's yet have in memory", ahead.memory_bytes),
            ("in_process_memory_bytes", "What WebAssembly guests have in memory", self.0.in_process_bytes()),
        ] {
            gauge(number).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        let taken = ConstCounter::new(ahead.taken as f64);
        let help = "Guests booted ahead that became a function's";
        taken.encode(encoder.encode_descriptor("booted_ahead_taken", help, None, taken.metric_type())?)
    }
}

type Label = (&'static str, String);

/// One gauge, with a number for each set of labels.
fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    numbers: &BTreeMap<Vec<Label>, u64>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, number) in numbers {
        gauge(*number).encode(family.encode_family(labels)?)?;
    }
    Ok(())
}

fn gauge(number: u64) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX))
}

/// A function's durations as collectors want them: a bucket for each doubling, of what fell into it.
#[derive(Debug, PartialEq)]
struct Durations {
    /// In seconds.
    sum: f64,
    count: u64,
    /// Upper edge in seconds, and how many.
    buckets: Vec<(f64, u64)>,
}

impl Durations {
    /// Of counts by powers of the square root of two, in microseconds. The shortest and the longest are put together.
    fn of(counts: &[u64]) -> Self {
        let mut buckets: Vec<(f64, u64)> =
            DOUBLINGS.map(|power| (2f64.powi(power) / 1e6, 0)).chain([(f64::INFINITY, 0)]).collect();
        let mut sum = 0.0;
        for (at, count) in counts.iter().enumerate() {
            // In the middle of its bucket, on the scale that the buckets have.
            let seconds = 2f64.powf((at as f64 - 0.5) / 2.0) / 1e6;
            sum += seconds * *count as f64;
            if let Some((_, bucket)) = buckets.iter_mut().find(|(edge, _)| seconds <= *edge) {
                *bucket += count;
            }
        }
        Self { sum, count: counts.iter().sum(), buckets }
    }
}

/// Edges from 64 µs to a quarter of an hour and more, as powers of two in microseconds.
const DOUBLINGS: std::ops::RangeInclusive<i32> = 6..=30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_become_buckets_of_doublings() {
        let mut counts = vec![0; 64];
        (counts[0], counts[12], counts[13], counts[40], counts[63]) = (3, 2, 5, 1, 1);
        let Durations { sum, count, buckets } = Durations::of(&counts);
        assert_eq!(count, 12);
        let filled: Vec<(f64, u64)> = buckets.iter().copied().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(64e-6, 5), (128e-6, 5), (1.048_576, 1), (f64::INFINITY, 1)]);
        assert_eq!(buckets.len(), 26);
        assert!((1.0..3_000.0).contains(&sum), "{sum}");
    }
}
