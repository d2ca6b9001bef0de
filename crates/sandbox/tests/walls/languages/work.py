# What functions do in Python, from 3.8 on, to see that the sandbox lets them.
import asyncio, concurrent.futures, ctypes, fcntl, hashlib, http.server, logging.handlers, mmap, multiprocessing, os, resource, select
import shutil, signal, socket, sqlite3, ssl, subprocess, sys, tempfile, threading, time, urllib.request, uuid, zlib

def double(number):
    return number * 2

def main():
    # files
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, "file")
    with open(path, "w") as file:
        file.write("x" * 100000)
        fcntl.flock(file, fcntl.LOCK_EX)
        fcntl.lockf(file, fcntl.LOCK_EX)
        os.fsync(file.fileno())
    shutil.copytree(folder, folder + "-copy")
    os.utime(path, (1, 1))
    os.mkfifo(path + ".fifo")
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[:5] = b"hello"
        memory.flush()
    with os.scandir(folder) as entries:
        assert len(list(entries)) == 2
    base = sqlite3.connect(os.path.join(folder, "base"))
    base.execute("pragma journal_mode=wal")
    base.execute("create table t (x)")
    base.executemany("insert into t values (?)", [(n,) for n in range(100)])
    base.commit()
    assert base.execute("select sum(x) from t").fetchone() == (4950,)
    shutil.rmtree(folder)
    # processes and threads
    assert subprocess.run(["/bin/sh", "-c", "cat"], input=b"in", stdout=subprocess.PIPE).stdout == b"in"
    assert os.popen("echo shell").read() == "shell\n"
    for way in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(way).Pool(2) as pool:
            assert pool.map(double, [1, 2, 3]) == [2, 4, 6], way
    from multiprocessing import shared_memory
    memory = shared_memory.SharedMemory(create=True, size=4096)
    memory.buf[0] = 7
    memory.close()
    memory.unlink()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(double, range(10))) == 90
    lock, seen = threading.Condition(), []
    with lock:
        threading.Timer(0.01, lambda: (lock.acquire(), seen.append(1), lock.notify(), lock.release())).start()
        assert lock.wait_for(lambda: seen, 60)
    # the network
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.chdir("/tmp")
    assert urllib.request.urlopen("http://127.0.0.1:%d/" % server.server_port).status == 200
    server.shutdown()
    left, right = socket.socketpair()
    left.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, b"\0\0\0\0")])
    poll = select.epoll()
    poll.register(right, select.EPOLLIN)
    assert poll.poll(60)
    assert socket.getaddrinfo("localhost", 80)
    socket.if_nameindex()
    ssl.create_default_context()
    async def talk():
        async def echo(reader, writer):
            writer.write(await reader.read(100))
            await writer.drain()
            writer.close()
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"echo")
        assert await reader.read(100) == b"echo"
        process = await asyncio.create_subprocess_exec("/bin/echo", "child", stdout=asyncio.subprocess.PIPE)
        assert (await process.communicate())[0] == b"child\n"
        await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0)
    asyncio.run(talk())
    # signals and limits
    heard = []
    signal.signal(signal.SIGALRM, lambda *_: heard.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    while not heard:
        signal.pause()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.sched_getaffinity(0), os.getloadavg(), os.nice(0), os.cpu_count(), os.uname(), os.getrandom(8)
    if hasattr(os, "memfd_create"):
        os.close(os.memfd_create("x"))
    if hasattr(os, "pidfd_open"):
        os.close(os.pidfd_open(os.getpid()))
    # computing
    assert hashlib.sha256(b"").hexdigest()[:8] == "e3b0c442"
    hashlib.scrypt(b"a", salt=b"b", n=1024, r=8, p=1)
    assert zlib.decompress(zlib.compress(b"zip")) == b"zip"
    uuid.uuid4(), uuid.uuid1()
    called = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda n: n + 1)
    assert called(1) == 2
    print("works", flush=True)

if __name__ == "__main__":
    main()
