//! The documents, a row each.

use contract::{Arn, Call, Effect, Fault, Handle};
use dispatch::Registry;
use serde_json::json;
use wire::Empty;
use wire::s3;

use super::{Absent, checks};
use crate::Objects;
use crate::ops::bucket_arn;
use crate::store::read;

/// How small an object may be and still be moved to another class, where nobody says.
const SMALLEST_MOVED: s3::TransitionDefaultMinimumObjectSize =
    s3::TransitionDefaultMinimumObjectSize::AllStorageClasses128K;

/// An operation on one bucket: its effect, its policy action, and what it does.
macro_rules! on_bucket {
    ($op:ident, $input:ident, $output:ty, $effect:ident, $action:literal, |$objects:ident, $asked:ident| $body:expr) => {
        on_bucket!($op, $input, $output, $effect, $action, |$objects, $asked, _call| $body);
    };
    (
        $op:ident, $input:ident, $output:ty, $effect:ident, $action:literal,
        |$objects:ident, $asked:ident, $call:ident| $body:expr
    ) => {
        impl Handle<s3::$op> for Objects {
            const EFFECT: Effect = Effect::$effect;
            const ACTION: Option<&'static str> = Some(concat!("s3:", $action));

            fn resource(&self, _call: &Call, input: &s3::$input) -> Arn {
                bucket_arn(&input.bucket)
            }

            async fn handle(&self, $call: &Call, $asked: s3::$input) -> Result<$output, Fault> {
                let $objects = self;
                $body
            }
        }
    };
}

/// Sets the document that the member is, once it was checked.
macro_rules! put {
    ($op:ident, $input:ident, $member:ident, $kind:literal, $action:literal, $check:path) => {
        on_bucket!($op, $input, Empty, Write, $action, |objects, input| {
            $check(&input.$member)?;
            let document = wire::document::write(&input.$member);
            objects.configure(&input.bucket, $kind, "", Some(document)).await?;
            Ok(Empty)
        });
    };
}

/// Gives the document, under the member's name where the answer holds it as one.
macro_rules! get {
    ($op:ident, $input:ident, $output:ident, $kind:literal, $action:literal, $wrap:expr, $absent:expr) => {
        on_bucket!($op, $input, s3::$output, Read, $action, |objects, input| {
            let wrap: Option<&str> = $wrap;
            let document = match objects.configured(&input.bucket, $kind, "").await? {
                Some(document) => document,
                None => $absent.answer(&input.bucket)?,
            };
            let document = match wrap {
                Some(member) => json!({ member: document }),
                None => document,
            };
            Ok(read(document)?)
        });
    };
}

/// Takes the document away.
macro_rules! delete {
    ($op:ident, $input:ident, $kind:literal, $action:literal) => {
        on_bucket!($op, $input, Empty, Write, $action, |objects, input| {
            objects.configure(&input.bucket, $kind, "", None).await?;
            Ok(Empty)
        });
    };
}

/// Documents of which a bucket has several, each with an id: put, get, delete and list.
macro_rules! several {
    (
        $put:ident($put_input:ident), $get:ident($get_input:ident) -> $get_output:ident, $delete:ident($delete_input:ident),
        $list:ident($list_input:ident) -> $list_output:ident, $member:ident, $lines:ident, $kind:literal, $put_action:literal,
        $get_action:literal
    ) => {
        on_bucket!($put, $put_input, Empty, Write, $put_action, |objects, input| {
            checks::id(&input.id, &input.$member.id)?;
            let document = wire::document::write(&input.$member);
            objects.configure_one(&input.bucket, $kind, &input.id, document).await?;
            Ok(Empty)
        });
        on_bucket!($get, $get_input, s3::$get_output, Read, $get_action, |objects, input| {
            let absent = Absent::Fault("NoSuchConfiguration", "The specified configuration does not exist.");
            let document = match objects.configured(&input.bucket, $kind, &input.id).await? {
                Some(document) => document,
                None => absent.answer(&input.bucket)?,
            };
            Ok(s3::$get_output { $member: Some(read(document)?) })
        });
        on_bucket!($delete, $delete_input, Empty, Write, $put_action, |objects, input| {
            let absent = Absent::Fault("NoSuchConfiguration", "The specified configuration does not exist.");
            if objects.configured(&input.bucket, $kind, &input.id).await?.is_none() {
                absent.answer(&input.bucket)?;
            }
            objects.configure(&input.bucket, $kind, &input.id, None).await?;
            Ok(Empty)
        });
        on_bucket!($list, $list_input, s3::$list_output, Read, $get_action, |objects, input| {
            const LINES_MAX: usize = 100;
            let snapshot = objects.shelf.snapshot();
            objects.shelf.bucket(&snapshot, &input.bucket).await?;
            let after = input.continuation_token.as_deref();
            let (found, more) = objects.shelf.configs(&snapshot, &input.bucket, $kind, after, LINES_MAX).await?;
            let next = found.last().filter(|_| more).map(|(id, _)| id.clone());
            let lines: Result<Vec<_>, _> = found.into_iter().map(|(_, document)| read(document)).collect();
            Ok(s3::$list_output {
                is_truncated: Some(more),
                continuation_token: input.continuation_token,
                next_continuation_token: next,
                $lines: Some(lines?).filter(|lines| !lines.is_empty()),
            })
        });
    };
}

