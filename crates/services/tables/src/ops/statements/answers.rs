//! What statements answer: the parts of items that they want, what is wrong in a batch's own words, and where the next page begins.

use aws_lc_rs::digest;
use contract::Fault;
use item::Item;
use item::expression::Clause;
use item::partiql::Place;
use serde_json::json;
use wire::document;
use wire::dynamodb::{
    AttributeValue, BatchStatementError, BatchStatementErrorCodeEnum as BatchCode, ConditionalCheckFailedException,
    DuplicateItemException,
};

use crate::Error;
use crate::values::{self, Attributes};

/// What a statement wants of an item, by the names that answers have for it.
pub(super) fn taken(item: Attributes, places: &[Place]) -> Result<Attributes, Error> {
    if places.is_empty() {
        return Ok(item);
    }
    let item: Item = values::read_item(item)?;
    let found = places.iter().filter_map(|place| Some((place.label(), place.of(&item)?.clone())));
    Ok(values::write_item(found.collect()))
}

pub(super) fn duplicate(fault: Fault) -> Fault {
    if fault.code == ConditionalCheckFailedException::CODE {
        return DuplicateItemException::new("Duplicate primary key exists in table").into();
    }
    fault
}

/// A refusal without the parameter of the expression that a statement has become: the caller has sent none.
pub(super) fn unexpressed(fault: Fault) -> Fault {
    let clauses = [Clause::Filter, Clause::KeyCondition, Clause::Condition, Clause::Update];
    let shorter = clauses.iter().find_map(|clause| fault.message.strip_prefix(&format!("Invalid {clause}: ")));
    match shorter.map(str::to_owned) {
        Some(message) => Fault { message, ..fault },
        None => fault,
    }
}

pub(super) fn batch_error(fault: Fault) -> BatchStatementError {
    let code = match fault.code.as_str() {
        "ValidationException" => BatchCode::ValidationError,
        "ResourceNotFoundException" => BatchCode::ResourceNotFound,
        "ConditionalCheckFailedException" => BatchCode::ConditionalCheckFailed,
        "DuplicateItemException" => BatchCode::DuplicateItem,
        "ProvisionedThroughputExceededException" => BatchCode::ProvisionedThroughputExceeded,
        "ItemCollectionSizeLimitExceededException" => BatchCode::ItemCollectionSizeLimitExceeded,
        "TransactionConflictException" => BatchCode::TransactionConflict,
        "AccessDeniedException" => BatchCode::AccessDenied,
        "ThrottlingException" => BatchCode::ThrottlingError,
        _ => BatchCode::InternalServerError,
    };
    // What is there, where the caller wanted to see it when a condition fails.
    let shown = fault.members.into_iter().find(|(name, _)| *name == "Item").map(|(_, item)| item);
    let whole = shown.and_then(|item| document::read(json!({ "Item": item })).ok());
    let item = whole.and_then(|(read, _): (ConditionalCheckFailedException, _)| read.item);
    BatchStatementError { code: Some(code), message: Some(fault.message), item }
}

/// What a token is bound to: the statement with its parameters.
pub(super) struct Binding([u8; 8]);

impl Binding {
    pub(super) fn of(text: &str, parameters: Option<&[AttributeValue]>) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&(text.len() as u64).to_be_bytes());
        context.update(text.as_bytes());
        for parameter in parameters.unwrap_or_default() {
            context.update(document::write(parameter).to_string().as_bytes());
        }
        Self(*context.finish().as_ref().first_chunk().expect("the sum is longer"))
    }

    /// Where the next page begins.
    pub(super) fn write(&self, last: Attributes) -> Result<String, Error> {
        let key = item::json::write_item(&values::read_item(last)?).to_string();
        Ok(hex::encode([&self.0[..], key.as_bytes()].concat()))
    }

    /// Where a page begins, as the answer before it said to this very statement.
    pub(super) fn read(&self, token: &str) -> Result<Attributes, Error> {
        let bytes = hex::decode(token).map_err(|_| invalid_token())?;
        let (binding, key) = bytes.split_at_checked(self.0.len()).ok_or_else(invalid_token)?;
        let key = serde_json::from_slice(key).map_err(|_| invalid_token())?;
        let key = item::json::read_item(&key).map_err(|_| invalid_token())?;
        match binding == self.0 {
            true => Ok(values::write_item(key)),
            false => Err(Error::Invalid("NextToken does not match request".to_owned())),
        }
    }
}

/// The refusal of a token that nobody was given.
pub(super) fn invalid_token() -> Error {
    Error::Invalid("Invalid NextToken".to_owned())
}
