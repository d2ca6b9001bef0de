//! `/_sns/`: what subscribers of topics are sent to. The certificate of the signatures, and the answers to "do you want this?" and "no
//! more", which whoever holds the token or the address may give without proving who they are.

use std::sync::Arc;

use base::{Clock, Random};
use contract::{AccountId, Arn, Call, Fault, Origin, Principal, Region};
use dispatch::{BoxFuture, Dispatch};
use door::{Audience, Body, Mount, RequestBody, Visit};
use http::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use topics::model::envelope::PATH;
use wire::sns::{ConfirmSubscription, ConfirmSubscriptionInput, Unsubscribe, UnsubscribeInput};

use super::{no_such_path, refusal, response};

/// What subscribers of topics are sent to.
pub(crate) struct Topics {
    pub(crate) topics: Arc<topics::Topics>,
    pub(crate) dispatch: Dispatch,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    /// Whether nobody must prove anything.
    pub(crate) is_open: bool,
}

const WAIT: std::time::Duration = std::time::Duration::from_secs(60);

impl Mount for Topics {
    fn wants(&self, _host: &str, path: &str) -> bool {
        path.starts_with(PATH)
    }

    fn audience(&self) -> Audience {
        // The token is the proof; links in letters are followed from anywhere.
        Audience::Public
    }

    fn handle<'a>(&'a self, request: Request<RequestBody>, visit: &'a Visit) -> BoxFuture<'a, Response<Body>> {
        Box::pin(async move {
            if !matches!(*request.method(), Method::GET | Method::HEAD) {
                return refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "This is asked for by GET.");
            }
            let path = request.uri().path();
            if let Some(pem) = self.topics.certificate(path) {
                return response(StatusCode::OK, "application/x-pem-file", whole(pem.to_owned()));
            }
            if path != PATH {
                return no_such_path(path);
            }
            let query = request.uri().query().unwrap_or_default();
            let answered = match find(query, "Action").as_deref() {
                Some("ConfirmSubscription") => self.confirm(query, visit).await,
                Some("Unsubscribe") => self.unsubscribe(query, visit).await,
                Some(_) | None => return no_such_path(path),
            };
            match answered {
                Ok(xml) => response(StatusCode::OK, "text/xml", whole(xml)),
                Err(fault) => {
                    let status = fault.status.and_then(|status| StatusCode::from_u16(status).ok());
                    refusal(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &fault.code, &fault.message)
                }
            }
        })
    }
}

impl Topics {
    async fn confirm(&self, query: &str, visit: &Visit) -> Result<String, Fault> {
        let input = ConfirmSubscriptionInput {
            topic_arn: find(query, "TopicArn").unwrap_or_default(),
            token: find(query, "Token").unwrap_or_default(),
            authenticate_on_unsubscribe: None,
        };
        let call = self.call(visit, &input.topic_arn);
        let answer = self.dispatch.call::<ConfirmSubscription>(&call, input).await?;
        let arn = answer.subscription_arn.unwrap_or_default();
        let result =
            format!("<ConfirmSubscriptionResult><SubscriptionArn>{arn}</SubscriptionArn></ConfirmSubscriptionResult>");
        Ok(envelope("ConfirmSubscription", &result, &call))
    }

    async fn unsubscribe(&self, query: &str, visit: &Visit) -> Result<String, Fault> {
        let input = UnsubscribeInput { subscription_arn: find(query, "SubscriptionArn").unwrap_or_default() };
        let call = self.call(visit, &input.subscription_arn);
        self.dispatch.call::<Unsubscribe>(&call, input).await?;
        Ok(envelope("Unsubscribe", "", &call))
    }

    /// Nobody's call, where the ARN is.
    fn call(&self, visit: &Visit, arn: &str) -> Call {
        let region = Arn::parse(arn).and_then(|arn| Region::parse(&arn.region));
        Call {
            id: visit.request_id,
            principal: match self.is_open {
                true => Principal::Open { access_key: None },
                false => Principal::Anonymous,
            },
            account: AccountId::ONLY,
            region: region.unwrap_or_else(|| visit.region.clone()),
            deadline: self.clock.elapsed() + WAIT,
            trace: visit.trace.child(&self.random),
            hops: 0,
            origin: Origin::Inside { part: "topics", base_url: Arc::clone(&visit.base_url) },
        }
    }
}

/// As the query protocol answers.
fn envelope(operation: &str, result: &str, call: &Call) -> String {
    format!(
        "<{operation}Response xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">{result}<ResponseMetadata><RequestId>{}\
         </RequestId></ResponseMetadata></{operation}Response>",
        call.id
    )
}

fn find(query: &str, wanted: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == wanted)?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

fn whole(text: String) -> Body {
    Body::Left(bytes::Bytes::from(text).into())
}
