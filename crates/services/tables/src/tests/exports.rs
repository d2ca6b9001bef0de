//! Exports: what is in the bucket is held against what the model was, and the manifests against the files.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::Instant;

use base::Random;
use serde_json::{Value, json};

use super::backups::ARN;
use super::model::{self, Items, sorted};
use super::{Bench, PATIENCE, aws};

impl Bench {
    async fn exported(&self, more: Value) -> Value {
        let mut input = more;
        (input["TableArn"], input["S3Bucket"]) = (format!("{ARN}model").into(), "mine".into());
        let begun = self.call::<aws::ExportTableToPointInTime>(input).await["ExportDescription"].clone();
        assert_eq!(begun["ExportStatus"], "IN_PROGRESS");
        self.export_ended(&begun["ExportArn"]).await
    }

    async fn export_ended(&self, arn: &Value) -> Value {
        let since = Instant::now();
        loop {
            let described =
                self.call::<aws::DescribeExport>(json!({"ExportArn": arn})).await["ExportDescription"].clone();
            if described["ExportStatus"] != "IN_PROGRESS" {
                return described;
            }
            assert!(since.elapsed() < PATIENCE, "{described}");
            self.pass(1);
            tokio::task::yield_now().await;
        }
    }

    /// The lines of all files that an export's manifests name; each sum is checked.
    fn lines(&self, export: &Value) -> Vec<String> {
        assert_eq!(export["ExportStatus"], "COMPLETED", "{export}");
        let summary = self.summed(export["ExportManifest"].as_str().unwrap());
        let summary: Value = serde_json::from_str(&summary).unwrap();
        assert_eq!(summary["exportArn"], export["ExportArn"]);
        assert_eq!((&summary["itemCount"], &summary["exportType"]), (&export["ItemCount"], &export["ExportType"]));
        let mut lines = Vec::new();
        for file in self.summed(summary["manifestFilesS3Key"].as_str().unwrap()).lines() {
            let file: Value = serde_json::from_str(file).unwrap();
            let packed = self.shelf.object(file["dataFileS3Key"].as_str().unwrap());
            assert_eq!(file["md5Checksum"], md5(&packed));
            let mut text = String::new();
            flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
            assert_eq!(file["itemCount"], json!(text.lines().count()));
            lines.extend(text.lines().map(str::to_owned));
        }
        assert_eq!(export["ItemCount"], json!(lines.len()));
        lines
    }

    fn summed(&self, key: &str) -> String {
        let bytes = self.shelf.object(key);
        assert_eq!(self.shelf.object(&key.replace(".json", ".md5")), md5(&bytes));
        String::from_utf8(bytes.to_vec()).unwrap()
    }
}

fn md5(bytes: &[u8]) -> String {
    checksum::encode(&checksum::of(checksum::Algorithm::Md5, bytes))
}

async fn set_recovery(bench: &Bench) {
    let specification = json!({"PointInTimeRecoveryEnabled": true});
    let input = json!({"TableName": "model", "PointInTimeRecoverySpecification": specification});
    bench.call::<aws::UpdateContinuousBackups>(input).await;
}

fn now_s(bench: &Bench) -> f64 {
    bench.clock.now_ms() as f64 / 1_000.0
}

/// Items by their keys, whatever the sets' order.
fn by_key(items: &Items) -> BTreeMap<String, Value> {
    items.values().map(|item| (key_of(item).to_string(), item.clone())).collect()
}

fn key_of(item: &Value) -> Value {
    json!({"p": item["p"], "s": item["s"]})
}

#[tokio::test]
async fn what_is_exported_is_what_the_table_was() {
    for seed in 0..3 {
        println!("seed {seed}");
        let random = Random::seeded(seed);
        let (mut bench, mut items) = (model::bench().await, Items::new());
        set_recovery(&bench).await;
        let mut moments: Vec<(f64, Items)> = Vec::new();
        for round in 0..12 {
            for _ in 0..random.below(15) {
                model::step(&bench, &mut items, &random).await;
            }
            moments.push((now_s(&bench), items.clone()));
            bench.pass(7_200);
            if round == 7 {
                bench = bench.again().await;
            }
        }
        let (at, then) = &moments[random.below(12) as usize];
        let export = bench.exported(json!({"ExportTime": at, "S3Prefix": "some/where/"})).await;
        assert!(export["ExportManifest"].as_str().unwrap().starts_with("some/where/AWSDynamoDB/"));
        let read = |line: &String| serde_json::from_str::<Value>(line).unwrap()["Item"].clone();
        assert_eq!(sorted(bench.lines(&export).iter().map(read).collect()), sorted(then.values().cloned().collect()));

        let first = random.below(6) as usize;
        let ((from, before), (to, after)) = (&moments[first], &moments[first + 5]);
        let period = json!({"ExportFromTime": from, "ExportToTime": to});
        let ask = json!({"ExportType": "INCREMENTAL_EXPORT", "IncrementalExportSpecification": period});
        let changes = bench.exported(ask).await;
        let mut built = by_key(before);
        for line in bench.lines(&changes) {
            let line: Value = serde_json::from_str(&line).unwrap();
            let key = line["Keys"].to_string();
            let micros: f64 = line["Metadata"]["WriteTimestampMicros"]["N"].as_str().unwrap().parse().unwrap();
            assert!((*from..=*to).contains(&(micros / 1e6)), "{line}");
            let old = built.remove(&key).unwrap_or_default();
            assert_eq!(line["OldImage"], old, "{line}");
            if !line["NewImage"].is_null() {
                assert_eq!(key_of(&line["NewImage"]), line["Keys"]);
                built.insert(key, line["NewImage"].clone());
            }
        }
        assert_eq!(built, by_key(after));
    }
}

