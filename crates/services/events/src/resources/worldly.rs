//! `AWS::Events::Connection` and `AWS::Events::ApiDestination`.

use contract::properties::{fault, known};
use contract::{Attributes, Change, Document, Naming, Operation, OperationId, PropertyFault, ResourceType, Step};
use serde_json::{Value, json};
use wire::events::{
    CreateApiDestination, CreateConnection, DeleteApiDestination, DeleteConnection, DescribeApiDestination,
    DescribeConnection, UpdateApiDestination, UpdateConnection,
};

use super::{GONE, copied, name_of, required};

const NAME_MAX: usize = 64;

/// An operation's input, from properties of the same names.
fn step(operation: OperationId, properties: &Document, name: &str, names: &[&str]) -> Step {
    let same: Vec<(&str, &str)> = names.iter().map(|name| (*name, *name)).collect();
    let mut input = copied(properties, &same);
    input.insert("Name".into(), name.into());
    Step::new(operation, Value::Object(input))
}

/// `AWS::Events::Connection`. The physical id is the name.
#[derive(Debug)]
pub(super) struct Connection;

const CONNECTION: &[&str] = &["Description", "AuthorizationType", "AuthParameters"];

impl ResourceType for Connection {
    fn name(&self) -> &'static str {
        "AWS::Events::Connection"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        known(
            properties,
            &[
                "Name",
                "Description",
                "AuthorizationType",
                "AuthParameters",
                "InvocationConnectivityParameters",
                "KmsKeyIdentifier",
            ],
        )?;
        if !properties["InvocationConnectivityParameters"].is_null() {
            return Err(fault("InvocationConnectivityParameters", "private endpoints are not served; leave it out"));
        }
        required(properties, &["AuthorizationType", "AuthParameters"])
    }

    fn physical_id(&self, properties: &Document, naming: &Naming) -> Option<String> {
        Some(name_of(properties, "Name", || naming.physical(NAME_MAX)))
    }

    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        self.check(properties)?;
        let name = name_of(properties, "Name", || naming.physical(NAME_MAX));
        Ok(vec![step(CreateConnection::ID, properties, &name, CONNECTION)])
    }

    fn update(
        &self,
        physical_id: &str,
        naming: &Naming,
        _old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        self.check(new)?;
        match self.physical_id(new, naming).as_deref() == Some(physical_id) {
            true => Ok(Change::InPlace(vec![step(UpdateConnection::ID, new, physical_id, CONNECTION)])),
            false => Ok(Change::Replace),
        }
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        vec![Step::new(DeleteConnection::ID, json!({ "Name": physical_id })).tolerating(GONE)]
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        Some(Step::new(DescribeConnection::ID, json!({ "Name": physical_id })))
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, answer: &Document) -> Attributes {
        let arn = &answer["ConnectionArn"];
        let named =
            vec![("Arn", arn.clone()), ("ArnForPolicy", arn.clone()), ("SecretArn", answer["SecretArn"].clone())];
        Attributes { reference: physical_id.to_owned(), named }
    }
}

/// `AWS::Events::ApiDestination`. The physical id is the name.
#[derive(Debug)]
pub(super) struct ApiDestination;

const DESTINATION: &[&str] =
    &["Description", "ConnectionArn", "InvocationEndpoint", "HttpMethod", "InvocationRateLimitPerSecond"];

impl ResourceType for ApiDestination {
    fn name(&self) -> &'static str {
        "AWS::Events::ApiDestination"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        let mut names = DESTINATION.to_vec();
        names.push("Name");
        known(properties, &names)?;
        required(properties, &["ConnectionArn", "InvocationEndpoint", "HttpMethod"])
    }

    fn physical_id(&self, properties: &Document, naming: &Naming) -> Option<String> {
        Some(name_of(properties, "Name", || naming.physical(NAME_MAX)))
    }

    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        self.check(properties)?;
        let name = name_of(properties, "Name", || naming.physical(NAME_MAX));
        Ok(vec![step(CreateApiDestination::ID, properties, &name, DESTINATION)])
    }

    fn update(
        &self,
        physical_id: &str,
        naming: &Naming,
        _old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        self.check(new)?;
        match self.physical_id(new, naming).as_deref() == Some(physical_id) {
            true => Ok(Change::InPlace(vec![step(UpdateApiDestination::ID, new, physical_id, DESTINATION)])),
            false => Ok(Change::Replace),
        }
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        vec![Step::new(DeleteApiDestination::ID, json!({ "Name": physical_id })).tolerating(GONE)]
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        Some(Step::new(DescribeApiDestination::ID, json!({ "Name": physical_id })))
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, answer: &Document) -> Attributes {
        let arn = &answer["ApiDestinationArn"];
        let named = vec![("Arn", arn.clone()), ("ArnForPolicy", arn.clone())];
        Attributes { reference: physical_id.to_owned(), named }
    }
}
