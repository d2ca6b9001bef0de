//! Where publishers to a topic with order stand in line: messages get their places here, and what was there before is known again.
//!
//! Whoever has the turn takes what everybody brought and makes one transaction of it, so that many publishers cost few. What is
//! remembered is in memory, and in the store beside it; after a refusal it is read anew.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use delivery::Sender;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::Topics;
use crate::error::Error;
use crate::fanout::Out;
use crate::model::Message;
use crate::store::{Cellar, Lapse};
use crate::table::Hall;

/// How long a deduplication id is known.
const WINDOW_MS: i64 = 5 * 60 * 1_000;
/// The most messages of one turn.
const TURN_COUNT_MAX: usize = 200;
/// The most bytes of messages of one turn.
const TURN_BYTES_MAX: usize = 1 << 20;
/// The most ids that are forgotten in one turn.
const FORGET_MAX: usize = 1_000;

/// What a publisher is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) id: Uuid,
    pub(crate) place: Option<u64>,
}

/// The desk of one topic.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    line: Mutex<VecDeque<Brought>>,
    /// Locked by whoever has the turn. None until it was read.
    memory: tokio::sync::Mutex<Option<Memory>>,
}

#[derive(Debug)]
struct Brought {
    sender: Sender,
    message: Message,
    answer: oneshot::Sender<Result<Published, Error>>,
}

#[derive(Debug, Default)]
struct Memory {
    place: u64,
    known: HashMap<[u8; 16], Lapse>,
    /// In order of their end.
    lapsing: VecDeque<(i64, [u8; 16])>,
}

impl Topics {
    /// Publishes to a topic with order. Answers in the order of the messages.
    pub(crate) async fn publish_in_order(
        &self,
        sender: &Sender,
        hall: &Hall,
        messages: Vec<Message>,
    ) -> Vec<Result<Published, Error>> {
        let mut answers = Vec::with_capacity(messages.len());
        {
            let mut line = hall.desk.line.lock().unwrap_or_else(PoisonError::into_inner);
            for message in messages {
                let (answer, told) = oneshot::channel();
                line.push_back(Brought { sender: sender.clone(), message, answer });
                answers.push(told);
            }
        }
        let mut told = Vec::with_capacity(answers.len());
        for mut answer in answers {
            loop {
                // Whoever had the turn may have taken ours along.
                match answer.try_recv() {
                    Ok(one) => {
                        told.push(one);
                        break;
                    }
                    Err(oneshot::error::TryRecvError::Closed) => {
                        told.push(Err(Error::Unavailable("the publication was cut off; try again".to_owned())));
                        break;
                    }
                    Err(oneshot::error::TryRecvError::Empty) => {}
                }
                let mut memory = hall.desk.memory.lock().await;
                if answer.is_empty() && !answer.is_terminated() {
                    self.turn(hall, &mut memory).await;
                }
            }
        }
        told
    }

    /// Takes what waits, as much as one transaction should hold, and answers.
    async fn turn(&self, hall: &Hall, memory: &mut Option<Memory>) {
        let taken = hall.desk.take();
        match self.take_turn(hall, memory, &taken).await {
            Ok(published) => {
                for (brought, published) in taken.into_iter().zip(published) {
                    // Nobody listens any more where a publisher was cut off.
                    let _ = brought.answer.send(Ok(published));
                }
            }
            Err(error) => {
                *memory = None;
                for brought in taken {
                    let _ = brought.answer.send(Err(error.clone()));
                }
            }
        }
    }

    async fn take_turn(
        &self,
        hall: &Hall,
        memory: &mut Option<Memory>,
        taken: &[Brought],
    ) -> Result<Vec<Published>, Error> {
        let topic = hall.topic();
        let by_group = topic.settings.fifo.is_some_and(|fifo| fifo.by_group);
        let now_ms = self.clock.now_ms();
        let memory = match memory {
            Some(memory) => memory,
            none => none.insert(self.recall(topic.id).await?),
        };
        let forgotten = memory.forget(now_ms);
        let (mut published, mut outs, mut lapses) = (Vec::new(), Vec::<Out>::new(), Vec::new());
        for Brought { sender, message, .. } in taken {
            let digest = digest(message, by_group);
            if let Some(known) = memory.known.get(&digest) {
                published.push(Published { id: known.message, place: Some(known.place) });
                continue;
            }
            memory.place += 1;
            let lapse = Lapse { until_ms: now_ms + WINDOW_MS, message: message.id, place: memory.place };
            memory.known.insert(digest, lapse);
            memory.lapsing.push_back((lapse.until_ms, digest));
            lapses.push((digest, lapse));
            let message = Message { sequence: Some(lapse.place), ..message.clone() };
            outs.extend(self.outs(sender, hall, &message).await?);
            published.push(Published { id: message.id, place: Some(lapse.place) });
        }
        let place = memory.place;
        self.commit(&outs, |tx| {
            if !lapses.is_empty() {
                Cellar::put_place(tx, topic.id, place);
            }
            lapses.iter().for_each(|(digest, lapse)| Cellar::put_lapse(tx, topic.id, digest, lapse));
            forgotten.iter().for_each(|digest| Cellar::forget_lapse(tx, topic.id, digest));
        })
        .await?;
        Ok(published)
    }

    async fn recall(&self, topic: Uuid) -> Result<Memory, Error> {
        let (place, mut lapses) = self.cellar.memory(topic).await?;
        lapses.sort_by_key(|(_, lapse)| lapse.until_ms);
        let lapsing = lapses.iter().map(|(digest, lapse)| (lapse.until_ms, *digest)).collect();
        Ok(Memory { place, known: lapses.into_iter().collect(), lapsing })
    }
}

impl Desk {
    fn take(&self) -> Vec<Brought> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = 0;
        let fits = line.iter().take(TURN_COUNT_MAX).take_while(|brought| {
            bytes += brought.message.body.to("default").len();
            bytes <= TURN_BYTES_MAX
        });
        let count = fits.count().max(1).min(line.len());
        line.drain(..count).collect()
    }
}

impl Memory {
    /// Forgets ids whose time is over; they are forgotten in the store too.
    fn forget(&mut self, now_ms: i64) -> Vec<[u8; 16]> {
        let mut forgotten = Vec::new();
        while let Some((until_ms, digest)) = self.lapsing.front().copied() {
            if until_ms > now_ms || forgotten.len() >= FORGET_MAX {
                break;
            }
            self.lapsing.pop_front();
            // It may have come again since.
            if self.known.get(&digest).is_some_and(|lapse| lapse.until_ms <= now_ms) {
                self.known.remove(&digest);
                forgotten.push(digest);
            }
        }
        forgotten
    }
}

/// By what a message is known again.
fn digest(message: &Message, by_group: bool) -> [u8; 16] {
    let group = message.group.as_deref().filter(|_| by_group).unwrap_or_default();
    let id = message.deduplication_id.as_deref().unwrap_or_default();
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    // Neither can hold a zero.
    [group.as_bytes(), &[0], id.as_bytes()].into_iter().for_each(|part| context.update(part));
    let mut digest = [0; 16];
    digest.copy_from_slice(&context.finish().as_ref()[..16]);
    digest
}
