//! What `CreateTable` says, checked in the order and in the words of DynamoDB.

use wire::dynamodb as aws;

use super::name;
use super::table::{Attribute, Index, IndexStatus, Keys, Kind, Mode, Projection, Throughput, View};
use crate::error::Error;

/// Indexes of a table that lie beside its items.
pub const LOCALS_MAX: usize = 5;
/// Indexes of a table with keys of their own.
pub const GLOBALS_MAX: usize = 20;
/// Attributes that all indexes of a table name in `NonKeyAttributes` together.
const NAMED_MAX: usize = 100;
/// More units than anybody may ask for.
const UNITS_MAX: i64 = 1_000_000_000_000;

/// The definitions of key attributes.
pub fn attributes(given: &[aws::AttributeDefinition]) -> Result<Vec<Attribute>, Error> {
    let mut read: Vec<Attribute> = Vec::new();
    for definition in given {
        let kind = match &definition.attribute_type {
            aws::ScalarAttributeType::S => Kind::S,
            aws::ScalarAttributeType::N => Kind::N,
            aws::ScalarAttributeType::B => Kind::B,
            aws::ScalarAttributeType::Other(other) => {
                return Err(Error::parameters(format_args!("Unknown attribute type {other}")));
            }
        };
        if read.iter().any(|known| known.name == definition.attribute_name) {
            return Err(Error::parameters(format_args!(
                "Duplicate AttributeName in AttributeDefinitions: {}",
                definition.attribute_name
            )));
        }
        read.push(Attribute { name: definition.attribute_name.clone(), kind });
    }
    Ok(read)
}

