//! What is deployed: the pages of the node's lists, read to their end, and what to say when a name is not among them.

use serde_json::{Value, json};

use crate::client::{Client, Error};
use crate::problem::Problem;
use crate::tail::Event;
use base::did_you_mean;

/// More pages than this are not read: 50 functions a page make half a million.
const PAGES_MAX: usize = 10_000;

/// Every function's configuration, as ListFunctions tells it, by name.
pub(crate) async fn functions(client: &Client) -> Result<Vec<Value>, Error> {
    let mut all = pages(client, "lambda", "ListFunctions", json!({}), "Functions", ("Marker", "NextMarker")).await?;
    all.sort_by(|a, b| name_of(a).cmp(name_of(b)));
    Ok(all)
}

/// Every log group whose name begins so.
pub(crate) async fn log_groups(client: &Client, prefix: Option<&str>) -> Result<Vec<Value>, Error> {
    let input = prefix.map_or_else(|| json!({}), |prefix| json!({ "logGroupNamePrefix": prefix }));
    pages(client, "logs", "DescribeLogGroups", input, "logGroups", ("nextToken", "nextToken")).await
}

/// Every table's name, in their order.
pub(crate) async fn tables(client: &Client) -> Result<Vec<String>, Error> {
    let token = ("ExclusiveStartTableName", "LastEvaluatedTableName");
    let all = pages(client, "dynamodb", "ListTables", json!({}), "TableNames", token).await?;
    Ok(all.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect())
}

/// The function's name in its configuration.
pub(crate) fn name_of(function: &Value) -> &str {
    function.get("FunctionName").and_then(Value::as_str).unwrap_or_default()
}

/// The group that it logs to, in its configuration, where that is not the one of its name.
pub(crate) fn own_log_group(function: &Value) -> Option<&str> {
    let group = function.get("LoggingConfig")?.get("LogGroup")?.as_str()?;
    let is_usual = Event::function_of(group) == Some(name_of(function));
    (!is_usual).then_some(group)
}

/// There is no such function: say which there are.
pub(crate) async fn no_such_function(client: &Client, wanted: &str) -> Problem {
    let problem = Problem::new(format!("There is no function '{wanted}' at {}.", client.endpoint()));
    // Why the list cannot be had matters less than that the function is not there.
    let names = functions(client).await.unwrap_or_default();
    let names: Vec<&str> = names.iter().map(name_of).collect();
    problem.advise(advice(wanted, &names))
}

fn advice(wanted: &str, names: &[&str]) -> String {
    if names.is_empty() {
        return "Nothing is deployed yet. Deploy a folder with: freehold deploy DIR".to_owned();
    }
    did_you_mean(wanted, names.iter().copied()).unwrap_or_else(|| "See what is deployed with: freehold ls".to_owned())
}

/// All pages of a list. `token`: what the input calls the place to go on from, and what the output does.
async fn pages(
    client: &Client,
    service: &str,
    operation: &str,
    mut input: Value,
    member: &str,
    token: (&str, &str),
) -> Result<Vec<Value>, Error> {
    let mut all = Vec::new();
    for _ in 0..PAGES_MAX {
        let mut page = client.call(service, operation, &input).await?;
        if let Some(Value::Array(items)) = page.get_mut(member).map(Value::take) {
            all.extend(items);
        }
        match page.get(token.1) {
            Some(Value::String(next)) if !next.is_empty() => input[token.0] = json!(next),
            Some(_) | None => break,
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_groups_of_another_name_are_a_functions_own() {
        let of = |group: &str| json!({ "FunctionName": "greet", "LoggingConfig": { "LogGroup": group } });
        for (group, expected) in
            [("/aws/lambda/greet", None), ("/shop", Some("/shop")), ("/aws/lambda/all", Some("/aws/lambda/all"))]
        {
            assert_eq!(own_log_group(&of(group)), expected);
        }
        assert_eq!(own_log_group(&json!({ "FunctionName": "greet" })), None);
    }

    #[test]
    fn a_wrong_name_gets_a_useful_word() {
        assert_eq!(advice("gret", &["greet", "orders"]), "Did you mean 'greet'?");
        assert_eq!(advice("zzz", &["greet"]), "See what is deployed with: freehold ls");
        assert!(advice("zzz", &[]).starts_with("Nothing is deployed yet."));
    }
}
