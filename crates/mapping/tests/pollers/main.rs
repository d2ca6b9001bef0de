//! Pollers over a toy queue: nothing is lost, nothing is deleted too early, order is kept, and idleness is quiet.

mod toy;

use std::collections::HashSet;
use std::time::Duration;

use mapping::{Filters, Handed, Progress};
use serde_json::json;
use toy::{World, plan, until};

fn done() -> Handed {
    Handed::Done { failed: HashSet::new() }
}

#[tokio::test]
async fn messages_are_handled_and_deleted_and_an_idle_queue_has_one_waiting_receive() {
    let world = World::new("jobs");
    world.answer(|_| done());
    let pollers = world.start(plan("jobs"));
    until("one waits", || world.receivers() == 1 && pollers.size() == 1).await;
    assert_eq!(pollers.progress(), Progress::Untouched);
    for id in 0..100 {
        world.send(&format!("m{id}"), None);
    }
    until("all are handled", || world.left() == 0).await;
    until("one waits", || {
        world.advance(Duration::from_millis(100));
        world.receivers() == 1 && pollers.size() == 1
    })
    .await;
    assert_eq!(world.handled().len(), 100);
    assert_eq!(pollers.progress(), Progress::Fine);
    pollers.stop();
    pollers.stopped().await;
    assert!(pollers.has_stopped());
    assert_eq!(world.receivers(), 0);
}

#[tokio::test]
async fn no_more_batches_are_in_hand_than_may_be() {
    let world = World::new("jobs");
    world.answer(|_| done());
    world.hold();
    let mut wanted = plan("jobs");
    wanted.concurrency_max = 2;
    wanted.limits.messages = 1;
    let pollers = world.start(wanted);
    for id in 0..20 {
        world.send(&format!("m{id}"), None);
    }
    until("two are in hand", || world.in_hand() == 2).await;
    world.settle().await;
    assert_eq!((world.in_hand(), pollers.size()), (2, 2));
    assert_eq!(world.received(), 2, "what cannot be handled is not received");
    world.go_on();
    until("all are handled", || world.left() == 0).await;
    assert_eq!(world.in_hand_max(), 2);
}

#[tokio::test]
async fn a_backlog_calls_more_pollers_and_they_go_home() {
    let world = World::new("jobs");
    world.answer(|_| done());
    let mut wanted = plan("jobs");
    wanted.limits.messages = 1;
    world.take_each(Duration::from_millis(10));
    for id in 0..600 {
        world.send(&format!("m{id}"), None);
    }
    let pollers = world.start(wanted);
    until("all are handled", || {
        world.advance(Duration::from_millis(1));
        world.left() == 0
    })
    .await;
    assert!(world.in_hand_max() > 5, "{} at once", world.in_hand_max());
    until("they go home", || {
        world.advance(Duration::from_secs(1));
        pollers.size() == 1
    })
    .await;
}

#[tokio::test]
async fn failures_come_again_when_their_hiding_is_over() {
    let world = World::new("jobs");
    world.answer(|batch| match batch.len() {
        3 => Handed::Done { failed: batch.iter().filter(|id| *id != "b").cloned().collect() },
        _ => Handed::Failed { why: "PROBLEM: Function call failed".into() },
    });
    for id in ["a", "b", "c"] {
        world.send(id, None);
    }
    let pollers = world.start(plan("jobs"));
    until("one is done", || world.left() == 2).await;
    world.settle().await;
    assert_eq!(world.handled().len(), 3, "what failed is hidden");
    world.advance(Duration::from_secs(31));
    until("they come again", || world.handled().len() == 5).await;
    assert_eq!(world.left(), 2);
    assert_eq!(pollers.progress(), Progress::Problem("PROBLEM: Function call failed".into()));
}

#[tokio::test]
async fn what_the_sink_has_no_time_for_is_offered_again_without_another_receive() {
    let world = World::new("jobs");
    world.answer(|_| Handed::Busy { why: "Rate Exceeded.".into() });
    world.send("a", None);
    let pollers = world.start(plan("jobs"));
    until("it is offered again and again", || {
        world.advance(Duration::from_millis(100));
        world.handled().len() > 3
    })
    .await;
    assert_eq!((world.received(), world.left()), (1, 1));
    assert_eq!(pollers.progress(), Progress::Problem("Rate Exceeded.".into()));
    world.answer(|_| done());
    until("it is done", || {
        world.advance(Duration::from_millis(100));
        world.left() == 0
    })
    .await;
    assert_eq!(world.received(), 1);
}

