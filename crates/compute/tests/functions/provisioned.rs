//! Instances that are there whether anybody calls or not.

use std::sync::Arc;
use std::time::Duration;

use base::ByteSize;
use compute::{Image, Invocation, Provisioned, RunFault};
use futures_util::future::join_all;
use sandbox::Mode;

use crate::harness::{Function, Node, PATIENCE, invocation, text};

/// Tells how it was started; an event that is a number makes it sleep for so long.
const CODE: &str =
    "import os, time\ndef handler(e, c):\n  time.sleep(e)\n  return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']";

fn script<'a>(files: &'a [(&'a str, &'a str)]) -> Function<'a> {
    Function { language: "python3.13", handler: "app.handler", files }
}

async fn until(node: &Node, image: &Arc<Image>, is_so: impl Fn(&Provisioned) -> bool) -> Provisioned {
    let wait = async {
        loop {
            let now = node.compute.provisioned(image);
            if is_so(&now) {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it comes about")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_provisioned_is_there_before_anybody_calls_and_comes_back_when_it_died() {
    let node = Node::new(Mode::Auto);
    let Some(image) = node.load(&script(&[("app.py", CODE)])).await else { return };
    node.compute.provision(&image, 2);
    let there = until(&node, &image, |now| now.available == 2).await;
    assert_eq!(there, Provisioned { wanted: 2, allocated: 2, available: 2, failure: None });
    let outcome = node.call_apart(&image, "0").await;
    assert_eq!(text(&outcome), r#""provisioned-concurrency""#);
    assert_eq!((outcome.report.init, outcome.report.cold), (None, false));
    assert_eq!(node.compute.instances().len(), 2);

    // What finds both busy is started for.
    let said = join_all((0..3).map(|_| node.call_apart(&image, "3"))).await;
    let mut said: Vec<&str> = said.iter().map(text).collect();
    said.sort_unstable();
    assert_eq!(said[1..], [r#""provisioned-concurrency""#; 2]);
    assert_eq!(said[0], r#""on-demand""#);

    let before: Vec<i32> = node.compute.instances().iter().map(|instance| instance.pid).collect();
    let outcome = node.call_apart(&image, "0").await;
    let instance =
        node.compute.instances().into_iter().find(|one| one.log_stream == outcome.report.log_stream).unwrap();
    let killed = std::process::Command::new("kill").args(["-KILL", &instance.pid.to_string()]).status().unwrap();
    assert!(killed.success());
    let replaced = async {
        while node.compute.instances().iter().all(|one| before.contains(&one.pid)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, replaced).await.expect("another takes its place");
    until(&node, &image, |now| now.available == 2).await;

    // What is wanted no longer is an instance like others, and what nobody wants ends with the rest.
    node.compute.provision(&image, 0);
    assert_eq!(node.compute.provisioned(&image), Provisioned::default());
    assert_eq!(text(&node.call_apart(&image, "0").await), r#""provisioned-concurrency""#);
    node.compute.retire(&image.arn);
    node.compute.provision(&image, 5);
    assert_eq!(node.compute.provisioned(&image), Provisioned::default(), "a retired image has nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_provisioned_makes_room_for_nobody() {
    let node = Node::with(Mode::Auto, |options| options.memory_total = ByteSize(512 << 20));
    let Some(image) = node.load(&script(&[("app.py", CODE)])).await else { return };
    node.compute.provision(&image, 3);
    let full = until(&node, &image, |now| now.available == 2 && now.failure.is_some()).await;
    assert_eq!((full.wanted, full.allocated), (3, 2));
    assert_eq!(full.failure.as_deref(), Some("The node has no room for another instance of 256 MB."));
    let other = node
        .load_with(&script(&[("app.py", CODE)]), |settings| settings.arn += "other")
        .await
        .expect("the language is there");
    let hasty = Invocation { patience: Duration::from_millis(100), ..invocation("0") };
    let refused = node.compute.run(&other, hasty).await;
    assert!(matches!(refused, Err(RunFault::Throttled { .. })), "{refused:?}");
    // As soon as it is wanted no longer, it does.
    node.compute.provision(&image, 1);
    assert_eq!(text(&node.call_apart(&other, "0").await), r#""on-demand""#);
    assert_eq!(node.compute.provisioned(&image).available, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_fails_as_it_starts_is_told_of() {
    let node = Node::new(Mode::Auto);
    let Some(image) = node.load(&script(&[("app.py", "raise ValueError('no')")])).await else { return };
    node.compute.provision(&image, 1);
    let failed = until(&node, &image, |now| now.failure.is_some()).await;
    assert_eq!((failed.available, failed.failure.as_deref()), (0, Some("FUNCTION_ERROR_INIT_FAILURE")));
    // A call starts one of its own, which says why.
    assert!(text(&node.call_apart(&image, "0").await).contains("ValueError"));
}
