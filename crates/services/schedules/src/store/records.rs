//! What lies on disk, in JSON. Converted to and from the working types by hand.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::Record;

use crate::error::Error;
use crate::model::{Completion, Due, Group, GroupName, Schedule, ScheduleName, Settings, State, Target};

/// When a schedule fires next.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct NextRecord {
    fire_ms: i64,
    due_ms: i64,
}

impl Record for NextRecord {
    const KIND: &'static str = "schedule-next";
    const VERSION: u16 = 1;
}

impl NextRecord {
    pub(super) fn of(next: Due) -> Self {
        Self { fire_ms: next.fire_ms, due_ms: next.due_ms }
    }

    pub(super) fn model(self) -> Due {
        Due { fire_ms: self.fire_ms, due_ms: self.due_ms }
    }
}

/// An entry in the order of time.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DueRecord {
    pub(super) due_ms: i64,
}

impl Record for DueRecord {
    const KIND: &'static str = "schedule-due";
    const VERSION: u16 = 1;
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct GroupRecord {
    created_ms: i64,
    modified_ms: i64,
    deleting: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    tags: BTreeMap<String, String>,
}

impl Record for GroupRecord {
    const KIND: &'static str = "schedule-group";
    const VERSION: u16 = 1;
}

impl GroupRecord {
    pub(super) fn of(group: &Group) -> Self {
        let Group { name: _, created_ms, modified_ms, deleting, token, tags } = group.clone();
        Self { created_ms, modified_ms, deleting, token, tags }
    }

    pub(super) fn model(self, name: &GroupName) -> Group {
        let Self { created_ms, modified_ms, deleting, token, tags } = self;
        Group { name: name.clone(), created_ms, modified_ms, deleting, token, tags }
    }

    pub(super) fn is_deleting(&self) -> bool {
        self.deleting
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ScheduleRecord {
    created_ms: i64,
    modified_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    made_by: Option<(String, String)>,
    anchor_ms: i64,
    expression: String,
    zone: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end_ms: Option<i64>,
    enabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window_minutes: Option<u32>,
    delete_after: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kms_key: Option<String>,
    target: TargetRecord,
}

#[derive(Debug, Serialize, Deserialize)]
struct TargetRecord {
    arn: String,
    role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input: Option<String>,
    /// In how many pieces the input lies beside; none: it is here.
    #[serde(default)]
    pieces: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<(String, String)>,
    has_queue: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue_group: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partition: Option<String>,
    age_max_s: u32,
    retries_max: u32,
    has_dead_letter: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dead_letter: Option<String>,
}

impl Record for ScheduleRecord {
    const KIND: &'static str = "schedule";
    const VERSION: u16 = 1;
}

impl ScheduleRecord {
    /// With the input beside, in so many pieces, or with it where there are none.
    pub(super) fn of(schedule: &Schedule, pieces: u32) -> Self {
        let Schedule { name: _, created_ms, modified_ms, made_by, settings, anchor_ms } = schedule.clone();
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
        } = settings;
        Self {
            created_ms,
            modified_ms,
            made_by,
            anchor_ms,
            expression,
            zone,
            start_ms,
            end_ms,
            enabled: state == State::Enabled,
            window_minutes,
            delete_after: completion == Completion::Delete,
            description,
            kms_key,
            target: TargetRecord {
                arn: target.arn,
                role: target.role,
                input: target.input.filter(|_| pieces == 0),
                pieces,
                event: target.event,
                has_queue: target.queue.is_some(),
                queue_group: target.queue.flatten(),
                partition: target.partition,
                age_max_s: target.age_max_s,
                retries_max: target.retries_max,
                has_dead_letter: target.dead_letter.is_some(),
                dead_letter: target.dead_letter.flatten(),
            },
        }
    }

    pub(super) fn pieces(&self) -> u32 {
        self.target.pieces
    }

    /// The schedule; its input is in `pieces` where it does not lie here.
    pub(super) fn model(self, name: &ScheduleName, pieces: &[u8]) -> Result<Schedule, Error> {
        let target = self.target;
        let input = match target.pieces {
            0 => target.input,
            _ => Some(String::from_utf8(pieces.to_vec()).map_err(|_| Error::Internal)?),
        };
        let target = Target {
            arn: target.arn,
            role: target.role,
            input,
            event: target.event,
            queue: target.has_queue.then_some(target.queue_group),
            partition: target.partition,
            age_max_s: target.age_max_s,
            retries_max: target.retries_max,
            dead_letter: target.has_dead_letter.then_some(target.dead_letter),
        };
        let settings = Settings {
            expression: self.expression,
            zone: self.zone,
            start_ms: self.start_ms,
            end_ms: self.end_ms,
            state: if self.enabled { State::Enabled } else { State::Disabled },
            window_minutes: self.window_minutes,
            target,
            completion: if self.delete_after { Completion::Delete } else { Completion::Keep },
            description: self.description,
            kms_key: self.kms_key,
        };
        let (created_ms, modified_ms, made_by, anchor_ms) =
            (self.created_ms, self.modified_ms, self.made_by, self.anchor_ms);
        Ok(Schedule { name: name.clone(), created_ms, modified_ms, made_by, settings, anchor_ms })
    }
}
