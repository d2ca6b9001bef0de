//! A stack's life: made, changed by difference, taken back, deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Clock;
use serde_json::json;
use store::Store;

use super::world::{Halt, World, call, engine, engine_at, wish};
use crate::{Action, Engine, Status};

struct Stage {
    world: Arc<World>,
    engine: Engine,
}

fn stage() -> Stage {
    let world = Arc::new(World::default());
    let engine = engine(&Store::memory(Clock::system()), &world, &Arc::default(), 1);
    Stage { world, engine }
}

impl Stage {
    async fn apply(&self, template: &str) -> Result<bool, String> {
        let applied = self.engine.apply(&call(), wish(template), None).await.map_err(|error| error.to_string())?;
        Ok(applied.changed)
    }

    async fn status(&self) -> Status {
        self.engine.describe(&call(), "app", 10).await.expect("it is there").stack.status
    }

    async fn physical(&self, id: &str) -> String {
        let found = self.engine.describe(&call(), "app", 10).await.expect("it is there");
        let resource = found.resources.into_iter().find(|resource| resource.id == id).expect("it is in the template");
        resource.current.and_then(|current| current.physical_id).expect("it stands")
    }
}

const CHAIN: &str = "
Parameters:
  Suffix: {Type: String, Default: x}
  Secret: {Type: String, Default: s, NoEcho: true}
Resources:
  C: {Type: Toy::Thing, Properties: {Name: c, Value: !Sub '${B.Value}-${Suffix}'}}
  B: {Type: Toy::Thing, Properties: {Name: b, Value: !Join ['', [!GetAtt A.Value, b]]}}
  A: {Type: Toy::Thing, Properties: {Name: a, Value: a}}
  Z: {Type: Toy::Thing, Properties: {Name: z, Value: z}, DependsOn: [C]}
  Lot: {Type: Toy::Ticket, Properties: {Needs: !Ref A}}
Outputs:
  Last: {Value: !GetAtt C.Value, Description: the last}
  Lot: {Value: !Ref Lot}
";

#[tokio::test]
async fn resources_are_made_in_order_and_deleted_in_reverse() {
    let stage = stage();
    assert_eq!(stage.apply(CHAIN).await, Ok(true));
    let log = stage.world.take_log();
    let place = |what: &str| log.iter().position(|entry| entry == what).unwrap_or_else(|| panic!("{what} in {log:?}"));
    assert!(
        place("Create a") < place("Create b")
            && place("Create b") < place("Create c")
            && place("Create c") < place("Create z")
    );
    assert_eq!(stage.world.state().things["c"], json!("ab-x"));

    let found = stage.engine.describe(&call(), "app", 100).await.expect("it is there");
    assert_eq!(found.stack.status, Status::CreateComplete);
    let outputs: Vec<(&str, &str)> = found.stack.outputs.iter().map(|o| (o.name.as_str(), o.value.as_str())).collect();
    assert_eq!(outputs, [("Last", "ab-x"), ("Lot", "1")]);
    let shown = found.stack.shown_parameters();
    assert_eq!((shown["Suffix"].as_str(), shown["Secret"].as_str()), ("x", "****"));
    assert_eq!(found.resources.len(), 5);
    let of_a: Vec<&str> = found.events.iter().filter(|e| e.logical_id == "A").map(|e| e.status).collect();
    assert_eq!(of_a, ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]);

    stage.engine.delete(&call(), "app", None).await.expect("it is deleted");
    let log = stage.world.take_log();
    let place = |what: &str| log.iter().position(|entry| entry == what).unwrap_or_else(|| panic!("{what} in {log:?}"));
    assert!(
        place("Delete z") < place("Delete c")
            && place("Delete c") < place("Delete b")
            && place("Delete b") < place("Delete a")
    );
    assert!(stage.world.contents().is_empty());
    assert!(stage.engine.list(&call()).await.expect("the store works").is_empty());
    stage.engine.delete(&call(), "app", None).await.expect("what is not there is deleted already");
}

