//! `POST /_reset`: a node that keeps nothing forgets everything, for other people's test suites.

use std::sync::Arc;

use delivery::Deliveries;
use dispatch::BoxFuture;
use door::{Audience, Body, Mount, RequestBody, Visit};
use events::Events;
use functions::Functions;
use http::{Method, Request, Response, StatusCode};
use pipes::Pipes;
use queues::Queues;
use serde_json::json;
use store::{Range, Scan, Store};
use tables::Tables;
use topics::Topics;

use super::{document, refusal};

/// Empties the store of a node in memory; on any other it refuses.
pub(crate) struct Reset {
    /// `None`: the node keeps its data, and nobody may take that away by one request.
    pub(crate) store: Option<Store>,
    pub(crate) functions: Arc<Functions>,
    pub(crate) pipes: Arc<Pipes>,
    pub(crate) queues: Arc<Queues>,
    pub(crate) tables: Arc<Tables>,
    pub(crate) topics: Arc<Topics>,
    pub(crate) events: Arc<Events>,
    pub(crate) deliveries: Deliveries,
}

impl Mount for Reset {
    fn wants(&self, _host: &str, path: &str) -> bool {
        path == "/_reset"
    }

    fn audience(&self) -> Audience {
        Audience::Owner
    }

    fn handle<'a>(&'a self, request: Request<RequestBody>, _visit: &'a Visit) -> BoxFuture<'a, Response<Body>> {
        Box::pin(async move {
            if request.method() != Method::POST {
                return refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "A reset is asked for by POST.");
            }
            let Some(store) = &self.store else {
                let message =
                    "This node keeps its data, so it cannot be reset. Start one for tests with: freehold up --memory";
                return refusal(StatusCode::FORBIDDEN, "AccessDenied", message);
            };
            match self.empty(store).await {
                Ok(removed) => document(StatusCode::OK, &json!({ "removed": removed })),
                Err(error) => {
                    tracing::error!(%error, "a reset was not finished");
                    refusal(
                        StatusCode::INTERNAL_SERVER_ERROR,
                        "InternalFailure",
                        &format!("The reset was not finished: {error}."),
                    )
                }
            }
        })
    }
}

impl Reset {
    /// Takes everything out, page by page, and lets the tables in memory see it. Gives the number of records removed.
    async fn empty(&self, store: &Store) -> Result<usize, store::Error> {
        let mut removed = 0;
        loop {
            let page = store.snapshot().scan(Range::all(), Scan::first(1_000)).await?;
            if page.items.is_empty() {
                break;
            }
            let keys: Vec<_> = page.items.into_iter().map(|(key, _)| key).collect();
            removed += keys.len();
            let keys = &keys;
            store
                .transact(|tx| async move {
                    keys.iter().for_each(|key| tx.delete(key.clone()));
                    Ok::<_, store::Error>(())
                })
                .await?;
        }
        self.deliveries.resync().await?;
        self.functions.resync().await?;
        if let Err(error) = self.topics.resync().await {
            tracing::error!(%error, "the topics could not be read anew after a reset");
        }
        if let Err(error) = self.pipes.resync().await {
            tracing::error!(%error, "the pipes could not be read anew after a reset");
        }
        if let Err(error) = self.tables.resync().await {
            tracing::error!(%error, "the tables could not be read anew after a reset");
        }
        if let Err(error) = self.queues.resync().await {
            tracing::error!(%error, "the queues could not be read anew after a reset");
        }
        if let Err(error) = self.events.resync().await {
            tracing::error!(%error, "the event buses could not be read anew after a reset");
        }
        Ok(removed)
    }
}
