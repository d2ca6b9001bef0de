//! What the platform itself says in a function's log, as lines of text or as JSON records, word for word as Lambda has them.
//!
//! Each thing that is said has a level; a function whose log is JSON says from which on it wants to hear. Text has no levels: of what
//! it does not tell (that an initialisation went well, say) there is no line.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use crate::instance::Origin;
use crate::invocation::Report;
use crate::log_format::{LogFormat, LogLevel};
use crate::start::error_type;

/// Something that the platform says.
pub(crate) enum Said<'a> {
    /// An instance begins to initialise itself.
    InitStart { origin: Origin, runtime: &'a str, function: &'a str, version: &'a str },
    /// Something that people should know about an instance.
    Note(&'a str),
    /// An external extension is there, and is not run.
    Extension { name: &'a str, why: &'a str },
    /// An instance has initialised itself, or has failed to.
    InitDone { origin: Origin, took: Duration, status: &'a Status },
    /// An attempt begins.
    Start { id: &'a str, version: &'a str },
    /// What it died of.
    Died { id: &'a str, death: &'a Death },
    /// An attempt has ended.
    End { id: &'a str, report: &'a Report, memory_mb: u32, status: &'a Status, produced_bytes: usize },
}

/// What an attempt or its instance died of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Death {
    /// As lines of text have it, without an end.
    pub(crate) text: String,
    /// The words alone, where the rest is told beside them.
    pub(crate) words: String,
    /// AWS's name for it.
    pub(crate) kind: &'static str,
}

/// How something ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Well.
    Success,
    /// With an error that the function told itself: its document. It goes on.
    Error(Bytes),
    /// With the end of the instance.
    Failure { kind: String },
    /// Its time was over.
    Timeout,
}

impl Status {
    /// It ended its instance, and this is the document that tells of it.
    pub(crate) fn failure_of(document: &[u8]) -> Self {
        Self::Failure { kind: error_type(document) }
    }

    /// What lines of text say of it: nothing of an error that the function goes on after.
    fn text(&self) -> String {
        match self {
            Self::Success | Self::Error(_) => String::new(),
            Self::Failure { kind } => format!("Status: error\tError Type: {kind}"),
            Self::Timeout => "Status: timeout".to_owned(),
        }
    }

    /// The level of what tells of it, where it is `well` for what went well.
    fn level(&self, well: LogLevel) -> LogLevel {
        match self {
            Self::Success => well,
            Self::Error(_) | Self::Failure { .. } | Self::Timeout => LogLevel::Warn,
        }
    }
}

impl Said<'_> {
    /// Whether any of it is heard in this format.
    pub(crate) fn is_heard(&self, format: LogFormat) -> bool {
        format.keeps_of_platform(match self {
            Self::InitStart { .. } | Self::Note(_) | Self::Start { .. } => LogLevel::Info,
            Self::Extension { .. } | Self::Died { .. } => LogLevel::Warn,
            Self::InitDone { origin, status, .. } => status.level(init_level(*origin)),
            Self::End { status, .. } => status.level(LogLevel::Info),
        })
    }

    /// Says it in this format: `line` is called with each line, which has its end.
    pub(crate) fn say(&self, format: LogFormat, now: Timestamp, mut line: impl FnMut(fmt::Arguments<'_>)) {
        match format {
            LogFormat::Text => self.say_text(line),
            LogFormat::Json { .. } => self.say_records(|level, kind, record| {
                if format.keeps_of_platform(level) {
                    line(format_args!(
                        "{{\"time\":\"{now:.3}\",\"type\":\"platform.{kind}\",\"record\":{{{record}}}}}\n"
                    ));
                }
            }),
        }
    }

    fn say_text(&self, mut line: impl FnMut(fmt::Arguments<'_>)) {
        match self {
            Self::InitStart { runtime, .. } => line(format_args!("INIT_START Runtime Version: {runtime}\n")),
            Self::Note(note) => line(format_args!("{note}\n")),
            Self::Extension { name, why } => {
                line(format_args!("EXTENSION\tName: {name}\tState: NotStarted\tReason: {why}\n"));
            }
            Self::InitDone { status: Status::Success, .. } => {}
            Self::InitDone { took, status, .. } => line(format_args!(
                "INIT_REPORT Init Duration: {:.2} ms\tPhase: init\t{}\n",
                took.as_secs_f64() * 1000.0,
                status.text()
            )),
            Self::Start { id, version } => line(format_args!("START RequestId: {id} Version: {version}\n")),
            Self::Died { death, .. } => line(format_args!("{}\n", death.text)),
            Self::End { id, report, memory_mb, status, .. } => {
                line(format_args!("END RequestId: {id}\n"));
                line(format_args!("{}", ReportLine { id, report, memory_mb: *memory_mb, status }));
            }
        }
    }

    /// The fields of each record, written as they are needed: most calls make two of them.
    fn say_records(&self, mut record: impl FnMut(LogLevel, &str, fmt::Arguments<'_>)) {
        match *self {
            Self::InitStart { origin, runtime, function, version } => record(
                LogLevel::Info,
                "initStart",
                format_args!(
                    "{},\"runtimeVersion\":{},\"functionName\":{},\"functionVersion\":{}",
                    Init(origin),
                    Quoted(runtime),
                    Quoted(function),
                    Quoted(version)
                ),
            ),
            Self::Note(note) => record(LogLevel::Info, "note", format_args!("\"message\":{}", Quoted(note))),
            Self::Extension { name, why } => record(
                LogLevel::Warn,
                "extension",
                format_args!(
                    "\"name\":{},\"state\":\"NotStarted\",\"events\":[],\"errorType\":{}",
                    Quoted(name),
                    Quoted(why)
                ),
            ),
            Self::InitDone { origin, took, status } => {
                let (init, ended) = (Init(origin), Ended(status));
                record(status.level(LogLevel::Debug), "initRuntimeDone", format_args!("{init},{ended}"));
                record(
                    status.level(init_level(origin)),
                    "initReport",
                    format_args!("{init},{ended},\"metrics\":{{\"durationMs\":{}}}", ms(took)),
                );
            }
            Self::Start { id, version } => record(
                LogLevel::Info,
                "start",
                format_args!("\"requestId\":{},\"version\":{}", Quoted(id), Quoted(version)),
            ),
            // Lambda has no record of it: the words would be lost.
            Self::Died { id, death } => record(
                LogLevel::Warn,
                "fault",
                format_args!(
                    "\"requestId\":{},\"errorType\":{},\"message\":{}",
                    Quoted(id),
                    Quoted(death.kind),
                    Quoted(&death.words)
                ),
            ),
            Self::End { id, report, memory_mb, status, produced_bytes } => {
                let (id, ended, duration) = (Quoted(id), Ended(status), ms(report.duration));
                record(
                    status.level(LogLevel::Debug),
                    "runtimeDone",
                    format_args!(
                        "\"requestId\":{id},{ended},\"metrics\":{{\"durationMs\":{duration},\"producedBytes\":{produced_bytes}}}"
                    ),
                );
                record(
                    status.level(LogLevel::Info),
                    "report",
                    format_args!("\"requestId\":{id},\"metrics\":{{{}}},{ended}", Metrics { report, memory_mb }),
                );
            }
        }
    }
}

/// The level of a report of an initialisation that went well: what is provisioned belongs to nobody's call.
fn init_level(origin: Origin) -> LogLevel {
    match origin {
        Origin::OnDemand => LogLevel::Debug,
        Origin::Provisioned => LogLevel::Info,
    }
}

/// Milliseconds, to the microsecond.
fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// A text as JSON has it.
#[derive(Clone, Copy)]
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        match self.0.bytes().all(is_plain) {
            true => write!(f, "\"{}\"", self.0),
            false => f.write_str(&serde_json::to_string(self.0).map_err(|_| fmt::Error)?),
        }
    }
}

/// The fields that all records of an initialisation begin with.
#[derive(Clone, Copy)]
struct Init(Origin);

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"initializationType\":\"{}\",\"phase\":\"init\"", self.0.name())
    }
}

