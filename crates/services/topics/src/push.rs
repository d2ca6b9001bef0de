//! Mobile push: a message to one device, as a request to the owner's own address or as a letter.

use delivery::{Delivery, LaneId, Post, Sender};
use serde_json::json;

use crate::Topics;
use crate::error::Error;
use crate::fanout::{Out, retry};
use crate::model::application::{Application, DELIVERY_URL, Endpoint};
use crate::model::{Message, Patience, Scope, Subscription, attribute};
use crate::store::Letter;

impl Topics {
    /// What goes out to an endpoint that somebody subscribed: nothing if it is gone or disabled.
    pub(crate) async fn push_out(
        &self,
        sender: &Sender,
        message: &Message,
        subscription: Option<&Subscription>,
        endpoint_arn: &str,
    ) -> Result<Option<Out>, Error> {
        let scope = Scope { account: sender.account, region: sender.region.clone() };
        match self.device(&scope, "Endpoint", endpoint_arn).await {
            Ok((application, endpoint)) if application.is_enabled() && endpoint.enabled => {
                Ok(Some(self.push(sender, message, subscription, &application, &endpoint)))
            }
            Ok(_) | Err(Error::ApplicationMissing | Error::EndpointMissing | Error::Invalid(_)) => {
                tracing::info!(endpoint = endpoint_arn, "a push was dropped: its endpoint is disabled or gone");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The application and the endpoint that an ARN names.
    pub(crate) async fn device(
        &self,
        scope: &Scope,
        parameter: &str,
        arn: &str,
    ) -> Result<(Application, Endpoint), Error> {
        let (platform, name, id) = scope.endpoint(parameter, arn)?;
        let application = match self.cellar.application(scope, platform, name).await {
            Err(Error::ApplicationMissing) => return Err(Error::EndpointMissing),
            other => other?,
        };
        let endpoint = self.cellar.endpoint(&application, id).await?;
        Ok((application, endpoint))
    }

    /// A push to a device that gets some.
    pub(crate) fn push(
        &self,
        sender: &Sender,
        message: &Message,
        subscription: Option<&Subscription>,
        application: &Application,
        endpoint: &Endpoint,
    ) -> Out {
        let endpoint_arn = application.endpoint_arn(endpoint.id);
        let topic = subscription.map(Subscription::topic_arn);
        let text = message.body.to(&application.platform);
        let Some(url) = application.attributes.get(DELIVERY_URL) else {
            let letter = Letter {
                id: self.random.uuid(),
                message: message.id,
                protocol: "application".to_owned(),
                to: endpoint_arn,
                subject: message.subject.clone(),
                body: text.to_owned(),
                topic,
                at_ms: message.published_ms,
            };
            return Out::Letter(Box::new(letter), None);
        };
        let body = json!({
            "Platform": application.platform,
            "PlatformApplicationArn": application.arn(),
            "EndpointArn": endpoint_arn,
            "Token": endpoint.token,
            "CustomUserData": endpoint.user_data,
            "MessageId": message.id,
            "TopicArn": topic,
            "Subject": message.subject,
            "Message": text,
            "MessageAttributes": attribute::shown(&message.attributes).unwrap_or_else(|| json!({})),
            "Timestamp": message.timestamp(),
        });
        let post = Post::new(url.clone(), body.to_string())
            .header("Content-Type", "application/json")
            .header("x-amz-sns-message-type", "Push")
            .header("x-amz-sns-message-id", message.id.to_string());
        let lane = LaneId::any("push", endpoint_arn);
        Out::Delivery(Box::new(Delivery {
            retry: retry(&Patience::PEOPLE),
            ..Delivery::http(sender.clone(), lane, &post)
        }))
    }
}
