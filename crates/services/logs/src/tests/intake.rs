//! What functions print: groups and streams made on demand, order kept, neighbours not delayed, memory bounded.

use super::*;
use crate::intake::LANE_BYTES_MAX;

#[tokio::test]
async fn output_makes_its_group_and_stream() {
    let bench = Bench::new();
    let long = "ü".repeat(800_000);
    bench.ingest("/aws/lambda/f", "s", &[(5, "second"), (0, "first"), (6, ""), (7, &long)]).await;
    bench.logs.flush().await;
    let events = bench.filter_messages("/aws/lambda/f", "").await;
    assert_eq!(events[..2], ["first", "second"]);
    assert_eq!(events.len(), 4, "the empty line is left out, the long one is two events");
    assert_eq!(events[2..].concat(), long);
    // Deleted while it prints: made again.
    let delete = aws::DeleteLogGroupRequest { log_group_name: "/aws/lambda/f".into() };
    bench.call::<aws::DeleteLogGroup>(delete).await.unwrap();
    bench.ingest("/aws/lambda/f", "s", &[(9, "again")]).await;
    bench.logs.flush().await;
    assert_eq!(bench.get("/aws/lambda/f", "s").await, ["again"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_keep_their_order_and_share_transactions() {
    let bench = Bench::new();
    let before = bench.store.sequence().number();
    let writers: Vec<_> = (0..50)
        .map(|writer| {
            let logs = Arc::clone(&bench.logs);
            let (done, finished) = tokio::sync::oneshot::channel();
            base::task::spawn(base::task::Kind::Work, "writer", async move {
                for line in 0..40 {
                    let message = format!("{writer} {line}");
                    logs.ingest(output("g", &format!("s{}", writer % 10), &[(line, &message)])).await.unwrap();
                }
                done.send(()).unwrap();
            });
            finished
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    bench.logs.flush().await;
    let commits = bench.store.sequence().number() - before;
    assert!(commits < 1_000, "2000 lines took {commits} commits");
    let mut next = [0; 50];
    for message in bench.filter_messages("g", "").await {
        let (writer, line) = message.split_once(' ').unwrap();
        let (writer, line): (usize, i32) = (writer.parse().unwrap(), line.parse().unwrap());
        assert_eq!(line, next[writer]);
        next[writer] += 1;
    }
    assert!(next.iter().all(|next| *next == 40));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_megabytes_neither_delay_a_neighbour_nor_fill_memory() {
    let bench = Bench::new();
    let line = format!("{} {}", "noise".repeat(20), "0123456789".repeat(10));
    let noisy = Arc::clone(&bench.logs);
    let (done, mut finished) = tokio::sync::oneshot::channel();
    base::task::spawn(base::task::Kind::Work, "noisy", async move {
        let lines: Vec<(i64, &str)> = (0..300).map(|time| (time, line.as_str())).collect();
        let mut bytes = 0;
        while bytes < 100 << 20 {
            noisy.ingest(output("noisy", "s", &lines)).await.unwrap();
            bytes += lines.len() * line.len();
        }
        done.send(bytes).unwrap();
    });
    let start = std::time::Instant::now();
    let (mut slowest, mut rounds, mut printed, mut most) = (Duration::ZERO, 0, None, 0);
    while printed.is_none() {
        let asked = std::time::Instant::now();
        bench.ingest("neighbour", "s", &[(rounds, "hello")]).await;
        most = most.max(bench.logs.intake.held_bytes());
        until("the neighbour's line is stored", async || bench.logs.intake.is_idle("neighbour")).await;
        slowest = slowest.max(asked.elapsed());
        rounds += 1;
        printed = finished.try_recv().ok();
        tokio::task::yield_now().await;
    }
    bench.logs.flush().await;
    let took = start.elapsed();
    let megabytes = printed.unwrap() as f64 / (1 << 20) as f64;
    println!(
        "{:.0} MiB/s; neighbour: {rounds} lines, slowest {slowest:?}; held {most} bytes at most",
        megabytes / took.as_secs_f64()
    );
    assert!(most <= LANE_BYTES_MAX + 4_096, "one noisy group held {most} bytes");
    // How soon a turn comes is proven without a clock in `intake.rs`; here it is enough that the neighbour gets on.
    assert!(rounds > 10, "{rounds} lines, slowest {slowest:?} of {took:?}");
    assert_eq!(bench.filter_messages("neighbour", "hello").await.len() as i64, rounds);
}

/// Batches of many streams share a transaction: what is damaged of one must not cost the others their lines, nor itself its next ones.
#[tokio::test]
async fn a_damaged_chunk_keeps_nothing_from_being_stored() {
    let bench = Bench::new();
    bench.ingest("g", "s", &[(0, "lost")]).await;
    bench.logs.flush().await;
    let chunks = store::Key::journal("logs").with("000000000000").with("us-east-1").with(1u64).with("c");
    damage(&bench, &chunks).await;
    bench.ingest("g", "s", &[(1, "next")]).await;
    bench.ingest("g", "t", &[(2, "other")]).await;
    bench.logs.flush().await;
    assert_eq!(bench.filter_messages("g", "").await, ["next", "other"]);
}

#[tokio::test]
async fn a_closed_service_takes_nothing_more_and_loses_nothing() {
    let bench = Bench::new();
    for line in 0..100 {
        bench.ingest("g", "s", &[(line, "x")]).await;
    }
    bench.logs.close().await;
    assert!(matches!(bench.logs.ingest(output("g", "s", &[(0, "y")])).await, Err(crate::Error::Closed)));
    let refused = Bench::refused(bench.try_put("g", "s", &[(0, "y")]).await);
    assert_eq!(refused, "ServiceUnavailableException: The log service is stopping.");
    assert_eq!(bench.get("g", "s").await.len(), 100);
}
