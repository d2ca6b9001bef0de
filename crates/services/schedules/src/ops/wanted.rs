//! What a caller wants a schedule to be: read from `CreateSchedule` and `UpdateSchedule`, and shown by `GetSchedule`.

use std::fmt::Write;

use contract::Caller;
use wire::scheduler as aws;

use super::timestamp;
use crate::error::Error;
use crate::model::target::{AGE_MAX_S, RETRIES_MAX};
use crate::model::{Completion, Schedule, Settings, State, Target};

/// How long ago a start may be.
const START_LATE_MS: i64 = 300_000;

/// What both operations take. They say everything anew: what is left out goes back to its default.
pub(super) struct Wanted {
    pub(super) expression: String,
    pub(super) zone: Option<String>,
    pub(super) start: Option<jiff::Timestamp>,
    pub(super) end: Option<jiff::Timestamp>,
    pub(super) state: Option<aws::ScheduleState>,
    pub(super) window: aws::FlexibleTimeWindow,
    pub(super) target: aws::Target,
    pub(super) completion: Option<aws::ActionAfterCompletion>,
    pub(super) description: Option<String>,
    pub(super) kms_key: Option<String>,
}

impl Wanted {
    /// Reads it. `before` is what the schedule was, for an update: dates that stay are not held against the clock again.
    pub(super) fn read(self, caller: &dyn Caller, now_ms: i64, before: Option<&Settings>) -> Result<Settings, Error> {
        let settings = Settings {
            expression: self.expression,
            zone: self.zone.unwrap_or_else(|| "UTC".to_owned()),
            start_ms: self.start.map(|start| start.as_millisecond()),
            end_ms: self.end.map(|end| end.as_millisecond()),
            state: match self.state {
                Some(aws::ScheduleState::Disabled) => State::Disabled,
                Some(aws::ScheduleState::Enabled | aws::ScheduleState::Other(_)) | None => State::Enabled,
            },
            window_minutes: window(&self.window)?,
            target: target(self.target)?,
            completion: match self.completion {
                Some(aws::ActionAfterCompletion::Delete) => Completion::Delete,
                Some(aws::ActionAfterCompletion::None | aws::ActionAfterCompletion::Other(_)) | None => {
                    Completion::Keep
                }
            },
            description: self.description,
            kms_key: self.kms_key,
        };
        let timetable = settings.timetable(now_ms)?;
        if !timetable.is_once() {
            check_dates(&settings, now_ms, before)?;
        }
        settings.target.aim(caller)?;
        Ok(settings)
    }
}

fn check_dates(settings: &Settings, now_ms: i64, before: Option<&Settings>) -> Result<(), Error> {
    let is_new = |date: fn(&Settings) -> Option<i64>| before.is_none_or(|before| date(before) != date(settings));
    let late = settings.start_ms.is_some_and(|start_ms| start_ms < now_ms - START_LATE_MS);
    if late && is_new(|settings| settings.start_ms) {
        return Err(Error::invalid("The StartDate you specify cannot be earlier than 5 minutes ago."));
    }
    let over = settings.end_ms.is_some_and(|end_ms| end_ms <= now_ms);
    if over && is_new(|settings| settings.end_ms) {
        return Err(Error::invalid("The EndDate you specify cannot be in the past."));
    }
    match (settings.start_ms, settings.end_ms) {
        (Some(start_ms), Some(end_ms)) if end_ms < start_ms => {
            Err(Error::invalid("The EndDate you specify cannot be earlier than the StartDate."))
        }
        (_, _) => Ok(()),
    }
}

fn window(window: &aws::FlexibleTimeWindow) -> Result<Option<u32>, Error> {
    let minutes = window.maximum_window_in_minutes.and_then(|minutes| u32::try_from(minutes).ok());
    match (&window.mode, minutes) {
        (aws::FlexibleTimeWindowMode::Flexible, Some(minutes)) => Ok(Some(minutes)),
        (aws::FlexibleTimeWindowMode::Flexible, None) => {
            Err(Error::invalid("MaximumWindowInMinutes must be provided when FlexibleTimeWindow Mode is FLEXIBLE."))
        }
        (aws::FlexibleTimeWindowMode::Off | aws::FlexibleTimeWindowMode::Other(_), None) => Ok(None),
        (aws::FlexibleTimeWindowMode::Off | aws::FlexibleTimeWindowMode::Other(_), Some(_)) => {
            Err(Error::invalid("MaximumWindowInMinutes must not be provided when FlexibleTimeWindow Mode is OFF."))
        }
    }
}

