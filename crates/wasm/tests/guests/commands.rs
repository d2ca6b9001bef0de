//! Programs that run once: components of WASI 0.2 and 0.3, and core modules.

use std::sync::Arc;
use std::time::Duration;

use base::ByteSize;
use bytes::Bytes;
use wasm::{Collect, Failure, Kind, Run, Settings};

use crate::support::{Bench, PATIENCE};

/// A module of acts: its second argument says which one.
const MODULE: &str = r#"
  (module
    (import "wasi_snapshot_preview1" "args_get" (func $args-get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 2)
    (data (i32.const 3000) "complaint\0a")
    (func $put (param $fd i32) (param $at i32) (param $length i32)
      (i32.store (i32.const 8) (local.get $at))
      (i32.store (i32.const 12) (local.get $length))
      (if (call $write (local.get $fd) (i32.const 8) (i32.const 1) (i32.const 16)) (then (call $exit (i32.const 74)))))
    (func $copy
      (block $done
        (loop $next
          (i32.store (i32.const 8) (i32.const 8192))
          (i32.store (i32.const 12) (i32.const 4096))
          (br_if $done (call $read (i32.const 0) (i32.const 8) (i32.const 1) (i32.const 16)))
          (br_if $done (i32.eqz (i32.load (i32.const 16))))
          (call $put (i32.const 1) (i32.const 8192) (i32.load (i32.const 16)))
          (br $next))))
    (func (export "_start")
      (local $act i32)
      (drop (call $args-get (i32.const 1024) (i32.const 2048)))
      (local.set $act (i32.load8_u (i32.load (i32.const 1028))))
      ;; c: copy;  e: complain and exit with 3;  l: loop;  t: trap;  o: flood;  f: open a file
      (if (i32.eq (local.get $act) (i32.const 0x63)) (then (call $copy)))
      (if (i32.eq (local.get $act) (i32.const 0x65))
        (then (call $put (i32.const 2) (i32.const 3000) (i32.const 10)) (call $exit (i32.const 3))))
      (if (i32.eq (local.get $act) (i32.const 0x6c)) (then (loop $forever (br $forever))))
      (if (i32.eq (local.get $act) (i32.const 0x74)) (then unreachable))
      (if (i32.eq (local.get $act) (i32.const 0x6f))
        (then (loop $forever (call $put (i32.const 1) (i32.const 8192) (i32.const 65536)) (br $forever))))
      (if (i32.eq (local.get $act) (i32.const 0x66))
        (then (call $exit (call $open (i32.const 3) (i32.const 0) (i32.const 3000) (i32.const 4) (i32.const 0) (i64.const 2)
          (i64.const 0) (i32.const 0) (i32.const 16)))))))
"#;

fn act(act: &str) -> Run {
    Run::new(vec!["module.wasm".to_owned(), act.to_owned()], PATIENCE)
}

#[tokio::test]
async fn a_module_reads_writes_and_exits() {
    let bench = Bench::new();
    let module = bench.engine.prepare(&wat::parse_str(MODULE).unwrap()).unwrap();
    assert_eq!(module.kind(), Kind::Command);
    let settings = Settings::default();

    let input = Bytes::from(vec![b'x'; 100_000]);
    let ran = module.run(&settings, Run { input: input.clone(), ..act("c") }).await.unwrap();
    assert_eq!((ran.status, &ran.output[..]), (0, &input[..]));
    assert_eq!((ran.usage.bytes_in, ran.usage.bytes_out), (100_000, 100_000));
    assert_eq!(ran.usage.memory_peak, ByteSize::kib(128));
    assert!(ran.usage.wall > Duration::ZERO);

    let stderr = Arc::new(Collect::new(ByteSize::kib(1)));
    let ran = module.run(&settings, Run { stderr: Arc::clone(&stderr) as _, ..act("e") }).await.unwrap();
    assert_eq!((ran.status, ran.output), (3, Vec::new()));
    assert_eq!(stderr.take().unwrap(), b"complaint\n");

    // 8 is EBADF: there are no folders.
    assert_eq!(module.run(&settings, act("f")).await.unwrap().status, 8);
}

#[tokio::test]
async fn a_module_has_limits() {
    let bench = Bench::new();
    let module = bench.engine.prepare(&wat::parse_str(MODULE).unwrap()).unwrap();
    let settings = Settings::default();
    let time = Duration::from_secs(1);
    let failed = module.run(&settings, Run { time, ..act("l") }).await.unwrap_err();
    assert_eq!(failed.failure, Failure::Time { limit: time });
    let failed = module.run(&settings, act("t")).await.unwrap_err();
    assert!(matches!(&failed.failure, Failure::Trap { reason, .. } if reason.contains("unreachable")), "{failed}");
    // It finds its output closed, and exits on that.
    let failed = module.run(&settings, Run { output_bytes_max: ByteSize::mib(1), ..act("o") }).await.unwrap_err();
    assert_eq!(failed.failure, Failure::Output { limit: ByteSize::mib(1) });
    let settings = Settings { memory: ByteSize::kib(64), ..settings };
    let failed = module.run(&settings, act("c")).await.unwrap_err();
    assert!(matches!(failed.failure, Failure::Memory { .. }), "{failed}");
    assert_eq!((bench.engine.instances(), bench.engine.memory_used()), (0, ByteSize(0)));
}

/// A component whose `run` returns what `body` says.
fn component(body: &str) -> Vec<u8> {
    let component = format!(
        r#"(component
            (import "wasi:cli/exit@0.2.0" (instance $exit (export "exit" (func (param "status" (result))))))
            (core func $exit (canon lower (func $exit "exit")))
            (core module $main
                (import "host" "exit" (func $exit (param i32)))
                (memory 1)
                (func (export "run") (result i32) {body}))
            (core instance $main (instantiate $main (with "host" (instance (export "exit" (func $exit))))))
            (func $run (result (result)) (canon lift (core func $main "run")))
            (instance $runner (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $runner)))"#
    );
    wat::parse_str(component).unwrap()
}

