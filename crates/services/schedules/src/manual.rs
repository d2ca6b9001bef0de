//! What people do beside AWS's operations: fire a schedule now, and see what comes next.

use contract::Call;
use delivery::put;

use crate::Schedules;
use crate::error::Error;
use crate::model::{Due, ScheduleName, Scope};

/// What was fired by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    /// The schedule's ARN.
    pub arn: String,
    /// Its target's.
    pub target: String,
}

/// A schedule in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its group.
    pub group: String,
    /// Its name.
    pub name: String,
    /// Its expression.
    pub expression: String,
    /// The expression's zone.
    pub zone: String,
    /// Its target's ARN.
    pub target: String,
    /// When it fires next, in milliseconds since the epoch. `None`: it rests, or has fired for the last time.
    pub next_ms: Option<i64>,
}

/// The most schedules of one list.
const LISTED_MAX: usize = 1_000;

impl Schedules {
    /// Fires a schedule now, whatever its state and times, which stay as they are. `None` for the group: the default one.
    pub async fn fire_now(&self, call: &Call, group: Option<&str>, name: &str) -> Result<Fired, Error> {
        let name = &Scope::of(call).group(group).schedule(name);
        let now_ms = self.now_ms();
        self.cabinet
            .change(|drawer| async move {
                let missing = || Error::ScheduleMissing(name.name.to_string());
                let schedule = drawer.schedule(name).await?.ok_or_else(missing)?;
                let delivery = self.delivery(&schedule, Due { due_ms: now_ms, fire_ms: now_ms })?;
                put(drawer.transaction(), &delivery);
                Ok(Fired { arn: name.arn().to_string(), target: schedule.settings.target.arn })
            })
            .await
    }

    /// The first thousand schedules in order of their groups and names, with the times that they fire next.
    pub async fn listed(&self, call: &Call) -> Result<Vec<Listed>, Error> {
        let page = self.cabinet.schedules(&Scope::of(call), None, None, LISTED_MAX).await?;
        let mut listed = Vec::with_capacity(page.items.len());
        for schedule in page.items {
            let ScheduleName { group, name } = &schedule.name;
            listed.push(Listed {
                group: group.name.to_string(),
                name: name.to_string(),
                next_ms: self.cabinet.next(&schedule.name).await?.map(|due| due.fire_ms),
                expression: schedule.settings.expression,
                zone: schedule.settings.zone,
                target: schedule.settings.target.arn,
            });
        }
        Ok(listed)
    }
}
