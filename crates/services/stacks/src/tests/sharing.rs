//! Exports and imports: one owner each, and what is imported stays.

use std::sync::Arc;

use base::Clock;
use serde_json::json;
use store::Store;

use super::world::{World, call, engine, wish};

#[tokio::test]
async fn exports_are_imported_and_stay() {
    let world = Arc::new(World::default());
    let engine = engine(&Store::memory(Clock::system()), &world, &Arc::default(), 1);
    let apply = async |stack: &str, template: &str| {
        let mut wish = wish(template);
        wish.stack = stack.to_owned();
        engine.apply(&call(), wish, None).await.map_err(|error| error.to_string())
    };
    let giver = "Resources: {A: {Type: Toy::Thing, Properties: {Value: v1}}}\nOutputs: {O: {Value: !GetAtt A.Value, Export: {Name: !Sub \
                 'shared-${AWS::Region}'}}}";
    let taker = "Resources: {B: {Type: Toy::Thing, Properties: {Name: b, Value: !ImportValue shared-us-east-1}}}";
    let message = apply("taker", taker).await.expect_err("nobody exports it");
    assert!(message.contains("No export named shared-us-east-1 found."), "{message}");
    apply("giver", giver).await.expect("it is sound");
    let message = apply("thief", giver).await.expect_err("it has an owner");
    assert!(message.contains("Export with name shared-us-east-1 is already exported by stack giver."), "{message}");
    apply("taker", taker).await.expect("now it is there");
    assert_eq!(world.state().things["b"], json!("v1"));

    let message = apply("giver", &giver.replace("v1", "v2")).await.expect_err("it is in use");
    assert!(message.contains("Export shared-us-east-1 cannot be updated as it is in use by taker"), "{message}");
    let before = world.contents();
    assert!(before.values().all(|value| value == "v1"), "the update went back: {before:?}");
    let message = engine.delete(&call(), "giver", None).await.expect_err("it is in use").to_string();
    assert!(message.contains("Export shared-us-east-1 cannot be deleted as it is in use by taker"), "{message}");

    engine.delete(&call(), "taker", None).await.expect("nobody needs it");
    apply("giver", &giver.replace("v1", "v2")).await.expect("nobody uses it now");
    engine.delete(&call(), "giver", None).await.expect("nobody uses it now");
    engine.delete(&call(), "thief", None).await.expect("it left nothing");
    assert!(world.contents().is_empty());
}
