//! Uploads in parts whose clients miss answers, and what else is asked of the service without a body.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use wire::{Payload, s3};

use super::bench::Bench;
use crate::body::{BESIDE_BYTES_MAX, Intake, Sealing, Wanted};
use crate::error::Error;
use crate::model::{Body, Part};

async fn begin(bench: &Bench) -> (Value, Value) {
    let created = bench.call::<s3::CreateMultipartUpload>(json!({ "Bucket": "bucket", "Key": "k" })).await;
    let upload = created["UploadId"].as_str().expect("an id").to_owned();
    let mut parts = Vec::new();
    let tag = bench.upload_part("k", &upload, 3, "the only one").await;
    parts.push(json!({ "PartNumber": 3, "ETag": tag }));
    let there = json!({ "Bucket": "bucket", "Key": "k", "UploadId": upload });
    let mut complete = there.clone();
    complete["MultipartUpload"] = json!({ "Parts": parts });
    (there, complete)
}

#[tokio::test]
async fn completing_again_gives_the_same_as_long_as_the_object_stands() {
    let bench = Bench::new().await;
    let (there, mut complete) = begin(&bench).await;
    // The object that it makes breaks the condition that it was made under.
    complete["IfNoneMatch"] = "*".into();
    let first = bench.call::<s3::CompleteMultipartUpload>(complete.clone()).await;
    assert_eq!(bench.call::<s3::CompleteMultipartUpload>(complete.clone()).await, first);
    assert_eq!(bench.told(), ["Object Created: k, CompleteMultipartUpload"], "once");
    assert_eq!(bench.refused::<s3::AbortMultipartUpload>(there.clone()).await, "NoSuchUpload");
    let mut other = complete.clone();
    other["MultipartUpload"]["Parts"][0]["ETag"] = "0".into();
    assert_eq!(bench.refused::<s3::CompleteMultipartUpload>(other).await, "NoSuchUpload");
    let mut elsewhere = complete.clone();
    elsewhere["Key"] = "other".into();
    assert_eq!(bench.refused::<s3::CompleteMultipartUpload>(elsewhere).await, "NoSuchUpload");
    bench.put("k", "replaced").await;
    assert_eq!(bench.refused::<s3::CompleteMultipartUpload>(complete).await, "NoSuchUpload");
}

#[tokio::test]
async fn completing_again_finds_the_version_that_it_made() {
    let bench = Bench::new().await;
    let enabled = json!({ "Bucket": "bucket", "VersioningConfiguration": { "Status": "Enabled" } });
    bench.call::<s3::PutBucketVersioning>(enabled).await;
    let (_, complete) = begin(&bench).await;
    let first = bench.call::<s3::CompleteMultipartUpload>(complete.clone()).await;
    bench.put("k", "newer").await;
    bench.call::<s3::DeleteObject>(json!({ "Bucket": "bucket", "Key": "k" })).await;
    assert!(first["VersionId"].is_string());
    assert_eq!(bench.call::<s3::CompleteMultipartUpload>(complete.clone()).await, first);
    let gone = json!({ "Bucket": "bucket", "Key": "k", "VersionId": first["VersionId"] });
    bench.call::<s3::DeleteObject>(gone).await;
    assert_eq!(bench.refused::<s3::CompleteMultipartUpload>(complete).await, "NoSuchUpload");
}

#[tokio::test]
async fn a_bucket_has_so_many_documents_of_a_kind() {
    let bench = Bench::new().await;
    let metrics = |number: usize, prefix: &str| {
        let id = format!("{number}");
        json!({ "Bucket": "bucket", "Id": id, "MetricsConfiguration": { "Id": id, "Filter": { "Prefix": prefix } } })
    };
    for number in 0..1_000 {
        bench.call::<s3::PutBucketMetricsConfiguration>(metrics(number, "a")).await;
    }
    let refused = bench.refused::<s3::PutBucketMetricsConfiguration>(metrics(1_000, "a")).await;
    assert_eq!(refused, "TooManyConfigurations");
    // What is there may be changed, and makes room when it goes.
    bench.call::<s3::PutBucketMetricsConfiguration>(metrics(7, "b")).await;
    bench.call::<s3::DeleteBucketMetricsConfiguration>(json!({ "Bucket": "bucket", "Id": "8" })).await;
    bench.call::<s3::PutBucketMetricsConfiguration>(metrics(1_000, "a")).await;
}

