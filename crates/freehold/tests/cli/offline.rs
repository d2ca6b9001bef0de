//! What needs no node.

use serde_json::json;

use crate::support::{freehold, run, run_with_input};

fn here() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn version_and_help_are_printed() {
    let folder = here();
    for arguments in [&["version"][..], &["--version"]] {
        let done = run(folder.path(), arguments);
        assert_eq!((done.code, done.stdout.as_str()), (Some(0), concat!("freehold ", env!("CARGO_PKG_VERSION"), "\n")));
    }
    let help = run(folder.path(), &["--help"]);
    assert_eq!(help.code, Some(0));
    assert!(help.stdout.contains("A minute's tour") && help.stdout.contains("freehold up examples/hello"), "{help:?}");
    assert_eq!(run(folder.path(), &[]).code, Some(2));
}

#[test]
fn env_prints_what_a_shell_reads() {
    let folder = here();
    let done = run(folder.path(), &["env", "--endpoint", "http://localhost:5000"]);
    assert_eq!(
        done.stdout,
        "export AWS_ENDPOINT_URL=http://localhost:5000\nexport AWS_ACCESS_KEY_ID=test\nexport \
         AWS_SECRET_ACCESS_KEY=test\nexport AWS_REGION=us-east-1\nexport AWS_DEFAULT_REGION=us-east-1\n"
    );
    let document = run(folder.path(), &["env", "--json", "--region", "eu-west-1"]).json();
    assert_eq!(document["AWS_REGION"], "eu-west-1");
    assert_eq!(document["AWS_ENDPOINT_URL"], "http://127.0.0.1:4566");
    let mine = freehold(folder.path())
        .args(["env", "--shell", "fish"])
        .envs([("AWS_ACCESS_KEY_ID", "AKIAMINE"), ("AWS_SECRET_ACCESS_KEY", "hush")])
        .output()
        .unwrap();
    let text = String::from_utf8(mine.stdout).unwrap();
    assert!(text.contains("set -gx AWS_REGION 'us-east-1'") && !text.contains("hush"), "{text}");
}

#[test]
fn completions_are_scripts() {
    for (shell, part) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef freehold"),
        ("fish", "complete -c freehold"),
        ("elvish", "edit:completion:arg-completer[freehold]"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let done = run(here().path(), &["completions", shell]);
        assert!(done.code == Some(0) && done.stdout.contains(part), "{shell}");
    }
}

#[test]
fn usage_names_what_is_to_be_typed_and_not_what_the_environment_says() {
    let folder = here();
    let variables = [("AWS_REGION", "eu-west-1"), ("FREEHOLD_ENDPOINT", "http://localhost:1"), ("RUST_LOG", "warn")];
    for (arguments, expected) in
        [(&["deploy"][..], "deploy <DIR>\n"), (&["deploy", "--region", "a-1"], "deploy --region <REGION> <DIR>\n")]
    {
        let done = freehold(folder.path()).args(arguments).envs(variables).output().unwrap();
        let text = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(2));
        assert!(text.contains(&format!("Usage: freehold {expected}")), "{text}");
    }
    let port = run(folder.path(), &["up", "--port", "4567"]);
    assert!(port.code == Some(2) && port.stderr.contains("--listen 127.0.0.1:4567"), "{port:?}");
    // What is wrong with a variable is told all the same.
    let done = freehold(folder.path()).arg("ls").env("AWS_REGION", "Mars!").output().unwrap();
    let text = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.code() == Some(2) && text.contains("Mars!") && text.contains("us-east-1"), "{text}");
}

#[test]
fn nobody_there_says_how_to_start() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for arguments in [&["ls"][..], &["invoke", "greet"], &["logs"], &["rm", "greet"]] {
        let done = run(here().path(), &[arguments, &["--endpoint", &port]].concat());
        assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""), "{done:?}");
        assert!(done.stderr.contains(&format!("Nothing answers at http://{port}.")), "{done:?}");
        assert!(done.stderr.contains("freehold up"), "{done:?}");
    }
}

#[test]
fn bad_payloads_are_refused_before_anything_is_sent() {
    let folder = here();
    let done = run(folder.path(), &["invoke", "greet", "{\"name\": Ada}"]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(2), ""));
    assert!(done.stderr.contains("is not JSON") && done.stderr.contains("line 1, column 10"), "{done:?}");
    let done = run_with_input(folder.path(), &["invoke", "greet", "-"], "{\n]");
    assert_eq!(done.code, Some(2));
    assert!(done.stderr.contains("standard input is not JSON") && done.stderr.contains("line 2"), "{done:?}");
    let done = run(folder.path(), &["invoke", "greet", "-f", "missing.json"]);
    assert!(done.code == Some(2) && done.stderr.contains("missing.json"), "{done:?}");
    // `--data` is another thing's name, and must not send nothing in silence.
    std::fs::write(folder.path().join("event.json"), "{}").unwrap();
    for file in ["missing.json", "event.json"] {
        let done = run(folder.path(), &["invoke", "greet", "--data", file]);
        assert_eq!((done.code, done.stdout.as_str()), (Some(2), ""), "{done:?}");
        assert!(done.stderr.contains(&format!("There is no data folder {file}.")), "{done:?}");
        assert!(done.stderr.contains("freehold invoke NAME -f FILE"), "{done:?}");
    }
    let done = run(folder.path(), &["ls", "--data", "nowhere"]);
    assert!(done.code == Some(2) && done.stderr.contains("There is no data folder nowhere."), "{done:?}");
}

#[test]
fn logs_of_this_process_are_coloured_where_colours_are_wanted() {
    let folder = here();
    let line = |arguments: &[&str]| {
        let all = [&["up", "--listen", "127.0.0.1:0", "--log-level", "trace", "missing"], arguments].concat();
        let done = run(folder.path(), &all);
        assert_eq!(done.code, Some(2), "{done:?}");
        done.stderr
    };
    assert!(!line(&[]).contains('\u{1b}') && !line(&["--color", "never"]).contains('\u{1b}'));
    assert!(line(&["--color", "always"]).contains("\u{1b}[1;31merror:"));
}

#[test]
fn the_doctor_looks_without_a_node() {
    let folder = here();
    let document = run(folder.path(), &["doctor", "--json"]).json();
    let subjects: Vec<_> =
        document["checks"].as_array().unwrap().iter().map(|check| check["subject"].clone()).collect();
    for subject in ["kernel", "namespaces", "data folder", "disk space", "disk sync", "node"] {
        assert!(subjects.contains(&json!(subject)), "{subject} is missing: {subjects:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the doctor leaves nothing behind");
    let text = run(folder.path(), &["doctor"]).stdout;
    assert!(text.contains("kernel") && !text.contains('\u{1b}'), "{text}");
    let coloured = run(folder.path(), &["doctor", "--color", "always"]).stdout;
    assert!(coloured.contains('\u{1b}'), "{coloured}");
}
