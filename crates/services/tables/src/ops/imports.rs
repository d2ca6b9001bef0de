//! `ImportTable`, `DescribeImport`, `ListImports`. The table is made by the call and filled by itself, see `background/import.rs`; until then
//! it is `CREATING`.

use contract::{Arn, Call, Effect, Fault, Handle};
use store::Transaction;
use wire::dynamodb::{
    CreateTableInput, DescribeImport, DescribeImportInput, DescribeImportOutput, ImportStatus, ImportSummary,
    ImportTable, ImportTableDescription, ImportTableInput, ImportTableOutput, InputCompressionType, InputFormat,
    ListImports, ListImportsInput, ListImportsOutput,
};

use super::{resource_of_arn, table_resource};
use crate::background::Job;
use crate::background::log;
use crate::describe::moment;
use crate::model::import::{self, Counted, Format, Import, Packing};
use crate::model::table::State;
use crate::model::transfer::{Asker, Outcome, Spot};
use crate::model::{Scope, Table, TableRef, backup};
use crate::store::transfers;
use crate::{Error, Tables};

/// Imports of one page, where the call does not say how many.
const PAGE_MAX: usize = 25;

impl Handle<ImportTable> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &ImportTableInput) -> Arn {
        table_resource(call, &input.table_creation_parameters.table_name)
    }

    async fn handle(&self, call: &Call, input: ImportTableInput) -> Result<ImportTableOutput, Fault> {
        let scope = Scope::of(call);
        // Two calls with one token begin one.
        let _one_at_a_time = self.transferring.lock().await;
        if let Some(known) = self.known_import(&scope, &input).await? {
            return Ok(ImportTableOutput { import_table_description: description(&scope, &known)? });
        }
        let (format, packing) = (format(&input)?, packing(&input)?);
        self.check_room().await?;
        let table = Table { state: State::Creating, ..self.read_table(&scope, &wanted(&input))? };
        let now_ms = self.now_ms();
        let source = &input.s3_bucket_source;
        let import = Import {
            id: backup::id(now_ms, self.random.u64()),
            table: table.name.clone(),
            table_id: table.id.clone(),
            target: 0,
            asker: Asker::of(call),
            token: input.client_token.clone(),
            asked: wire::document::write(&input),
            spot: Spot {
                bucket: source.s3_bucket.clone(),
                owner: source.s3_bucket_owner.clone(),
                prefix: source.s3_key_prefix.clone(),
            },
            format,
            packing,
            started_ms: now_ms,
            ended_ms: None,
            outcome: Outcome::InProgress,
            after: None,
            counted: Counted::default(),
        };
        let also = |tx: &Transaction, made: &Table| {
            transfers::put(tx, &scope, &Import { target: made.number, ..import.clone() });
        };
        self.make_with(&scope, &table, &also).await?;
        self.start(Job::Import(scope.clone(), import.table.clone(), import.id.clone()));
        Ok(ImportTableOutput { import_table_description: description(&scope, &import)? })
    }
}

impl Handle<DescribeImport> for Tables {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, input: &DescribeImportInput) -> Arn {
        resource_of_arn(&input.import_arn)
    }

    async fn handle(&self, call: &Call, input: DescribeImportInput) -> Result<DescribeImportOutput, Fault> {
        let scope = Scope::of(call);
        let (table, id) = import::read_arn(&scope, &input.import_arn)?;
        let found = self.cellar.transfer::<Import>(&scope, &table, &id).await?;
        let import = found.ok_or_else(|| import::missing(&input.import_arn))?;
        Ok(DescribeImportOutput { import_table_description: description(&scope, &import)? })
    }
}

impl Handle<ListImports> for Tables {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ListImportsInput) -> Arn {
        table_resource(call, input.table_arn.as_deref().unwrap_or("*"))
    }

    async fn handle(&self, call: &Call, input: ListImportsInput) -> Result<ListImportsOutput, Fault> {
        let scope = Scope::of(call);
        let limit = input.page_size.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_MAX);
        let table = input.table_arn.as_deref().map(|arn| TableRef::parse(&scope, arn)).transpose()?;
        let after = input.next_token.as_deref().map(read_token).transpose()?;
        let after = after.as_ref().map(|(table, id)| (table.as_str(), id.as_str()));
        let mut found: Vec<Import> = self.cellar.transfers(&scope, table.map(TableRef::name), after, limit + 1).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next_token = found.last().filter(|_| more).map(token);
        let summaries = found.iter().map(|import| summary(&scope, import)).collect::<Result<_, Error>>()?;
        Ok(ListImportsOutput { import_summary_list: Some(summaries), next_token })
    }
}

impl Tables {
    /// The import that was already begun under the same token.
    async fn known_import(&self, scope: &Scope, input: &ImportTableInput) -> Result<Option<Import>, Error> {
        const KEPT_MS: i64 = 8 * 3_600_000;
        let Some(token) = &input.client_token else { return Ok(None) };
        let found: Option<Import> = self.cellar.transfer_of_token(scope, token).await?;
        match found.filter(|known| known.started_ms + KEPT_MS > self.now_ms()) {
            Some(known) if known.asked == wire::document::write(input) => Ok(Some(known)),
            Some(known) => Err(Error::ImportConflict(format!(
                "The client token {token} was given with other parameters for the import {}",
                known.arn(scope)
            ))),
            None => Ok(None),
        }
    }
}

