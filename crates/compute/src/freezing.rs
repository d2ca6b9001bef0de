//! How often it is tried to freeze an instance whose freezer refuses: what the kernel refuses may be a matter of the moment, so a few
//! times, and then no more. The instance works all the same; it only goes on while it has nothing to do.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

/// After so many refusals it is left as it is.
const REFUSALS_MAX: u32 = 3;

/// What is known of one instance's freezer. Used under its pool's lock: one at a time.
#[derive(Debug, Default)]
pub(crate) struct Freezing {
    refusals: AtomicU32,
}

impl Freezing {
    /// True if `freeze` did it. The last refusal is told; a machine that cannot freeze at all has said so when the node started.
    pub(crate) fn attempt(&self, function: &str, freeze: impl FnOnce() -> io::Result<()>) -> bool {
        let before = self.refusals.load(Ordering::Relaxed);
        if before >= REFUSALS_MAX {
            return false;
        }
        let Err(error) = freeze() else { return true };
        let refusals = if error.kind() == io::ErrorKind::Unsupported { REFUSALS_MAX } else { before + 1 };
        self.refusals.store(refusals, Ordering::Relaxed);
        if refusals == REFUSALS_MAX && error.kind() != io::ErrorKind::Unsupported {
            tracing::warn!(%error, function, "an instance cannot be frozen, and goes on while it has nothing to do");
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_frozen_is_left_alone_after_some_tries() {
        for (kind, expected) in [(io::ErrorKind::ResourceBusy, REFUSALS_MAX), (io::ErrorKind::Unsupported, 1)] {
            let (freezing, mut asked) = (Freezing::default(), 0);
            for _ in 0..100 {
                let frozen = freezing.attempt("f", || {
                    asked += 1;
                    Err(kind.into())
                });
                assert!(!frozen);
            }
            assert_eq!(asked, expected, "{kind:?}");
        }
        let (freezing, mut answers) =
            (Freezing::default(), [Err(io::ErrorKind::ResourceBusy.into()), Ok(())].into_iter());
        assert!(!freezing.attempt("f", || answers.next().unwrap()));
        assert!(freezing.attempt("f", || answers.next().unwrap()), "a refusal of the moment is tried again");
    }
}
