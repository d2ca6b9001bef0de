//! One run for all who wait: who asks is served by a run that began after it asked, its own or another's.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Work that counts for everybody who asked before it began, such as a folder's sync.
#[derive(Debug, Default)]
pub(super) struct Gather {
    asked: AtomicU64,
    /// Everybody up to this number was served.
    served: Mutex<u64>,
}

impl Gather {
    /// Returns when a run that began after this call has succeeded, or this caller's own has failed.
    pub(super) fn run(&self, work: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mine = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        if *served >= mine {
            return Ok(());
        }
        let all = self.asked.load(Ordering::SeqCst);
        work()?;
        *served = all;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn whoever_waits_meanwhile_shares_the_next_run() {
        const WAITING: u64 = 8;
        let (gather, runs) = (Arc::new(Gather::default()), Arc::new(AtomicUsize::new(0)));
        let mut threads = Vec::new();
        gather
            .run(|| {
                for _ in 0..WAITING {
                    let (gather, runs) = (Arc::clone(&gather), Arc::clone(&runs));
                    threads.push(std::thread::spawn(move || {
                        gather.run(|| {
                            runs.fetch_add(1, Ordering::SeqCst);
                            Ok(())
                        })
                    }));
                }
                while gather.asked.load(Ordering::SeqCst) < WAITING + 1 {
                    std::thread::yield_now();
                }
                Ok(())
            })
            .unwrap();
        threads.into_iter().for_each(|thread| thread.join().unwrap().unwrap());
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_failure_is_its_own_callers_alone() {
        let gather = Gather::default();
        assert!(gather.run(|| Err(io::Error::other("broken"))).is_err());
        let mut ran = false;
        let again = gather.run(|| {
            ran = true;
            Ok(())
        });
        assert!(again.is_ok() && ran);
    }
}
