//! `EnableKinesisStreamingDestination` and its kin: kept and shown. Changes go into the table's own stream.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::dynamodb::{
    ApproximateCreationDateTimePrecision, DescribeKinesisStreamingDestination,
    DescribeKinesisStreamingDestinationInput, DescribeKinesisStreamingDestinationOutput, DestinationStatus,
    DisableKinesisStreamingDestination, EnableKinesisStreamingDestination, KinesisDataStreamDestination,
    KinesisStreamingDestinationInput, KinesisStreamingDestinationOutput, UpdateKinesisStreamingDestination,
    UpdateKinesisStreamingDestinationInput, UpdateKinesisStreamingDestinationOutput,
};

use super::table_resource;
use crate::model::table::Destination;
use crate::model::{Scope, Table};
use crate::{Error, Tables};

const ENABLED_MAX: usize = 2;
/// Destinations that are shown of one table.
const KEPT_MAX: usize = 10;

fn missing(arn: &str) -> Error {
    Error::Missing(format!("Requested resource not found: no active streaming destination {arn}"))
}

impl Handle<EnableKinesisStreamingDestination> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &KinesisStreamingDestinationInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(
        &self,
        call: &Call,
        input: KinesisStreamingDestinationInput,
    ) -> Result<KinesisStreamingDestinationOutput, Fault> {
        let desk = self.managed(&Scope::of(call), &input.table_name)?;
        let settings = input.enable_kinesis_streaming_configuration.clone();
        let precision = settings.and_then(|settings| settings.approximate_creation_date_time_precision);
        let set = |table: &mut Table| {
            let enabled = |(_, destination): &(&String, &Destination)| destination.enabled;
            if table.destinations.get(&input.stream_arn).is_some_and(|there| there.enabled) {
                return Err(Error::Invalid(
                    "Table is not in a valid state to enable Kinesis Streaming Destination: it is enabled".to_owned(),
                ));
            }
            if table.destinations.iter().filter(enabled).count() >= ENABLED_MAX {
                return Err(Error::Limit(format!("A table has at most {ENABLED_MAX} streaming destinations")));
            }
            // Those that were disabled are shown, but not without end.
            let disabled = |(arn, there): (&String, &Destination)| (!there.enabled).then(|| arn.clone());
            while table.destinations.len() >= KEPT_MAX
                && let Some(oldest) = table.destinations.iter().find_map(disabled)
            {
                table.destinations.remove(&oldest);
            }
            let precision = precision.as_ref().map(ToString::to_string);
            table.destinations.insert(input.stream_arn.clone(), Destination { enabled: true, precision });
            Ok(())
        };
        let (sight, ()) = self.change(&desk, set).await?;
        Ok(KinesisStreamingDestinationOutput {
            table_name: Some(sight.table.name.clone()),
            stream_arn: Some(input.stream_arn),
            destination_status: Some(DestinationStatus::Enabling),
            enable_kinesis_streaming_configuration: input.enable_kinesis_streaming_configuration,
        })
    }
}

impl Handle<DisableKinesisStreamingDestination> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &KinesisStreamingDestinationInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(
        &self,
        call: &Call,
        input: KinesisStreamingDestinationInput,
    ) -> Result<KinesisStreamingDestinationOutput, Fault> {
        let desk = self.managed(&Scope::of(call), &input.table_name)?;
        let set = |table: &mut Table| {
            let there = table.destinations.get_mut(&input.stream_arn).filter(|there| there.enabled);
            there.ok_or_else(|| missing(&input.stream_arn))?.enabled = false;
            Ok(())
        };
        let (sight, ()) = self.change(&desk, set).await?;
        Ok(KinesisStreamingDestinationOutput {
            table_name: Some(sight.table.name.clone()),
            stream_arn: Some(input.stream_arn),
            destination_status: Some(DestinationStatus::Disabling),
            enable_kinesis_streaming_configuration: None,
        })
    }
}

impl Handle<UpdateKinesisStreamingDestination> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &UpdateKinesisStreamingDestinationInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(
        &self,
        call: &Call,
        input: UpdateKinesisStreamingDestinationInput,
    ) -> Result<UpdateKinesisStreamingDestinationOutput, Fault> {
        let desk = self.managed(&Scope::of(call), &input.table_name)?;
        let settings = input.update_kinesis_streaming_configuration.clone();
        let precision = settings.and_then(|settings| settings.approximate_creation_date_time_precision);
        let set = |table: &mut Table| {
            let there = table.destinations.get_mut(&input.stream_arn).filter(|there| there.enabled);
            let there = there.ok_or_else(|| missing(&input.stream_arn))?;
            there.precision = precision.as_ref().map(ToString::to_string);
            Ok(())
        };
        let (sight, ()) = self.change(&desk, set).await?;
        Ok(UpdateKinesisStreamingDestinationOutput {
            table_name: Some(sight.table.name.clone()),
            stream_arn: Some(input.stream_arn),
            destination_status: Some(DestinationStatus::Updating),
            update_kinesis_streaming_configuration: input.update_kinesis_streaming_configuration,
        })
    }
}

impl Handle<DescribeKinesisStreamingDestination> for Tables {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &DescribeKinesisStreamingDestinationInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(
        &self,
        call: &Call,
        input: DescribeKinesisStreamingDestinationInput,
    ) -> Result<DescribeKinesisStreamingDestinationOutput, Fault> {
        let sight = self.managed(&Scope::of(call), &input.table_name)?.sight();
        let shown = |(arn, destination): (&String, &Destination)| KinesisDataStreamDestination {
            stream_arn: Some(arn.clone()),
            destination_status: Some(match destination.enabled {
                true => DestinationStatus::Active,
                false => DestinationStatus::Disabled,
            }),
            destination_status_description: None,
            approximate_creation_date_time_precision: destination
                .precision
                .as_deref()
                .map(ApproximateCreationDateTimePrecision::from),
        };
        Ok(DescribeKinesisStreamingDestinationOutput {
            table_name: Some(sight.table.name.clone()),
            kinesis_data_stream_destinations: Some(sight.table.destinations.iter().map(shown).collect()),
        })
    }
}
