//! Applications (stacks) as the command line sees them: lists, deployments, deletions, and the progress that the node tells
//! meanwhile.

use serde_json::{Value, json};

use crate::client::{Client, Error};
use crate::since::ago;

/// A deployed application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Application {
    /// Its name.
    pub(crate) name: String,
    status: String,
    reason: Option<String>,
    changed_ms: Option<i64>,
    outputs: Vec<(String, String)>,
    /// Type and physical id of everything that it made.
    pub(crate) resources: Vec<(String, String)>,
}

impl Application {
    /// The heading of [`Application::row`].
    pub(crate) const HEADER: [&str; 4] = ["APPLICATION", "RESOURCES", "STATE", "CHANGED"];

    /// For a table.
    pub(crate) fn row(&self, now_ms: i64) -> Vec<String> {
        let state = match &self.reason {
            Some(reason) => format!("{}: {reason}", self.status),
            None => self.status.clone(),
        };
        let changed = self.changed_ms.map(|then| ago(then, now_ms)).unwrap_or_default();
        vec![self.name.clone(), self.resources.len().to_string(), state, changed]
    }

    /// For `--json`.
    pub(crate) fn document(&self) -> Value {
        json!({ "name": self.name })
    }

    /// Whether the application made this function.
    pub(crate) fn owns_function(&self, function: &str) -> bool {
        self.resources.iter().any(|(kind, id)| kind == "AWS::Lambda::Function" && id == function)
    }

    #[cfg(test)]
    pub(crate) fn fixture(name: &str, resources: &[(&str, &str)]) -> Self {
        let resources = resources.iter().map(|(kind, id)| ((*kind).to_owned(), (*id).to_owned())).collect();
        Self { name: name.to_owned(), resources, ..Self::default() }
    }
}

/// All of them, by name.
pub(crate) async fn list(client: &Client) -> Result<Vec<Application>, Error> {
    client.get("/_stacks").await.map(|_| Vec::new())
}
