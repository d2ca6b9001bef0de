//! `DescribeLimits`, `DescribeEndpoints`, `ListGlobalTables`: what is so of the whole account.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::dynamodb::{
    DescribeEndpoints, DescribeEndpointsRequest, DescribeEndpointsResponse, DescribeLimits, DescribeLimitsInput,
    DescribeLimitsOutput, Endpoint, ListGlobalTables, ListGlobalTablesInput, ListGlobalTablesOutput,
};

use crate::Tables;

const ACCOUNT_UNITS_MAX: i64 = 80_000;
const TABLE_UNITS_MAX: i64 = 40_000;
const CACHED_MINUTES: i64 = 1_440;

impl Handle<DescribeLimits> for Tables {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, _input: &DescribeLimitsInput) -> Arn {
        Arn::any()
    }

    async fn handle(&self, _call: &Call, _input: DescribeLimitsInput) -> Result<DescribeLimitsOutput, Fault> {
        Ok(DescribeLimitsOutput {
            account_max_read_capacity_units: Some(ACCOUNT_UNITS_MAX),
            account_max_write_capacity_units: Some(ACCOUNT_UNITS_MAX),
            table_max_read_capacity_units: Some(TABLE_UNITS_MAX),
            table_max_write_capacity_units: Some(TABLE_UNITS_MAX),
        })
    }
}

impl Handle<DescribeEndpoints> for Tables {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, _input: &DescribeEndpointsRequest) -> Arn {
        Arn::any()
    }

    /// The address that the caller has already: clients that ask go on where they are.
    async fn handle(&self, call: &Call, _input: DescribeEndpointsRequest) -> Result<DescribeEndpointsResponse, Fault> {
        let base_url = call.base_url();
        let address = base_url.split_once("://").map_or(base_url, |(_, host)| host).to_owned();
        let endpoint = Endpoint { address, cache_period_in_minutes: CACHED_MINUTES };
        Ok(DescribeEndpointsResponse { endpoints: vec![endpoint] })
    }
}

impl Handle<ListGlobalTables> for Tables {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, _input: &ListGlobalTablesInput) -> Arn {
        Arn::any()
    }

    /// None: this is one node in one region.
    async fn handle(&self, _call: &Call, _input: ListGlobalTablesInput) -> Result<ListGlobalTablesOutput, Fault> {
        Ok(ListGlobalTablesOutput { global_tables: Some(Vec::new()), last_evaluated_global_table_name: None })
    }
}
