//! What runs by itself: moves of dead letters, and taking away what deleted queues left behind. Each begins again where it was
//! when the node starts.

use std::sync::Arc;
use std::time::Duration;

use base::task::Kind;

use crate::Queues;
use crate::error::Error;
use crate::keeper::{Command, Desk, Transfer};
use crate::model::Message;
use crate::store::{Task, TaskStatus};

/// So many messages are moved in one transaction.
const AT_ONCE: usize = 100;
/// The fastest that messages may be moved, for tasks that say nothing.
const RATE_MAX: u32 = 500;
/// How long before something is tried again that the store refused.
const PATIENCE: Duration = Duration::from_secs(1);
/// The failure that AWS names where the queue that messages are to go to is not there.
const NO_QUEUE: &str = "AWS.SimpleQueueService.NonExistentQueue";

impl Queues {
    /// Takes away what deleted queues left behind.
    pub(crate) fn sweep(&self) {
        let (cellar, clock, stop) = (self.cellar.clone(), self.clock.clone(), self.tasks.stopping());
        self.tasks.spawn(Kind::Work, "queues-sweep", async move {
            while !stop.is_cancelled() {
                match cellar.sweep().await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => {
                        tracing::warn!(%error, "what deleted queues left behind could not be taken away; trying again");
                        tokio::select! {
                            () = stop.cancelled() => return,
                            () = clock.sleep(PATIENCE) => {}
                        }
                    }
                }
            }
        });
    }

    pub(crate) async fn resume_tasks(self: &Arc<Self>) -> Result<(), Error> {
        for task in self.cellar.open_tasks().await? {
            self.run_task(task);
        }
        Ok(())
    }

    pub(crate) fn run_task(self: &Arc<Self>, task: Task) {
        let queues = Arc::clone(self);
        self.tasks.spawn(Kind::Work, "queues-move", async move { queues.move_messages(task).await });
    }

    async fn move_messages(&self, mut task: Task) {
        let stop = self.tasks.stopping();
        let rate = task.rate_max.unwrap_or(RATE_MAX).max(1);
        while !stop.is_cancelled() {
            let room = usize::try_from(rate).unwrap_or(AT_ONCE).min(AT_ONCE);
            match self.move_some(&task, room).await {
                Ok(0) => task.status = TaskStatus::Completed,
                Ok(count) => task.moved += count as u64,
                Err(Stopped::Failed(why)) => {
                    task.status = TaskStatus::Failed;
                    task.failure = Some(why);
                }
                Err(Stopped::Later(error)) => {
                    tracing::warn!(%error, queue = task.source, "dead letters could not be moved; trying again");
                }
            }
            match self.cellar.save_task(&task).await {
                Ok(true) if task.status == TaskStatus::Running || task.status == TaskStatus::Cancelling => {
                    task.status = TaskStatus::Cancelled;
                    if self.cellar.save_task(&task).await.is_ok() {
                        return;
                    }
                }
                Ok(_) if !task.status.is_open() => return,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, queue = task.source, "a move of dead letters could not be noted"),
            }
            // As many as may go in a second, no sooner than a second later.
            let pause = Duration::from_secs_f64(room as f64 / f64::from(rate));
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.clock.sleep(pause) => {}
            }
        }
    }

    async fn move_some(&self, task: &Task, most: usize) -> Result<usize, Stopped> {
        let no_queue = || Stopped::Failed(NO_QUEUE.to_owned());
        let from = self.table.get(&task.scope, &task.source).ok_or_else(no_queue)?;
        let drawn = from.ask(|answer| Command::Draw { most, answer }).await.map_err(Stopped::Later)?;
        let mut moved = 0;
        let mut failed = None;
        for (to, transfers) in self.by_target(task, drawn) {
            let numbers: Vec<u64> = transfers.iter().map(|transfer| transfer.number).collect();
            let count = numbers.len();
            let there = match to {
                Some(to) => to.ask(|answer| Command::Accept { transfers, answer }).await.map_err(Stopped::Later),
                None => Err(no_queue()),
            };
            from.tell(Command::Arrived { numbers, there: there.is_ok() });
            match there {
                Ok(()) => moved += count,
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) if moved == 0 => Err(error),
            Some(_) | None => Ok(moved),
        }
    }

    /// What goes to the same queue together, in order; as new messages, as AWS sends them.
    fn by_target(&self, task: &Task, drawn: Vec<Transfer>) -> Vec<(Option<Arc<Desk>>, Vec<Transfer>)> {
        let mut parted: Vec<(Option<String>, Vec<Transfer>)> = Vec::new();
        for Transfer { number, message, keys } in drawn {
            let target = task.destination.clone().or_else(|| message.dead_letter_source.clone());
            let message = Message {
                id: self.random.uuid(),
                sent_ms: self.now_ms(),
                delayed_until_ms: 0,
                received_before: 0,
                dead_letter_source: None,
                ..message
            };
            let transfer = Transfer { number, message, keys };
            match parted.iter_mut().find(|(known, _)| *known == target) {
                Some((_, transfers)) => transfers.push(transfer),
                None => parted.push((target, vec![transfer])),
            }
        }
        let desk = |target: Option<String>| self.desk_of_arn(&task.scope, &target?);
        parted.into_iter().map(|(target, transfers)| (desk(target), transfers)).collect()
    }
}

/// Why messages were not moved.
enum Stopped {
    /// For good.
    Failed(String),
    /// For now.
    Later(Error),
}