#[tokio::test]
async fn a_busy_batch_is_given_back_when_its_hiding_is_over_or_they_stop() {
    let world = World::new("jobs");
    world.answer(|_| Handed::Busy { why: "Rate Exceeded.".into() });
    world.send("a", None);
    let pollers = world.start(plan("jobs"));
    until("it was received twice", || {
        world.advance(Duration::from_millis(500));
        world.received() == 2
    })
    .await;
    pollers.stop();
    pollers.stopped().await;
    until("it is there for others at once", || world.visible() == 1).await;
}

#[tokio::test]
async fn nothing_is_received_while_there_is_an_obstacle() {
    let world = World::new("jobs");
    world.answer(|_| done());
    world.obstacle(Some("The function is paused."));
    world.send("a", None);
    let pollers = world.start(plan("jobs"));
    until("it is told", || {
        world.advance(Duration::from_secs(1));
        pollers.progress() == Progress::Problem("The function is paused.".into())
    })
    .await;
    assert_eq!(world.received(), 0);
    world.obstacle(None);
    until("it is handled", || {
        world.advance(Duration::from_secs(1));
        world.left() == 0
    })
    .await;
}

#[tokio::test]
async fn a_queue_that_is_gone_is_told_and_one_that_comes_back_is_polled() {
    let world = World::new("jobs");
    world.answer(|_| done());
    world.gone(true);
    let pollers = world.start(plan("jobs"));
    until("it is told", || {
        world.advance(Duration::from_secs(1));
        matches!(pollers.progress(), Progress::Problem(why) if why.contains("QueueDoesNotExist"))
    })
    .await;
    world.gone(false);
    world.send("a", None);
    until("it is handled", || {
        world.advance(Duration::from_secs(1));
        world.left() == 0
    })
    .await;
    assert_eq!(pollers.progress(), Progress::Fine);
}

#[tokio::test]
async fn windows_gather_until_they_are_over_or_full() {
    let world = World::new("jobs");
    world.answer(|_| done());
    let mut wanted = plan("jobs");
    wanted.limits.messages = 25;
    wanted.limits.window = Duration::from_secs(5);
    let _pollers = world.start(wanted);
    world.send("a", None);
    until("it is received", || world.received() == 1).await;
    world.settle().await;
    assert_eq!(world.batches(), Vec::<usize>::new(), "the window is open");
    world.send("b", None);
    until("it is received too", || world.received() == 2).await;
    until("the window is over", || {
        world.advance(Duration::from_millis(500));
        world.left() == 0
    })
    .await;
    assert_eq!(world.batches(), [2]);
    for id in 0..60 {
        world.send(&format!("m{id}"), None);
    }
    until("full batches do not wait", || world.batches().len() == 3).await;
    assert_eq!(world.batches()[1..], [25, 25]);
    until("the rest waits for its window", || {
        world.advance(Duration::from_millis(500));
        world.left() == 0
    })
    .await;
    assert_eq!(world.batches()[3..], [10]);
}

#[tokio::test]
async fn what_the_filters_do_not_want_is_deleted_unseen() {
    let world = World::new("jobs");
    world.answer(|_| done());
    let mut wanted = plan("jobs");
    wanted.filters = Filters::read([r#"{"body":{"kind":["order"]}}"#]).expect("it is a pattern");
    let _pollers = world.start(wanted);
    world.send_body("a", None, &json!({ "kind": "order" }).to_string());
    world.send_body("b", None, &json!({ "kind": "invoice" }).to_string());
    world.send_body("c", None, "order");
    until("all are gone", || world.left() == 0).await;
    assert_eq!(world.handled(), ["a"]);
}

#[tokio::test]
async fn what_follows_a_failed_message_of_its_group_waits_for_it() {
    let world = World::new("jobs.fifo");
    world.answer(|batch| Handed::Done { failed: batch.iter().filter(|id| *id == "a1").cloned().collect() });
    let mut wanted = plan("jobs.fifo");
    // A batch holds two messages, and a receive ten: one receive becomes several batches.
    wanted.limits.bytes = 600;
    for id in ["a1", "b1", "a2", "b2", "a3"] {
        world.send(id, Some(&id[..1]));
    }
    let _pollers = world.start(wanted);
    until("what does not follow it is done", || world.left() == 3 && world.in_hand() == 0).await;
    world.settle().await;
    let handled = world.handled();
    assert!(handled.contains(&"a1".to_owned()));
    assert!(!handled.contains(&"a2".to_owned()) && !handled.contains(&"a3".to_owned()), "{handled:?}");
}
