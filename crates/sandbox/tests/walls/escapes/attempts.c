/* Attempts to get out of a sandbox, by their names. Each says what the system answered: "ok", or the name of the error. A process that
 * is killed says nothing. Whoever runs this knows what should be said. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* What was asked for on the command line after the name. */
static const char *argument = "";
static char bytes[4096];

static long pid(void) { return atol(argument); }

static long opens(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    return fd < 0 ? -1 : 0;
}

static long reads(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    return read(fd, bytes, 64) < 0 ? -1 : 0;
}

static long writes(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    return write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

static long clones(unsigned long flags)
{
    long child = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
    if (child == 0)
        _exit(0);
    if (child > 0)
        waitpid(child, 0, 0);
    return child;
}

static long clones3(void)
{
    unsigned long long args[8] = { CLONE_NEWUSER, 0, 0, 0, SIGCHLD, 0, 0, 0 };
    long child = syscall(SYS_clone3, args, sizeof args);
    if (child == 0)
        _exit(0);
    return child;
}

static long sockets(int family, int kind, int protocol)
{
    int fd = socket(family, kind, protocol);
    return fd < 0 ? -1 : 0;
}

/* The host's socket without a file. */
static long connects_abstract(void)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    memcpy(to.sun_path + 1, argument, strlen(argument));
    return connect(fd, (void *)&to, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(argument));
}

static long namespaces_of(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    return setns(fd, 0);
}

static long handle(void)
{
    struct { unsigned length; int kind; unsigned char bytes[8]; } handle = { 8, 1, { 2 } };
    return syscall(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDONLY);
}

static long all_capabilities(void)
{
    struct { unsigned version; int pid; } head = { 0x20080522, 0 };
    unsigned all[6] = { ~0u, ~0u, ~0u, ~0u, ~0u, ~0u };
    return syscall(SYS_capset, &head, all);
}

static long more_files(void)
{
    struct rlimit more = { 1 << 20, 1 << 20 };
    return setrlimit(RLIMIT_NOFILE, &more);
}

static long realtime(void)
{
    struct sched_param first = { .sched_priority = 1 };
    return sched_setscheduler(0, SCHED_FIFO, &first);
}

static long vm_read(void)
{
    struct iovec here = { bytes, 8 }, there = { bytes, 8 };
    return process_vm_readv(1, &here, 1, &there, 1, 0);
}

/* A filter that lets everything pass: room that nobody is charged for. */
static struct sock_filter pass = { 0x06, 0, 0, 0x7fff0000 };
static struct sock_fprog filter = { 1, &pass };

static long filters_packets(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

static long encrypts_in_the_kernel(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return setsockopt(fd, IPPROTO_TCP, 31, "tls", 4);
}

static long requests(const char *path, unsigned long request)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -1 : ioctl(fd, request, bytes);
}

/* Without a limit at all the kernel would start the host's program for crashes. */
static long crashes_in_public(void)
{
    struct rlimit none = { 0, 0 }, now;
    if (setrlimit(RLIMIT_CORE, &none) || prlimit(0, RLIMIT_CORE, &none, 0) || getrlimit(RLIMIT_CORE, &now))
        return -1;
    errno = EDOM;
    return now.rlim_cur == 1 && now.rlim_max == 1 ? -1 : 0;
}

static long mapped(size_t size, int flags)
{
    return mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0) == MAP_FAILED ? -1 : 0;
}

/* Fills /tmp with what argument says: "bytes" or "files". */
static long fills(void)
{
    char path[64];
    static char block[1 << 16];
    int many = strcmp(argument, "files") == 0;
    for (int i = 0; i < 200000; i++) {
        snprintf(path, sizeof path, "/tmp/%d", many ? i : 0);
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0 || (!many && write(fd, block, sizeof block) < 0))
            return -1;
        close(fd);
    }
    return 0;
}

