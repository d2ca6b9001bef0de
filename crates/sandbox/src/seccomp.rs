//! Which system calls a guest may make: those on the list in [`allowed`], each with its reason, and no others.
//!
//! A call that is on no list "does not exist" (ENOSYS), as on an older kernel: programs have an older way, and what a newer kernel adds
//! is refused before anybody here has heard of it. What exists everywhere but is not for guests ([`refused`]) is "not permitted"
//! (EPERM), as for any user without the right. A program for another architecture, 32-bit x86 say, is killed with its first call.

mod allowed;
mod conditional;
mod program;
mod refused;

use program::{Answer, Case, Condition, Half};
use seccompiler::sock_filter;

/// System calls that are listed together because the reason is the same.
struct Group {
    /// Why.
    #[cfg_attr(not(test), expect(dead_code, reason = "it is for people, and for the test that asks for it"))]
    why: &'static str,
    calls: &'static [libc::c_long],
}

/// A system call of whose arguments it depends, and why.
struct Conditional {
    #[cfg_attr(not(test), expect(dead_code, reason = "it is for people, and for the test that asks for it"))]
    why: &'static str,
    call: libc::c_long,
    /// The first case whose conditions all hold decides.
    cases: Vec<Case>,
    otherwise: Answer,
}

/// The filter, as the kernel reads it.
fn filter() -> Vec<sock_filter> {
    let groups = |groups: &'static [Group], answer: Answer| {
        groups.iter().flat_map(|group| group.calls).map(move |call| (*call as u32, Vec::new(), answer))
    };
    let mut decisions: Vec<(u32, Vec<Case>, Answer)> = groups(allowed::GROUPS, Answer::Allowed)
        .chain(groups(refused::GROUPS, Answer::NotPermitted))
        .chain(conditional::all().into_iter().map(|one| (one.call as u32, one.cases, one.otherwise)))
        .collect();
    decisions.sort_by_key(|(call, ..)| *call);
    program::compile(&decisions)
}