#[tokio::test]
async fn a_component_runs() {
    let bench = Bench::new();
    for (body, status) in [
        ("(i32.const 0)", 0),
        ("(i32.const 1)", 1),
        ("(call $exit (i32.const 0)) unreachable", 0),
        ("(call $exit (i32.const 1)) unreachable", 1),
    ] {
        let component = bench.engine.prepare(&component(body)).unwrap();
        assert_eq!(component.kind(), Kind::Command);
        let ran = component.run(&Settings::default(), Run::new(vec!["x".to_owned()], PATIENCE)).await.unwrap();
        assert_eq!((ran.status, ran.output), (status, Vec::new()), "{body}");
    }
    let component = bench.engine.prepare(&component("(loop $l (br $l)) unreachable")).unwrap();
    let time = Duration::from_secs(1);
    let failed = component.run(&Settings::default(), Run::new(Vec::new(), time)).await.unwrap_err();
    assert_eq!(failed.failure, Failure::Time { limit: time });
}

#[tokio::test]
async fn a_component_of_wasi_3_runs() {
    let bench = Bench::new();
    for (result, status) in [(0, 0), (1, 1)] {
        let component = format!(
            r#"(component
                (core module $main
                    (import "host" "return" (func $return (param i32)))
                    (func (export "run") (result i32) (call $return (i32.const {result})) (i32.const 0))
                    (func (export "more") (param i32 i32 i32) (result i32) unreachable))
                (core func $return (canon task.return (result (result))))
                (core instance $main (instantiate $main (with "host" (instance (export "return" (func $return))))))
                (func $run async (result (result))
                    (canon lift (core func $main "run") async (callback (func $main "more"))))
                (instance $runner (export "run" (func $run)))
                (export "wasi:cli/run@0.3.0" (instance $runner)))"#
        );
        let component = bench.engine.prepare(&wat::parse_str(component).unwrap()).unwrap();
        let ran = component.run(&Settings::default(), Run::new(Vec::new(), PATIENCE)).await.unwrap();
        assert_eq!(ran.status, status);
    }
}

#[tokio::test]
async fn a_command_is_no_service() {
    let bench = Bench::new();
    let command = bench.engine.prepare(&component("(i32.const 0)")).unwrap();
    let failure = command.service(Settings::default()).unwrap_err();
    assert_eq!(failure, Failure::Kind { kind: Kind::Command });
    assert_eq!(failure.to_string(), "this is a command, which cannot be called like this");
}
