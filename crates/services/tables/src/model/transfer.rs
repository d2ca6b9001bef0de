//! What exports and imports have in common: who wants them, where in a bucket, and how they ended.

use std::sync::Arc;

use contract::{Call, Principal};
use serde::{Deserialize, Serialize};

/// On whose behalf a bucket is read or written, also after a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Asker {
    who: Who,
    base_url: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Who {
    Open { access_key: Option<String> },
    Root,
    Role { role: String, session: String },
    Nobody,
}

impl Asker {
    /// Who calls.
    pub(crate) fn of(call: &Call) -> Self {
        let who = match &call.principal {
            Principal::Open { access_key } => Who::Open { access_key: access_key.as_deref().map(str::to_owned) },
            Principal::Root => Who::Root,
            Principal::Role { role, session } => Who::Role { role: role.to_string(), session: session.to_string() },
            // A part of the node has nobody's buckets to read.
            Principal::Service { .. } | Principal::Anonymous => Who::Nobody,
        };
        Self { who, base_url: call.base_url().to_owned() }
    }

    /// Who it was.
    pub(crate) fn principal(&self) -> Principal {
        match &self.who {
            Who::Open { access_key } => Principal::Open { access_key: access_key.as_deref().map(Arc::from) },
            Who::Root => Principal::Root,
            Who::Role { role, session } => {
                Principal::Role { role: role.as_str().into(), session: session.as_str().into() }
            }
            Who::Nobody => Principal::Anonymous,
        }
    }

    /// What addresses begin with that are handed out.
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }
}

/// A place in a bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spot {
    pub(crate) bucket: String,
    pub(crate) owner: Option<String>,
    pub(crate) prefix: Option<String>,
}

/// How far an export or import is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    InProgress,
    Completed,
    Failed { code: String, message: String },
}

impl Outcome {
    /// Why it failed, if it did: a code and words.
    pub(crate) fn failure(&self) -> Option<(String, String)> {
        match self {
            Self::Failed { code, message } => Some((code.clone(), message.clone())),
            Self::InProgress | Self::Completed => None,
        }
    }
}
