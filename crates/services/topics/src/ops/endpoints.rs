//! Endpoints of platform applications: made, shown, changed, deleted.

use contract::{Arn, Call, Effect, Fault, Handle};
use uuid::Uuid;
use wire::Empty;
use wire::sns::{
    CreateEndpointResponse, CreatePlatformEndpoint, CreatePlatformEndpointInput, DeleteEndpoint, DeleteEndpointInput,
    Endpoint as Shown, GetEndpointAttributes, GetEndpointAttributesInput, GetEndpointAttributesResponse,
    ListEndpointsByPlatformApplication, ListEndpointsByPlatformApplicationInput,
    ListEndpointsByPlatformApplicationResponse, SetEndpointAttributes, SetEndpointAttributesInput,
};

use super::{page, resource};
use crate::Topics;
use crate::error::Error;
use crate::model::{Application, Endpoint, Scope};

const ARN: &str = "EndpointArn";

impl Handle<CreatePlatformEndpoint> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &CreatePlatformEndpointInput) -> Arn {
        resource(call, &input.platform_application_arn)
    }

    async fn handle(&self, call: &Call, input: CreatePlatformEndpointInput) -> Result<CreateEndpointResponse, Fault> {
        let _one_at_a_time = self.managing.lock().await;
        let application = self.application(&Scope::of(call), &input.platform_application_arn).await?;
        let (user_data, attributes) = (input.custom_user_data, input.attributes.unwrap_or_default());
        let endpoint = Endpoint::new(endpoint_id(&application, &input.token), input.token, user_data, attributes)?;
        match self.cellar.endpoint(&application, endpoint.id).await {
            Err(Error::EndpointMissing) => self.cellar.put_endpoint(&application, &endpoint).await?,
            Ok(there) if there == endpoint => {}
            Ok(_) => {
                let arn = application.endpoint_arn(endpoint.id);
                let why = format!("Endpoint {arn} already exists with the same Token, but different attributes.");
                return Err(Error::because("Token", why).into());
            }
            Err(error) => return Err(error.into()),
        }
        Ok(CreateEndpointResponse { endpoint_arn: Some(application.endpoint_arn(endpoint.id)) })
    }
}

/// The same token is the same endpoint, so its id is made from it.
fn endpoint_id(application: &Application, token: &str) -> Uuid {
    let text = format!("{}\0{token}", application.arn());
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_ref()[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

impl Handle<DeleteEndpoint> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeleteEndpointInput) -> Arn {
        resource(call, &input.endpoint_arn)
    }

    async fn handle(&self, call: &Call, input: DeleteEndpointInput) -> Result<Empty, Fault> {
        let _one_at_a_time = self.managing.lock().await;
        let scope = Scope::of(call);
        let (platform, name, id) = match scope.endpoint(ARN, &input.endpoint_arn) {
            Err(Error::EndpointMissing) => return Ok(Empty {}),
            found => found?,
        };
        self.cellar.delete_endpoint(&scope, (platform, name), id).await?;
        Ok(Empty {})
    }
}

impl Handle<GetEndpointAttributes> for Topics {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetEndpointAttributesInput) -> Arn {
        resource(call, &input.endpoint_arn)
    }

    async fn handle(
        &self,
        call: &Call,
        input: GetEndpointAttributesInput,
    ) -> Result<GetEndpointAttributesResponse, Fault> {
        let (_, endpoint) = self.device(&Scope::of(call), ARN, &input.endpoint_arn).await?;
        Ok(GetEndpointAttributesResponse { attributes: Some(endpoint.show()) })
    }
}

impl Handle<SetEndpointAttributes> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &SetEndpointAttributesInput) -> Arn {
        resource(call, &input.endpoint_arn)
    }

    async fn handle(&self, call: &Call, input: SetEndpointAttributesInput) -> Result<Empty, Fault> {
        let _one_at_a_time = self.managing.lock().await;
        let (application, mut endpoint) = self.device(&Scope::of(call), ARN, &input.endpoint_arn).await?;
        endpoint.apply(input.attributes)?;
        self.cellar.put_endpoint(&application, &endpoint).await?;
        Ok(Empty {})
    }
}

impl Handle<ListEndpointsByPlatformApplication> for Topics {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ListEndpointsByPlatformApplicationInput) -> Arn {
        resource(call, &input.platform_application_arn)
    }

    async fn handle(
        &self,
        call: &Call,
        input: ListEndpointsByPlatformApplicationInput,
    ) -> Result<ListEndpointsByPlatformApplicationResponse, Fault> {
        let application = self.application(&Scope::of(call), &input.platform_application_arn).await?;
        let after = page::read(input.next_token.as_deref())?;
        let after = after.map(|id| Uuid::try_parse(&id)).transpose();
        let after = after.map_err(|_| Error::because("NextToken", "Invalid or expired next token"))?;
        let found = self.cellar.endpoints(&application, after, page::PAGE + 1).await?;
        let (found, next_token) = page::cut(found, |one| one.id.to_string());
        let show = |one: &Endpoint| Shown {
            endpoint_arn: Some(application.endpoint_arn(one.id)),
            attributes: Some(one.show()),
        };
        Ok(ListEndpointsByPlatformApplicationResponse { endpoints: Some(found.iter().map(show).collect()), next_token })
    }
}
