//! What `UpdateTable` changes, checked in the words of DynamoDB. Pure: a table and a wish give another table.

use wire::dynamodb as aws;

use super::name;
use super::schema;
use super::table::{Encryption, Index, IndexStatus, Keys, Mode, Stream, Table, Throughput};
use crate::error::Error;

const DAY_MS: i64 = 86_400_000;

/// When a change is made.
#[derive(Clone, Debug)]
pub struct Moment {
    /// In milliseconds since the epoch.
    pub now_ms: i64,
    /// The last commit before it.
    pub commit: u64,
    /// The name of a stream that is made then.
    pub label: String,
}

/// Changes the table as the input says.
pub fn apply(table: &mut Table, input: &aws::UpdateTableInput, moment: &Moment) -> Result<(), Error> {
    let now_ms = moment.now_ms;
    check_asked(input)?;
    if input.replica_updates.is_some() || input.global_table_witness_updates.is_some() {
        return Err(Error::Invalid(
            "Freehold is one node in one region: a table cannot have replicas, and ReplicaUpdates must be left out"
                .to_owned(),
        ));
    }
    billing(table, input, now_ms)?;
    for update in input.global_secondary_index_updates.iter().flatten() {
        index(table, input, update, now_ms)?;
    }
    if let Some(wanted) = &input.stream_specification {
        stream(table, wanted, moment)?;
    }
    if let Some(wanted) = &input.sse_specification {
        table.encryption = encryption(wanted);
    }
    if let Some(class) = &input.table_class {
        table.class = Some(class.to_string());
    }
    if let Some(protected) = input.deletion_protection_enabled {
        table.protected = protected;
    }
    if let Some(most) = &input.on_demand_throughput {
        table.on_demand_max = Some(schema::on_demand_max(most));
    }
    if let Some(warm) = &input.warm_throughput {
        table.warm = Some(schema::warm(warm));
    }
    Ok(())
}

/// How a table is to be encrypted.
pub fn encryption(wanted: &aws::SSESpecification) -> Option<Encryption> {
    wanted.enabled.unwrap_or(false).then(|| Encryption { key: wanted.kms_master_key_id.clone() })
}

fn check_asked(input: &aws::UpdateTableInput) -> Result<(), Error> {
    let asked = input.billing_mode.is_some()
        || input.provisioned_throughput.is_some()
        || input.global_secondary_index_updates.as_ref().is_some_and(|updates| !updates.is_empty())
        || input.stream_specification.is_some()
        || input.sse_specification.is_some()
        || input.replica_updates.is_some()
        || input.global_table_witness_updates.is_some()
        || input.table_class.is_some()
        || input.deletion_protection_enabled.is_some()
        || input.on_demand_throughput.is_some()
        || input.warm_throughput.is_some();
    match asked {
        true => Ok(()),
        false => Err(Error::Invalid(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or \
             SSESpecification or ReplicaUpdates is required"
                .to_owned(),
        )),
    }
}

fn billing(table: &mut Table, input: &aws::UpdateTableInput, now_ms: i64) -> Result<(), Error> {
    let mode = input.billing_mode.as_ref().map_or(table.mode, |mode| schema::mode(Some(mode)));
    let given = input.provisioned_throughput.as_ref();
    match (table.mode, mode) {
        (Mode::Provisioned, Mode::Provisioned) => {
            if let Some(given) = given {
                let wanted = schema::throughput(mode, Some(given))?;
                table.throughput = changed("the table", table.throughput, wanted, now_ms)?;
            }
        }
        (Mode::PerRequest, Mode::PerRequest) => {
            schema::throughput(mode, given)?;
        }
        (Mode::Provisioned, Mode::PerRequest) => {
            schema::throughput(mode, given)?;
            table.on_demand_since_ms = Some(now_ms);
            table.throughput = Throughput::default();
            table.globals.iter_mut().for_each(|index| index.throughput = Throughput::default());
        }
        (Mode::PerRequest, Mode::Provisioned) => {
            let Some(given) = given else {
                return Err(Error::parameters(
                    "ProvisionedThroughput must be specified when BillingMode is PROVISIONED",
                ));
            };
            table.throughput = schema::throughput(mode, Some(given))?;
            // Where nothing is said of an index, it gets what the table gets.
            let of_table = table.throughput;
            table.globals.iter_mut().for_each(|index| index.throughput = of_table);
        }
    }
    table.mode = mode;
    Ok(())
}

/// Throughput that is really another one, with the times of its changes.
fn changed(of: &str, old: Throughput, new: Throughput, now_ms: i64) -> Result<Throughput, Error> {
    if (old.read, old.write) == (new.read, new.write) {
        return Err(Error::Invalid(format!(
            "The provisioned throughput for {of} will not change. The requested value equals the current value. Current \
             ReadCapacityUnits provisioned for {of}: {0}. Requested ReadCapacityUnits: {0}. Current WriteCapacityUnits \
             provisioned for {of}: {1}. Requested WriteCapacityUnits: {1}. Refer to the Amazon DynamoDB Developer Guide for \
             current limits and how to request higher limits.",
            old.read, old.write
        )));
    }
    let raised = new.read > old.read || new.write > old.write;
    let lowered = new.read < old.read || new.write < old.write;
    let today = |ms: i64| ms.div_euclid(DAY_MS) == now_ms.div_euclid(DAY_MS);
    let before = if old.lowered_ms.is_some_and(today) { old.lowered_today } else { 0 };
    Ok(Throughput {
        read: new.read,
        write: new.write,
        raised_ms: if raised { Some(now_ms) } else { old.raised_ms },
        lowered_ms: if lowered { Some(now_ms) } else { old.lowered_ms },
        lowered_today: before + i64::from(lowered),
    })
}

