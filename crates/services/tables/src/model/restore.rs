//! What a table is that is brought back under a new name: what its source was, and what the caller wants otherwise. Pure.

use wire::dynamodb as aws;

use super::table::{Restored, State};
use super::{Index, IndexStatus, Keys, Mode, Projection, Table, change, schema};
use crate::error::Error;

/// What a caller wants otherwise than the source has it.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// How it is paid for.
    pub mode: Option<aws::BillingMode>,
    /// What is provisioned.
    pub throughput: Option<aws::ProvisionedThroughput>,
    /// The most that may be used where it is paid by request.
    pub on_demand_max: Option<aws::OnDemandThroughput>,
    /// How it is encrypted.
    pub encryption: Option<aws::SSESpecification>,
    /// The global indexes that are kept.
    pub globals: Option<Vec<aws::GlobalSecondaryIndex>>,
    /// The local indexes that are kept.
    pub locals: Option<Vec<aws::LocalSecondaryIndex>>,
}

/// Who the new table is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// The id that `DescribeTable` shows.
    pub id: String,
    /// When it is made.
    pub now_ms: i64,
    /// Where it comes from.
    pub restored: Option<Restored>,
}

/// The source, reduced to what is ever brought back: not its tags, policies, streams' records, nor what outlives no table.
pub fn essence(table: &Table) -> Table {
    let mut stream = table.stream.clone();
    if let Some(stream) = &mut stream {
        stream.shards.truncate(1);
    }
    Table {
        stream,
        former_streams: Vec::new(),
        tags: Default::default(),
        policies: Default::default(),
        destinations: Default::default(),
        insights: Default::default(),
        holds: Vec::new(),
        ..table.clone()
    }
}

/// The new table, which is `CREATING` until its items are in it.
pub fn table(source: &Table, identity: Identity, overrides: &Overrides) -> Result<Table, Error> {
    let Identity { name, id, now_ms, restored } = identity;
    let mut table = Table {
        number: 0,
        id,
        name,
        created_ms: now_ms,
        stream: None,
        protected: false,
        expiry: None,
        recovery: None,
        restored,
        state: State::Creating,
        ..essence(source)
    };
    keep_indexes(&mut table, overrides)?;
    pay(&mut table, overrides, now_ms)?;
    if let Some(wanted) = &overrides.encryption {
        table.encryption = change::encryption(wanted);
    }
    table.attributes = change::used(std::mem::take(&mut table.attributes), &table);
    Ok(table)
}

fn keep_indexes(table: &mut Table, overrides: &Overrides) -> Result<(), Error> {
    let attributes = &table.attributes;
    if let Some(wanted) = &overrides.globals {
        for index in wanted {
            let keys = schema::keys(&index.key_schema, attributes)?;
            check_known(&table.globals, &index.index_name, &keys, &schema::projection(&index.projection)?)?;
        }
        table.globals.retain(|known| wanted.iter().any(|wanted| wanted.index_name == known.name));
    }
    if let Some(wanted) = &overrides.locals {
        for index in wanted {
            let keys = schema::keys(&index.key_schema, attributes)?;
            check_known(&table.locals, &index.index_name, &keys, &schema::projection(&index.projection)?)?;
        }
        table.locals.retain(|known| wanted.iter().any(|wanted| wanted.index_name == known.name));
    }
    table.globals.retain(|index| index.status != IndexStatus::Deleting);
    // Items come with their entries.
    table.globals.iter_mut().for_each(|index| index.status = IndexStatus::Active);
    Ok(())
}

/// Indexes can be left out; none can be added or be another one.
fn check_known(known: &[Index], name: &str, keys: &Keys, projection: &Projection) -> Result<(), Error> {
    let is_same = |index: &Index| index.name == name && index.keys == *keys && index.projection == *projection;
    match known.iter().any(is_same) {
        true => Ok(()),
        false => Err(Error::parameters(format_args!(
            "The index {name} does not match an index of the source: on a restore, indexes can only be left out"
        ))),
    }
}

fn pay(table: &mut Table, overrides: &Overrides, now_ms: i64) -> Result<(), Error> {
    let given = overrides.throughput.as_ref();
    let mode = overrides.mode.as_ref().map_or(table.mode, |mode| schema::mode(Some(mode)));
    match (table.mode, mode) {
        (Mode::Provisioned, Mode::Provisioned) => {
            if given.is_some() {
                table.throughput = schema::throughput(mode, given)?;
            }
        }
        (Mode::PerRequest, Mode::PerRequest) => {
            schema::throughput(mode, given)?;
        }
        (Mode::Provisioned, Mode::PerRequest) => {
            table.throughput = schema::throughput(mode, given)?;
            table.on_demand_since_ms = Some(now_ms);
            table.globals.iter_mut().for_each(|index| index.throughput = Default::default());
        }
        (Mode::PerRequest, Mode::Provisioned) => {
            table.throughput = schema::throughput(mode, given)?;
            let of_table = table.throughput;
            table.globals.iter_mut().for_each(|index| index.throughput = of_table);
        }
    }
    table.mode = mode;
    for wanted in overrides.globals.iter().flatten() {
        let index = table.globals.iter_mut().find(|index| index.name == wanted.index_name);
        if let Some((index, units)) = index.zip(wanted.provisioned_throughput.as_ref()) {
            index.throughput = schema::index_throughput(mode, &index.name, Some(units))?;
        }
    }
    if let Some(most) = &overrides.on_demand_max {
        table.on_demand_max = Some(schema::on_demand_max(most));
    }
    Ok(())
}
