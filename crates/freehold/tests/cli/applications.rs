//! The main job: a folder is up, answers, logs, is edited, and is still there after a restart.
//!
//! Functions here are `bootstrap` scripts in sh, which every machine runs; where Node.js or Python are, the conformance tests
//! use them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use crate::support::{Node, run, write};

/// A Lambda runtime in a few lines: answers each call with `words`, and prints them.
fn bootstrap(folder: &Path, words: &str) {
    let script = format!(
        r#"#!/bin/sh
api="http://${{AWS_LAMBDA_RUNTIME_API}}/2018-06-01/runtime/invocation"
while :; do
  curl -sS -D /tmp/head -o /tmp/event "$api/next" || exit 1
  id=$(sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: *\([^[:space:]]*\).*/\1/p' /tmp/head)
  echo "saying {words}"
  if grep -q slow /tmp/event; then sleep 2; fi
  if grep -q endless /tmp/event; then sleep 600; fi
  if grep -q boom /tmp/event; then
    curl -sS -X POST "$api/$id/error" -d '{{"errorType":"Boom","errorMessage":"it went boom"}}' > /dev/null
  else
    curl -sS -X POST "$api/$id/response" -d '{{"words":"{words}"}}' > /dev/null
  fi
done
"#
    );
    // It comes into the folder whole: a busy machine would deploy one that is half written, or not executable yet.
    let beside = folder.with_extension("being-written");
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(&beside, script).unwrap();
    std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(&beside, folder.join("bootstrap")).unwrap();
}

fn folder_with(name: &str, words: &str) -> Arc<tempfile::TempDir> {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    bootstrap(&folder.path().join(name), words);
    folder
}

#[test]
fn a_folder_is_up_answers_and_logs() {
    let node = Node::start_in(folder_with("greet", "hello"), &["greet"]);
    let shown = node.output().so_far();
    assert!(shown.contains(&format!("curl {}/_fn/greet/", node.endpoint)), "{shown}");
    assert!(shown.contains("export AWS_ENDPOINT_URL=") && shown.contains("Isolation"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "no colours in a pipe: {shown}");
    assert_eq!(node.get("/_fn/greet/"), (200, "{\"words\":\"hello\"}".to_owned()));

    let invoked = node.run(&["invoke", "greet", "{\"a\": 1}", "--log"]);
    assert_eq!((invoked.code, invoked.stdout.as_str()), (Some(0), "{\"words\":\"hello\"}\n"), "{invoked:?}");
    assert!(invoked.stderr.contains("saying hello"), "{invoked:?}");
    let document = node.run_with_input(&["invoke", "greet", "-", "--json"], "[]").json();
    assert_eq!(document["payload"], json!({ "words": "hello" }));
    assert_eq!(document["error"], json!(null));

    let failed = node.run(&["invoke", "greet", "\"boom\""]);
    assert_eq!(failed.code, Some(1));
    assert!(failed.stdout.contains("it went boom"), "the error is the output: {failed:?}");
    assert!(failed.stderr.contains("greet failed: Boom: it went boom"), "{failed:?}");

    // Logs are written a moment after the answer: following waits for them.
    let following = node.follow(&["logs", "-f", "greet"]);
    let line = following.output.wait_for("saying hello");
    assert!(line.ends_with("Z saying hello"), "{line}");
    drop(following);
    let filtered = node.run(&["logs", "greet", "--filter", "saying", "--json"]);
    let first: serde_json::Value = serde_json::from_str(filtered.stdout.lines().next().unwrap()).unwrap();
    assert_eq!((&first["function"], &first["message"]), (&json!("greet"), &json!("saying hello")));
    assert!(!filtered.stdout.contains("REPORT"), "{filtered:?}");

    let listed = node.run(&["ls", "--json"]).json();
    assert_eq!(listed["applications"][0]["name"], "greet");
    assert_eq!(listed["functions"][0]["name"], "greet");
    assert_eq!(listed["functions"][0]["url"], format!("{}/_fn/greet/", node.endpoint));
    // Whoever calls the address is told nothing; whoever runs the node is.
    let (status, answer) = node.get("/_fn/greet/boom");
    assert!((500..600).contains(&status) && !answer.contains("it went boom"), "{status} {answer}");
    let line = node.output().wait_for("greet failed:");
    assert_eq!(line, "✗ greet failed: Boom: it went boom · freehold logs greet");
    let groups = node.run(&["ls", "logs"]);
    assert!(groups.stdout.contains("/aws/lambda/greet"), "{groups:?}");
    let (status, output) = node.stop();
    assert_eq!(status.code(), Some(0), "{output}");
}

#[test]
fn who_follows_the_log_of_a_node_that_dies_is_told_so() {
    let node = Node::start_in(folder_with("greet", "hello"), &["greet", "--no-watch"]);
    assert_eq!(node.get("/_fn/greet/").0, 200);
    let mut following = node.follow(&["logs", "-f", "greet"]);
    following.output.wait_for("saying hello");
    let endpoint = node.endpoint.clone();
    node.kill();
    assert_eq!(following.ended().code(), Some(1));
    let told = following.output.so_far();
    assert!(told.contains(&format!("error: The node at {endpoint} went away before its answer was whole")), "{told}");
    assert!(told.contains("Start it again with: freehold up") && !told.contains("/_logs/"), "{told}");
}

#[test]
fn saving_a_file_redeploys_and_a_broken_one_is_told() {
    let node = Node::start_in(folder_with("greet", "before"), &["greet"]);
    assert_eq!(node.get("/_fn/greet/").1, "{\"words\":\"before\"}");
    bootstrap(&node.path().join("greet"), "after");
    node.output().wait_for("↻ greet redeployed in ");
    assert_eq!(node.get("/_fn/greet/").1, "{\"words\":\"after\"}");
    // A template that makes no sense leaves the old version running.
    write(&node.path(), &[("greet/template.yaml", "Resources: [\n")]);
    node.output().wait_for("error:");
    assert_eq!(node.get("/_fn/greet/").1, "{\"words\":\"after\"}");
    std::fs::remove_file(node.path().join("greet/template.yaml")).unwrap();
    bootstrap(&node.path().join("greet"), "mended");
    node.output().wait("the second redeployment", |text| (text.matches("redeployed in").count() >= 2).then_some(()));
    assert_eq!(node.get("/_fn/greet/").1, "{\"words\":\"mended\"}");
}

#[test]
fn what_was_deployed_is_there_after_a_restart() {
    let node = Node::start_in(folder_with("greet", "hello"), &["greet", "--no-watch"]);
    let folder = Arc::clone(&node.folder);
    let before = node.run(&["ls", "--json"]).json();
    assert_eq!(node.stop().0.code(), Some(0));
    let node = Node::start_in(folder, &[]);
    assert_eq!(node.get("/_fn/greet/"), (200, "{\"words\":\"hello\"}".to_owned()));
    let after = node.run(&["ls", "--json"]).json();
    assert_eq!(before["functions"][0]["arn"], after["functions"][0]["arn"]);
    assert_eq!(after["applications"][0]["name"], "greet");
}

#[test]
fn deploy_changes_by_difference_and_rm_deletes() {
    let node = Node::start_in(folder_with("greet", "one"), &[]);
    let first = node.run(&["deploy", "greet"]);
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(first.stdout.contains(&format!("{}/_fn/greet/", node.endpoint)), "{first:?}");
    let same = node.run(&["deploy", "greet"]);
    assert!(same.code == Some(0) && same.stderr.contains("unchanged"), "{same:?}");
    bootstrap(&node.path().join("greet"), "two");
    assert_eq!(node.run(&["deploy", "greet"]).code, Some(0));
    assert_eq!(node.get("/_fn/greet/").1, "{\"words\":\"two\"}");

    let refused = node.run(&["rm", "gret"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("Did you mean 'greet'?"), "{refused:?}");
    let unasked = node.run(&["rm", "greet"]);
    assert_eq!(unasked.code, Some(2), "{unasked:?}");
    assert!(
        unasked.stderr.contains("would delete application greet (") && unasked.stderr.contains("--yes"),
        "{unasked:?}"
    );
    assert_eq!(node.get("/_fn/greet/").1, "{\"words\":\"two\"}", "nobody agreed, so it is there still");
    let removed = node.run(&["rm", "greet", "--yes"]);
    assert!(removed.code == Some(0) && removed.stderr.contains("deleted application greet"), "{removed:?}");
    assert_eq!(node.run(&["ls", "--json"]).json(), json!({ "applications": [], "functions": [] }));
}

#[test]
fn templates_take_parameters_and_tell_outputs() {
    let node = Node::start_in(folder_with("shop/code", "sold"), &[]);
    let template = "\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev}
Resources:
  Sell:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub sell-${Stage}
      CodeUri: code
      Runtime: provided.al2023
      Handler: bootstrap
Outputs:
  Name:
    Value: !Ref Sell
";
    write(&node.path(), &[("shop/template.yaml", template)]);
    let deployed = node.run(&["deploy", "shop", "--name", "shop-test", "--param", "Stage=test", "--json"]);
    assert_eq!(deployed.code, Some(0), "{deployed:?}");
    assert_eq!(deployed.json()["outputs"]["Name"], "sell-test");
    let refused = node.run(&["rm", "sell-test"]);
    assert!(
        refused.code == Some(1) && refused.stderr.contains("belongs to the application 'shop-test'"),
        "{refused:?}"
    );
    let invoked = node.run(&["invoke", "sell-test"]);
    assert_eq!(invoked.stdout, "{\"words\":\"sold\"}\n");
}

#[test]
fn memory_keeps_nothing() {
    let node = Node::start_in(folder_with("greet", "hello"), &["greet", "--memory", "--no-watch"]);
    assert_eq!(node.get("/_fn/greet/").0, 200);
    let folder = Arc::clone(&node.folder);
    assert!(!folder.path().join(".freehold").exists());
    assert_eq!(node.stop().0.code(), Some(0));
    assert_eq!(run(folder.path(), &["doctor", "--json"]).json()["version"], env!("CARGO_PKG_VERSION"));
}

/// The machine loses power half-way through a deployment; the next `up` goes on, with another template at that.
#[test]
fn a_node_that_was_killed_while_it_deployed_is_mended_by_the_next_up() {
    let groups = |count: usize, days: u32| {
        let group = |number| {
            format!(
                "  G{number}: {{Type: AWS::Logs::LogGroup, Properties: {{LogGroupName: /g/{number}, RetentionInDays: {days}}}}}\n"
            )
        };
        format!("Resources:\n{}", (0..count).map(group).collect::<String>())
    };
    let listed = |node: &Node| {
        let document = node.run(&["ls", "logs", "--json"]).json();
        let groups = document["logGroups"].as_array().unwrap().clone();
        groups.iter().map(|group| group["retentionDays"].as_u64().unwrap_or_default()).collect::<Vec<_>>()
    };
    let mut node = Node::start(&[]);
    for round in 0..3 {
        let (before, days) = (listed(&node), 7 + 7 * (round as u32 % 2));
        write(&node.path(), &[("app/template.yaml", &groups(200 + 20 * round, days))]);
        let deploying = node.follow(&["deploy", "app"]);
        let start = std::time::Instant::now();
        while listed(&node) == before {
            assert!(start.elapsed() < crate::support::DEADLINE, "nothing is deployed");
        }
        let folder = Arc::clone(&node.folder);
        node.kill();
        drop(deploying);
        let days = if days == 7 { 14 } else { 7 };
        write(folder.path(), &[("app/template.yaml", &groups(190, days))]);
        node = Node::start_in(folder, &["app", "--no-watch"]);
        assert!(!node.output().so_far().contains("error:"), "{}", node.output().so_far());
        assert_eq!(listed(&node), vec![u64::from(days); 190], "round {round}");
        let listed = node.run(&["ls", "apps", "--json"]).json();
        assert_eq!(listed["applications"][0]["resources"].as_array().map(Vec::len), Some(190));
    }
}

#[test]
fn a_reset_in_memory_brings_the_application_back() {
    let node = Node::start_in(folder_with("greet", "hello"), &["greet", "--memory"]);
    for round in 1..=3 {
        let (status, answer) = node.post("/_reset", "");
        assert_eq!(status, 200, "{answer}");
        node.output().wait("the deployment after a reset", |text| {
            (text.matches("greet redeployed in ").count() >= round).then_some(())
        });
        assert_eq!(node.get("/_fn/greet/"), (200, "{\"words\":\"hello\"}".to_owned()));
    }
    // What somebody deletes stays deleted.
    let count = |words: &str| node.output().so_far().matches(words).count();
    let (resets, deployments) = (count("The node was reset"), count("greet redeployed in "));
    assert_eq!(node.run(&["rm", "greet", "--yes"]).code, Some(0));
    bootstrap(&node.path().join("greet"), "again");
    node.output()
        .wait("the saved file", |text| (text.matches("greet redeployed in ").count() > deployments).then_some(()));
    assert_eq!(count("The node was reset"), resets);
}

/// The function with ten minutes' time.
fn patient_folder() -> Arc<tempfile::TempDir> {
    let folder = folder_with("greet/code", "at last");
    let template = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Greet:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: greet, CodeUri: code, Runtime: provided.al2023, Handler: bootstrap, Timeout: 600}
";
    write(folder.path(), &[("greet/template.yaml", template)]);
    folder
}

/// Calls the function in the background; returns once it is at work.
fn call_at_work(node: &Node, payload: &str) -> crate::support::Running {
    let call = node.follow(&["invoke", "greet", payload]);
    let log = node.follow(&["logs", "-f", "greet"]);
    log.output.wait_for("saying at last");
    call
}

#[test]
fn stopping_lets_running_calls_end() {
    let node = Node::start_in(patient_folder(), &["greet", "--no-watch"]);
    let mut call = call_at_work(&node, "\"slow\"");
    let (status, output) = node.stop();
    assert!(status.code() == Some(0) && output.contains("Stopping:"), "{output}");
    assert_eq!(call.ended().code(), Some(0));
    assert_eq!(call.output.so_far(), "{\"words\":\"at last\"}\n");
}

#[test]
fn asked_twice_it_stops_at_once_and_keeps_what_it_has() {
    let node = Node::start_in(patient_folder(), &["greet", "--no-watch"]);
    let folder = Arc::clone(&node.folder);
    let mut call = call_at_work(&node, "\"endless\"");
    let (status, output) = node.stop_at_once();
    assert!(status.code() == Some(1) && output.contains("Stopped at once."), "{output}");
    assert_eq!(call.ended().code(), Some(1), "{}", call.output.so_far());
    let node = Node::start_in(folder, &[]);
    assert_eq!(node.run(&["invoke", "greet"]).stdout, "{\"words\":\"at last\"}\n");
}
