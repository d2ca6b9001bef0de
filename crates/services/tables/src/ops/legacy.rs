//! What calls ask, in either of the two ways in which they can: by expressions, or by the parameters that came before those.

use std::collections::BTreeMap;

use item::legacy::{self, ActionKind, AttributeUpdate, Comparison, Expected, Join, Operator};
use wire::dynamodb::{
    AttributeAction, AttributeValue, AttributeValueUpdate, ComparisonOperator, ConditionalOperator, DeleteItemInput,
    ExpectedAttributeValue, PutItemInput, UpdateItemInput,
};

use crate::Error;
use crate::question::{Change, Condition, Projection, Questions};
use crate::values::{self, Attributes};

/// What a write of one item asks and changes, as it was sent. It is read before the table is looked for.
#[derive(Debug)]
pub(super) struct Asked {
    names: Option<BTreeMap<String, String>>,
    values: Option<Attributes>,
    condition: Option<String>,
    update: Option<String>,
    expected: Option<BTreeMap<String, ExpectedAttributeValue>>,
    operator: Option<ConditionalOperator>,
    updates: Option<BTreeMap<String, AttributeValueUpdate>>,
}

impl Asked {
    /// What a put asks; the rest of the input is left as it is.
    pub(super) fn of_put(input: &mut PutItemInput) -> Result<Self, Error> {
        let asked = Self {
            names: input.expression_attribute_names.take(),
            values: input.expression_attribute_values.take(),
            condition: input.condition_expression.take(),
            update: None,
            expected: input.expected.take(),
            operator: input.conditional_operator.take(),
            updates: None,
        };
        asked.checked("ConditionExpression is null")
    }

    /// What a delete asks.
    pub(super) fn of_delete(input: &mut DeleteItemInput) -> Result<Self, Error> {
        let asked = Self {
            names: input.expression_attribute_names.take(),
            values: input.expression_attribute_values.take(),
            condition: input.condition_expression.take(),
            update: None,
            expected: input.expected.take(),
            operator: input.conditional_operator.take(),
            updates: None,
        };
        asked.checked("ConditionExpression is null")
    }

    /// What an update asks and changes.
    pub(super) fn of_update(input: &mut UpdateItemInput) -> Result<Self, Error> {
        let asked = Self {
            names: input.expression_attribute_names.take(),
            values: input.expression_attribute_values.take(),
            condition: input.condition_expression.take(),
            update: input.update_expression.take(),
            expected: input.expected.take(),
            operator: input.conditional_operator.take(),
            updates: input.attribute_updates.take(),
        };
        asked.checked("UpdateExpression and ConditionExpression are null")
    }

    /// Refuses what does not belong together; `missing` says which expressions there could be.
    fn checked(self, missing: &str) -> Result<Self, Error> {
        legacy::check_worlds(
            &[("UpdateExpression", self.update.is_some()), ("ConditionExpression", self.condition.is_some())],
            &[
                ("AttributeUpdates", self.updates.is_some()),
                ("Expected", self.expected.is_some()),
                ("ConditionalOperator", self.operator.is_some()),
            ],
        )?;
        if self.update.is_none() && self.condition.is_none() {
            check_alone(self.names.is_some(), self.values.is_some(), missing)?;
        }
        legacy::check_join(self.expected.as_ref().map_or(0, BTreeMap::len), join(self.operator.as_ref()))?;
        Ok(self)
    }

    /// The condition.
    pub(super) fn condition(self) -> Result<Option<Condition>, Error> {
        Ok(self.read()?.1)
    }

    /// What an update does, and its condition.
    pub(super) fn update(mut self) -> Result<(Change, Option<Condition>), Error> {
        // Without an expression the older parameter says what changes, or nothing does.
        let old = match &self.update {
            None => Some(self::updates(self.updates.take().unwrap_or_default())?),
            Some(_) => None,
        };
        let (change, condition) = self.read()?;
        Ok((change.or(old).ok_or(Error::Internal)?, condition))
    }

    fn read(self) -> Result<(Option<Change>, Option<Condition>), Error> {
        if let Some(expected) = self.expected {
            return Ok((None, self::expected(expected, self.operator.as_ref())?));
        }
        let mut questions = Questions::new(self.names, self.values)?;
        let change = self.update.map(|update| questions.update(&update)).transpose()?;
        let condition = questions.condition(self.condition.as_deref())?;
        questions.done()?;
        Ok((change, condition))
    }
}

