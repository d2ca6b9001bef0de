// What functions do in Node.js, to see that the sandbox lets them.
import { createServer } from "node:http";
import { Worker, isMainThread, parentPort } from "node:worker_threads";
import { spawn, execFileSync } from "node:child_process";
import { createHash, generateKeyPairSync, pbkdf2, randomBytes } from "node:crypto";
import { gzip, gunzipSync, brotliCompressSync } from "node:zlib";
import { promisify } from "node:util";
import { lookup } from "node:dns/promises";
import * as fs from "node:fs/promises";
import { watch } from "node:fs";
import net from "node:net";
import dgram from "node:dgram";
import os from "node:os";
import { performance, monitorEventLoopDelay } from "node:perf_hooks";

if (!isMainThread) {
  parentPort.postMessage(new Int32Array(new SharedArrayBuffer(4)).length);
} else {
  const equal = (found, expected) => {
    if (found !== expected) throw new Error(`${found} instead of ${expected}`);
  };
  const once = (emitter, event) => new Promise((done, fail) => emitter.once(event, done).once("error", fail));
  // files
  await fs.mkdir("/tmp/a/b", { recursive: true });
  await fs.writeFile("/tmp/a/file", "x".repeat(100000));
  await fs.copyFile("/tmp/a/file", "/tmp/a/copy");
  await fs.cp("/tmp/a", "/tmp/c", { recursive: true, preserveTimestamps: true });
  await fs.rename("/tmp/c/copy", "/tmp/c/moved");
  await fs.chmod("/tmp/c/moved", 0o600);
  await fs.symlink("moved", "/tmp/c/link");
  equal((await fs.stat("/tmp/c/link")).size, 100000);
  const watcher = watch("/tmp/a", () => {});
  watcher.close();
  await fs.rm("/tmp/a", { recursive: true });
  // the network
  const server = createServer((request, response) => request.pipe(response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/`, { method: "POST", body: "echo" });
  equal(await answer.text(), "echo");
  server.closeAllConnections();
  server.close();
  const local = net.createServer((socket) => socket.end("local")).listen("/tmp/socket");
  await once(local, "listening");
  const client = net.connect("/tmp/socket");
  equal(String(await once(client, "data")), "local");
  local.close();
  const datagrams = dgram.createSocket("udp4");
  await new Promise((done) => datagrams.bind(0, "127.0.0.1", done));
  const heard = once(datagrams, "message");
  datagrams.send("datagram", datagrams.address().port, "127.0.0.1");
  equal(String(await heard), "datagram");
  datagrams.close();
  equal((await lookup("localhost", { family: 4 })).address, "127.0.0.1");
  if (!os.networkInterfaces().lo) throw new Error("no loopback");
  // processes and threads
  equal(execFileSync("/bin/echo", ["child"]).toString(), "child\n");
  const shell = spawn("/bin/sh", ["-c", "cat; exit 3"]);
  shell.stdin.end("input");
  equal(String(await once(shell.stdout, "data")), "input");
  equal(await new Promise((done) => (shell.exitCode === null ? shell.once("exit", done) : done(shell.exitCode))), 3);
  equal(await once(new Worker(new URL(import.meta.url)), "message"), 1);
  // computing
  equal(createHash("sha256").update("").digest("hex").slice(0, 8), "e3b0c442");
  generateKeyPairSync("ec", { namedCurve: "P-256" });
  await promisify(pbkdf2)("a", "b", 1000, 32, "sha512");
  equal(randomBytes(8).length, 8);
  equal(String(gunzipSync(await promisify(gzip)("zip"))), "zip");
  brotliCompressSync("zip");
  const module = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
  new WebAssembly.Instance(module);
  // about itself
  os.cpus(); os.freemem(); os.userInfo(); os.setPriority(1); process.resourceUsage(); performance.now();
  monitorEventLoopDelay().enable();
  process.kill(process.pid, 0);
  const signalled = once(process, "SIGUSR2");
  process.kill(process.pid, "SIGUSR2");
  // To wait for a signal does not keep the process alive.
  const alive = setInterval(() => {}, 1000);
  await signalled;
  clearInterval(alive);
  console.log("works");
  process.exit(0);
}
