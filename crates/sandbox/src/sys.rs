//! The system calls that no safe wrapper offers. Nothing else in the project is `unsafe`.
#![expect(unsafe_code, reason = "each block below states its need and why it is sound")]

use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::Pid;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Which side of a fork we are on.
#[derive(Debug)]
pub(crate) enum Fork {
    /// The new process.
    Child,
    /// The old one, and the new one's id in the old one's PID namespace.
    Parent(Pid),
}

/// Forks. Only for the helper.
pub(crate) fn fork() -> io::Result<Fork> {
    // Need: the guest must be a child of its own reaper. Sound: the helper has exactly one thread, so the child's copy of the
    // memory is consistent and no lock is held by a thread that does not exist there.
    let pid = unsafe { libc::fork() };
    forked(pid.into())
}

/// A process that was forked as the caller's brother: its parent is the caller's parent.
#[derive(Debug)]
pub(crate) enum Brother {
    /// The new process.
    Child,
    /// The old one, with the new one's id and a descriptor of it.
    Elder(Pid, OwnedFd),
}

/// Forks a brother into new namespaces, and into a cgroup of version 2 if one is given. Only for the steward.
pub(crate) fn fork_brother(namespaces: libc::c_int, group: Option<BorrowedFd<'_>>) -> io::Result<Brother> {
    /// `CLONE_INTO_CGROUP`, which the C library's header has as a number too large for its type.
    const INTO_CGROUP: u64 = 0x2_0000_0000;
    let mut pidfd: RawFd = -1;
    // Need: `fork` can neither make namespaces nor a brother, whom the node itself can wait for. Sound: as for `fork`; the structure
    // is plain data of version 2's size; no stack is given, so the child runs on its copy of this one, and no thread-local state is
    // shared because CLONE_VM is not set. The C library's record of the thread id is stale in the child, which matters only to its
    // robust mutexes and `raise`; neither is used before exec. The kernel writes one descriptor to `pidfd`, which lives through
    // the call and is owned by nobody else.
    unsafe {
        let mut args: CloneArgs = MaybeUninit::zeroed().assume_init();
        args.flags = namespaces as u64 | (libc::CLONE_PARENT | libc::CLONE_PIDFD) as u64;
        args.pidfd = &raw mut pidfd as u64;
        if let Some(group) = group {
            args.flags |= INTO_CGROUP;
            args.cgroup = group.as_raw_fd() as u64;
        }
        match libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) {
            0 => Ok(Brother::Child),
            pid if pid > 0 => {
                let pid = Pid::from_raw(pid as i32).expect("a process id that is above zero is not zero");
                Ok(Brother::Elder(pid, OwnedFd::from_raw_fd(pidfd)))
            }
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// `struct clone_args` as of Linux 5.7. With CLONE_PARENT the exit signal is the caller's own and must be left at zero.
#[repr(C)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

fn forked(pid: libc::c_long) -> io::Result<Fork> {
    match pid {
        0 => Ok(Fork::Child),
        pid if pid > 0 => {
            Ok(Fork::Parent(Pid::from_raw(pid as i32).expect("a process id that is above zero is not zero")))
        }
        _ => Err(io::Error::last_os_error()),
    }
}

/// Leaves the namespaces named in `flags`.
pub(crate) fn unshare(flags: libc::c_int) -> io::Result<()> {
    // Need: the safe wrapper is deprecated because of CLONE_FILES, which is never passed here. Sound: the helper has one thread,
    // and every flag used changes only what later calls see.
    check(unsafe { libc::unshare(flags) })
}

/// Sets attributes on the mount behind `tree`: read-only, without set-user-id and so on.
pub(crate) fn restrict_mount(tree: BorrowedFd<'_>, attributes: u64, recursive: Recursive) -> io::Result<()> {
    change_mount(tree, attributes, 0, recursive)
}

/// Makes the one mount behind `tree` writable.
pub(crate) fn unlock_mount(tree: BorrowedFd<'_>) -> io::Result<()> {
    change_mount(tree, 0, libc::MOUNT_ATTR_RDONLY, Recursive::No)
}

fn change_mount(tree: BorrowedFd<'_>, set: u64, clear: u64, recursive: Recursive) -> io::Result<()> {
    // Need: no safe wrapper for mount_setattr. Sound: the path is a constant, the structure is plain data that lives through the
    // call and whose true size is passed.
    let mut attr: libc::mount_attr = unsafe { MaybeUninit::zeroed().assume_init() };
    attr.attr_set = set;
    attr.attr_clr = clear;
    let mut flags = libc::AT_EMPTY_PATH;
    if recursive == Recursive::Yes {
        flags |= libc::AT_RECURSIVE;
    }
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of::<libc::mount_attr>(),
        )
    };
    check_long(result)
}

