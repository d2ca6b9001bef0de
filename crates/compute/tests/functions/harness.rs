//! A compute with a log that can be read, and functions made of a few lines of text.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use compute::{
    CodeId, Compute, Credentials, Image, Invocation, LogBatch, LogFormat, LogSink, LogWish, Options, Outcome, RunFault,
    Settings, StartError,
};
use futures_util::future::BoxFuture;
use sandbox::Mode;
use zip::write::SimpleFileOptions;

/// Generous: the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Keeps all lines, and counts bytes.
#[derive(Default)]
pub(crate) struct Lines {
    lines: Mutex<Vec<(String, String)>>,
}

impl Lines {
    /// All text of one stream.
    pub(crate) fn of(&self, stream: &str) -> String {
        let lines = self.lines.lock().unwrap();
        lines.iter().filter(|(one, _)| one == stream).map(|(_, line)| line.as_str()).collect()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.lines.lock().unwrap().iter().map(|(_, line)| line.len()).sum()
    }
}

impl LogSink for Lines {
    fn write(&self, batches: Vec<LogBatch>) -> BoxFuture<'_, ()> {
        let mut lines = self.lines.lock().unwrap();
        for batch in &batches {
            lines.extend(batch.lines().map(|(_, line)| (batch.stream.name.clone(), line.to_owned())));
        }
        Box::pin(async {})
    }
}

/// A node's compute in a temporary folder.
pub(crate) struct Node {
    pub(crate) compute: Compute,
    pub(crate) lines: Arc<Lines>,
    pub(crate) dir: tempfile::TempDir,
}

/// One function.
pub(crate) struct Function<'a> {
    pub(crate) language: &'a str,
    pub(crate) handler: &'a str,
    pub(crate) files: &'a [(&'a str, &'a str)],
}

impl Node {
    pub(crate) fn new(mode: Mode) -> Self {
        Self::with(mode, |_| {})
    }

    pub(crate) fn with(mode: Mode, change: impl FnOnce(&mut Options)) -> Self {
        Self::try_with(mode, change).unwrap()
    }

    /// The same where it may be refused.
    pub(crate) fn try_with(mode: Mode, change: impl FnOnce(&mut Options)) -> Result<Self, StartError> {
        let dir = tempfile::tempdir().unwrap();
        let lines = Arc::new(Lines::default());
        let mut options = options(&dir.path().join("compute"), &lines);
        options.sandbox = mode;
        change(&mut options);
        Ok(Self { compute: Compute::new(options)?, lines, dir })
    }

    /// A compute on a folder that another had.
    pub(crate) fn new_in(dir: &Path) -> Compute {
        Compute::new(options(dir, &Arc::new(Lines::default()))).unwrap()
    }

    /// Loads a function. None, with a word why, if its interpreter is not here.
    pub(crate) async fn load(&self, function: &Function<'_>) -> Option<Arc<Image>> {
        self.load_with(function, |_| {}).await
    }

    pub(crate) async fn load_with(
        &self,
        function: &Function<'_>,
        change: impl FnOnce(&mut Settings),
    ) -> Option<Arc<Image>> {
        if let Err(error) = self.compute.language(function.language) {
            base::trial::skip(error);
            return None;
        }
        let code = self.compute.prepare(zip(function.files)).await.unwrap();
        let mut settings = settings_of(code, function.language, function.handler);
        change(&mut settings);
        Some(self.compute.image(settings).unwrap())
    }

    /// Calls a function once, with the log's end.
    pub(crate) async fn call(&self, image: &Arc<Image>, payload: &str) -> Outcome {
        self.try_call(image, payload).await.unwrap()
    }

    pub(crate) async fn try_call(&self, image: &Arc<Image>, payload: &str) -> Result<Outcome, RunFault> {
        tokio::time::timeout(PATIENCE, self.compute.run(image, invocation(payload))).await.expect("a call ends")
    }

    /// The same with a request id of its own, as real calls have.
    pub(crate) async fn call_apart(&self, image: &Arc<Image>, payload: &str) -> Outcome {
        self.try_call_apart(image, payload).await.unwrap()
    }

    pub(crate) async fn try_call_apart(&self, image: &Arc<Image>, payload: &str) -> Result<Outcome, RunFault> {
        tokio::time::timeout(PATIENCE, self.compute.run(image, unlike_others(payload))).await.expect("a call ends")
    }

    /// Everything in the log of the instance that had this call.
    pub(crate) async fn log(&self, outcome: &Outcome) -> String {
        self.compute.flush_logs().await;
        self.lines.of(&outcome.report.log_stream)
    }
}

