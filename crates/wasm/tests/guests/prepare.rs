//! What can be prepared, and how often it is compiled.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use base::{ByteSize, Random};
use wasm::{Engine, EngineError, EngineOptions, Kind, PrepareError, Settings};

use crate::support::{Bench, acts, text};

/// A command that does nothing, and a number that makes it unlike others.
fn command(number: u32) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module (memory (export "memory") 1) (func (export "_start") (drop (i32.const {number}))))"#
    ))
    .unwrap()
}

fn compiled(bench: &Bench) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(bench.dir.path().join("compiled")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "code"));
    files.sort();
    files
}

/// Another engine over the same folder.
fn again(bench: &Bench) -> Engine {
    let mut options = EngineOptions::new(bench.dir.path().join("compiled"));
    options.instances_max = 10;
    Engine::new(options).unwrap()
}

#[tokio::test]
async fn who_wants_the_same_at_once_has_it_compiled_once() {
    let bench = Bench::new();
    for (number, binary) in [acts(), command(1)].iter().enumerate() {
        let start = Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    bench.engine.prepare(binary).unwrap();
                });
            }
        });
        assert_eq!(bench.engine.compilations(), number as u64 + 1);
    }
    assert_eq!(compiled(&bench).len(), 2);
}

#[tokio::test]
async fn what_was_compiled_is_loaded_after_a_restart() {
    let bench = Bench::new();
    bench.engine.prepare(&acts()).unwrap();
    let [file] = &compiled(&bench)[..] else { panic!("one binary, one file") };
    // Who compiles writes a new file.
    let number = fs::metadata(file).unwrap().ino();
    let component = again(&bench).prepare(&acts()).unwrap();
    assert_eq!(fs::metadata(file).unwrap().ino(), number);
    assert_eq!(component.kind(), Kind::Http);
    assert_eq!(text(&component.service(Settings::default()).unwrap(), "/h").await, "Hello from WASI\n");
}

#[tokio::test]
async fn what_was_damaged_is_compiled_again() {
    let bench = Bench::new();
    bench.engine.prepare(&acts()).unwrap();
    let [file] = &compiled(&bench)[..] else { panic!("one binary, one file") };
    let whole = fs::read(file).unwrap();
    let random = Random::seeded(3);
    for _ in 0..20 {
        let mut damaged = whole.clone();
        let at = random.below(damaged.len() as u64) as usize;
        damaged[at] ^= 1 << random.below(8);
        fs::write(file, damaged).unwrap();
        let component = again(&bench).prepare(&acts()).unwrap();
        assert_eq!(text(&component.service(Settings::default()).unwrap(), "/h").await, "Hello from WASI\n");
        assert_eq!(fs::read(file).unwrap().len(), whole.len(), "it is kept again");
    }
}

#[test]
fn the_folder_is_for_its_owner_and_bounded() {
    let bench = Bench::with(|options| {
        // As an installer may have left it.
        fs::create_dir(&options.compiled).unwrap();
        fs::set_permissions(&options.compiled, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(options.compiled.join("0123.new"), b"cut off").unwrap();
        options.compiled_bytes_max = ByteSize::kib(100);
    });
    assert!(!bench.dir.path().join("compiled/0123.new").exists());
    for number in 0..20 {
        bench.engine.prepare(&command(number)).unwrap();
    }
    let files = compiled(&bench);
    let bytes: u64 = files.iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(!files.is_empty() && bytes <= 100 * 1024, "{} files of {bytes} bytes", files.len());
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(bench.dir.path().join("compiled")), 0o700);
    assert_eq!(mode(bench.dir.path().join("compiled/key")), 0o600);
    assert_eq!(mode(files[0].clone()), 0o600);
}

#[test]
fn without_a_folder_there_is_no_engine() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), b"").unwrap();
    let error = Engine::new(EngineOptions::new(dir.path().join("file/below"))).unwrap_err();
    assert!(matches!(error, EngineError::Cache { .. }));
    assert!(
        error.to_string().ends_with("file/below for compiled code cannot be used: Not a directory (os error 20)"),
        "{error}"
    );
}

#[test]
fn a_folder_that_fills_up_costs_only_time() {
    let bench = Bench::new();
    fs::remove_dir_all(bench.dir.path().join("compiled")).unwrap();
    assert_eq!(bench.engine.prepare(&command(1)).unwrap().kind(), Kind::Command);
}

#[test]
fn binaries_have_a_limit() {
    let bench = Bench::with(|options| options.component_bytes_max = ByteSize::kib(1));
    let error = bench.engine.prepare(&acts()).unwrap_err();
    assert!(matches!(error, PrepareError::TooLarge { .. }));
    assert!(error.to_string().ends_with("and the most that is taken are 1 KiB"), "{error}");
}

#[test]
fn what_is_not_as_wasi_has_it_is_refused() {
    let bench = Bench::new();
    let check = |wat: &str, words: &str| {
        let error = bench.engine.prepare(&wat::parse_str(wat).unwrap()).unwrap_err().to_string();
        assert!(error.starts_with("it cannot be compiled: ") && error.contains(words), "{error}");
    };
    check(
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i64))) (func (export "_start")))"#,
        "incompatible import type for `wasi_snapshot_preview1::proc_exit`",
    );
    check(
        r#"(module (import "wasi_snapshot_preview1" "launch" (func)) (func (export "_start")))"#,
        "unknown import: `wasi_snapshot_preview1::launch` has not been defined",
    );
    check(r#"(module (func (export "_start") (result i32)))"#, "type mismatch");
    check(
        r#"(component
            (import "wasi:cli/exit@0.2.0" (instance (export "leave" (func))))
            (instance $run) (export "wasi:cli/run@0.2.0" (instance $run)))"#,
        "wasi:cli/exit@0.2.0",
    );
    check(r#"(component (instance $run) (export "wasi:cli/run@0.2.0" (instance $run)))"#, "does not have export `run`");
}

#[test]
fn damage_is_harmless() {
    let dir = tempfile::tempdir().unwrap();
    let engine = wasm::fuzzing::engine(dir.path());
    let random = Random::seeded(17);
    let until = Instant::now() + Duration::from_secs(5);
    let samples = [acts(), command(7)];
    let mut rounds = 0;
    // As many as fit into a few seconds, and at least some.
    while Instant::now() < until || rounds < 50 {
        let mut damaged = samples[rounds % samples.len()].clone();
        for _ in 0..=random.below(4) {
            let at = random.below(damaged.len() as u64) as usize;
            match random.below(3) {
                0 => damaged[at] = random.u64() as u8,
                1 => damaged.truncate(at.max(8)),
                _ => damaged.extend_from_within(at..),
            }
        }
        wasm::fuzzing::prepare(&engine, &damaged);
        rounds += 1;
    }
}
