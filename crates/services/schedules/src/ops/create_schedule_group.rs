//! `CreateScheduleGroup`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::scheduler::{CreateScheduleGroup, CreateScheduleGroupInput, CreateScheduleGroupOutput};

use super::tag_resource::add;
use crate::Schedules;
use crate::error::Error;
use crate::model::{Group, Scope};

impl Handle<CreateScheduleGroup> for Schedules {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &CreateScheduleGroupInput) -> Arn {
        Scope::of(call).group(Some(&input.name)).arn()
    }

    async fn handle(&self, call: &Call, input: CreateScheduleGroupInput) -> Result<CreateScheduleGroupOutput, Fault> {
        let now_ms = self.now_ms();
        let mut group = Group {
            name: Scope::of(call).group(Some(&input.name)),
            created_ms: now_ms,
            modified_ms: now_ms,
            deleting: false,
            token: input.client_token,
            tags: Default::default(),
        };
        add(&mut group.tags, input.tags.unwrap_or_default())?;
        let group = &group;
        self.cabinet
            .change(|drawer| async move {
                let name = || group.name.name.to_string();
                match drawer.group(&group.name).await? {
                    Some(there) if there.deleting => Err(Error::GroupDeleting(name())),
                    Some(there) if group.token.is_some() && there.token == group.token && there.tags == group.tags => {
                        Ok(())
                    }
                    Some(_) => Err(Error::GroupExists(name())),
                    None if group.name.is_default() => Err(Error::GroupExists(name())),
                    None => {
                        drawer.put_group(group);
                        Ok(())
                    }
                }
            })
            .await?;
        Ok(CreateScheduleGroupOutput { schedule_group_arn: group.name.arn().to_string() })
    }
}
