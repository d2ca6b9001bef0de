//! A component that answers requests under its owner's settings.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use wasmtime_wasi_http::WasiBody;

use crate::body::{self, AnswerBody};
use crate::component::Http;
use crate::egress::Reach;
use crate::engine::Engine;
use crate::failure::{Failed, Failure};
use crate::meter::{Attempt, Ending};
use crate::settings::{Limits, Settings};
use crate::shared::Warm;
use crate::single::{self, Resting};

/// Answers requests. Cheap to clone; made by [`crate::Component::service`].
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    program: Http,
    context: Arc<Context>,
    warm: Warm,
    resting: Resting,
}

/// What every instance of a service is made from.
pub(crate) struct Context {
    pub(crate) engine: Engine,
    pub(crate) settings: Settings,
    pub(crate) reach: Arc<Reach>,
}

/// What came of a request.
#[derive(Debug)]
pub struct Answer {
    /// The guest's answer.
    pub response: Response<AnswerBody>,
    /// The guest may go on after it.
    pub attempt: Attempt,
}

impl Service {
    pub(crate) fn new(engine: Engine, program: Http, settings: Settings) -> Self {
        let reach = Reach::new(settings.network.clone(), engine.trust());
        let context = Arc::new(Context { engine, settings, reach });
        Self(Arc::new(Inner { program, context, warm: Warm::default(), resting: Resting::default() }))
    }

    /// Has a request answered. Returns with the head of the answer, while the guest may go on to write its body and to work after that,
    /// until its time is over. Dropped before that, the guest ends.
    ///
    /// The request must say which host it is for, in its URI or its headers. What the guest cannot see of its headers are those of the
    /// connection (`connection`, `transfer-encoding`, `upgrade` and such) and `host`, which it is told otherwise.
    pub async fn handle<B>(&self, request: Request<B>, limits: Limits) -> Result<Answer, Failed>
    where
        B: Body<Data = Bytes> + Send + 'static,
    {
        let (ending, attempt) = Ending::begin();
        let request = request.map(|body| body::into_guest(body, &ending));
        check(&request).map_err(Failed::at_once)?;
        let context = &self.0.context;
        let response = match &self.0.program {
            Http::Single(program) => single::answer(context, program, &self.0.resting, request, limits, ending).await?,
            Http::Shared(program) => self.0.warm.answer(context, program, request, limits, ending).await?,
        };
        Ok(Answer { response, attempt })
    }
}

impl Service {
    /// Ends the instances that nobody needed for as long as [`Settings::keep_alive`] says.
    pub fn tidy(&self) {
        self.0.resting.tidy(self.0.context.settings.keep_alive);
    }

    /// What its instances are made of.
    pub(crate) fn parts(&self) -> (&Arc<Context>, &Http) {
        (&self.0.context, &self.0.program)
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("settings", &self.0.context.settings).finish_non_exhaustive()
    }
}

/// WASI wants to know the host.
fn check(request: &Request<WasiBody>) -> Result<(), Failure> {
    let named = match (request.uri().authority(), request.headers().get(http::header::HOST)) {
        (Some(_), _) => true,
        (None, Some(host)) => host.to_str().is_ok_and(|host| !host.is_empty()),
        (None, None) => false,
    };
    if named { Ok(()) } else { Err(Failure::Request { reason: "it does not say which host it is for".to_owned() }) }
}
