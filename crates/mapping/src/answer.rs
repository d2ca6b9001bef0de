//! What a handler's answer says of a batch: which of its items failed. Pure.

use std::collections::HashSet;

use serde_json::Value;

/// What an answer to `ReportBatchItemFailures` means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// These failed, and all others are done; none is success.
    Failed(HashSet<String>),
    /// The answer cannot be believed, so that all of the batch counts as failed.
    Unreadable(&'static str),
}

/// Reads an answer as AWS does. Nothing, `null`, `{}` and an empty or missing list are success; an item without a good identifier, or
/// with one that is not in the batch, and what is no JSON object, make all of the batch a failure.
pub fn read<'a>(answer: &[u8], batch: impl IntoIterator<Item = &'a str>) -> Report {
    if answer.iter().all(u8::is_ascii_whitespace) {
        return Report::Failed(HashSet::new());
    }
    match serde_json::from_slice(answer) {
        Ok(answer) => read_value(&answer, batch),
        Err(_) => Report::Unreadable("the function's answer is not JSON"),
    }
}

/// The same, of an answer that was parsed already.
pub fn read_value<'a>(answer: &Value, batch: impl IntoIterator<Item = &'a str>) -> Report {
    let items = match answer {
        Value::Null => return Report::Failed(HashSet::new()),
        Value::Object(members) => match members.get("batchItemFailures") {
            None | Some(Value::Null) => return Report::Failed(HashSet::new()),
            Some(Value::Array(items)) => items,
            Some(_) => return Report::Unreadable("batchItemFailures is not a list"),
        },
        _ => return Report::Unreadable("the function's answer is not an object"),
    };
    let known: HashSet<&str> = batch.into_iter().collect();
    let mut failed = HashSet::new();
    for item in items {
        match item.get("itemIdentifier").and_then(Value::as_str) {
            Some(id) if known.contains(id) => drop(failed.insert(id.to_owned())),
            Some("") => return Report::Unreadable("an itemIdentifier is empty"),
            Some(_) => return Report::Unreadable("an itemIdentifier names nothing of the batch"),
            None => return Report::Unreadable("an entry of batchItemFailures has no itemIdentifier"),
        }
    }
    Report::Failed(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answer: &str, expected: Result<&[&str], &str>) {
        let found = read(answer.as_bytes(), ["a", "b", "c"]);
        let expected = match expected {
            Ok(ids) => Report::Failed(ids.iter().map(|id| (*id).to_owned()).collect()),
            Err(why) => match &found {
                Report::Unreadable(said) if said.contains(why) => return,
                found => panic!("{answer}: {found:?} instead of {why}"),
            },
        };
        assert_eq!(found, expected, "{answer}");
    }

    #[test]
    fn answers_are_read_as_documented() {
        for success in
            ["", " \n", "null", "{}", r#"{"batchItemFailures":null}"#, r#"{"batchItemFailures":[]}"#, r#"{"other":1}"#]
        {
            check(success, Ok(&[]));
        }
        check(r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#, Ok(&["b"]));
        check(
            r#"{"batchItemFailures":[{"itemIdentifier":"c"},{"itemIdentifier":"a"},{"itemIdentifier":"c"}]}"#,
            Ok(&["a", "c"]),
        );
        for (failure, why) in [
            ("{", "not JSON"),
            ("\"text\"", "not an object"),
            ("[]", "not an object"),
            ("1", "not an object"),
            (r#"{"batchItemFailures":{}}"#, "not a list"),
            (r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#, "is empty"),
            (r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#, "no itemIdentifier"),
            (r#"{"batchItemFailures":[{"itemIdentifier":1}]}"#, "no itemIdentifier"),
            (r#"{"batchItemFailures":[{"messageId":"a"}]}"#, "no itemIdentifier"),
            (r#"{"batchItemFailures":["a"]}"#, "no itemIdentifier"),
            (r#"{"batchItemFailures":[{"itemIdentifier":"z"}]}"#, "nothing of the batch"),
            (r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"z"}]}"#, "nothing of the batch"),
        ] {
            check(failure, Err(why));
        }
    }
}