/// Installs the filter for this process and all that it becomes.
pub(crate) fn install() -> Result<(), seccompiler::Error> {
    seccompiler::apply_filter(&filter())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::program::run;
    use super::*;

    #[test]
    fn every_call_is_in_one_place_with_a_reason() {
        let mut seen = BTreeMap::new();
        let plain = allowed::GROUPS.iter().chain(refused::GROUPS);
        let plain = plain.flat_map(|group| group.calls.iter().map(|call| (*call, group.why)));
        for (call, why) in plain.chain(conditional::all().iter().map(|one| (one.call, one.why))) {
            assert!(why.len() > 10, "system call {call}: {why}");
            assert_eq!(seen.insert(call, why), None, "system call {call} is listed twice");
        }
    }

    #[test]
    fn the_filter_says_what_the_lists_say() {
        let filter = filter();
        let mut expected = BTreeMap::new();
        for (groups, answer) in [(allowed::GROUPS, Answer::Allowed), (refused::GROUPS, Answer::NotPermitted)] {
            expected.extend(groups.iter().flat_map(|group| group.calls).map(|call| (*call as u32, answer)));
        }
        let conditional: Vec<u32> = conditional::all().iter().map(|one| one.call as u32).collect();
        for call in (0..2000).filter(|call| !conditional.contains(call)) {
            let answer = expected.get(&call).copied().unwrap_or(Answer::NoSuchCall);
            assert_eq!(run(&filter, call, [0; 6]), answer.word(), "system call {call}");
        }
        // The other numbering of the same processor.
        for call in [0x4000_0000, 0x4000_0001, u32::MAX] {
            assert_eq!(run(&filter, call, [0; 6]), Answer::NoSuchCall.word(), "system call {call:#x}");
        }
    }

    #[test]
    fn arguments_decide_where_they_matter() {
        use libc::*;
        let filter = filter();
        let (yes, no, unknown) = (Answer::Allowed, Answer::NotPermitted, Answer::NoSuchCall);
        let (no_option, no_request) = (Answer::NoSuchOption, Answer::NoSuchRequest);
        for (call, arguments, expected) in [
            (SYS_clone, vec![SIGCHLD], yes),
            (SYS_clone, vec![CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD], yes),
            (SYS_clone, vec![SIGCHLD | CLONE_NEWUSER], no),
            (SYS_clone, vec![SIGCHLD | CLONE_NEWNET], no),
            (SYS_clone, vec![SIGCHLD | CLONE_NEWNS | CLONE_VM], no),
            (SYS_clone3, vec![0], unknown),
            (SYS_socket, vec![AF_INET, SOCK_STREAM, 0], yes),
            (SYS_socket, vec![AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP], yes),
            (SYS_socket, vec![AF_INET, SOCK_DGRAM, IPPROTO_UDP], yes),
            (SYS_socket, vec![AF_UNIX, SOCK_SEQPACKET, 0], yes),
            (SYS_socket, vec![AF_NETLINK, SOCK_RAW, NETLINK_ROUTE], yes),
            (SYS_socket, vec![AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER], no),
            (SYS_socket, vec![AF_INET, SOCK_RAW, IPPROTO_ICMP], no),
            (SYS_socket, vec![AF_INET, SOCK_DGRAM, IPPROTO_ICMP], no),
            (SYS_socket, vec![AF_INET, SOCK_STREAM, IPPROTO_SCTP], no),
            (SYS_socket, vec![AF_INET, SOCK_STREAM, 262], no),
            (SYS_socket, vec![AF_PACKET, SOCK_RAW, 0], no),
            (SYS_socket, vec![AF_VSOCK, SOCK_STREAM, 0], no),
            (SYS_socket, vec![AF_ALG, SOCK_SEQPACKET, 0], no),
            (SYS_socketpair, vec![AF_UNIX, SOCK_STREAM, 0], yes),
            (SYS_socketpair, vec![AF_TIPC, SOCK_STREAM, 0], no),
            (SYS_ioctl, vec![1, FIONBIO as i32], yes),
            (SYS_ioctl, vec![1, TCGETS as i32], yes),
            (SYS_ioctl, vec![1, TIOCSTI as i32], no),
            (SYS_ioctl, vec![1, TIOCGWINSZ as i32], yes),
            (SYS_ioctl, vec![1, SIOCGIFCONF as i32], yes),
            (SYS_ioctl, vec![1, 0x4004_9409], yes),
            // TCGETS2, FS_IOC_SETFLAGS, BTRFS_IOC_SNAP_CREATE, NS_GET_USERNS, RNDADDENTROPY, KVM_CREATE_VM.
            (SYS_ioctl, vec![1, 0x802c_542a_u32 as i32], yes),
            (SYS_ioctl, vec![1, 0x4008_6602], no_request),
            (SYS_ioctl, vec![1, 0x5000_9401], no_request),
            (SYS_ioctl, vec![1, 0xb701], no_request),
            (SYS_ioctl, vec![1, 0x4008_5203], no_request),
            (SYS_ioctl, vec![1, 0xae01], no_request),
            (SYS_prctl, vec![PR_SET_NAME], yes),
            (SYS_prctl, vec![PR_SET_VMA], yes),
            (SYS_prctl, vec![PR_SET_SECCOMP], no_option),
            (SYS_prctl, vec![PR_SET_MM], no_option),
            (SYS_prctl, vec![PR_SCHED_CORE], no_option),
            (SYS_prctl, vec![10_000], no_option),
            (SYS_seccomp, vec![1], unknown),
            (SYS_setsockopt, vec![3, SOL_SOCKET, SO_REUSEADDR], yes),
            (SYS_setsockopt, vec![3, SOL_TCP, TCP_NODELAY], yes),
            // The same number at another level.
            (SYS_setsockopt, vec![3, SOL_TCP, SO_ATTACH_FILTER], yes),
            (SYS_setsockopt, vec![3, SOL_SOCKET, SO_ATTACH_FILTER], no),
            (SYS_setsockopt, vec![3, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF], no),
            (SYS_setsockopt, vec![3, SOL_TCP, TCP_ULP], no),
            (SYS_mmap, vec![0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE], yes),
            (SYS_mmap, vec![0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB], no),
            (SYS_memfd_create, vec![0, MFD_CLOEXEC as i32], yes),
            (SYS_memfd_create, vec![0, MFD_CLOEXEC as i32 | MFD_HUGETLB as i32], no),
            (SYS_shmget, vec![0, 4096, IPC_CREAT | 0o600], yes),
            (SYS_shmget, vec![0, 4096, IPC_CREAT | SHM_HUGETLB], no),
            (SYS_personality, vec![-1], yes),
            (SYS_personality, vec![0], yes),
            (SYS_personality, vec![ADDR_NO_RANDOMIZE], no),
        ] {
            let mut six = [0xdead_beef_0000_0000; 6];
            for (argument, value) in six.iter_mut().zip(&arguments) {
                // The upper half is what the kernel does not look at, and a filter must not either.
                *argument |= u64::from(*value as u32);
            }
            assert_eq!(run(&filter, call as u32, six), expected.word(), "system call {call} with {arguments:?}");
        }
    }
    #[test]
    fn crashes_stay_unrecorded() {
        use libc::*;
        let filter = filter();
        let (core, files) = (u64::from(RLIMIT_CORE), u64::from(RLIMIT_NOFILE));
        // An address of which one half is zero is still an address.
        let (low, high) = (0x1000, 0x7f00_0000_0000);
        for (call, arguments, expected) in [
            (SYS_setrlimit, [core, low, 0, 0], Answer::Done),
            (SYS_setrlimit, [files, low, 0, 0], Answer::Allowed),
            (SYS_prlimit64, [0, core, 0, high], Answer::Allowed),
            (SYS_prlimit64, [0, core, low, 0], Answer::Done),
            (SYS_prlimit64, [0, core, high, 0], Answer::Done),
            (SYS_prlimit64, [0, core, low, high], Answer::NotPermitted),
            (SYS_prlimit64, [0, core, high, low], Answer::NotPermitted),
            (SYS_prlimit64, [0, files, low, high], Answer::Allowed),
        ] {
            let [one, two, three, four] = arguments;
            let said = run(&filter, call as u32, [one, two, three, four, 0, 0]);
            assert_eq!(said, expected.word(), "system call {call} with {arguments:?}");
        }
    }
}
