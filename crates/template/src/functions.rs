//! The functions that need nothing but their argument, which is resolved as far as it goes.

use base64::Engine as _;

use crate::cidr;
use crate::{Evaluator, Node, Problem, Value};

/// Every function that a template may use, in the order in which messages list them.
pub const SUPPORTED: [&str; 18] = [
    "Fn::Base64",
    "Fn::GetAtt",
    "Fn::GetAZs",
    "Fn::ImportValue",
    "Fn::Join",
    "Fn::Split",
    "Fn::FindInMap",
    "Fn::Select",
    "Ref",
    "Fn::Equals",
    "Fn::If",
    "Fn::Not",
    "Fn::And",
    "Fn::Or",
    "Fn::Sub",
    "Fn::Cidr",
    "Fn::Length",
    "Fn::ToJsonString",
];

/// What came of a function.
pub(crate) enum Done {
    /// A value, with no function left in it.
    Value(Node),
    /// The same function, to be evaluated again.
    Later(Node),
}

/// Why a function that CloudFormation has, or somebody made up, is refused.
pub(crate) fn unserved(name: &str) -> Problem {
    let function = name.to_owned();
    if name == "Fn::Transform" {
        let reason = "macros and includes are not; put what it would insert into the template";
        return Problem::FunctionUnserved { function, reason };
    }
    if name.starts_with("Fn::ForEach") {
        return Problem::FunctionUnserved { function, reason: "loops are not; write the repeated parts out" };
    }
    Problem::Function { function }
}

/// Applies `name` to its argument.
pub(crate) fn apply(name: &str, line: u32, argument: &Node, evaluator: &Evaluator<'_>) -> Result<Done, Problem> {
    type Function = fn(&Node, &Evaluator<'_>) -> Result<Value, Problem>;
    let function: Function = match name {
        "Fn::Join" => join,
        "Fn::Split" => split,
        "Fn::Select" => return select(line, argument),
        "Fn::Base64" => base64,
        "Fn::GetAZs" => zones,
        "Fn::Cidr" => blocks,
        "Fn::Length" => length,
        "Fn::ToJsonString" => to_json,
        _ => return Err(unserved(name)),
    };
    if argument.has_function() {
        return Ok(Done::Later(Node::single(line, name, argument.clone())));
    }
    Ok(Done::Value(Node::new(line, function(argument, evaluator)?)))
}

fn join(argument: &Node, evaluator: &Evaluator<'_>) -> Result<Value, Problem> {
    let Some([delimiter, items]) = argument.as_list() else { return Err(Problem::Join) };
    let (Some(delimiter), Some(items)) = (delimiter.as_text(), items.as_list()) else { return Err(Problem::Join) };
    let mut text = String::new();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            text.push_str(delimiter);
        }
        text.push_str(&item.scalar().ok_or(Problem::Join)?);
        evaluator.room(text.len())?;
    }
    Ok(Value::Text(text))
}

fn split(argument: &Node, _: &Evaluator<'_>) -> Result<Value, Problem> {
    let Some([delimiter, text]) = argument.as_list() else { return Err(Problem::Split) };
    let (Some(delimiter), Some(text)) = (delimiter.as_text(), text.scalar()) else { return Err(Problem::Split) };
    if delimiter.is_empty() {
        return Err(Problem::Split);
    }
    Ok(Value::List(text.split(delimiter).map(|item| Node::text(argument.line, item)).collect()))
}

/// Unlike the others it need not wait for the whole list: the item that is asked for may be there already.
fn select(line: u32, argument: &Node) -> Result<Done, Problem> {
    let Some([index, list]) = argument.as_list() else { return Err(Problem::Select) };
    if index.function().is_some() || list.function().is_some() {
        return Ok(Done::Later(Node::single(line, "Fn::Select", argument.clone())));
    }
    let (Some(index), Some(items)) = (index.scalar(), list.as_list()) else { return Err(Problem::Select) };
    let position: i64 = index.trim().parse().map_err(|_| Problem::Select)?;
    let item = usize::try_from(position).ok().and_then(|position| items.get(position));
    match item {
        None => Err(Problem::SelectIndex { index }),
        // An item that is a function may turn out to be no value at all only in lists, and those are resolved.
        Some(item) if item.has_function() => Ok(Done::Later(item.clone())),
        Some(item) => Ok(Done::Value(item.clone())),
    }
}

fn base64(argument: &Node, _: &Evaluator<'_>) -> Result<Value, Problem> {
    let text = argument.scalar().ok_or(Problem::Base64)?;
    Ok(Value::Text(base64::engine::general_purpose::STANDARD.encode(text)))
}

/// A node is in one place; three names, as most regions have at least, because templates pick the second and third.
fn zones(argument: &Node, evaluator: &Evaluator<'_>) -> Result<Value, Problem> {
    let region = argument.as_text().ok_or(Problem::GetAzs)?;
    let region = if region.is_empty() { evaluator.region() } else { region };
    Ok(Value::List(["a", "b", "c"].iter().map(|zone| Node::text(argument.line, format!("{region}{zone}"))).collect()))
}

fn blocks(argument: &Node, _: &Evaluator<'_>) -> Result<Value, Problem> {
    let wrong = |reason: &str| Problem::Cidr(reason.to_owned());
    let Some(items @ ([_, _] | [_, _, _])) = argument.as_list() else {
        return Err(wrong("two or three values are needed"));
    };
    let number = |item: &Node| {
        item.scalar().and_then(|text| text.trim().parse::<u32>().ok()).ok_or_else(|| wrong("a number is needed"))
    };
    let block = items[0].as_text().ok_or_else(|| wrong("the block must be text"))?;
    let bits = items.get(2).map(number).transpose()?;
    let blocks = cidr::split(block, number(&items[1])?, bits).map_err(Problem::Cidr)?;
    Ok(Value::List(blocks.into_iter().map(|block| Node::text(argument.line, block)).collect()))
}

fn length(argument: &Node, _: &Evaluator<'_>) -> Result<Value, Problem> {
    let items = argument.as_list().ok_or(Problem::Length)?;
    Ok(Value::Number(items.len().into()))
}

fn to_json(argument: &Node, _: &Evaluator<'_>) -> Result<Value, Problem> {
    match &argument.value {
        Value::List(_) | Value::Map(_) => Ok(Value::Text(argument.to_json().to_string())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => Err(Problem::ToJsonString),
    }
}
