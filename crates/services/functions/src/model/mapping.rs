//! Event source mappings: from where to which function, in which batches. The decisions here are pure.

mod stream;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::digest;
use contract::{Arn, Fault};
use mapping::gathering::BATCH_BYTES_MAX;
use mapping::{Filters, Limits, Progress};
use uuid::Uuid;

use crate::faults;
use crate::name::{Reference, Scope};

pub use stream::{Start, StreamChange, StreamSettings};

/// The most messages of a batch that does not wait for more, and of a queue that keeps order.
const SMALL_BATCH_MAX: u32 = 10;

/// A mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// AWS's `UUID`.
    pub id: Uuid,
    /// The queue, or the stream.
    pub source: Arn,
    /// Who handles the messages.
    pub function: Reference,
    /// Whether it polls, as its owner wants it.
    pub enabled: bool,
    /// How it polls.
    pub settings: MappingSettings,
    /// By key.
    pub tags: BTreeMap<String, String>,
    /// In milliseconds since the epoch.
    pub modified_ms: i64,
}

/// How a mapping polls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingSettings {
    /// The most messages of a batch.
    pub batch_size: u32,
    /// How long a batch waits for more.
    pub window_s: u32,
    /// Patterns of which a message must match one, if there are any.
    pub filters: Vec<String>,
    /// Whether the function's answer says which messages failed.
    pub reports_failures: bool,
    /// The most batches in hand at once.
    pub concurrency_max: Option<u32>,
    /// Which metrics were asked for; kept and shown.
    pub metrics: Option<Vec<String>>,
    /// The level of the mapping's own log; kept and shown.
    pub log_level: Option<String>,
    /// What only streams have; none if the source is a queue.
    pub stream: Option<StreamSettings>,
}

/// What a call wants to be different; `None` leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappingChange {
    /// `BatchSize`.
    pub batch_size: Option<u32>,
    /// `MaximumBatchingWindowInSeconds`.
    pub window_s: Option<u32>,
    /// `FilterCriteria`; an empty one takes the filters away.
    pub filters: Option<Vec<String>>,
    /// `FunctionResponseTypes`.
    pub reports_failures: Option<bool>,
    /// `ScalingConfig`; an empty one takes the bound away.
    pub concurrency_max: Option<Option<u32>>,
    /// `MetricsConfig`.
    pub metrics: Option<Vec<String>>,
    /// `LoggingConfig`.
    pub log_level: Option<Option<String>>,
    /// What only streams have.
    pub stream: StreamChange,
}

impl Default for MappingSettings {
    fn default() -> Self {
        Self {
            batch_size: SMALL_BATCH_MAX,
            window_s: 0,
            filters: Vec::new(),
            reports_failures: false,
            concurrency_max: None,
            metrics: None,
            log_level: None,
            stream: None,
        }
    }
}

impl MappingSettings {
    /// What a stream's mapping has that says nothing of its own.
    pub fn of_stream(stream: StreamSettings) -> Self {
        Self { batch_size: stream::BATCH, stream: Some(stream), ..Self::default() }
    }

    /// The settings after a change.
    #[must_use]
    pub fn with(mut self, change: MappingChange) -> Self {
        let MappingChange {
            batch_size,
            window_s,
            filters,
            reports_failures,
            concurrency_max,
            metrics,
            log_level,
            stream,
        } = change;
        self.batch_size = batch_size.unwrap_or(self.batch_size);
        self.window_s = window_s.unwrap_or(self.window_s);
        self.filters = filters.unwrap_or(self.filters);
        self.reports_failures = reports_failures.unwrap_or(self.reports_failures);
        self.concurrency_max = concurrency_max.unwrap_or(self.concurrency_max);
        self.metrics = metrics.or(self.metrics);
        self.log_level = log_level.unwrap_or(self.log_level);
        self.stream = self.stream.map(|settings| settings.with(stream));
        self
    }

    /// Refuses what the source cannot be polled with.
    pub fn check(&self, source: &Arn) -> Result<(), Fault> {
        match &self.stream {
            Some(stream) => stream.check()?,
            None => self.check_queue(source)?,
        }
        if self.filters.len() > mapping::filter::COUNT_MAX {
            return Err(faults::invalid(format!(
                "An event source mapping has at most {} filters.",
                mapping::filter::COUNT_MAX
            )));
        }
        self.compiled().map(drop)
    }

    fn check_queue(&self, source: &Arn) -> Result<(), Fault> {
        let fifo = source.resource.ends_with(".fifo");
        if fifo && self.batch_size > SMALL_BATCH_MAX {
            return Err(faults::invalid(format!(
                "Batch size must be less than or equal to {SMALL_BATCH_MAX} for FIFO queues."
            )));
        }
        if fifo && self.window_s > 0 {
            return Err(faults::invalid("Batching window is not supported for FIFO queues."));
        }
        if self.batch_size > SMALL_BATCH_MAX && self.window_s == 0 {
            return Err(faults::invalid(
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
            ));
        }
        Ok(())
    }