/// The table as `CreateTable` would be asked for it.
fn wanted(input: &ImportTableInput) -> CreateTableInput {
    let wanted = input.table_creation_parameters.clone();
    CreateTableInput {
        table_name: wanted.table_name,
        attribute_definitions: Some(wanted.attribute_definitions),
        key_schema: Some(wanted.key_schema),
        billing_mode: wanted.billing_mode,
        provisioned_throughput: wanted.provisioned_throughput,
        on_demand_throughput: wanted.on_demand_throughput,
        sse_specification: wanted.sse_specification,
        global_secondary_indexes: wanted.global_secondary_indexes,
        ..Default::default()
    }
}

fn format(input: &ImportTableInput) -> Result<Format, Error> {
    let csv = input.input_format_options.as_ref().and_then(|options| options.csv.as_ref());
    match &input.input_format {
        InputFormat::DynamodbJson | InputFormat::Ion if csv.is_some() => Err(Error::Invalid(format!(
            "Invalid Request: Unsupported InputFormatOptions for the given input format: {}.",
            input.input_format
        ))),
        InputFormat::DynamodbJson => Ok(Format::Json),
        InputFormat::Ion => Ok(Format::Ion),
        InputFormat::Csv => {
            let delimiter = csv.and_then(|csv| csv.delimiter.as_ref()).and_then(|text| text.chars().next());
            let header = csv.and_then(|csv| csv.header_list.clone());
            Ok(Format::Csv { delimiter: delimiter.unwrap_or(','), header })
        }
        InputFormat::Other(other) => Err(Error::Invalid(format!("Unknown InputFormat: {other}"))),
    }
}

fn packing(input: &ImportTableInput) -> Result<Packing, Error> {
    match &input.input_compression_type {
        None | Some(InputCompressionType::None) => Ok(Packing::None),
        Some(InputCompressionType::Gzip) => Ok(Packing::Gzip),
        Some(InputCompressionType::Zstd) => Ok(Packing::Zstd),
        Some(InputCompressionType::Other(other)) => {
            Err(Error::Invalid(format!("Unknown InputCompressionType: {other}")))
        }
    }
}

/// What brings a reader of the list back to behind an import. The model wants hexadecimal, in groups of sixteen and seven of them at least.
fn token(last: &Import) -> String {
    let mut bytes = format!("{}/{}", last.table, last.id).into_bytes();
    bytes.resize(bytes.len().next_multiple_of(8).max(56), 0);
    hex::encode(bytes)
}

fn read_token(token: &str) -> Result<(String, String), Error> {
    let read = || {
        let text = String::from_utf8(hex::decode(token).ok()?).ok()?;
        let (table, id) = text.trim_end_matches('\0').split_once('/')?;
        Some((table.to_owned(), id.to_owned()))
    };
    read().ok_or_else(|| Error::Invalid("Invalid NextToken".to_owned()))
}

fn status(import: &Import) -> ImportStatus {
    match import.outcome {
        Outcome::InProgress => ImportStatus::InProgress,
        Outcome::Completed => ImportStatus::Completed,
        Outcome::Failed { .. } => ImportStatus::Failed,
    }
}

/// What was asked for.
fn asked(import: &Import) -> Result<ImportTableInput, Error> {
    let mut asked = ImportTableInput::default();
    wire::document::read_into(&mut asked, import.asked.clone()).map_err(|_| Error::Internal)?;
    Ok(asked)
}

fn summary(scope: &Scope, import: &Import) -> Result<ImportSummary, Error> {
    let asked = asked(import)?;
    Ok(ImportSummary {
        import_arn: Some(import.arn(scope)),
        import_status: Some(status(import)),
        table_arn: Some(scope.arn(&import.table).to_string()),
        s3_bucket_source: Some(asked.s3_bucket_source),
        cloud_watch_log_group_arn: Some(log::group_arn(scope)),
        input_format: Some(asked.input_format),
        start_time: Some(moment(import.started_ms)),
        end_time: import.ended_ms.map(moment),
    })
}

fn description(scope: &Scope, import: &Import) -> Result<ImportTableDescription, Error> {
    let asked = asked(import)?;
    let count = |number: u64| i64::try_from(number).ok();
    let (failure_code, failure_message) = import.outcome.failure().unzip();
    Ok(ImportTableDescription {
        import_arn: Some(import.arn(scope)),
        import_status: Some(status(import)),
        table_arn: Some(scope.arn(&import.table).to_string()),
        table_id: Some(import.table_id.clone()),
        client_token: import.token.clone(),
        s3_bucket_source: Some(asked.s3_bucket_source),
        error_count: count(import.counted.errors),
        cloud_watch_log_group_arn: Some(log::group_arn(scope)),
        input_format: Some(asked.input_format),
        input_format_options: asked.input_format_options,
        input_compression_type: Some(asked.input_compression_type.unwrap_or(InputCompressionType::None)),
        table_creation_parameters: Some(asked.table_creation_parameters),
        start_time: Some(moment(import.started_ms)),
        end_time: import.ended_ms.map(moment),
        processed_size_bytes: count(import.counted.bytes),
        processed_item_count: count(import.counted.items),
        imported_item_count: count(import.counted.imported),
        failure_code,
        failure_message,
    })
}
