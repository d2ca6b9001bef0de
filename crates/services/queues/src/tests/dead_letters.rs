//! Dead letters: there and back.

use wire::sqs as aws;

use super::{Bench, refused, until};

async fn pair(bench: &Bench, suffix: &str, more: &[(&str, &str)]) -> (String, String) {
    let dead = bench.create(&format!("dead{suffix}"), more).await;
    let policy =
        format!(r#"{{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead{suffix}","maxReceiveCount":2}}"#);
    let attributes = [more, &[("RedrivePolicy", policy.as_str()), ("VisibilityTimeout", "1")]].concat();
    (bench.create(&format!("jobs{suffix}"), &attributes).await, dead)
}

fn start(source: &str) -> aws::StartMessageMoveTaskRequest {
    let source_arn = format!("arn:aws:sqs:us-east-1:000000000000:{source}");
    aws::StartMessageMoveTaskRequest { source_arn, ..Default::default() }
}

async fn tasks(bench: &Bench) -> Vec<aws::ListMessageMoveTasksResultEntry> {
    let source_arn = "arn:aws:sqs:us-east-1:000000000000:dead".to_owned();
    let input = aws::ListMessageMoveTasksRequest { source_arn, max_results: Some(10) };
    bench.call::<aws::ListMessageMoveTasks>(input).await.unwrap().results.unwrap()
}

/// Receives everything twice, and once more, which gives it up.
async fn give_up(bench: &Bench, url: &str) {
    for _ in 0..2 {
        assert!(!bench.receive(url, 10).await.is_empty());
        bench.pass(1);
    }
    assert!(bench.receive(url, 10).await.is_empty());
}

#[tokio::test]
async fn what_nobody_can_handle_goes_to_the_dead_letters_and_back() {
    let bench = Bench::new().await;
    let (url, dead) = pair(&bench, "", &[]).await;
    let sent = bench.send(&url, "poison").await;
    give_up(&bench, &url).await;
    until("it is there", async || bench.counts(&dead).await[0] == 1).await;
    until("and not here", async || bench.counts(&url).await == [0, 0, 0]).await;
    let found = bench.receive(&dead, 10).await.remove(0);
    assert_eq!(found.message_id, sent.message_id);
    let told = found.attributes.clone().unwrap();
    assert_eq!(told["DeadLetterQueueSourceArn"], "arn:aws:sqs:us-east-1:000000000000:jobs");
    assert_eq!(told["ApproximateReceiveCount"], "3");
    bench.hide(&dead, &found, 0).await.unwrap();

    let sources = aws::ListDeadLetterSourceQueuesRequest { queue_url: dead.clone(), ..Default::default() };
    let sources = bench.call::<aws::ListDeadLetterSourceQueues>(sources).await.unwrap();
    assert_eq!(sources.queue_urls, std::slice::from_ref(&url));

    bench.call::<aws::StartMessageMoveTask>(start("dead")).await.unwrap();
    until("it is back", async || bench.counts(&url).await[0] == 1).await;
    let back = bench.receive(&url, 10).await.remove(0);
    assert_eq!(back.body.as_deref(), Some("poison"));
    assert_ne!(back.message_id, sent.message_id);
    assert_eq!(back.attributes.unwrap()["ApproximateReceiveCount"], "1");
    until("the task ends", async || {
        bench.pass(1);
        tasks(&bench).await[0].status.as_deref() == Some("COMPLETED")
    })
    .await;
    let task = tasks(&bench).await.remove(0);
    assert_eq!((task.approximate_number_of_messages_moved, task.task_handle), (Some(1), None));
}

#[tokio::test]
async fn order_holds_on_the_way_to_the_dead_letters() {
    let bench = Bench::new().await;
    let (url, dead) = pair(&bench, ".fifo", &[("FifoQueue", "true")]).await;
    for number in ["1", "2", "3"] {
        bench.send_to(&url, "g", number, number).await;
    }
    give_up(&bench, &url).await;
    until("they are there", async || bench.counts(&dead).await[0] == 3).await;
    bench.call::<aws::StartMessageMoveTask>(start("dead.fifo")).await.unwrap();
    until("they are back", async || {
        bench.pass(1);
        bench.counts(&url).await[0] == 3
    })
    .await;
    give_up(&bench, &url).await;
    until("they are there again", async || bench.counts(&dead).await[0] == 3).await;
    assert_eq!(bench.bodies(&dead, 10).await, ["1", "2", "3"]);
    bench.send_to(&url, "g", "4", "4").await;
    until("the group is open again", async || bench.bodies(&url, 10).await == ["4"]).await;
}

#[tokio::test]
async fn tasks_are_checked_and_cancelled() {
    let bench = Bench::new().await;
    let (url, dead) = pair(&bench, "", &[]).await;
    let missing = refused(bench.call::<aws::StartMessageMoveTask>(start("nobody")).await);
    assert!(missing.starts_with("ResourceNotFoundException: "), "{missing}");
    assert_eq!(
        refused(bench.call::<aws::StartMessageMoveTask>(start("jobs")).await),
        "InvalidParameterValueException: Source queue must be configured as a Dead Letter Queue."
    );
    for number in 0..3 {
        bench.send(&url, &number.to_string()).await;
    }
    give_up(&bench, &url).await;
    until("they are there", async || bench.counts(&dead).await[0] == 3).await;
    let slow = aws::StartMessageMoveTaskRequest { max_number_of_messages_per_second: Some(1), ..start("dead") };
    let task_handle = bench.call::<aws::StartMessageMoveTask>(slow).await.unwrap().task_handle.unwrap();
    until("one is back", async || tasks(&bench).await[0].approximate_number_of_messages_moved == Some(1)).await;
    assert_eq!(
        refused(bench.call::<aws::StartMessageMoveTask>(start("dead")).await),
        "InvalidParameterValueException: There is already a task running. Only one active task is allowed for a source queue \
         arn at a given time."
    );
    let cancel = aws::CancelMessageMoveTaskRequest { task_handle };
    let cancelled = bench.call::<aws::CancelMessageMoveTask>(cancel.clone()).await.unwrap();
    assert_eq!(cancelled.approximate_number_of_messages_moved, Some(1));
    until("it ends", async || {
        bench.pass(1);
        tasks(&bench).await[0].status.as_deref() == Some("CANCELLED")
    })
    .await;
    assert_eq!(
        refused(bench.call::<aws::CancelMessageMoveTask>(cancel).await),
        "ResourceNotFoundException: Task does not exist."
    );
}

#[tokio::test]
async fn a_task_goes_on_after_a_restart() {
    let bench = Bench::new().await;
    let (url, dead) = pair(&bench, "", &[]).await;
    for number in 0..3 {
        bench.send(&url, &number.to_string()).await;
    }
    give_up(&bench, &url).await;
    until("they are there", async || bench.counts(&dead).await[0] == 3).await;
    let slow = aws::StartMessageMoveTaskRequest { max_number_of_messages_per_second: Some(1), ..start("dead") };
    bench.call::<aws::StartMessageMoveTask>(slow).await.unwrap();
    until("one is back", async || tasks(&bench).await[0].approximate_number_of_messages_moved == Some(1)).await;
    let bench = bench.again().await;
    until("all are back", async || {
        bench.pass(1);
        bench.counts(&url).await[0] == 3 && tasks(&bench).await[0].status.as_deref() == Some("COMPLETED")
    })
    .await;
    assert_eq!(bench.counts(&dead).await, [0, 0, 0]);
}

#[tokio::test]
async fn redrive_policies_are_checked() {
    let bench = Bench::new().await;
    let url = bench.create("jobs", &[]).await;
    bench.create("dead.fifo", &[("FifoQueue", "true")]).await;
    bench.create("shy", &[("RedriveAllowPolicy", r#"{"redrivePermission":"denyAll"}"#)]).await;
    for (target, reason) in [
        ("nobody", "Dead letter target does not exist."),
        ("dead.fifo", "Dead-letter queue must be same type of queue as the source."),
        ("shy", "The dead letter queue's redrive allow policy doesn't permit this source queue."),
    ] {
        let policy =
            format!(r#"{{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:{target}","maxReceiveCount":"5"}}"#);
        let expected = format!(
            "InvalidParameterValueException: Value {policy} for parameter RedrivePolicy is invalid. Reason: {reason}"
        );
        assert_eq!(refused(bench.set(&url, "RedrivePolicy", &policy).await), expected);
    }
    assert_eq!(bench.attribute(&url, "RedrivePolicy").await, None);
}

#[tokio::test]
async fn large_dead_letters_go_in_pieces() {
    let bench = Bench::new().await;
    let (url, dead) = pair(&bench, "", &[]).await;
    for _ in 0..10 {
        bench.send(&url, &"\n".repeat(1 << 20)).await;
    }
    give_up(&bench, &url).await;
    until("they are there", async || bench.counts(&dead).await[0] == 10).await;
    bench.call::<aws::StartMessageMoveTask>(start("dead")).await.unwrap();
    until("they are back", async || {
        bench.pass(1);
        bench.counts(&url).await[0] == 10
    })
    .await;
    assert_eq!(bench.counts(&dead).await, [0, 0, 0]);
}
