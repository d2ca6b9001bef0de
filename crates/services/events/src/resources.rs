//! The resource types of this service, as maps from properties to operations. Most properties have the names and forms of the
//! operations' own members, and go through as they are.

mod bus;
mod rule;
mod worldly;

use std::sync::Arc;

use contract::properties::{fault, is_unresolved};
use contract::{Document, PropertyFault, ResourceType};
use serde_json::{Map, Value, json};

/// The resource types of this service.
pub fn resource_types() -> Vec<Arc<dyn ResourceType>> {
    vec![
        Arc::new(rule::Rule),
        Arc::new(bus::EventBus),
        Arc::new(bus::EventBusPolicy),
        Arc::new(bus::Archive),
        Arc::new(worldly::Connection),
        Arc::new(worldly::ApiDestination),
    ]
}

const GONE: &[&str] = &["ResourceNotFoundException"];

/// These properties, where they are there, under the names of an operation's members.
fn copied(properties: &Document, names: &[(&str, &str)]) -> Map<String, Value> {
    let there = names.iter().filter(|(property, _)| !properties[*property].is_null());
    there.map(|(property, member)| ((*member).to_owned(), properties[*property].clone())).collect()
}

/// A property that is an object in templates and text in operations.
fn as_text(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(_) => Some(value.clone()),
        other => Some(other.to_string().into()),
    }
}

fn required(properties: &Document, names: &[&str]) -> Result<(), PropertyFault> {
    match names.iter().find(|name| properties[**name].is_null()) {
        Some(name) => Err(fault(*name, "is missing")),
        None => Ok(()),
    }
}

/// A name: the template's own, or one made up.
fn name_of(properties: &Document, property: &str, made_up: impl FnOnce() -> String) -> String {
    properties[property].as_str().map_or_else(made_up, str::to_owned)
}

/// `Tags` as operations take them, from tags by key.
fn tag_list(tags: &std::collections::BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

/// Text, or what will be text.
fn is_textual(value: &Value) -> bool {
    value.is_null() || value.is_string() || is_unresolved(value)
}
