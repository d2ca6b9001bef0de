//! Archives of buses: made, changed, described, listed, deleted.

use contract::{Arn, Call, Effect, Fault, Handle};
use pattern::Pattern;
use wire::events as aws;

use super::page::Asked;
use super::timestamp;
use crate::Events;
use crate::error::Error;
use crate::model::Scope;
use crate::model::name::bus_of;
use crate::store::{self, ArchiveRecord, Reader};

fn archive_arn(call: &Call, name: &str) -> Arn {
    Scope::of(call).arn(format!("archive/{name}"))
}

fn missing(name: &str) -> Error {
    Error::Missing(format!("Archive {name} does not exist."))
}

const ENABLED: &str = "ENABLED";

impl Handle<aws::CreateArchive> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::CreateArchiveRequest) -> Arn {
        archive_arn(call, &input.archive_name)
    }

    async fn handle(&self, call: &Call, input: aws::CreateArchiveRequest) -> Result<aws::CreateArchiveResponse, Fault> {
        let (scope, name) = (Scope::of(call), input.archive_name);
        let bus = bus_of(Some(&input.event_source_arn)).to_owned();
        check_pattern(input.event_pattern.as_deref())?;
        let _one_at_a_time = self.managing.lock().await;
        self.table.look(&scope, &bus, |_| ())?;
        if self.table.archive(&scope, &name).is_some() {
            return Err(Error::Exists(format!("Archive {name} already exists.")).into());
        }
        let created_ms = self.clock.now_ms();
        let record = ArchiveRecord {
            id: self.random.u64(),
            bus,
            description: input.description,
            pattern: input.event_pattern,
            retention_days: input.retention_days.unwrap_or(0),
            kms_key: input.kms_key_identifier,
            created_ms,
        };
        self.put_archive(&scope, &name, &record).await?;
        Ok(aws::CreateArchiveResponse {
            archive_arn: Some(archive_arn(call, &name).to_string()),
            state: Some(ENABLED.into()),
            state_reason: None,
            creation_time: timestamp(created_ms),
        })
    }
}

impl Handle<aws::UpdateArchive> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::UpdateArchiveRequest) -> Arn {
        archive_arn(call, &input.archive_name)
    }

    async fn handle(&self, call: &Call, input: aws::UpdateArchiveRequest) -> Result<aws::UpdateArchiveResponse, Fault> {
        let (scope, name) = (Scope::of(call), input.archive_name);
        check_pattern(input.event_pattern.as_deref())?;
        let _one_at_a_time = self.managing.lock().await;
        let before = self.table.archive(&scope, &name).ok_or_else(|| missing(&name))?;
        let record = ArchiveRecord {
            description: input.description.or(before.description),
            pattern: input.event_pattern.or(before.pattern).filter(|text| !text.is_empty()),
            retention_days: input.retention_days.unwrap_or(before.retention_days),
            kms_key: input.kms_key_identifier.or(before.kms_key),
            ..before
        };
        self.put_archive(&scope, &name, &record).await?;
        Ok(aws::UpdateArchiveResponse {
            archive_arn: Some(archive_arn(call, &name).to_string()),
            state: Some(ENABLED.into()),
            state_reason: None,
            creation_time: timestamp(record.created_ms),
        })
    }
}

impl Handle<aws::DescribeArchive> for Events {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &aws::DescribeArchiveRequest) -> Arn {
        archive_arn(call, &input.archive_name)
    }

    async fn handle(
        &self,
        call: &Call,
        input: aws::DescribeArchiveRequest,
    ) -> Result<aws::DescribeArchiveResponse, Fault> {
        let (scope, name) = (Scope::of(call), input.archive_name);
        let record = self.table.archive(&scope, &name).ok_or_else(|| missing(&name))?;
        let (count, bytes) = self.weigh(&scope, &record).await?;
        Ok(aws::DescribeArchiveResponse {
            archive_arn: Some(archive_arn(call, &name).to_string()),
            archive_name: Some(name),
            event_source_arn: Some(scope.bus_arn(&record.bus).to_string()),
            description: record.description,
            event_pattern: record.pattern,
            state: Some(ENABLED.into()),
            state_reason: None,
            kms_key_identifier: record.kms_key,
            retention_days: Some(record.retention_days),
            size_bytes: Some(bytes),
            event_count: Some(count),
            creation_time: timestamp(record.created_ms),
        })
    }
}

