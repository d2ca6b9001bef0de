//! System calls that exist everywhere and are not for guests: they fail as for anybody without the right, so that programs that try
//! and have another way say something sensible. Whatever is on no list does not exist for a guest, which is as safe.

use libc::*;

use super::Group;

/// Refused whatever the arguments.
pub(super) const GROUPS: &[Group] = &[
    Group {
        why: "changing what is mounted, or where the root is: the walls themselves",
        calls: &[
            SYS_mount,
            SYS_umount2,
            SYS_pivot_root,
            SYS_chroot,
            SYS_open_tree,
            SYS_move_mount,
            SYS_fsopen,
            SYS_fsconfig,
            SYS_fsmount,
            SYS_fspick,
            SYS_mount_setattr,
            SYS_swapon,
            SYS_swapoff,
            SYS_quotactl,
            SYS_quotactl_fd,
        ],
    },
    Group {
        why: "new namespaces would give every capability inside them, and other namespaces are other people's",
        calls: &[SYS_unshare, SYS_setns],
    },
    Group {
        why: "reading and steering other processes",
        calls: &[
            SYS_ptrace,
            SYS_process_vm_readv,
            SYS_process_vm_writev,
            SYS_process_madvise,
            SYS_kcmp,
            SYS_pidfd_getfd,
        ],
    },
    Group {
        why: "the kernel itself: modules, other kernels, its programs, counters and log",
        calls: &[
            SYS_init_module,
            SYS_finit_module,
            SYS_delete_module,
            SYS_kexec_load,
            SYS_bpf,
            SYS_perf_event_open,
            SYS_reboot,
            SYS_syslog,
            SYS_lookup_dcookie,
            SYS_vhangup,
        ],
    },
    Group {
        why: "the machine's clock, accounting and name",
        calls: &[
            SYS_settimeofday,
            SYS_clock_settime,
            SYS_clock_adjtime,
            SYS_adjtimex,
            SYS_acct,
            SYS_sethostname,
            SYS_setdomainname,
        ],
    },
    Group { why: "keyrings are in no namespace", calls: &[SYS_keyctl, SYS_add_key, SYS_request_key] },
    Group { why: "opening files past every view of them", calls: &[SYS_name_to_handle_at, SYS_open_by_handle_at] },
    Group {
        why: "the usual tools of exploits: they hold the kernel still in the middle of something",
        calls: &[SYS_userfaultfd, SYS_fanotify_init, SYS_fanotify_mark],
    },
    Group {
        why: "a second way to make most system calls, which no filter sees",
        calls: &[SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register],
    },
    Group {
        why: "the older asynchronous calls had more holes than they have users; data bases fall back",
        calls: &[SYS_io_setup, SYS_io_destroy, SYS_io_submit, SYS_io_cancel, SYS_io_getevents],
    },
    Group {
        why: "where memory lies is the host's matter, and moving it slows down neighbours",
        calls: &[SYS_mbind, SYS_set_mempolicy, SYS_move_pages, SYS_migrate_pages],
    },
    Group { why: "memory that the kernel cannot see is memory that it cannot count", calls: &[SYS_memfd_secret] },
    Group { why: "lending its own pages to a pipe: many holes, few users", calls: &[SYS_vmsplice] },
    Group { why: "flushing the host's disks makes everybody wait", calls: &[SYS_sync, SYS_syncfs] },
    Group { why: "the order in which the host's disks serve", calls: &[SYS_ioprio_set] },
    #[cfg(target_arch = "x86_64")]
    Group {
        why: "the processor's own ports and segments",
        calls: &[SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_kexec_file_load],
    },
];