/// The fields that tell how something ended.
#[derive(Clone, Copy)]
struct Ended<'a>(&'a Status);

impl fmt::Display for Ended<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Status::Success => f.write_str("\"status\":\"success\""),
            Status::Timeout => f.write_str("\"status\":\"timeout\""),
            Status::Error(document) => {
                write!(f, "\"status\":\"error\",\"errorType\":{}", Quoted(&error_type(document)))
            }
            Status::Failure { kind } => write!(f, "\"status\":\"failure\",\"errorType\":{}", Quoted(kind)),
        }
    }
}

/// The fields of a report's metrics.
struct Metrics<'a> {
    report: &'a Report,
    memory_mb: u32,
}

impl fmt::Display for Metrics<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { duration, billed, init, memory_peak_mb, .. } = self.report;
        write!(f, "\"durationMs\":{},\"billedDurationMs\":{}", ms(*duration), billed.as_millis())?;
        write!(f, ",\"memorySizeMB\":{},\"maxMemoryUsedMB\":{memory_peak_mb}", self.memory_mb)?;
        match init {
            Some(init) => write!(f, ",\"initDurationMs\":{}", ms(*init)),
            None => Ok(()),
        }
    }
}

/// The last line of an attempt.
struct ReportLine<'a> {
    id: &'a str,
    report: &'a Report,
    memory_mb: u32,
    status: &'a Status,
}

