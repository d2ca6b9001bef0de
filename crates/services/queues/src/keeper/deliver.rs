//! Giving messages out: to receivers, to those who wait, to dead-letter queues.

use std::sync::Arc;

use base::task::{Kind, spawn};

use super::command::HIDDEN_S_MAX;
use super::{Answer, BATCH_KEYS_MAX, Command, Delivery, Desk, Keeper, Outgoing, Receive, Transfer, Waiter};
use crate::error::Error;
use crate::model::Message;
use crate::model::name::of_arn;
use crate::model::window::State;

/// How many messages of a queue may be in flight.
pub(crate) const IN_FLIGHT_MAX: usize = 120_000;
/// How long a receive can be asked for again.
const ATTEMPT_MS: u64 = 300_000;
/// How many of those are remembered; further ones are received as if they had none.
const ATTEMPTS_MAX: usize = 20_000;

/// Messages that change queues go in pieces of about this size: each piece is one transaction.
const TRANSFER_BYTES_MAX: usize = 2 << 20;

/// What a receive gave, for whoever asks again because the answer was lost.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) until_ms: u64,
    /// Numbers, and which receive of each it was.
    given: Vec<(u64, u32)>,
}

impl Keeper {
    /// A receiver comes. It is served with the others, in [`Keeper::serve`].
    pub(super) fn wait(&mut self, wanted: Receive, answer: Answer<Vec<Delivery>>, now_ms: u64) {
        let until_ms = now_ms + u64::from(wanted.wait_s) * 1_000;
        self.waiters.push_back(Waiter { wanted, until_ms, answer });
    }

    /// Serves receivers, first come first served, as far as there are messages; sends home whose time is over.
    pub(super) async fn serve(&mut self, now_ms: u64) {
        let hurried = self.tools.hurry.is_cancelled();
        let mut left = std::collections::VecDeque::new();
        while let Some(waiter) = self.waiters.pop_front() {
            if self.changes.size().1 >= BATCH_KEYS_MAX {
                // The rest is served in the next batch.
                left.push_back(waiter);
                self.again = true;
                break;
            }
            if waiter.answer.is_closed() {
                continue;
            }
            match self.deliver(&waiter.wanted, now_ms).await {
                Ok(found) if !found.is_empty() => self.answer(waiter.answer, found),
                Ok(_) if hurried || waiter.until_ms <= now_ms => drop(waiter.answer.send(Ok(Vec::new()))),
                Ok(_) => left.push_back(waiter),
                Err(error) => drop(waiter.answer.send(Err(error))),
            }
        }
        left.append(&mut self.waiters);
        self.waiters = left;
    }

    async fn deliver(&mut self, wanted: &Receive, now_ms: u64) -> Result<Vec<Delivery>, Error> {
        if let Some(again) = self.deliver_again(wanted, now_ms).await? {
            return Ok(again);
        }
        let in_flight = self.window.counts().hidden;
        if in_flight >= IN_FLIGHT_MAX && wanted.wait_s == 0 && !self.desk.queue().is_fifo() {
            return Err(Error::OverLimit("Too many messages in flight.".to_owned()));
        }
        let most = wanted.most.min(IN_FLIGHT_MAX.saturating_sub(in_flight));
        let mut given = Vec::new();
        while given.len() < most {
            self.refill(now_ms).await?;
            let picked = self.window.pick(most - given.len());
            if picked.is_empty() {
                break;
            }
            for number in picked {
                given.extend(self.give(number, wanted.hide_s, now_ms).await?);
            }
        }
        if let Some(attempt) =
            wanted.attempt.as_ref().filter(|_| !given.is_empty() && self.attempts.len() < ATTEMPTS_MAX)
        {
            let numbers = given.iter().map(|delivery| (delivery.number, delivery.receipt.receive)).collect();
            let attempt_until = Attempt { until_ms: now_ms + ATTEMPT_MS, given: numbers };
            self.attempts.insert(attempt.clone(), attempt_until);
        }
        Ok(given)
    }

    /// The same messages once more, for whoever says that it is the same receive; those of them that are still in flight.
    async fn deliver_again(&mut self, wanted: &Receive, now_ms: u64) -> Result<Option<Vec<Delivery>>, Error> {
        let attempt = wanted.attempt.as_ref().and_then(|attempt| self.attempts.get(attempt));
        let Some(numbers) = attempt.map(|attempt| attempt.given.clone()) else { return Ok(None) };
        let until_ms = now_ms + u64::from(wanted.hide_s) * 1_000;
        let mut again = Vec::new();
        for (number, receive) in numbers {
            let held = self
                .window
                .get(number)
                .is_some_and(|entry| matches!(entry.state, State::Hidden { .. }) && entry.receives == receive);
            if !held {
                continue;
            }
            let Some(message) = self.message(number).await? else { continue };
            self.window.change(number, |entry| entry.state = State::Hidden { until_ms });
            self.note_received(number)?;
            again.extend(self.delivery(number, message));
        }
        Ok((!again.is_empty()).then_some(again))
    }

