//! What a keeper can be asked.

use std::sync::Arc;

use store::Key;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Desk, Keeper};
use crate::error::Error;
use crate::model::window::{Counts, Entry, State};
use crate::model::{Content, Message, Receipt};

/// Where an answer goes.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, Error>>;

/// What a keeper can be asked.
pub(crate) enum Command {
    /// Takes messages in, in this order.
    Send { messages: Vec<NewMessage>, answer: Answer<Vec<Result<Sent, Error>>> },
    /// Gives messages out.
    Receive { wanted: Receive, answer: Answer<Vec<Delivery>> },
    /// Deletes messages.
    Delete { receipts: Vec<Receipt>, answer: Answer<Vec<Result<(), Error>>> },
    /// Hides messages for so many seconds from now.
    Hide { receipts: Vec<(Receipt, u32)>, answer: Answer<Vec<Result<(), Error>>> },
    /// Takes everything away.
    Purge { answer: Answer<()> },
    /// Counts.
    Count { answer: Answer<Counted> },
    /// Takes in messages that leave another queue, and deletes them there, in one transaction.
    Accept { transfers: Vec<Transfer>, answer: Answer<()> },
    /// Gives out messages that are to go to another queue.
    Draw { most: usize, answer: Answer<Vec<Transfer>> },
    /// Messages that were on their way to another queue have come there, or have not.
    Arrived { numbers: Vec<u64>, there: bool },
    /// The settings were changed.
    Look,
    /// The queue was deleted.
    Close,
}

/// A message that is to be sent.
#[derive(Clone, Debug)]
pub(crate) struct NewMessage {
    pub(crate) id: Uuid,
    pub(crate) content: Content,
    pub(crate) body_md5: String,
    pub(crate) sender: String,
    pub(crate) delay_s: u32,
    pub(crate) group: Option<String>,
    pub(crate) deduplication_id: Option<String>,
}

/// A message that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) id: Uuid,
    pub(crate) number: u64,
}

/// What a receiver wants.
#[derive(Clone, Debug)]
pub(crate) struct Receive {
    pub(crate) most: usize,
    pub(crate) hide_s: u32,
    pub(crate) wait_s: u32,
    /// In a queue that keeps order: who asks again with the same gets the same.
    pub(crate) attempt: Option<String>,
}

/// A message that was received.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) message: Arc<Message>,
    pub(crate) receipt: Receipt,
    pub(crate) first_ms: u64,
    pub(crate) number: u64,
}

/// A message on its way to another queue.
#[derive(Clone, Debug)]
pub(crate) struct Transfer {
    /// Its number in the queue that it leaves.
    pub(crate) number: u64,
    /// As it is to be there.
    pub(crate) message: Message,
    /// What is to be deleted when it is there.
    pub(crate) keys: Vec<Key>,
}

/// A message on its way, and where to.
pub(crate) struct Outgoing {
    pub(crate) to: Arc<Desk>,
    pub(crate) transfer: Transfer,
}

/// How many messages there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) visible: u64,
    pub(crate) hidden: u64,
    pub(crate) delayed: u64,
}

/// The longest that a message may be hidden, all in all.
pub(crate) const HIDDEN_S_MAX: u64 = 43_200;
/// Time between two purges.
const PURGE_EVERY_MS: u64 = 60_000;

