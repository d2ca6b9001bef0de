//! What a table looks like from outside.

use jiff::Timestamp;
use wire::dynamodb as aws;

use crate::desk::{Desk, Sight};
use crate::model::backup::Backup;
use crate::model::table::{Encryption, State};
use crate::model::{
    Attribute, Index, IndexStatus, Keys, Kind, Mode, Projection, Scope, Stream, Table, Throughput, View,
};

/// What a table that is paid by request is warm for from the beginning, reads and writes.
const WARM: (i64, i64) = (12_000, 4_000);

/// A moment, as the wire has it.
pub(crate) fn moment(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or_default()
}

/// The description of a table.
pub(crate) fn table(desk: &Desk, sight: &Sight) -> aws::TableDescription {
    let Sight { table, arn, .. } = sight;
    let (items, bytes) = desk.counted(None);
    let some = |list: Vec<_>| (!list.is_empty()).then_some(list);
    let locals = table.locals.iter().map(|index| local(desk, arn, index)).collect();
    let globals: Vec<_> = table.globals.iter().map(|index| global(desk, sight, index)).collect();
    aws::TableDescription {
        attribute_definitions: Some(table.attributes.iter().map(definition).collect()),
        table_name: Some(table.name.clone()),
        key_schema: Some(schema(&table.keys)),
        table_status: Some(status(table)),
        creation_date_time: Some(moment(table.created_ms)),
        provisioned_throughput: Some(throughput(&table.throughput)),
        table_size_bytes: Some(bytes),
        item_count: Some(items),
        table_arn: Some(arn.clone()),
        table_id: Some(table.id.clone()),
        billing_mode_summary: billing(table),
        local_secondary_indexes: some(locals),
        global_secondary_indexes: (!globals.is_empty()).then_some(globals),
        stream_specification: table.open_stream().map(stream),
        latest_stream_label: table.stream.as_ref().map(|stream| stream.label.clone()),
        latest_stream_arn: table.stream_arn(&desk.scope),
        restore_summary: table.restored.as_ref().map(|restored| aws::RestoreSummary {
            source_backup_arn: restored.backup.clone(),
            source_table_arn: restored.table.clone(),
            restore_date_time: moment(restored.moment_ms),
            restore_in_progress: table.state == State::Creating,
        }),
        sse_description: table.encryption.as_ref().map(encryption),
        table_class_summary: table
            .class
            .as_deref()
            .map(|class| aws::TableClassSummary { table_class: Some(class.into()), last_update_date_time: None }),
        deletion_protection_enabled: Some(table.protected),
        on_demand_throughput: table.on_demand_max.map(on_demand),
        warm_throughput: Some(warm(table)),
        ..Default::default()
    }
}

fn status(table: &Table) -> aws::TableStatus {
    let busy = table.indexes().any(|index| index.status != IndexStatus::Active);
    match table.state {
        State::Creating => aws::TableStatus::Creating,
        State::Active if busy => aws::TableStatus::Updating,
        State::Active => aws::TableStatus::Active,
    }
}

fn billing(table: &Table) -> Option<aws::BillingModeSummary> {
    let since = table.on_demand_since_ms;
    let mode = match table.mode {
        Mode::PerRequest => aws::BillingMode::PayPerRequest,
        // A table that was never paid otherwise has no summary.
        Mode::Provisioned => since.map(|_| aws::BillingMode::Provisioned)?,
    };
    Some(aws::BillingModeSummary {
        billing_mode: Some(mode),
        last_update_to_pay_per_request_date_time: since.map(moment),
    })
}

fn warm(table: &Table) -> aws::TableWarmThroughputDescription {
    let (read, write) = table.warm.unwrap_or(match table.mode {
        Mode::PerRequest => WARM,
        Mode::Provisioned => (table.throughput.read, table.throughput.write),
    });
    aws::TableWarmThroughputDescription {
        read_units_per_second: Some(read),
        write_units_per_second: Some(write),
        status: Some(aws::TableStatus::Active),
    }
}

fn on_demand((read, write): (Option<i64>, Option<i64>)) -> aws::OnDemandThroughput {
    aws::OnDemandThroughput { max_read_request_units: read, max_write_request_units: write }
}

/// What is provisioned.
pub(crate) fn throughput(throughput: &Throughput) -> aws::ProvisionedThroughputDescription {
    aws::ProvisionedThroughputDescription {
        last_increase_date_time: throughput.raised_ms.map(moment),
        last_decrease_date_time: throughput.lowered_ms.map(moment),
        number_of_decreases_today: Some(throughput.lowered_today),
        read_capacity_units: Some(throughput.read),
        write_capacity_units: Some(throughput.write),
    }
}

fn local(desk: &Desk, arn: &str, index: &Index) -> aws::LocalSecondaryIndexDescription {
    let (items, bytes) = desk.counted(Some(index.number));
    aws::LocalSecondaryIndexDescription {
        index_name: Some(index.name.clone()),
        key_schema: Some(schema(&index.keys)),
        projection: Some(projection(&index.projection)),
        index_size_bytes: Some(bytes),
        item_count: Some(items),
        index_arn: Some(format!("{arn}/index/{}", index.name)),
    }
}

