//! A function by AWS's own crate: `cargo build --release`, then the program as `out/bootstrap`.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(greet)).await
}

async fn greet(event: LambdaEvent<Value>) -> Result<Value, Error> {
    if event.payload["fail"] == true {
        return Err("boom".into());
    }
    Ok(json!({ "event": event.payload, "language": "Rust", "id": event.context.request_id }))
}
