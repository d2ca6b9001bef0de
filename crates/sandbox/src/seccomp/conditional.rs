//! The system calls of whose arguments it depends.

use libc::*;

use super::{Answer, Case, Condition, Conditional, Half};

/// Allowed for some arguments.
pub(super) fn all() -> Vec<Conditional> {
    let mut all = vec![
        Conditional {
            why: "processes and threads, in the namespaces that the guest has. New ones would give it every capability inside them, and \
                  with that most of the kernel's attack surface. `clone3` has its flags in memory, where a filter cannot look: as it \
                  does not exist for guests, every C library uses this one",
            call: SYS_clone,
            cases: vec![allowed(vec![has(0, NEW_NAMESPACES, 0)])],
            otherwise: Answer::NotPermitted,
        },
        Conditional {
            why: "connections, and questions about interfaces and routes. Not: raw packets, the kernel's crypto, the hypervisor, and the \
                  many protocols that nobody uses and whose code is loaded on demand",
            call: SYS_socket,
            cases: sockets(),
            otherwise: Answer::NotPermitted,
        },
        Conditional {
            why: "pairs of local sockets between a guest's processes",
            call: SYS_socketpair,
            cases: vec![allowed(vec![is(0, AF_UNIX)])],
            otherwise: Answer::NotPermitted,
        },
        Conditional {
            why: "how connections behave. Not: filters, which the kernel compiles into room that is nobody's in particular and everybody's \
                  when it is used up; nor TLS and IPsec in the kernel, much code that few use and libraries do without",
            call: SYS_setsockopt,
            cases: refused_options(),
            otherwise: Answer::Allowed,
        },
        Conditional {
            why: "terminals, descriptors, interfaces, sharing a file's blocks when copying it. Whatever else a driver or file system offers \
                  by numbers of its own is not there, nor what puts words into a terminal's input or has it speak another protocol",
            call: SYS_ioctl,
            cases: requests(),
            otherwise: Answer::NoSuchRequest,
        },
        Conditional {
            why: "asking, and setting what is so anyway: other values lower the randomness of addresses or change what calls mean",
            call: SYS_personality,
            cases: [0, -1].map(|persona| allowed(vec![is(0, persona)])).into(),
            otherwise: Answer::NotPermitted,
        },
    ];
    all.extend(about_itself());
    all.extend(huge_pages());
    all
}

/// What a process says of itself.
fn about_itself() -> Vec<Conditional> {
    let core = RLIMIT_CORE as i32;
    let null = |argument| [is(argument, 0), Condition { half: Half::Upper, ..is(argument, 0) }];
    let unread = |conditions: Vec<Condition>| Case { conditions, answer: Answer::Done };
    vec![
        Conditional {
            why: "names of threads, signals at a parent's end, rights to give up: what is on the list. Not: its own filters of system calls, \
                  which the kernel compiles into room that all share; nor whom not to share a processor core with, which takes the core \
                  from everybody",
            call: SYS_prctl,
            cases: OPTIONS.iter().map(|option| allowed(vec![is(0, *option)])).collect(),
            otherwise: Answer::NoSuchOption,
        },
        Conditional {
            why: "limits, which can only be lowered. The one on core files is as low as it goes already, and is left as it is: at zero the \
                  kernel would again start the host's program for crashes",
            call: SYS_setrlimit,
            cases: vec![unread(vec![is(0, core)])],
            otherwise: Answer::Allowed,
        },
        Conditional {
            why: "the same by its newer name, which also asks",
            call: SYS_prlimit64,
            cases: vec![
                allowed([vec![is(1, core)], null(2).into()].concat()),
                unread([vec![is(1, core)], null(3).into()].concat()),
                Case { conditions: vec![is(1, core)], answer: Answer::NotPermitted },
            ],
            otherwise: Answer::Allowed,
        },
    ]
}

/// The options of `prctl`. What a newer kernel adds is none.
const OPTIONS: &[i32] = &[
    PR_SET_NAME,
    PR_GET_NAME,
    PR_SET_PDEATHSIG,
    PR_GET_PDEATHSIG,
    PR_SET_DUMPABLE,
    PR_GET_DUMPABLE,
    PR_SET_CHILD_SUBREAPER,
    PR_GET_CHILD_SUBREAPER,
    // Giving up rights, and asking which there are.
    PR_SET_NO_NEW_PRIVS,
    PR_GET_NO_NEW_PRIVS,
    PR_SET_KEEPCAPS,
    PR_GET_KEEPCAPS,
    PR_SET_SECUREBITS,
    PR_GET_SECUREBITS,
    PR_CAPBSET_READ,
    PR_CAPBSET_DROP,
    PR_CAP_AMBIENT,
    PR_GET_SECCOMP,
    // How it wants to be woken, what its pages are, how it guards its own memory.
    PR_SET_TIMERSLACK,
    PR_GET_TIMERSLACK,
    PR_SET_THP_DISABLE,
    PR_GET_THP_DISABLE,
    PR_SET_VMA,
    PR_SET_MDWE,
    PR_GET_MDWE,
    PR_SET_SPECULATION_CTRL,
    PR_GET_SPECULATION_CTRL,
    PR_GET_TID_ADDRESS,
    PR_GET_AUXV,
    // The processor's own: vectors, and keys for pointers.
    #[cfg(target_arch = "aarch64")]
    PR_SVE_SET_VL,
    #[cfg(target_arch = "aarch64")]
    PR_SVE_GET_VL,
    #[cfg(target_arch = "aarch64")]
    PR_PAC_RESET_KEYS,
    #[cfg(target_arch = "aarch64")]
    PR_SET_TAGGED_ADDR_CTRL,
    #[cfg(target_arch = "aarch64")]
    PR_GET_TAGGED_ADDR_CTRL,
    #[cfg(target_arch = "x86_64")]
    PR_SET_TSC,
    #[cfg(target_arch = "x86_64")]
    PR_GET_TSC,
];

