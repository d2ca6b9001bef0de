//! Functions as the command line shows them.

use base::ByteSize;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use crate::client::{Client, Error};
use crate::lookup;
use crate::since::ago;

/// How many functions are asked after at once.
const ASKED_AT_ONCE: usize = 16;

/// A function, as a person wants to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// `nodejs24.x`.
    pub(crate) language: String,
    memory_mb: u64,
    timeout_seconds: u64,
    state: String,
    reason: Option<String>,
    changed_ms: Option<i64>,
    arn: String,
    /// Where it answers HTTP, if it has an address.
    pub(crate) url: Option<String>,
}

impl Function {
    /// The heading of [`Function::row`].
    pub(crate) const HEADER: [&str; 6] = ["FUNCTION", "LANGUAGE", "MEMORY", "STATE", "CHANGED", "URL"];

    fn read(configuration: &Value, url: Option<String>) -> Self {
        let text = |name: &str| configuration.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
        let number = |name: &str| configuration.get(name).and_then(Value::as_u64).unwrap_or_default();
        let state = text("State").unwrap_or_else(|| "Active".to_owned());
        // An update that failed leaves the old code running: that is worth more than "Active".
        let failed_update = text("LastUpdateStatus").is_some_and(|status| status == "Failed");
        let (state, reason) = if failed_update {
            ("Update failed".to_owned(), text("LastUpdateStatusReason"))
        } else {
            (state, text("StateReason"))
        };
        Self {
            name: lookup::name_of(configuration).to_owned(),
            language: text("Runtime").unwrap_or_default(),
            memory_mb: number("MemorySize"),
            timeout_seconds: number("Timeout"),
            state,
            reason,
            changed_ms: text("LastModified").and_then(|time| lambda_time_ms(&time)),
            arn: text("FunctionArn").unwrap_or_default(),
            url,
        }
    }

    /// For a table.
    pub(crate) fn row(&self, now_ms: i64) -> Vec<String> {
        let state = match &self.reason {
            Some(reason) => format!("{}: {reason}", self.state),
            None => self.state.clone(),
        };
        vec![
            self.name.clone(),
            self.language.clone(),
            ByteSize::mib(self.memory_mb).to_string(),
            state,
            self.changed_ms.map(|then| ago(then, now_ms)).unwrap_or_default(),
            self.url.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    }

    /// For `--json`.
    pub(crate) fn document(&self) -> Value {
        json!({
            "name": self.name,
            "language": self.language,
            "memoryMb": self.memory_mb,
            "timeoutSeconds": self.timeout_seconds,
            "state": self.state,
            "stateReason": self.reason,
            "changed": self.changed_ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()).map(|time| time.to_string()),
            "arn": self.arn,
            "url": self.url,
        })
    }

    #[cfg(test)]
    pub(crate) fn fixture(name: &str, url: Option<&str>) -> Self {
        let configuration = json!({
            "FunctionName": name, "Runtime": "python3.13", "MemorySize": 128, "Timeout": 3, "State": "Active",
            "LastModified": "1970-01-01T00:00:10.000+0000",
            "FunctionArn": format!("arn:aws:lambda:us-east-1:000000000000:function:{name}"),
        });
        Self::read(&configuration, url.map(ToOwned::to_owned))
    }
}

/// Lambda writes `2026-11-21T02:33:04.000+0000`, which is nearly RFC 3339.
fn lambda_time_ms(text: &str) -> Option<i64> {
    let time = match text.strip_suffix("+0000") {
        Some(local) => format!("{local}Z"),
        None => text.to_owned(),
    };
    time.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// All functions with state and address, by name.
pub(crate) async fn list(client: &Client) -> Result<Vec<Function>, Error> {
    let listed = lookup::functions(client).await?;
    describe(client, listed.iter().map(lookup::name_of)).await
}

/// These functions with state and address. A list tells neither, so each one is asked after.
pub(crate) async fn describe<'a>(
    client: &Client,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Function>, Error> {
    let asked = names.into_iter().map(ToOwned::to_owned).map(|name| async move {
        let input = json!({ "FunctionName": name });
        let (configuration, address) = tokio::join!(
            client.call("lambda", "GetFunctionConfiguration", &input),
            client.call("lambda", "GetFunctionUrlConfig", &input)
        );
        let url = found(address)?.map(|_| format!("{}/_fn/{name}/", client.endpoint()));
        // Deleted since it was listed: then it is left out.
        Ok(found(configuration)?.map(|configuration| Function::read(&configuration, url)))
    });
    let asked: Vec<_> = asked.collect();
    let all: Vec<Option<Function>> = stream::iter(asked).buffered(ASKED_AT_ONCE).try_collect().await?;
    Ok(all.into_iter().flatten().collect())
}

/// Nothing, if the node says that there is no such thing.
fn found(answer: Result<Value, Error>) -> Result<Option<Value>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_update_shows() {
        let configuration = json!({ "FunctionName": "a", "State": "Active", "LastUpdateStatus": "Failed", "LastUpdateStatusReason": "no room" });
        assert_eq!(Function::read(&configuration, None).row(0)[3], "Update failed: no room");
    }
}
