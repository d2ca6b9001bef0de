//! What calls that touch several tables may do. Each table is asked about by itself, by the actions that AWS has for what is done to it:
//! so a denial of one of them counts, and who may use exactly these tables is let through.
//!
//! The operations that ask here are let through by the road, which can ask about one resource only.

use std::collections::BTreeMap;

use contract::{Arn, Call, Fault};
use item::partiql::Statement;
use wire::Shape;
use wire::dynamodb::TransactWriteItem;

use super::{table_resource, view_resource};
use crate::Tables;

/// An action, and the resource that it is done to.
#[derive(Clone, Debug)]
pub(super) struct Right {
    pub(super) action: &'static str,
    pub(super) resource: Arn,
}

impl Right {
    /// What an action of a transaction is on its own. One that is malformed may be several.
    pub(super) fn of_action(call: &Call, action: &TransactWriteItem) -> Vec<Self> {
        let wanted = [
            action.condition_check.as_ref().map(|given| ("dynamodb:ConditionCheckItem", &given.table_name)),
            action.put.as_ref().map(|given| ("dynamodb:PutItem", &given.table_name)),
            action.delete.as_ref().map(|given| ("dynamodb:DeleteItem", &given.table_name)),
            action.update.as_ref().map(|given| ("dynamodb:UpdateItem", &given.table_name)),
        ];
        let right = |(action, table): (_, &String)| Self { action, resource: table_resource(call, table) };
        wanted.into_iter().flatten().map(right).collect()
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
        Self { action, resource: view_resource(call, statement.table(), index) }
    }
}

/// What is wanted, each once.
#[derive(Debug, Default)]
pub(super) struct Rights(BTreeMap<(&'static str, String), Arn>);

impl Extend<Right> for Rights {
    fn extend<T: IntoIterator<Item = Right>>(&mut self, rights: T) {
        let entry = |Right { action, resource }: Right| ((action, resource.to_string()), resource);
        self.0.extend(rights.into_iter().map(entry));
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<T: IntoIterator<Item = Right>>(rights: T) -> Self {
        let mut all = Self::default();
        all.extend(rights);
        all
    }
}

impl Rights {
    /// One action on each of the tables.
    pub(super) fn on_tables<'a>(call: &Call, action: &'static str, tables: impl Iterator<Item = &'a str>) -> Self {
        tables.map(|table| Right { action, resource: table_resource(call, table) }).collect()
    }
}

impl Tables {
    /// Refuses a call that may not do all of them. What the call is given says what is done to each.
    pub(super) async fn check_rights(&self, call: &Call, rights: Rights, input: &dyn Shape) -> Result<(), Fault> {
        for ((action, _), resource) in rights.0 {
            // Where a policy asks for particulars the whole input is read for each: others have their turn between.
            tokio::task::yield_now().await;
            self.dispatch.authorise_part("dynamodb", call, &[action], &resource, input).await?;
        }
        Ok(())
    }
}
