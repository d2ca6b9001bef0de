//! The system calls that guests may make, for Node.js, Python, Java, Ruby, Go, .NET and programs of the C libraries.

use libc::*;

use super::{Answer, Case, Condition, Conditional, Group};

/// Allowed whatever the arguments.
pub(super) const GROUPS: &[Group] = &[
    Group {
        why: "reading and writing is what programs are for; what can be opened is decided by the view",
        calls: &[
            SYS_read,
            SYS_write,
            SYS_readv,
            SYS_writev,
            SYS_pread64,
            SYS_pwrite64,
            SYS_preadv,
            SYS_pwritev,
            SYS_preadv2,
            SYS_pwritev2,
            SYS_lseek,
        ],
    },
    Group {
        why: "opening and closing; the view, its read-only mounts and the file rules decide what",
        calls: &[SYS_openat, SYS_openat2, SYS_close, SYS_close_range],
    },
    Group {
        why: "asking about files, which every loader and every import does",
        calls: &[
            SYS_fstat,
            SYS_newfstatat,
            SYS_statx,
            SYS_statfs,
            SYS_fstatfs,
            SYS_faccessat,
            SYS_faccessat2,
            SYS_readlinkat,
            SYS_getdents64,
            SYS_getcwd,
        ],
    },
    Group {
        why: "changing files and folders, which only /tmp has writable",
        calls: &[
            SYS_mkdirat,
            SYS_unlinkat,
            SYS_renameat,
            SYS_renameat2,
            SYS_linkat,
            SYS_symlinkat,
            SYS_truncate,
            SYS_ftruncate,
            SYS_fallocate,
            SYS_fchmod,
            SYS_fchmodat,
            SYS_fchmodat2,
            SYS_fchown,
            SYS_fchownat,
            SYS_utimensat,
            SYS_umask,
        ],
    },
    Group {
        why: "mkfifo; devices are refused by the kernel without the capability, and do nothing on any mount that a guest has",
        calls: &[SYS_mknodat],
    },
    Group {
        why: "attributes, which copying tools carry over; the kernel refuses the trusted ones",
        calls: &[
            SYS_getxattr,
            SYS_lgetxattr,
            SYS_fgetxattr,
            SYS_listxattr,
            SYS_llistxattr,
            SYS_flistxattr,
            SYS_setxattr,
            SYS_lsetxattr,
            SYS_fsetxattr,
            SYS_removexattr,
            SYS_lremovexattr,
            SYS_fremovexattr,
        ],
    },
    Group {
        why: "data bases in /tmp make their own files durable; `sync` and `syncfs`, which would flush the host's, are refused",
        calls: &[SYS_fsync, SYS_fdatasync, SYS_sync_file_range, SYS_msync],
    },
    Group { why: "hints for reading ahead, given by data bases and archivers", calls: &[SYS_fadvise64, SYS_readahead] },
    Group { why: "locks between the processes of a guest: package managers, sqlite", calls: &[SYS_flock] },
    Group {
        why: "copying inside the kernel: web servers, `cp`, Go's and Node.js's copy functions",
        calls: &[SYS_sendfile, SYS_splice, SYS_tee, SYS_copy_file_range],
    },
    Group { why: "where it is", calls: &[SYS_chdir, SYS_fchdir] },
    Group {
        why: "handling descriptors; how many there may be is limited",
        calls: &[SYS_dup, SYS_dup3, SYS_fcntl, SYS_pipe2],
    },
    Group {
        why: "waiting for descriptors: every event loop",
        calls: &[SYS_ppoll, SYS_pselect6, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_epoll_pwait2],
    },
    Group {
        why: "event loops wake themselves, keep time, and hear of signals by descriptors",
        calls: &[SYS_eventfd2, SYS_timerfd_create, SYS_timerfd_settime, SYS_timerfd_gettime, SYS_signalfd4],
    },
    Group {
        why: "watching its own files: build tools, Java's WatchService",
        calls: &[SYS_inotify_init1, SYS_inotify_add_watch, SYS_inotify_rm_watch],
    },
    Group {
        why: "memory, within the guest's limit; interpreters compile at run time, so pages may become executable",
        calls: &[
            SYS_mmap,
            SYS_munmap,
            SYS_mprotect,
            SYS_mremap,
            SYS_madvise,
            SYS_brk,
            SYS_mincore,
            SYS_memfd_create,
            SYS_membarrier,
        ],
    },
    Group {
        why: "V8 guards its own code with memory keys and seals",
        calls: &[SYS_pkey_alloc, SYS_pkey_free, SYS_pkey_mprotect, SYS_mseal],
    },
    Group {
        why: "keeping secrets from swap: crypto libraries; 64 KiB by limit",
        calls: &[SYS_mlock, SYS_mlock2, SYS_munlock, SYS_mlockall, SYS_munlockall],
    },
    Group { why: "Java and numeric libraries ask where memory lies", calls: &[SYS_get_mempolicy] },
    Group {
        why: "shared memory, semaphores and queues among a guest's processes: PostgreSQL, Python's multiprocessing, Ruby; \
              the namespace is the guest's own",
        calls: &[
            SYS_shmget,
            SYS_shmat,
            SYS_shmctl,
            SYS_shmdt,
            SYS_semget,
            SYS_semop,
            SYS_semtimedop,
            SYS_semctl,
            SYS_msgget,
            SYS_msgsnd,
            SYS_msgrcv,
            SYS_msgctl,
            SYS_mq_open,
            SYS_mq_unlink,
            SYS_mq_timedsend,
            SYS_mq_timedreceive,
            SYS_mq_notify,
            SYS_mq_getsetattr,
        ],
    },
    Group {
        why: "running programs, as many as the limit on processes allows; set-user-id has no effect",
        calls: &[SYS_execve, SYS_execveat, SYS_exit, SYS_exit_group, SYS_wait4, SYS_waitid],
    },
    Group {
        why: "who it is, and in which session; the numbers are of its own namespace",
        calls: &[
            SYS_getpid,
            SYS_getppid,
            SYS_gettid,
            SYS_getpgid,
            SYS_setpgid,
            SYS_getsid,
            SYS_setsid,
            SYS_getuid,
            SYS_geteuid,
            SYS_getgid,
            SYS_getegid,
            SYS_getresuid,
            SYS_getresgid,
            SYS_getgroups,
            SYS_capget,
        ],
    },
    Group {
        why: "programs that drop rights call these; a guest has one user and no capability, so nothing can be gained",
        calls: &[
            SYS_setuid,
            SYS_setgid,
            SYS_setreuid,
            SYS_setregid,
            SYS_setresuid,
            SYS_setresgid,
            SYS_setfsuid,
            SYS_setfsgid,
            SYS_setgroups,
            SYS_capset,
        ],
    },
    Group {
        why: "signals to its own processes: others have no number in its namespace",
        calls: &[
            SYS_kill,
            SYS_tkill,
            SYS_tgkill,
            SYS_rt_sigqueueinfo,
            SYS_rt_tgsigqueueinfo,
            SYS_pidfd_open,
            SYS_pidfd_send_signal,
        ],
    },
    Group {
        why: "handling signals",
        calls: &[
            SYS_rt_sigaction,
            SYS_rt_sigprocmask,
            SYS_rt_sigpending,
            SYS_rt_sigtimedwait,
            SYS_rt_sigsuspend,
            SYS_rt_sigreturn,
            SYS_sigaltstack,
            SYS_restart_syscall,
        ],
    },
    Group {
        why: "telling the time and waiting for it; the clock cannot be set",
        calls: &[
            SYS_clock_gettime,
            SYS_clock_getres,
            SYS_clock_nanosleep,
            SYS_nanosleep,
            SYS_gettimeofday,
            SYS_times,
            SYS_getitimer,
            SYS_setitimer,
            SYS_timer_create,
            SYS_timer_settime,
            SYS_timer_gettime,
            SYS_timer_getoverrun,
            SYS_timer_delete,
        ],
    },
    Group {
        why: "threads and their locks",
        calls: &[
            SYS_futex,
            SYS_futex_waitv,
            FUTEX_WAKE,
            FUTEX_WAIT,
            FUTEX_REQUEUE,
            SYS_set_robust_list,
            SYS_get_robust_list,
            SYS_set_tid_address,
            SYS_rseq,
        ],
    },
    Group {
        why: "run times ask how many processors there are and arrange their threads; what a guest gets is decided by its weight",
        calls: &[
            SYS_sched_yield,
            SYS_sched_getaffinity,
            SYS_sched_setaffinity,
            SYS_sched_getparam,
            SYS_sched_setparam,
            SYS_sched_getscheduler,
            SYS_sched_setscheduler,
            SYS_sched_get_priority_max,
            SYS_sched_get_priority_min,
            SYS_sched_rr_get_interval,
            SYS_sched_getattr,
            SYS_sched_setattr,
            SYS_getcpu,
            SYS_getpriority,
            SYS_setpriority,
        ],
    },
    Group {
        why: "limits, which can only be lowered, and facts about itself and the system",
        calls: &[SYS_prlimit64, SYS_getrlimit, SYS_setrlimit, SYS_getrusage, SYS_sysinfo, SYS_uname, SYS_prctl],
    },
    Group { why: "random numbers", calls: &[SYS_getrandom] },
    Group {
        why: "the network, as far as the guest's own reaches; which kinds of sockets there are is decided below",
        calls: &[
            SYS_bind,
            SYS_listen,
            SYS_accept,
            SYS_accept4,
            SYS_connect,
            SYS_getsockname,
            SYS_getpeername,
            SYS_setsockopt,
            SYS_getsockopt,
            SYS_sendto,
            SYS_recvfrom,
            SYS_sendmsg,
            SYS_recvmsg,
            SYS_sendmmsg,
            SYS_recvmmsg,
            SYS_shutdown,
        ],
    },
    Group {
        why: "a program may shut itself in further: browsers, OpenSSH",
        calls: &[SYS_seccomp, SYS_landlock_create_ruleset, SYS_landlock_add_rule, SYS_landlock_restrict_self],
    },
    #[cfg(target_arch = "x86_64")]
    Group {
        why: "the older names of calls above, which C libraries and Go still use on this architecture",
        calls: &[
            SYS_open,
            SYS_creat,
            SYS_stat,
            SYS_lstat,
            SYS_access,
            SYS_readlink,
            SYS_getdents,
            SYS_mkdir,
            SYS_rmdir,
            SYS_rename,
            SYS_link,
            SYS_unlink,
            SYS_symlink,
            SYS_mknod,
            SYS_chmod,
            SYS_chown,
            SYS_lchown,
            SYS_utime,
            SYS_utimes,
            SYS_futimesat,
            SYS_dup2,
            SYS_pipe,
            SYS_poll,
            SYS_select,
            SYS_epoll_create,
            SYS_epoll_wait,
            SYS_eventfd,
            SYS_signalfd,
            SYS_inotify_init,
            SYS_fork,
            SYS_vfork,
            SYS_getpgrp,
            SYS_pause,
            SYS_alarm,
            SYS_time,
        ],
    },
    #[cfg(target_arch = "x86_64")]
    Group {
        why: "threads keep their data behind a segment register, and a shadow of their stack",
        calls: &[SYS_arch_prctl, MAP_SHADOW_STACK],
    },
];