/// Whether a change goes to the mounts below as well.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recursive {
    Yes,
    No,
}

/// Leaves the keyring of the session that the node was started in for an empty one.
pub(crate) fn leave_keyring() -> io::Result<()> {
    // Need: no safe wrapper for keyctl. Sound: a null name asks for a keyring without one; no memory is involved.
    check_long(unsafe {
        libc::syscall(libc::SYS_keyctl, libc::c_ulong::from(libc::KEYCTL_JOIN_SESSION_KEYRING), std::ptr::null::<u8>())
    })
}

/// Gives up every capability of this thread.
pub(crate) fn drop_capabilities() -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    /// `_LINUX_CAPABILITY_VERSION_3`: two words for each set.
    const VERSION: u32 = 0x2008_0522;
    let header = Header { version: VERSION, pid: 0 };
    let none = [0u32; 6];
    // Need: the safe wrapper wants sets that it knows by name; all must go, known or not. Sound: the header asks for version 3,
    // whose data is two structures of three words, and both live through the call.
    check_long(unsafe { libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) })
}

/// Changes all user and group ids of this single-threaded process.
pub(crate) fn become_user(uid: u32, gid: u32) -> io::Result<()> {
    // Need: safe wrappers change one thread only and say so; the helper has one. Sound: no memory is involved.
    unsafe {
        check(libc::setresgid(gid, gid, gid))?;
        check(libc::setresuid(uid, uid, uid))
    }
}

/// Takes one capability out of what this process and its children can ever gain.
pub(crate) fn drop_bounding(capability: u32) -> io::Result<()> {
    // Need: the safe wrapper takes capabilities that it knows by name; newer kernels have more. Sound: integers only.
    check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability), 0, 0, 0) })
}

/// Brings a network interface up.
pub(crate) fn raise_interface(name: &std::ffi::CStr) -> io::Result<()> {
    // Need: there is no safe wrapper for SIOCSIFFLAGS. Sound: the request is plain data, zeroed, whose name field is longer than the
    // name copied into it; it lives through the call; the descriptor is new and owned here.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        check(fd)?;
        let socket = OwnedFd::from_raw_fd(fd);
        let mut request: libc::ifreq = MaybeUninit::zeroed().assume_init();
        for (to, from) in request.ifr_name.iter_mut().zip(name.to_bytes().iter().take(libc::IFNAMSIZ - 1)) {
            *to = *from as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request))
    }
}

/// Lets a socket stand for addresses that are not the machine's.
pub(crate) fn set_transparent(socket: BorrowedFd<'_>, six: bool) -> io::Result<()> {
    const IPV6_TRANSPARENT: libc::c_int = 75;
    let option = if six { (libc::SOL_IPV6, IPV6_TRANSPARENT) } else { (libc::SOL_IP, libc::IP_TRANSPARENT) };
    set_option(socket, option)
}

/// Has the kernel say with each datagram to whom it was sent: see [`receive_for`].
pub(crate) fn tell_destinations(socket: BorrowedFd<'_>, six: bool) -> io::Result<()> {
    let option =
        if six { (libc::SOL_IPV6, libc::IPV6_RECVORIGDSTADDR) } else { (libc::SOL_IP, libc::IP_RECVORIGDSTADDR) };
    set_option(socket, option)
}

fn set_option(socket: BorrowedFd<'_>, (level, name): (libc::c_int, libc::c_int)) -> io::Result<()> {
    let on: libc::c_int = 1;
    // Need: no safe wrapper for these options. Sound: the value is an int that lives through the call, and its size is passed.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const on).cast(), size_of::<libc::c_int>() as u32)
    };
    check(result)
}

/// A datagram and its way.
pub(crate) struct Datagram {
    pub(crate) length: usize,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
}

