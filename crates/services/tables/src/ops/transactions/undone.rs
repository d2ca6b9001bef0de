//! Why a transaction was not done, and what is said of each of its actions.

use contract::Fault;
use wire::dynamodb::{
    CancellationReason, IdempotentParameterMismatchException, TransactionCanceledException,
    TransactionConflictException,
};

use super::actions::Action;
use crate::Error;
use crate::values::{self, Attributes};
use crate::write::Unwritten;

const ONGOING: &str = "Transaction is ongoing for the item";

/// Why a transaction was not done.
pub(super) enum Undone {
    Cancelled(Vec<CancellationReason>),
    /// Others changed what it had read, however often it was tried.
    Conflict,
    Mismatch,
    Error(Error),
}

impl From<::store::Error> for Undone {
    fn from(error: ::store::Error) -> Self {
        match error {
            ::store::Error::Contended { .. } => Self::Conflict,
            other => Self::Error(other.into()),
        }
    }
}

impl From<Error> for Undone {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Undone> for Fault {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Error(error) => error.into(),
            Undone::Conflict => TransactionConflictException::new(ONGOING).into(),
            Undone::Mismatch => IdempotentParameterMismatchException::default().into(),
            Undone::Cancelled(reasons) => {
                let codes: Vec<&str> = reasons.iter().filter_map(|reason| reason.code.as_deref()).collect();
                let message = format!(
                    "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
                    codes.join(", ")
                );
                let exception =
                    TransactionCanceledException { message: Some(message), cancellation_reasons: Some(reasons) };
                exception.into()
            }
        }
    }
}

pub(super) fn nothing_wrong() -> CancellationReason {
    CancellationReason { code: Some("None".to_owned()), ..Default::default() }
}

/// Goes on with all of them, or says of each what is the matter with it.
pub(super) fn all_or_reasons<T>(each: Vec<Result<T, Error>>) -> Result<Vec<T>, Undone> {
    if each.iter().all(Result::is_ok) {
        return Ok(each.into_iter().flatten().collect());
    }
    let reason = |one: Result<T, Error>| one.map_or_else(error_reason, |_| Ok(nothing_wrong()));
    Err(Undone::Cancelled(each.into_iter().map(reason).collect::<Result<_, _>>()?))
}

/// What is said of an action that is refused; an error where the whole call is.
fn error_reason(error: Error) -> Result<CancellationReason, Error> {
    match error {
        Error::Invalid(why) => Ok(told("ValidationError", why, None)),
        Error::Exceeded(why) => Ok(told("ProvisionedThroughputExceeded", why, None)),
        other => Err(other),
    }
}

/// Others were faster each time. Which of the items they changed is not known, so it is said of all of them.
pub(super) fn conflicting(actions: usize) -> Undone {
    Undone::Cancelled(vec![told("TransactionConflict", ONGOING.to_owned(), None); actions])
}

fn told(code: &str, message: String, item: Option<Attributes>) -> CancellationReason {
    CancellationReason { item, code: Some(code.to_owned()), message: Some(message) }
}

pub(super) fn reason(action: &Action, unwritten: Unwritten) -> Result<CancellationReason, Error> {
    match unwritten {
        Unwritten::Condition(there) => {
            let shown = there.filter(|_| action.shows);
            let item = shown.map(|there| Ok::<_, Error>(values::write_packed(&there.packed()?)?)).transpose()?;
            Ok(told("ConditionalCheckFailed", "The conditional request failed".to_owned(), item))
        }
        Unwritten::Error(error) => error_reason(error),
    }
}
