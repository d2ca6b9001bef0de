//! `PutRetentionPolicy`. What is older is out of sight at once, and taken away by the background.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::Empty;
use wire::logs::{PutRetentionPolicy, PutRetentionPolicyRequest};

use super::names::group_resource;
use crate::error::Error;
use crate::model::RETENTION_DAYS;
use crate::{Logs, scope};

impl Handle<PutRetentionPolicy> for Logs {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &PutRetentionPolicyRequest) -> Arn {
        group_resource(call, &input.log_group_name)
    }

    async fn handle(&self, call: &Call, input: PutRetentionPolicyRequest) -> Result<Empty, Fault> {
        let known = u32::try_from(input.retention_in_days).ok().filter(|days| RETENTION_DAYS.contains(days));
        let Some(days) = known else { return Err(unknown(input.retention_in_days).into()) };
        let retain = |group: &mut crate::model::Group| {
            group.retention_days = Some(days);
            Ok(())
        };
        self.archive.change_group(&scope(call), &input.log_group_name, retain).await?;
        Ok(Empty)
    }
}

fn unknown(days: i32) -> Error {
    let values = RETENTION_DAYS.map(|days| days.to_string()).join(", ");
    Error::Invalid(format!(
        "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: Member must \
         satisfy enum value set: [{values}]"
    ))
}