#[tokio::test]
async fn who_listens_is_told_of_restores() {
    let bench = Bench::new().await;
    bench.put("k", "cold").await;
    let archived =
        json!({ "Bucket": "bucket", "Key": "cold", "CopySource": "bucket/k", "StorageClass": "DEEP_ARCHIVE" });
    bench.call::<s3::CopyObject>(archived).await;
    bench.told();
    let restore = json!({ "Bucket": "bucket", "Key": "cold", "RestoreRequest": { "Days": 1 } });
    assert_eq!(bench.call::<s3::RestoreObject>(restore.clone()).await["Status"], 202);
    let kinds = ["Object Restore Initiated: cold, DEEP_ARCHIVE", "Object Restore Completed: cold, DEEP_ARCHIVE"];
    assert_eq!(bench.told(), kinds);
    let head = json!({ "Bucket": "bucket", "Key": "cold" });
    let shown = bench.call::<s3::HeadObject>(head.clone()).await;
    assert_eq!(shown["Restore"], "ongoing-request=\"false\", expiry-date=\"Mon, 23 Nov 2026 00:00:00 GMT\"");
    assert_eq!(bench.call::<s3::RestoreObject>(restore.clone()).await["Status"], 200);
    bench.told();
    bench.objects.expire().await.expect("a round");
    assert_eq!(bench.told(), Vec::<String>::new(), "it lasts");
    bench.pass_days(2);
    assert!(bench.call::<s3::HeadObject>(head).await["Restore"].is_null());
    for told in [&["Object Restore Expired: cold, "][..], &[]] {
        bench.objects.expire().await.expect("a round");
        assert_eq!(bench.told(), told);
    }
    assert_eq!(bench.call::<s3::RestoreObject>(restore).await["Status"], 202);
}

#[tokio::test]
async fn protection_that_is_not_held_to_is_not_promised() {
    let bench = Bench::new().await;
    let input = |delete: &str| {
        let configuration = json!({ "Status": "Enabled", "MFADelete": delete });
        json!({ "Bucket": "bucket", "VersioningConfiguration": configuration })
    };
    assert_eq!(bench.refused::<s3::PutBucketVersioning>(input("Enabled")).await, "NotImplemented");
    bench.call::<s3::PutBucketVersioning>(input("Disabled")).await;
}

#[tokio::test]
async fn as_many_parts_as_there_may_be_come_and_go_in_one_piece() {
    const PARTS: u32 = 10_000;
    let bench = Bench::new().await;
    let shelf = &bench.objects.shelf;
    let created = bench.call::<s3::CreateMultipartUpload>(json!({ "Bucket": "bucket", "Key": "k" })).await;
    let upload = created["UploadId"].as_str().expect("an id");
    let intake = Intake { shelf, sealing: &Sealing::Node };
    let content = Payload::from(Bytes::from(vec![7; BESIDE_BYTES_MAX + 1]));
    let taken = intake.take(content, Wanted::only(None)).await.expect("taken in");
    let Body::Blob { id, .. } = &taken.body else { panic!("long ones lie in blobs") };
    let etag = "0".repeat(32);
    for first in (1..=PARTS).step_by(500) {
        let (etag, sealed) = (&etag, &taken.sealed);
        let put = shelf.store.transact(|tx| async move {
            for number in first..first + 500 {
                // Nobody reads them here, so they may be said to be as long as parts must be.
                let body = Body::Blob { id: id.clone(), owner: number.to_string() };
                let part = Part { size: 5 << 20, etag: etag.clone(), body, sealed: sealed.clone(), ..Part::default() };
                shelf.place_part(&tx, upload, number, &part, &Bytes::new()).await?;
            }
            Ok::<_, Error>(())
        });
        put.await.expect("put");
    }
    drop(taken);
    let listed: Vec<Value> = (1..=PARTS).map(|number| json!({ "PartNumber": number, "ETag": etag })).collect();
    let complete =
        json!({ "Bucket": "bucket", "Key": "k", "UploadId": upload, "MultipartUpload": { "Parts": listed } });
    let first = bench.call::<s3::CompleteMultipartUpload>(complete.clone()).await;
    assert!(first["ETag"].as_str().is_some_and(|tag| tag.ends_with("-10000\"")), "{first}");
    assert_eq!(bench.call::<s3::CompleteMultipartUpload>(complete).await, first);
    let last = bench.call::<s3::HeadObject>(json!({ "Bucket": "bucket", "Key": "k", "PartNumber": PARTS })).await;
    assert_eq!((&last["PartsCount"], &last["ContentLength"]), (&json!(PARTS), &json!(5 << 20)));
    bench.pass_days(1);
    let sweep = async || shelf.blobs.sweep(&shelf.store, Duration::ZERO).await.expect("swept").removed;
    assert_eq!(sweep().await, 0);
    bench.call::<s3::DeleteObject>(json!({ "Bucket": "bucket", "Key": "k" })).await;
    assert!(shelf.parts(&shelf.snapshot(), upload, 0, 1).await.expect("read").is_empty());
    assert_eq!(sweep().await, 1, "of ten thousand that referred to it none is left");
}