impl Keeper {
    /// Does what can be done in memory, and notes what has to be written and who is to be told.
    pub(super) async fn stage(&mut self, command: Command) {
        let now_ms = self.now_ms();
        self.window.wake(now_ms);
        match command {
            Command::Send { messages, answer } => {
                let sent = messages.into_iter().map(|message| self.send(message, now_ms)).collect();
                self.answer(answer, sent);
            }
            Command::Receive { wanted, answer } => self.wait(wanted, answer, now_ms),
            Command::Delete { receipts, answer } => {
                let deleted = receipts.into_iter().map(|receipt| self.delete(receipt)).collect();
                self.answer(answer, deleted);
            }
            Command::Hide { receipts, answer } => {
                let hidden =
                    receipts.into_iter().map(|(receipt, seconds)| self.hide(receipt, seconds, now_ms)).collect();
                self.answer(answer, hidden);
            }
            Command::Purge { answer } => match self.purge(now_ms) {
                Ok(()) => self.answer(answer, ()),
                Err(error) => drop(answer.send(Err(error))),
            },
            Command::Count { answer } => drop(answer.send(Ok(self.counted()))),
            Command::Accept { transfers, answer } => match self.accept(transfers) {
                Ok(()) => self.answer(answer, ()),
                Err(error) => drop(answer.send(Err(error))),
            },
            Command::Draw { most, answer } => {
                let drawn = self.draw(most, now_ms).await;
                drop(answer.send(drawn));
            }
            Command::Arrived { numbers, there } => self.arrived(&numbers, there, now_ms),
            Command::Look => self.heed_delay(now_ms),
            Command::Close => {}
        }
    }

    fn send(&mut self, new: NewMessage, now_ms: u64) -> Result<Sent, Error> {
        let digest = self.digest(&new);
        if let Some(digest) = &digest
            && let Some(sent) = self.duplicates.find(digest, now_ms)
        {
            return Ok(sent);
        }
        let message = Message {
            id: new.id,
            content: new.content,
            body_md5: new.body_md5,
            sender: new.sender,
            sent_ms: now_ms,
            delayed_until_ms: now_ms + u64::from(new.delay_s) * 1_000,
            group: new.group,
            deduplication_id: new.deduplication_id,
            received_before: 0,
            dead_letter_source: None,
        };
        let sent = Sent { id: message.id, number: self.head.next };
        if let Some(digest) = digest {
            let lapse = self.duplicates.add(digest, sent, now_ms)?;
            self.changes.put(self.keys.lapse(&digest), &lapse)?;
        }
        self.take_in(message, now_ms)?;
        Ok(sent)
    }

    /// Puts a message at the end of the queue.
    fn take_in(&mut self, message: Message, now_ms: u64) -> Result<(), Error> {
        let number = self.head.next;
        let parts = self.tools.cellar.put_message(&mut self.changes, &self.keys, number, &message)?;
        self.head.next += 1;
        // Only what follows what is in memory may be there too; the rest is found in its turn.
        if self.loaded == number && self.has_room(&message) {
            self.loaded = number + 1;
            self.hold(number, Arc::new(message), parts, now_ms, true);
        }
        Ok(())
    }

    fn delete(&mut self, receipt: Receipt) -> Result<(), Error> {
        // What is not in the window was never received, or is gone already: to delete it again is no fault.
        let Some(entry) = self.window.get(receipt.number).filter(|entry| entry.id == receipt.id) else { return Ok(()) };
        if entry.group.is_some() && self.desk.queue().is_fifo() {
            let holds = matches!(entry.state, State::Hidden { .. }) && entry.receives == receipt.receive;
            if !holds {
                return Err(expired(receipt));
            }
        }
        self.drop_message(receipt.number);
        Ok(())
    }

    fn hide(&mut self, receipt: Receipt, seconds: u32, now_ms: u64) -> Result<(), Error> {
        let found = self.window.get(receipt.number).filter(|entry| entry.id == receipt.id);
        let Some(entry) = found.filter(|entry| entry.receives == receipt.receive) else {
            return Err(Error::InvalidValue(format!(
                "Value {} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for \
                 visibility timeout change.",
                receipt.to_handle()
            )));
        };
        match entry.state {
            State::Hidden { .. } => {}
            State::Waiting { .. } if self.desk.queue().is_fifo() => return Err(expired(receipt)),
            State::Waiting { .. } | State::Delayed { .. } | State::Moving => return Err(Error::NotInFlight),
        }
        let until_ms = now_ms + u64::from(seconds) * 1_000;
        if until_ms > entry.last_ms + HIDDEN_S_MAX * 1_000 {
            return Err(Error::InvalidValue(format!(
                "Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message \
                 is beyond the limit [{HIDDEN_S_MAX} seconds]"
            )));
        }
        let state = if seconds == 0 { State::Waiting { since_ms: now_ms } } else { State::Hidden { until_ms } };
        self.window.change(receipt.number, |entry| entry.state = state);
        self.note_received(receipt.number)
    }

