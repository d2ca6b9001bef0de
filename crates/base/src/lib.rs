//! The bottom floor: what every crate may use, and no domain words.
//!
//! Time, chance and tasks enter here as values, so that a test can run a day in a second, or replay a failure from its
//! seed. Nothing above this crate reads the system clock, draws randomness or spawns a task by itself.

pub mod clock;
pub mod near;
pub mod random;
pub mod retry;
pub mod size;
pub mod task;
pub mod trial;

pub use clock::{Clock, ManualClock};
pub use near::did_you_mean;
pub use random::Random;
pub use retry::Backoff;
pub use size::ByteSize;
