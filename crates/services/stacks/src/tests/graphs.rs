//! Random applications, changed at random, with random failures: each update ends as wanted or as it was.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Clock, Random};
use serde_json::{Map, Value, json};
use store::Store;
use template::Node;

use super::crashes::nothing_leaks;
use super::world::{World, call, engine};
use crate::{Error, Status, Wish};

/// Up to ten resources, each of which may need those before it.
fn application(random: &Random) -> Value {
    let mut resources = Map::new();
    let mut ids: Vec<String> = Vec::new();
    for n in 0..10 {
        if random.below(3) == 0 {
            continue;
        }
        let id = format!("R{n}");
        let needs: Vec<Value> = ids.iter().filter(|_| random.below(3) == 0).map(|id| json!({ "Ref": id })).collect();
        let mut properties = json!({
            "Value": format!("v{}", random.below(3)),
            "Fixed": random.below(4) / 3,
            "Needs": needs,
        });
        if n % 3 == 0 {
            // Named things cannot be made anew, so theirs stays.
            properties["Name"] = json!(format!("named-{n}"));
            properties["Fixed"] = json!(0);
        }
        let ticket = n == 7;
        let mut resource =
            json!({ "Type": if ticket { "Toy::Ticket" } else { "Toy::Thing" }, "Properties": properties });
        if let Some(other) = ids.first().filter(|_| random.below(4) == 0) {
            resource["DependsOn"] = json!(other);
        }
        resources.insert(id.clone(), resource);
        ids.push(id);
    }
    resources.insert("Always".to_owned(), json!({ "Type": "Toy::Thing" }));
    json!({ "Resources": resources })
}

fn values(document: &Value) -> BTreeMap<String, Value> {
    let resources = document["Resources"].as_object().expect("it has resources");
    resources.iter().map(|(id, resource)| (id.clone(), resource["Properties"]["Value"].clone())).collect()
}

#[tokio::test]
async fn random_applications_end_as_wanted_or_as_they_were() {
    let (mut made, mut reverted) = (0, 0);
    for seed in 0..60 {
        let random = Random::seeded(seed);
        let world = Arc::new(World::default());
        let engine = engine(&Store::memory(Clock::system()), &world, &Arc::default(), seed);
        let mut holding: BTreeMap<String, Value> = BTreeMap::new();
        let mut last: Option<Value> = None;
        let wish = |document: &Value| Wish {
            stack: "app".to_owned(),
            template: Node::from_json(document, 0),
            parameters: BTreeMap::new(),
        };
        for _ in 0..6 {
            let document = application(&random);
            world.state().failing_percent = random.below(3) * 5;
            let ended = engine.apply(&call(), wish(&document), None).await;
            world.state().failing_percent = 0;
            match ended {
                Ok(_) => {
                    made += 1;
                    holding = values(&document);
                    last = Some(document);
                }
                Err(Error::Failed { status, .. }) if status.ends_with("ROLLBACK_COMPLETE") => reverted += 1,
                // The way back failed too, or something could not be deleted; then a next try without failures mends it, be it of the
                // same template or of the one before.
                Err(Error::Failed { .. }) => {
                    let document = last.clone().filter(|_| random.below(2) == 0).unwrap_or(document);
                    let mended = engine.apply(&call(), wish(&document), None).await;
                    mended.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                    holding = values(&document);
                    last = Some(document);
                }
                Err(error) => panic!("seed {seed}: {error}"),
            }
            let found = match engine.describe(&call(), "app", 1).await {
                // Nothing is kept of a creation that was taken back.
                Err(Error::Missing(_)) => {
                    assert!(holding.is_empty() && world.contents().is_empty(), "seed {seed}: {:?}", world.contents());
                    continue;
                }
                found => found.expect("it is there"),
            };
            let standing: BTreeMap<String, Value> = found
                .resources
                .iter()
                .filter_map(|resource| {
                    Some((resource.id.clone(), resource.current.as_ref()?.properties["Value"].clone()))
                })
                .collect();
            let holding_now = holding.iter().filter(|(id, _)| standing.contains_key(*id) || found.stack.established);
            assert_eq!(standing, holding_now.map(|(id, value)| (id.clone(), value.clone())).collect(), "seed {seed}");
            // What could not be deleted at the time is left for the next operation.
            if found.resources.iter().all(|resource| resource.doomed.is_empty())
                && found.stack.status != Status::RollbackFailed
            {
                nothing_leaks(&engine, &world, seed as i64).await;
            }
        }
        engine.delete(&call(), "app", None).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(world.contents().is_empty(), "seed {seed}: {:?}", world.contents());
    }
    assert!(made > 50 && reverted > 20, "both happen: {made} and {reverted}");
}
