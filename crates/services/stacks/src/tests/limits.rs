//! What is bounded: sizes of what templates make, lengths of histories. And mistakes that are found before anything is made.

use std::sync::Arc;

use base::Clock;
use serde_json::{Value, json};
use store::Store;

use super::world::{World, call, engine, wish};
use crate::Engine;

fn stage() -> (Engine, Arc<World>) {
    let world = Arc::new(World::default());
    (engine(&Store::memory(Clock::system()), &world, &Arc::default(), 1), world)
}

async fn refused(engine: &Engine, template: &str) -> String {
    engine.apply(&call(), wish(template), None).await.expect_err("it is wrong").to_string()
}

#[tokio::test]
async fn a_template_makes_only_so_much() {
    let (engine, world) = stage();
    let long = "x".repeat(4_000);
    let refs = |count| "!Ref P, ".repeat(count);
    let expected = "Template error: the functions of this template make more than 4000000 bytes";
    // One resource, many, and defaults that are given to many.
    let one = format!("  A: {{Type: Toy::Thing, Properties: {{Needs: [{}]}}}}\n", refs(1_100));
    let many: String =
        (0..30).map(|n| format!("  A{n}: {{Type: Toy::Thing, Properties: {{Needs: [{}]}}}}\n", refs(40))).collect();
    let pairs: String = (0..200).map(|n| format!("  A{n}: {{Type: Toy::Serverless::Pair}}\n")).collect();
    let globals = format!(
        "Transform: AWS::Serverless-2016-10-31\nGlobals: {{Function: {{Value: v, Needs: [{}]}}}}\nResources:\n{pairs}",
        refs(10)
    );
    for template in [format!("Resources:\n{one}"), format!("Resources:\n{many}"), globals] {
        let template = format!("Parameters: {{P: {{Type: String, Default: '{long}'}}}}\n{template}");
        let message = refused(&engine, &template).await;
        assert!(message.starts_with(expected), "{message}");
    }
    assert!(world.contents().is_empty());
}

#[tokio::test]
async fn a_history_keeps_its_newest_events() {
    let (engine, _) = stage();
    for round in 0..800 {
        let template = format!("Resources: {{A: {{Type: Toy::Thing, Properties: {{Name: a, Value: v{round}}}}}}}");
        engine.apply(&call(), wish(&template), None).await.expect("it is sound");
    }
    let found = engine.describe(&call(), "app", 10_000).await.expect("it is there");
    assert!((2_000..2_010).contains(&found.events.len()), "{}", found.events.len());
    let last = found.events.last().expect("there are some");
    assert_eq!((last.logical_id.as_str(), last.status), ("app", "UPDATE_COMPLETE"));
}

#[tokio::test]
async fn mistakes_come_with_advice() {
    let (engine, world) = stage();
    for (template, expected) in [
        (
            "Resources:\n  A: {Type: Toy::Thnig}",
            "Template format error: Unrecognized resource types: [Toy::Thnig] (line 2). Did you mean 'Toy::Thing'?",
        ),
        (
            "Resources:\n  A: {Type: AWS::DynamoDB::Table}",
            "Template format error: Unrecognized resource types: [AWS::DynamoDB::Table] (line 2). This node does not make \
             AWS::DynamoDB::Table yet: take the resource out, or give it a Condition that does not hold here.",
        ),
        (
            "Resources:\n  A: {Type: Toy::Serverless::Pair}\n  B: {Type: Some::Other}",
            "Template format error: Unrecognized resource types: [Some::Other, Toy::Serverless::Pair] (line 2). \
             Toy::Serverless::Pair: It needs `Transform: AWS::Serverless-2016-10-31`. This node does not make Some::Other yet: take \
             the resource out, or give it a Condition that does not hold here.",
        ),
        (
            "Resources:\n  A: {Type: Toy::Thing}\n  B: {Type: Toy::Thing, Properties: {Value: !GetAtt A.Valu}}",
            "Template error: resource A does not support attribute type Valu in Fn::GetAtt (line 3)",
        ),
        (
            "Resources: {A: {Type: Toy::Thing}}\nOutputs:\n  O: {Value: !GetAtt A.Valu}",
            "Template error: resource A does not support attribute type Valu in Fn::GetAtt (line 3)",
        ),
        (
            "Resources: {A: {Type: Toy::Thing}}\nOutputs:\n  O: {Value: [a, !Ref AWS::Region]}",
            "Template format error: Output O is malformed. The Value field of every Outputs member must evaluate to a String. (line \
             3)",
        ),
        (
            "Resources: {A: {Type: Toy::Thing}}\nOutputs:\n  O: {Value: a, Export: {Name: !Ref AWS::NoValue}}",
            "Template format error: Output O is malformed. The Name field of every Export member must evaluate to a String. (line \
             3)",
        ),
        ("Resources:\n  A: {Type: Toy::Thing, DependsOn: A}", "Circular dependency between resources: [A] (line 2)"),
        (
            "Transform: AWS::Serverless-2016-10-31\nGlobals:\n  Functoin: {Value: v}\nResources: {A: {Type: Toy::Serverless::Pair}}",
            "'Globals' section is invalid. 'Functoin' is not supported. Must be one of the following values - [Function, Api, \
             HttpApi, SimpleTable, StateMachine, LayerVersion, CapacityProvider] (line 3)",
        ),
        (
            "Resources:\n  A:\n    Type: Toy::Thing\n    Properties:\n      Name: a\n      Valu: 1",
            "Properties validation failed for resource A with message: Valu: a thing has no such property (line 6)",
        ),
    ] {
        assert_eq!(refused(&engine, template).await, expected);
    }
    assert!(world.contents().is_empty());
}

