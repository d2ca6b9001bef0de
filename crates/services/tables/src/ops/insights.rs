//! `UpdateContributorInsights`, `DescribeContributorInsights`, `ListContributorInsights`: kept and shown. The node's own metrics say who
//! uses a table.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::dynamodb::{
    ContributorInsightsAction, ContributorInsightsStatus, ContributorInsightsSummary, DescribeContributorInsights,
    DescribeContributorInsightsInput, DescribeContributorInsightsOutput, ListContributorInsights,
    ListContributorInsightsInput, ListContributorInsightsOutput, UpdateContributorInsights,
    UpdateContributorInsightsInput, UpdateContributorInsightsOutput,
};

use super::table_resource;
use crate::model::{Scope, Table};
use crate::{Error, Tables};

fn status(table: &Table, index: &str) -> ContributorInsightsStatus {
    match table.insights.get(index) {
        Some(true) => ContributorInsightsStatus::Enabled,
        Some(false) | None => ContributorInsightsStatus::Disabled,
    }
}

fn check_index(table: &Table, index: Option<&str>) -> Result<(), Error> {
    match index {
        Some(name) if table.index(name).is_none() => {
            Err(Error::Missing(format!("Requested resource not found: Table: {} Index: {name} not found", table.name)))
        }
        Some(_) | None => Ok(()),
    }
}

impl Handle<UpdateContributorInsights> for Tables {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &UpdateContributorInsightsInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(
        &self,
        call: &Call,
        input: UpdateContributorInsightsInput,
    ) -> Result<UpdateContributorInsightsOutput, Fault> {
        let desk = self.managed(&Scope::of(call), &input.table_name)?;
        let index = input.index_name.clone().unwrap_or_default();
        let set = |table: &mut Table| {
            check_index(table, input.index_name.as_deref())?;
            let on = input.contributor_insights_action == ContributorInsightsAction::Enable;
            table.insights.insert(index.clone(), on);
            Ok(())
        };
        let (sight, ()) = self.change(&desk, set).await?;
        Ok(UpdateContributorInsightsOutput {
            table_name: Some(sight.table.name.clone()),
            contributor_insights_status: Some(status(&sight.table, &index)),
            index_name: input.index_name,
            contributor_insights_mode: input.contributor_insights_mode,
        })
    }
}

impl Handle<DescribeContributorInsights> for Tables {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &DescribeContributorInsightsInput) -> Arn {
        table_resource(call, &input.table_name)
    }

    async fn handle(
        &self,
        call: &Call,
        input: DescribeContributorInsightsInput,
    ) -> Result<DescribeContributorInsightsOutput, Fault> {
        let sight = self.managed(&Scope::of(call), &input.table_name)?.sight();
        check_index(&sight.table, input.index_name.as_deref())?;
        Ok(DescribeContributorInsightsOutput {
            table_name: Some(sight.table.name.clone()),
            contributor_insights_status: Some(status(&sight.table, input.index_name.as_deref().unwrap_or_default())),
            index_name: input.index_name,
            ..Default::default()
        })
    }
}

impl Handle<ListContributorInsights> for Tables {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &ListContributorInsightsInput) -> Arn {
        table_resource(call, input.table_name.as_deref().unwrap_or("*"))
    }

    async fn handle(
        &self,
        call: &Call,
        input: ListContributorInsightsInput,
    ) -> Result<ListContributorInsightsOutput, Fault> {
        let scope = Scope::of(call);
        let desks = match &input.table_name {
            Some(name) => vec![self.managed(&scope, name)?],
            None => self.desks.list(&scope, None, usize::MAX),
        };
        let mut summaries = Vec::new();
        for sight in desks.iter().map(|desk| desk.sight()) {
            summaries.extend(sight.table.insights.keys().map(|index| ContributorInsightsSummary {
                table_name: Some(sight.table.name.clone()),
                index_name: (!index.is_empty()).then(|| index.clone()),
                contributor_insights_status: Some(status(&sight.table, index)),
                contributor_insights_mode: None,
            }));
        }
        Ok(ListContributorInsightsOutput { contributor_insights_summaries: Some(summaries), next_token: None })
    }
}
