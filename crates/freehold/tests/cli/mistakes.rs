//! Errors that people make: each says what is wrong and what to do, and nothing is half done.

use std::sync::Arc;

use crate::support::{Node, run, write};

#[test]
fn a_taken_port_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let done = run(folder.path(), &["up", "--listen", &address]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains(&address) && done.stderr.contains("--listen"), "{done:?}");
}

#[test]
fn a_data_folder_has_one_node() {
    let node = Node::start(&[]);
    let second = run(&node.path(), &["up", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.stderr.contains("another") && second.stderr.contains(".freehold"), "{second:?}");
    assert!(second.stderr.contains("--data"), "{second:?}");
    assert_eq!(node.get("/_health").0, 200, "the first one goes on");
    let doctor = node.run(&["doctor"]);
    assert!(doctor.stdout.contains("in use by a node; another one needs a folder of its own"), "{doctor:?}");
}

#[test]
fn a_newer_data_folder_is_left_alone() {
    let node = Node::start(&[]);
    let folder = Arc::clone(&node.folder);
    assert_eq!(node.stop().0.code(), Some(0));
    let format = walk(folder.path()).into_iter().find(|path| path.ends_with("FORMAT")).expect("the store has a format");
    // What a node of this version wrote is what its doctor reads.
    let doctor = || run(folder.path(), &["doctor"]);
    assert!(doctor().stdout.contains(".freehold/store: format 1 (fjall), no node uses it"), "{:?}", doctor());
    let newer = std::fs::read_to_string(&format).unwrap().replace('1', "99");
    std::fs::write(&format, &newer).unwrap();
    let told = doctor();
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(
        told.stdout.contains("format 99, written by a newer version") && told.stdout.contains("upgrade"),
        "{told:?}"
    );
    let done = run(folder.path(), &["up", "--listen", "127.0.0.1:0"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("newer") && done.stderr.contains("99"), "{done:?}");
    assert_eq!(std::fs::read_to_string(&format).unwrap(), newer);
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() { all.extend(walk(&entry.path())) } else { all.push(entry.path()) }
    }
    all
}

#[test]
fn an_open_node_does_not_listen_to_the_world() {
    let folder = tempfile::tempdir().unwrap();
    let done = run(folder.path(), &["up", "--listen", "0.0.0.0:0", "--auth", "open"]);
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(done.stderr.contains("--auth iam"), "{done:?}");
    assert!(!folder.path().join(".freehold").exists(), "nothing was made");
}

#[test]
fn a_node_that_checks_signatures_wants_its_key() {
    let node = Node::start(&["--auth", "iam"]);
    // Run where the data folder is, its root key is found.
    let listed = node.run(&["ls", "--json"]);
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let elsewhere = tempfile::tempdir().unwrap();
    let refused = run(elsewhere.path(), &["ls", "--endpoint", &node.endpoint]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("--data DIR") && refused.stderr.contains("AWS_ACCESS_KEY_ID"), "{refused:?}");
    let env = node.run(&["env"]);
    assert!(env.stdout.contains("AWS_SECRET_ACCESS_KEY=") && !env.stdout.contains("=test"), "{env:?}");
    assert!(!node.output().so_far().contains("AWS_SECRET_ACCESS_KEY="), "the secret is not shown at the start");
}

#[test]
fn unknown_names_get_suggestions() {
    let node = Node::start(&[]);
    let done = node.run(&["invoke", "greet"]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.stderr.contains("There is no function 'greet'") && done.stderr.contains("freehold deploy DIR"),
        "{done:?}"
    );
    let done = node.run(&["logs", "greet"]);
    assert!(done.code == Some(1) && done.stderr.contains("There is no function 'greet'"), "{done:?}");
    let done = node.run(&["logs", "/my/group"]);
    assert!(done.code == Some(1) && done.stderr.contains("freehold ls logs"), "{done:?}");
}

#[test]
fn a_folder_that_is_no_application_is_told() {
    let node = Node::start(&[]);
    write(&node.path(), &[("notes/README.md", "nothing to run here")]);
    let done = node.run(&["deploy", "notes"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("notes") && done.stderr.contains("index.mjs"), "{done:?}");
    let done = node.run(&["deploy", "missing"]);
    assert!(done.code != Some(0) && done.stderr.contains("missing"), "{done:?}");
}

#[test]
fn a_bad_template_is_told_with_its_line_and_changes_nothing() {
    let node = Node::start(&[]);
    write(
        &node.path(),
        &[(
            "shop/template.yaml",
            "Resources:\n  A:\n    Type: AWS::Lambda::Function\n    Properties:\n      Nonsense: 1\n",
        )],
    );
    for (from, to, expected) in [
        (
            "",
            "",
            "for resource A with message: Nonsense: there is no such property. Take it out: nothing here would heed it. (line 5 of \
             shop/template.yaml)",
        ),
        (
            "Nonsense",
            "Handlr",
            "for resource A with message: Handlr: there is no such property. Did you mean 'Handler'? (line 5 of shop/template.yaml)",
        ),
        (
            "Lambda::Function",
            "Lambda::Functoin",
            "Unrecognized resource types: [AWS::Lambda::Functoin]. Did you mean 'AWS::Lambda::Function'? (line 3 of shop/template.yaml)",
        ),
        (
            "Lambda::Function",
            "Serverless::Function",
            "AWS::Serverless::Function]. It needs `Transform: AWS::Serverless-2016-10-31`. (line 3 of shop/template.yaml)",
        ),
        ("Type:", "Tpe:", "Every Resources object must contain a Type member. (line 2)"),
    ] {
        let template = std::fs::read_to_string(node.path().join("shop/template.yaml")).unwrap();
        write(&node.path(), &[("shop/template.yaml", &template.replace(from, to))]);
        let done = node.run(&["deploy", "shop"]);
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.stderr.contains(expected) && done.stderr.contains("Nothing was changed."), "{done:?}");
        write(&node.path(), &[("shop/template.yaml", &template)]);
    }
    assert_eq!(node.run(&["ls", "--json"]).json()["applications"], serde_json::json!([]));
}

#[test]
fn a_first_deployment_that_fails_leaves_no_empty_application() {
    let node = Node::start(&[]);
    let group = "Resources: {G: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: mine}}}\n";
    write(&node.path(), &[("one/template.yaml", group), ("two/template.yaml", group)]);
    assert_eq!(node.run(&["deploy", "one"]).code, Some(0));
    let refused = node.run(&["deploy", "two"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("Everything is as it was before."), "{refused:?}");
    let listed = node.run(&["ls", "--json"]).json();
    let names: Vec<_> = listed["applications"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["one"], "{listed}");
}

#[test]
fn two_folders_of_one_name_are_told_apart() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let code = "def handler(event, context):\n    return 1\n";
    write(folder.path(), &[("a/greet/app.py", code), ("b/greet/app.py", code)]);
    let node = Node::start_in(folder, &["a/greet", "b/greet", "--no-watch"]);
    node.output().wait_for("a/greet and b/greet would both be the application 'greet'");
}

#[test]
fn an_application_that_cannot_be_deployed_leaves_the_node_up() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    write(folder.path(), &[("bad/template.yaml", "Resources: 7\n")]);
    let node = Node::start_in(folder, &["bad"]);
    node.output().wait_for("error:");
    node.output().wait_for("save the mended file, and it is deployed");
    assert_eq!(node.get("/_health").0, 200);
    // Nothing of it runs, so nothing is said to go on.
    write(&node.path(), &[("bad/template.yaml", "Resources: 8\n")]);
    node.output().wait_for("  Save the mended file, and it is deployed.");
    write(&node.path(), &[("bad/template.yaml", "Resources: {G: {Type: AWS::Logs::LogGroup}}\n")]);
    node.output().wait_for("bad redeployed in");
    let (status, output) = node.stop();
    assert_eq!(status.code(), Some(0), "{output}");
}
