//! What is left of what is gone: nothing, neither records nor blobs.

use std::time::Duration;

use ::store::{Key, Range, Scan};
use base::Random;
use bytes::Bytes;
use serde_json::{Value, json};
use wire::s3;

use super::bench::Bench;
use crate::body::{BESIDE_BYTES_MAX, INLINE_BYTES_MAX};
use crate::error::Error;
use crate::store::restores_key;

const KEYS: [&str; 3] = ["a", "a/b", "c"];
const LENGTHS: [usize; 4] = [1, INLINE_BYTES_MAX + 1, BESIDE_BYTES_MAX + 1, 3 * BESIDE_BYTES_MAX];

fn body(random: &Random) -> &'static str {
    let length = LENGTHS[random.below(LENGTHS.len() as u64) as usize];
    char::from(b'a' + random.below(26) as u8).to_string().repeat(length).leak()
}

/// An upload of which a part was put twice; it is completed, aborted, or left.
async fn upload(bench: &Bench, random: &Random, key: &str) {
    let created = bench.call::<s3::CreateMultipartUpload>(json!({ "Bucket": "bucket", "Key": key })).await;
    let upload = created["UploadId"].as_str().expect("an id");
    for number in [1, 2, 2] {
        bench.upload_part(key, upload, number, body(random)).await;
    }
    if bench.try_call::<s3::HeadObject>(json!({ "Bucket": "bucket", "Key": "a" })).await.is_ok() {
        let copied =
            json!({ "Bucket": "bucket", "Key": key, "UploadId": upload, "PartNumber": 3, "CopySource": "bucket/a" });
        bench.call::<s3::UploadPartCopy>(copied).await;
    }
    let there = json!({ "Bucket": "bucket", "Key": key, "UploadId": upload });
    match random.below(3) {
        0 => {
            let listed = bench.call::<s3::ListParts>(there.clone()).await;
            let tag = &listed["Parts"][1]["ETag"];
            let mut complete = there;
            complete["MultipartUpload"] = json!({ "Parts": [{ "PartNumber": 2, "ETag": tag }] });
            bench.call::<s3::CompleteMultipartUpload>(complete).await;
        }
        1 => drop(bench.call::<s3::AbortMultipartUpload>(there).await),
        _ => {}
    }
}

async fn step(bench: &Bench, random: &Random) {
    let key = KEYS[random.below(KEYS.len() as u64) as usize];
    let there = json!({ "Bucket": "bucket", "Key": key });
    match random.below(8) {
        0..=2 => drop(bench.put(key, body(random)).await),
        3 => upload(bench, random, key).await,
        4 => {
            let class = ["STANDARD", "GLACIER"][random.below(2) as usize];
            let copy = json!({ "Bucket": "bucket", "Key": key, "CopySource": "bucket/c", "StorageClass": class,
                "MetadataDirective": "REPLACE" });
            // Of what is not there, nothing comes.
            if bench.try_call::<s3::CopyObject>(copy).await.is_ok() && class == "GLACIER" {
                // Nobody waits for its end.
                let days = 30_000 + random.below(2);
                let restore = json!({ "Bucket": "bucket", "Key": key, "RestoreRequest": { "Days": days } });
                bench.call::<s3::RestoreObject>(restore).await;
                let longer = json!({ "Bucket": "bucket", "Key": key, "RestoreRequest": { "Days": 36_000 } });
                bench.call::<s3::RestoreObject>(longer).await;
            }
        }
        5 => drop(bench.call::<s3::DeleteObject>(there).await),
        6 => {
            let status = ["Enabled", "Suspended"][random.below(2) as usize];
            let set = json!({ "Bucket": "bucket", "VersioningConfiguration": { "Status": status } });
            bench.call::<s3::PutBucketVersioning>(set).await;
        }
        _ => {
            let set = json!({ "Bucket": "bucket", "Tagging": { "TagSet": [{ "Key": "a", "Value": "b" }] } });
            bench.call::<s3::PutBucketTagging>(set).await;
        }
    }
}

#[tokio::test]
async fn nothing_is_left_of_what_went() {
    for seed in 0..8 {
        let (bench, random) = (Bench::new().await, Random::seeded(seed));
        for _ in 0..60 {
            step(&bench, &random).await;
        }
        let listed = bench.call::<s3::ListObjectVersions>(json!({ "Bucket": "bucket" })).await;
        for line in ["Versions", "DeleteMarkers"].iter().flat_map(|name| listed[*name].as_array().into_iter().flatten())
        {
            let gone = json!({ "Bucket": "bucket", "Key": line["Key"], "VersionId": line["VersionId"] });
            bench.call::<s3::DeleteObject>(gone).await;
        }
        // Uploads that go on go with it.
        bench.call::<s3::DeleteBucket>(json!({ "Bucket": "bucket" })).await;
        // Blobs that are as young as the sweep stay.
        bench.pass_days(1);
        let shelf = &bench.objects.shelf;
        shelf.blobs.sweep(&shelf.store, Duration::ZERO).await.expect("swept");
        let left = shelf.snapshot().scan(Range::prefix(&Key::new("s3")), Scan::first(10)).await.expect("read");
        let left: Vec<Value> = left.items.iter().map(|(key, _)| format!("{key:?}").into()).collect();
        assert_eq!(left, Vec::<Value>::new(), "seed {seed}");
        let swept = shelf.blobs.sweep(&shelf.store, Duration::ZERO).await.expect("swept");
        assert_eq!((swept.kept, swept.removed), (0, 0), "seed {seed}");
    }
}

#[tokio::test]
async fn a_restore_that_cannot_be_ended_keeps_nothing_that_is_due() {
    let bench = Bench::new().await;
    let rule = json!({ "Status": "Enabled", "Filter": {}, "Expiration": { "Days": 1 } });
    let lifecycle = json!({ "Bucket": "bucket", "LifecycleConfiguration": { "Rules": [rule] } });
    bench.call::<s3::PutBucketLifecycleConfiguration>(lifecycle).await;
    bench.put("k", "1").await;
    let damage = bench.objects.shelf.store.transact(|tx| async move {
        tx.put(restores_key().with("no time"), Bytes::new());
        Ok::<_, Error>(())
    });
    damage.await.expect("committed");
    bench.pass_days(3);
    assert!(bench.objects.end_restores().await.is_err());
    bench.objects.expire().await.expect("a round");
    let listed = bench.call::<s3::ListObjectsV2>(json!({ "Bucket": "bucket" })).await;
    assert_eq!(listed["KeyCount"], 0);
}
