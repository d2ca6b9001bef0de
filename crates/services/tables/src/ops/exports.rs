//! `ExportTableToPointInTime`, `DescribeExport`, `ListExports`. The files are written by themselves, see `background/export.rs`.

use aws_lc_rs::digest;
use contract::{Arn, Call, Effect, Fault, Handle};
use store::Transaction;
use wire::dynamodb::{
    DescribeExport, DescribeExportInput, DescribeExportOutput, ExportDescription, ExportFormat, ExportStatus,
    ExportSummary, ExportTableToPointInTime, ExportTableToPointInTimeInput, ExportTableToPointInTimeOutput, ExportType,
    ExportViewType, IncrementalExportSpecification, ListExports, ListExportsInput, ListExportsOutput, S3SseAlgorithm,
};

use super::restores::{recovery_of, wanted_moment};
use super::{resource_of_arn, table_resource};
use crate::background::Job;
use crate::describe::moment;
use crate::model::export::{self, Content, Export, Format};
use crate::model::table::{Hold, Recovery};
use crate::model::transfer::{Asker, Outcome, Spot};
use crate::model::{Scope, Table, TableRef, backup, restore};
use crate::store::past::Past;
use crate::store::transfers;
use crate::store::versions;
use crate::{Error, Tables};

/// Changes of at least a quarter of an hour and at most a day can be exported.
const WINDOW_MS: std::ops::RangeInclusive<i64> = 900_000..=86_400_000;
/// Exports of one page, where the call does not say how many.
const PAGE_MAX: usize = 25;

impl Handle<ExportTableToPointInTime> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &ExportTableToPointInTimeInput) -> Arn {
        resource_of_arn(&input.table_arn)
    }

    async fn handle(
        &self,
        call: &Call,
        input: ExportTableToPointInTimeInput,
    ) -> Result<ExportTableToPointInTimeOutput, Fault> {
        let scope = Scope::of(call);
        let digest = digest_of(&input);
        // Two calls with one token begin one.
        let _one_at_a_time = self.transferring.lock().await;
        if let Some(known) = self.known_export(&scope, &input, &digest).await? {
            return Ok(ExportTableToPointInTimeOutput { export_description: Some(description(&scope, &known)) });
        }
        let desk = self.backed_up(&scope, &input.table_arn)?;
        self.check_room().await?;
        let hold = |table: &mut Table| {
            let export = self.new_export(call, &input, digest, table)?;
            table.holds.push(Hold { job: export.number, day: export.past.day });
            Ok(export)
        };
        let also = |tx: &Transaction, export: &Export| transfers::put(tx, &scope, export);
        let (_, export) = self.change_with(&desk, hold, &also).await?;
        self.start(Job::Export(scope.clone(), export.table.name.clone(), export.id.clone()));
        Ok(ExportTableToPointInTimeOutput { export_description: Some(description(&scope, &export)) })
    }
}

impl Handle<DescribeExport> for Tables {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &DescribeExportInput) -> Arn {
        resource_of_arn(&input.export_arn)
    }

    async fn handle(&self, call: &Call, input: DescribeExportInput) -> Result<DescribeExportOutput, Fault> {
        let scope = Scope::of(call);
        let (table, id) = export::read_arn(&scope, &input.export_arn)?;
        let found = self.cellar.transfer::<Export>(&scope, &table, &id).await?;
        let export = found.ok_or_else(|| export::missing(&input.export_arn))?;
        Ok(DescribeExportOutput { export_description: Some(description(&scope, &export)) })
    }
}

