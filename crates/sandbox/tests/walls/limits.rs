//! Limits that the kernel holds.

use sandbox::{Mode, Network, Part};

use crate::harness::{PATIENCE, block_on, end, host, lacks, line, output, plan, run, until};

#[test]
fn too_much_memory_ends_the_guest() {
    let host = host(Mode::Auto);
    if lacks(&host, Part::MemoryLimit) {
        return;
    }
    let mut plan = plan("x=$(head -c 300000000 /dev/zero | tr '\\0' x); echo ${#x}");
    plan.memory_bytes = 32 << 20;
    let ended = run(&host, &plan);
    assert_eq!(ended.output, "");
    assert!(ended.child.memory().kills > 0, "{:?}", ended.child.memory());
    assert!(ended.child.memory_peak() <= (36 << 20) && ended.child.memory_peak() > (16 << 20));
}

#[test]
fn a_fork_bomb_stays_small() {
    let host = host(Mode::Auto);
    if lacks(&host, Part::ProcessLimit) {
        return;
    }
    let mut plan = plan("i=0; while [ $i -lt 200 ]; do sleep 1000 & i=$((i+1)); done; echo all");
    plan.processes_max = 20;
    let ended = run(&host, &plan);
    assert!(!ended.output.contains("all"), "{}", ended.output);
}

#[test]
fn without_a_network_there_is_only_a_loopback() {
    let host = host(Mode::Auto);
    if lacks(&host, Part::Namespaces) {
        return;
    }
    let mut plan = plan("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '");
    plan.network = Network::None;
    let ended = run(&host, &plan);
    assert!(ended.output.lines().any(|line| line == "lo"), "{}", ended.output);
    assert!(!ended.output.lines().any(|line| line.starts_with('e')), "{}", ended.output);
}

#[test]
fn want_of_memory_is_told() {
    let host = host(Mode::Auto);
    if lacks(&host, Part::MemoryLimit) {
        return;
    }
    let (read, streams) = output();
    let hog = "x=$(head -c 300000000 /dev/zero | tr '\\0' x); echo ${#x}";
    let mut plan = plan(hog);
    plan.memory_bytes = 32 << 20;
    let child = host.spawn(&plan, streams).unwrap();
    let told = block_on(async { tokio::time::timeout(PATIENCE, child.out_of_memory()).await });
    told.expect("it is told in time").unwrap();
    assert_eq!(end(child, read).output, "");
}

#[test]
fn processors_are_shared_by_memory() {
    let host = host(Mode::Auto);
    if lacks(&host, Part::CpuShare) {
        return;
    }
    if !std::path::Path::new("/usr/bin/taskset").exists() {
        return base::trial::skip("no taskset here, which puts both on one processor");
    }
    // One large and one small on one processor, each counting for as long as the other does.
    let script = "taskset -p 1 $$ >/dev/null; echo ready; i=0; while true; do i=$((i+1)); done";
    let spawn = |megabytes: u64| {
        let (read, streams) = output();
        let mut plan = plan(script);
        plan.memory_bytes = megabytes << 20;
        let child = host.spawn(&plan, streams).unwrap();
        assert_eq!(line(&read), "ready\n");
        child
    };
    let (large, small) = (spawn(2048), spawn(256));
    let begin = (used_ticks(large.pid()), used_ticks(small.pid()));
    let spent = |child: &sandbox::Child, before: u64| used_ticks(child.pid()) - before;
    until("both have run", || spent(&large, begin.0) + spent(&small, begin.1) > 200);
    let (large, small) = (spent(&large, begin.0), spent(&small, begin.1));
    // Eight to one, more or less: others want the processor too.
    assert!(large > 3 * small, "{large} to {small}");
}

/// The processor time of the children of a process, in ticks of 10 ms.
fn used_ticks(reaper: i32) -> u64 {
    let children = std::fs::read_to_string(format!("/proc/{reaper}/task/{reaper}/children")).unwrap();
    let child: i32 = children.split_whitespace().next().unwrap().parse().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
