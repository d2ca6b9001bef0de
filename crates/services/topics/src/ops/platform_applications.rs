//! Platform applications: made, shown, changed, deleted.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::sns::{
    CreatePlatformApplication, CreatePlatformApplicationInput, CreatePlatformApplicationResponse,
    DeletePlatformApplication, DeletePlatformApplicationInput, GetPlatformApplicationAttributes,
    GetPlatformApplicationAttributesInput, GetPlatformApplicationAttributesResponse, ListPlatformApplications,
    ListPlatformApplicationsInput, ListPlatformApplicationsResponse, PlatformApplication,
    SetPlatformApplicationAttributes, SetPlatformApplicationAttributesInput,
};

use super::{everything, page, resource};
use crate::Topics;
use crate::error::Error;
use crate::model::{Application, Scope};

const ARN: &str = "PlatformApplicationArn";

impl Handle<CreatePlatformApplication> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, _input: &CreatePlatformApplicationInput) -> Arn {
        everything(call)
    }

    async fn handle(
        &self,
        call: &Call,
        input: CreatePlatformApplicationInput,
    ) -> Result<CreatePlatformApplicationResponse, Fault> {
        let _one_at_a_time = self.managing.lock().await;
        let application = Application::new(Scope::of(call), input.platform, input.name, input.attributes)?;
        match self.cellar.application(&application.scope, &application.platform, &application.name).await {
            Err(Error::ApplicationMissing) => self.cellar.put_application(&application).await?,
            Ok(there) if there == application => {}
            Ok(_) => {
                let why = "An application with the same name but different properties already exists";
                return Err(Error::because("Attributes", why).into());
            }
            Err(error) => return Err(error.into()),
        }
        Ok(CreatePlatformApplicationResponse { platform_application_arn: Some(application.arn()) })
    }
}

impl Handle<DeletePlatformApplication> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeletePlatformApplicationInput) -> Arn {
        resource(call, &input.platform_application_arn)
    }

    async fn handle(&self, call: &Call, input: DeletePlatformApplicationInput) -> Result<Empty, Fault> {
        let _one_at_a_time = self.managing.lock().await;
        let scope = Scope::of(call);
        let (platform, name) = scope.application(ARN, &input.platform_application_arn)?;
        self.cellar.delete_application(&scope, platform, name).await?;
        Ok(Empty {})
    }
}

impl Handle<GetPlatformApplicationAttributes> for Topics {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &GetPlatformApplicationAttributesInput) -> Arn {
        resource(call, &input.platform_application_arn)
    }

    async fn handle(
        &self,
        call: &Call,
        input: GetPlatformApplicationAttributesInput,
    ) -> Result<GetPlatformApplicationAttributesResponse, Fault> {
        let application = self.application(&Scope::of(call), &input.platform_application_arn).await?;
        Ok(GetPlatformApplicationAttributesResponse { attributes: Some(application.show()) })
    }
}

impl Handle<SetPlatformApplicationAttributes> for Topics {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &SetPlatformApplicationAttributesInput) -> Arn {
        resource(call, &input.platform_application_arn)
    }

    async fn handle(&self, call: &Call, input: SetPlatformApplicationAttributesInput) -> Result<Empty, Fault> {
        let _one_at_a_time = self.managing.lock().await;
        let mut application = self.application(&Scope::of(call), &input.platform_application_arn).await?;
        application.apply(input.attributes)?;
        self.cellar.put_application(&application).await?;
        Ok(Empty {})
    }
}

impl Handle<ListPlatformApplications> for Topics {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, _input: &ListPlatformApplicationsInput) -> Arn {
        everything(call)
    }

    async fn handle(
        &self,
        call: &Call,
        input: ListPlatformApplicationsInput,
    ) -> Result<ListPlatformApplicationsResponse, Fault> {
        let after = page::read(input.next_token.as_deref())?;
        let after = after.as_deref().and_then(|token| token.split_once('/'));
        let found = self.cellar.applications(&Scope::of(call), after, page::PAGE + 1).await?;
        let (found, next_token) = page::cut(found, |one| format!("{}/{}", one.platform, one.name));
        let show = |one: &Application| PlatformApplication {
            platform_application_arn: Some(one.arn()),
            attributes: Some(one.show()),
        };
        Ok(ListPlatformApplicationsResponse {
            platform_applications: Some(found.iter().map(show).collect()),
            next_token,
        })
    }
}

impl Topics {
    /// The platform application that an ARN names.
    pub(super) async fn application(&self, scope: &Scope, arn: &str) -> Result<Application, Error> {
        let (platform, name) = scope.application(ARN, arn)?;
        self.cellar.application(scope, platform, name).await
    }
}
