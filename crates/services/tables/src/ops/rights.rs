//! What calls that touch several tables may do. Each table is asked about by itself, by the actions that AWS has for what is done to it:
//! so a denial of one of them counts, and who may use exactly these tables is let through.
//!
//! The operations that ask here are let through by the road, which can ask about one resource only.

use std::collections::BTreeSet;

use contract::{Arn, Call, Fault};
use item::partiql::Statement;
use policy::Context;
use wire::dynamodb::TransactWriteItem;

use super::{table_resource, view_resource};
use crate::Tables;

/// What is wanted: actions, each with the resource that it is done to.
#[derive(Debug, Default)]
pub(super) struct Rights(BTreeSet<(&'static str, String)>);

impl Rights {
    /// One action on each of the tables.
    pub(super) fn on_tables<'a>(call: &Call, action: &'static str, tables: impl Iterator<Item = &'a str>) -> Self {
        Self(tables.map(|table| (action, table_resource(call, table).to_string())).collect())
    }

    /// What the actions of a transaction are on their own.
    pub(super) fn of_transaction(call: &Call, actions: &[TransactWriteItem]) -> Self {
        let wanted = actions.iter().flat_map(|action| {
            [
                action.condition_check.as_ref().map(|given| ("dynamodb:ConditionCheckItem", &given.table_name)),
                action.put.as_ref().map(|given| ("dynamodb:PutItem", &given.table_name)),
                action.delete.as_ref().map(|given| ("dynamodb:DeleteItem", &given.table_name)),
                action.update.as_ref().map(|given| ("dynamodb:UpdateItem", &given.table_name)),
            ]
        });
        let resource = |(action, table): (&'static str, &String)| (action, table_resource(call, table).to_string());
        Self(wanted.flatten().map(resource).collect())
    }

    /// What a statement is.
    pub(super) fn of_statement(call: &Call, statement: &Statement) -> Self {
        let (action, index) = match statement {
            Statement::Select(select) | Statement::Exists(select) => {
                ("dynamodb:PartiQLSelect", select.index.as_deref())
            }
            Statement::Insert { .. } => ("dynamodb:PartiQLInsert", None),
            Statement::Update { .. } => ("dynamodb:PartiQLUpdate", None),
            Statement::Delete { .. } => ("dynamodb:PartiQLDelete", None),
        };
        Self(BTreeSet::from([(action, view_resource(call, statement.table(), index).to_string())]))
    }

    pub(super) fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }
}

impl Tables {
    /// Refuses a call that may not do all of them.
    pub(super) async fn check_rights(&self, call: &Call, rights: Rights) -> Result<(), Fault> {
        for (action, resource) in rights.0 {
            let resource = Arn::parse(&resource).unwrap_or_else(Arn::any);
            self.dispatch.authorise("dynamodb", call, &[action], &resource, Context::new()).await?;
        }
        Ok(())
    }
}
