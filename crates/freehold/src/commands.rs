//! One file for each command: its options, its examples, what it does, its tests.

pub(crate) mod completions;
pub(crate) mod deliveries;
pub(crate) mod deploy;
pub(crate) mod doctor;
pub(crate) mod env;
pub(crate) mod fire;
pub(crate) mod invoke;
pub(crate) mod logs;
pub(crate) mod ls;
pub(crate) mod rm;
mod signals;
pub(crate) mod tables;
pub(crate) mod top;
pub(crate) mod up;