#[tokio::test]
async fn only_differences_are_made() {
    let stage = stage();
    stage.apply(CHAIN).await.expect("it is sound");
    stage.world.take_log();
    assert_eq!(stage.apply(CHAIN).await, Ok(false));
    assert!(stage.world.take_log().is_empty());

    // One value changes, and what is made of it; one thing goes, one comes, and one must be made anew.
    let changed = CHAIN.replace("Name: b, Value: !Join ['', [!GetAtt A.Value, b]]", "Name: b, Value: bb").replace(
        "  Z: {Type: Toy::Thing, Properties: {Name: z, Value: z}, DependsOn: [C]}",
        "  Y: {Type: Toy::Thing, Properties: {Value: y}}",
    );
    let plan = stage.engine.plan(&call(), &wish(&changed)).await.expect("it is sound");
    let plan: Vec<_> = plan.iter().map(|p| (p.logical_id.as_str(), p.action, p.reason.as_str())).collect();
    assert_eq!(
        plan,
        [
            ("B", Action::Modify, "Value changed"),
            ("Y", Action::Add, "it is new"),
            ("Z", Action::Remove, "the template has it no more"),
        ]
    );
    assert_eq!(stage.apply(&changed).await, Ok(true));
    let log = stage.world.take_log();
    assert_eq!(
        log.iter().filter(|entry| !entry.contains("app-Y")).collect::<Vec<_>>(),
        ["Update b", "Update c", "Delete z"]
    );
    assert_eq!(stage.world.state().things["c"], json!("bb-x"));
    assert_eq!(stage.status().await, Status::UpdateComplete);

    let before = stage.physical("Y").await;
    let replaced = changed.replace("{Value: y}", "{Value: y, Fixed: 1}");
    let plan = stage.engine.plan(&call(), &wish(&replaced)).await.expect("it is sound");
    assert_eq!((plan.len(), plan[0].action, plan[0].reason.as_str()), (1, Action::Replace, "Fixed changed"));
    stage.apply(&replaced).await.expect("it is sound");
    let after = stage.physical("Y").await;
    assert_ne!(before, after);
    let log = stage.world.take_log();
    assert_eq!(log, [format!("Create {after}"), format!("Update {after}"), format!("Delete {before}")]);
}

#[tokio::test]
async fn a_failed_creation_leaves_nothing() {
    let stage = stage();
    stage.world.state().broken.insert("Create ab-x".to_owned());
    let message = stage.apply(CHAIN).await.expect_err("C cannot be made");
    assert!(message.contains("ended as ROLLBACK_COMPLETE: C: Create ab-x is broken (Broken)"), "{message}");
    assert!(stage.world.contents().is_empty(), "{:?}", stage.world.contents());
    assert_eq!(stage.engine.list(&call()).await.expect("it is readable"), [], "no empty application is left");
    // And the next try starts from nothing.
    assert_eq!(stage.apply(CHAIN).await, Ok(true));
    assert_eq!(stage.status().await, Status::CreateComplete);
}

#[tokio::test]
async fn what_needs_an_id_is_done_when_there_is_one() {
    let stage = stage();
    let sealed = "Resources: { A: { Type: Toy::Thing, Properties: { Name: a, Value: raw, Seal: wax } } }";
    stage.world.state().broken.insert("Update wax".to_owned());
    assert!(stage.apply(sealed).await.is_err());
    assert!(stage.world.contents().is_empty());
    stage.world.take_log();
    stage.apply(sealed).await.expect("it is made");
    assert_eq!(stage.world.contents(), [("a".to_owned(), "wax".into())].into());
    assert_eq!(stage.world.take_log(), ["Create a", "Update a", "Update a"]);
}

