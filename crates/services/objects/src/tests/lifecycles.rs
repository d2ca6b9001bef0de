//! Lifecycles from end to end, over a clock that is moved by days.

use std::sync::Arc;

use serde_json::{Value, json};
use wire::s3;

use super::bench::Bench;
use crate::store::LIFECYCLE;

/// Every version of the bucket: key, whether it is a marker, whether it is the newest.
async fn versions(bench: &Bench) -> Vec<(String, bool, bool)> {
    let listed = bench.call::<s3::ListObjectVersions>(json!({ "Bucket": "bucket" })).await;
    let lines = |name: &str, marker: bool| {
        let lines = listed[name].as_array().cloned().unwrap_or_default();
        lines.into_iter().map(move |line| {
            (line["Key"].as_str().unwrap_or_default().to_owned(), marker, line["IsLatest"] == Value::Bool(true))
        })
    };
    let mut all: Vec<_> = lines("Versions", false).chain(lines("DeleteMarkers", true)).collect();
    all.sort();
    all
}

async fn set(bench: &Bench, rules: Value) {
    let input = json!({ "Bucket": "bucket", "LifecycleConfiguration": { "Rules": rules } });
    bench.call::<s3::PutBucketLifecycleConfiguration>(input).await;
}

#[tokio::test]
async fn what_is_due_goes_and_nothing_else() {
    let bench = Bench::new().await;
    let rule = json!({ "ID": "old", "Status": "Enabled", "Filter": { "Prefix": "tmp/" }, "Expiration": { "Days": 2 } });
    let off = json!({ "ID": "off", "Status": "Disabled", "Filter": { "Prefix": "" }, "Expiration": { "Days": 1 } });
    set(&bench, json!([rule, off])).await;
    bench.put("tmp/old", "1").await;
    bench.put("kept", "1").await;
    bench.pass_days(2);
    bench.put("tmp/young", "1").await;
    bench.objects.expire().await.expect("a round");
    let all = [("kept", false, true), ("tmp/old", false, true), ("tmp/young", false, true)];
    let named = |lines: &[(&str, bool, bool)]| -> Vec<(String, bool, bool)> {
        lines.iter().map(|(key, marker, latest)| ((*key).to_owned(), *marker, *latest)).collect()
    };
    assert_eq!(versions(&bench).await, named(&all), "two days end at the midnight after them");
    bench.pass_days(1);
    bench.told();
    bench.objects.expire().await.expect("a round");
    assert_eq!(versions(&bench).await, named(&[all[0], all[2]]));
    assert_eq!(bench.told(), ["Object Deleted: tmp/old, Lifecycle Expiration"]);
}

#[tokio::test]
async fn versions_and_markers_go_when_it_is_their_turn() {
    let bench = Bench::new().await;
    let enabled = json!({ "Bucket": "bucket", "VersioningConfiguration": { "Status": "Enabled" } });
    bench.call::<s3::PutBucketVersioning>(enabled).await;
    let old = json!({ "NoncurrentDays": 3, "NewerNoncurrentVersions": 1 });
    let rule = json!({
        "Status": "Enabled", "Filter": {}, "Expiration": { "Days": 10 }, "NoncurrentVersionExpiration": old,
    });
    let markers = json!({ "Status": "Enabled", "Filter": {}, "Expiration": { "ExpiredObjectDeleteMarker": true } });
    set(&bench, json!([rule, markers])).await;
    for _ in 0..3 {
        bench.put("k", "1").await;
    }
    bench.pass_days(5);
    bench.objects.expire().await.expect("a round");
    // Of the two that are not current one is kept.
    let one = |marker, latest| ("k".to_owned(), marker, latest);
    assert_eq!(versions(&bench).await, [one(false, false), one(false, true)]);
    bench.pass_days(6);
    bench.objects.expire().await.expect("a round");
    assert_eq!(versions(&bench).await, [one(false, false), one(false, false), one(true, true)]);
    // A rule that keeps none.
    let all = json!({ "Status": "Enabled", "Filter": {}, "NoncurrentVersionExpiration": { "NoncurrentDays": 1 } });
    set(&bench, json!([all, markers])).await;
    bench.pass_days(3);
    bench.objects.expire().await.expect("a round");
    bench.objects.expire().await.expect("a round");
    assert_eq!(versions(&bench).await, []);
}

