//! `AddPermission`: one statement more in the resource policy of a function, version or alias.
//!
//! Limits: 20 KB of policy.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{AddPermission, AddPermissionRequest, AddPermissionResponse};

use super::get_policy::{revision_of, touch};
use crate::model::permission::{Conditions, PrincipalForm, Statement};
use crate::name::{Qualifier, Reference, Scope};
use crate::store::{Place, Refusal};
use crate::{Functions, faults};

impl Handle<AddPermission> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &AddPermissionRequest) -> Arn {
        Self::arn(call, &input.function_name, input.qualifier.as_deref())
    }

    async fn handle(&self, call: &Call, input: AddPermissionRequest) -> Result<AddPermissionResponse, Fault> {
        let scope = &Scope::of(call);
        let reference = &Reference::parse_qualified(scope, &input.function_name, input.qualifier.as_deref())?;
        if reference.qualifier == Some(Qualifier::Latest) {
            return Err(faults::invalid("We currently do not support adding policies for $LATEST."));
        }
        let statement = &statement(&input)?;
        let wanted = input.revision_id.as_deref();
        let (place, qualifier) = (&Place::new(scope, &reference.name), reference.qualifier.as_ref());
        let arn = &scope.arn_of(reference);
        let committed = self
            .store
            .transact(|tx| async move {
                let revision =
                    revision_of(&tx, place, qualifier).await?.ok_or_else(|| faults::function_not_found(arn))?;
                if wanted.is_some_and(|wanted| wanted != revision.to_string()) {
                    return Err(Refusal::from(faults::policy_revision_mismatch()));
                }
                let mut policy = place.policy(&tx, qualifier).await?.unwrap_or_default();
                policy.add(statement.clone(), arn)?;
                place.put_policy(&tx, qualifier, &policy);
                touch(self, &tx, place, qualifier).await
            })
            .await;
        self.settle(scope, &reference.name, committed).await?;
        Ok(AddPermissionResponse { statement: Some(statement.to_json(arn).to_string()) })
    }
}

fn statement(input: &AddPermissionRequest) -> Result<Statement, Fault> {
    let sid_is_good = !input.statement_id.is_empty()
        && input.statement_id.len() <= 100
        && input.statement_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !sid_is_good {
        return Err(faults::validation(format!(
            "1 validation error detected: Value '{}' at 'statementId' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: ([a-zA-Z0-9-_]+)",
            input.statement_id
        )));
    }
    Ok(Statement {
        sid: input.statement_id.clone(),
        action: input.action.clone(),
        principal: PrincipalForm::parse(&input.principal)?,
        conditions: Conditions {
            source_arn: input.source_arn.clone(),
            source_account: input.source_account.clone(),
            principal_org_id: input.principal_org_id.clone(),
            event_source_token: input.event_source_token.clone(),
            function_url_auth_type: input.function_url_auth_type.as_ref().map(ToString::to_string),
            invoked_via_function_url: input.invoked_via_function_url,
        },
    })
}
