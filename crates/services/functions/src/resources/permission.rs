//! `AWS::Lambda::Permission`: one statement. Its physical id is the statement's; every change makes another one.

use contract::properties::{Field, Form, optional, read, required};
use contract::{Attributes, Change, Document, Naming, PropertyFault, ResourceType, Step};
use serde_json::{Value, json};
use wire::lambda as op;

use super::{GONE, step};

/// The type.
pub(super) struct Permission;

const FIELDS: &[Field] = &[
    required("Action", Form::Text),
    optional("EventSourceToken", Form::Text),
    required("FunctionName", Form::Text),
    optional("FunctionUrlAuthType", Form::Text),
    optional("InvokedViaFunctionUrl", Form::Flag),
    required("Principal", Form::Text),
    optional("PrincipalOrgID", Form::Text),
    optional("SourceAccount", Form::Text),
    optional("SourceArn", Form::Text),
];

const SID_LENGTH_MAX: usize = 100;

impl ResourceType for Permission {
    fn name(&self) -> &'static str {
        "AWS::Lambda::Permission"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        read(properties, FIELDS).map(|_| ())
    }

    fn physical_id(&self, _properties: &Document, naming: &Naming) -> Option<String> {
        Some(naming.physical(SID_LENGTH_MAX))
    }

    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        let mut input = read(properties, FIELDS)?;
        input.insert("StatementId".into(), naming.physical(SID_LENGTH_MAX).into());
        Ok(vec![step::<op::AddPermission>(Value::Object(input))])
    }

    fn update(
        &self,
        _physical_id: &str,
        _naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        match read(old, FIELDS)? == read(new, FIELDS)? {
            true => Ok(Change::InPlace(Vec::new())),
            false => Ok(Change::Replace),
        }
    }

    fn delete(&self, physical_id: &str, properties: &Document) -> Vec<Step> {
        // As it was read when the statement was added: templates may write a name as a number.
        let read = read(properties, FIELDS).unwrap_or_default();
        let input = json!({ "FunctionName": read.get("FunctionName"), "StatementId": physical_id });
        vec![step::<op::RemovePermission>(input).tolerating(GONE)]
    }

    fn read(&self, _physical_id: &str, _properties: &Document) -> Option<Step> {
        None
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, _answer: &Document) -> Attributes {
        Attributes { reference: physical_id.to_owned(), named: vec![("Id", physical_id.into())] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::testing::{changes, naming, operations};

    #[test]
    fn a_permission_is_a_statement_under_a_made_name() {
        let old =
            json!({ "Action": "lambda:InvokeFunction", "FunctionName": "greet", "Principal": "s3.amazonaws.com" });
        let steps = Permission.create(&old, &naming()).unwrap();
        assert_eq!(operations(&steps), ["AddPermission"]);
        assert_eq!(steps[0].input["StatementId"], "stack-Thing-abc123");
        let mut new = old.clone();
        new["SourceAccount"] = 123_456_789_012u64.into();
        assert_eq!(changes(&Permission.update("s", &naming(), &old, &old).unwrap()), Some(vec![]));
        assert_eq!(changes(&Permission.update("s", &naming(), &old, &new).unwrap()), None);
        let steps = Permission.delete("s", &old);
        assert_eq!(steps[0].input, json!({ "FunctionName": "greet", "StatementId": "s" }));
        assert_eq!(steps[0].tolerate, GONE);
        let number = json!({ "Action": "lambda:InvokeFunction", "FunctionName": 7, "Principal": "s3.amazonaws.com" });
        assert_eq!(Permission.delete("s", &number)[0].input["FunctionName"], "7");
    }
}
