//! Workshop commands: what a contributor and CI run, `cargo xtask COMMAND`.

mod codegen;
mod test;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

const HELP: &str = "\
cargo xtask COMMAND

  test                      everything that must hold, as CI runs it
  test conformance [ARG…]   only real SDKs and command lines against the binary
  tidy                      the house rules
  bench [NAME…]             speed, side by side with others in one run: start, hello, wasi
  codegen                   make the shapes anew from the public service models
  codegen --check           fail if the committed shapes are not what the models give
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test"] => test::run(&root()),
        ["test", "conformance", ..] => test::conformance_only(&root(), &arguments[2..]),
        ["tidy"] => tidy::run(&root()),
        ["bench", ..] => test::bench(&root(), &arguments[1..]),
        ["codegen"] => codegen::write(&root()),
        ["codegen", "--check"] => codegen::check(&root()),
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    report(done)
}

/// The repository's root.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn report(done: Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
