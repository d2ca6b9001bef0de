//! Stored bytes in `/_metrics`: how many blobs are damaged, and how far the scrub has come.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use store::Blobs;

/// See the file.
#[derive(Debug)]
pub(crate) struct BlobMetrics(pub(crate) Blobs);

impl Collector for BlobMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let condition = self.0.condition();
        let scrubbed = &condition.scrubbed;
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        for (name, help, number) in [
            ("blobs_damaged", "Blobs that are known to be damaged", count(condition.damaged.len())),
            ("blobs_scrubbed", "Blobs that this pass of the scrub, or else the last, has read", whole(scrubbed.blobs)),
            ("blobs_scrubbed_bytes", "The bytes of these blobs", whole(scrubbed.bytes)),
            (
                "blobs_scrub_ended_seconds",
                "When the last pass of the scrub ended, in seconds since 1970; 0 before the first",
                scrubbed.ended_ms.unwrap_or_default() / 1_000,
            ),
        ] {
            let gauge = ConstGauge::new(number);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let passes = ConstCounter::new(scrubbed.passes);
        let help = "Passes of the scrub over all blobs";
        passes.encode(encoder.encode_descriptor("blobs_scrub_passes", help, None, passes.metric_type())?)
    }
}