impl Handle<aws::ListArchives> for Events {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, _input: &aws::ListArchivesRequest) -> Arn {
        archive_arn(call, "*")
    }

    async fn handle(&self, call: &Call, input: aws::ListArchivesRequest) -> Result<aws::ListArchivesResponse, Fault> {
        let scope = Scope::of(call);
        let asked = Asked::read(input.next_token.as_deref(), input.limit)?;
        let prefix = input.name_prefix.unwrap_or_default();
        let bus = input.event_source_arn.as_deref().map(|arn| bus_of(Some(arn)));
        let is_wanted = |(name, record): &(String, ArchiveRecord)| {
            name.starts_with(&prefix) && bus.is_none_or(|bus| record.bus == bus)
        };
        let state = input.state.is_none_or(|state| state.as_str() == ENABLED);
        let found = self.table.archives(&scope).into_iter().filter(|archive| state && is_wanted(archive));
        let (page, next_token) = asked.cut(found);
        let mut archives = Vec::with_capacity(page.len());
        for (name, record) in page {
            let (count, bytes) = self.weigh(&scope, &record).await?;
            archives.push(aws::Archive {
                archive_name: Some(name),
                event_source_arn: Some(scope.bus_arn(&record.bus).to_string()),
                state: Some(ENABLED.into()),
                state_reason: None,
                retention_days: Some(record.retention_days),
                size_bytes: Some(bytes),
                event_count: Some(count),
                creation_time: timestamp(record.created_ms),
            });
        }
        Ok(aws::ListArchivesResponse { archives: Some(archives), next_token })
    }
}

impl Handle<aws::DeleteArchive> for Events {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &aws::DeleteArchiveRequest) -> Arn {
        archive_arn(call, &input.archive_name)
    }

    async fn handle(&self, call: &Call, input: aws::DeleteArchiveRequest) -> Result<aws::DeleteArchiveResponse, Fault> {
        let (scope, name) = (Scope::of(call), input.archive_name);
        let _one_at_a_time = self.managing.lock().await;
        let record = self.table.archive(&scope, &name).ok_or_else(|| missing(&name))?;
        let (key, gone) = (store::archive(&scope, &name), store::gone_archives(&scope).with(record.id));
        let change = |tx: &::store::Transaction| {
            tx.delete(key.clone());
            tx.put_record(gone.clone(), &record);
        };
        self.cellar.change(change).await?;
        self.refresh(&[key]).await?;
        // What this does not come to is done when the node starts again, or within the hour.
        self.forget_gone().await?;
        Ok(aws::DeleteArchiveResponse {})
    }
}

impl Events {
    async fn put_archive(&self, scope: &Scope, name: &str, record: &ArchiveRecord) -> Result<(), Error> {
        let key = store::archive(scope, name);
        self.cellar.change(|tx| tx.put_record(key.clone(), record)).await?;
        self.refresh(&[key]).await
    }

    /// Events and bytes of an archive: counted, so that it costs nothing until somebody asks.
    async fn weigh(&self, scope: &Scope, record: &ArchiveRecord) -> Result<(i64, i64), Error> {
        let mut reader = Reader::new(self.cellar.store.snapshot(), &store::archived(scope, record.id), None);
        let (mut count, mut bytes) = (0, 0);
        while let Some(archived) = reader.next().await? {
            count += 1;
            bytes += i64::try_from(archived.text.len()).unwrap_or(i64::MAX);
        }
        Ok((count, bytes))
    }
}

fn check_pattern(text: Option<&str>) -> Result<(), Error> {
    match text.filter(|text| !text.is_empty()) {
        Some(text) => Ok(Pattern::compile(text).map(|_| ())?),
        None => Ok(()),
    }
}
