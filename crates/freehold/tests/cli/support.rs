//! Running the binary, alone or as a node, and waiting for what it should come to. Nothing sleeps: whoever waits, waits for a
//! line, an answer or an end, with a deadline that only a hang exceeds.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Only a hang takes longer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The binary in `folder`, with none of this machine's settings.
pub(crate) fn freehold(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_freehold"));
    command.current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars() {
        if name.starts_with("AWS_") || name.starts_with("FREEHOLD_") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command
}

/// Runs it to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Done {
    run_with_input(folder, arguments, "")
}

/// Runs it to its end with this on standard input.
pub(crate) fn run_with_input(folder: &Path, arguments: &[&str], input: &str) -> Done {
    let mut child = freehold(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    // A command that does not read its input may be gone by now.
    drop(stdin.write_all(input.as_bytes()));
    drop(stdin);
    let done = child.wait_with_output().expect("it ends");
    Done {
        code: done.status.code(),
        stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

/// What a child has printed so far, and a bell for more.
#[derive(Default)]
pub(crate) struct Output {
    text: Mutex<(String, usize)>,
    more: Condvar,
}

impl Output {
    fn follow(self: &Arc<Self>, stream: impl Read + Send + 'static) {
        self.text.lock().unwrap().1 += 1;
        let output = Arc::clone(self);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let mut text = output.text.lock().unwrap();
                text.0.push_str(&line);
                text.0.push('\n');
                output.more.notify_all();
            }
            output.text.lock().unwrap().1 -= 1;
            output.more.notify_all();
        });
    }

    pub(crate) fn so_far(&self) -> String {
        self.text.lock().unwrap().0.clone()
    }

    /// Waits until what was printed satisfies `found`; panics at the deadline, or when no more can come.
    pub(crate) fn wait<T>(&self, what: &str, found: impl Fn(&str) -> Option<T>) -> T {
        let start = Instant::now();
        let mut text = self.text.lock().unwrap();
        loop {
            if let Some(found) = found(&text.0) {
                return found;
            }
            assert!(text.1 > 0, "it ended before {what}:\n{}", text.0);
            assert!(start.elapsed() < DEADLINE, "{what} did not come:\n{}", text.0);
            text = self.more.wait_timeout(text, DEADLINE).unwrap().0;
        }
    }

    /// Waits for a line that contains `part`.
    pub(crate) fn wait_for(&self, part: &str) -> String {
        self.wait(part, |text| text.lines().find(|line| line.contains(part)).map(ToOwned::to_owned))
    }
}

/// A command that runs until it is stopped.
pub(crate) struct Running {
    child: Child,
    pub(crate) output: Arc<Output>,
}

impl Running {
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = freehold(folder)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let output = Arc::new(Output::default());
        output.follow(child.stdout.take().expect("it is piped"));
        output.follow(child.stderr.take().expect("it is piped"));
        Self { child, output }
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill is there").success());
    }

    /// Waits for its end: by the end of its output, so that nothing is polled.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let start = Instant::now();
        let mut text = self.output.text.lock().unwrap();
        while text.1 > 0 {
            assert!(start.elapsed() < DEADLINE, "it did not end:\n{}", text.0);
            text = self.output.more.wait_timeout(text, DEADLINE).unwrap().0;
        }
        drop(text);
        self.child.wait().expect("it is our child")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has usually ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A node with a folder of its own.
pub(crate) struct Node {
    running: Running,
    pub(crate) endpoint: String,
    pub(crate) folder: Arc<TempDir>,
}

impl Node {
    /// A fresh node.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()), arguments)
    }

    /// A node on what another one left there.
    pub(crate) fn start_in(folder: Arc<TempDir>, arguments: &[&str]) -> Self {
        let all = [&["up", "--listen", "127.0.0.1:0"], arguments].concat();
        let running = Running::start(folder.path(), &all);
        let endpoint = running.output.wait("the endpoint", |text| {
            let start = text.find("AWS_ENDPOINT_URL=")? + "AWS_ENDPOINT_URL=".len();
            Some(text[start..].split_whitespace().next()?.to_owned())
        });
        running.output.wait_for("Ctrl-C stops.");
        Self { running, endpoint, folder }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(crate) fn output(&self) -> &Output {
        &self.running.output
    }

    /// Another command, pointed at this node.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        run(self.folder.path(), &self.pointed(arguments))
    }

    /// The same, with input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Done {
        run_with_input(self.folder.path(), &self.pointed(arguments), input)
    }

    /// The same, running on.
    pub(crate) fn follow(&self, arguments: &[&str]) -> Running {
        Running::start(self.folder.path(), &self.pointed(arguments))
    }

    fn pointed<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        [arguments, &["--endpoint", &self.endpoint]].concat()
    }

    /// The status and body of `GET path`.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.request("GET", path, "")
    }

    /// The status and body of `POST path`.
    pub(crate) fn post(&self, path: &str, body: &str) -> (u16, String) {
        self.request("POST", path, body)
    }

    fn request(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let authority = self.endpoint.strip_prefix("http://").expect("it is an http address");
        let mut stream = TcpStream::connect(authority).expect("the node listens");
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let length = body.len();
        // HTTP/1.0 has no chunks: the body ends with the connection.
        write!(stream, "{method} {path} HTTP/1.0\r\nHost: {authority}\r\nContent-Length: {length}\r\n\r\n{body}")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the answer is text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
        (status, body.to_owned())
    }

    /// Asks it to stop, and waits.
    pub(crate) fn stop(mut self) -> (ExitStatus, String) {
        self.running.signal("TERM");
        let status = self.running.ended();
        (status, self.running.output.so_far())
    }

    /// Ends it at once, as the loss of power would.
    pub(crate) fn kill(mut self) {
        self.running.signal("KILL");
        self.running.ended();
    }

    /// Asks it to stop, again and again until it does.
    pub(crate) fn stop_at_once(mut self) -> (ExitStatus, String) {
        let start = Instant::now();
        let output = Arc::clone(&self.running.output);
        let mut text = output.text.lock().unwrap();
        while text.1 > 0 {
            assert!(start.elapsed() < DEADLINE, "it did not stop:\n{}", text.0);
            self.running.signal("TERM");
            text = output.more.wait_timeout(text, Duration::from_millis(100)).unwrap().0;
        }
        drop(text);
        let status = self.running.ended();
        (status, output.so_far())
    }
}

/// Writes files, folders included.
pub(crate) fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("it is below the folder")).unwrap();
        std::fs::write(path, content).unwrap();
    }
}