#[tokio::test]
async fn one_export_has_one_output() {
    let (engine, world) = stage();
    let template = "Resources: {A: {Type: Toy::Thing}}\nOutputs:\n  O: {Value: o, Export: {Name: x}}\n  P: {Value: p, Export: {Name: x}}";
    let message = refused(&engine, template).await;
    assert!(message.contains("Outputs/P with message: another output is exported as x already"), "{message}");
    assert!(world.contents().is_empty());

    // What only a made thing tells shows late, and goes back.
    let late = "Resources: {A: {Type: Toy::Thing, Properties: {Value: [a]}}}\nOutputs: {O: {Value: !GetAtt A.Value}}";
    let message = refused(&engine, late).await;
    assert!(
        message.contains("ROLLBACK_COMPLETE: Template format error: Output O is malformed. The Value"),
        "{message}"
    );
    assert!(world.contents().is_empty());
}

/// A branch that its condition leaves out imports nothing, and holds nobody's export.
#[tokio::test]
async fn only_what_is_used_is_imported() {
    let (engine, _) = stage();
    let apply = async |stack: &str, template: &str| {
        let mut wish = wish(template);
        wish.stack = stack.to_owned();
        engine.apply(&call(), wish, None).await
    };
    let taker = "
Conditions: {No: !Equals [a, b]}
Resources:
  A: {Type: Toy::Thing, Properties: {Value: !If [No, !ImportValue x, !ImportValue y]}}
Outputs:
  O: {Condition: No, Value: !ImportValue x}
";
    let giver = "Resources: {A: {Type: Toy::Thing}}\nOutputs:\n  X: {Value: x1, Export: {Name: x}}\n  Y: {Value: y1, Export: {Name: y}}";
    apply("giver", giver).await.expect("it is sound");
    let taken = apply("taker", taker).await.expect("it is sound").stack;
    assert_eq!(taken.imports.iter().collect::<Vec<_>>(), ["y"]);
    apply("giver", &giver.replace("x1", "x2")).await.expect("nobody uses x");
    apply("giver", &giver.replace("y1", "y2")).await.expect_err("y is in use");
}

/// A document has no lines, so whoever has them is told where to look.
#[tokio::test]
async fn a_fault_of_a_document_tells_its_place() {
    let (engine, _) = stage();
    let fault = async |resources: Value| {
        let body = json!({ "StackName": "app", "Template": { "Resources": resources } });
        let mut lines = crate::api::handle(&engine, call(), "deploy", body);
        lines.recv().await.expect("there is an answer")["Fault"].clone()
    };
    let wrong = fault(json!({ "A": { "Type": "Toy::Thing", "Properties": { "Valu": 1 } } })).await;
    assert_eq!((&wrong["Resource"], &wrong["Path"]), (&json!("A"), &json!("Properties.Valu")));
    let wrong = fault(json!({ "B": { "Type": "Toy::Thong" } })).await;
    assert_eq!((&wrong["Resource"], &wrong["Path"]), (&json!("B"), &json!("Type")));
    let wrong = fault(json!({})).await;
    assert_eq!((wrong.get("Resource"), wrong.get("Path")), (None, None));
}
