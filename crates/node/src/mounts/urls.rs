//! Function URLs, by path and by host name.

use dispatch::BoxFuture;
use door::{Audience, Body, Mount, RequestBody, Visit};
use gateway::Gateway;
use http::{Request, Response};

use crate::function_urls::Urls;

/// The gateway, behind the door.
pub(crate) struct FunctionUrls(pub(crate) Gateway<Urls>);

impl Mount for FunctionUrls {
    fn wants(&self, host: &str, path: &str) -> bool {
        Gateway::<Urls>::wants(host, path)
    }

    fn audience(&self) -> Audience {
        Audience::Public
    }

    fn handle<'a>(&'a self, request: Request<RequestBody>, visit: &'a Visit) -> BoxFuture<'a, Response<Body>> {
        Box::pin(async move {
            let Visit { peer, request_id, trace, base_url, user_agent, .. } = visit;
            let (peer, request_id, trace) = (*peer, *request_id, *trace);
            let visit = gateway::Visit { peer, request_id, trace, base_url, user_agent };
            self.0.handle(request, &visit).await
        })
    }
}
