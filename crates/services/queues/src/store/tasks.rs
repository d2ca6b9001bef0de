//! Moves of dead letters: what was asked, and how far it has come.

use ::store::{Range, Record, Scan};
use serde::{Deserialize, Serialize};

use super::{Cellar, keys};
use crate::error::Error;
use crate::model::Scope;

/// A move of dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) scope: Scope,
    /// The name of the queue that the messages leave.
    pub(crate) source: String,
    pub(crate) started_ms: u64,
    pub(crate) id: String,
    /// The ARN of the queue that they go to; none: each goes back to where it came from.
    pub(crate) destination: Option<String>,
    pub(crate) rate_max: Option<u32>,
    pub(crate) status: TaskStatus,
    pub(crate) moved: u64,
    pub(crate) to_move: u64,
    pub(crate) failure: Option<String>,
}

/// How a move stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TaskStatus {
    Running,
    Completed,
    Cancelling,
    Cancelled,
    Failed,
}

impl TaskStatus {
    /// As callers see it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Cancelling => "CANCELLING",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
        }
    }

    /// Whether it goes on.
    pub(crate) fn is_open(self) -> bool {
        match self {
            Self::Running | Self::Cancelling => true,
            Self::Completed | Self::Cancelled | Self::Failed => false,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct TaskRecord {
    id: String,
    destination: Option<String>,
    rate_max: Option<u32>,
    status: TaskStatus,
    moved: u64,
    to_move: u64,
    failure: Option<String>,
}

impl Record for TaskRecord {
    const KIND: &'static str = "queue-task";
    const VERSION: u16 = 1;
}

/// So many tasks of a queue are remembered.
const REMEMBERED: usize = 10;

impl Cellar {
    /// Begins a task, unless one is open; forgets the oldest.
    pub(crate) async fn begin_task(&self, task: &Task) -> Result<bool, Error> {
        self.store
            .transact(|tx| async move {
                let prefix = keys::tasks_of(&task.scope, &task.source);
                let page = tx.scan(Range::prefix(&prefix), Scan::last(1_000)).await?;
                for (index, (key, value)) in page.items.into_iter().enumerate() {
                    if ::store::record::decode::<TaskRecord>(&value)?.status.is_open() {
                        return Ok(false);
                    }
                    if index + 1 >= REMEMBERED {
                        tx.delete(key);
                    }
                }
                tx.put_record(prefix.with(task.started_ms), &record(task));
                Ok::<_, Error>(true)
            })
            .await
    }

    /// Writes how far a task has come; answers whether it was asked to end.
    pub(crate) async fn save_task(&self, task: &Task) -> Result<bool, Error> {
        self.store
            .transact(|tx| async move {
                let key = keys::tasks_of(&task.scope, &task.source).with(task.started_ms);
                let Some(there) = tx.get_record::<TaskRecord>(&key).await? else { return Ok(true) };
                let is_cancelled = there.status == TaskStatus::Cancelling;
                let mut record = record(task);
                if is_cancelled && record.status == TaskStatus::Running {
                    record.status = TaskStatus::Cancelling;
                }
                tx.put_record(key, &record);
                Ok::<_, Error>(is_cancelled)
            })
            .await
    }

    /// Asks a task to end; answers it, or nothing if none of that id runs.
    pub(crate) async fn cancel_task(&self, scope: &Scope, source: &str, id: &str) -> Result<Option<Task>, Error> {
        self.store
            .transact(|tx| async move {
                let prefix = keys::tasks_of(scope, source);
                let page = tx.scan(Range::prefix(&prefix), Scan::last(REMEMBERED)).await?;
                for (key, value) in page.items {
                    let mut record: TaskRecord = ::store::record::decode(&value)?;
                    if record.id != id || record.status != TaskStatus::Running {
                        continue;
                    }
                    record.status = TaskStatus::Cancelling;
                    tx.put_record(key.clone(), &record);
                    let started_ms = key.parts_after(&prefix)?.number()?;
                    return Ok(Some(model(record, scope, source, started_ms)));
                }
                Ok::<_, Error>(None)
            })
            .await
    }

    /// The tasks of a queue, the newest first.
    pub(crate) async fn tasks_of(&self, scope: &Scope, source: &str) -> Result<Vec<Task>, Error> {
        let prefix = keys::tasks_of(scope, source);
        let page = self.store.snapshot().scan(Range::prefix(&prefix), Scan::last(REMEMBERED)).await?;
        let read = |(key, value): (::store::Key, bytes::Bytes)| {
            let started_ms = key.parts_after(&prefix)?.number()?;
            Ok(model(::store::record::decode(&value)?, scope, source, started_ms))
        };
        page.items.into_iter().map(read).collect()
    }

    /// All tasks that are not at their end.
    pub(crate) async fn open_tasks(&self) -> Result<Vec<Task>, Error> {
        let prefix = keys::tasks();
        let snapshot = self.store.snapshot();
        let (mut open, mut rest) = (Vec::new(), Some(Range::prefix(&prefix)));
        while let Some(range) = rest.take() {
            let page = snapshot.scan(range, Scan::first(1_000)).await?;
            for (key, value) in page.items {
                let record: TaskRecord = ::store::record::decode(&value)?;
                let mut parts = key.parts_after(&prefix)?;
                let (account, region, source) = (parts.text()?, parts.text()?, parts.text()?);
                let scope = keys::scope(&account, &region)?;
                if record.status.is_open() {
                    open.push(model(record, &scope, &source, parts.number()?));
                }
            }
            rest = page.rest;
        }
        Ok(open)
    }
}

fn record(task: &Task) -> TaskRecord {
    TaskRecord {
        id: task.id.clone(),
        destination: task.destination.clone(),
        rate_max: task.rate_max,
        status: task.status,
        moved: task.moved,
        to_move: task.to_move,
        failure: task.failure.clone(),
    }
}

fn model(record: TaskRecord, scope: &Scope, source: &str, started_ms: u64) -> Task {
    let TaskRecord { id, destination, rate_max, status, moved, to_move, failure } = record;
    let (scope, source) = (scope.clone(), source.to_owned());
    Task { scope, source, started_ms, id, destination, rate_max, status, moved, to_move, failure }
}