#[tokio::test]
async fn markers_go_on_every_page() {
    let bench = Bench::new().await;
    let enabled = json!({ "Bucket": "bucket", "VersioningConfiguration": { "Status": "Enabled" } });
    bench.call::<s3::PutBucketVersioning>(enabled).await;
    // Two pages of what a round reads at once, and one more.
    for number in 0..1_001 {
        bench.call::<s3::DeleteObject>(json!({ "Bucket": "bucket", "Key": format!("{number:04}") })).await;
    }
    // One of them hides something.
    let hidden = bench.put("0499", "1").await;
    bench.call::<s3::DeleteObject>(json!({ "Bucket": "bucket", "Key": "0499" })).await;
    let markers = json!({ "Status": "Enabled", "Filter": {}, "Expiration": { "ExpiredObjectDeleteMarker": true } });
    set(&bench, json!([markers])).await;
    bench.objects.expire().await.expect("a round");
    let left = versions(&bench).await;
    let one = |marker, latest| ("0499".to_owned(), marker, latest);
    assert_eq!(left, [one(false, false), one(true, false), one(true, true)]);
    assert!(hidden.version_id.is_some());
}

#[tokio::test]
async fn uploads_that_nobody_ends_are_aborted() {
    let bench = Bench::new().await;
    let rule =
        json!({ "Status": "Enabled", "Filter": {}, "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": 1 } });
    set(&bench, json!([rule])).await;
    let created = bench.call::<s3::CreateMultipartUpload>(json!({ "Bucket": "bucket", "Key": "k" })).await;
    let upload = created["UploadId"].as_str().expect("an id").to_owned();
    bench.upload_part("k", &upload, 1, "part").await;
    bench.pass_days(3);
    let young = bench.call::<s3::CreateMultipartUpload>(json!({ "Bucket": "bucket", "Key": "k" })).await;
    bench.objects.expire().await.expect("a round");
    let listed = bench.call::<s3::ListMultipartUploads>(json!({ "Bucket": "bucket" })).await;
    assert_eq!(listed["Uploads"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed["Uploads"][0]["UploadId"], young["UploadId"]);
    let gone = bench.refused::<s3::ListParts>(json!({ "Bucket": "bucket", "Key": "k", "UploadId": upload })).await;
    assert_eq!(gone, "NoSuchUpload");
}