/// Refuses names and values that nothing could use; `missing` says which expressions are not there.
pub(super) fn check_alone(names: bool, values: bool, missing: &str) -> Result<(), Error> {
    if names {
        return Err(Error::Invalid("ExpressionAttributeNames can only be specified when using expressions".to_owned()));
    }
    if values {
        return Err(Error::Invalid(format!(
            "ExpressionAttributeValues can only be specified when using expressions: {missing}"
        )));
    }
    Ok(())
}

/// What a read wants of each item, before the table is looked for.
pub(super) fn projection(
    expression: Option<&str>,
    names: Option<BTreeMap<String, String>>,
    attributes: Option<Vec<String>>,
) -> Result<Option<Projection>, Error> {
    legacy::check_worlds(
        &[("ProjectionExpression", expression.is_some())],
        &[("AttributesToGet", attributes.is_some())],
    )?;
    if expression.is_none() {
        check_alone(names.is_some(), false, "")?;
        let named = attributes.map(|attributes| legacy::attributes_to_get(&attributes)).transpose()?;
        return Ok(named.map(Projection));
    }
    let mut questions = Questions::new(names, None)?;
    let projection = questions.projection(expression)?;
    questions.done()?;
    Ok(projection)
}

/// The operator between conditions.
pub(super) fn join(operator: Option<&ConditionalOperator>) -> Option<Join> {
    match operator? {
        ConditionalOperator::And | ConditionalOperator::Other(_) => Some(Join::And),
        ConditionalOperator::Or => Some(Join::Or),
    }
}

fn operator(given: &ComparisonOperator) -> Result<Operator, Error> {
    Operator::from_name(given.as_str())
        .ok_or_else(|| Error::Invalid(format!("Unsupported ComparisonOperator: {given}")))
}

fn read_values(given: Option<Vec<AttributeValue>>) -> Result<Vec<item::Value>, Error> {
    given.unwrap_or_default().into_iter().map(|value| Ok(values::read(value)?)).collect()
}

fn expected(
    given: BTreeMap<String, ExpectedAttributeValue>,
    operator: Option<&ConditionalOperator>,
) -> Result<Option<Condition>, Error> {
    let read = |(name, given): (String, ExpectedAttributeValue)| {
        let expected = Expected {
            exists: given.exists,
            value: given.value.map(values::read).transpose()?,
            operator: given.comparison_operator.as_ref().map(self::operator).transpose()?,
            values: given.attribute_value_list.map(|list| read_values(Some(list))).transpose()?,
        };
        Ok((name, expected))
    };
    let conditions: BTreeMap<String, Expected> = given.into_iter().map(read).collect::<Result<_, Error>>()?;
    if conditions.is_empty() {
        return Ok(None);
    }
    Ok(Some(Condition(legacy::expected(conditions, join(operator))?)))
}

fn updates(given: BTreeMap<String, AttributeValueUpdate>) -> Result<Change, Error> {
    let read = |(name, given): (String, AttributeValueUpdate)| {
        let action = match given.action {
            None | Some(AttributeAction::Put | AttributeAction::Other(_)) => ActionKind::Put,
            Some(AttributeAction::Add) => ActionKind::Add,
            Some(AttributeAction::Delete) => ActionKind::Delete,
        };
        Ok((name, AttributeUpdate { action, value: given.value.map(values::read).transpose()? }))
    };
    let updates: BTreeMap<String, AttributeUpdate> = given.into_iter().map(read).collect::<Result<_, Error>>()?;
    Ok(Change(legacy::updates(updates)?))
}

/// The comparisons of a filter or of key conditions.
pub(super) fn comparisons(
    given: BTreeMap<String, wire::dynamodb::Condition>,
) -> Result<BTreeMap<String, Comparison>, Error> {
    let read = |(name, given): (String, wire::dynamodb::Condition)| {
        let values = read_values(given.attribute_value_list)?;
        Ok((name, Comparison { operator: operator(&given.comparison_operator)?, values }))
    };
    given.into_iter().map(read).collect()
}

/// `QueryFilter` or `ScanFilter`.
pub(super) fn filter(
    given: BTreeMap<String, wire::dynamodb::Condition>,
    operator: Option<&ConditionalOperator>,
) -> Result<Option<Condition>, Error> {
    let conditions = comparisons(given)?;
    if conditions.is_empty() {
        return Ok(None);
    }
    Ok(Some(Condition(legacy::filter(conditions, join(operator))?)))
}
