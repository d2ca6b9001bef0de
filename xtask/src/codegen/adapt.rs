//! What a model leaves out, put back before anything is made of it.
//!
//! A service that once spoke query and now speaks JSON has lost, in its public model, the names that query clients go on using:
//! of list items and map entries, of faults, of the namespace. `models.toml` tells them.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::ServicePlan;
use super::model::{Error, Model, Reference, Shape};

/// Brings the model to what the plan says of it.
pub(super) fn adapt(model: &mut Model, plan: &ServicePlan) -> Result<()> {
    if !plan.protocols.is_empty() {
        model.metadata.protocols.clone_from(&plan.protocols);
    }
    if let Some(namespace) = &plan.xml_namespace {
        model.metadata.xml_namespace = Some(namespace.clone());
    }
    for name in &plan.plain {
        let shape = shape_of(model, name)?;
        shape.values.clear();
        shape.pattern = None;
    }
    for name in &plan.texts {
        "string".clone_into(&mut shape_of(model, name)?.kind);
    }
    if plan.streams {
        mark_streams(model)?;
    }
    stream_events(model)?;
    for (name, root) in &plan.roots {
        shape_of(model, name)?.location_name = Some(root.clone());
    }
    for (name, names) in &plan.query_names {
        query_names(model, name, names)?;
    }
    for (name, code) in &plan.query_codes {
        let shape = shape_of(model, name)?;
        ensure!(shape.exception, "{name} is no exception");
        shape.error = Some(coded(code));
    }
    for (name, member) in &plan.statuses {
        tell_status(model, name, member)?;
    }
    for (name, code) in &plan.exceptions {
        add_exception(model, name, code)?;
    }
    Ok(())
}

fn shape_of<'a>(model: &'a mut Model, name: &str) -> Result<&'a mut Shape> {
    model.shapes.get_mut(name).with_context(|| format!("the model has no shape {name}"))
}

/// An answer whose status depends on what was done, which the model says in words alone, tells it in a member.
fn tell_status(model: &mut Model, name: &str, member: &str) -> Result<()> {
    const CODE: &str = "HttpStatusCode";
    let integer: Shape = serde_json::from_value(json!({ "type": "integer" }))?;
    ensure!(
        model.shapes.insert(CODE.to_owned(), integer).is_none_or(|shape| shape.kind == "integer"),
        "{CODE} is taken"
    );
    let told = json!({ "shape": CODE, "location": "statusCode" });
    ensure!(shape_of(model, name)?.members.insert(member.to_owned(), told).is_none(), "{name} has {member} already");
    Ok(())
}

/// Some models say where a blob is used that it is streaming, and not where it is described.
fn mark_streams(model: &mut Model) -> Result<()> {
    let members = model.shapes.values().flat_map(|shape| shape.members.values());
    let streaming = members.filter(|member| member["streaming"] == true).filter_map(|member| member["shape"].as_str());
    let streaming: Vec<String> = streaming.map(str::to_owned).collect();
    for name in streaming {
        shape_of(model, &name)?.streaming = true;
    }
    Ok(())
}

/// A body of events is a stream of bytes to a shape: what fills it makes the events, each a value of a union.
fn stream_events(model: &mut Model) -> Result<()> {
    let named = |(name, shape): (&String, &Shape)| shape.eventstream.then(|| name.clone());
    let unions: Vec<String> = model.shapes.iter().filter_map(named).collect();
    for name in unions {
        let union = shape_of(model, &name)?;
        union.union = true;
        let events: Vec<String> =
            union.members.values().filter_map(|member| Some(member["shape"].as_str()?.to_owned())).collect();
        for event in events {
            let event = shape_of(model, &event)?;
            let body = event.members.iter().find(|(_, member)| member["eventpayload"] == true);
            event.payload = body.map(|(name, _)| name.clone());
        }
        let body = format!("{name}Stream");
        ensure!(!model.shapes.contains_key(&body), "the model has {body} already");
        for shape in model.shapes.values_mut().filter(|shape| shape.payload.is_some()) {
            let Some(payload) = shape.payload.clone() else { continue };
            let Some(member) = shape.members.get_mut(&payload).filter(|member| member["shape"] == *name) else {
                continue;
            };
            member["shape"] = Value::String(body.clone());
        }
        let mut stream: Shape = serde_json::from_value(json!({ "type": "blob", "streaming": true }))?;
        stream.events = Some(name);
        model.shapes.insert(body, stream);
    }
    Ok(())
}

/// The name of the items, and for maps the names of key and value.
fn query_names(model: &mut Model, name: &str, names: &[String]) -> Result<()> {
    let shape = shape_of(model, name)?;
    match (shape.kind.as_str(), names) {
        ("list", [_]) => {}
        ("map", [_, key, value]) => {
            shape.key.as_mut().context("a map without keys")?.location_name = Some(key.clone());
            shape.value.as_mut().context("a map without values")?.location_name = Some(value.clone());
        }
        (kind, names) => anyhow::bail!("{name} is a {kind}, and has {} query names", names.len()),
    }
    let members = model.shapes.values_mut().flat_map(|shape| shape.members.iter_mut());
    for (_, member) in members.filter(|(_, member)| member["shape"] == *name) {
        member["queryName"] = Value::String(names[0].clone());
    }
    Ok(())
}

/// An exception that the service throws and its model does not know; any operation may.
fn add_exception(model: &mut Model, name: &str, code: &str) -> Result<()> {
    ensure!(!model.shapes.contains_key(name), "the model has {name} already");
    let text = model.shapes.iter().find(|(_, shape)| shape.kind == "string" && shape.values.is_empty());
    let text = text.map(|(name, _)| name.clone()).context("a model without text")?;
    let shape = json!({ "type": "structure", "members": { "message": { "shape": text } }, "exception": true });
    let mut shape: Shape = serde_json::from_value(shape)?;
    shape.error = Some(coded(code));
    model.shapes.insert(name.to_owned(), shape);
    for operation in model.operations.values_mut() {
        operation.errors.push(Reference { shape: name.to_owned(), ..Reference::default() });
    }
    Ok(())
}

fn coded(code: &str) -> Error {
    Error { code: Some(code.to_owned()), http_status_code: None, sender_fault: None }
}
