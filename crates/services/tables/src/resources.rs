//! `AWS::DynamoDB::Table`, `AWS::DynamoDB::GlobalTable` and SAM's `AWS::Serverless::SimpleTable`, as maps from properties to operations.

mod global_table;
mod import;
mod simple_table;
mod table;

use std::sync::Arc;

use contract::{ResourceMacro, ResourceType};

/// The resource types of this service.
pub fn resource_types() -> Vec<Arc<dyn ResourceType>> {
    vec![Arc::new(table::Table), Arc::new(global_table::GlobalTable)]
}

/// The types that stand for others.
pub fn macros() -> Vec<Arc<dyn ResourceMacro>> {
    vec![Arc::new(simple_table::SimpleTable)]
}