#[tokio::test]
async fn a_failed_update_goes_back() {
    let stage = stage();
    stage.apply(CHAIN).await.expect("it is sound");
    let before = stage.world.contents();
    let changed = CHAIN.replace("Value: a}", "Value: aa, Fixed: 2}").replace("Name: a, ", "").replace(
        "  Lot: {Type: Toy::Ticket, Properties: {Needs: !Ref A}}",
        "  New: {Type: Toy::Thing, Properties: {Name: new}}",
    );
    stage.world.state().broken.insert("Update aab-x".to_owned());
    let message =
        stage.apply(&changed.replace("  Lot: {Value: !Ref Lot}\n", "")).await.expect_err("C cannot be changed");
    assert!(message.contains("ended as UPDATE_ROLLBACK_COMPLETE: C: Update aab-x is broken (Broken)"), "{message}");
    assert_eq!(stage.world.contents(), before);
    assert_eq!(stage.status().await, Status::UpdateRollbackComplete);
    let found = stage.engine.describe(&call(), "app", 10).await.expect("it is there");
    assert_eq!(found.stack.outputs.len(), 2, "outputs are those of the template that holds");
    assert_eq!(stage.apply(CHAIN).await, Ok(false), "the first template holds still");
}

#[tokio::test]
async fn what_cannot_be_changed_back_is_said_and_mended() {
    let stage = stage();
    stage.apply(CHAIN).await.expect("it is sound");
    let changed = CHAIN.replace("Value: a}", "Value: aa}");
    stage.world.state().broken.extend(["Update aab".to_owned(), "Update a".to_owned()]);
    let message = stage.apply(&changed).await.expect_err("B cannot be changed, and A not back");
    assert!(message.contains("UPDATE_ROLLBACK_FAILED"), "{message}");
    assert_eq!(stage.apply(CHAIN).await, Ok(true));
    assert_eq!(stage.world.state().things["a"], json!("a"));
    assert_eq!(stage.status().await, Status::UpdateComplete);
}

#[tokio::test]
async fn what_others_made_is_not_taken() {
    let stage = stage();
    stage.world.state().things.insert("b".to_owned(), json!("somebody's"));
    let message = stage.apply(CHAIN).await.expect_err("b is there");
    assert!(message.contains("B: b already exists, and this stack did not make it. Delete it"), "{message}");
    assert_eq!(stage.world.contents(), BTreeMap::from([("b".to_owned(), json!("somebody's"))]));

    stage.world.state().things.clear();
    stage.apply(CHAIN).await.expect("now it is free");
    let message =
        stage.apply(&CHAIN.replace("Name: b,", "Name: b, Fixed: 1,")).await.expect_err("it has a name of its own");
    assert!(
        message
            .contains("CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename b"),
        "{message}"
    );
    let message = stage.apply(&CHAIN.replace("Toy::Ticket", "Toy::Thing")).await.expect_err("types stay");
    assert!(message.contains("modifies resource type of the following resources: [Lot]"), "{message}");
}

/// The service answers with what is there already, as when a version is published and nothing has changed.
#[tokio::test]
async fn what_stands_is_not_deleted_as_what_it_replaced() {
    let first = "Resources:\n  Lot: {Type: Toy::Ticket, Properties: {Token: same}}\n";
    let replaced = first.replace("same}", "same, Needs: new}");
    let renamed = first.replace("Lot", "Other");
    let failing =
        format!("{replaced}  Bad: {{Type: Toy::Thing, Properties: {{Name: bad, Value: bad, Needs: !Ref Lot}}}}\n");
    for (second, broken, survivor) in [(&replaced, "", "Lot"), (&renamed, "", "Other"), (&failing, "Create bad", "Lot")]
    {
        let stage = stage();
        stage.apply(first).await.expect("it is sound");
        stage.world.state().broken.insert(broken.to_owned());
        let applied = stage.apply(second).await;
        assert_eq!(applied.is_ok(), broken.is_empty(), "{second}: {applied:?}");
        let left: Vec<String> = stage.world.contents().into_keys().collect();
        assert_eq!(left, ["ticket-1"], "{second}");
        assert_eq!(stage.physical(survivor).await, "1", "{second}");
        stage.engine.delete(&call(), "app", None).await.expect("it is deleted");
        assert_eq!(stage.world.contents(), BTreeMap::new(), "{second}");
    }
}