put!(PutBucketCors, PutBucketCorsRequest, cors_configuration, "cors", "PutBucketCORS", checks::cors);
get!(
    GetBucketCors,
    GetBucketCorsRequest,
    GetBucketCorsOutput,
    "cors",
    "GetBucketCORS",
    None,
    Absent::Fault("NoSuchCORSConfiguration", "The CORS configuration does not exist")
);
delete!(DeleteBucketCors, DeleteBucketCorsRequest, "cors", "PutBucketCORS");

put!(
    PutBucketEncryption,
    PutBucketEncryptionRequest,
    server_side_encryption_configuration,
    "encryption",
    "PutEncryptionConfiguration",
    checks::encryption
);
get!(
    GetBucketEncryption,
    GetBucketEncryptionRequest,
    GetBucketEncryptionOutput,
    "encryption",
    "GetEncryptionConfiguration",
    Some("ServerSideEncryptionConfiguration"),
    Absent::Default(json!({
        "Rules": [{ "ApplyServerSideEncryptionByDefault": { "SSEAlgorithm": "AES256" }, "BucketKeyEnabled": false }]
    }))
);
delete!(DeleteBucketEncryption, DeleteBucketEncryptionRequest, "encryption", "PutEncryptionConfiguration");

on_bucket!(
    PutBucketLifecycleConfiguration,
    PutBucketLifecycleConfigurationRequest,
    s3::PutBucketLifecycleConfigurationOutput,
    Write,
    "PutLifecycleConfiguration",
    |objects, input| {
        let mut configuration = input.lifecycle_configuration.ok_or_else(crate::error::malformed_xml)?;
        checks::lifecycle(&mut configuration)?;
        let mut document = wire::document::write(&configuration);
        let size = input.transition_default_minimum_object_size.unwrap_or(SMALLEST_MOVED);
        // Beside the rules, as GetBucketLifecycleConfiguration tells it.
        document["TransitionDefaultMinimumObjectSize"] = json!(size.as_str());
        objects.configure(&input.bucket, "lifecycle", "", Some(document)).await?;
        Ok(s3::PutBucketLifecycleConfigurationOutput { transition_default_minimum_object_size: Some(size) })
    }
);
on_bucket!(
    GetBucketLifecycleConfiguration,
    GetBucketLifecycleConfigurationRequest,
    s3::GetBucketLifecycleConfigurationOutput,
    Read,
    "GetLifecycleConfiguration",
    |objects, input| {
        let absent = Absent::Fault("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist");
        let document = match objects.configured(&input.bucket, "lifecycle", "").await? {
            Some(document) => document,
            None => absent.answer(&input.bucket)?,
        };
        let mut output: s3::GetBucketLifecycleConfigurationOutput = read(document)?;
        output.transition_default_minimum_object_size.get_or_insert(SMALLEST_MOVED);
        Ok(output)
    }
);
delete!(DeleteBucketLifecycle, DeleteBucketLifecycleRequest, "lifecycle", "PutLifecycleConfiguration");

on_bucket!(PutBucketLogging, PutBucketLoggingRequest, Empty, Write, "PutBucketLogging", |objects, input| {
    if let Some(enabled) = &input.bucket_logging_status.logging_enabled
        && objects.shelf.bucket(&objects.shelf.snapshot(), &enabled.target_bucket).await.is_err()
    {
        let message = "The target bucket for logging does not exist";
        let fault = crate::error::refused(400, "InvalidTargetBucketForLogging", message);
        return Err(fault.with("TargetBucket", enabled.target_bucket.as_str()));
    }
    let document = wire::document::write(&input.bucket_logging_status);
    objects.configure(&input.bucket, "logging", "", Some(document)).await?;
    Ok(Empty)
});
get!(
    GetBucketLogging,
    GetBucketLoggingRequest,
    GetBucketLoggingOutput,
    "logging",
    "GetBucketLogging",
    None,
    Absent::Default(json!({}))
);