fn index(
    table: &mut Table,
    input: &aws::UpdateTableInput,
    update: &aws::GlobalSecondaryIndexUpdate,
    now_ms: i64,
) -> Result<(), Error> {
    match (&update.create, &update.update, &update.delete) {
        (Some(create), None, None) => create_index(table, input, create),
        (None, Some(update), None) => update_index(table, update, now_ms),
        (None, None, Some(delete)) => delete_index(table, &delete.index_name),
        _ => Err(Error::parameters(
            "Only one global secondary index update per index is allowed simultaneously, and it must say what it is",
        )),
    }
}

fn create_index(
    table: &mut Table,
    input: &aws::UpdateTableInput,
    create: &aws::CreateGlobalSecondaryIndexAction,
) -> Result<(), Error> {
    let name = &create.index_name;
    name::check("indexName", "IndexName", name)?;
    if table.index(name).is_some() {
        return Err(Error::Invalid(format!("Attempting to create an index which already exists: {name}")));
    }
    if table.globals.iter().any(|index| index.status != IndexStatus::Active) {
        return Err(one_at_a_time());
    }
    let mut attributes = table.attributes.clone();
    for new in schema::attributes(input.attribute_definitions.as_deref().unwrap_or_default())? {
        match attributes.iter().find(|known| known.name == new.name) {
            Some(known) if known.kind != new.kind => {
                return Err(Error::parameters(format_args!(
                    "Attribute {} is of type {} already",
                    known.name,
                    known.kind.as_str()
                )));
            }
            Some(_) => {}
            None => attributes.push(new),
        }
    }
    let keys = schema::keys(&create.key_schema, &attributes)?;
    let projection = schema::projection(&create.projection)?;
    let throughput = schema::index_throughput(table.mode, name, create.provisioned_throughput.as_ref())?;
    table.globals.push(Index {
        number: table.indexes_made,
        name: name.clone(),
        keys,
        projection,
        throughput,
        on_demand_max: create.on_demand_throughput.as_ref().map(schema::on_demand_max),
        warm: create.warm_throughput.as_ref().map(schema::warm),
        status: IndexStatus::Creating,
    });
    table.indexes_made += 1;
    if table.globals.len() > schema::GLOBALS_MAX {
        return Err(schema::too_many_globals());
    }
    schema::check_together(&table.locals, &table.globals)?;
    table.attributes = used(attributes, table);
    Ok(())
}

/// The definitions that are keys of something.
pub fn used(attributes: Vec<super::Attribute>, table: &Table) -> Vec<super::Attribute> {
    let is_key = |name: &str| {
        let all = std::iter::once(&table.keys).chain(table.indexes().map(|index| &index.keys));
        all.into_iter().any(|keys: &Keys| keys.contains(name))
    };
    attributes.into_iter().filter(|attribute| is_key(&attribute.name)).collect()
}

fn one_at_a_time() -> Error {
    Error::Limit(
        "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table".to_owned(),
    )
}

fn global<'a>(table: &'a mut Table, name: &str) -> Result<&'a mut Index, Error> {
    let missing = || Error::Missing("Requested resource not found".to_owned());
    table.globals.iter_mut().find(|index| index.name == name).ok_or_else(missing)
}

fn update_index(table: &mut Table, update: &aws::UpdateGlobalSecondaryIndexAction, now_ms: i64) -> Result<(), Error> {
    let mode = table.mode;
    let index = global(table, &update.index_name)?;
    if let Some(given) = &update.provisioned_throughput {
        let wanted = schema::index_throughput(mode, &update.index_name, Some(given))?;
        let of = format!("the index {}", update.index_name);
        index.throughput = changed(&of, index.throughput, wanted, now_ms)?;
    }
    if let Some(most) = &update.on_demand_throughput {
        index.on_demand_max = Some(schema::on_demand_max(most));
    }
    if let Some(warm) = &update.warm_throughput {
        index.warm = Some(schema::warm(warm));
    }
    Ok(())
}

fn delete_index(table: &mut Table, name: &str) -> Result<(), Error> {
    global(table, name)?;
    if table.globals.iter().any(|index| index.status != IndexStatus::Active && index.name != name) {
        return Err(one_at_a_time());
    }
    let index = global(table, name)?;
    match index.status {
        IndexStatus::Active | IndexStatus::Creating => index.status = IndexStatus::Deleting,
        IndexStatus::Deleting => {
            return Err(Error::InUse(format!("Attempting to delete an index which is being deleted: {name}")));
        }
    }
    Ok(())
}

fn stream(table: &mut Table, wanted: &aws::StreamSpecification, moment: &Moment) -> Result<(), Error> {
    let open = table.open_stream().is_some();
    match wanted.stream_enabled {
        true if open => Err(Error::Invalid(format!("Table already has an enabled stream: TableName: {}", table.name))),
        true => {
            let Some(view) = schema::stream(Some(wanted))? else { return Ok(()) };
            let new = Stream::begin(moment.label.clone(), view, moment.commit, moment.now_ms);
            table.former_streams.extend(table.stream.replace(new));
            Ok(())
        }
        false if wanted.stream_view_type.is_some() => {
            Err(Error::parameters("StreamViewType must not be specified when StreamEnabled is false"))
        }
        false => match table.stream.as_mut().filter(|stream| stream.enabled) {
            Some(stream) => {
                stream.disable(moment.commit, moment.now_ms);
                Ok(())
            }
            None => Err(Error::Invalid(format!("Table has no enabled stream to disable: TableName: {}", table.name))),
        },
    }
}