// Newer than our list of numbers, which are the same on every architecture.
#[cfg(target_arch = "x86_64")]
const MAP_SHADOW_STACK: c_long = 453;
const FUTEX_WAKE: c_long = 454;
const FUTEX_WAIT: c_long = 455;
const FUTEX_REQUEUE: c_long = 456;

/// Allowed for some arguments.
pub(super) fn conditional() -> Vec<Conditional> {
    vec![
        Conditional {
            why: "processes and threads, in the namespaces that the guest has. New ones would give it every capability inside them, and \
                  with that most of the kernel's attack surface. `clone3` has its flags in memory, where a filter cannot look: as it \
                  does not exist for guests, every C library uses this one",
            call: SYS_clone,
            cases: vec![Case { conditions: vec![has(0, NEW_NAMESPACES, 0)], answer: Answer::Allowed }],
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
            cases: vec![Case { conditions: vec![is(0, AF_UNIX)], answer: Answer::Allowed }],
            otherwise: Answer::NotPermitted,
        },
        Conditional {
            why: "terminals, non-blocking mode, interfaces: too many to list. Those that put words into a terminal's input, or have it \
                  speak another protocol, are refused",
            call: SYS_ioctl,
            cases: [TIOCSTI as i32, TIOCSETD, TIOCLINUX]
                .map(|request| Case { conditions: vec![is(1, request)], answer: Answer::NotPermitted })
                .into(),
            otherwise: Answer::Allowed,
        },
        Conditional {
            why: "asking, and setting what is so anyway: other values lower the randomness of addresses or change what calls mean",
            call: SYS_personality,
            cases: [0, -1].map(|persona| Case { conditions: vec![is(0, persona)], answer: Answer::Allowed }).into(),
            otherwise: Answer::NotPermitted,
        },
    ]
}

/// `clone` flags that make namespaces. One for clocks is not among them: its bit is part of the signal here.
const NEW_NAMESPACES: i32 =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

// Requests that the C library's header does not have.
const TIOCSETD: i32 = 0x5423;
const TIOCLINUX: i32 = 0x541c;

/// The kind of a socket without its flags.
const KIND: i32 = 0xf;

fn sockets() -> Vec<Case> {
    let mut allowed = vec![vec![is(0, AF_UNIX)], vec![is(0, AF_NETLINK), is(2, NETLINK_ROUTE)]];
    for family in [AF_INET, AF_INET6] {
        for (kind, protocol) in [(SOCK_STREAM, IPPROTO_TCP), (SOCK_DGRAM, IPPROTO_UDP)] {
            for protocol in [0, protocol] {
                allowed.push(vec![is(0, family), has(1, KIND, kind), is(2, protocol)]);
            }
        }
    }
    allowed.into_iter().map(|conditions| Case { conditions, answer: Answer::Allowed }).collect()
}

fn is(argument: u32, value: i32) -> Condition {
    has(argument, -1, value)
}

fn has(argument: u32, mask: i32, value: i32) -> Condition {
    Condition { argument, mask: mask as u32, value: value as u32 }
}
