//! The list of operations. Each has a file of its own.

mod get_caller_identity;

use std::sync::Arc;

use dispatch::Registry;

use crate::Identity;

/// Serves every operation of this service.
pub fn register(registry: &mut Registry, service: &Arc<Identity>) {
    registry.add::<wire::sts::GetCallerIdentity, _>(service);
}
