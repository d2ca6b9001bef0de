//! What mappings of streams have beside those of queues: where they begin, lanes, retries, ages, windows, and where to tell of what is
//! given up.

use std::time::Duration;

use contract::{Arn, Fault};
use mapping::stream::Settings;
use uuid::Uuid;

use super::MappingSettings;
use crate::faults;

/// The records of a batch, where nobody says more.
pub(super) const BATCH: u32 = 100;
/// The least age that a record may be given up at; only "never" is less.
const AGE_LEAST_S: u32 = 60;

/// Where a mapping begins to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record.
    TrimHorizon,
    /// After the newest at the mapping's making.
    Latest,
}

impl Start {
    /// As AWS spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::TrimHorizon => "TRIM_HORIZON",
            Self::Latest => "LATEST",
        }
    }

    /// From AWS's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::TrimHorizon, Self::Latest].into_iter().find(|start| start.name() == text)
    }
}

/// How a stream is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSettings {
    /// Whose checkpoints they are. Another for each mapping that is made, also under the id of one that is gone.
    pub reader: Uuid,
    /// `StartingPosition`.
    pub start: Start,
    /// `ParallelizationFactor`.
    pub lanes: u32,
    /// `BisectBatchOnFunctionError`.
    pub bisects: bool,
    /// `MaximumRetryAttempts`; none is for ever.
    pub retries_max: Option<u32>,
    /// `MaximumRecordAgeInSeconds`; none is any age.
    pub age_max_s: Option<u32>,
    /// `TumblingWindowInSeconds`; 0 is none.
    pub tumbling_s: u32,
    /// The queue, topic or bucket that is told of what is given up.
    pub on_failure: Option<String>,
}

/// What a call wants to be different of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamChange {
    /// `ParallelizationFactor`.
    pub lanes: Option<u32>,
    /// `BisectBatchOnFunctionError`.
    pub bisects: Option<bool>,
    /// `MaximumRetryAttempts`.
    pub retries_max: Option<Option<u32>>,
    /// `MaximumRecordAgeInSeconds`.
    pub age_max_s: Option<Option<u32>>,
    /// `TumblingWindowInSeconds`.
    pub tumbling_s: Option<u32>,
    /// `DestinationConfig`; an empty one takes the destination away.
    pub on_failure: Option<Option<String>>,
}

impl StreamSettings {
    /// What AWS takes where nothing is said.
    pub fn new(reader: Uuid, start: Start) -> Self {
        Self {
            reader,
            start,
            lanes: 1,
            bisects: false,
            retries_max: None,
            age_max_s: None,
            tumbling_s: 0,
            on_failure: None,
        }
    }

    pub(super) fn with(self, change: StreamChange) -> Self {
        let StreamChange { lanes, bisects, retries_max, age_max_s, tumbling_s, on_failure } = change;
        Self {
            lanes: lanes.unwrap_or(self.lanes),
            bisects: bisects.unwrap_or(self.bisects),
            retries_max: retries_max.unwrap_or(self.retries_max),
            age_max_s: age_max_s.unwrap_or(self.age_max_s),
            tumbling_s: tumbling_s.unwrap_or(self.tumbling_s),
            on_failure: on_failure.unwrap_or(self.on_failure),
            ..self
        }
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        if let Some(age) = self.age_max_s.filter(|age| *age < AGE_LEAST_S) {
            return Err(faults::invalid(format!(
                "1 validation error detected: Value '{age}' at 'maximumRecordAgeInSeconds' failed to satisfy constraint: Member must \
                 have value greater than or equal to {AGE_LEAST_S}"
            )));
        }
        if let Some(to) = &self.on_failure {
            let service = Arn::parse(to).map(|arn| arn.service);
            match service.as_deref() {
                Some("sqs" | "sns" | "s3") => {}
                Some(_) | None => return Err(faults::invalid(format!("Invalid destination ARN: {to}"))),
            }
        }
        Ok(())
    }
}

impl MappingSettings {
    /// How its shards are read, if it is of a stream.
    pub fn reading(&self) -> Option<Settings> {
        let stream = self.stream.as_ref()?;
        let seconds = |number: u32| Duration::from_secs(u64::from(number));
        Some(Settings {
            batch: self.batch_size as usize,
            window: seconds(self.window_s),
            lanes: stream.lanes as usize,
            bisects: stream.bisects,
            retries_max: stream.retries_max,
            age_max: stream.age_max_s.map(seconds),
            tumbling: (stream.tumbling_s > 0).then(|| seconds(stream.tumbling_s)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::MappingChange;
    use super::*;

    fn source() -> Arn {
        Arn::parse("arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-01-01T00:00:00.000").unwrap()
    }

    fn plain() -> MappingSettings {
        MappingSettings::of_stream(StreamSettings::new(Uuid::nil(), Start::Latest))
    }

    #[test]
    fn settings_of_streams_are_checked() {
        let check = |stream: StreamChange, expected: Option<&str>| {
            let settings = plain().with(MappingChange { batch_size: Some(10_000), stream, ..Default::default() });
            match (settings.check(&source()), expected) {
                (Ok(()), None) => {}
                (Err(fault), Some(part)) => assert!(fault.message.contains(part), "{}", fault.message),
                (found, expected) => panic!("{settings:?}: {found:?} instead of {expected:?}"),
            }
        };
        check(StreamChange::default(), None);
        check(StreamChange { age_max_s: Some(Some(60)), ..Default::default() }, None);
        check(StreamChange { age_max_s: Some(Some(59)), ..Default::default() }, Some("maximumRecordAgeInSeconds"));
        for (to, expected) in [
            ("arn:aws:sqs:us-east-1:000000000000:q", None),
            ("arn:aws:sns:us-east-1:000000000000:t", None),
            ("arn:aws:s3:::bucket", None),
            ("arn:aws:lambda:us-east-1:000000000000:function:f", Some("Invalid destination ARN")),
            ("q", Some("Invalid destination ARN")),
        ] {
            check(StreamChange { on_failure: Some(Some(to.to_owned())), ..Default::default() }, expected);
        }
    }

    #[test]
    fn nothing_said_is_what_aws_takes_and_a_change_leaves_the_rest() {
        let plain = plain();
        let reading = plain.reading().unwrap();
        assert_eq!((reading.batch, reading.lanes, reading.retries_max, reading.tumbling), (100, 1, None, None));
        let change = StreamChange { bisects: Some(true), retries_max: Some(Some(2)), ..Default::default() };
        let changed = plain.clone().with(MappingChange { stream: change, ..Default::default() });
        let stream = changed.stream.clone().unwrap();
        assert_eq!((stream.bisects, stream.retries_max, stream.start), (true, Some(2), Start::Latest));
        assert_eq!(changed.with(MappingChange::default()).stream, Some(stream));
        assert_eq!(MappingSettings::default().reading().map(|_| ()), None);
    }
}
