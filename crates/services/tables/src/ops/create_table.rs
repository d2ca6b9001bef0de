//! `CreateTable`: makes a table, which can be used at once.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::dynamodb::{CreateTable, CreateTableInput, CreateTableOutput};

use super::{table_resource, tags};
use crate::model::table::State;
use crate::model::{Scope, Stream, Table, TableRef, change, schema};
use crate::{Error, Tables, describe};

impl Handle<CreateTable> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &CreateTableInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(&self, call: &Call, input: CreateTableInput) -> Result<CreateTableOutput, Fault> {
        let scope = Scope::of(call);
        let table = self.read_table(&scope, &input)?;
        let desk = self.make(&scope, &table).await?;
        Ok(CreateTableOutput { table_description: Some(describe::table(&desk, &desk.sight())) })
    }
}

impl Tables {
    /// The table that the input describes.
    pub(crate) fn read_table(&self, scope: &Scope, input: &CreateTableInput) -> Result<Table, Error> {
        let name = TableRef::parse(scope, &input.table_name)?.name();
        if input.global_table_source_arn.is_some() {
            return Err(Error::Invalid(
                "Freehold is one node in one region: GlobalTableSourceArn must be left out".to_owned(),
            ));
        }
        let attributes = schema::attributes(input.attribute_definitions.as_deref().unwrap_or_default())?;
        let mode = schema::mode(input.billing_mode.as_ref());
        let throughput = schema::throughput(mode, input.provisioned_throughput.as_ref())?;
        let keys = schema::keys(input.key_schema.as_deref().unwrap_or_default(), &attributes)?;
        let alone = input.local_secondary_indexes.is_none() && input.global_secondary_indexes.is_none();
        if alone && attributes.len() != keys.each().count() {
            return Err(Error::parameters(
                "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
            ));
        }
        let mut locals = schema::locals(input.local_secondary_indexes.as_deref(), &keys, &attributes)?;
        let mut globals = schema::globals(input.global_secondary_indexes.as_deref(), mode, &attributes)?;
        schema::check_together(&locals, &globals)?;
        let all_keys = std::iter::once(&keys).chain(locals.iter().chain(&globals).map(|index| &index.keys));
        schema::all_used(&attributes, all_keys)?;
        let mut indexes_made = 0;
        for index in locals.iter_mut().chain(&mut globals) {
            index.number = indexes_made;
            indexes_made += 1;
        }
        let now_ms = self.now_ms();
        let mut table = Table {
            number: 0,
            id: self.random.uuid().to_string(),
            name: name.to_owned(),
            created_ms: now_ms,
            keys,
            attributes,
            mode,
            on_demand_since_ms: (mode == crate::model::Mode::PerRequest).then_some(now_ms),
            throughput,
            on_demand_max: input.on_demand_throughput.as_ref().map(schema::on_demand_max),
            warm: input.warm_throughput.as_ref().map(schema::warm),
            locals,
            globals,
            indexes_made,
            stream: schema::stream(input.stream_specification.as_ref())?
                .map(|view| Stream::begin(self.label(), view, self.commit(), now_ms)),
            former_streams: Vec::new(),
            encryption: input.sse_specification.as_ref().and_then(change::encryption),
            class: input.table_class.as_ref().map(ToString::to_string),
            protected: input.deletion_protection_enabled.unwrap_or(false),
            tags: tags::read(input.tags.as_deref().unwrap_or_default())?,
            policies: Default::default(),
            expiry: None,
            recovery: None,
            restored: None,
            destinations: Default::default(),
            insights: Default::default(),
            holds: Vec::new(),
            state: State::Active,
        };
        if let Some(text) = &input.resource_policy {
            let arn = table.arn(scope);
            super::resource_policy::put(&mut table, &arn, text, now_ms)?;
        }
        Ok(table)
    }

    /// The last commit of the store.
    pub(crate) fn commit(&self) -> u64 {
        self.cellar.store.sequence().number()
    }

    /// The name of a stream that is made now: `2026-11-21T12:00:00.000`.
    pub(crate) fn label(&self) -> String {
        let now = describe::moment(self.now_ms());
        now.strftime("%Y-%m-%dT%H:%M:%S%.3f").to_string()
    }
}
