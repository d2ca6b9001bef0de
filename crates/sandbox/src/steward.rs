//! The node's side of the steward: starts it, asks it, and starts another if it is gone.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use crate::init::INIT_ARGUMENT;
use crate::message::{self, Answer, Order};

/// See the file. Orders are obeyed one after the other; each takes less than a millisecond.
#[derive(Debug)]
pub(crate) struct Steward {
    helper: PathBuf,
    bases: Vec<PathBuf>,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    process: Child,
    socket: OwnedFd,
}

/// An order was not obeyed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// A step of it failed; nothing is changed.
    #[error("{step}: {reason}")]
    Failed { step: String, reason: String },
    /// The helper is no helper, or dies again and again.
    #[error("the sandbox helper {} ended without a word", helper.display())]
    Silent { helper: PathBuf },
    /// The system refused before the order was heard.
    #[error("{step}: {source}")]
    System { step: &'static str, source: io::Error },
}

impl Steward {
    /// One that is started with the first order. When the node is gone it ends whatever runs in groups below `bases`.
    pub(crate) fn new(helper: PathBuf, bases: Vec<PathBuf>) -> Self {
        Self { helper, bases, running: Mutex::new(None) }
    }

    /// Has an order obeyed. Blocks.
    pub(crate) fn ask(&self, order: &Order, fds: &[BorrowedFd<'_>]) -> Result<(Answer, Vec<OwnedFd>), Refusal> {
        let mut running = self.running.lock().expect("nothing panics while it holds this lock");
        // Somebody may have killed the one that was there: then the order was not heard, and a second one gets it.
        for _ in 0..2 {
            let one = match running.take() {
                Some(one) => one,
                None => self.start()?,
            };
            match one.ask(order, fds) {
                Ok(answer) => {
                    *running = Some(one);
                    return answered(answer);
                }
                // Too long an order, say: no other steward would take it either.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    *running = Some(one);
                    return Err(Refusal::System { step: "handing over an order", source: error });
                }
                Err(error) => {
                    tracing::warn!(%error, "the sandbox steward does not answer: another one takes over");
                    one.replace();
                }
            }
        }
        Err(Refusal::Silent { helper: self.helper.clone() })
    }

    fn start(&self) -> Result<Running, Refusal> {
        let running = Running::start(&self.helper)?;
        match running.ask(&Order::Serve { bases: self.bases.clone() }, &[]) {
            Ok(answer) => answered(answer).map(|_| running),
            Err(_) => {
                running.replace();
                Err(Refusal::Silent { helper: self.helper.clone() })
            }
        }
    }
}

impl Drop for Steward {
    fn drop(&mut self) {
        if let Some(running) = self.running.get_mut().ok().and_then(Option::take) {
            running.end();
        }
    }
}

impl Running {
    fn start(helper: &Path) -> Result<Self, Refusal> {
        let system = |step| move |source: io::Error| Refusal::System { step, source };
        let (socket, theirs) = message::pair().map_err(system("making a socket for the steward"))?;
        let process = Command::new(helper)
            .arg(INIT_ARGUMENT)
            .env_clear()
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(system("starting the steward"))?;
        Ok(Self { process, socket })
    }

    fn ask(&self, order: &Order, fds: &[BorrowedFd<'_>]) -> io::Result<(Answer, Vec<OwnedFd>)> {
        message::send(self.socket.as_fd(), order, fds)?;
        message::receive(self.socket.as_fd())?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// It ends when its socket does, after it has cleaned up.
    fn end(mut self) {
        drop(self.socket);
        if let Err(error) = self.process.wait() {
            tracing::debug!(%error, "the sandbox steward was collected by somebody else");
        }
    }

    /// It ends at once, and leaves the guests alone.
    fn replace(mut self) {
        // Gone already, most likely.
        let _ = self.process.kill();
        self.end();
    }
}

fn answered((answer, fds): (Answer, Vec<OwnedFd>)) -> Result<(Answer, Vec<OwnedFd>), Refusal> {
    match answer {
        Answer::Failed { step, reason } => Err(Refusal::Failed { step, reason }),
        Answer::Done | Answer::Began { .. } => Ok((answer, fds)),
    }
}
