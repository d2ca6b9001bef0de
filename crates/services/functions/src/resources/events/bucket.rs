//! SAM's event `S3`: a line in the notifications of a bucket of the same template, and the permission that the bucket needs.
//!
//! The permission names the account and not the bucket: the bucket is made after it, for it asks its targets when it is told of them.

use contract::properties::fault;
use contract::{Expansion, Extension, PropertyFault};
use serde_json::{Map, Value, json};

use super::{Woken, check_known};

const BUCKET: &str = "AWS::S3::Bucket";
const LIST: &[&str] = &["NotificationConfiguration", "LambdaConfigurations"];
const KNOWN: [&str; 3] = ["Bucket", "Events", "Filter"];

/// Adds the permission and the lines, one for each kind of event.
pub(super) fn expand(
    woken: &Woken<'_>,
    name: &str,
    properties: &Map<String, Value>,
    expansion: &mut Expansion,
) -> Result<(), PropertyFault> {
    let path = |property: &str| format!("Events.{name}.{property}");
    check_known(name, properties, &KNOWN)?;
    let given = properties.get("Bucket").ok_or_else(|| fault(path("Bucket"), "is required"))?;
    let bucket = given["Ref"]
        .as_str()
        .ok_or_else(|| fault(path("Bucket"), "S3 events must reference an S3 bucket in the same template."))?;
    let events = match properties.get("Events") {
        Some(event @ Value::String(_)) => vec![event.clone()],
        Some(Value::Array(events)) if !events.is_empty() => events.clone(),
        None => return Err(fault(path("Events"), "is required")),
        Some(_) => return Err(fault(path("Events"), "must be an event or a list of events")),
    };
    let permission_id = format!("{}{name}Permission", woken.id);
    let account = json!({ "Ref": "AWS::AccountId" });
    let permission = woken.permission("s3.amazonaws.com", ("SourceAccount", account));
    expansion.resources.push((permission_id.clone(), permission));
    for event in events {
        let mut item = json!({ "Event": event, "Function": woken.arn() });
        if let Some(filter) = properties.get("Filter") {
            item["Filter"] = filter.clone();
        }
        expansion.extensions.push(Extension {
            resource: bucket.to_owned(),
            kind: BUCKET,
            path: LIST,
            item,
            after: permission_id.clone(),
            asked_by: path("Bucket"),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(properties: Value) -> Result<Expansion, PropertyFault> {
        let mut expansion = Expansion::default();
        let woken = Woken { id: "Shrink", target: json!({ "Ref": "ShrinkAliaslive" }) };
        let properties = properties.as_object().cloned().unwrap_or_default();
        expand(&woken, "Uploads", &properties, &mut expansion).map(|()| expansion)
    }

    #[test]
    fn a_bucket_is_told_whom_to_tell() {
        let filter = json!({ "S3Key": { "Rules": [{ "Name": "suffix", "Value": ".png" }] } });
        let both = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"];
        let made =
            expanded(json!({ "Bucket": { "Ref": "Pictures" }, "Events": both, "Filter": filter })).expect("it is good");
        let permission = json!({
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": { "Ref": "ShrinkAliaslive" },
                "Principal": "s3.amazonaws.com",
                "SourceAccount": { "Ref": "AWS::AccountId" },
            },
        });
        assert_eq!(made.resources, [("ShrinkUploadsPermission".to_owned(), permission)]);
        let expected = both.map(|event| Extension {
            resource: "Pictures".to_owned(),
            kind: BUCKET,
            path: LIST,
            item: json!({ "Event": event, "Function": { "Ref": "ShrinkAliaslive" }, "Filter": filter }),
            after: "ShrinkUploadsPermission".to_owned(),
            asked_by: "Events.Uploads.Bucket".to_owned(),
        });
        assert_eq!(made.extensions, expected);
        let one = expanded(json!({ "Bucket": { "Ref": "Pictures" }, "Events": "s3:ObjectCreated:*" }));
        assert_eq!(one.expect("it is good").extensions.len(), 1);
    }

    #[test]
    fn wrong_events_are_named() {
        let bucket = json!({ "Ref": "Pictures" });
        for (properties, expected) in [
            (json!({}), "Events.Uploads.Bucket"),
            (json!({ "Bucket": "by-its-name", "Events": "s3:ObjectCreated:*" }), "Events.Uploads.Bucket"),
            (json!({ "Bucket": bucket }), "Events.Uploads.Events"),
            (json!({ "Bucket": bucket, "Events": [] }), "Events.Uploads.Events"),
            (json!({ "Bucket": bucket, "Events": "s3:ObjectCreated:*", "Filtre": {} }), "Events.Uploads.Filtre"),
        ] {
            assert_eq!(expanded(properties).expect_err("it is wrong").path, expected);
        }
    }
}