on_bucket!(
    PutBucketOwnershipControls,
    PutBucketOwnershipControlsRequest,
    Empty,
    Write,
    "PutBucketOwnershipControls",
    |objects, input, call| {
        checks::ownership(&input.ownership_controls)?;
        objects.check_new_ownership(call, &input.bucket, &input.ownership_controls).await?;
        let document = wire::document::write(&input.ownership_controls);
        objects.configure(&input.bucket, "ownership", "", Some(document)).await?;
        Ok(Empty)
    }
);
get!(
    GetBucketOwnershipControls,
    GetBucketOwnershipControlsRequest,
    GetBucketOwnershipControlsOutput,
    "ownership",
    "GetBucketOwnershipControls",
    Some("OwnershipControls"),
    Absent::Fault("OwnershipControlsNotFoundError", "The bucket ownership controls were not found")
);
delete!(DeleteBucketOwnershipControls, DeleteBucketOwnershipControlsRequest, "ownership", "PutBucketOwnershipControls");

put!(
    PutPublicAccessBlock,
    PutPublicAccessBlockRequest,
    public_access_block_configuration,
    "public-access",
    "PutBucketPublicAccessBlock",
    checks::nothing
);
get!(
    GetPublicAccessBlock,
    GetPublicAccessBlockRequest,
    GetPublicAccessBlockOutput,
    "public-access",
    "GetBucketPublicAccessBlock",
    Some("PublicAccessBlockConfiguration"),
    Absent::Fault("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")
);
delete!(DeletePublicAccessBlock, DeletePublicAccessBlockRequest, "public-access", "PutBucketPublicAccessBlock");

put!(
    PutBucketRequestPayment,
    PutBucketRequestPaymentRequest,
    request_payment_configuration,
    "request-payment",
    "PutBucketRequestPayment",
    checks::nothing
);
get!(
    GetBucketRequestPayment,
    GetBucketRequestPaymentRequest,
    GetBucketRequestPaymentOutput,
    "request-payment",
    "GetBucketRequestPayment",
    None,
    Absent::Default(json!({ "Payer": "BucketOwner" }))
);

put!(PutBucketTagging, PutBucketTaggingRequest, tagging, "tagging", "PutBucketTagging", checks::bucket_tags);
get!(
    GetBucketTagging,
    GetBucketTaggingRequest,
    GetBucketTaggingOutput,
    "tagging",
    "GetBucketTagging",
    None,
    Absent::Fault("NoSuchTagSet", "The TagSet does not exist")
);
delete!(DeleteBucketTagging, DeleteBucketTaggingRequest, "tagging", "PutBucketTagging");

put!(PutBucketWebsite, PutBucketWebsiteRequest, website_configuration, "website", "PutBucketWebsite", checks::website);
get!(
    GetBucketWebsite,
    GetBucketWebsiteRequest,
    GetBucketWebsiteOutput,
    "website",
    "GetBucketWebsite",
    None,
    Absent::Fault("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration")
);
delete!(DeleteBucketWebsite, DeleteBucketWebsiteRequest, "website", "DeleteBucketWebsite");

put!(
    PutBucketAccelerateConfiguration,
    PutBucketAccelerateConfigurationRequest,
    accelerate_configuration,
    "accelerate",
    "PutAccelerateConfiguration",
    checks::nothing
);
get!(
    GetBucketAccelerateConfiguration,
    GetBucketAccelerateConfigurationRequest,
    GetBucketAccelerateConfigurationOutput,
    "accelerate",
    "GetAccelerateConfiguration",
    None,
    Absent::Default(json!({}))
);

// One node has nowhere to replicate to, and to say that it does would lose what somebody counts on.
on_bucket!(
    PutBucketReplication,
    PutBucketReplicationRequest,
    Empty,
    Write,
    "PutReplicationConfiguration",
    |objects, input| {
        objects.shelf.bucket(&objects.shelf.snapshot(), &input.bucket).await?;
        let message =
            "A header you provided implies functionality that is not implemented: this node does not replicate.";
        Err(crate::error::refused(501, "NotImplemented", message))
    }
);
get!(
    GetBucketReplication,
    GetBucketReplicationRequest,
    GetBucketReplicationOutput,
    "replication",
    "GetReplicationConfiguration",
    Some("ReplicationConfiguration"),
    Absent::Fault("ReplicationConfigurationNotFoundError", "The replication configuration was not found")
);
delete!(DeleteBucketReplication, DeleteBucketReplicationRequest, "replication", "PutReplicationConfiguration");

