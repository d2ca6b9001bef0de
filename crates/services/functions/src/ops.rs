//! The list of operations. Each has a file of its own.

mod add_permission;
mod create_alias;
mod create_event_source_mapping;
mod create_function;
mod create_function_url_config;
mod delete_alias;
mod delete_event_source_mapping;
mod delete_function;
mod delete_function_concurrency;
mod delete_function_url_config;
mod delete_provisioned_concurrency_config;
mod get_account_settings;
mod get_alias;
mod get_event_source_mapping;
mod get_function;
mod get_function_code_signing_config;
mod get_function_concurrency;
mod get_function_configuration;
mod get_function_recursion_config;
mod get_function_url_config;
mod get_policy;
mod get_provisioned_concurrency_config;
mod get_runtime_management_config;
mod input;
mod invoke;
mod list_aliases;
mod list_event_source_mappings;
mod list_function_url_configs;
mod list_functions;
mod list_provisioned_concurrency_configs;
mod list_tags;
mod list_versions_by_function;
mod lookup;
mod mapping_view;
mod publish_version;
mod put_function_concurrency;
mod put_function_recursion_config;
mod put_provisioned_concurrency_config;
mod put_runtime_management_config;
mod remove_permission;
mod tag_resource;
#[cfg(test)]
mod tests;
mod untag_resource;
mod update_alias;
mod update_event_source_mapping;
mod update_function_code;
mod update_function_configuration;
mod update_function_url_config;
mod view;

use std::sync::Arc;

use dispatch::Registry;
use wire::lambda as op;

use crate::Functions;

pub(crate) use view::version_text;

/// Serves every operation of this service.
pub fn register(registry: &mut Registry, service: &Arc<Functions>) {
    registry.add::<op::CreateFunction, _>(service);
    registry.add::<op::GetFunction, _>(service);
    registry.add::<op::GetFunctionConfiguration, _>(service);
    registry.add::<op::ListFunctions, _>(service);
    registry.add::<op::UpdateFunctionCode, _>(service);
    registry.add::<op::UpdateFunctionConfiguration, _>(service);
    registry.add::<op::DeleteFunction, _>(service);
    registry.add::<op::Invoke, _>(service);
    registry.add::<op::PublishVersion, _>(service);
    registry.add::<op::ListVersionsByFunction, _>(service);
    registry.add::<op::CreateAlias, _>(service);
    registry.add::<op::GetAlias, _>(service);
    registry.add::<op::UpdateAlias, _>(service);
    registry.add::<op::DeleteAlias, _>(service);
    registry.add::<op::ListAliases, _>(service);
    registry.add::<op::CreateFunctionUrlConfig, _>(service);
    registry.add::<op::GetFunctionUrlConfig, _>(service);
    registry.add::<op::UpdateFunctionUrlConfig, _>(service);
    registry.add::<op::DeleteFunctionUrlConfig, _>(service);
    registry.add::<op::ListFunctionUrlConfigs, _>(service);
    registry.add::<op::AddPermission, _>(service);
    registry.add::<op::GetPolicy, _>(service);
    registry.add::<op::RemovePermission, _>(service);
    registry.add::<op::TagResource, _>(service);
    registry.add::<op::UntagResource, _>(service);
    registry.add::<op::ListTags, _>(service);
    registry.add::<op::PutFunctionConcurrency, _>(service);
    registry.add::<op::GetFunctionConcurrency, _>(service);
    registry.add::<op::DeleteFunctionConcurrency, _>(service);
    registry.add::<op::PutProvisionedConcurrencyConfig, _>(service);
    registry.add::<op::GetProvisionedConcurrencyConfig, _>(service);
    registry.add::<op::DeleteProvisionedConcurrencyConfig, _>(service);
    registry.add::<op::ListProvisionedConcurrencyConfigs, _>(service);
    registry.add::<op::GetAccountSettings, _>(service);
    registry.add::<op::GetFunctionCodeSigningConfig, _>(service);
    registry.add::<op::GetFunctionRecursionConfig, _>(service);
    registry.add::<op::PutFunctionRecursionConfig, _>(service);
    registry.add::<op::GetRuntimeManagementConfig, _>(service);
    registry.add::<op::PutRuntimeManagementConfig, _>(service);
    registry.add::<op::CreateEventSourceMapping, _>(service);
    registry.add::<op::GetEventSourceMapping, _>(service);
    registry.add::<op::ListEventSourceMappings, _>(service);
    registry.add::<op::UpdateEventSourceMapping, _>(service);
    registry.add::<op::DeleteEventSourceMapping, _>(service);
    registry.attach("lambda", Arc::clone(service) as Arc<dyn dispatch::Attachments>);
}
