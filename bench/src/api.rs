//! Calls of AWS operations on one connection, made by hand so that a client's own work is not measured with them.

use anyhow::Result;
use serde_json::Value;

use crate::load::Connection;

/// A service that speaks JSON: what its targets begin with, and its version of the protocol.
#[derive(Clone, Copy)]
pub enum Protocol {
    /// SQS.
    Sqs,
    /// EventBridge.
    Events,
    /// CloudWatch Logs.
    Logs,
    /// DynamoDB.
    Tables,
}

/// A connection to a node or to one that is like it.
pub struct Api {
    connection: Connection,
    address: String,
}

impl Api {
    /// Connects to `HOST:PORT`.
    pub async fn open(address: &str) -> Result<Self> {
        Ok(Self { connection: Connection::open(address).await?, address: address.to_owned() })
    }

    /// Calls an operation; its answer.
    pub async fn call(&mut self, protocol: Protocol, operation: &str, input: &Value) -> Result<Value> {
        let request = json_request(&self.address, protocol, operation, input);
        Ok(serde_json::from_slice(self.exchange(&request).await?).unwrap_or_default())
    }

    /// Calls an operation of a service that speaks the query protocol.
    pub async fn query(&mut self, service: &str, operation: &str, members: &[(&str, &str)]) -> Result<()> {
        let mut body = format!("Action={operation}&Version=2010-03-31");
        for (name, value) in members {
            body.push_str(&format!("&{name}={}", escaped(value)));
        }
        let request = request(&self.address, POST, service, "application/x-www-form-urlencoded", "", &body);
        self.exchange(&request).await.map(|_| ())
    }

    /// Changes a function's configuration.
    pub async fn configure(&mut self, function: &str, changes: &Value) -> Result<()> {
        let path = format!("/2015-03-31/functions/{function}/configuration");
        let body = changes.to_string();
        let request = request(&self.address, &format!("PUT {path}"), "lambda", "application/json", "", &body);
        self.exchange(&request).await.map(|_| ())
    }

    /// Sends what was made before; the answer's body.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.connection.exchange(request).await
    }
}

/// A request of the JSON protocol, to be sent any number of times.
pub fn json_request(host: &str, protocol: Protocol, operation: &str, input: &Value) -> Vec<u8> {
    let (service, target, version) = match protocol {
        Protocol::Sqs => ("sqs", "AmazonSQS", "1.0"),
        Protocol::Events => ("events", "AWSEvents", "1.1"),
        Protocol::Tables => ("dynamodb", "DynamoDB_20120810", "1.0"),
        Protocol::Logs => ("logs", "Logs_20140328", "1.1"),
    };
    let kind = format!("application/x-amz-json-{version}");
    request(host, POST, service, &kind, &format!("x-amz-target: {target}.{operation}\r\n"), &input.to_string())
}

/// Where most protocols send all that they ask.
const POST: &str = "POST /";

fn request(host: &str, line: &str, service: &str, kind: &str, more: &str, body: &str) -> Vec<u8> {
    let key = format!("Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0");
    let length = body.len();
    format!(
        "{line} HTTP/1.1\r\nhost: {host}\r\nuser-agent: bench\r\nx-amz-date: 20260101T000000Z\r\ncontent-type: {kind}\r\n{more}\
         authorization: AWS4-HMAC-SHA256 {key}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