// What the C library's header does not have, on every architecture or at all.
const PR_GET_SPECULATION_CTRL: i32 = 52;
const PR_SET_SPECULATION_CTRL: i32 = 53;
const PR_GET_AUXV: i32 = 0x4155_5856;
#[cfg(target_arch = "aarch64")]
const PR_SVE_SET_VL: i32 = 50;
#[cfg(target_arch = "aarch64")]
const PR_SVE_GET_VL: i32 = 51;

/// Memory by pages of megabytes is set aside by whoever runs the machine, for somebody, and is not counted to whoever takes it.
fn huge_pages() -> Vec<Conditional> {
    const WHY: &str = "memory, within the guest's limit; not the machine's huge pages, which no limit counts";
    [(SYS_mmap, 3, MAP_HUGETLB), (SYS_memfd_create, 1, MFD_HUGETLB as i32), (SYS_shmget, 2, SHM_HUGETLB)]
        .map(|(call, argument, huge)| Conditional {
            why: WHY,
            call,
            cases: vec![allowed(vec![has(argument, huge, 0)])],
            otherwise: Answer::NotPermitted,
        })
        .into()
}

/// `clone` flags that make namespaces. One for clocks is not among them: its bit is part of the signal here.
const NEW_NAMESPACES: i32 =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

/// The kind of a socket without its flags.
const KIND: i32 = 0xf;

fn sockets() -> Vec<Case> {
    let mut kinds = vec![vec![is(0, AF_UNIX)], vec![is(0, AF_NETLINK), is(2, NETLINK_ROUTE)]];
    for family in [AF_INET, AF_INET6] {
        for (kind, protocol) in [(SOCK_STREAM, IPPROTO_TCP), (SOCK_DGRAM, IPPROTO_UDP)] {
            for protocol in [0, protocol] {
                kinds.push(vec![is(0, family), has(1, KIND, kind), is(2, protocol)]);
            }
        }
    }
    kinds.into_iter().map(allowed).collect()
}

fn refused_options() -> Vec<Case> {
    const UDP_ENCAP: i32 = 100;
    [
        (SOL_SOCKET, SO_ATTACH_FILTER),
        (SOL_SOCKET, SO_ATTACH_BPF),
        (SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF),
        (SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF),
        (SOL_TCP, TCP_ULP),
        (SOL_UDP, UDP_ENCAP),
    ]
    .map(|(level, option)| Case { conditions: vec![is(1, level), is(2, option)], answer: Answer::NotPermitted })
    .into()
}

fn requests() -> Vec<Case> {
    // What the C library's header does not have.
    const TIOCSETD: i32 = 0x5423;
    const TIOCLINUX: i32 = 0x541c;
    const FICLONE: i32 = 0x4004_9409;
    const FICLONERANGE: i32 = 0x4020_940d;
    const FIDEDUPERANGE: i32 = 0xc018_9436_u32 as i32;
    /// Which driver a request is for.
    const FAMILY: i32 = 0xff00;
    const TERMINALS_AND_DESCRIPTORS: i32 = 0x5400;
    const SOCKETS: i32 = 0x8900;
    let refused = [TIOCSTI as i32, TIOCSETD, TIOCLINUX]
        .map(|request| Case { conditions: vec![is(1, request)], answer: Answer::NotPermitted });
    let families = [TERMINALS_AND_DESCRIPTORS, SOCKETS].map(|family| allowed(vec![has(1, FAMILY, family)]));
    let single = [FICLONE, FICLONERANGE, FIDEDUPERANGE].map(|request| allowed(vec![is(1, request)]));
    refused.into_iter().chain(families).chain(single).collect()
}

fn allowed(conditions: Vec<Condition>) -> Case {
    Case { conditions, answer: Answer::Allowed }
}

fn is(argument: u32, value: i32) -> Condition {
    has(argument, -1, value)
}

fn has(argument: u32, mask: i32, value: i32) -> Condition {
    Condition { argument, half: Half::Lower, mask: mask as u32, value: value as u32 }
}
