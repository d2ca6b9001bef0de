//! One try at an invocation on one instance, from START to REPORT.
//!
//! A caller may go away at any time; the attempt does not: it is finished in the background, as on Lambda, and the instance goes
//! back to its pool.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base::task::Kind;
use bytes::Bytes;
use jiff::Timestamp;

use crate::faults::{self, Ending};
use crate::guest::{After, Event};
use crate::instance::{Happening, InitCause, Instance, Pace};
use crate::invocation::{FunctionError, Invocation, Outcome, Report};
use crate::pieces::{Gathered, Late};
use crate::platform::{Death, Said, Status};
use crate::shared::{Admission, Shared};

/// See the file.
pub(crate) struct Attempt {
    work: Option<Box<Work>>,
}

struct Work {
    shared: Arc<Shared>,
    instance: Box<Instance>,
    invocation: Arc<Invocation>,
    limit: Duration,
    began: Instant,
    phase: Phase,
    gathered: Gathered,
    /// Counted until the very end.
    admission: Admission,
}

/// How far it is, so that whoever takes over goes on there.
enum Phase {
    Wait,
    /// A piece of the result is on its way to whoever wants it.
    Hand(Bytes),
    Close {
        came: Came,
        ran: Duration,
    },
}

/// What came of it.
enum Came {
    Result(Bytes),
    Document {
        document: Bytes,
        after: After,
    },
    Ended(Ending),
    /// Why it ended is not known yet.
    Gone,
    /// The instance was never ready.
    NotReady(InitCause),
}

impl Attempt {
    /// Hands the invocation to the instance.
    pub(crate) fn begin(
        shared: &Arc<Shared>,
        instance: Box<Instance>,
        invocation: Arc<Invocation>,
        admission: Admission,
    ) -> Self {
        let mut work = Work::new(shared, instance, invocation, admission);
        work.begin();
        work.send();
        Self { work: Some(work) }
    }

    /// The same for an invocation that was laid ahead of the instance: it has it already.
    pub(crate) fn follow(
        shared: &Arc<Shared>,
        instance: Box<Instance>,
        invocation: Arc<Invocation>,
        admission: Admission,
    ) -> Self {
        let mut work = Work::new(shared, instance, invocation, admission);
        work.begin();
        let Work { instance, invocation, .. } = &mut *work;
        if let Some(link) = instance.link() {
            link.follow(invocation);
        }
        Self { work: Some(work) }
    }

    /// Runs it to its end. If this is dropped half-way, it goes on in the background.
    pub(crate) async fn run(mut self) -> Outcome {
        let work = self.work.as_mut().expect("work is taken only at the end");
        let outcome = work.drive().await;
        let work = self.work.take().expect("work is taken only at the end");
        work.give_back(&outcome);
        outcome
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let Some(mut work) = self.work.take() else {
            return;
        };
        if tokio::runtime::Handle::try_current().is_err() {
            // The runtime is gone, and the node with it; the instance ends as it is dropped.
            return;
        }
        let tasks = work.shared.tasks.clone();
        tasks.spawn(Kind::Work, "attempt whose caller went away", async move {
            let outcome = work.drive().await;
            work.give_back(&outcome);
        });
    }
}

impl Work {
    fn new(
        shared: &Arc<Shared>,
        instance: Box<Instance>,
        invocation: Arc<Invocation>,
        admission: Admission,
    ) -> Box<Self> {
        let limit = invocation.limit(&instance.image);
        let (shared, began) = (Arc::clone(shared), Instant::now());
        Box::new(Self {
            shared,
            instance,
            invocation,
            limit,
            began,
            phase: Phase::Wait,
            gathered: Gathered::default(),
            admission,
        })
    }

    /// Runs to the end. Safe to drop and call again.
    async fn drive(&mut self) -> Outcome {
        loop {
            match &mut self.phase {
                Phase::Wait => {
                    let happening = self.instance.happening(self.began + self.limit, Pace::Short).await;
                    if let Happening::Said(Event::Piece(piece)) = happening {
                        self.phase = Phase::Hand(piece);
                        continue;
                    }
                    let ran = match happening {
                        // As on Lambda, however late the machine was to notice.
                        Happening::TimedOut => self.limit,
                        Happening::Said(_) | Happening::OutOfMemory => self.began.elapsed(),
                    };
                    self.phase = Phase::Close { came: self.came(happening), ran };
                }
                Phase::Hand(piece) => {
                    let until = self.began + self.limit;
                    self.phase = match self.gathered.take(piece, self.invocation.pieces.as_ref(), until).await {
                        Ok(()) => Phase::Wait,
                        Err(Late) => Phase::Close { came: self.came(Happening::TimedOut), ran: self.limit },
                    };
                }
                Phase::Close { came, ran } => {
                    if let Came::Gone = came {
                        *came = Came::Ended(self.instance.ending().await);
                    }
                    if let Came::Document { after: After::Ends, .. } = came {
                        self.instance.linger().await;
                    }
                    // Before its last words are read, or it would go on talking.
                    match came {
                        Came::Ended(Ending::TimedOut { .. }) => self.instance.desert(),
                        came if came.ends() => self.instance.condemn(),
                        _ => {}
                    }
                    let ran = *ran;
                    self.instance.output.read_last().await;
                    self.instance.pulse.end();
                    return self.close(ran);
                }
            }
        }
    }

