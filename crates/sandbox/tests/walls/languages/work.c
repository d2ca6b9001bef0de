/* What native programs and the languages built on the C library do, to see that the sandbox lets them. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

#define MUST(what)                             \
    do {                                       \
        if (!(what)) {                         \
            printf("not: %s (%m)\n", #what);   \
            return 1;                          \
        }                                      \
    } while (0)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *thread(void *count)
{
    pthread_mutex_lock(&lock);
    ++*(int *)count;
    pthread_mutex_unlock(&lock);
    return 0;
}

int main(void)
{
    /* threads and processes */
    int count = 0, status;
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        MUST(pthread_create(&threads[i], 0, thread, &count) == 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], 0);
    MUST(count == 8);
    MUST(pthread_setname_np(pthread_self(), "work") == 0);
    pid_t child = fork();
    if (child == 0)
        _exit(3);
    MUST(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3);
    char *words[] = { "true", 0 };
    MUST(posix_spawn(&child, "/bin/true", 0, 0, words, environ) == 0 && waitpid(child, &status, 0) == child && status == 0);
    MUST(system("exit 4") >> 8 == 4);
    /* files */
    int file = open("/tmp/file", O_RDWR | O_CREAT | O_EXCL, 0600), copy = open("/tmp/copy", O_RDWR | O_CREAT, 0600);
    MUST(file >= 0 && copy >= 0 && write(file, "hello", 5) == 5 && fsync(file) == 0 && posix_fallocate(file, 0, 4096) == 0);
    MUST(lseek(file, 0, SEEK_SET) == 0 && sendfile(copy, file, 0, 5) == 5);
    loff_t from = 0;
    MUST(copy_file_range(file, &from, copy, 0, 5, 0) == 5);
    MUST(ftruncate(file, 3) == 0 && rename("/tmp/copy", "/tmp/moved") == 0 && link("/tmp/moved", "/tmp/linked") == 0);
    MUST(renameat2(AT_FDCWD, "/tmp/moved", AT_FDCWD, "/tmp/linked", RENAME_EXCHANGE) == 0);
    MUST(mkfifo("/tmp/fifo", 0600) == 0 && chmod("/tmp/file", 0640) == 0 && chown("/tmp/file", -1, -1) == 0);
    MUST(mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) != MAP_FAILED);
    /* waiting */
    int poll = epoll_create1(0), event = eventfd(1, 0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct epoll_event one = { .events = EPOLLIN };
    MUST(epoll_ctl(poll, EPOLL_CTL_ADD, event, &one) == 0 && epoll_wait(poll, &one, 1, 1000) == 1 && timer >= 0);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    MUST(sigprocmask(SIG_BLOCK, &signals, 0) == 0 && signalfd(-1, &signals, 0) >= 0 && inotify_init1(0) >= 0);
    MUST(raise(SIGUSR1) == 0 && sigwaitinfo(&signals, 0) == SIGUSR1);
    timer_t alarm;
    struct sigevent quiet = { .sigev_notify = SIGEV_NONE };
    MUST(timer_create(CLOCK_REALTIME, &quiet, &alarm) == 0 && timer_delete(alarm) == 0);
    struct timespec moment = { 0, 1000 };
    MUST(nanosleep(&moment, 0) == 0 && clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, 0) == 0);
    /* sharing */
    int shared = shmget(IPC_PRIVATE, 4096, 0600), sets = semget(IPC_PRIVATE, 1, 0600), queue = msgget(IPC_PRIVATE, 0600);
    MUST(shared >= 0 && shmat(shared, 0, 0) != (void *)-1 && sets >= 0 && queue >= 0);
    MUST(shm_open("/shared", O_RDWR | O_CREAT, 0600) >= 0 && sem_open("/sem", O_CREAT, 0600, 1) != SEM_FAILED);
    MUST(memfd_create("x", MFD_CLOEXEC) >= 0);
    void *code = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(mprotect(code, 4096, PROT_READ | PROT_EXEC) == 0 && madvise(code, 4096, MADV_DONTNEED) == 0 && mlock(code, 4096) == 0);
    /* the network */
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof here;
    int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP);
    MUST(bind(server, (void *)&here, length) == 0 && listen(server, 8) == 0 && getsockname(server, (void *)&here, &length) == 0);
    connect(client, (void *)&here, length);
    MUST(accept4(server, 0, 0, SOCK_CLOEXEC) >= 0);
    MUST(socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDP) >= 0);
    int pair[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    struct ifaddrs *interfaces;
    MUST(getifaddrs(&interfaces) == 0);
    struct addrinfo *found;
    MUST(getaddrinfo("localhost", "80", 0, &found) == 0);
    /* about itself */
    struct sysinfo system;
    struct rusage usage;
    cpu_set_t processors;
    char random[8];
    MUST(sysinfo(&system) == 0 && getrusage(RUSAGE_SELF, &usage) == 0 && sched_getaffinity(0, sizeof processors, &processors) == 0);
    MUST(getrandom(random, 8, 0) == 8 && getpwuid(getuid()) && strcmp(getpwuid(getuid())->pw_name, "guest") == 0);
    MUST(setpgid(0, 0) == 0 || 1);
    puts("works");
    return 0;
}