impl Handle<ListExports> for Tables {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ListExportsInput) -> Arn {
        table_resource(call, input.table_arn.as_deref().unwrap_or("*"))
    }

    async fn handle(&self, call: &Call, input: ListExportsInput) -> Result<ListExportsOutput, Fault> {
        let scope = Scope::of(call);
        let limit = input.max_results.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_MAX);
        let table = input.table_arn.as_deref().map(|arn| TableRef::parse(&scope, arn)).transpose()?;
        let after = input.next_token.as_deref().map(|token| export::read_arn(&scope, token));
        let after = after.transpose().map_err(|_| Error::Invalid("Invalid NextToken".to_owned()))?;
        let after = after.as_ref().map(|(table, id)| (table.as_str(), id.as_str()));
        let mut found: Vec<Export> = self.cellar.transfers(&scope, table.map(TableRef::name), after, limit + 1).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next_token = found.last().filter(|_| more).map(|last| last.arn(&scope));
        let summary = |export: &Export| ExportSummary {
            export_arn: Some(export.arn(&scope)),
            export_status: Some(status(export)),
            export_type: Some(kind(export)),
        };
        Ok(ListExportsOutput { export_summaries: Some(found.iter().map(summary).collect()), next_token })
    }
}

impl Tables {
    /// The export that was already begun under the same token.
    async fn known_export(
        &self,
        scope: &Scope,
        input: &ExportTableToPointInTimeInput,
        digest: &str,
    ) -> Result<Option<Export>, Error> {
        const KEPT_MS: i64 = 8 * 3_600_000;
        let Some(token) = &input.client_token else { return Ok(None) };
        let found: Option<Export> = self.cellar.transfer_of_token(scope, token).await?;
        match found.filter(|known| known.started_ms + KEPT_MS > self.now_ms()) {
            Some(known) if known.digest == digest => Ok(Some(known)),
            Some(known) => Err(Error::ExportConflict(format!(
                "The client token {token} was given with other parameters for the export {}",
                known.arn(scope)
            ))),
            None => Ok(None),
        }
    }

    /// The export that is asked for, of the table as it is while nobody writes to it.
    fn new_export(
        &self,
        call: &Call,
        input: &ExportTableToPointInTimeInput,
        digest: String,
        table: &Table,
    ) -> Result<Export, Error> {
        let (now_ms, number) = (self.now_ms(), self.random.u64());
        let recovery = recovery_of(table)?;
        let (content, moment_ms, is_known) = content(input, recovery, now_ms)?;
        let oldest_ms = match content {
            Content::Full => moment_ms,
            Content::Changes { from_ms, .. } => from_ms,
        };
        let encryption = input.s3_sse_algorithm.as_ref();
        let past = Past { day: versions::day(oldest_ms).saturating_sub(1), ..self.past_now(table, now_ms) };
        Ok(Export {
            number,
            id: backup::id(now_ms, number),
            table: restore::essence(table),
            asker: Asker::of(call),
            token: input.client_token.clone(),
            digest,
            spot: Spot {
                bucket: input.s3_bucket.clone(),
                owner: input.s3_bucket_owner.clone(),
                prefix: input.s3_prefix.clone(),
            },
            encryption: encryption.map(|algorithm| (algorithm.to_string(), input.s3_sse_kms_key_id.clone())),
            format: match &input.export_format {
                Some(ExportFormat::Ion) => Format::Ion,
                Some(ExportFormat::DynamodbJson | ExportFormat::Other(_)) | None => Format::Json,
            },
            content,
            moment_ms,
            past,
            is_known,
            started_ms: now_ms,
            ended_ms: None,
            outcome: Outcome::InProgress,
            files: 0,
            next: None,
            items: 0,
            bytes: 0,
        })
    }
}

