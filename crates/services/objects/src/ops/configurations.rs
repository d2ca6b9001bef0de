//! What is set up for a bucket and is a document: put, got and deleted as it is. Whoever acts on one (lifecycles, cross-origin rules,
//! locks) reads it where it acts; of analytics, inventories and their like a document is all that a user ever sees of them here.

mod checks;
mod rows;

pub(super) use self::checks::tag_map;
pub(super) use self::rows::register;

use std::sync::Arc;

use contract::Fault;
use serde_json::Value;
use wire::StaticShape;

use crate::Objects;
use crate::error::{Error, refused};

/// The most documents of a kind.
const OF_A_KIND_MAX: usize = 1_000;

impl Objects {
    /// Sets a document, or takes it away.
    pub(crate) async fn configure(
        &self,
        name: &str,
        kind: &str,
        id: &str,
        document: Option<Value>,
    ) -> Result<(), Error> {
        let document = &document;
        self.shelf
            .store
            .transact(|tx| async move {
                let mut bucket = self.shelf.bucket_in(&tx, name).await?;
                self.shelf.set_config(&tx, &mut bucket, kind, id, document.as_ref()).await
            })
            .await
    }

    /// Sets one of the documents of its kind, of which a bucket may have so many.
    pub(crate) async fn configure_one(&self, name: &str, kind: &str, id: &str, document: Value) -> Result<(), Error> {
        let document = &document;
        self.shelf
            .store
            .transact(|tx| async move {
                let mut bucket = self.shelf.bucket_in(&tx, name).await?;
                let ids = self.shelf.config_ids_in(&tx, name, kind).await?;
                if ids.len() >= OF_A_KIND_MAX && !ids.contains(id) {
                    let message = format!(
                        "You are attempting to create a new configuration but have already reached the {OF_A_KIND_MAX}-configuration limit."
                    );
                    return Err(refused(400, "TooManyConfigurations", message).into());
                }
                self.shelf.set_config(&tx, &mut bucket, kind, id, Some(document)).await
            })
            .await
    }

    /// A document, if there is one.
    pub(crate) async fn configured(&self, name: &str, kind: &str, id: &str) -> Result<Option<Value>, Error> {
        let snapshot = self.shelf.snapshot();
        self.shelf.bucket(&snapshot, name).await?;
        self.shelf.config(&snapshot, name, kind, id).await
    }

    /// What one says of which a bucket has one.
    pub(crate) async fn configured_as<T: StaticShape>(
        &self,
        name: &str,
        kind: &'static str,
    ) -> Result<Option<Arc<T>>, Error> {
        let snapshot = self.shelf.snapshot();
        let bucket = self.shelf.bucket(&snapshot, name).await?;
        self.shelf.setting(&snapshot, &bucket, kind).await
    }
}

/// What there is where nothing was set up.
enum Absent {
    /// This.
    Default(Value),
    /// A fault.
    Fault(&'static str, &'static str),
}

impl Absent {
    fn answer(self, bucket: &str) -> Result<Value, Fault> {
        match self {
            Self::Default(document) => Ok(document),
            Self::Fault(code, message) => Err(refused(404, code, message).with("BucketName", bucket)),
        }
    }
}
