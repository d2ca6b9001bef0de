//! From a client's publish to the start of a warm function's handler, through a queue, a topic, a bus and a table's stream: everything on
//! disk on its way.
//!
//! The publisher writes the time into what it publishes, in microseconds since the epoch, and the handler logs how long ago that was when
//! it started. Both read the same machine's clock.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::api::{Api, Protocol};
use crate::peer::Peer;
use crate::table::{machine, print};

/// Publishes that do not count: instances start, code gets hot.
const WARM: usize = 30;
const PUBLISHES: usize = 300;
/// Between two publishes.
const PAUSE: Duration = Duration::from_millis(20);
/// How long the last of them may be on its way.
const PATIENCE: Duration = Duration::from_secs(30);
const TARGET_MS: f64 = 5.0;

/// Finds the publisher's time in whatever a source hands over, and logs how long ago that is.
const HANDLER: &str = r"
export const handler = async (event) => {
  const now = Math.round((performance.timeOrigin + performance.now()) * 1000);
  for (const found of JSON.stringify(event).matchAll(/sent=(\d+)=/g)) console.log(`woken ${now - Number(found[1])}`);
};
";

const TEMPLATE: &str = r#"
Transform: AWS::Serverless-2016-10-31
Globals: { Function: { Runtime: nodejs20.x, Handler: index.handler, CodeUri: code } }
Resources:
  Queue: { Type: AWS::SQS::Queue, Properties: { QueueName: wakes } }
  Topic: { Type: AWS::SNS::Topic, Properties: { TopicName: wakes } }
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: wakes
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
      StreamSpecification: { StreamViewType: NEW_IMAGE }
  FromQueue:
    Type: AWS::Serverless::Function
    Properties: { FunctionName: from-queue, Events: { E: { Type: SQS, Properties: { Queue: !GetAtt Queue.Arn } } } }
  FromTopic:
    Type: AWS::Serverless::Function
    Properties: { FunctionName: from-topic, Events: { E: { Type: SNS, Properties: { Topic: !Ref Topic } } } }
  FromBus:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: from-bus
      Events: { E: { Type: EventBridgeRule, Properties: { Pattern: { source: [bench] } } } }
  FromStream:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: from-stream
      Events: { E: { Type: DynamoDB, Properties: { Stream: !GetAtt Table.StreamArn, StartingPosition: LATEST } } }
"#;

/// Runs it and prints the table.
pub async fn run(root: &Path) -> Result<()> {
    println!("\npublish to handler started, warm JavaScript function, durable; {}", machine());
    println!("{PUBLISHES} publishes, one every {PAUSE:?}; target p50 {TARGET_MS} ms\n");
    let (data, folder) = (tempfile::tempdir()?, tempfile::tempdir()?);
    std::fs::create_dir(folder.path().join("code"))?;
    std::fs::write(folder.path().join("code/index.mjs"), HANDLER)?;
    std::fs::write(folder.path().join("template.yaml"), TEMPLATE)?;
    let node = Peer::freehold(root, data.path(), folder.path().to_str())?;
    let mut api = Api::open(&node.address).await?;
    let url = format!("http://{}/000000000000/wakes", node.address);
    let mut rows = Vec::new();
    let sources =
        [("queue", "from-queue"), ("topic", "from-topic"), ("bus", "from-bus"), ("table's stream", "from-stream")];
    for (name, function) in sources {
        for _ in 0..WARM + PUBLISHES {
            let text = format!("sent={}=", micros());
            match name {
                "queue" => {
                    api.call(Protocol::Sqs, "SendMessage", &json!({ "QueueUrl": url, "MessageBody": text })).await?
                }
                "topic" => {
                    let topic = "arn:aws:sns:us-east-1:000000000000:wakes";
                    api.query("sns", "Publish", &[("TopicArn", topic), ("Message", &text)]).await?;
                    Value::Null
                }
                "table's stream" => {
                    // One item, over and over: a change has its old and its new self.
                    let item = json!({ "id": { "S": "one" }, "text": { "S": text } });
                    api.call(Protocol::Tables, "PutItem", &json!({ "TableName": "wakes", "Item": item })).await?
                }
                _ => {
                    let detail = json!({ "text": text }).to_string();
                    let entry = json!({ "Source": "bench", "DetailType": "wake", "Detail": detail });
                    api.call(Protocol::Events, "PutEvents", &json!({ "Entries": [entry] })).await?
                }
            };
            tokio::time::sleep(PAUSE).await;
        }
        let times = woken(&mut api, function).await?;
        let ms = |quantile| format!("{:.2}", times.value_at_quantile(quantile) as f64 / 1e3);
        rows.push(vec![name.to_owned(), times.len().to_string(), ms(0.5), ms(0.9), ms(0.99)]);
    }
    print(&["", "publishes", "p50 ms", "p90 ms", "p99 ms"], &rows);
    Ok(())
}

/// How long each publish took, once all of them woke the function.
async fn woken(api: &mut Api, function: &str) -> Result<Histogram<u64>> {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let found = logged(api, &format!("/aws/lambda/{function}")).await?;
        if found.len() >= WARM + PUBLISHES {
            let mut times = Histogram::new(3)?;
            for micros in found.into_iter().skip(WARM) {
                times.record(micros.max(1))?;
            }
            return Ok(times);
        }
        let wanted = WARM + PUBLISHES;
        ensure!(tokio::time::Instant::now() < until, "{function} was woken by {} of {wanted}", found.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn logged(api: &mut Api, group: &str) -> Result<Vec<u64>> {
    let (mut found, mut token) = (Vec::new(), Value::Null);
    loop {
        let mut input = json!({ "logGroupName": group, "filterPattern": "woken" });
        if !token.is_null() {
            input["nextToken"] = token;
        }
        let page = api.call(Protocol::Logs, "FilterLogEvents", &input).await?;
        for event in page["events"].as_array().into_iter().flatten() {
            let message = event["message"].as_str().unwrap_or_default();
            let micros = message.trim_end().rsplit("woken ").next().context("a line says how long it took")?;
            found.push(micros.parse().with_context(|| format!("'{message}' is not what the handler logs"))?);
        }
        token = page["nextToken"].clone();
        if token.is_null() {
            return Ok(found);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "it is compared with what a handler reads from the same clock")]
fn micros() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros()
}