#[tokio::test]
async fn copies_of_whole_blobs_refer_to_them_once_more() {
    const LONG: usize = 2 * BESIDE_BYTES_MAX;
    let bench = Bench::new().await;
    let shelf = &bench.objects.shelf;
    let create = async |key: &str| {
        let created = bench.call::<s3::CreateMultipartUpload>(json!({ "Bucket": "bucket", "Key": key })).await;
        created["UploadId"].as_str().expect("an id").to_owned()
    };
    let copy = async |upload: &str, source: &str, range: Option<String>| {
        let mut input =
            json!({ "Bucket": "bucket", "Key": "k", "UploadId": upload, "PartNumber": 1, "CopySource": source });
        input["CopySourceRange"] = range.into();
        bench.call::<s3::UploadPartCopy>(input).await;
        let part = shelf.parts(&shelf.snapshot(), upload, 0, 1).await.expect("read").remove(0).part;
        let Body::Blob { id, .. } = part.body else { panic!("long ones lie in blobs") };
        (id, part.checksum.expect("summed up").algorithm)
    };
    bench.put("whole", "w".repeat(LONG).leak()).await;
    let whole = shelf.current(&shelf.snapshot(), "bucket", "whole").await.expect("read").expect("there").version;
    let Body::Blob { id: whole, .. } = whole.body else { panic!("long ones lie in blobs") };
    let source = create("parts").await;
    bench.upload_part("parts", &source, 1, "p".repeat(LONG).leak()).await;
    let part = shelf.parts(&shelf.snapshot(), &source, 0, 1).await.expect("read").remove(0).part;
    let complete = json!({ "Bucket": "bucket", "Key": "parts", "UploadId": source,
        "MultipartUpload": { "Parts": [{ "PartNumber": 1, "ETag": part.etag }] } });
    bench.call::<s3::CompleteMultipartUpload>(complete).await;
    let Body::Blob { id: part, .. } = part.body else { panic!("long ones lie in blobs") };

    let upload = create("k").await;
    let crc64 = || "CRC64NVME".to_owned();
    assert_eq!(copy(&upload, "bucket/whole", None).await, (whole.clone(), crc64()));
    assert_eq!(copy(&upload, "bucket/parts", Some(format!("bytes=0-{}", LONG - 1))).await, (part.clone(), crc64()));
    // What is not all of a blob is written anew.
    assert_ne!(copy(&upload, "bucket/whole", Some(format!("bytes=0-{}", LONG - 2))).await.0, whole);
    // Another checksum needs the bytes to be read, and no more.
    let summed = json!({ "Bucket": "bucket", "Key": "k", "ChecksumAlgorithm": "SHA256" });
    let summed = bench.call::<s3::CreateMultipartUpload>(summed).await["UploadId"].as_str().expect("an id").to_owned();
    assert_eq!(copy(&summed, "bucket/whole", None).await, (whole, "SHA256".to_owned()));

    // Sources go, and what was made of them stays until it goes too.
    for key in ["whole", "parts"] {
        bench.call::<s3::DeleteObject>(json!({ "Bucket": "bucket", "Key": key })).await;
    }
    bench.pass_days(1);
    let sweep = async || shelf.blobs.sweep(&shelf.store, Duration::ZERO).await.expect("swept").removed;
    // That of the part, whose place in the upload was taken, and of which nothing else is left.
    assert_eq!(sweep().await, 1);
    let aborted = json!({ "Bucket": "bucket", "Key": "k", "UploadId": summed });
    bench.call::<s3::AbortMultipartUpload>(aborted).await;
    assert_eq!(sweep().await, 1);
}

#[tokio::test]
async fn parts_are_told_with_their_own_checksums() {
    let bench = Bench::new().await;
    let created =
        json!({ "Bucket": "bucket", "Key": "k", "ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT" });
    let created = bench.call::<s3::CreateMultipartUpload>(created).await;
    let upload = created["UploadId"].as_str().expect("an id");
    let large: &'static str = "l".repeat(5 << 20).leak();
    let mut listed = Vec::new();
    for (number, body) in [(2, large), (5, "end")] {
        listed.push(json!({ "PartNumber": number, "ETag": bench.upload_part("k", upload, number, body).await }));
    }
    let complete =
        json!({ "Bucket": "bucket", "Key": "k", "UploadId": upload, "MultipartUpload": { "Parts": listed } });
    let whole = bench.call::<s3::CompleteMultipartUpload>(complete).await["ChecksumCRC32"].clone();
    bench.put("one", "end").await;
    let sum = async |more: Value| {
        let mut asked = json!({ "Bucket": "bucket", "Key": "k", "ChecksumMode": "ENABLED" });
        asked.as_object_mut().expect("one").extend(more.as_object().expect("one").clone());
        bench.call::<s3::HeadObject>(asked).await["ChecksumCRC32"].clone()
    };
    let crc = |body: &str| Value::from(checksum::encode(&checksum::of(checksum::Algorithm::Crc32, body.as_bytes())));
    // They are numbered anew, without the gaps that the upload had.
    assert_eq!(sum(json!({ "PartNumber": 1 })).await, crc(large));
    assert_eq!(sum(json!({ "PartNumber": 2 })).await, crc("end"));
    assert_eq!(sum(json!({})).await, whole);
    assert_eq!(sum(json!({ "Range": "bytes=0-3" })).await, Value::Null);
    assert_eq!(sum(json!({ "PartNumber": 2, "ChecksumMode": "" })).await, Value::Null);
    let asked = json!({ "Bucket": "bucket", "Key": "one", "PartNumber": 1, "ChecksumMode": "ENABLED" });
    let one = bench.call::<s3::HeadObject>(asked).await;
    let crc64 = checksum::encode(&checksum::of(checksum::Algorithm::Crc64Nvme, b"end"));
    assert_eq!(one["ChecksumCRC64NVME"], crc64.as_str());
}