/* Fills connections to itself that nobody reads from. Says whether more went in than a guest has memory. */
static long fills_connections(void)
{
    static char block[1 << 16];
    struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t length = sizeof own;
    int door = socket(AF_INET, SOCK_STREAM, 0), large = 1 << 30;
    long long total = 0;
    setsockopt(door, SOL_SOCKET, SO_RCVBUF, &large, sizeof large);
    if (bind(door, (void *)&own, length) || listen(door, 100) || getsockname(door, (void *)&own, &length))
        return -1;
    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            break;
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
        if (connect(fd, (void *)&own, length) || accept(door, 0, 0) < 0)
            break;
        fcntl(fd, F_SETFL, O_NONBLOCK);
        for (long sent; (sent = write(fd, block, sizeof block)) > 0;)
            total += sent;
    }
    errno = ENOBUFS;
    return total > 160 << 20 ? 0 : -1;
}

static void *touched(size_t size, int fd)
{
    char *memory = mmap(0, size, PROT_READ | PROT_WRITE, fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return 0;
    for (size_t at = 0; at < size; at += 4096)
        memory[at] = 1;
    return memory;
}

/* Takes a gigabyte of the kind that argument says. */
static long hoards(void)
{
    size_t size = 1ul << 30;
    if (strcmp(argument, "private") == 0)
        return touched(size, -1) ? 0 : -1;
    if (strcmp(argument, "file") == 0) {
        int fd = memfd_create("x", 0);
        return fd < 0 || ftruncate(fd, size) || !touched(size, fd) ? -1 : 0;
    }
    if (strcmp(argument, "system v") == 0) {
        int id = syscall(SYS_shmget, 0, size, 01600);
        char *memory = id < 0 ? 0 : (char *)syscall(SYS_shmat, id, 0, 0);
        if (id < 0)
            return -1;
        for (size_t at = 0; at < size; at += 4096)
            memory[at] = 1;
        return 0;
    }
    if (strcmp(argument, "connections") == 0)
        return fills_connections();
    if (strcmp(argument, "sockets") == 0) {
        static char block[1 << 16];
        for (int i = 0; i < 1000; i++) {
            int pair[2], large = 1 << 24;
            if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair))
                return -1;
            setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
            while (write(pair[0], block, sizeof block) > 0) {
            }
        }
        return 0;
    }
    return -1;
}

/* Forks until it cannot; the children stay. */
static long bombs(void)
{
    for (int i = 0; i < 100000; i++) {
        pid_t child = fork();
        if (child < 0)
            return -1;
        if (child == 0)
            for (;;)
                pause();
    }
    return 0;
}

#if defined(__x86_64__)
static long old_numbers(void)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory");
    return result < 0 ? (errno = -result, -1) : 0;
}
#endif

#define ATTEMPT(name, result) \
    if (strcmp(wanted, name) == 0) \
        return (result)