fn target(target: aws::Target) -> Result<Target, Error> {
    for (given, name) in [
        (target.ecs_parameters.is_some(), "EcsParameters"),
        (target.sage_maker_pipeline_parameters.is_some(), "SageMakerPipelineParameters"),
    ] {
        if given {
            return Err(Error::invalid(format!("{name} are for targets that Freehold does not serve.")));
        }
    }
    let whole =
        |number: Option<i32>, default: u32| number.and_then(|number| u32::try_from(number).ok()).unwrap_or(default);
    let retry = target.retry_policy.unwrap_or_default();
    Ok(Target {
        arn: target.arn,
        role: target.role_arn,
        input: target.input,
        event: target.event_bridge_parameters.map(|event| (event.detail_type, event.source)),
        queue: target.sqs_parameters.map(|queue| queue.message_group_id),
        partition: target.kinesis_parameters.map(|stream| stream.partition_key),
        age_max_s: whole(retry.maximum_event_age_in_seconds, AGE_MAX_S),
        retries_max: whole(retry.maximum_retry_attempts, RETRIES_MAX),
        dead_letter: target.dead_letter_config.map(|dead_letter| dead_letter.arn),
    })
}

/// What a create said, as a text to compare: a repeated call with the same token must say the same.
pub(super) fn said(settings: &Settings) -> String {
    let mut said = String::new();
    // Texts of known types, which are written without surprises; writing to a text does not fail.
    let _ = write!(said, "{settings:?}");
    hash(&said)
}

fn hash(text: &str) -> String {
    let fold = |seed: u64| {
        text.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(5))
    };
    format!("{:016x}{:016x}", fold(0xcbf2_9ce4_8422_2325), fold(0x9e37_79b9_7f4a_7c15))
}

pub(super) fn show_state(state: State) -> aws::ScheduleState {
    match state {
        State::Enabled => aws::ScheduleState::Enabled,
        State::Disabled => aws::ScheduleState::Disabled,
    }
}

/// The answer of `GetSchedule`.
pub(super) fn show(schedule: Schedule) -> aws::GetScheduleOutput {
    let Settings {
        expression,
        zone,
        start_ms,
        end_ms,
        state,
        window_minutes,
        target,
        completion,
        description,
        kms_key,
    } = schedule.settings;
    aws::GetScheduleOutput {
        action_after_completion: Some(match completion {
            Completion::Keep => aws::ActionAfterCompletion::None,
            Completion::Delete => aws::ActionAfterCompletion::Delete,
        }),
        arn: Some(schedule.name.arn().to_string()),
        creation_date: timestamp(schedule.created_ms),
        description,
        end_date: end_ms.and_then(timestamp),
        flexible_time_window: Some(aws::FlexibleTimeWindow {
            mode: match window_minutes {
                Some(_) => aws::FlexibleTimeWindowMode::Flexible,
                None => aws::FlexibleTimeWindowMode::Off,
            },
            maximum_window_in_minutes: window_minutes.and_then(|minutes| i32::try_from(minutes).ok()),
        }),
        group_name: Some(schedule.name.group.name.to_string()),
        kms_key_arn: kms_key,
        last_modification_date: timestamp(schedule.modified_ms),
        name: Some(schedule.name.name.to_string()),
        schedule_expression: Some(expression),
        schedule_expression_timezone: Some(zone),
        start_date: start_ms.and_then(timestamp),
        state: Some(show_state(state)),
        target: Some(show_target(target)),
    }
}

fn show_target(target: Target) -> aws::Target {
    aws::Target {
        arn: target.arn,
        role_arn: target.role,
        input: target.input,
        dead_letter_config: target.dead_letter.map(|arn| aws::DeadLetterConfig { arn }),
        event_bridge_parameters: target
            .event
            .map(|(detail_type, source)| aws::EventBridgeParameters { detail_type, source }),
        kinesis_parameters: target.partition.map(|partition_key| aws::KinesisParameters { partition_key }),
        sqs_parameters: target.queue.map(|message_group_id| aws::SqsParameters { message_group_id }),
        retry_policy: Some(aws::RetryPolicy {
            maximum_event_age_in_seconds: i32::try_from(target.age_max_s).ok(),
            maximum_retry_attempts: i32::try_from(target.retries_max).ok(),
        }),
        ecs_parameters: None,
        sage_maker_pipeline_parameters: None,
    }
}