    fn begin(&mut self) {
        self.shared.monitor.begin(&self.instance.pulse);
        self.instance.output.begin_tail(self.invocation.log);
        let Instance { output, image, .. } = &mut *self.instance;
        output.say(&Said::Start { id: &self.invocation.request_id, version: &image.version });
        if let Some(failure) = &self.instance.failure {
            self.phase = Phase::Close { came: Came::NotReady(failure.cause.clone()), ran: Duration::ZERO };
        }
    }

    fn send(&mut self) {
        let deadline_ms = self.invocation.deadline_ms(&self.instance.image, &self.shared.options.clock);
        if let Phase::Wait = self.phase
            && let Some(link) = self.instance.link()
        {
            self.began = Instant::now();
            link.send(&self.invocation, deadline_ms);
        }
    }

    fn came(&mut self, happening: Happening) -> Came {
        match happening {
            Happening::Said(Event::Result(last)) => match self.gathered.whole(last, self.invocation.pieces.as_ref()) {
                Some(whole) => Came::Result(whole),
                None => Came::Ended(Ending::TooLarge),
            },
            Happening::Said(Event::Piece(_)) => unreachable!("pieces are handed over"),
            Happening::Said(Event::Error { document, after }) => Came::Document { document, after },
            Happening::Said(Event::TooLarge) => Came::Ended(Ending::TooLarge),
            Happening::Said(Event::Gone) => Came::Gone,
            Happening::Said(Event::Broken(reason)) => Came::Ended(Ending::Broken { reason }),
            Happening::Said(Event::InitError(document)) => Came::Document { document, after: After::Ends },
            Happening::Said(Event::Logged(_) | Event::Printed(_)) => unreachable!("words go into the log"),
            Happening::Said(Event::Ready) => Came::Ended(Ending::Broken { reason: "ready twice".to_owned() }),
            Happening::TimedOut => Came::Ended(Ending::TimedOut { limit: self.limit }),
            Happening::OutOfMemory => Came::Ended(Ending::OutOfMemory),
        }
    }

    /// The last lines and the outcome.
    fn close(&mut self, ran: Duration) -> Outcome {
        let Phase::Close { came, .. } = &self.phase else { unreachable!("an attempt is closed in its last phase") };
        let id = self.invocation.request_id.as_str();
        let (payload, status, death) = came.told(id, self.shared.options.clock.now());
        let error = match came {
            Came::Result(_) => None,
            Came::Document { .. } | Came::Ended(_) | Came::Gone | Came::NotReady(_) => Some(FunctionError::Unhandled),
        };
        let init = self.instance.init.take();
        let report = Report {
            duration: ran,
            billed: billed(ran, init),
            init,
            memory_peak_mb: self.instance.memory_peak_mb(ran),
            cold: init.is_some(),
            log_stream: self.instance.output.stream.name.clone(),
        };
        let output = &mut self.instance.output;
        if let Some(death) = &death {
            output.say(&Said::Died { id, death });
        }
        let memory_mb = self.instance.image.memory_mb;
        let produced_bytes = payload.len().max(self.gathered.count());
        output.say(&Said::End { id, report: &report, memory_mb, status: &status, produced_bytes });
        Outcome { payload, error, log_tail: self.instance.output.take_tail(), report }
    }

    fn give_back(self, outcome: &Outcome) {
        let pool = Arc::clone(&self.instance.image.pool);
        self.admission.ended(outcome, self.instance.image.memory_mb);
        pool.give(&self.shared, self.instance, Some(outcome.report.duration));
    }
}

impl Came {
    /// True if the instance is of no use afterwards.
    fn ends(&self) -> bool {
        match self {
            Self::Result(_) | Self::Document { after: After::GoesOn, .. } | Self::Ended(Ending::TooLarge) => false,
            Self::Document { after: After::Ends, .. } | Self::Ended(_) | Self::Gone | Self::NotReady(_) => true,
        }
    }

    /// What the caller is told, what the report says, and what the log says before that.
    fn told(&self, id: &str, now: Timestamp) -> (Bytes, Status, Option<Death>) {
        match self {
            Self::Result(result) => (result.clone(), Status::Success, None),
            Self::Document { document, after: After::GoesOn } => {
                (document.clone(), Status::Error(document.clone()), None)
            }
            Self::Document { document, after: After::Ends } | Self::NotReady(InitCause::Document(document)) => {
                (document.clone(), Status::failure_of(document), None)
            }
            Self::NotReady(InitCause::NoBootstrap) => {
                let document = faults::no_bootstrap(id);
                let status = Status::failure_of(&document);
                (document, status, None)
            }
            Self::NotReady(InitCause::NoProgram(why)) => {
                let document = faults::no_program(id, why);
                let (status, kind) = (Status::failure_of(&document), "Runtime.InvalidEntrypoint");
                let text = format!("RequestId: {id} Error: {why}\n{kind}");
                (document, status, Some(Death { text, words: why.clone(), kind }))
            }
            Self::NotReady(InitCause::Ending(ending)) | Self::Ended(ending) => {
                let time = now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
                (ending.document(id), ending.status(), ending.death(id, &time))
            }
            Self::Gone => unreachable!("the ending is found out before the attempt is closed"),
        }
    }
}

/// Lambda bills whole milliseconds, and since August 2025 the initialisation as well, for every kind of runtime.
pub(crate) fn billed(ran: Duration, init: Option<Duration>) -> Duration {
    let nanoseconds = (ran + init.unwrap_or_default()).as_nanos();
    Duration::from_millis(u64::try_from(nanoseconds.div_ceil(1_000_000)).unwrap_or(u64::MAX).max(1))
}
