//! Finding what a reference means, with the fault that AWS gives where there is nothing.

use contract::Fault;

use crate::faults;
use crate::model::{Function, Version};
use crate::name::{Qualifier, Reference, Scope};
use crate::store::{Place, Read, Refusal};

/// A version that a reference led to.
pub(crate) struct Found {
    pub(crate) function: Function,
    /// None is `$LATEST`.
    pub(crate) number: Option<u64>,
    pub(crate) version: Version,
}

/// The version that the qualifier means; `$LATEST` where there is none.
pub(crate) async fn find(read: &impl Read, scope: &Scope, reference: &Reference) -> Result<Found, Refusal> {
    let place = Place::new(scope, &reference.name);
    let missing = || faults::function_not_found(scope.arn_of(reference));
    let function = place.function(read).await?.ok_or_else(missing)?;
    let number = match reference.or_latest() {
        Qualifier::Latest => None,
        Qualifier::Version(number) => Some(number),
        Qualifier::Alias(alias) => match place.alias(read, &alias).await?.ok_or_else(missing)?.target.qualifier() {
            Qualifier::Version(number) => Some(number),
            Qualifier::Latest | Qualifier::Alias(_) => None,
        },
    };
    let version = match number {
        None => function.latest.clone(),
        Some(number) => place.version(read, number).await?.ok_or_else(missing)?,
    };
    Ok(Found { function, number, version })
}

/// The function itself.
pub(crate) async fn function(read: &impl Read, place: &Place<'_>) -> Result<Function, Refusal> {
    let function = place.function(read).await?;
    Ok(function.ok_or_else(|| faults::function_not_found(place.scope.arn(place.name)))?)
}

/// Refuses a revision that is not the current one.
pub(crate) fn check_revision(wanted: Option<&str>, current: &uuid::Uuid) -> Result<(), Fault> {
    match wanted {
        Some(wanted) if wanted != current.to_string() => Err(faults::revision_mismatch()),
        Some(_) | None => Ok(()),
    }
}