/// A key schema over those definitions.
pub fn keys(given: &[aws::KeySchemaElement], attributes: &[Attribute]) -> Result<Keys, Error> {
    let defined = |element: &aws::KeySchemaElement| {
        attributes.iter().find(|attribute| attribute.name == element.attribute_name).cloned()
    };
    if given.iter().any(|element| defined(element).is_none()) {
        let names: Vec<&str> = given.iter().map(|element| element.attribute_name.as_str()).collect();
        return Err(Error::parameters(format_args!(
            "Some index key attributes are not defined in AttributeDefinitions. Keys: [{}], AttributeDefinitions: [{}]",
            names.join(", "),
            listed(attributes)
        )));
    }
    let [first, rest @ ..] = given else {
        return Err(Error::Invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type".to_owned()));
    };
    if first.key_type != aws::KeyType::Hash {
        return Err(Error::Invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type".to_owned()));
    }
    if rest.len() > 1 {
        return Err(Error::Invalid(format!(
            "1 validation error detected: Value '{}' at 'keySchema' failed to satisfy constraint: Member must have length less \
             than or equal to 2",
            given.len()
        )));
    }
    if let Some(second) = rest.first() {
        if second.key_type != aws::KeyType::Range {
            return Err(Error::Invalid(
                "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type".to_owned(),
            ));
        }
        if second.attribute_name == first.attribute_name {
            return Err(Error::Invalid(
                "Both the Hash Key and the Range Key element in the KeySchema have the same name".to_owned(),
            ));
        }
    }
    let hash = defined(first).ok_or(Error::Internal)?;
    Ok(Keys { hash, range: rest.first().and_then(defined) })
}

/// Refuses definitions that are keys of nothing.
pub fn all_used<'a>(attributes: &[Attribute], keys: impl Iterator<Item = &'a Keys> + Clone) -> Result<(), Error> {
    if attributes.iter().all(|attribute| keys.clone().any(|keys| keys.contains(&attribute.name))) {
        return Ok(());
    }
    let mut used: Vec<&str> = Vec::new();
    for key in keys.flat_map(Keys::each) {
        if !used.contains(&key.name.as_str()) {
            used.push(&key.name);
        }
    }
    Err(Error::parameters(format_args!(
        "Some AttributeDefinitions are not used. AttributeDefinitions: [{}], keys used: [{}]",
        listed(attributes),
        used.join(", ")
    )))
}

fn listed(attributes: &[Attribute]) -> String {
    attributes.iter().map(|attribute| attribute.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// How a table is paid for.
pub fn mode(given: Option<&aws::BillingMode>) -> Mode {
    match given {
        Some(aws::BillingMode::PayPerRequest) => Mode::PerRequest,
        Some(aws::BillingMode::Provisioned | aws::BillingMode::Other(_)) | None => Mode::Provisioned,
    }
}

/// What is provisioned for a table.
pub fn throughput(mode: Mode, given: Option<&aws::ProvisionedThroughput>) -> Result<Throughput, Error> {
    match (mode, given) {
        (Mode::Provisioned, None) => {
            Err(Error::Invalid("No provisioned throughput specified for the table".to_owned()))
        }
        (Mode::PerRequest, Some(_)) => Err(Error::parameters(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
        )),
        (Mode::PerRequest, None) => Ok(Throughput::default()),
        (Mode::Provisioned, Some(given)) => units(given),
    }
}

/// What is provisioned for a global index.
pub fn index_throughput(
    mode: Mode,
    index: &str,
    given: Option<&aws::ProvisionedThroughput>,
) -> Result<Throughput, Error> {
    match (mode, given) {
        (Mode::Provisioned, None) => {
            Err(Error::parameters(format_args!("ProvisionedThroughput must be specified for index: {index}")))
        }
        (Mode::PerRequest, Some(_)) => Err(Error::parameters(format_args!(
            "ProvisionedThroughput should not be specified for index: {index} when BillingMode is PAY_PER_REQUEST"
        ))),
        (Mode::PerRequest, None) => Ok(Throughput::default()),
        (Mode::Provisioned, Some(given)) => units(given),
    }
}

fn units(given: &aws::ProvisionedThroughput) -> Result<Throughput, Error> {
    for (name, value) in
        [("ReadCapacityUnits", given.read_capacity_units), ("WriteCapacityUnits", given.write_capacity_units)]
    {
        if value > UNITS_MAX {
            return Err(Error::Invalid(format!("Given value {value} for {name} is out of bounds")));
        }
    }
    let Throughput { raised_ms, lowered_ms, lowered_today, .. } = Throughput::default();
    Ok(Throughput {
        read: given.read_capacity_units,
        write: given.write_capacity_units,
        raised_ms,
        lowered_ms,
        lowered_today,
    })
}

/// What an index holds of each item.
pub fn projection(given: &aws::Projection) -> Result<Projection, Error> {
    let named = given.non_key_attributes.as_ref();
    match (&given.projection_type, named) {
        (None, _) => Err(Error::parameters("Unknown ProjectionType: null")),
        (Some(aws::ProjectionType::All), None) => Ok(Projection::All),
        (Some(aws::ProjectionType::KeysOnly), None) => Ok(Projection::KeysOnly),
        (Some(aws::ProjectionType::Include), Some(names)) => Ok(Projection::Include(names.clone())),
        (Some(aws::ProjectionType::Include), None) => {
            Err(Error::parameters("ProjectionType is INCLUDE, but NonKeyAttributes is not specified"))
        }
        (Some(kind), Some(_)) => {
            Err(Error::parameters(format_args!("ProjectionType is {kind}, but NonKeyAttributes is specified")))
        }
        (Some(aws::ProjectionType::Other(other)), None) => {
            Err(Error::parameters(format_args!("Unknown ProjectionType: {other}")))
        }
    }
}

/// The local indexes of a new table.
pub fn locals(
    given: Option<&[aws::LocalSecondaryIndex]>,
    table: &Keys,
    attributes: &[Attribute],
) -> Result<Vec<Index>, Error> {
    let Some(given) = given else { return Ok(Vec::new()) };
    if given.is_empty() {
        return Err(Error::parameters("List of LocalSecondaryIndexes is empty"));
    }
    if table.range.is_none() {
        return Err(Error::parameters(
            "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex",
        ));
    }
    let mut indexes: Vec<Index> = Vec::new();
    for local in given {
        let name = &local.index_name;
        let keys = keys(&local.key_schema, attributes)?;
        if keys.hash != table.hash {
            return Err(Error::parameters(format_args!(
                "Index KeySchema does not have the same leading hash key as table KeySchema for index: {name}. index hash key: \
                 {}, table hash key: {}",
                keys.hash.name, table.hash.name
            )));
        }
        if keys.range.is_none() {
            return Err(Error::parameters(format_args!("Index KeySchema does not have a range key for index: {name}")));
        }
        let projection = projection(&local.projection)?;
        push(&mut indexes, name, keys, projection, Throughput::default())?;
    }
    if indexes.len() > LOCALS_MAX {
        return Err(Error::parameters(format_args!(
            "Number of LocalSecondaryIndexes exceeds per-table limit of {LOCALS_MAX}"
        )));
    }
    Ok(indexes)
}

/// The global indexes of a new table.
pub fn globals(
    given: Option<&[aws::GlobalSecondaryIndex]>,
    mode: Mode,
    attributes: &[Attribute],
) -> Result<Vec<Index>, Error> {
    let Some(given) = given else { return Ok(Vec::new()) };
    if given.is_empty() {
        return Err(Error::parameters("List of GlobalSecondaryIndexes is empty"));
    }
    let mut indexes: Vec<Index> = Vec::new();
    for global in given {
        let name = &global.index_name;
        let keys = keys(&global.key_schema, attributes)?;
        let projection = projection(&global.projection)?;
        let throughput = index_throughput(mode, name, global.provisioned_throughput.as_ref())?;
        push(&mut indexes, name, keys, projection, throughput)?;
        if let Some(last) = indexes.last_mut() {
            last.on_demand_max = global.on_demand_throughput.as_ref().map(on_demand_max);
            last.warm = global.warm_throughput.as_ref().map(warm);
        }
    }
    if indexes.len() > GLOBALS_MAX {
        return Err(too_many_globals());
    }
    Ok(indexes)
}

/// More global indexes than a table may have.
pub fn too_many_globals() -> Error {
    Error::parameters(format_args!("GlobalSecondaryIndex count exceeds the per-table limit of {GLOBALS_MAX}"))
}

fn push(
    indexes: &mut Vec<Index>,
    name: &str,
    keys: Keys,
    projection: Projection,
    throughput: Throughput,
) -> Result<(), Error> {
    name::check("indexName", "IndexName", name)?;
    if indexes.iter().any(|index| index.name == name) {
        return Err(duplicate(name));
    }
    indexes.push(Index {
        number: 0,
        name: name.to_owned(),
        keys,
        projection,
        throughput,
        on_demand_max: None,
        warm: None,
        status: IndexStatus::Active,
    });
    Ok(())
}

fn duplicate(name: &str) -> Error {
    Error::parameters(format_args!("Duplicate index name: {name}"))
}

/// Refuses what the indexes of a table must not be together.
pub fn check_together(locals: &[Index], globals: &[Index]) -> Result<(), Error> {
    if let Some(twice) = globals.iter().find(|global| locals.iter().any(|local| local.name == global.name)) {
        return Err(duplicate(&twice.name));
    }
    let named = |index: &Index| match &index.projection {
        Projection::Include(names) => names.len(),
        Projection::All | Projection::KeysOnly => 0,
    };
    let total: usize = locals.iter().chain(globals).map(named).sum();
    if total > NAMED_MAX {
        return Err(Error::parameters(format_args!(
            "Number of NonKeyAttributes exceeds the per-table limit of {NAMED_MAX}: {total}"
        )));
    }
    Ok(())
}

/// What the records of the stream hold that a table is to have; none where it is to have none.
pub fn stream(given: Option<&aws::StreamSpecification>) -> Result<Option<View>, Error> {
    let Some(given) = given else { return Ok(None) };
    match (given.stream_enabled, &given.stream_view_type) {
        (true, Some(view)) => self::view(view).map(Some),
        (true, None) => Err(Error::parameters("StreamViewType must be specified when StreamEnabled is true")),
        (false, Some(_)) => Err(Error::parameters(
            "Table is being created with a stream disabled, UpdateTable should be used to enable a stream",
        )),
        (false, None) => Ok(None),
    }
}

fn view(given: &aws::StreamViewType) -> Result<View, Error> {
    match given {
        aws::StreamViewType::KeysOnly => Ok(View::KeysOnly),
        aws::StreamViewType::NewImage => Ok(View::NewImage),
        aws::StreamViewType::OldImage => Ok(View::OldImage),
        aws::StreamViewType::NewAndOldImages => Ok(View::NewAndOldImages),
        aws::StreamViewType::Other(other) => Err(Error::parameters(format_args!("Unknown StreamViewType: {other}"))),
    }
}

/// The most that may be used where one pays by request; minus one is no limit.
pub fn on_demand_max(given: &aws::OnDemandThroughput) -> (Option<i64>, Option<i64>) {
    (given.max_read_request_units, given.max_write_request_units)
}

/// What is to be warm.
pub fn warm(given: &aws::WarmThroughput) -> (i64, i64) {
    const READ: i64 = 12_000;
    const WRITE: i64 = 4_000;
    (given.read_units_per_second.unwrap_or(READ), given.write_units_per_second.unwrap_or(WRITE))
}