    /// Gives one message out; nothing if it is too old, or goes to the dead-letter queue instead.
    async fn give(&mut self, number: u64, hide_s: u32, now_ms: u64) -> Result<Option<Delivery>, Error> {
        let Some(entry) = self.window.get(number) else { return Ok(None) };
        if entry.sent_ms + self.retention_ms() <= now_ms {
            self.drop_message(number);
            return Ok(None);
        }
        let receives = entry.receives;
        let Some(message) = self.message(number).await? else {
            tracing::error!(number, queue = %self.desk.queue().arn(), "a message is not where it should be");
            self.let_go(number);
            return Ok(None);
        };
        if let Some(to) = self.dead_letter_desk(receives) {
            self.give_up(number, &message, to);
            return Ok(None);
        }
        let until_ms = now_ms + u64::from(hide_s) * 1_000;
        debug_assert!(u64::from(hide_s) <= HIDDEN_S_MAX, "the operation has checked it");
        self.cached -= self.cached_bytes(number);
        self.window.change(number, |entry| {
            entry.receives += 1;
            entry.last_ms = now_ms;
            if entry.first_ms == 0 {
                entry.first_ms = now_ms;
            }
            entry.message = None;
            entry.state = State::Hidden { until_ms };
        });
        self.note_received(number)?;
        Ok(self.delivery(number, message))
    }

    fn cached_bytes(&self, number: u64) -> usize {
        let message = self.window.get(number).and_then(|entry| entry.message.as_ref());
        message.map_or(0, |message| message.content.bytes())
    }

    fn delivery(&self, number: u64, message: Arc<Message>) -> Option<Delivery> {
        let entry = self.window.get(number)?;
        let receipt = self.receipt(number, entry.id, entry.receives);
        Some(Delivery { message, receipt, first_ms: entry.first_ms, number })
    }

    async fn message(&mut self, number: u64) -> Result<Option<Arc<Message>>, Error> {
        if let Some(message) = self.window.get(number).and_then(|entry| entry.message.clone()) {
            return Ok(Some(message));
        }
        let cellar = self.tools.cellar.clone();
        Ok(cellar.message(&self.keys, number).await?.map(Arc::new))
    }

    /// Where a message goes that was received so often; nothing if it may be received once more.
    fn dead_letter_desk(&self, receives: u32) -> Option<Arc<Desk>> {
        let queue = self.desk.queue();
        let redrive = queue.settings.redrive.as_ref().filter(|redrive| receives >= redrive.receives_max)?;
        let name = of_arn(&self.scope, &redrive.target)?;
        let desk = self.tools.table.upgrade()?.get(&self.scope, name)?;
        // A queue that is its own dead-letter queue would turn in a circle.
        (desk.queue().id != queue.id).then_some(desk)
    }

    fn give_up(&mut self, number: u64, message: &Message, to: Arc<Desk>) {
        let receives = self.window.get(number).map_or(0, |entry| entry.receives);
        let now_ms = self.now_ms();
        let message = Message {
            received_before: message.received_before + receives,
            dead_letter_source: Some(self.desk.queue().arn()),
            // Order is told by number there; the time of a queue without order stays, and so does its retention.
            sent_ms: if self.desk.queue().is_fifo() { now_ms } else { message.sent_ms },
            delayed_until_ms: 0,
            ..message.clone()
        };
        let transfer = Transfer { number, message, keys: self.keys_of(number) };
        self.window.change(number, |entry| entry.state = State::Moving);
        self.outgoing.push(Outgoing { to, transfer });
    }

    /// Gives out messages that are to go to another queue; they stay where they are until that has them.
    pub(super) async fn draw(&mut self, most: usize, now_ms: u64) -> Result<Vec<Transfer>, Error> {
        let (mut drawn, mut bytes) = (Vec::new(), 0);
        while drawn.len() < most && bytes < TRANSFER_BYTES_MAX {
            self.refill(now_ms).await?;
            let picked = self.window.pick(most - drawn.len());
            if picked.is_empty() {
                break;
            }
            for number in picked {
                if bytes >= TRANSFER_BYTES_MAX {
                    break;
                }
                match self.message(number).await? {
                    Some(message) => {
                        bytes += message.content.bytes();
                        let message = Message::clone(&message);
                        drawn.push(Transfer { number, message, keys: self.keys_of(number) });
                        self.window.change(number, |entry| entry.state = State::Moving);
                    }
                    None => self.let_go(number),
                }
            }
        }
        Ok(drawn)
    }

    /// Lets another keeper write messages into its queue and delete them here.
    pub(super) fn hand_over(&self, to: Arc<Desk>, transfers: Vec<Transfer>) {
        let from = Arc::clone(&self.desk);
        spawn(Kind::Work, "queue-dead-letters", async move {
            for transfers in in_pieces(transfers) {
                let numbers = transfers.iter().map(|transfer| transfer.number).collect();
                let there = to.ask(|answer| Command::Accept { transfers, answer }).await.is_ok();
                from.tell(Command::Arrived { numbers, there });
            }
        });
    }
}

/// Pieces that a transaction can hold.
fn in_pieces(transfers: Vec<Transfer>) -> Vec<Vec<Transfer>> {
    let mut pieces: Vec<Vec<Transfer>> = Vec::new();
    let mut bytes = TRANSFER_BYTES_MAX;
    for transfer in transfers {
        if bytes >= TRANSFER_BYTES_MAX {
            bytes = 0;
            pieces.push(Vec::new());
        }
        bytes += transfer.message.content.bytes();
        if let Some(piece) = pieces.last_mut() {
            piece.push(transfer);
        }
    }
    pieces
}

/// What goes to the same queue goes together, in order.
pub(super) fn by_desk(outgoing: Vec<Outgoing>) -> Vec<(Arc<Desk>, Vec<Transfer>)> {
    let mut parted: Vec<(Arc<Desk>, Vec<Transfer>)> = Vec::new();
    for Outgoing { to, transfer } in outgoing {
        match parted.iter_mut().find(|(desk, _)| Arc::ptr_eq(desk, &to)) {
            Some((_, transfers)) => transfers.push(transfer),
            None => parted.push((to, vec![transfer])),
        }
    }
    parted
}
