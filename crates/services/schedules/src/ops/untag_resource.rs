//! `UntagResource`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::scheduler::{UntagResource, UntagResourceInput, UntagResourceOutput};

use crate::Schedules;
use crate::model::Group;

impl Handle<UntagResource> for Schedules {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &UntagResourceInput) -> Arn {
        super::tagged_resource(call, &input.resource_arn)
    }

    async fn handle(&self, call: &Call, input: UntagResourceInput) -> Result<UntagResourceOutput, Fault> {
        let name = &super::tagged(call, &input.resource_arn)?;
        let (now_ms, keys) = (self.now_ms(), &input.tag_keys);
        self.cabinet
            .change(|drawer| async move {
                let mut group = self.open_group(&drawer, name).await?;
                group.tags.retain(|key, _| !keys.contains(key));
                drawer.put_group(&Group { modified_ms: now_ms, ..group });
                Ok(())
            })
            .await?;
        Ok(UntagResourceOutput {})
    }
}