several!(
    PutBucketAnalyticsConfiguration(PutBucketAnalyticsConfigurationRequest),
    GetBucketAnalyticsConfiguration(GetBucketAnalyticsConfigurationRequest) -> GetBucketAnalyticsConfigurationOutput,
    DeleteBucketAnalyticsConfiguration(DeleteBucketAnalyticsConfigurationRequest),
    ListBucketAnalyticsConfigurations(ListBucketAnalyticsConfigurationsRequest) -> ListBucketAnalyticsConfigurationsOutput,
    analytics_configuration, analytics_configuration_list, "analytics", "PutAnalyticsConfiguration", "GetAnalyticsConfiguration"
);
several!(
    PutBucketIntelligentTieringConfiguration(PutBucketIntelligentTieringConfigurationRequest),
    GetBucketIntelligentTieringConfiguration(GetBucketIntelligentTieringConfigurationRequest)
        -> GetBucketIntelligentTieringConfigurationOutput,
    DeleteBucketIntelligentTieringConfiguration(DeleteBucketIntelligentTieringConfigurationRequest),
    ListBucketIntelligentTieringConfigurations(ListBucketIntelligentTieringConfigurationsRequest)
        -> ListBucketIntelligentTieringConfigurationsOutput,
    intelligent_tiering_configuration, intelligent_tiering_configuration_list, "intelligent-tiering",
    "PutIntelligentTieringConfiguration", "GetIntelligentTieringConfiguration"
);
several!(
    PutBucketInventoryConfiguration(PutBucketInventoryConfigurationRequest),
    GetBucketInventoryConfiguration(GetBucketInventoryConfigurationRequest) -> GetBucketInventoryConfigurationOutput,
    DeleteBucketInventoryConfiguration(DeleteBucketInventoryConfigurationRequest),
    ListBucketInventoryConfigurations(ListBucketInventoryConfigurationsRequest) -> ListBucketInventoryConfigurationsOutput,
    inventory_configuration, inventory_configuration_list, "inventory", "PutInventoryConfiguration", "GetInventoryConfiguration"
);
several!(
    PutBucketMetricsConfiguration(PutBucketMetricsConfigurationRequest),
    GetBucketMetricsConfiguration(GetBucketMetricsConfigurationRequest) -> GetBucketMetricsConfigurationOutput,
    DeleteBucketMetricsConfiguration(DeleteBucketMetricsConfigurationRequest),
    ListBucketMetricsConfigurations(ListBucketMetricsConfigurationsRequest) -> ListBucketMetricsConfigurationsOutput,
    metrics_configuration, metrics_configuration_list, "metrics", "PutMetricsConfiguration", "GetMetricsConfiguration"
);

macro_rules! register {
    ($($op:ident)*) => {
        /// Names all of them.
        pub(crate) fn register(registry: &mut Registry, objects: &std::sync::Arc<Objects>) {
            $(registry.add::<s3::$op, _>(objects);)*
        }
    };
}

register! {
    PutBucketCors GetBucketCors DeleteBucketCors
    PutBucketEncryption GetBucketEncryption DeleteBucketEncryption
    PutBucketLifecycleConfiguration GetBucketLifecycleConfiguration DeleteBucketLifecycle
    PutBucketLogging GetBucketLogging
    PutBucketNotificationConfiguration GetBucketNotificationConfiguration
    PutBucketOwnershipControls GetBucketOwnershipControls DeleteBucketOwnershipControls
    PutPublicAccessBlock GetPublicAccessBlock DeletePublicAccessBlock
    PutBucketRequestPayment GetBucketRequestPayment
    PutBucketTagging GetBucketTagging DeleteBucketTagging
    PutBucketWebsite GetBucketWebsite DeleteBucketWebsite
    PutBucketAccelerateConfiguration GetBucketAccelerateConfiguration
    PutBucketReplication GetBucketReplication DeleteBucketReplication
    PutBucketAnalyticsConfiguration GetBucketAnalyticsConfiguration DeleteBucketAnalyticsConfiguration
    ListBucketAnalyticsConfigurations
    PutBucketIntelligentTieringConfiguration GetBucketIntelligentTieringConfiguration
    DeleteBucketIntelligentTieringConfiguration ListBucketIntelligentTieringConfigurations
    PutBucketInventoryConfiguration GetBucketInventoryConfiguration DeleteBucketInventoryConfiguration
    ListBucketInventoryConfigurations
    PutBucketMetricsConfiguration GetBucketMetricsConfiguration DeleteBucketMetricsConfiguration ListBucketMetricsConfigurations
}