fn digest_of(input: &ExportTableToPointInTimeInput) -> String {
    let text = wire::document::write(input).to_string();
    hex::encode(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

/// What is exported, up to which moment, and whether the commit that this means is known: it is, where it is now.
fn content(
    input: &ExportTableToPointInTimeInput,
    recovery: Recovery,
    now_ms: i64,
) -> Result<(Content, i64, bool), Error> {
    let within = |wanted: Option<jiff::Timestamp>| {
        wanted_moment((wanted.is_none(), wanted), recovery, now_ms).map_err(|error| match error {
            Error::RestoreTime(why) => Error::ExportTime(why),
            other => other,
        })
    };
    let wanted = input.incremental_export_specification.as_ref();
    match (&input.export_type, wanted) {
        (Some(ExportType::IncrementalExport), Some(wanted)) => {
            let Some(from) = wanted.export_from_time else {
                return Err(Error::Invalid("ExportFromTime must be specified for an incremental export".to_owned()));
            };
            let (from_ms, _) = within(Some(from))?;
            let (to_ms, _) = within(wanted.export_to_time)?;
            if !WINDOW_MS.contains(&(to_ms - from_ms)) {
                return Err(Error::Invalid(format!(
                    "The period from ExportFromTime {} to ExportToTime {} must be at least 15 minutes and at most 24 hours",
                    moment(from_ms),
                    moment(to_ms)
                )));
            }
            let with_old = wanted.export_view_type != Some(ExportViewType::NewImage);
            Ok((Content::Changes { from_ms, with_old, from: None }, to_ms, false))
        }
        (Some(ExportType::IncrementalExport), None) => Err(Error::Invalid(
            "IncrementalExportSpecification must be specified when ExportType is INCREMENTAL_EXPORT".to_owned(),
        )),
        (_, Some(_)) => Err(Error::Invalid(
            "IncrementalExportSpecification can only be specified when ExportType is INCREMENTAL_EXPORT".to_owned(),
        )),
        (_, None) => {
            let (moment_ms, latest) = within(input.export_time)?;
            Ok((Content::Full, moment_ms, latest))
        }
    }
}

fn status(export: &Export) -> ExportStatus {
    match export.outcome {
        Outcome::InProgress => ExportStatus::InProgress,
        Outcome::Completed => ExportStatus::Completed,
        Outcome::Failed { .. } => ExportStatus::Failed,
    }
}

fn kind(export: &Export) -> ExportType {
    match export.content {
        Content::Full => ExportType::FullExport,
        Content::Changes { .. } => ExportType::IncrementalExport,
    }
}

fn description(scope: &Scope, export: &Export) -> ExportDescription {
    let is_done = export.outcome == Outcome::Completed;
    let count = |number: u64| i64::try_from(number).ok().filter(|_| is_done);
    let (algorithm, key) = export.encryption.clone().unwrap_or_else(|| ("AES256".to_owned(), None));
    let (failure_code, failure_message) = export.outcome.failure().unzip();
    ExportDescription {
        export_arn: Some(export.arn(scope)),
        export_status: Some(status(export)),
        start_time: Some(moment(export.started_ms)),
        end_time: export.ended_ms.map(moment),
        export_manifest: is_done.then(|| format!("{}manifest-summary.json", export.folder())),
        table_arn: Some(export.table.arn(scope)),
        table_id: Some(export.table.id.clone()),
        export_time: (export.content == Content::Full).then(|| moment(export.moment_ms)),
        client_token: export.token.clone(),
        s3_bucket: Some(export.spot.bucket.clone()),
        s3_bucket_owner: export.spot.owner.clone(),
        s3_prefix: export.spot.prefix.clone(),
        s3_sse_algorithm: Some(S3SseAlgorithm::from(algorithm.as_str())),
        s3_sse_kms_key_id: key,
        failure_code,
        failure_message,
        export_format: Some(match export.format {
            Format::Json => ExportFormat::DynamodbJson,
            Format::Ion => ExportFormat::Ion,
        }),
        billed_size_bytes: count(export.bytes),
        item_count: count(export.items),
        export_type: Some(kind(export)),
        incremental_export_specification: match &export.content {
            Content::Full => None,
            Content::Changes { from_ms, with_old, .. } => Some(IncrementalExportSpecification {
                export_from_time: Some(moment(*from_ms)),
                export_to_time: Some(moment(export.moment_ms)),
                export_view_type: Some(match with_old {
                    true => ExportViewType::NewAndOldImages,
                    false => ExportViewType::NewImage,
                }),
            }),
        },
    }
}
