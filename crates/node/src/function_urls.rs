//! Functions, as the gateway wants to see them.

use std::sync::Arc;

use bytes::Bytes;
use compute::Conversation;
use contract::{AccountId, Arn, Call, Fault, Region};
use functions::model::url::{AuthType, InvokeMode};
use functions::{Begun, Event, Functions, Target};
use futures_util::StreamExt;
use gateway::{Access, Answer, Body, Conversed, Cors, FunctionUrls, Streamed};
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, Either, StreamBody};

/// Finds functions for the gateway and runs them.
#[derive(Clone)]
pub(crate) struct Urls(Arc<Functions>);

impl Urls {
    pub(crate) fn new(functions: Arc<Functions>) -> Self {
        Self(functions)
    }
}

/// A function that has a URL. Made only where [`Target::url`] is there.
pub(crate) struct Url(Target);

impl Url {
    fn of(target: Target) -> Option<Self> {
        target.url().is_some().then_some(Self(target))
    }

    fn config(&self) -> &functions::model::url::UrlConfig {
        self.0.url().expect("only targets with a URL become a `Url`")
    }
}

impl FunctionUrls for Urls {
    type Url = Url;

    fn by_id(&self, id: &str) -> Option<Url> {
        self.0.resolve_url(id).and_then(Url::of)
    }

    fn by_name(&self, name: &str) -> Option<Url> {
        self.0.resolve_anywhere(name).and_then(Url::of)
    }

    async fn invoke(&self, call: &Call, url: &Url, event: Bytes) -> Result<Answer, Fault> {
        let event = Event { payload: event, ..Event::default() };
        let outcome = self.0.invoke_target(call, &url.0, event).await?;
        Ok(match outcome.error {
            None => Answer::Whole(outcome.payload),
            Some(_) => Answer::Failed,
        })
    }

    async fn stream(&self, call: &Call, url: &Url, event: Bytes) -> Result<Streamed, Fault> {
        let event = Event { payload: event, ..Event::default() };
        Ok(match self.0.stream_target(call, &url.0, event).await? {
            Begun::Whole(outcome) => Streamed::Whole(match outcome.error {
                None => Answer::Whole(outcome.payload),
                Some(_) => Answer::Failed,
            }),
            Begun::Pieces(streaming) => {
                let frames = streaming.pieces().map(|piece| piece.map(Frame::data).map_err(gateway::BodyError::from));
                Streamed::Pieces(Either::Right(StreamBody::new(frames).boxed_unsync()))
            }
        })
    }

    async fn converse(&self, call: &Call, url: &Url, request: Request<Body>) -> Result<Conversed, Fault> {
        let (conversation, mut reply) = Conversation::new(request);
        let answer = self.0.converse_target(call, &url.0, conversation, &mut reply).await?;
        Ok(match answer {
            Some(answer) => {
                let response = answer.response.map(|body| Either::Right(body.boxed_unsync()));
                Conversed::Answered { response, tunnel: answer.tunnel }
            }
            None => Conversed::Failed,
        })
    }
}

impl gateway::Url for Url {
    fn takes_requests(&self) -> bool {
        self.0.is_server()
    }

    fn streams(&self) -> bool {
        self.config().mode == InvokeMode::ResponseStream
    }

    fn id(&self) -> &str {
        &self.config().id
    }

    fn region(&self) -> &Region {
        &self.0.scope().region
    }

    fn account(&self) -> AccountId {
        self.0.scope().account
    }

    fn arn(&self) -> Arn {
        let scope = self.0.scope();
        let resource = match self.0.qualifier() {
            Some(qualifier) => format!("function:{}:{qualifier}", self.0.name()),
            None => format!("function:{}", self.0.name()),
        };
        Arn::new("lambda", &scope.region, scope.account, resource)
    }

    fn access(&self) -> Access {
        match self.config().auth {
            AuthType::None => Access::Everybody,
            AuthType::AwsIam => Access::Signed,
        }
    }

    fn cors(&self) -> Option<Cors<'_>> {
        let rules = self.config().cors.as_ref()?;
        fn list(values: &Option<Vec<String>>) -> &[String] {
            values.as_deref().unwrap_or_default()
        }
        Some(Cors {
            allow_credentials: rules.allow_credentials.unwrap_or(false),
            allow_headers: list(&rules.allow_headers),
            allow_methods: list(&rules.allow_methods),
            allow_origins: list(&rules.allow_origins),
            expose_headers: list(&rules.expose_headers),
            max_age_s: rules.max_age_s,
        })
    }
}