static long attempt(const char *wanted)
{
    ATTEMPT("nothing", 0);
    /* other processes */
    ATTEMPT("signal", kill(pid(), SIGKILL));
    ATTEMPT("signal a thread", syscall(SYS_tgkill, pid(), pid(), SIGKILL));
    ATTEMPT("signal the group", kill(-pid(), SIGKILL));
    ATTEMPT("watch", syscall(SYS_pidfd_open, pid(), 0));
    ATTEMPT("trace the reaper", ptrace(PTRACE_ATTACH, 1, 0, 0));
    ATTEMPT("be traced", ptrace(PTRACE_TRACEME, 0, 0, 0));
    ATTEMPT("read the reaper", vm_read());
    ATTEMPT("take a descriptor", syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, 1, 0), 0, 0));
    ATTEMPT("compare", syscall(SYS_kcmp, 1, getpid(), 0, 0, 0));
    ATTEMPT("open", reads(argument));
    ATTEMPT("open to write", opens(argument, O_WRONLY));
    ATTEMPT("write", writes(argument, "1"));
    ATTEMPT("less to lose", writes("/proc/self/oom_score_adj", "-1000"));
    /* mounts and roots */
    ATTEMPT("mount", mount("none", "/tmp", "tmpfs", 0, 0));
    ATTEMPT("mount proc", mount("none", "/tmp", "proc", 0, 0));
    ATTEMPT("mount cgroups", mount("none", "/tmp", "cgroup2", 0, 0));
    ATTEMPT("make writable", mount(0, "/usr", 0, MS_REMOUNT | MS_BIND, 0));
    ATTEMPT("unmount", umount2("/proc", MNT_DETACH));
    ATTEMPT("open a tree", syscall(SYS_open_tree, AT_FDCWD, "/usr", 1));
    ATTEMPT("move a mount", syscall(SYS_move_mount, AT_FDCWD, "/usr", AT_FDCWD, "/tmp", 0));
    ATTEMPT("open a file system", syscall(SYS_fsopen, "tmpfs", 0));
    ATTEMPT("change the root", syscall(SYS_pivot_root, "/", "/tmp"));
    ATTEMPT("chroot", chroot("/tmp"));
    ATTEMPT("handle", handle());
    /* namespaces */
    ATTEMPT("unshare users", unshare(CLONE_NEWUSER));
    ATTEMPT("unshare mounts", unshare(CLONE_NEWNS));
    ATTEMPT("unshare network", unshare(CLONE_NEWNET));
    ATTEMPT("clone users", clones(CLONE_NEWUSER));
    ATTEMPT("clone network", clones(CLONE_NEWNET));
    ATTEMPT("clone processes", clones(CLONE_NEWPID));
    ATTEMPT("clone", clones(0));
    ATTEMPT("clone3", clones3());
    ATTEMPT("enter", namespaces_of(argument));
    /* the kernel */
    ATTEMPT("load a module", syscall(SYS_init_module, bytes, 0, ""));
    ATTEMPT("load a module file", syscall(SYS_finit_module, 0, "", 0));
    ATTEMPT("unload a module", syscall(SYS_delete_module, "x", 0));
    ATTEMPT("another kernel", syscall(SYS_kexec_load, 0, 0, 0, 0));
    ATTEMPT("bpf", syscall(SYS_bpf, 0, bytes, 64));
    ATTEMPT("counters", syscall(SYS_perf_event_open, bytes, 0, -1, -1, 0));
    ATTEMPT("page faults", syscall(SYS_userfaultfd, 0));
    ATTEMPT("io_uring", syscall(SYS_io_uring_setup, 1, bytes));
    ATTEMPT("keys", syscall(SYS_keyctl, 0, -3, 0, 0, 0));
    ATTEMPT("add a key", syscall(SYS_add_key, "user", "x", "x", 1, -3));
    ATTEMPT("kernel log", syscall(SYS_syslog, 3, bytes, 64));
    ATTEMPT("watch all files", syscall(SYS_fanotify_init, 0, 0));
    ATTEMPT("swap", syscall(SYS_swapon, "/tmp/x", 0));
    ATTEMPT("quota", syscall(SYS_quotactl, 0, 0, 0, 0));
    ATTEMPT("account", syscall(SYS_acct, 0));
    ATTEMPT("reboot", syscall(SYS_reboot, 0, 0, 0, 0));
    ATTEMPT("name the host", sethostname("x", 1));
    ATTEMPT("set the clock", syscall(SYS_settimeofday, bytes, 0));
    ATTEMPT("flush all disks", syscall(SYS_syncfs, 1));
    ATTEMPT("secret memory", syscall(SYS_memfd_secret, 0));
    ATTEMPT("fixed addresses", syscall(SYS_personality, 0x0040000));
    ATTEMPT("filter packets", filters_packets());
    ATTEMPT("filter calls", syscall(SYS_seccomp, 1, 0, &filter));
    ATTEMPT("filter calls the old way", prctl(PR_SET_SECCOMP, 2, &filter));
    ATTEMPT("encrypt in the kernel", encrypts_in_the_kernel());
    ATTEMPT("have a core for itself", prctl(62, 1, 0, 0, 0));
    ATTEMPT("move its memory", prctl(PR_SET_MM, 1, 0, 0, 0));
    ATTEMPT("flags of a file", requests("/usr/bin/env", 0x80086601));
    ATTEMPT("parent of a namespace", requests("/proc/self/ns/user", 0xb702));
    ATTEMPT("count randomness", requests("/dev/random", 0x80045200));
    ATTEMPT("huge pages", mapped(1 << 21, MAP_HUGETLB));
    ATTEMPT("huge file", syscall(SYS_memfd_create, "x", 4));
    ATTEMPT("a call of the future", syscall(1999, 0, 0, 0));
