//! `DeleteScheduleGroup`: from now on nothing can be put into the group; its schedules, and then the group, are taken away behind it.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::scheduler::{DeleteScheduleGroup, DeleteScheduleGroupInput, DeleteScheduleGroupOutput};

use crate::Schedules;
use crate::error::Error;
use crate::model::{Group, Scope};

impl Handle<DeleteScheduleGroup> for Schedules {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &DeleteScheduleGroupInput) -> Arn {
        Scope::of(call).group(Some(&input.name)).arn()
    }

    async fn handle(&self, call: &Call, input: DeleteScheduleGroupInput) -> Result<DeleteScheduleGroupOutput, Fault> {
        let name = &Scope::of(call).group(Some(&input.name));
        if name.is_default() {
            return Err(Error::invalid("The default schedule group cannot be deleted.").into());
        }
        self.cabinet
            .change(|drawer| async move {
                let missing = || Error::GroupMissing(name.name.to_string());
                let group = drawer.group(name).await?.ok_or_else(missing)?;
                drawer.put_group(&Group { deleting: true, ..group });
                Ok(())
            })
            .await?;
        Ok(DeleteScheduleGroupOutput {})
    }
}