fn global(desk: &Desk, sight: &Sight, index: &Index) -> aws::GlobalSecondaryIndexDescription {
    let (items, bytes) = desk.counted(Some(index.number));
    let status = match index.status {
        IndexStatus::Creating => aws::IndexStatus::Creating,
        IndexStatus::Active => aws::IndexStatus::Active,
        IndexStatus::Deleting => aws::IndexStatus::Deleting,
    };
    let (read, write) = index.warm.unwrap_or(match sight.table.mode {
        Mode::PerRequest => WARM,
        Mode::Provisioned => (index.throughput.read, index.throughput.write),
    });
    aws::GlobalSecondaryIndexDescription {
        index_name: Some(index.name.clone()),
        key_schema: Some(schema(&index.keys)),
        projection: Some(projection(&index.projection)),
        index_status: Some(status),
        backfilling: (index.status == IndexStatus::Creating).then_some(true),
        provisioned_throughput: Some(throughput(&index.throughput)),
        index_size_bytes: Some(bytes),
        item_count: Some(items),
        index_arn: Some(format!("{}/index/{}", sight.arn, index.name)),
        on_demand_throughput: index.on_demand_max.map(on_demand),
        warm_throughput: Some(aws::GlobalSecondaryIndexWarmThroughputDescription {
            read_units_per_second: Some(read),
            write_units_per_second: Some(write),
            status: Some(aws::IndexStatus::Active),
        }),
    }
}

fn definition(attribute: &Attribute) -> aws::AttributeDefinition {
    let attribute_type = match attribute.kind {
        Kind::S => aws::ScalarAttributeType::S,
        Kind::N => aws::ScalarAttributeType::N,
        Kind::B => aws::ScalarAttributeType::B,
    };
    aws::AttributeDefinition { attribute_name: attribute.name.clone(), attribute_type }
}

/// The key schema.
pub(crate) fn schema(keys: &Keys) -> Vec<aws::KeySchemaElement> {
    let element =
        |attribute: &Attribute, key_type| aws::KeySchemaElement { attribute_name: attribute.name.clone(), key_type };
    let range = keys.range.as_ref().map(|range| element(range, aws::KeyType::Range));
    std::iter::once(element(&keys.hash, aws::KeyType::Hash)).chain(range).collect()
}

fn projection(projection: &Projection) -> aws::Projection {
    let (kind, names) = match projection {
        Projection::All => (aws::ProjectionType::All, None),
        Projection::KeysOnly => (aws::ProjectionType::KeysOnly, None),
        Projection::Include(names) => (aws::ProjectionType::Include, Some(names.clone())),
    };
    aws::Projection { projection_type: Some(kind), non_key_attributes: names }
}

fn stream(stream: &Stream) -> aws::StreamSpecification {
    let view = match stream.view {
        View::KeysOnly => aws::StreamViewType::KeysOnly,
        View::NewImage => aws::StreamViewType::NewImage,
        View::OldImage => aws::StreamViewType::OldImage,
        View::NewAndOldImages => aws::StreamViewType::NewAndOldImages,
    };
    aws::StreamSpecification { stream_enabled: true, stream_view_type: Some(view) }
}

/// What a table was that a backup is of.
pub(crate) fn source(scope: &Scope, backup: &Backup) -> aws::SourceTableDetails {
    let table = &backup.table;
    aws::SourceTableDetails {
        table_name: table.name.clone(),
        table_id: table.id.clone(),
        table_arn: Some(table.arn(scope)),
        table_size_bytes: i64::try_from(backup.bytes).ok(),
        key_schema: schema(&table.keys),
        table_creation_date_time: moment(table.created_ms),
        provisioned_throughput: units(&table.throughput),
        on_demand_throughput: table.on_demand_max.map(on_demand),
        item_count: i64::try_from(backup.items).ok(),
        billing_mode: Some(match table.mode {
            Mode::PerRequest => aws::BillingMode::PayPerRequest,
            Mode::Provisioned => aws::BillingMode::Provisioned,
        }),
    }
}

/// What such a table had beside its items.
pub(crate) fn source_features(table: &Table) -> aws::SourceTableFeatureDetails {
    let local = |index: &Index| aws::LocalSecondaryIndexInfo {
        index_name: Some(index.name.clone()),
        key_schema: Some(schema(&index.keys)),
        projection: Some(projection(&index.projection)),
    };
    let global = |index: &Index| aws::GlobalSecondaryIndexInfo {
        index_name: Some(index.name.clone()),
        key_schema: Some(schema(&index.keys)),
        projection: Some(projection(&index.projection)),
        provisioned_throughput: Some(units(&index.throughput)),
        on_demand_throughput: index.on_demand_max.map(on_demand),
    };
    let locals: Vec<_> = table.locals.iter().map(local).collect();
    let globals: Vec<_> = table.globals.iter().map(global).collect();
    aws::SourceTableFeatureDetails {
        local_secondary_indexes: (!locals.is_empty()).then_some(locals),
        global_secondary_indexes: (!globals.is_empty()).then_some(globals),
        stream_description: table.open_stream().map(stream),
        time_to_live_description: table.expiry.as_ref().map(|expiry| aws::TimeToLiveDescription {
            time_to_live_status: Some(aws::TimeToLiveStatus::Enabled),
            attribute_name: Some(expiry.attribute.clone()),
        }),
        sse_description: table.encryption.as_ref().map(encryption),
    }
}

fn units(throughput: &Throughput) -> aws::ProvisionedThroughput {
    aws::ProvisionedThroughput { read_capacity_units: throughput.read, write_capacity_units: throughput.write }
}

fn encryption(encryption: &Encryption) -> aws::SSEDescription {
    aws::SSEDescription {
        status: Some(aws::SSEStatus::Enabled),
        sse_type: Some(aws::SSEType::Kms),
        kms_master_key_arn: encryption.key.clone(),
        inaccessible_encryption_date_time: None,
    }
}
