//! Clients that change what they list while they list it.

use serde_json::{Value, json};
use wire::s3;

use super::bench::Bench;

async fn versioned() -> Bench {
    let bench = Bench::new().await;
    let enabled = json!({ "Bucket": "bucket", "VersioningConfiguration": { "Status": "Enabled" } });
    bench.call::<s3::PutBucketVersioning>(enabled).await;
    bench
}

fn lines(page: &Value) -> Vec<Value> {
    let of = |name: &str| page[name].as_array().cloned().unwrap_or_default();
    of("Versions").into_iter().chain(of("DeleteMarkers")).collect()
}

#[tokio::test]
async fn buckets_are_emptied_page_by_page() {
    for limit in 1..=4 {
        let bench = versioned().await;
        bench.put("unversioned", "0").await;
        for round in 0..5 {
            for key in ["a", "b", "b/c"] {
                bench.put(key, "1").await;
                if round == 3 {
                    bench.call::<s3::DeleteObject>(json!({ "Bucket": "bucket", "Key": key })).await;
                }
            }
        }
        let mut seen = 0;
        let (mut key, mut version) = (Value::Null, Value::Null);
        loop {
            let asked = json!({ "Bucket": "bucket", "MaxKeys": limit, "KeyMarker": key, "VersionIdMarker": version });
            let page = bench.call::<s3::ListObjectVersions>(asked).await;
            for line in lines(&page) {
                let gone = json!({ "Bucket": "bucket", "Key": line["Key"], "VersionId": line["VersionId"] });
                bench.call::<s3::DeleteObject>(gone).await;
                seen += 1;
            }
            if page["IsTruncated"] != true {
                break;
            }
            (key, version) = (page["NextKeyMarker"].clone(), page["NextVersionIdMarker"].clone());
        }
        assert_eq!(seen, 3 * 6 + 1, "pages of {limit}");
        bench.call::<s3::DeleteBucket>(json!({ "Bucket": "bucket" })).await;
    }
}

#[tokio::test]
async fn a_page_goes_on_behind_what_is_gone() {
    let bench = versioned().await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(bench.put("k", "1").await.version_id.expect("it has one"));
    }
    ids.reverse();
    let rest = async |marker: &str| {
        let asked = json!({ "Bucket": "bucket", "KeyMarker": "k", "VersionIdMarker": marker });
        let page = bench.call::<s3::ListObjectVersions>(asked).await;
        let shown =
            |line: &Value| (line["VersionId"].as_str().unwrap_or_default().to_owned(), line["IsLatest"] == true);
        lines(&page).iter().map(shown).collect::<Vec<_>>()
    };
    let expected = |from: usize, latest: Option<usize>| {
        ids.iter().enumerate().skip(from).map(|(at, id)| (id.clone(), Some(at) == latest)).collect::<Vec<_>>()
    };
    assert_eq!(rest(&ids[1]).await, expected(2, None));
    for id in &ids[..2] {
        bench.call::<s3::DeleteObject>(json!({ "Bucket": "bucket", "Key": "k", "VersionId": id })).await;
    }
    // What was the third is the newest now.
    assert_eq!(rest(&ids[1]).await, expected(2, Some(2)));
    assert_eq!(rest(&ids[2]).await, expected(3, None));
    assert_eq!(rest("null").await, expected(2, Some(2)));
    let wrong = json!({ "Bucket": "bucket", "KeyMarker": "k", "VersionIdMarker": "no id" });
    assert_eq!(bench.refused::<s3::ListObjectVersions>(wrong).await, "InvalidArgument");
}