/// Takes one datagram together with the address that it was sent to. `None` if the kernel did not say.
pub(crate) fn receive_for(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<Option<Datagram>> {
    let mut from: libc::sockaddr_storage;
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let mut control = [0u64; 16];
    // Need: no safe wrapper knows this kind of control message. Sound: every pointer in the header is to something that lives through
    // the call, with its true size; control messages are walked with the C library's macros, which stay inside what the kernel says it
    // wrote; addresses are read unaligned and only as many bytes as their family has.
    unsafe {
        from = MaybeUninit::zeroed().assume_init();
        let mut header: libc::msghdr = MaybeUninit::zeroed().assume_init();
        header.msg_name = (&raw mut from).cast();
        header.msg_namelen = size_of::<libc::sockaddr_storage>() as u32;
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&control) as _;
        let length = libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC);
        if length < 0 {
            return Err(io::Error::last_os_error());
        }
        let from = address(&from);
        let mut to = None;
        let mut message = libc::CMSG_FIRSTHDR(&raw const header);
        while !message.is_null() {
            let kind = ((*message).cmsg_level, (*message).cmsg_type);
            let size = match kind {
                (libc::SOL_IP, libc::IP_ORIGDSTADDR) => size_of::<libc::sockaddr_in>(),
                (libc::SOL_IPV6, libc::IPV6_ORIGDSTADDR) => size_of::<libc::sockaddr_in6>(),
                _ => 0,
            };
            if size > 0 && (*message).cmsg_len as usize >= libc::CMSG_LEN(size as u32) as usize {
                let mut found: libc::sockaddr_storage = MaybeUninit::zeroed().assume_init();
                std::ptr::copy_nonoverlapping(libc::CMSG_DATA(message), (&raw mut found).cast(), size);
                to = address(&found);
            }
            message = libc::CMSG_NXTHDR(&raw const header, message);
        }
        Ok(from.zip(to).map(|(from, to)| Datagram { length: length as usize, from, to }))
    }
}

fn address(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    // Need: the C library's form of addresses is a union by family. Sound: the storage is large enough for each, was zeroed, and is
    // aligned for each; what is read is decided by the family that the kernel wrote.
    unsafe {
        match libc::c_int::from(storage.ss_family) {
            libc::AF_INET => {
                let four = &*(&raw const *storage).cast::<libc::sockaddr_in>();
                let ip = Ipv4Addr::from(u32::from_be(four.sin_addr.s_addr));
                Some((ip, u16::from_be(four.sin_port)).into())
            }
            libc::AF_INET6 => {
                let six = &*(&raw const *storage).cast::<libc::sockaddr_in6>();
                Some((Ipv6Addr::from(six.sin6_addr.s6_addr), u16::from_be(six.sin6_port)).into())
            }
            _ => None,
        }
    }
}

/// Leaves all supplementary groups.
pub(crate) fn drop_groups() -> io::Result<()> {
    // Need: as above. Sound: a count of zero reads no memory.
    check(unsafe { libc::setgroups(0, std::ptr::null()) })
}

/// Whether this process can be traced and its `/proc` files are its own.
pub(crate) fn set_dumpable(dumpable: bool) -> io::Result<()> {
    // Need: no safe wrapper for this call with these two values. Sound: integers only.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, libc::c_ulong::from(dumpable), 0, 0, 0) })
}

/// Marks every descriptor from `first` on to close on exec.
pub(crate) fn close_on_exec_from(first: RawFd) -> io::Result<()> {
    // Need: whoever started the node may have left descriptors open that must not reach a guest. Sound: nothing is closed now, so
    // no owner in this process is harmed.
    let flags = libc::CLOSE_RANGE_CLOEXEC as libc::c_uint;
    check_long(unsafe { libc::syscall(libc::SYS_close_range, first as libc::c_uint, libc::c_uint::MAX, flags) })
}

/// A descriptor that becomes readable when SIGCHLD arrives; the signal is blocked for this thread.
pub(crate) fn child_signals() -> io::Result<OwnedFd> {
    // Need: no safe wrapper for signalfd. Sound: the set is initialised by sigemptyset before use and lives through the calls; the
    // descriptor is new and owned by nobody else.
    unsafe {
        let mut set: libc::sigset_t = MaybeUninit::zeroed().assume_init();
        check(libc::sigemptyset(&raw mut set))?;
        check(libc::sigaddset(&raw mut set, libc::SIGCHLD))?;
        check(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()))?;
        let fd = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        check(fd)?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Blocks every signal, for this process and all that it forks.
pub(crate) fn block_signals() -> io::Result<()> {
    // Need: what interrupts the node must not end those who look after its guests. Sound: the set is initialised by sigfillset and
    // lives through the calls.
    unsafe {
        let mut set: libc::sigset_t = MaybeUninit::zeroed().assume_init();
        check(libc::sigfillset(&raw mut set))?;
        check(libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()))
    }
}

