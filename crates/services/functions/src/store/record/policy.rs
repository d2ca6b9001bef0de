//! A resource policy on disk.

use serde::{Deserialize, Serialize};
use store::Record;

use crate::model;
use crate::model::permission::{Conditions, PrincipalForm};

/// A resource policy.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Policy {
    statements: Vec<StatementFields>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StatementFields {
    sid: String,
    action: String,
    principal: PrincipalFields,
    source_arn: Option<String>,
    source_account: Option<String>,
    principal_org_id: Option<String>,
    event_source_token: Option<String>,
    function_url_auth_type: Option<String>,
    invoked_via_function_url: Option<bool>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PrincipalFields {
    Everybody,
    Service(String),
    Aws(String),
}

impl Record for Policy {
    const KIND: &'static str = "lambda-policy";
    const VERSION: u16 = 1;
}

impl From<&model::Policy> for Policy {
    fn from(policy: &model::Policy) -> Self {
        Self { statements: policy.statements.iter().map(StatementFields::from).collect() }
    }
}

impl From<Policy> for model::Policy {
    fn from(record: Policy) -> Self {
        Self { statements: record.statements.into_iter().map(model::Statement::from).collect() }
    }
}

impl From<&model::Statement> for StatementFields {
    fn from(statement: &model::Statement) -> Self {
        let conditions = statement.conditions.clone();
        Self {
            sid: statement.sid.clone(),
            action: statement.action.clone(),
            principal: match &statement.principal {
                PrincipalForm::Everybody => PrincipalFields::Everybody,
                PrincipalForm::Service(name) => PrincipalFields::Service(name.clone()),
                PrincipalForm::Aws(arn) => PrincipalFields::Aws(arn.clone()),
            },
            source_arn: conditions.source_arn,
            source_account: conditions.source_account,
            principal_org_id: conditions.principal_org_id,
            event_source_token: conditions.event_source_token,
            function_url_auth_type: conditions.function_url_auth_type,
            invoked_via_function_url: conditions.invoked_via_function_url,
        }
    }
}

impl From<StatementFields> for model::Statement {
    fn from(record: StatementFields) -> Self {
        Self {
            sid: record.sid,
            action: record.action,
            principal: match record.principal {
                PrincipalFields::Everybody => PrincipalForm::Everybody,
                PrincipalFields::Service(name) => PrincipalForm::Service(name),
                PrincipalFields::Aws(arn) => PrincipalForm::Aws(arn),
            },
            conditions: Conditions {
                source_arn: record.source_arn,
                source_account: record.source_account,
                principal_org_id: record.principal_org_id,
                event_source_token: record.event_source_token,
                function_url_auth_type: record.function_url_auth_type,
                invoked_via_function_url: record.invoked_via_function_url,
            },
        }
    }
}
