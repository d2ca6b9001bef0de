//! Where address space is scarce. A program of its own, because the limit that it sets holds for all of its process.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wasm::{Allocation, Engine, EngineOptions, Limits, Run, Settings, Whose};

#[tokio::test]
async fn without_address_space_it_works_too_and_says_so() {
    let limit = Rlimit { current: Some(3 << 30), ..getrlimit(Resource::As) };
    setrlimit(Resource::As, limit).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::new(EngineOptions::new(dir.path().join("compiled"))).unwrap();
    let Allocation::OnDemand { reason } = engine.allocation() else { panic!("a thousand slots of 4 GiB fit into 3") };
    assert!(reason.contains("Cannot allocate memory"), "{reason}");

    let command = wat::parse_str(
        r#"(module
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (func (export "_start") (drop (memory.grow (i32.const 15))) (call $exit (memory.size))))"#,
    );
    let command = engine.prepare(&command.unwrap()).unwrap();
    for _ in 0..50 {
        let ran = command.run(&Settings::default(), Run::new(Vec::new(), Duration::from_secs(60))).await.unwrap();
        assert_eq!(ran.status, 16);
    }

    let http = wat::parse_str(
        r#"(component
            (import "wasi:http/types@0.2.0" (instance $types
                (export "incoming-request" (type (sub resource)))
                (export "response-outparam" (type (sub resource)))))
            (alias export $types "incoming-request" (type $request))
            (alias export $types "response-outparam" (type $out))
            (core module $main (memory 16) (func (export "handle") (param i32 i32)))
            (core instance $main (instantiate $main))
            (func $handle (param "request" (own $request)) (param "response-out" (own $out)) (canon lift (core func $main "handle")))
            (instance $handler (export "handle" (func $handle)))
            (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"#,
    );
    let service = engine.prepare(&http.unwrap()).unwrap().service(Settings::default()).unwrap();
    let request = Request::get("http://guest.example/").body(Full::<Bytes>::default()).unwrap();
    let failed = service.handle(request, Limits::new(Duration::from_secs(60))).await.unwrap_err();
    assert_eq!(
        (failed.failure.to_string().as_str(), failed.failure.whose()),
        ("it returned without an answer", Whose::Guest)
    );
}