impl fmt::Display for ReportLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, report, memory_mb, status } = self;
        let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
        write!(
            f,
            "REPORT RequestId: {id}\tDuration: {:.2} ms\tBilled Duration: {} ms\tMemory Size: {memory_mb} MB\tMax Memory Used: {} MB\t",
            ms(report.duration),
            report.billed.as_millis(),
            report.memory_peak_mb,
        )?;
        if let Some(init) = report.init {
            write!(f, "Init Duration: {:.2} ms\t", ms(init))?;
        }
        writeln!(f, "{}", status.text())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::attempt::billed;

    fn report(duration_us: u64, init_us: Option<u64>) -> Report {
        let (duration, init) = (Duration::from_micros(duration_us), init_us.map(Duration::from_micros));
        let billed = billed(duration, init);
        Report { duration, billed, init, memory_peak_mb: 40, cold: true, log_stream: String::new() }
    }

    fn said(said: &Said<'_>, format: LogFormat) -> String {
        let mut all = String::new();
        let now = Timestamp::from_millisecond(1_795_227_941_120).expect("it is a time");
        said.say(format, now, |line| all.push_str(&line.to_string()));
        assert_eq!(said.is_heard(format), !all.is_empty() || format == LogFormat::Text);
        all
    }

    #[test]
    fn report_lines_read_as_lambdas() {
        for (report, status, expected) in [
            (
                report(1230, None),
                Status::Success,
                "REPORT RequestId: id\tDuration: 1.23 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\t\n",
            ),
            (
                report(1230, Some(90_120)),
                Status::Error(Bytes::from_static(b"{}")),
                "REPORT RequestId: id\tDuration: 1.23 ms\tBilled Duration: 92 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\tInit Duration: 90.12 ms\t\n",
            ),
            (
                report(3_000_000, None),
                Status::Timeout,
                "REPORT RequestId: id\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\tStatus: timeout\n",
            ),
            (
                report(0, None),
                Status::Failure { kind: "Runtime.ExitError".into() },
                "REPORT RequestId: id\tDuration: 0.00 ms\tBilled Duration: 1 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\tStatus: error\tError Type: Runtime.ExitError\n",
            ),
        ] {
            let end = Said::End { id: "id", report: &report, memory_mb: 128, status: &status, produced_bytes: 2 };
            assert_eq!(said(&end, LogFormat::Text), format!("END RequestId: id\n{expected}"));
        }
    }

    #[test]
    fn records_have_lambdas_names_and_levels() {
        let check = |one: &Said<'_>, system: LogLevel, expected: &[&str]| {
            let all = said(one, LogFormat::Json { application: LogLevel::Info, system });
            let records: Vec<Value> = all.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
            let kinds: Vec<&str> = records.iter().filter_map(|record| record["type"].as_str()).collect();
            assert_eq!(kinds, expected);
            for record in records {
                assert_eq!(record["time"], "2026-11-21T02:25:41.120Z");
                assert!(record["record"].is_object());
            }
        };
        let (good, bad) = (Status::Success, Status::Failure { kind: "Runtime.ExitError".into() });
        let origin = Origin::OnDemand;
        let init = Said::InitStart { origin, runtime: "python:3.13", function: "f", version: "1" };
        check(&init, LogLevel::Info, &["platform.initStart"]);
        check(&init, LogLevel::Warn, &[]);
        let took = Duration::from_millis(3);
        let done = ["platform.initRuntimeDone", "platform.initReport"];
        check(&Said::InitDone { origin, took, status: &good }, LogLevel::Info, &[]);
        check(&Said::InitDone { origin: Origin::Provisioned, took, status: &good }, LogLevel::Info, &done[1..]);
        check(&Said::InitDone { origin, took, status: &good }, LogLevel::Debug, &done);
        check(&Said::InitDone { origin, took, status: &bad }, LogLevel::Warn, &done);
        check(&Said::Start { id: "id", version: "1" }, LogLevel::Info, &["platform.start"]);
        let report = report(1230, None);
        let end = |status| Said::End { id: "id", report: &report, memory_mb: 128, status, produced_bytes: 2 };
        check(&end(&good), LogLevel::Warn, &[]);
        check(&end(&good), LogLevel::Info, &["platform.report"]);
        check(&end(&good), LogLevel::Debug, &["platform.runtimeDone", "platform.report"]);
        check(&end(&bad), LogLevel::Warn, &["platform.runtimeDone", "platform.report"]);
    }

    #[test]
    fn any_words_are_json() {
        let death = Death { text: String::new(), words: "a \"b\"\n\\ \u{1}ü".to_owned(), kind: "Runtime.ExitError" };
        let all = said(
            &Said::Died { id: "id", death: &death },
            LogFormat::Json { application: LogLevel::Info, system: LogLevel::Info },
        );
        let record: Value = serde_json::from_str(&all).expect("it is JSON");
        assert_eq!(record["record"]["message"], death.words);
    }

    #[test]
    fn a_report_has_its_metrics() {
        let (report, status) = (report(1230, Some(90_120)), Status::Error(r#"{"errorType":"ValueError"}"#.into()));
        let end = Said::End { id: "id", report: &report, memory_mb: 128, status: &status, produced_bytes: 26 };
        let all = said(&end, LogFormat::Json { application: LogLevel::Info, system: LogLevel::Debug });
        let records: Vec<Value> = all.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
        assert_eq!(
            records[0]["record"],
            json!({
                "requestId": "id", "status": "error", "errorType": "ValueError",
                "metrics": { "durationMs": 1.23, "producedBytes": 26 },
            })
        );
        assert_eq!(
            records[1]["record"],
            json!({
                "requestId": "id",
                "metrics": {
                    "durationMs": 1.23, "billedDurationMs": 92, "memorySizeMB": 128, "maxMemoryUsedMB": 40,
                    "initDurationMs": 90.12,
                },
                "status": "error", "errorType": "ValueError",
            })
        );
    }
}
