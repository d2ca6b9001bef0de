//! Limits that the kernel holds.

use sandbox::{Mode, Network, Part};

use crate::harness::{host, lacks, plan, run};

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
