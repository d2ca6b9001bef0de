//! Imports: what was in the bucket is in the table, what was no item is counted, and what cannot be read leaves no table.

use std::time::Instant;

use base::Random;
use bytes::Bytes;
use serde_json::{Value, json};

use super::backups::ARN;
use super::model::{self, Items};
use super::{Bench, PATIENCE, aws};

fn ask(table: &str, more: Value) -> Value {
    let index = json!([{
        "IndexName": "by-n", "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }]);
    let mut input = json!({
        "S3BucketSource": {"S3Bucket": "mine", "S3KeyPrefix": "in/"}, "InputFormat": "DYNAMODB_JSON",
        "TableCreationParameters": {
            "TableName": table, "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [
                {"AttributeName": "id", "AttributeType": "S"}, {"AttributeName": "n", "AttributeType": "N"},
            ],
            "GlobalSecondaryIndexes": index,
        },
    });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

impl Bench {
    fn shelve(&self, key: &str, bytes: impl Into<Bytes>) {
        self.shelf.objects.lock().unwrap().insert(key.to_owned(), bytes.into());
    }

    async fn imported(&self, input: Value) -> Value {
        let begun = self.call::<aws::ImportTable>(input).await["ImportTableDescription"].clone();
        assert_eq!(begun["ImportStatus"], "IN_PROGRESS");
        self.import_ended(&begun["ImportArn"]).await
    }

    async fn import_ended(&self, arn: &Value) -> Value {
        let since = Instant::now();
        loop {
            let found = self.call::<aws::DescribeImport>(json!({"ImportArn": arn})).await;
            if found["ImportTableDescription"]["ImportStatus"] != "IN_PROGRESS" {
                return found["ImportTableDescription"].clone();
            }
            assert!(since.elapsed() < PATIENCE, "{found}");
            self.pass(1);
            tokio::task::yield_now().await;
        }
    }
}

fn counts(import: &Value) -> [i64; 3] {
    ["ProcessedItemCount", "ImportedItemCount", "ErrorCount"].map(|name| import[name].as_i64().unwrap())
}

#[tokio::test]
async fn lines_become_items_and_what_is_none_is_counted() {
    let bench = Bench::new().await;
    let line = |id: &str, n: Value| format!("{}\n", json!({"Item": {"id": {"S": id}, "n": n}}));
    let mut long = String::new();
    for n in 0..250 {
        long.push_str(&line(&format!("a{n}"), json!({"N": n.to_string()})));
    }
    bench.shelve("in/1", long);
    bench.shelve("in/2", line("a1", json!({"N": "7"})) + "nonsense\n" + &line("b", json!({"S": "not a number"})));
    bench.shelve("in/3", format!("{{\"Item\":{{\"n\":{{\"N\":\"1\"}}}}}}\n{}", line("c", json!({"N": "7"}))));
    bench.shelve("out/4", line("d", json!({"N": "1"})));
    // Two at once are one.
    let begin = async || bench.call::<aws::ImportTable>(ask("made", json!({"ClientToken": "once"}))).await;
    let (begun, second) = tokio::join!(begin(), begin());
    let arn_of = |begun: &Value| begun["ImportTableDescription"]["ImportArn"].clone();
    assert_eq!(arn_of(&begun), arn_of(&second));
    assert_eq!(bench.describe("made").await["TableStatus"], "CREATING");
    let bench = bench.again().await;
    let again = bench.call::<aws::ImportTable>(ask("made", json!({"ClientToken": "once"}))).await;
    let arn = &begun["ImportTableDescription"]["ImportArn"];
    assert_eq!(&again["ImportTableDescription"]["ImportArn"], arn);
    let import = bench.import_ended(arn).await;
    // What was no item is told of, and the rest is there, as on AWS.
    assert_eq!((&import["ImportStatus"], &import["FailureCode"]), (&json!("FAILED"), &json!("ItemValidationError")));
    assert_eq!(counts(&import), [255, 252, 3]);
    let group = "arn:aws:logs:us-east-1:000000000000:log-group:/aws-dynamodb/imports:*";
    assert_eq!(import["CloudWatchLogGroupArn"], group);
    let logged = bench.shelf.logged.lock().unwrap().clone().unwrap();
    let (stream, lines) = logged.first_key_value().unwrap();
    let arn_text = arn.as_str().unwrap();
    assert_eq!((logged.len(), format!("{}/error", arn_text.rsplit('/').next().unwrap())), (1, stream.clone()));
    let mut lines: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.dedup();
    let places = lines.iter().map(|line| {
        assert_eq!(&line["importArn"], arn);
        (line["itemS3Pointer"]["key"].as_str().unwrap(), line["itemS3Pointer"]["itemIndex"].as_u64().unwrap())
    });
    assert_eq!(places.collect::<Vec<_>>(), [("in/2", 1), ("in/2", 2), ("in/3", 0)]);
    let words = "One or more parameter values were invalid: Missing the key id in the item";
    assert_eq!(lines[2]["errorMessages"], json!([words]));
    assert_eq!(import["S3BucketSource"]["S3KeyPrefix"], "in/");
    let table = bench.settled("made").await;
    assert_eq!((&table["ItemCount"], &table["TableId"]), (&json!(251), &import["TableId"]));
    let items = bench.contents("made", None).await;
    assert!(items.contains(&json!({"id": {"S": "a1"}, "n": {"N": "7"}})), "the last one of a key stays");
    assert_eq!(bench.contents("made", Some("by-n")).await, items);

    for (more, expected) in [
        (json!({"ClientToken": "once", "InputFormat": "CSV"}), "ImportConflictException"),
        (json!({}), "ResourceInUseException"),
        (json!({"InputFormatOptions": {"Csv": {"Delimiter": ";"}}}), "ValidationException"),
    ] {
        assert_eq!(bench.refused::<aws::ImportTable>(ask("made", more)).await.0, expected);
    }
    bench.imported(ask("other", json!({}))).await;
    let page = bench.call::<aws::ListImports>(json!({"PageSize": 1})).await;
    assert_eq!(&page["ImportSummaryList"][0]["ImportArn"], arn);
    let rest = bench.call::<aws::ListImports>(json!({"NextToken": page["NextToken"]})).await;
    assert_eq!(rest["ImportSummaryList"][0]["TableArn"], format!("{ARN}other"));
    assert_eq!(rest["NextToken"], Value::Null);
    let of_table = bench.call::<aws::ListImports>(json!({"TableArn": format!("{ARN}made")})).await;
    assert_eq!(of_table["ImportSummaryList"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn values_between_delimiters_become_items() {
    let bench = Bench::new().await;
    bench.shelve("in/a.csv", "id;n;text\r\na;1;\"one; two\"\r\nb;x;three\r\nc;3;\r\n");
    let options = json!({"Csv": {"Delimiter": ";"}});
    let import = bench.imported(ask("made", json!({"InputFormat": "CSV", "InputFormatOptions": options}))).await;
    assert_eq!((import["FailureCode"].as_str(), counts(&import)), (Some("ItemValidationError"), [3, 2, 1]));
    assert_eq!(import["InputFormatOptions"], options);
    assert_eq!(
        bench.contents("made", None).await,
        [
            json!({"id": {"S": "a"}, "n": {"N": "1"}, "text": {"S": "one; two"}}),
            json!({"id": {"S": "c"}, "n": {"N": "3"}, "text": {"S": ""}}),
        ]
    );
}

#[tokio::test]
async fn what_is_exported_can_be_imported() {
    let bench = model::bench().await;
    let specification = json!({"PointInTimeRecoveryEnabled": true});
    let recovery = json!({"TableName": "model", "PointInTimeRecoverySpecification": specification});
    bench.call::<aws::UpdateContinuousBackups>(recovery).await;
    let (random, mut items) = (Random::seeded(5), Items::new());
    for _ in 0..80 {
        model::step(&bench, &mut items, &random).await;
    }
    for (format, back) in [("DYNAMODB_JSON", "back"), ("ION", "back-again")] {
        let input =
            json!({"TableArn": format!("{ARN}model"), "S3Bucket": "shaky", "S3Prefix": "away", "ExportFormat": format});
        let begun = bench.call::<aws::ExportTableToPointInTime>(input).await["ExportDescription"].clone();
        let since = Instant::now();
        let data = loop {
            let input = json!({"ExportArn": begun["ExportArn"]});
            let export = bench.call::<aws::DescribeExport>(input).await["ExportDescription"].clone();
            if export["ExportStatus"] == "COMPLETED" {
                break export["ExportManifest"].as_str().unwrap().replace("manifest-summary.json", "data/");
            }
            assert!(since.elapsed() < PATIENCE, "{export}");
            bench.pass(1);
            tokio::task::yield_now().await;
        };
        let table = bench.describe("model").await;
        let import = bench
            .imported(json!({
                "S3BucketSource": {"S3Bucket": "shaky", "S3KeyPrefix": data}, "InputFormat": format,
                "InputCompressionType": "GZIP",
                "TableCreationParameters": {
                    "TableName": back, "BillingMode": "PAY_PER_REQUEST", "KeySchema": table["KeySchema"],
                    "AttributeDefinitions": [
                        {"AttributeName": "p", "AttributeType": "S"}, {"AttributeName": "s", "AttributeType": "N"},
                    ],
                },
            }))
            .await;
        assert_eq!((import["ImportStatus"].as_str(), import["ErrorCount"].as_i64()), (Some("COMPLETED"), Some(0)));
        assert_eq!(bench.contents(back, None).await, bench.contents("model", None).await);
    }
}

#[tokio::test]
async fn packed_objects_become_items_too() {
    let bench = Bench::new().await;
    let lines: String = (0..300).map(|n| format!("{}\n", json!({"Item": {"id": {"S": format!("a{n}")}}}))).collect();
    let zstd = ruzstd::encoding::compress_to_vec(lines.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, lines.as_bytes()).unwrap();
    for (table, packing, packed) in [("in-zstd", "ZSTD", zstd), ("in-gzip", "GZIP", gzip.finish().unwrap())] {
        assert!(packed.len() < lines.len() / 2);
        bench.shelve("in/1", packed);
        let import = bench.imported(ask(table, json!({"InputCompressionType": packing}))).await;
        assert_eq!((import["ImportStatus"].as_str(), counts(&import)), (Some("COMPLETED"), [300, 300, 0]), "{import}");
        assert_eq!(import["ProcessedSizeBytes"].as_i64(), i64::try_from(lines.len()).ok(), "what was in it counts");
        assert_eq!(bench.settled(table).await["ItemCount"], 300);
    }
}

#[tokio::test]
async fn what_cannot_be_read_leaves_no_table() {
    let bench = Bench::new().await;
    bench.shelve("in/1", "this is not packed");
    let nobodys = json!({"S3Bucket": "nobodys"});
    let empty = json!({"S3Bucket": "mine", "S3KeyPrefix": "nothing/"});
    for (more, code) in [
        (json!({"InputCompressionType": "GZIP"}), "DamagedObject"),
        (json!({"InputCompressionType": "ZSTD"}), "DamagedObject"),
        (json!({"S3BucketSource": nobodys}), "NoSuchBucket"),
        (json!({"S3BucketSource": empty}), "NoSuchKey"),
    ] {
        let import = bench.imported(ask("made", more)).await;
        assert_eq!((import["ImportStatus"].as_str(), import["FailureCode"].as_str()), (Some("FAILED"), Some(code)));
        let missing = bench.refused::<aws::DescribeTable>(json!({"TableName": "made"})).await;
        assert_eq!(missing.0, "ResourceNotFoundException");
    }
    let arn = format!("{ARN}made/import/01548148148000-abcdef12");
    let missing = bench.refused::<aws::DescribeImport>(json!({"ImportArn": arn})).await;
    assert_eq!(missing, ("ImportNotFoundException".into(), format!("Import not found: {arn}")));
}