/// No signal blocked, as a program expects when it starts.
pub(crate) fn unblock_signals() -> io::Result<()> {
    // Need: the signal mask survives exec. Sound: the set is initialised by sigemptyset and lives through the calls.
    unsafe {
        let mut set: libc::sigset_t = MaybeUninit::zeroed().assume_init();
        check(libc::sigemptyset(&raw mut set))?;
        check(libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()))
    }
}

/// A program's default answer to a broken pipe: Rust's runtime ignores SIGPIPE, and ignoring survives exec.
pub(crate) fn default_sigpipe() {
    // Need: no safe way. Sound: SIG_DFL installs no handler of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

/// Sets both limits of a resource; as near as this process may, if its own hard limit is lower already.
pub(crate) fn limit(resource: libc::__rlimit_resource_t, value: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
    // Need: used between fork and exec, where only plain system calls are allowed. Sound: the structures live through the calls.
    unsafe {
        match check(libc::setrlimit(resource, &raw const limit)) {
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {}
            other => return other,
        }
        let mut present: libc::rlimit = MaybeUninit::zeroed().assume_init();
        check(libc::getrlimit(resource, &raw mut present))?;
        let lower = value.min(present.rlim_max);
        let limit = libc::rlimit { rlim_cur: lower, rlim_max: lower };
        check(libc::setrlimit(resource, &raw const limit))
    }
}

/// What keeps a crash from being written down, also where the host hands crashes to a program: for that one, zero is no limit, and
/// it would run on the host with a guest's memory as its input.
pub(crate) const CORE_BYTES: u64 = 1;

/// Numbers from here on are given to nobody: past those of the channels. Descriptors wait there for their place.
pub(crate) const HIGH_FD: RawFd = crate::host::CHANNEL + crate::host::Streams::CHANNELS_MAX as RawFd;

/// Puts `fd` on number `target`, open across exec.
pub(crate) fn place(fd: BorrowedFd<'_>, target: RawFd) -> io::Result<()> {
    if fd.as_raw_fd() == target {
        // dup2 onto itself would leave close-on-exec set. Need and soundness as below.
        return check(unsafe { libc::fcntl(target, libc::F_SETFD, 0) });
    }
    // Need: the guest finds its channel by number. Sound: in the helper and between fork and exec, `target` belongs to nobody.
    check(unsafe { libc::dup2(fd.as_raw_fd(), target) })
}

/// What a plain process (one without namespaces) sets up between fork and exec.
pub(crate) struct Plain {
    /// On high numbers.
    pub(crate) channels: Vec<OwnedFd>,
    pub(crate) files_max: u64,
}

/// Arranges that `command` starts with its channels on descriptor 3 and following, and its limits set.
pub(crate) fn prepare_plain(command: &mut Command, plain: Plain) {
    let setup = move || {
        limit(libc::RLIMIT_NOFILE, plain.files_max)?;
        limit(libc::RLIMIT_CORE, CORE_BYTES)?;
        let mut first_unused = crate::host::CHANNEL;
        for channel in &plain.channels {
            place(channel.as_fd(), first_unused)?;
            first_unused += 1;
        }
        close_on_exec_from(first_unused)
    };
    // Need: a descriptor and limits can only be set there. Sound: the closure makes plain system calls and neither allocates nor
    // takes locks; errors are built from errno without allocation.
    unsafe { command.pre_exec(setup) };
}

/// Lets async code wait for a descriptor to become readable.
pub(crate) fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    watch_for(fd, Interest::READABLE)
}

/// Lets async code wait for a descriptor to have news of the urgent kind.
pub(crate) fn watch_priority(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    watch_for(fd, Interest::PRIORITY)
}

fn watch_for(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // Need: registering any descriptor type is unsafe, because the type might swap it. Sound: an `OwnedFd` keeps the one descriptor
    // that it has until it is dropped, and nothing hands it out mutably.
    Ok(unsafe { AsyncFd::register_with_interest(fd, interest) }?)
}

/// Closes every descriptor from `first` on that whoever started this program left open.
pub(crate) fn close_from(first: RawFd) -> io::Result<()> {
    // Need: they must reach neither the steward nor any guest. Sound: called first thing in the helper, when it owns none of them.
    check_long(unsafe { libc::syscall(libc::SYS_close_range, first as libc::c_uint, libc::c_uint::MAX, 0) })
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn check_long(result: libc::c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
