//! The engine against a toy service.

pub(crate) mod world;

mod crashes;
mod graphs;
mod lifecycle;
mod limits;
mod mending;
mod sharing;
