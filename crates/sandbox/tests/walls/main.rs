//! Guests in real sandboxes: what they see, what they cannot do, and how they end. Where the machine lacks what a test needs, the
//! test says so and passes. As root these run with a user id per guest; `an_ordinary_user_has_walls_too` runs all of them again as
//! nobody.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod ahead;
mod escapes;
mod foreign;
mod harness;
mod languages;
mod life;
mod limits;
mod ordinary;
mod outside;
mod view;
