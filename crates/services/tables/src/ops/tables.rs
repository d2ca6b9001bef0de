//! `DescribeTable`, `UpdateTable`, `DeleteTable`, `ListTables`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::dynamodb::{
    DeleteTable, DeleteTableInput, DeleteTableOutput, DescribeTable, DescribeTableInput, DescribeTableOutput,
    ListTables, ListTablesInput, ListTablesOutput, TableStatus, UpdateTable, UpdateTableInput, UpdateTableOutput,
};

use super::table_resource;
use crate::model::{Scope, Table, change};
use crate::{Tables, describe};

/// Names of one page, where the call does not say how many.
const NAMES_MAX: usize = 100;

impl Handle<DescribeTable> for Tables {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &DescribeTableInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(&self, call: &Call, input: DescribeTableInput) -> Result<DescribeTableOutput, Fault> {
        let desk = self.managed(&Scope::of(call), &input.table_name)?;
        Ok(DescribeTableOutput { table: Some(describe::table(&desk, &desk.sight())) })
    }
}

impl Handle<UpdateTable> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &UpdateTableInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(&self, call: &Call, input: UpdateTableInput) -> Result<UpdateTableOutput, Fault> {
        let desk = self.managed(&Scope::of(call), &input.table_name)?;
        let apply = |table: &mut Table| {
            // Now, while nobody writes: what was committed before is all that the old stream gets.
            let moment = change::Moment { now_ms: self.now_ms(), commit: self.commit(), label: self.label() };
            change::apply(table, &input, &moment)
        };
        let (sight, ()) = self.change(&desk, apply).await?;
        let description = describe::table(&desk, &sight);
        self.resume(&desk);
        Ok(UpdateTableOutput { table_description: Some(description) })
    }
}

impl Handle<DeleteTable> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeleteTableInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(&self, call: &Call, input: DeleteTableInput) -> Result<DeleteTableOutput, Fault> {
        let desk = self.managed(&Scope::of(call), &input.table_name)?;
        let sight = self.unmake(&desk).await?;
        let description = describe::table(&desk, &sight);
        let deleting = wire::dynamodb::TableDescription { table_status: Some(TableStatus::Deleting), ..description };
        Ok(DeleteTableOutput { table_description: Some(deleting) })
    }
}

impl Handle<ListTables> for Tables {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, _input: &ListTablesInput) -> Arn {
        table_resource(call, "*")
    }

    async fn handle(&self, call: &Call, input: ListTablesInput) -> Result<ListTablesOutput, Fault> {
        let limit = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(NAMES_MAX);
        let after = input.exclusive_start_table_name.as_deref();
        let desks = self.desks.list(&Scope::of(call), after, limit + 1);
        let mut names: Vec<String> = desks.iter().map(|desk| desk.sight().table.name.clone()).collect();
        let more = names.len() > limit;
        names.truncate(limit);
        let last = names.last().filter(|_| more).cloned();
        Ok(ListTablesOutput { table_names: Some(names), last_evaluated_table_name: last })
    }
}