fn options(dir: &Path, lines: &Arc<Lines>) -> Options {
    let mut options = Options::new(dir.to_owned(), Arc::clone(lines) as Arc<dyn LogSink>);
    options.helper = Some(PathBuf::from(env!("CARGO_BIN_EXE_compute-sandbox-init")));
    // What other programs have left of the machine's memory ends no instance here.
    options.memory_left = Arc::new(|| None);
    options
}

/// The settings of a function that asks for nothing special.
pub(crate) fn settings_of(code: CodeId, language: &str, handler: &str) -> Settings {
    Settings {
        function: "f".to_owned(),
        arn: "arn:aws:lambda:us-east-1:000000000000:function:f".to_owned(),
        version: "$LATEST".to_owned(),
        revision: code.to_string() + handler,
        sequence: 0,
        code,
        container: None,
        layers: Vec::new(),
        language: language.to_owned(),
        handler: handler.to_owned(),
        environment: BTreeMap::new(),
        memory_mb: 256,
        tmp_mb: 64,
        timeout: Duration::from_secs(30),
        concurrency_reserved: None,
        log_group: "/aws/lambda/f".to_owned(),
        log_format: LogFormat::Text,
        region: "us-east-1".to_owned(),
        credentials: Arc::new(|| Box::pin(async { Ok(credentials()) })),
    }
}

fn credentials() -> Credentials {
    Credentials {
        access_key_id: "ASIATEST".to_owned(),
        secret_access_key: "secret".to_owned(),
        session_token: "token".to_owned(),
    }
}

/// One whose request id nobody else has.
pub(crate) fn unlike_others(payload: &str) -> Invocation {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    Invocation { request_id: format!("8f507cfc-example-4697-b07a-{number:012}"), ..invocation(payload) }
}

pub(crate) const REQUEST_ID: &str = "8f507cfc-example-4697-b07a-ac58fc914c95";

pub(crate) fn invocation(payload: &str) -> Invocation {
    Invocation {
        request_id: REQUEST_ID.to_owned(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        invoked_arn: "arn:aws:lambda:us-east-1:000000000000:function:f:live".to_owned(),
        trace: Some("Root=1-5e1b4151-5ac6c58dc39a6b6b1b8c3c3a".to_owned()),
        client_context: None,
        cognito_identity: None,
        timeout: None,
        patience: PATIENCE,
        log: LogWish::Tail,
        held: None,
        conversation: None,
        pieces: None,
    }
}

/// A package of these files; `bootstrap` and shell scripts are executable.
pub(crate) fn zip(files: &[(&str, &str)]) -> Bytes {
    Bytes::from(zip_bytes(files))
}

fn zip_bytes(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        let mode = if *name == "bootstrap" || name.ends_with(".sh") { 0o755 } else { 0o644 };
        zip.start_file(*name, SimpleFileOptions::default().unix_permissions(mode)).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The same, with everything in a folder of the host.
pub(crate) fn zip_with_folder(files: &[(&str, &str)], folder: &Path) -> Bytes {
    let mut zip = zip::ZipWriter::new_append(Cursor::new(zip_bytes(files))).unwrap();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let path = entry.path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(&std::fs::read(&path).unwrap()).unwrap();
        }
    }
    Bytes::from(zip.finish().unwrap().into_inner())
}

pub(crate) fn text(outcome: &Outcome) -> &str {
    std::str::from_utf8(&outcome.payload).unwrap()
}

pub(crate) fn json(outcome: &Outcome) -> serde_json::Value {
    serde_json::from_slice(&outcome.payload).unwrap()
}

/// A log without what changes from call to call: times are T, numbers of milliseconds and memory N.
pub(crate) fn plain(log: &str) -> String {
    let mut plain = String::new();
    for line in log.split_inclusive('\n') {
        let line =
            if line.starts_with("REPORT") || line.starts_with("INIT_REPORT") { numbers(line) } else { times(line) };
        if !line.contains("the nearest version installed") {
            plain.push_str(&line);
        }
    }
    plain
}

fn numbers(line: &str) -> String {
    let mut out = Vec::new();
    for field in line.split('\t') {
        let is_number = |word: &str| word.parse::<f64>().is_ok();
        out.push(field.split(' ').map(|word| if is_number(word) { "N" } else { word }).collect::<Vec<_>>().join(" "));
    }
    out.join("\t")
}

/// `2026-11-21T02:25:41.123Z` becomes `T`.
fn times(line: &str) -> String {
    let is_time = |word: &str| {
        word.len() == 24 && word.ends_with('Z') && word.as_bytes()[10] == b'T' && word[..4].parse::<u32>().is_ok()
    };
    let by_tab =
        |field: &str| field.split(' ').map(|word| if is_time(word) { "T" } else { word }).collect::<Vec<_>>().join(" ");
    line.split('\t').map(by_tab).collect::<Vec<_>>().join("\t")
}