#if defined(__x86_64__)
    ATTEMPT("processor ports", syscall(SYS_iopl, 3));
    ATTEMPT("segments", syscall(SYS_modify_ldt, 1, bytes, 16));
    ATTEMPT("other numbers", syscall(0x40000000 | SYS_getpid));
    ATTEMPT("old numbers", old_numbers());
#endif
    /* the network */
    ATTEMPT("raw socket", sockets(AF_INET, SOCK_RAW, 1));
    ATTEMPT("raw socket 6", sockets(AF_INET6, SOCK_RAW, 58));
    ATTEMPT("ping socket", sockets(AF_INET, SOCK_DGRAM, 1));
    ATTEMPT("packet socket", sockets(AF_PACKET, SOCK_RAW, 0x300));
    ATTEMPT("netfilter socket", sockets(AF_NETLINK, SOCK_RAW, 12));
    ATTEMPT("audit socket", sockets(AF_NETLINK, SOCK_RAW, 9));
    ATTEMPT("hypervisor socket", sockets(40, SOCK_STREAM, 0));
    ATTEMPT("crypto socket", sockets(38, SOCK_SEQPACKET, 0));
    ATTEMPT("sctp socket", sockets(AF_INET, SOCK_STREAM, 132));
    ATTEMPT("socket", sockets(AF_INET, SOCK_STREAM, 0));
    ATTEMPT("abstract socket", connects_abstract());
    /* rights */
    ATTEMPT("become root", setuid(0));
    ATTEMPT("join root's group", setgid(0));
    ATTEMPT("capabilities", all_capabilities());
    ATTEMPT("disk", mknod("/tmp/disk", S_IFBLK | 0600, makedev(8, 0)));
    ATTEMPT("memory device", mknod("/tmp/memory", S_IFCHR | 0600, makedev(1, 1)));
    ATTEMPT("fifo", mknod("/tmp/fifo", S_IFIFO | 0600, 0));
    ATTEMPT("more files", more_files());
    ATTEMPT("before others", setpriority(PRIO_PROCESS, 0, -20));
    ATTEMPT("at once", realtime());
    ATTEMPT("lock memory", mapped(1 << 24, MAP_LOCKED));
    ATTEMPT("crash in public", crashes_in_public());
    ATTEMPT("type", ioctl(0, TIOCSTI, "x"));
    ATTEMPT("change a device", chmod("/dev/null", 0777));
    /* limits */
    ATTEMPT("fill", fills());
    ATTEMPT("hoard", hoards());
    ATTEMPT("bomb", bombs());
    errno = ENOTSUP;
    return -1;
}

/* The user that every guest is, and nobody else. */
#define GUEST 993

int main(int count, char **words)
{
    /* Outside a sandbox some of these succeed: run by root, they would harm the machine. */
    if (getuid() != GUEST || access("/etc/shadow", F_OK) == 0 || access("/root", F_OK) == 0) {
        fprintf(stderr, "this is only for the inside of a sandbox\n");
        return 2;
    }
    argument = count > 2 ? words[2] : "";
    long result = attempt(count > 1 ? words[1] : "nothing");
    printf("%s\n", result >= 0 ? "ok" : strerrorname_np(errno));
    fflush(stdout);
    return 0;
}