#[tokio::test]
async fn what_is_to_be_retained_stays() {
    let stage = stage();
    let template = "Resources:\n  A: {Type: Toy::Thing, DeletionPolicy: Retain, UpdateReplacePolicy: Retain, Properties: {Value: a}}\n  \
                    B: {Type: Toy::Thing, Properties: {Value: b}}\n";
    stage.apply(template).await.expect("it is sound");
    let first = stage.physical("A").await;
    stage.apply(&template.replace("{Value: a}", "{Value: a, Fixed: 1}")).await.expect("it is sound");
    let second = stage.physical("A").await;
    stage.engine.delete(&call(), "app", None).await.expect("it is deleted");
    let left: Vec<String> = stage.world.contents().into_keys().collect();
    let mut expected = vec![first, second];
    expected.sort();
    assert_eq!(left, expected);
}

#[tokio::test]
async fn a_failed_creation_that_kept_something_stays_in_the_list() {
    for (policy, kept) in [("Retain", true), ("RetainExceptOnCreate", false), ("Delete", false)] {
        let stage = stage();
        let template = format!(
            "Resources:\n  A: {{Type: Toy::Thing, DeletionPolicy: {policy}, Properties: {{Name: a, Value: a}}}}\n  \
             B: {{Type: Toy::Thing, DependsOn: A, Properties: {{Name: b, Value: bad}}}}\n"
        );
        stage.world.state().broken.insert("Create bad".to_owned());
        let message = stage.apply(&template).await.expect_err("B cannot be made");
        assert!(message.contains("ended as ROLLBACK_COMPLETE"), "{message}");
        assert_eq!(stage.world.contents().len(), usize::from(kept), "{policy}");
        let left = stage.engine.list(&call()).await.expect("it is readable");
        assert_eq!(left.len(), usize::from(kept), "{policy}");
        if kept {
            let events = stage.engine.describe(&call(), "app", 100).await.expect("it is there").events;
            assert!(
                events.iter().any(|event| event.logical_id == "A" && event.status == "DELETE_SKIPPED"),
                "{events:?}"
            );
            stage.engine.delete(&call(), "app", None).await.expect("its record goes");
            assert!(stage.engine.list(&call()).await.expect("it is readable").is_empty());
            assert_eq!(stage.world.contents().len(), 1, "what was kept is nobody's to delete");
        }
    }
}

#[tokio::test]
async fn mistakes_are_found_before_anything_is_made() {
    let stage = stage();
    for (template, expected) in [
        (
            "Resources: {A: {Type: No::Such}, B: {Type: And::Another}}",
            "Unrecognized resource types: [And::Another, No::Such]",
        ),
        (
            "Resources:\n  A: {Type: Toy::Thing, Properties: {Valu: 1}}",
            "Properties validation failed for resource A with message: Valu: a thing has no such property (line 2)",
        ),
        (
            "Resources:\n  A: {Type: Toy::Thing, Properties: {Value: !Ref B}}\n  B: {Type: Toy::Thing, DependsOn: A}",
            "Circular dependency between resources: [A, B]",
        ),
        (
            "Resources:\n  A: {Type: Toy::Thing}\nOutputs: {O: {Value: !Ref Gone}}",
            "Unresolved resource dependencies [Gone] in the Outputs block of the template (line 3)",
        ),
        ("Parameters: {P: {Type: String}}\nResources: {A: {Type: Toy::Thing}}", "Parameters: [P] must have values"),
        (
            "Conditions: {C: !Equals [a, b]}\nResources:\n  A: {Type: Toy::Thing, Condition: C}\n  B: {Type: Toy::Thing, Properties: \
             {Value: !Ref A}}",
            "Unresolved resource dependencies [A] in the Resources block of the template (line 4)",
        ),
    ] {
        let message = stage.apply(template).await.expect_err("it is wrong");
        assert!(message.contains(expected), "{message}");
    }
    assert!(stage.engine.list(&call()).await.expect("the store works").is_empty());
    let mut bad = wish("Resources: {A: {Type: Toy::Thing}}");
    bad.stack = "1 bad name".to_owned();
    let message = stage.engine.apply(&call(), bad, None).await.expect_err("no stack has such a name").to_string();
    assert!(
        message.starts_with("1 validation error detected: Value '1 bad name' at 'stackName' failed to satisfy"),
        "{message}"
    );
}

