//! The CloudFormation types that belong to this service, as maps from properties to operations, and the SAM type that stands for
//! several of them. No work is done here: the engine of stacks calls the operations, as anybody could.

mod alias;
mod event_invoke_config;
mod events;
mod function;
mod layer;
mod mapping;
mod permission;
mod provision;
mod serverless;
#[cfg(test)]
mod testing;
mod url;
mod version;

use std::sync::Arc;

use contract::{AccountId, Document, Naming, Operation, Region, ResourceMacro, ResourceType, Step};

use crate::name::{Reference, Scope};

/// `AWS::Lambda::*`.
pub fn types() -> Vec<Arc<dyn ResourceType>> {
    vec![
        Arc::new(function::Function),
        Arc::new(url::Url),
        Arc::new(permission::Permission),
        Arc::new(version::Version),
        Arc::new(alias::Alias),
        Arc::new(event_invoke_config::EventInvokeConfig),
        Arc::new(mapping::Mapping),
        Arc::new(layer::LayerVersion),
        Arc::new(layer::LayerVersionPermission),
    ]
}

/// `AWS::Serverless::Function` and `AWS::Serverless::LayerVersion`.
pub fn macros() -> Vec<Arc<dyn ResourceMacro>> {
    vec![Arc::new(serverless::Function), Arc::new(layer::ServerlessLayer)]
}

/// A call of one of our own operations.
fn step<Op: Operation>(input: Document) -> Step {
    Step::new(Op::ID, input)
}

/// What deleting tolerates.
const GONE: &[&str] = &["ResourceNotFoundException"];

/// A text member of an answer.
fn text_at(answer: &Document, pointer: &str) -> String {
    answer.pointer(pointer).and_then(Document::as_str).unwrap_or_default().to_owned()
}

/// The ARN of what a template names by `name` and perhaps `qualifier`; none if it cannot be in the stack's account and region, which
/// the operation then tells in its own words.
fn arn_of(naming: &Naming, name: &str, qualifier: Option<&str>) -> Option<String> {
    let scope = Scope { account: AccountId::parse(&naming.account)?, region: Region::parse(&naming.region)? };
    let reference = Reference::parse_qualified(&scope, name, qualifier).ok()?;
    Some(scope.arn_of(&reference))
}
