//! Deliveries in `/_metrics`, by kind of source, counted when somebody asks.

use std::collections::BTreeMap;
use std::fmt;

use delivery::{Deliveries, KindCounts};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// See the file.
pub(crate) struct DeliveryMetrics(pub(crate) Deliveries);

/// A counter of each kind: name, help, and where its number is.
type Counter = (&'static str, &'static str, fn(&KindCounts) -> u64);

const COUNTERS: [Counter; 3] = [
    ("deliveries_delivered", "Deliveries that arrived, by kind of source", |counts| counts.delivered),
    ("deliveries_retried", "Tries that failed and are followed by another, by kind of source", |counts| counts.retried),
    ("deliveries_given_up", "Deliveries that were given up, by kind of source", |counts| counts.given_up),
];

const GAUGES: [(&str, &str); 3] = [
    ("deliveries_waiting", "Deliveries that wait, by kind of source"),
    ("deliveries_in_flight", "Deliveries that are being carried, by kind of source"),
    ("deliveries_failed", "Deliveries that were given up and are kept, by kind of source"),
];

impl fmt::Debug for DeliveryMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeliveryMetrics")
    }
}

impl Collector for DeliveryMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let report = self.0.report();
        for (name, help, number) in COUNTERS {
            let mut family = encoder.encode_descriptor(name, help, None, ConstCounter::new(0u64).metric_type())?;
            for (kind, counts) in &report.counts {
                let labels = [("kind", kind.as_str())];
                ConstCounter::new(number(counts)).encode(family.encode_family(&labels)?)?;
            }
        }
        // Kinds that have nothing now are shown as nothing, and not as they were last.
        let mut now: BTreeMap<&str, [u64; 3]> = report.counts.keys().map(|kind| (kind.as_str(), [0; 3])).collect();
        for state in &report.lanes {
            let sums = now.entry(state.lane.kind()).or_default();
            for (sum, one) in sums.iter_mut().zip([state.waiting, state.in_flight, state.failed]) {
                *sum += one;
            }
        }
        for (index, (name, help)) in GAUGES.into_iter().enumerate() {
            let mut family = encoder.encode_descriptor(name, help, None, ConstGauge::new(0i64).metric_type())?;
            for (kind, sums) in &now {
                let number = i64::try_from(sums[index]).unwrap_or(i64::MAX);
                ConstGauge::new(number).encode(family.encode_family(&[("kind", *kind)])?)?;
            }
        }
        Ok(())
    }
}