#[tokio::test]
async fn exports_are_known_by_their_tokens_and_listed() {
    let bench = model::bench().await;
    set_recovery(&bench).await;
    let mut items = Items::new();
    model::step(&bench, &mut items, &Random::seeded(3)).await;
    let input =
        json!({"TableArn": format!("{ARN}model"), "S3Bucket": "mine", "ClientToken": "once", "ExportFormat": "ION"});
    // Two at once are one.
    let begin = async || bench.call::<aws::ExportTableToPointInTime>(input.clone()).await["ExportDescription"].clone();
    let (first, second) = tokio::join!(begin(), begin());
    assert_eq!(first["ExportArn"], second["ExportArn"]);
    let bench = bench.again().await;
    let again = bench.call::<aws::ExportTableToPointInTime>(input.clone()).await["ExportDescription"].clone();
    assert_eq!(first["ExportArn"], again["ExportArn"]);
    let mut other = input.clone();
    other["S3Prefix"] = "else".into();
    assert_eq!(bench.refused::<aws::ExportTableToPointInTime>(other).await.0, "ExportConflictException");
    let ended = bench.export_ended(&first["ExportArn"]).await;
    for line in bench.lines(&ended) {
        assert!(line.starts_with("$ion_1_0 {Item:{'"), "{line}");
    }
    // They are listed by when they were asked for.
    bench.pass(1);
    let empty = bench.exported(json!({"ExportTime": now_s(&bench)})).await;
    let listed = bench.call::<aws::ListExports>(json!({"TableArn": format!("{ARN}model"), "MaxResults": 1})).await;
    let summary = json!({"ExportArn": first["ExportArn"], "ExportStatus": "COMPLETED", "ExportType": "FULL_EXPORT"});
    assert_eq!(listed["ExportSummaries"], json!([summary]));
    let rest = bench.call::<aws::ListExports>(json!({"NextToken": listed["NextToken"]})).await;
    assert_eq!(rest["ExportSummaries"][0]["ExportArn"], empty["ExportArn"]);
    assert_eq!(rest["NextToken"], Value::Null);
    let since = Instant::now();
    bench.pass(91 * 86_400);
    loop {
        bench.tables.upkeep().await;
        if bench.call::<aws::ListExports>(json!({})).await["ExportSummaries"] == json!([]) {
            break;
        }
        assert!(since.elapsed() < PATIENCE, "exports are forgotten");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_cannot_be_exported_is_refused_or_says_why() {
    let bench = model::bench().await;
    let ask = |more: Value| {
        let mut input = json!({"TableArn": format!("{ARN}model"), "S3Bucket": "mine"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let refused = async |input: Value| bench.refused::<aws::ExportTableToPointInTime>(input).await.0;
    assert_eq!(refused(ask(json!({}))).await, "PointInTimeRecoveryUnavailableException");
    set_recovery(&bench).await;
    bench.pass(100_000);
    let period = |from: f64, to: f64| {
        let period = json!({"ExportFromTime": from, "ExportToTime": to});
        ask(json!({"ExportType": "INCREMENTAL_EXPORT", "IncrementalExportSpecification": period}))
    };
    let now = now_s(&bench);
    for (input, expected) in [
        (ask(json!({"ExportTime": now + 10.0})), "InvalidExportTimeException"),
        (ask(json!({"ExportTime": now - 200_000.0})), "InvalidExportTimeException"),
        (ask(json!({"ExportType": "INCREMENTAL_EXPORT"})), "ValidationException"),
        (period(now - 200_000.0, now), "InvalidExportTimeException"),
        (period(now - 60.0, now), "ValidationException"),
        (period(now - 90_000.0, now), "ValidationException"),
        (json!({"TableArn": format!("{ARN}other"), "S3Bucket": "mine"}), "TableNotFoundException"),
    ] {
        assert_eq!(refused(input.clone()).await, expected, "{input}");
    }
    let missing = json!({"ExportArn": format!("{ARN}model/export/01548148148000-abcdef12")});
    let found = bench.refused::<aws::DescribeExport>(missing.clone()).await;
    let words = format!("Export not found: {}", missing["ExportArn"].as_str().unwrap());
    assert_eq!(found, ("ExportNotFoundException".into(), words));
    for (bucket, status, code) in [("nobodys", "FAILED", json!("NoSuchBucket")), ("shaky", "COMPLETED", Value::Null)] {
        let mut input = ask(json!({}));
        input["S3Bucket"] = bucket.into();
        let begun = bench.call::<aws::ExportTableToPointInTime>(input).await["ExportDescription"].clone();
        let ended = bench.export_ended(&begun["ExportArn"]).await;
        assert_eq!((&ended["ExportStatus"], &ended["FailureCode"]), (&json!(status), &code), "{ended}");
    }
    bench.call::<aws::DeleteTable>(json!({"TableName": "model"})).await;
}
