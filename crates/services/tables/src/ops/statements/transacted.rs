//! Statements of a transaction, as the actions of `TransactWriteItems` and `TransactGetItems` that do the same.

use item::partiql::{Phrases, Place, Plan, Select, Statement, Wrong};
use wire::dynamodb::{
    ConditionCheck, Delete, Get, Put, ReturnValuesOnConditionCheckFailure, TransactGetItem, TransactWriteItem, Update,
};

use super::{Held, Meant, meant, placeholders, range_name};
use crate::model::Scope;
use crate::values;
use crate::{Error, Tables};

impl Tables {
    /// A read of a transaction, and what of the item is wanted.
    pub(super) fn transact_read(&self, scope: &Scope, select: Select) -> Result<(TransactGetItem, Vec<Place>), Error> {
        if select.index.is_some() {
            return Err(Error::Invalid("Reads on indices are not supported within transactions.".to_owned()));
        }
        let keys = self.keys(scope, &select.table)?;
        let plan = Plan::new(select.condition.as_ref(), &keys.hash.name, range_name(&keys));
        // A read of a transaction has no filter, so whatever the key does not say would go unheard.
        let key = plan.key(range_name(&keys)).ok().filter(|_| plan.rest(&mut Phrases::default()).is_none());
        let key = key.ok_or_else(|| {
            let why = "Select statements within ExecuteTransaction must specify the primary key in the where clause.";
            Error::Invalid(why.to_owned())
        })?;
        let get = Get { key: values::write_item(key), table_name: select.table, ..Default::default() };
        Ok((TransactGetItem { get }, select.places))
    }

    /// A write or a condition of a transaction.
    pub(super) fn transact_write(
        &self,
        scope: &Scope,
        statement: Statement,
        on_failure: Option<ReturnValuesOnConditionCheckFailure>,
    ) -> Result<TransactWriteItem, Error> {
        let keys = self.keys(scope, statement.table())?;
        match statement {
            Statement::Update { returning: Some(_), .. } | Statement::Delete { returning: Some(_), .. } => {
                Err(Error::Invalid("RETURNING clause is not supported in ExecuteTransaction.".to_owned()))
            }
            Statement::Insert { table, item } => {
                let mut phrases = Phrases::default();
                let condition = format!("attribute_not_exists({})", phrases.name(&keys.hash.name));
                let put = Put {
                    item: values::write_item(item),
                    table_name: table,
                    condition_expression: Some(condition),
                    expression_attribute_names: placeholders(phrases).0,
                    return_values_on_condition_check_failure: on_failure,
                    ..Default::default()
                };
                Ok(TransactWriteItem { put: Some(put), ..Default::default() })
            }
            Statement::Update { table, changes, condition, returning: None } => {
                let Meant { key, condition, mut phrases } = meant(&condition, &keys, Held::Needed)?;
                let update_expression = phrases.update(&changes);
                let (names, values) = placeholders(phrases);
                let update = Update {
                    key,
                    update_expression,
                    table_name: table,
                    condition_expression: condition,
                    expression_attribute_names: names,
                    expression_attribute_values: values,
                    return_values_on_condition_check_failure: on_failure,
                };
                Ok(TransactWriteItem { update: Some(update), ..Default::default() })
            }
            Statement::Delete { table, condition, returning: None } => {
                let Meant { key, condition, phrases } = meant(&condition, &keys, Held::Either)?;
                let (names, values) = placeholders(phrases);
                let delete = Delete {
                    key,
                    table_name: table,
                    condition_expression: condition,
                    expression_attribute_names: names,
                    expression_attribute_values: values,
                    return_values_on_condition_check_failure: on_failure,
                };
                Ok(TransactWriteItem { delete: Some(delete), ..Default::default() })
            }
            Statement::Exists(select) | Statement::Select(select) => {
                let condition = select.condition.ok_or(Wrong::NoKey)?;
                let Meant { key, condition, phrases } = meant(&condition, &keys, Held::Needed)?;
                let (names, values) = placeholders(phrases);
                let check = ConditionCheck {
                    key,
                    table_name: select.table,
                    condition_expression: condition.unwrap_or_default(),
                    expression_attribute_names: names,
                    expression_attribute_values: values,
                    return_values_on_condition_check_failure: on_failure,
                };
                Ok(TransactWriteItem { condition_check: Some(check), ..Default::default() })
            }
        }
    }
}
