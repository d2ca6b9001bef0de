//! The operations: one file for each noun, because what they share is most of each.

mod archives;
mod buses;
mod connections;
mod destinations;
mod page;
mod permissions;
mod put_events;
mod replays;
mod rules;
mod tags;
mod targets;
mod test_event_pattern;

use std::sync::Arc;

use dispatch::Registry;
use jiff::Timestamp;
use wire::events as aws;

use crate::Events;

/// Names every operation that is served.
pub fn register(registry: &mut Registry, events: &Arc<Events>) {
    registry.add::<aws::CancelReplay, _>(events);
    registry.add::<aws::CreateApiDestination, _>(events);
    registry.add::<aws::CreateArchive, _>(events);
    registry.add::<aws::CreateConnection, _>(events);
    registry.add::<aws::CreateEventBus, _>(events);
    registry.add::<aws::DeauthorizeConnection, _>(events);
    registry.add::<aws::DeleteApiDestination, _>(events);
    registry.add::<aws::DeleteArchive, _>(events);
    registry.add::<aws::DeleteConnection, _>(events);
    registry.add::<aws::DeleteEventBus, _>(events);
    registry.add::<aws::DeleteRule, _>(events);
    registry.add::<aws::DescribeApiDestination, _>(events);
    registry.add::<aws::DescribeArchive, _>(events);
    registry.add::<aws::DescribeConnection, _>(events);
    registry.add::<aws::DescribeEventBus, _>(events);
    registry.add::<aws::DescribeReplay, _>(events);
    registry.add::<aws::DescribeRule, _>(events);
    registry.add::<aws::DisableRule, _>(events);
    registry.add::<aws::EnableRule, _>(events);
    registry.add::<aws::ListApiDestinations, _>(events);
    registry.add::<aws::ListArchives, _>(events);
    registry.add::<aws::ListConnections, _>(events);
    registry.add::<aws::ListEventBuses, _>(events);
    registry.add::<aws::ListReplays, _>(events);
    registry.add::<aws::ListRuleNamesByTarget, _>(events);
    registry.add::<aws::ListRules, _>(events);
    registry.add::<aws::ListTagsForResource, _>(events);
    registry.add::<aws::ListTargetsByRule, _>(events);
    registry.add::<aws::PutEvents, _>(events);
    registry.add::<aws::PutPermission, _>(events);
    registry.add::<aws::PutRule, _>(events);
    registry.add::<aws::PutTargets, _>(events);
    registry.add::<aws::RemovePermission, _>(events);
    registry.add::<aws::RemoveTargets, _>(events);
    registry.add::<aws::StartReplay, _>(events);
    registry.add::<aws::TagResource, _>(events);
    registry.add::<aws::TestEventPattern, _>(events);
    registry.add::<aws::UntagResource, _>(events);
    registry.add::<aws::UpdateApiDestination, _>(events);
    registry.add::<aws::UpdateArchive, _>(events);
    registry.add::<aws::UpdateConnection, _>(events);
    registry.add::<aws::UpdateEventBus, _>(events);
}

/// A time as shapes have it.
fn timestamp(ms: i64) -> Option<Timestamp> {
    (ms != 0).then(|| Timestamp::from_millisecond(ms).ok()).flatten()
}