#[tokio::test]
async fn what_cools_is_moved_to_colder_classes() {
    let bench = Bench::new().await;
    let rule = json!({ "Status": "Enabled", "Filter": { "Prefix": "logs/" }, "Transitions": [
        { "Days": 30, "StorageClass": "STANDARD_IA" }, { "Days": 60, "StorageClass": "DEEP_ARCHIVE" }] });
    set(&bench, json!([rule])).await;
    let large: &'static str = "l".repeat(128 << 10).leak();
    for (key, body) in [("logs/large", large), ("logs/small", "s"), ("other", large)] {
        bench.put(key, body).await;
    }
    bench.told();
    let classes = async || {
        let listed = bench.call::<s3::ListObjectsV2>(json!({ "Bucket": "bucket" })).await;
        let lines = listed["Contents"].as_array().cloned().unwrap_or_default();
        lines.iter().map(|line| line["StorageClass"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    for (days, class, told) in [
        (30, "STANDARD", &[][..]),
        (1, "STANDARD_IA", &["Object Storage Class Changed: logs/large, STANDARD_IA"]),
        (1, "STANDARD_IA", &[]),
        (30, "DEEP_ARCHIVE", &["Object Storage Class Changed: logs/large, DEEP_ARCHIVE"]),
    ] {
        bench.pass_days(days);
        bench.objects.expire().await.expect("a round");
        assert_eq!(classes().await, [class, "STANDARD", "STANDARD"]);
        assert_eq!(bench.told(), told);
    }
    let read = bench.call::<s3::HeadObject>(json!({ "Bucket": "bucket", "Key": "logs/large" })).await;
    assert_eq!(read["ContentLength"], 128 << 10);
}

#[tokio::test]
async fn rules_are_about_dates_and_sizes_and_never_about_what_is_locked() {
    let bench = Bench::new().await;
    // 2026-11-22: tomorrow.
    let dated = json!({ "ID": "dated", "Status": "Enabled", "Filter": { "Prefix": "dated/" },
        "Expiration": { "Date": 1_795_305_600 } });
    let sized = json!({ "ID": "sized", "Status": "Enabled", "Expiration": { "Days": 1 }, "Filter": {
        "And": { "Prefix": "sized/", "ObjectSizeGreaterThan": 2, "ObjectSizeLessThan": 5 } } });
    set(&bench, json!([dated, sized])).await;
    for (key, body) in [("dated/a", "1"), ("sized/2", "12"), ("sized/3", "123"), ("sized/5", "12345"), ("other", "1")] {
        bench.put(key, body).await;
    }
    bench.objects.expire().await.expect("a round");
    assert_eq!(versions(&bench).await.len(), 5, "it is not time");
    bench.pass_days(3);
    bench.objects.expire().await.expect("a round");
    let left = versions(&bench).await.into_iter().map(|(key, ..)| key).collect::<Vec<_>>();
    assert_eq!(left, ["other", "sized/2", "sized/5"]);

    let bucket = json!({ "Bucket": "locked", "ObjectLockEnabledForBucket": true });
    bench.call::<s3::CreateBucket>(bucket).await;
    let old = json!({ "Status": "Enabled", "Filter": {}, "NoncurrentVersionExpiration": { "NoncurrentDays": 1 } });
    let input = json!({ "Bucket": "locked", "LifecycleConfiguration": { "Rules": [old] } });
    bench.call::<s3::PutBucketLifecycleConfiguration>(input).await;
    for hold in ["ON", "OFF", "OFF"] {
        let copy =
            json!({ "Bucket": "locked", "Key": "k", "CopySource": "bucket/other", "ObjectLockLegalHoldStatus": hold });
        bench.call::<s3::CopyObject>(copy).await;
    }
    bench.pass_days(5);
    bench.objects.expire().await.expect("a round");
    let listed = bench.call::<s3::ListObjectVersions>(json!({ "Bucket": "locked" })).await;
    // The current one, and the one that is held.
    assert_eq!(listed["Versions"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn what_a_lifecycle_says_is_read_once_and_never_told_when_it_is_old() {
    let bench = Bench::new().await;
    let read = || bench.objects.configured_as::<s3::GetBucketLifecycleConfigurationOutput>("bucket", LIFECYCLE);
    let told = async || {
        let put = bench.put("k", "1").await.expiration.unwrap_or_default();
        let head = bench.call::<s3::HeadObject>(json!({ "Bucket": "bucket", "Key": "k" })).await;
        assert_eq!(put, head["Expiration"].as_str().unwrap_or_default());
        put.split_once("rule-id=").map(|(_, id)| id.to_owned())
    };
    let days = |id: &str| json!([{ "ID": id, "Status": "Enabled", "Filter": {}, "Expiration": { "Days": 1 } }]);
    set(&bench, days("one")).await;
    assert_eq!(told().await.as_deref(), Some("\"one\""));
    let (first, again) = (read().await.expect("read").expect("there"), read().await.expect("read").expect("there"));
    assert!(Arc::ptr_eq(&first, &again), "it was read again");
    set(&bench, days("two")).await;
    assert_eq!(told().await.as_deref(), Some("\"two\""));
    bench.call::<s3::DeleteBucketLifecycle>(json!({ "Bucket": "bucket" })).await;
    assert_eq!(told().await, None);
    bench.call::<s3::DeleteObject>(json!({ "Bucket": "bucket", "Key": "k" })).await;
    set(&bench, days("three")).await;
    read().await.expect("read");
    bench.call::<s3::DeleteBucket>(json!({ "Bucket": "bucket" })).await;
    bench.call::<s3::CreateBucket>(json!({ "Bucket": "bucket" })).await;
    assert_eq!(told().await, None);
    set(&bench, days("four")).await;
    assert_eq!(told().await.as_deref(), Some("\"four\""));
}
