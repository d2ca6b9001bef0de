//! System calls that no function needs and that kernels have had holes in: they fail with EPERM, as if the guest lacked the right.
//!
//! A list of refusals, not of permissions, because guests are any program. Each entry has its reason.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

/// Refused whatever the arguments.
const REFUSED: &[libc::c_long] = &[
    // Changing what is mounted, or where the root is: the walls themselves.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_quotactl,
    // New namespaces would give the guest every capability inside them, and with that most of the kernel's attack surface.
    libc::SYS_unshare,
    libc::SYS_setns,
    // Reading and steering other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    // The kernel itself: modules, other kernels, its programs and counters.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_reboot,
    libc::SYS_syslog,
    // The machine's clock, accounting and name.
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_acct,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    // Keyrings are not in any namespace.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // Opens files past every view of them.
    libc::SYS_open_by_handle_at,
    // The usual tools of exploits; programs fall back where they lack them.
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_vhangup,
    libc::SYS_lookup_dcookie,
];

/// `clone` flags that make namespaces.
const NEW_NAMESPACES: u64 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP) as u64;

/// The filters, in the order in which they are to be installed.
pub(crate) fn filters() -> Result<Vec<BpfProgram>, seccompiler::Error> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(seccompiler::Error::Backend)?;
    let mut refused: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    let mut namespaces = Vec::new();
    for bit in (0..64).map(|shift| 1u64 << shift).filter(|bit| NEW_NAMESPACES & bit != 0) {
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(bit), bit)
            .map_err(seccompiler::Error::Backend)?;
        namespaces.push(SeccompRule::new(vec![condition]).map_err(seccompiler::Error::Backend)?);
    }
    refused.insert(libc::SYS_clone, namespaces);
    // AF_ALG, AF_VSOCK, AF_PACKET and raw sockets: kernel crypto, the hypervisor, and other people's packets.
    let mut sockets = Vec::new();
    for family in [libc::AF_ALG, libc::AF_VSOCK, libc::AF_PACKET, libc::AF_KEY, libc::AF_XDP] {
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, family as u64)
            .map_err(seccompiler::Error::Backend)?;
        sockets.push(SeccompRule::new(vec![condition]).map_err(seccompiler::Error::Backend)?);
    }
    refused.insert(libc::SYS_socket, sockets);
    let eperm = SeccompAction::Errno(libc::EPERM as u32);
    let first =
        SeccompFilter::new(refused, SeccompAction::Allow, eperm, architecture).map_err(seccompiler::Error::Backend)?;
    // Its flags lie in memory where a filter cannot look; "no such call" makes every C library use `clone`.
    let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let enosys = SeccompAction::Errno(libc::ENOSYS as u32);
    let second =
        SeccompFilter::new(clone3, SeccompAction::Allow, enosys, architecture).map_err(seccompiler::Error::Backend)?;
    Ok(vec![
        first.try_into().map_err(seccompiler::Error::Backend)?,
        second.try_into().map_err(seccompiler::Error::Backend)?,
    ])
}

/// Installs the filters for this process and all that it becomes.
pub(crate) fn install() -> Result<(), seccompiler::Error> {
    filters()?.iter().try_for_each(|filter| seccompiler::apply_filter(filter))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_filters_compile() {
        assert_eq!(super::filters().unwrap().len(), 2);
    }
}
