//! What calls ask, in either of the two ways in which they can: by expressions, or by the parameters that came before those.

use std::collections::BTreeMap;

use item::legacy::{self, ActionKind, AttributeUpdate, Comparison, Expected, Join, Operator};
use wire::dynamodb::{
    AttributeAction, AttributeValue, AttributeValueUpdate, ComparisonOperator, ConditionalOperator,
    ExpectedAttributeValue,
};

use crate::Error;
use crate::model::Keys;
use crate::question::{Change, Condition, Projection, Questions};
use crate::values::{self, Attributes};

/// What a write asks of the item that is there.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) expression: Option<&'a str>,
    pub(super) names: Option<BTreeMap<String, String>>,
    pub(super) values: Option<Attributes>,
    pub(super) expected: Option<BTreeMap<String, ExpectedAttributeValue>>,
    pub(super) operator: Option<ConditionalOperator>,
}

impl Asked<'_> {
    /// The condition of a put or a delete.
    pub(super) fn condition(self, keys: &Keys) -> Result<Option<Condition>, Error> {
        legacy::check_worlds(
            &[
                ("ExpressionAttributeNames", self.names.is_some()),
                ("ExpressionAttributeValues", self.values.is_some()),
                ("ConditionExpression", self.expression.is_some()),
            ],
            &[("Expected", self.expected.is_some()), ("ConditionalOperator", self.operator.is_some())],
        )?;
        if let Some(expected) = self.expected {
            return self::expected(expected, self.operator.as_ref());
        }
        if self.expression.is_none() {
            check_alone(self.names.is_some(), self.values.is_some(), "ConditionExpression is null")?;
        }
        let mut questions = Questions::new(self.names, self.values)?;
        let condition = questions.condition(self.expression, keys)?;
        questions.done()?;
        Ok(condition)
    }

    /// What an update does, and its condition.
    pub(super) fn update(
        self,
        update: Option<&str>,
        updates: Option<BTreeMap<String, AttributeValueUpdate>>,
        keys: &Keys,
    ) -> Result<(Change, Option<Condition>), Error> {
        legacy::check_worlds(
            &[
                ("ExpressionAttributeNames", self.names.is_some()),
                ("ExpressionAttributeValues", self.values.is_some()),
                ("UpdateExpression", update.is_some()),
                ("ConditionExpression", self.expression.is_some()),
            ],
            &[
                ("AttributeUpdates", updates.is_some()),
                ("Expected", self.expected.is_some()),
                ("ConditionalOperator", self.operator.is_some()),
            ],
        )?;
        if update.is_none() && self.expression.is_none() {
            let nothing = "UpdateExpression and ConditionExpression are null";
            check_alone(self.names.is_some(), self.values.is_some(), nothing)?;
            let condition = match self.expected {
                Some(expected) => self::expected(expected, self.operator.as_ref())?,
                None => None,
            };
            return Ok((self::updates(updates.unwrap_or_default(), keys)?, condition));
        }
        let mut questions = Questions::new(self.names, self.values)?;
        let change = match update {
            Some(update) => questions.update(update, keys)?,
            None => self::updates(BTreeMap::new(), keys)?,
        };
        let condition = questions.condition(self.expression, keys)?;
        questions.done()?;
        Ok((change, condition))
    }
}

/// Refuses names and values that nothing could use.
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

/// What a read wants of each item.
pub(super) fn projection(
    expression: Option<&str>,
    names: Option<BTreeMap<String, String>>,
    attributes: Option<Vec<String>>,
) -> Result<Option<Projection>, Error> {
    legacy::check_worlds(
        &[("ExpressionAttributeNames", names.is_some()), ("ProjectionExpression", expression.is_some())],
        &[("AttributesToGet", attributes.is_some())],
    )?;
    if let Some(attributes) = attributes {
        return Ok(Some(Projection(legacy::attributes_to_get(&attributes)?)));
    }
    if expression.is_none() {
        check_alone(names.is_some(), false, "")?;
        return Ok(None);
    }
    let mut questions = Questions::new(names, None)?;
    let projection = questions.projection(expression)?;
    questions.done()?;
    Ok(projection)
}

fn join(operator: Option<&ConditionalOperator>) -> Option<Join> {
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

fn updates(given: BTreeMap<String, AttributeValueUpdate>, keys: &Keys) -> Result<Change, Error> {
    let read = |(name, given): (String, AttributeValueUpdate)| {
        let action = match given.action {
            None | Some(AttributeAction::Put | AttributeAction::Other(_)) => ActionKind::Put,
            Some(AttributeAction::Add) => ActionKind::Add,
            Some(AttributeAction::Delete) => ActionKind::Delete,
        };
        Ok((name, AttributeUpdate { action, value: given.value.map(values::read).transpose()? }))
    };
    let updates: BTreeMap<String, AttributeUpdate> = given.into_iter().map(read).collect::<Result<_, Error>>()?;
    let update = legacy::updates(updates)?;
    let names: Vec<&str> = keys.each().map(|key| key.name.as_str()).collect();
    update.check_keys(&names)?;
    Ok(Change(update))
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
