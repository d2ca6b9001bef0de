//! `UpdateTimeToLive`, `DescribeTimeToLive`.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::dynamodb::{
    DescribeTimeToLive, DescribeTimeToLiveInput, DescribeTimeToLiveOutput, TimeToLiveDescription, TimeToLiveStatus,
    UpdateTimeToLive, UpdateTimeToLiveInput, UpdateTimeToLiveOutput,
};

use super::table_resource;
use crate::model::table::Expiry;
use crate::model::{Scope, Table};
use crate::{Error, Tables};

impl Handle<UpdateTimeToLive> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &UpdateTimeToLiveInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(&self, call: &Call, input: UpdateTimeToLiveInput) -> Result<UpdateTimeToLiveOutput, Fault> {
        let desk = self.managed(&Scope::of(call), &input.table_name)?;
        let wanted = input.time_to_live_specification;
        let set = |table: &mut Table| {
            match (&table.expiry, wanted.enabled) {
                (Some(there), true) if there.attribute == wanted.attribute_name => {
                    return Err(Error::Invalid("TimeToLive is already enabled".to_owned()));
                }
                (Some(there), _) if there.attribute != wanted.attribute_name => {
                    return Err(Error::Invalid(format!(
                        "TimeToLive is active on a different AttributeName: current AttributeName is {}",
                        there.attribute
                    )));
                }
                (None, false) => return Err(Error::Invalid("TimeToLive is already disabled".to_owned())),
                (Some(_), _) | (None, true) => {}
            }
            table.expiry = wanted.enabled.then(|| Expiry {
                attribute: wanted.attribute_name.clone(),
                number: table.indexes_made,
                ready: false,
            });
            // Settings and indexes share their numbers: neither ever comes again.
            table.indexes_made += 1;
            Ok(())
        };
        self.change(&desk, set).await?;
        self.resume(&desk);
        Ok(UpdateTimeToLiveOutput { time_to_live_specification: Some(wanted) })
    }
}

impl Handle<DescribeTimeToLive> for Tables {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &DescribeTimeToLiveInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(&self, call: &Call, input: DescribeTimeToLiveInput) -> Result<DescribeTimeToLiveOutput, Fault> {
        let sight = self.managed(&Scope::of(call), &input.table_name)?.sight();
        let description = match &sight.table.expiry {
            Some(expiry) => TimeToLiveDescription {
                time_to_live_status: Some(TimeToLiveStatus::Enabled),
                attribute_name: Some(expiry.attribute.clone()),
            },
            None => {
                TimeToLiveDescription { time_to_live_status: Some(TimeToLiveStatus::Disabled), attribute_name: None }
            }
        };
        Ok(DescribeTimeToLiveOutput { time_to_live_description: Some(description) })
    }
}
