//! `DeleteFunction`: the function with all that belongs to it, or one published version.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{DeleteFunction, DeleteFunctionRequest, DeleteFunctionResponse};

use super::lookup;
use crate::name::{Qualifier, Reference, Scope};
use crate::store::{Place, Refusal};
use crate::{Functions, faults};

impl Handle<DeleteFunction> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeleteFunctionRequest) -> Arn {
        Self::arn(call, &input.function_name, input.qualifier.as_deref())
    }

    async fn handle(&self, call: &Call, input: DeleteFunctionRequest) -> Result<DeleteFunctionResponse, Fault> {
        let scope = &Scope::of(call);
        let reference = Reference::parse_qualified(scope, &input.function_name, input.qualifier.as_deref())?;
        let name = &reference.name;
        let place = &Place::new(scope, name);
        let number = match reference.qualifier {
            None => None,
            Some(Qualifier::Version(number)) => Some(number),
            Some(Qualifier::Latest) => {
                return Err(faults::invalid("$LATEST version cannot be deleted without deleting the function."));
            }
            Some(Qualifier::Alias(_)) => {
                return Err(faults::invalid("Deletion of aliases is not currently supported."));
            }
        };
        let committed = self
            .store
            .transact(|tx| async move {
                let function = lookup::function(&tx, place).await?;
                let Some(number) = number else {
                    place.delete(&tx, &self.blobs, &function).await?;
                    return Ok::<_, Refusal>(());
                };
                let aliases = place.aliases(&tx).await?;
                let users: Vec<&str> = aliases
                    .iter()
                    .filter(|(_, alias)| alias.points_at(number))
                    .map(|(name, _)| name.as_str())
                    .collect();
                if !users.is_empty() {
                    return Err(faults::conflict(format!(
                        "Unable to delete version because the following aliases reference it: [{}]",
                        users.join(", ")
                    ))
                    .into());
                }
                // A version that is not there is deleted already.
                if let Some(version) = place.version(&tx, number).await? {
                    place.delete_version(&tx, &self.blobs, number, &version);
                }
                Ok(())
            })
            .await;
        self.settle(scope, name, committed).await?;
        Ok(DeleteFunctionResponse { status_code: Some(204) })
    }
}