    /// The filters, ready to match.
    pub fn compiled(&self) -> Result<Filters, Fault> {
        Filters::read(self.filters.iter().map(String::as_str))
            .map_err(|_| faults::invalid("Invalid filter pattern definition."))
    }

    /// What a batch may be.
    pub fn limits(&self) -> Limits {
        Limits {
            messages: self.batch_size as usize,
            window: Duration::from_secs(u64::from(self.window_s)),
            bytes: BATCH_BYTES_MAX,
        }
    }
}

impl Mapping {
    /// `arn:aws:lambda:REGION:ACCOUNT:event-source-mapping:UUID`.
    pub fn arn(&self, scope: &Scope) -> String {
        format!("arn:aws:lambda:{}:{}:event-source-mapping:{}", scope.region, scope.account, self.id)
    }

    /// Whether changing from one to the other changes what pollers do.
    pub fn polls_like(&self, other: &Self) -> bool {
        self.source == other.source
            && self.function == other.function
            && self.enabled == other.enabled
            && self.settings == other.settings
    }
}

/// The id of the mapping of a queue to a function. It follows from the two, of which there is one mapping at most, so that a template
/// knows it before it is made and whoever asks twice asks for the same.
pub fn id_of(scope: &Scope, source: &Arn, function: &Reference) -> Uuid {
    let text = format!("{source} {}", scope.arn_of(function));
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// `LastProcessingResult`.
pub fn result_of(progress: &Progress) -> String {
    match progress {
        Progress::Untouched => "No records processed".to_owned(),
        Progress::Fine => "OK".to_owned(),
        Progress::Problem(why) => format!("PROBLEM: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use contract::{AccountId, Region};

    use super::*;

    fn queue(name: &str) -> Arn {
        Arn::new("sqs", &Region::default_one(), AccountId::ONLY, name)
    }

    #[test]
    fn settings_are_checked_as_aws_does() {
        let check = |queue_name: &str, change: MappingChange, expected: Result<(), &str>| {
            let found = MappingSettings::default().with(change.clone()).check(&queue(queue_name));
            match (found, expected) {
                (Ok(()), Ok(())) => {}
                (Err(fault), Err(message)) => {
                    assert_eq!(
                        (fault.code.as_str(), fault.message.as_str()),
                        ("InvalidParameterValueException", message)
                    );
                }
                (found, expected) => panic!("{change:?}: {found:?} instead of {expected:?}"),
            }
        };
        let batch =
            |size, window| MappingChange { batch_size: Some(size), window_s: Some(window), ..Default::default() };
        check("q", batch(10, 0), Ok(()));
        check("q", batch(10_000, 1), Ok(()));
        check(
            "q",
            batch(11, 0),
            Err("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"),
        );
        check("q.fifo", batch(10, 0), Ok(()));
        check("q.fifo", batch(11, 1), Err("Batch size must be less than or equal to 10 for FIFO queues."));
        check("q.fifo", batch(10, 1), Err("Batching window is not supported for FIFO queues."));
        let filters = |filters: &[&str]| MappingChange {
            filters: Some(filters.iter().map(|filter| (*filter).to_owned()).collect()),
            ..Default::default()
        };
        check("q", filters(&[r#"{"body":{"a":[1]}}"#; 5]), Ok(()));
        check("q", filters(&[r#"{"body":{"a":[1]}}"#; 6]), Err("An event source mapping has at most 5 filters."));
        check("q", filters(&["{"]), Err("Invalid filter pattern definition."));
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let settings = MappingSettings { batch_size: 3, concurrency_max: Some(7), ..Default::default() };
        assert_eq!(settings.clone().with(MappingChange::default()), settings);
        let without = settings.clone().with(MappingChange { concurrency_max: Some(None), ..Default::default() });
        assert_eq!((without.batch_size, without.concurrency_max), (3, None));
    }

    #[test]
    fn ids_follow_from_what_they_connect() {
        let scope = Scope { account: AccountId::ONLY, region: Region::default_one() };
        let to = |text: &str| Reference::parse(&scope, text).expect("it is a name");
        let id = id_of(&scope, &queue("q"), &to("greet"));
        assert_eq!(id, id_of(&scope, &queue("q"), &to("arn:aws:lambda:us-east-1:000000000000:function:greet")));
        assert_ne!(id, id_of(&scope, &queue("q"), &to("greet:live")));
        assert_ne!(id, id_of(&scope, &queue("r"), &to("greet")));
        assert_eq!(id.get_version_num(), 4);
    }
}
