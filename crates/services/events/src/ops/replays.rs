//! Replays of archives: started, described, listed, cancelled. `replay.rs` runs them.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::events as aws;

use super::page::Asked;
use super::timestamp;
use crate::Events;
use crate::destination::name_of;
use crate::error::Error;
use crate::model::Scope;
use crate::model::name::bus_of;
use crate::store::{self, ReplayRecord};

fn replay_arn(call: &Call, name: &str) -> Arn {
    Scope::of(call).arn(format!("replay/{name}"))
}

fn missing(name: &str) -> Error {
    Error::Missing(format!("Replay {name} does not exist."))
}

impl Handle<aws::StartReplay> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::StartReplayRequest) -> Arn {
        replay_arn(call, &input.replay_name)
    }

    async fn handle(&self, call: &Call, input: aws::StartReplayRequest) -> Result<aws::StartReplayResponse, Fault> {
        let (scope, name) = (Scope::of(call), input.replay_name);
        let (from_ms, to_ms) = (input.event_start_time.as_millisecond(), input.event_end_time.as_millisecond());
        if from_ms >= to_ms {
            return Err(Error::invalid(
                "Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.",
            )
            .into());
        }
        let archive = name_of(&input.event_source_arn, ":archive/").unwrap_or_default().to_owned();
        let no_archive = || {
            let why = format!("Archive {archive} does not exist.");
            Error::Invalid(format!("Parameter EventSourceArn is not valid. Reason: {why}"))
        };
        let _one_at_a_time = self.managing.lock().await;
        let record = self.table.archive(&scope, &archive).ok_or_else(no_archive)?;
        let bus = bus_of(Some(&input.destination.arn)).to_owned();
        if bus != record.bus {
            return Err(Error::invalid(
                "Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.",
            )
            .into());
        }
        let key = store::replay(&scope, &name);
        if self.cellar.get::<ReplayRecord>(&key).await?.is_some() {
            return Err(Error::Exists(format!("Replay {name} already exists.")).into());
        }
        let started_ms = self.clock.now_ms();
        let record = ReplayRecord {
            description: input.description,
            archive,
            archive_id: record.id,
            bus,
            rules: input.destination.filter_arns.unwrap_or_default(),
            from_ms,
            to_ms,
            state: "STARTING".to_owned(),
            started_ms,
            ..ReplayRecord::default()
        };
        self.cellar.change(|tx| tx.put_record(key.clone(), &record)).await?;
        self.replaying.notify_one();
        Ok(aws::StartReplayResponse {
            replay_arn: Some(replay_arn(call, &name).to_string()),
            state: Some(record.state.as_str().into()),
            state_reason: None,
            replay_start_time: timestamp(started_ms),
        })
    }
}

impl Handle<aws::DescribeReplay> for Events {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &aws::DescribeReplayRequest) -> Arn {
        replay_arn(call, &input.replay_name)
    }

    async fn handle(
        &self,
        call: &Call,
        input: aws::DescribeReplayRequest,
    ) -> Result<aws::DescribeReplayResponse, Fault> {
        let (scope, name) = (Scope::of(call), input.replay_name);
        let record: Option<ReplayRecord> = self.cellar.get(&store::replay(&scope, &name)).await?;
        let record = record.ok_or_else(|| missing(&name))?;
        let destination = aws::ReplayDestination {
            arn: scope.bus_arn(&record.bus).to_string(),
            filter_arns: (!record.rules.is_empty()).then(|| record.rules.clone()),
        };
        Ok(aws::DescribeReplayResponse {
            replay_arn: Some(replay_arn(call, &name).to_string()),
            replay_name: Some(name),
            description: record.description,
            state: Some(record.state.as_str().into()),
            state_reason: record.reason,
            event_source_arn: Some(scope.arn(format!("archive/{}", record.archive)).to_string()),
            destination: Some(destination),
            event_start_time: timestamp(record.from_ms),
            event_end_time: timestamp(record.to_ms),
            event_last_replayed_time: record.last_event_ms.and_then(timestamp),
            replay_start_time: timestamp(record.started_ms),
            replay_end_time: record.ended_ms.and_then(timestamp),
        })
    }
}

impl Handle<aws::ListReplays> for Events {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, _input: &aws::ListReplaysRequest) -> Arn {
        replay_arn(call, "*")
    }

    async fn handle(&self, call: &Call, input: aws::ListReplaysRequest) -> Result<aws::ListReplaysResponse, Fault> {
        let scope = Scope::of(call);
        let asked = Asked::read(input.next_token.as_deref(), input.limit)?;
        let prefix = input.name_prefix.unwrap_or_default();
        let archive = input.event_source_arn.as_deref().map(|arn| name_of(arn, ":archive/").unwrap_or_default());
        let is_wanted = |(name, record): &(String, ReplayRecord)| {
            name.starts_with(&prefix)
                && archive.is_none_or(|archive| record.archive == archive)
                && input.state.as_ref().is_none_or(|state| record.state == state.as_str())
        };
        let all = self.cellar.all::<ReplayRecord>(&store::replays(&scope)).await?;
        let (page, next_token) = asked.cut(all.into_iter().filter(is_wanted));
        let replay = |(name, record): (String, ReplayRecord)| aws::Replay {
            replay_name: Some(name),
            event_source_arn: Some(scope.arn(format!("archive/{}", record.archive)).to_string()),
            state: Some(record.state.as_str().into()),
            state_reason: record.reason,
            event_start_time: timestamp(record.from_ms),
            event_end_time: timestamp(record.to_ms),
            event_last_replayed_time: record.last_event_ms.and_then(timestamp),
            replay_start_time: timestamp(record.started_ms),
            replay_end_time: record.ended_ms.and_then(timestamp),
        };
        Ok(aws::ListReplaysResponse { replays: Some(page.into_iter().map(replay).collect()), next_token })
    }
}

impl Handle<aws::CancelReplay> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::CancelReplayRequest) -> Arn {
        replay_arn(call, &input.replay_name)
    }

    async fn handle(&self, call: &Call, input: aws::CancelReplayRequest) -> Result<aws::CancelReplayResponse, Fault> {
        let (scope, name) = (Scope::of(call), input.replay_name);
        let (key, name_ref) = (&store::replay(&scope, &name), &name);
        let cancelled = self.cellar.store.transact(|tx| async move {
            let record: Option<ReplayRecord> = tx.get_record(key).await?;
            let record = record.ok_or_else(|| missing(name_ref))?;
            if !matches!(record.state.as_str(), "STARTING" | "RUNNING") {
                return Err(Error::Status(format!("Replay {name_ref} is not in a valid state for this operation.")));
            }
            let record = ReplayRecord { state: "CANCELLING".to_owned(), ..record };
            tx.put_record(key.clone(), &record);
            Ok(record)
        });
        let record = cancelled.await?;
        self.replaying.notify_one();
        Ok(aws::CancelReplayResponse {
            replay_arn: Some(replay_arn(call, &name).to_string()),
            state: Some(record.state.as_str().into()),
            state_reason: None,
        })
    }
}
