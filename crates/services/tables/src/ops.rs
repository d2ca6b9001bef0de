//! The operations, and what several of them share. Those that belong together (describe, change, delete one thing) are one file.

mod account;
mod backups;
mod batches;
mod collections;
mod continuous_backups;
mod create_table;
mod destinations;
mod exports;
mod imports;
mod insights;
mod legacy;
mod list_backups;
mod pages;
pub(crate) mod particulars;
mod resource_policy;
mod restores;
mod rights;
mod single;
mod statements;
mod streams;
mod tables;
mod tags;
mod time_to_live;
mod transactions;

use std::sync::Arc;

use contract::{Arn, Call};
use dispatch::Registry;
use wire::dynamodb as aws;

use crate::Tables;
use crate::model::Scope;

/// Names every operation that is served.
pub fn register(registry: &mut Registry, tables: &Arc<Tables>) {
    registry.add::<wire::dynamodbstreams::DescribeStream, _>(tables);
    registry.add::<wire::dynamodbstreams::GetRecords, _>(tables);
    registry.add::<wire::dynamodbstreams::GetShardIterator, _>(tables);
    registry.add::<wire::dynamodbstreams::ListStreams, _>(tables);
    registry.add::<aws::BatchExecuteStatement, _>(tables);
    registry.add::<aws::BatchGetItem, _>(tables);
    registry.add::<aws::BatchWriteItem, _>(tables);
    registry.add::<aws::CreateBackup, _>(tables);
    registry.add::<aws::CreateTable, _>(tables);
    registry.add::<aws::DeleteBackup, _>(tables);
    registry.add::<aws::DeleteItem, _>(tables);
    registry.add::<aws::DeleteResourcePolicy, _>(tables);
    registry.add::<aws::DeleteTable, _>(tables);
    registry.add::<aws::DescribeBackup, _>(tables);
    registry.add::<aws::DescribeContinuousBackups, _>(tables);
    registry.add::<aws::DescribeContributorInsights, _>(tables);
    registry.add::<aws::DescribeEndpoints, _>(tables);
    registry.add::<aws::DescribeExport, _>(tables);
    registry.add::<aws::DescribeImport, _>(tables);
    registry.add::<aws::DescribeKinesisStreamingDestination, _>(tables);
    registry.add::<aws::DescribeLimits, _>(tables);
    registry.add::<aws::DescribeTable, _>(tables);
    registry.add::<aws::DescribeTimeToLive, _>(tables);
    registry.add::<aws::DisableKinesisStreamingDestination, _>(tables);
    registry.add::<aws::EnableKinesisStreamingDestination, _>(tables);
    registry.add::<aws::ExecuteStatement, _>(tables);
    registry.add::<aws::ExecuteTransaction, _>(tables);
    registry.add::<aws::ExportTableToPointInTime, _>(tables);
    registry.add::<aws::GetItem, _>(tables);
    registry.add::<aws::GetResourcePolicy, _>(tables);
    registry.add::<aws::ImportTable, _>(tables);
    registry.add::<aws::ListBackups, _>(tables);
    registry.add::<aws::ListContributorInsights, _>(tables);
    registry.add::<aws::ListExports, _>(tables);
    registry.add::<aws::ListGlobalTables, _>(tables);
    registry.add::<aws::ListImports, _>(tables);
    registry.add::<aws::ListTables, _>(tables);
    registry.add::<aws::ListTagsOfResource, _>(tables);
    registry.add::<aws::PutItem, _>(tables);
    registry.add::<aws::PutResourcePolicy, _>(tables);
    registry.add::<aws::Query, _>(tables);
    registry.add::<aws::RestoreTableFromBackup, _>(tables);
    registry.add::<aws::RestoreTableToPointInTime, _>(tables);
    registry.add::<aws::Scan, _>(tables);
    registry.add::<aws::TagResource, _>(tables);
    registry.add::<aws::TransactGetItems, _>(tables);
    registry.add::<aws::TransactWriteItems, _>(tables);
    registry.add::<aws::UntagResource, _>(tables);
    registry.add::<aws::UpdateContinuousBackups, _>(tables);
    registry.add::<aws::UpdateContributorInsights, _>(tables);
    registry.add::<aws::UpdateItem, _>(tables);
    registry.add::<aws::UpdateKinesisStreamingDestination, _>(tables);
    registry.add::<aws::UpdateTable, _>(tables);
    registry.add::<aws::UpdateTimeToLive, _>(tables);
}

/// The ARN of the table that a name or ARN means.
fn table_resource(call: &Call, given: &str) -> Arn {
    let parsed = given.starts_with("arn:").then(|| Arn::parse(given)).flatten();
    parsed.unwrap_or_else(|| Scope::of(call).arn(if given.is_empty() { "*" } else { given }))
}

/// The ARN of the table, or of the index of it, that is read.
fn view_resource(call: &Call, table: &str, index: Option<&str>) -> Arn {
    let mut arn = table_resource(call, table);
    if let Some(index) = index {
        arn.resource = format!("{}/index/{index}", arn.resource);
    }
    arn
}

/// An ARN that a caller gave.
fn resource_of_arn(given: &str) -> Arn {
    Arn::parse(given).unwrap_or_else(Arn::any)
}