    fn purge(&mut self, now_ms: u64) -> Result<(), Error> {
        if self.head.purged_ms > 0 && now_ms < self.head.purged_ms + PURGE_EVERY_MS {
            return Err(Error::PurgeInProgress(self.desk.queue().name.to_string()));
        }
        self.head.purged = self.head.next;
        self.head.purged_ms = now_ms;
        self.changes.put(self.keys.head(), &self.head)?;
        self.forget_messages();
        self.loaded = self.head.next;
        Ok(())
    }

    fn counted(&self) -> Counted {
        let Counts { waiting, hidden, delayed } = self.window.counts();
        let count = |number: usize| number as u64;
        Counted {
            // What was not come by yet is taken to be visible.
            visible: count(waiting)
                + self.head.next.saturating_sub(self.loaded).saturating_sub(count(self.window.count_from(self.loaded))),
            hidden: count(hidden),
            delayed: count(delayed),
        }
    }

    fn accept(&mut self, transfers: Vec<Transfer>) -> Result<(), Error> {
        let now_ms = self.now_ms();
        for Transfer { message, keys, .. } in transfers {
            self.take_in(message, now_ms)?;
            keys.into_iter().for_each(|key| self.changes.delete(key));
        }
        Ok(())
    }

    fn arrived(&mut self, numbers: &[u64], there: bool, now_ms: u64) {
        for number in numbers {
            if there {
                self.let_go(*number);
            } else {
                // The other queue will be asked again when it is received again.
                let until_ms = now_ms + 1_000;
                self.window.change(*number, |entry| entry.state = State::Hidden { until_ms });
            }
        }
    }

    /// Until when a message that was never received is held back. A queue with order delays by its own setting alone, and, as on AWS,
    /// a change of that reaches back to what was sent before.
    fn delayed_until_ms(&self, message: &Message) -> u64 {
        let queue = self.desk.queue();
        match message.delayed_until_ms {
            0 => 0,
            _ if queue.is_fifo() => message.sent_ms + u64::from(queue.settings.delay_s) * 1_000,
            until_ms => until_ms,
        }
    }

    /// Gives the messages of a queue with order the delay that it has now.
    fn heed_delay(&mut self, now_ms: u64) {
        let queue = self.desk.queue();
        if !queue.is_fifo() || self.delay_s == queue.settings.delay_s {
            return;
        }
        self.delay_s = queue.settings.delay_s;
        let delay_ms = u64::from(self.delay_s) * 1_000;
        for number in self.window.never_received() {
            self.window.change(number, |entry| {
                // Dead letters that came back are not delayed.
                if entry.state != (State::Waiting { since_ms: 0 }) {
                    let until_ms = entry.sent_ms + delay_ms;
                    let is_due = until_ms <= now_ms;
                    entry.state =
                        if is_due { State::Waiting { since_ms: until_ms } } else { State::Delayed { until_ms } };
                }
            });
        }
    }

    /// Adds a message to the window.
    pub(super) fn hold(&mut self, number: u64, message: Arc<Message>, parts: u16, now_ms: u64, whole: bool) {
        let state = match self.delayed_until_ms(&message) {
            until_ms if until_ms > now_ms => State::Delayed { until_ms },
            since_ms => State::Waiting { since_ms },
        };
        let group = message.group.as_deref().map(Arc::from);
        let (id, sent_ms) = (message.id, message.sent_ms);
        let message = whole.then_some(message);
        self.cached += message.as_ref().map_or(0, |message| message.content.bytes());
        let entry = Entry { id, sent_ms, parts, group, receives: 0, first_ms: 0, last_ms: 0, state, message };
        self.window.insert(number, entry);
    }
}

fn expired(receipt: Receipt) -> Error {
    Error::InvalidValue(format!(
        "Value {} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
        receipt.to_handle()
    ))
}
