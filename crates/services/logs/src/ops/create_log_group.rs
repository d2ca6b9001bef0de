//! `CreateLogGroup`. A key for encryption is refused, as AWS refuses one that is not there: there is no key service yet,
//! and accepting it would promise encryption.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::logs::{CreateLogGroup, CreateLogGroupRequest, LogGroupClass};

use super::names::{add_tags, group_arn, group_resource};
use crate::error::Error;
use crate::model::GroupClass;
use crate::store::NewGroup;
use crate::{Logs, scope};

impl Handle<CreateLogGroup> for Logs {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &CreateLogGroupRequest) -> Arn {
        group_resource(call, &input.log_group_name)
    }

    async fn handle(&self, call: &Call, input: CreateLogGroupRequest) -> Result<Empty, Fault> {
        let name = input.log_group_name;
        let arn = group_arn(call, &name).to_string();
        if name.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("aws/")) {
            return Err(Error::Invalid("Log groups starting with AWS/ are reserved for AWS.".into()).into());
        }
        if input.kms_key_id.is_some() {
            let message =
                format!("The specified KMS key does not exist or is not allowed to be used with LogGroup '{arn}'");
            return Err(Error::Invalid(message).into());
        }
        let mut tags = Default::default();
        add_tags(&mut tags, &input.tags.unwrap_or_default(), &arn)?;
        let class = match input.log_group_class {
            Some(LogGroupClass::InfrequentAccess) => GroupClass::InfrequentAccess,
            Some(LogGroupClass::Delivery) => GroupClass::Delivery,
            // The model lets no other value through.
            Some(LogGroupClass::Standard | LogGroupClass::Other(_)) | None => GroupClass::Standard,
        };
        let is_protected = input.deletion_protection_enabled.unwrap_or_default();
        self.archive.create_group(&scope(call), NewGroup { name, class, is_protected, tags }).await?;
        Ok(Empty)
    }
}