#[tokio::test]
async fn mistakes_that_show_late_go_back() {
    let stage = stage();
    // Only the made thing tells that the value is too long.
    let template = "Resources:\n  A: {Type: Toy::Thing, Properties: {Value: abcdefghijkl}}\n  B: {Type: Toy::Thing, Properties: {Value: !Sub \
                    '${A.Value}${A.Value}'}}";
    let message = stage.apply(template).await.expect_err("it is too long");
    assert!(message.contains("B: Properties validation failed: Value: it is too long"), "{message}");
    assert!(stage.world.contents().is_empty());
}

#[tokio::test]
async fn serverless_resources_become_what_they_stand_for() {
    let stage = stage();
    let template = "
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Value: !Ref Default}}
Parameters: {Default: {Type: String, Default: d}}
Resources:
  P: {Type: Toy::Serverless::Pair}
  Q: {Type: Toy::Serverless::Pair, Properties: {Value: q}, DependsOn: [P]}
  User: {Type: Toy::Thing, Properties: {Name: user, Value: !GetAtt QTwin.Value, Needs: !Ref P.Twin}}
Outputs: {Twin: {Value: !Ref P.Twin}}
";
    stage.apply(template).await.expect("it is sound");
    let values: Vec<String> =
        stage.world.contents().into_values().map(|value| value.as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(values, ["d", "twin-d", "q", "twin-q", "twin-q"]);
    let log = stage.world.take_log();
    let first_q = log.iter().position(|entry| entry.contains("app-Q")).expect("Q is made");
    let last_p = log.iter().rposition(|entry| entry.contains("app-P")).expect("P is made");
    assert!(last_p < first_q, "{log:?}");

    for (from, to, expected) in [
        (
            "Transform: AWS::Serverless-2016-10-31\nGlobals: {Function: {Value: !Ref Default}}",
            "",
            "Unrecognized resource types: [Toy::Serverless::Pair]",
        ),
        (
            "!Ref P.Twin}}\nOutputs",
            "!Ref P.Nope}}\nOutputs",
            "Unresolved resource dependencies [P.Nope] in the Resources block",
        ),
        ("Globals: {Function: {Value: !Ref Default}}", "", "resource P with message: Value: it is missing (line 6)"),
        ("DependsOn: [P]", "DependsOn: [N]", "Unresolved resource dependencies [N] in the Resources block"),
    ] {
        let changed = template.replace(from, to);
        assert_ne!(changed, template);
        // Without its transform the template has names that only expansions have.
        let changed = if to.is_empty() && from.starts_with("Transform") {
            "Resources: {P: {Type: Toy::Serverless::Pair}}".to_owned()
        } else {
            changed
        };
        let message = stage.apply(&changed).await.expect_err("it is wrong");
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test]
async fn serverless_resources_write_into_others() {
    let stage = stage();
    let template = "
Transform: AWS::Serverless-2016-10-31
Conditions: {Never: !Equals [a, b]}
Resources:
  Ear: {Type: Toy::Thing, Properties: {Name: ear, Value: {Heard: [first]}}}
  Shut: {Type: Toy::Thing, Condition: Never}
  One: {Type: Toy::Serverless::Word, Properties: {To: !Ref Ear, Say: one}}
  Two: {Type: Toy::Serverless::Word, Properties: {To: !Ref Ear, Say: two}}
  None: {Type: Toy::Serverless::Word, Properties: {To: !Ref Shut, Say: three}}
";
    stage.apply(template).await.expect("it is sound");
    let heard = stage.world.state().things["ear"]["Heard"].clone();
    assert_eq!(heard, json!(["first", "one", "two"]), "in the order of the template");
    let log = stage.world.take_log();
    let ear = log.iter().position(|entry| entry == "Create ear").expect("it is made");
    let words = |name| log.iter().position(|entry| entry.contains(name)).expect("it is made");
    assert!(words("app-One") < ear && words("app-Two") < ear, "after those that it hears: {log:?}");
    let changed = template.replace("Say: two", "Say: more");
    stage.apply(&changed).await.expect("it is sound");
    assert_eq!(stage.world.state().things["ear"]["Heard"][2], "more");

    for (from, to, expected) in [
        (
            "!Ref Ear, Say: two",
            "!Ref Nobody, Say: two",
            "resource Two with message: To: Nobody is no Toy::Thing of this template (line 8)",
        ),
        (
            "{Heard: [first]}",
            "{Heard: text}",
            "resource One with message: To: Value.Heard of Ear is not a list that can be added to (line 7)",
        ),
    ] {
        let message = stage.apply(&template.replace(from, to)).await.expect_err("it is wrong");
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test]
async fn parameters_are_kept_until_others_are_given() {
    let stage = stage();
    let template =
        "Parameters: {V: {Type: String}}\nResources: {A: {Type: Toy::Thing, Properties: {Name: a, Value: !Ref V}}}";
    let mut first = wish(template);
    first.parameters.insert("V".to_owned(), "one".to_owned());
    stage.engine.apply(&call(), first.clone(), None).await.expect("it is sound");
    assert_eq!(stage.apply(template).await, Ok(false), "the value is kept");
    first.parameters.insert("V".to_owned(), "two".to_owned());
    stage.engine.apply(&call(), first, None).await.expect("it is sound");
    assert_eq!(stage.world.state().things["a"], json!("two"));
}

#[tokio::test]
async fn resources_are_made_side_by_side_but_not_all_at_once() {
    let stage = stage();
    let many: String = (0..40).map(|n| format!("  A{n}: {{Type: Toy::Thing}}\n")).collect();
    stage.apply(&format!("Resources:\n{many}")).await.expect("it is sound");
    let most = stage.world.state().working_max;
    assert!((2..=crate::schedule::PARALLEL_MAX).contains(&most), "{most} at a time");
}

#[tokio::test]
async fn one_operation_at_a_time() {
    let world = Arc::new(World::default());
    let store = Store::memory(Clock::system());
    let halt = Arc::new(Halt::after(3));
    let engine = engine(&store, &world, &halt, 1);
    let first = {
        let engine = engine.clone();
        async move { engine.apply(&call(), wish(CHAIN), None).await }
    };
    tokio::select! {
        _ = first => panic!("it was stopped on its way"),
        () = halt.stopped() => {}
    }
    for message in [
        engine.apply(&call(), wish(CHAIN), None).await.expect_err("it is busy").to_string(),
        engine.delete(&call(), "app", None).await.expect_err("it is busy").to_string(),
    ] {
        assert!(message.contains("is in CREATE_IN_PROGRESS state and can not be "), "{message}");
    }
}

#[tokio::test]
async fn a_machine_that_slept_goes_on() {
    let (clock, hand) = Clock::manual(jiff::Timestamp::from_second(1_000_000_000).expect("in range"));
    let world = Arc::new(World::default());
    let store = Store::memory(clock.clone());
    let engine = engine_at(clock, &store, &world, &Arc::default(), 1);
    world.state().sleepy = Some(hand);
    let applied = engine.apply(&call(), wish(CHAIN), None).await.expect("nobody else took the lease");
    assert_eq!(applied.stack.status, Status::CreateComplete);
    assert!(world.state().sleepy.is_none(), "it slept");
    assert_eq!(world.contents().len(), 5);
}

#[tokio::test]
async fn large_properties_and_templates_are_kept_whole() {
    let stage = stage();
    let long = "y".repeat(300_000);
    let template =
        format!("Resources:\n  A: {{Type: Toy::Thing, Properties: {{Needs: '{long}'}}}}\n  B: {{Type: Toy::Thing}}\n");
    stage.apply(&template).await.expect("it is sound");
    assert_eq!(stage.apply(&template).await, Ok(false));
    let kept = stage.engine.template(&call(), "app").await.expect("it is there");
    assert_eq!(kept["Resources"]["A"]["Properties"]["Needs"].as_str().map(str::len), Some(300_000));
    stage.apply("Resources: {B: {Type: Toy::Thing}}").await.expect("it is sound");
    assert_eq!(
        stage.engine.template(&call(), "app").await.expect("it is there"),
        json!({"Resources": {"B": {"Type": "Toy::Thing"}}})
    );
    assert_eq!(stage.world.contents().len(), 1);
}

#[tokio::test]
async fn the_door_s_lines_tell_what_happens() {
    let stage = stage();
    let run = async |path: &str, body: serde_json::Value| {
        let mut lines = crate::api::handle(&stage.engine, call(), path, body);
        let mut all = Vec::new();
        while let Some(line) = lines.recv().await {
            all.push(line);
        }
        all
    };
    let lines = run("deploy", json!({"StackName": "app", "TemplateBody": CHAIN, "Parameters": {"Suffix": 7}})).await;
    assert_eq!(lines.iter().filter(|line| line["Event"]["LogicalResourceId"] == "A").count(), 2);
    let last = lines.last().expect("there is a result");
    assert_eq!(last["Result"]["Changed"], true);
    assert_eq!(
        last["Result"]["Stack"]["Outputs"][0],
        json!({"OutputKey": "Last", "OutputValue": "ab-7", "Description": "the last"})
    );
    let lines =
        run("/plan/", json!({"StackName": "app", "Template": {"Resources": {"A": {"Type": "Toy::Thing"}}}})).await;
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["Result"]["Changes"].as_array().map(Vec::len), Some(5));
    let lines = run("describe", json!({"StackName": "app"})).await;
    assert_eq!(lines[0]["Result"]["Resources"][1]["PhysicalResourceId"], "b");
    assert_eq!(run("list", json!({})).await[0]["Result"]["Stacks"][0]["StackStatus"], "CREATE_COMPLETE");
    assert_eq!(
        run("template", json!({"StackName": "app"})).await[0]["Result"]["Template"]["Resources"]["A"]["Type"],
        "Toy::Thing"
    );
    let last = run("delete", json!({"StackName": "app"})).await.pop();
    assert_eq!(last, Some(json!({"Result": {}})));
    for (path, body, expected) in [
        ("deploy", json!({}), "either Template (a document) or TemplateBody (text) is needed"),
        (
            "deploy",
            json!({"TemplateBody": "Resources: {A: {Type: Toy::Thing}}"}),
            "StackName is missing; it must be text",
        ),
        ("deploy", json!({"StackName": "x", "TemplateBody": "["}), "Template format error: YAML not well-formed."),
        ("describe", json!({"StackName": "gone"}), "Stack with id gone does not exist"),
        ("fly", json!({}), "/_stacks/fly is not there"),
    ] {
        let lines = run(path, body).await;
        let (code, message) = crate::api::fault_of(&lines[0]).expect("it is a fault");
        assert!(code == "ValidationError" && message.starts_with(expected), "{message}");
    }
}
