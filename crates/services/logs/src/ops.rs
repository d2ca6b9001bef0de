//! The operations, one file each, and what several of them share.

mod create_log_group;
mod create_log_stream;
mod delete_log_group;
mod delete_log_stream;
mod delete_retention_policy;
mod describe_log_groups;
mod describe_log_streams;
mod filter_log_events;
mod get_log_events;
mod list_tags_for_resource;
mod list_tags_log_group;
mod names;
mod put_log_events;
mod put_retention_policy;
mod tag_log_group;
mod tag_resource;
mod untag_log_group;
mod untag_resource;

use std::sync::Arc;

use dispatch::Registry;
use wire::logs::{
    CreateLogGroup, CreateLogStream, DeleteLogGroup, DeleteLogStream, DeleteRetentionPolicy, DescribeLogGroups,
    DescribeLogStreams, FilterLogEvents, GetLogEvents, ListTagsForResource, ListTagsLogGroup, PutLogEvents,
    PutRetentionPolicy, TagLogGroup, TagResource, UntagLogGroup, UntagResource,
};

use crate::Logs;

/// Names every operation that is served.
pub fn register(registry: &mut Registry, logs: &Arc<Logs>) {
    registry.add::<CreateLogGroup, _>(logs);
    registry.add::<CreateLogStream, _>(logs);
    registry.add::<DeleteLogGroup, _>(logs);
    registry.add::<DeleteLogStream, _>(logs);
    registry.add::<DeleteRetentionPolicy, _>(logs);
    registry.add::<DescribeLogGroups, _>(logs);
    registry.add::<DescribeLogStreams, _>(logs);
    registry.add::<FilterLogEvents, _>(logs);
    registry.add::<GetLogEvents, _>(logs);
    registry.add::<ListTagsForResource, _>(logs);
    registry.add::<ListTagsLogGroup, _>(logs);
    registry.add::<PutLogEvents, _>(logs);
    registry.add::<PutRetentionPolicy, _>(logs);
    registry.add::<TagLogGroup, _>(logs);
    registry.add::<TagResource, _>(logs);
    registry.add::<UntagLogGroup, _>(logs);
    registry.add::<UntagResource, _>(logs);
}
